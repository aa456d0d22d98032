/**
 * Chooses the blocks of a region: from a hot entry along the exits that were taken most, across pages where the TLB
 * says what is there, into called functions and back.
 */

import type { CodeCache, TranslationBlock } from "../engine/code-cache.ts";
import { HF_CS64 } from "../env.ts";
import { type Transfer, transferOf } from "./transfer.ts";

const PAGE_SIZE = 4096;
const MAX_BLOCKS = 96;
/** How much less often than the entry a block may be entered. */
const MIN_HEAT = 1 / 8;
/** Share of an exit about which nothing is known. */
const UNKNOWN_SHARE = 0.4;
const MAX_RETURNS = 4;
const MAX_COPIED = 50;
/** Farther than this from the entry, distances would not fit an immediate. */
const MAX_DISTANCE = 2 ** 30;

export interface Surroundings {
  readonly cache: CodeCache;
  readonly memory: Uint8Array;
  /** Shared-memory address of the code `delta` bytes after CS:rip, if the TLB knows it. */
  locate(delta: number): number | undefined;
  /** Guest instructions of the region that begins with a block, if there is one or one is being compiled; else 0. */
  regionInsns(block: TranslationBlock): number;
  /** Distances from CS:rip of the targets that a block's computed exit has noted. */
  targets(block: TranslationBlock): number[];
}

interface Candidate {
  readonly block: TranslationBlock;
  readonly delta: number;
  heat: number;
}

interface Way {
  readonly delta: number;
  readonly share: number;
}

/** A block of a region that is to be. */
export interface PlannedBlock {
  /** Shared-memory address of the first guest byte, and how many bytes. */
  readonly phys: number;
  readonly length: number;
  readonly insns: number;
  /** Address of its first instruction minus that of the region's entry. */
  readonly delta: number;
  /** Where a return or another computed jump at its end is likely to lead. */
  readonly returnsTo: readonly number[];
}

/** All it takes to compile a region, in any thread. */
export interface RegionPlan {
  readonly phys: number;
  readonly hflags: number;
  /** The first one is the entry. */
  readonly blocks: readonly PlannedBlock[];
  /** The guest bytes of the blocks, one after another. */
  readonly code: Uint8Array;
}

interface Member {
  readonly block: TranslationBlock;
  readonly delta: number;
  readonly transfer: Transfer;
  /** Where a call that ends the block returns to. */
  readonly returnSite: number | undefined;
  /** Where its computed exit has led. */
  readonly targets: readonly number[];
}

/** Plans the region that begins at `entry`, which is the block at CS:rip. */
export function formRegion(entry: TranslationBlock, maxInsns: number, around: Surroundings): RegionPlan | undefined {
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
    insns += best.block.insns;
    for (const { delta, share } of ways(member, around)) {
      const heat = best.heat * share;
      if (members.has(delta) || Math.abs(delta) > MAX_DISTANCE) continue;
      const known = waiting.get(delta);
      if (known) known.heat += heat;
      else {
        const block = find(member, delta, around);
        if (block) waiting.set(delta, { block, delta, heat });
      }
    }
  }
  return plan(entry, [...members.values()], members, around.memory);
}

function plan(
  { phys, hflags }: TranslationBlock,
  list: readonly Member[],
  members: ReadonlyMap<number, Member>,
  memory: Uint8Array,
): RegionPlan {
  const returns = returnTargets(list, members);
  const code = new Uint8Array(list.reduce((sum, { block }) => sum + block.length, 0));
  let at = 0;
  const blocks = list.map(({ block, delta }, index): PlannedBlock => {
    code.set(memory.subarray(block.phys, block.phys + block.length), at);
    at += block.length;
    return { phys: block.phys, length: block.length, insns: block.insns, delta, returnsTo: returns[index] };
  });
  return { phys, hflags, blocks, code };
}

/** Whether the guest's code is still what the plan was made from. */
export function isCurrent({ blocks, code }: RegionPlan, memory: Uint8Array): boolean {
  let at = 0;
  for (const { phys, length } of blocks) {
    for (let i = 0; i < length; i++) if (memory[phys + i] !== code[at + i]) return false;
    at += length;
  }
  return true;
}

function admit({ block, delta }: Candidate, around: Surroundings): Member | undefined {
  const { phys, length, lastInsn, hflags } = block;
  if (block.dead || block.secondPage !== 0 || phys === 0) return undefined;
  // A large region is better linked to than copied.
  if (delta !== 0 && around.regionInsns(block) > MAX_COPIED) return undefined;
  const transfer = transferOf(around.memory, phys, lastInsn, length, (hflags & HF_CS64) !== 0);
  const returnSite = transfer.kind === "call" ? delta + length : undefined;
  return { block, delta, transfer, returnSite, targets: around.targets(block) };
}

/** The known places a block leads to, with the share of its executions that go there. */
function ways({ block, delta, transfer, targets, returnSite }: Member, around: Surroundings): Way[] {
  const inPage = block.phys % PAGE_SIZE;
  const targetsInPage = transfer.ways.map((way) => {
    const here = inPage + way >= 0 && inPage + way < PAGE_SIZE;
    return here ? around.cache.find(block.phys + way, block.hflags) : undefined;
  });
  const counts = targetsInPage.map((target) => (target ? around.cache.taken(block, target) : 0));
  // The run loop comes between where there is no link.
  const [target] = targetsInPage;
  if (transfer.kind === "none" && target && !around.cache.linked(block, target)) return [];
  const total = block.region ? 0 : counts.reduce((sum, count) => sum + count, 0);
  const result = transfer.ways.map((way, index): Way => {
    const share = total > 0 ? counts[index] / total : counts.length > 1 ? UNKNOWN_SHARE : 1;
    return { delta: delta + way, share };
  });
  for (const target of targets) result.push({ delta: target, share: 1 / targets.length });
  if (returnSite !== undefined) result.push({ delta: returnSite, share: 1 });
  return result;
}

/** The translated block at `delta`, if it is known where that is. */
function find(from: Member, delta: number, around: Surroundings): TranslationBlock | undefined {
  const { phys, hflags } = from.block;
  const inPage = (phys % PAGE_SIZE) + delta - from.delta;
  const at = inPage >= 0 && inPage < PAGE_SIZE ? phys + delta - from.delta : around.locate(delta);
  return at === undefined ? undefined : around.cache.find(at, hflags);
}

/** For each block, where a return at its end may lead: after the calls through which it was reached. */
function returnTargets(list: readonly Member[], members: ReadonlyMap<number, Member>): number[][] {
  const result = new Map<Member, number[]>(list.map((member) => [member, []]));
  for (const caller of list) {
    if (caller.returnSite === undefined || !members.has(caller.returnSite)) continue;
    const seen = new Set<Member>();
    const stack = [...leadsTo(caller), ...caller.targets];
    for (let to = stack.pop(); to !== undefined; to = stack.pop()) {
      const member = members.get(to);
      if (!member || seen.has(member)) continue;
      seen.add(member);
      const returns = member.transfer.kind === "return";
      const found = result.get(member)!;
      if (returns && found.length < MAX_RETURNS) found.push(caller.returnSite);
      if (member.returnSite !== undefined) stack.push(member.returnSite);
      else {
        stack.push(...leadsTo(member));
        if (!returns) stack.push(...member.targets);
      }
    }
  }
  return list.map((member) => [...new Set([...result.get(member)!, ...member.targets])]);
}

const leadsTo = ({ delta, transfer }: Member): number[] => transfer.ways.map((way) => delta + way);
