/**
 * The translation blocks of a machine and the memory their code lies in. All its CPUs use them: a block depends on the
 * guest's memory and mode only.
 *
 * Invariants:
 *  1. A block is found by the shared-memory address of its first byte and the mode it was translated for (hflags).
 *  2. A page of guest memory carries PAGE_CODE exactly while blocks made from it exist.
 *  3. No exit of a live block and no entry of the look-up cache leads to a dead block.
 *  4. Code memory is a ring of segments. The oldest segment's blocks die when its room is needed again.
 */

import { LOOKUP_ENTRIES, LOOKUP_ENTRY_SIZE, LOOKUP_OFFSET } from "../interp/generate.ts";
import { BlockTable } from "./block-table.ts";

const PAGE_SHIFT = 12;
const PAGE_SIZE = 1 << PAGE_SHIFT;
const SEGMENTS = 8;
/** Guest code is counted by lines of so many bytes, so that stores beside it cost little. */
const LINE_SHIFT = 4;
const LINES = 1 << (PAGE_SHIFT - LINE_SHIFT);
/** Room from an instruction's code on for the patch that leaves the block there. */
const PATCH_ROOM = 40;

/** `incoming` of a block that nothing is linked to. */
export const NO_EXITS: readonly number[] = [];

/** Where a guest instruction starts in a block. */
export interface InsnPoint {
  /** Address of its first op. */
  readonly code: number;
  /** Bytes from the block's start. */
  readonly offset: number;
  readonly ccOp: number;
}

/** What a block has that is a compiled region; see jit/. */
export interface RegionInfo {
  readonly id: number;
  /** Place in the table of regions. */
  readonly place: number;
  /** Guest bytes it was made from: address and length in turn. */
  readonly extents: Int32Array;
  /** Guest instructions in it. */
  readonly insns: number;
  /** By fault point: distance of the instruction from the entry, and its ccOp. */
  readonly points: Int32Array;
}

export interface TranslationBlock {
  /** Shared-memory address of the first guest byte. */
  readonly phys: number;
  readonly hflags: number;
  /** Address of the code, and its end. */
  readonly code: number;
  readonly codeEnd: number;
  /** Guest bytes and instructions. */
  readonly length: number;
  readonly insns: number;
  /** Shared-memory address of the second page's bytes if the block crosses into another page, else 0. */
  readonly secondPage: number;
  /** Starts of guest instructions, packed as [code - block code, offset | ccOp << 16] pairs. */
  readonly points: ArrayLike<number>;
  /** Bytes from the block's start to its last guest instruction. */
  readonly lastInsn: number;
  /** Address of the targets that its computed exit has noted, or 0. */
  readonly historyAt: number;
  /** Set if this is a compiled region; `length` and `insns` are those of its first block then. */
  readonly region?: RegionInfo;
  /** exit_chain instructions that lead here. */
  incoming: readonly number[];
  dead: boolean;
}

/** The blocks made from a page, in no order, and how many of them each of its lines has a part in. */
interface CodePage {
  readonly blocks: TranslationBlock[];
  readonly lines: Uint16Array;
}

export class CodeCache {
  readonly #i32: Int32Array;
  readonly #base: number;
  readonly #segmentSize: number;
  readonly #lookup: number;
  /** Live and dead blocks of each segment in address order. */
  readonly #segments: TranslationBlock[][] = Array.from({ length: SEGMENTS }, () => []);
  readonly #blocks = new BlockTable();
  readonly #pages = new Map<number, CodePage>();
  readonly #setCodePage: (address: number, on: boolean) => void;
  readonly #onKill: (block: TranslationBlock, overwritten: boolean) => void;
  /** How often look-ups find a block until it counts as hot. */
  hotCount = 0;
  #segment = 0;
  #at: number;

  /**
   * `lookup` is the address of the code that precedes the look-up cache, `base` and `size` the code memory; `setCodePage` marks pages that hold guest code;
   * `onKill` hears of blocks that die and whether their code was overwritten.
   */
  constructor(
    buffer: SharedArrayBuffer,
    lookup: number,
    base: number,
    size: number,
    setCodePage: (address: number, on: boolean) => void,
    onKill: (block: TranslationBlock, overwritten: boolean) => void = () => {},
  ) {
    this.#onKill = onKill;
    this.#i32 = new Int32Array(buffer, 0, buffer.byteLength >>> 2);
    this.#lookup = (lookup + LOOKUP_OFFSET) >>> 2;
    this.#base = base;
    this.#segmentSize = Math.floor(size / SEGMENTS / 8) * 8;
    this.#at = base;
    this.#setCodePage = setCodePage;
  }

  /** Number of live blocks. */
  get count(): number {
    return this.#blocks.count;
  }

