/**
 * Chooses the blocks of a region: from a hot entry along the exits that were taken most, across pages where the TLB
 * says what is there, into called functions and back.
 */

import type { CodeCache, TranslationBlock } from "../engine/code-cache.ts";
import type { IrCode } from "../ir/builder.ts";
import { type BlockExit, connect, type Destination, exitsOf, type Region, type RegionBlock } from "./region.ts";

const PAGE_SIZE = 4096;
const MAX_BLOCKS = 96;
/** How much less often than the entry a block may be entered. */
const MIN_HEAT = 1 / 64;
/** Share of an exit about which nothing is known. */
const UNKNOWN_SHARE = 0.4;
const MAX_RETURNS = 4;
const MAX_COPIED = 100;
/** Farther than this from the entry, distances would not fit an immediate. */
const MAX_DISTANCE = 2 ** 30;

export interface Surroundings {
  readonly cache: CodeCache;
  readonly memory: Uint8Array;
  /** IR of the block again, or undefined if the code is not what it was. */
  intermediate(block: TranslationBlock): IrCode | undefined;
  /** Shared-memory address of the code `delta` bytes after CS:rip, if the TLB knows it. */
  locate(delta: number): number | undefined;
  /** Distances from CS:rip of the targets that a block's computed exit has noted. */
  targets(block: TranslationBlock): number[];
}

interface Candidate {
  readonly block: TranslationBlock;
  readonly delta: number;
  heat: number;
}

interface Member extends RegionBlock {
  readonly exits: readonly BlockExit[];
  /** Where a call that ends the block returns to. */
  readonly returnSite: number | undefined;
  readonly returns: boolean;
  /** Where its computed exit has led. */
  readonly targets: readonly number[];
}

/** Forms the region that begins at `entry`, which is the block at CS:rip. */
export function formRegion(entry: TranslationBlock, maxInsns: number, around: Surroundings): Region | undefined {
  const members = new Map<number, Member>();
  const waiting = new Map<number, Candidate>([[0, { block: entry, delta: 0, heat: 1 }]]);
  let insns = 0;
  while (members.size < MAX_BLOCKS && insns < maxInsns) {
    let best: Candidate | undefined;
    for (const candidate of waiting.values()) if (!best || candidate.heat > best.heat) best = candidate;
    if (!best || best.heat < MIN_HEAT) break;
    waiting.delete(best.delta);
    const member = admit(best, around);
    if (!member) {
      if (best.delta === 0) return undefined;
      continue;
    }
    members.set(best.delta, member);
    insns += member.insns;
    for (const { delta, share } of ways(best.block, member, around)) {
      const heat = best.heat * share;
      if (members.has(delta) || Math.abs(delta) > MAX_DISTANCE) continue;
      const known = waiting.get(delta);
      if (known) known.heat += heat;
      else {
        const block = find(member, delta, entry.hflags, around);
        if (block) waiting.set(delta, { block, delta, heat });
      }
    }
  }
  const blocks = [...members.values()];
  return connect(entry.phys, entry.hflags, blocks, returnTargets(blocks, members));
}

function admit({ block, delta }: Candidate, around: Surroundings): Member | undefined {
  if (block.dead || block.secondPage !== 0 || block.phys === 0) return undefined;
  // A large region is better linked to than copied.
  if (delta !== 0 && block.region && block.region.insns > MAX_COPIED) return undefined;
  const ir = around.intermediate(block);
  if (!ir) return undefined;
  const { phys, length, insns } = block;
  const last = phys + ir.insnOffset[ir.insnOffset.length - 1];
  const kind = transferAt(around.memory, last, phys + length);
  return {
    phys,
    length,
    insns,
    delta,
    ir,
    exits: exitsOf(ir, delta),
    returnSite: kind === "call" ? delta + length : undefined,
    returns: kind === "return",
    targets: around.targets(block),
  };
}

/** Whether the instruction in [at, end) is a near call or a near return. */
function transferAt(memory: Uint8Array, at: number, end: number): "call" | "return" | undefined {
  while (at < end && (memory[at] === 0x66 || memory[at] === 0xf2 || memory[at] === 0xf3 || memory[at] >> 4 === 4)) at++;
  const opcode = memory[at];
  if (opcode === 0xe8 || (opcode === 0xff && ((memory[at + 1] >> 3) & 7) === 2)) return "call";
  return opcode === 0xc3 || opcode === 0xc2 ? "return" : undefined;
}

/** The known places a block leads to, with the share of its executions that go there. */
function ways(block: TranslationBlock, member: Member, around: Surroundings): { delta: number; share: number }[] {
  const result: { delta: number; share: number }[] = [];
  const counts = new Map<number, number>();
  let total = 0;
  for (const { to, how } of member.exits) {
    if (typeof to !== "number" || how === "main") continue;
    let count = 0;
    if (how === "chain") {
      const target = around.cache.find(member.phys + to - member.delta, block.hflags);
      if (target) count = around.cache.taken(block, target);
    }
    counts.set(to, count);
    total += count;
  }
  for (const [delta, count] of counts) {
    const share = total > 0 && !block.region ? count / total : counts.size > 1 ? UNKNOWN_SHARE : 1;
    result.push({ delta, share });
  }
  for (const delta of member.targets) result.push({ delta, share: 1 / member.targets.length });
  if (member.returnSite !== undefined) result.push({ delta: member.returnSite, share: 1 });
  return result;
}

/** The translated block at `delta`, if it is known where that is. */
function find(from: RegionBlock, delta: number, hflags: number, around: Surroundings): TranslationBlock | undefined {
  const inPage = (from.phys % PAGE_SIZE) + delta - from.delta;
  const phys = inPage >= 0 && inPage < PAGE_SIZE ? from.phys + delta - from.delta : around.locate(delta);
  return phys === undefined ? undefined : around.cache.find(phys, hflags);
}

/** For each block, where a return at its end may lead: after the calls through which it was reached. */
function returnTargets(blocks: readonly Member[], members: ReadonlyMap<number, Member>): number[][] {
  const targets = new Map<Member, number[]>(blocks.map((block) => [block, []]));
  for (const caller of blocks) {
    if (caller.returnSite === undefined || !members.has(caller.returnSite)) continue;
    const seen = new Set<Member>();
    const stack: Destination[] = [...caller.exits.map(({ to }) => to), ...caller.targets];
    for (let to = stack.pop(); to !== undefined; to = stack.pop()) {
      const member = typeof to === "number" ? members.get(to) : undefined;
      if (!member || seen.has(member)) continue;
      seen.add(member);
      const list = targets.get(member)!;
      if (member.returns && list.length < MAX_RETURNS) list.push(caller.returnSite);
      if (member.returnSite !== undefined) stack.push(member.returnSite);
      else {
        stack.push(...member.exits.map((exit) => exit.to));
        if (!member.returns) stack.push(...member.targets);
      }
    }
  }
  return blocks.map((block) => [...new Set([...targets.get(block)!, ...block.targets])]);
}