  find(phys: number, hflags: number): TranslationBlock | undefined {
    return this.#blocks.find(phys, hflags);
  }

  /** Room for a block of at most `size` bytes; makes the oldest segment's blocks die if need be. */
  room(size: number): number {
    const end = this.#base + (this.#segment + 1) * this.#segmentSize;
    if (this.#at + size > end) {
      this.#segment = (this.#segment + 1) % SEGMENTS;
      this.#at = this.#base + this.#segment * this.#segmentSize;
      for (const block of this.#segments[this.#segment]) if (!block.dead) this.kill(block);
      this.#segments[this.#segment] = [];
    }
    return this.#at;
  }

  /** Takes a block whose code was written to where `room` said. */
  add(block: TranslationBlock): void {
    const { code, codeEnd, points } = block;
    const patchable = points.length === 0 ? codeEnd : code + points[points.length - 2] + PATCH_ROOM;
    this.#at = Math.max((codeEnd + 7) & ~7, patchable);
    this.#segments[this.#segment].push(block);
    this.#blocks.add(block);
    this.#changeParts(block, 1);
  }

  /** Puts a compiled region in the place of the block it begins with. */
  replace(old: TranslationBlock, region: TranslationBlock): void {
    const { incoming } = old;
    old.incoming = NO_EXITS;
    this.kill(old);
    this.add(region);
    for (const exit of incoming) if (this.#i32[(exit + 8) >>> 2] === old.code) this.link(exit, region);
    this.publish(region);
  }

  /** Lets exit_lookup find the block. */
  publish(block: TranslationBlock): void {
    const at = this.#lookupIndex(block.phys);
    if (this.#i32[at] === (block.phys | 0) && this.#i32[at + 2] === block.code) return;
    this.#i32[at] = block.phys;
    this.#i32[at + 1] = block.hflags;
    this.#i32[at + 2] = block.code;
    this.#i32[at + 3] = this.hotCount;
  }

  /** How often `to` was entered from the direct exits of `from`. */
  taken(from: TranslationBlock, to: TranslationBlock): number {
    let count = 0;
    for (const exit of to.incoming) {
      if (exit >= from.code && exit < from.codeEnd) count += this.hotCount - this.#i32[(exit + 12) >>> 2];
    }
    return count;
  }

  /** Whether a direct exit of `from` has led to `to`. */
  linked(from: TranslationBlock, to: TranslationBlock): boolean {
    return to.incoming.some((exit) => exit >= from.code && exit < from.codeEnd);
  }

  /** Makes the exit_chain instruction at `exit` lead to `block`. */
  link(exit: number, block: TranslationBlock): void {
    this.#i32[(exit + 8) >>> 2] = block.code;
    // All blocks without one share an empty array.
    if (block.incoming.length === 0) block.incoming = [exit];
    else (block.incoming as number[]).push(exit);
  }

  /** The block, live or dead, whose code holds the instruction at `address`. */
  blockAt(address: number): TranslationBlock | undefined {
    const segment = this.#segments[Math.floor((address - this.#base) / this.#segmentSize)];
    if (!segment) return undefined;
    let low = 0;
    let high = segment.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const block = segment[middle];
      if (address < block.code) high = middle - 1;
      else if (address >= block.codeEnd) low = middle + 1;
      else return block;
    }
    return undefined;
  }

  /** False if none of the bytes [address, address + length) can be part of a block. */
  mayHold(address: number, length: number): boolean {
    const last = (address + length - 1) >>> LINE_SHIFT;
    let page = -1;
    let lines: Uint16Array | undefined;
    for (let line = address >>> LINE_SHIFT; line <= last; line++) {
      const at = line >>> (PAGE_SHIFT - LINE_SHIFT);
      if (at !== page) {
        page = at;
        lines = this.#pages.get(page)?.lines;
        if (!lines) {
          line |= LINES - 1;
          continue;
        }
      }
      if (lines![line & (LINES - 1)] !== 0) return true;
    }
    return false;
  }

  /** Kills the blocks made from bytes in [address, address + length). */
  invalidate(address: number, length: number): void {
    const last = (address + length - 1) >>> PAGE_SHIFT;
    for (let page = address >>> PAGE_SHIFT; page <= last; page++) {
      const blocks = this.#pages.get(page)?.blocks;
      if (!blocks) continue;
      // From the end: killing one puts the last into its place.
      for (let i = blocks.length - 1; i >= 0; i--) {
        if (overlaps(blocks[i], address, length)) this.kill(blocks[i], true);
      }
    }
  }

  /** `overwritten`: because its guest code has changed. */
  kill(block: TranslationBlock, overwritten = false): void {
    block.dead = true;
    this.#blocks.remove(block);
    for (const exit of block.incoming) if (this.#i32[(exit + 8) >>> 2] === block.code) this.#i32[(exit + 8) >>> 2] = 0;
    block.incoming = NO_EXITS;
    const at = this.#lookupIndex(block.phys);
    if (this.#i32[at + 2] === block.code) this.#i32[at] = 0;
    this.#changeParts(block, -1);
    this.#onKill(block, overwritten);
  }

  /** Kills everything. */
  flush(): void {
    for (const segment of this.#segments) for (const block of segment) if (!block.dead) this.kill(block);
  }

  #lookupIndex(phys: number): number {
    const hash = (phys ^ (phys >>> 16)) & (LOOKUP_ENTRIES - 1);
    return this.#lookup + hash * (LOOKUP_ENTRY_SIZE >> 2);
  }

  /** Enters a block into the pages it was made from (`step` 1) or takes it out of them (-1). */
  #changeParts(block: TranslationBlock, step: 1 | -1): void {
    const { phys, length, region, secondPage } = block;
    if (region) {
      const { extents } = region;
      for (let i = 0; i < extents.length; i += 2) this.#changePart(block, extents[i] >>> 0, extents[i + 1], step);
    } else if (secondPage === 0) this.#changePart(block, phys, length, step);
    else {
      const inFirst = lengthInFirst(block);
      this.#changePart(block, phys, inFirst, step);
      this.#changePart(block, secondPage, length - inFirst, step);
    }
  }

  #changePart(block: TranslationBlock, address: number, length: number, step: 1 | -1): void {
    if (step > 0) this.#addPart(block, address, length);
    else this.#removePart(block, address, length);
  }

  /** Enters guest bytes of a block, which lie in one page. */
  #addPart(block: TranslationBlock, address: number, length: number): void {
    const page = address >>> PAGE_SHIFT;
    let code = this.#pages.get(page);
    if (!code) {
      code = { blocks: [], lines: new Uint16Array(LINES) };
      this.#pages.set(page, code);
      this.#setCodePage((page << PAGE_SHIFT) >>> 0, true);
    }
    const { blocks, lines } = code;
    // Another part of it may have entered it already, as the last one.
    if (blocks.length === 0 || blocks[blocks.length - 1] !== block) blocks.push(block);
    countLines(lines, address, length, 1);
  }

  #removePart(block: TranslationBlock, address: number, length: number): void {
    const page = address >>> PAGE_SHIFT;
    const code = this.#pages.get(page);
    if (!code) return;
    const { blocks, lines } = code;
    countLines(lines, address, length, -1);
    const index = blocks.indexOf(block);
    if (index < 0) return;
    const last = blocks.pop()!;
    if (last !== block) blocks[index] = last;
    if (blocks.length > 0) return;
    this.#pages.delete(page);
    this.#setCodePage((page << PAGE_SHIFT) >>> 0, false);
  }
}

/** Adds `step` to the lines of a page that bytes of it lie in. */
function countLines(lines: Uint16Array, address: number, length: number, step: number): void {
  const last = (address + length - 1) >>> LINE_SHIFT;
  for (let line = address >>> LINE_SHIFT; line <= last; line++) lines[line & (LINES - 1)] += step;
}

/** How many bytes of a block that goes on in a second page are in its first. */
function lengthInFirst({ phys, length }: TranslationBlock): number {
  return Math.min(length, PAGE_SIZE - (phys % PAGE_SIZE));
}

/** Whether a block was made from some of the bytes [address, address + length). */
export function overlaps(block: TranslationBlock, address: number, length: number): boolean {
  const { phys, region, secondPage } = block;
  const hit = (at: number, size: number): boolean => address < at + size && address + length > at;
  if (region) {
    const { extents } = region;
    for (let i = 0; i < extents.length; i += 2) if (hit(extents[i] >>> 0, extents[i + 1])) return true;
    return false;
  }
  if (secondPage === 0) return hit(phys, block.length);
  const inFirst = lengthInFirst(block);
  return hit(phys, inFirst) || hit(secondPage, block.length - inFirst);
}

/** The guest instruction that the op at `address` belongs to. */
export function insnPointAt(block: TranslationBlock, address: number): InsnPoint {
  const { points } = block;
  let i = 0;
  while (i + 2 < points.length && block.code + points[i + 2] <= address) i += 2;
  return pointAt(block, i);
}

/** The guest instruction after the one that the op at `address` belongs to, or undefined at the block's end. */
export function nextInsnPoint(block: TranslationBlock, address: number): InsnPoint | undefined {
  const { points } = block;
  for (let i = 0; i < points.length; i += 2) if (block.code + points[i] > address) return pointAt(block, i);
  return undefined;
}

function pointAt(block: TranslationBlock, i: number): InsnPoint {
  const packed = block.points[i + 1];
  return { code: block.code + block.points[i], offset: packed & 0xffff, ccOp: packed >>> 16 };
}
