/**
 * Blocks by address and mode: a hash table with linear probing, at most half full, in which blocks of one page stand
 * close together. Several blocks may have the same key; the one that is found is any of them.
 */

import type { TranslationBlock } from "./code-cache.ts";

const FIRST_SIZE = 16384;
const GROWTH = 4;
const SPREAD = 0x9e3779b1;

/** Where the search for a key begins. */
function hash(phys: number, hflags: number): number {
  return (phys >>> 2) + (Math.imul((phys >>> 12) ^ (hflags << 8), SPREAD) >>> 12);
}

export class BlockTable {
  /** Address and mode in turn; address 0 in a free place. */
  #keys = new Int32Array(2 * FIRST_SIZE);
  #blocks: (TranslationBlock | undefined)[] = new Array(FIRST_SIZE);
  #mask = FIRST_SIZE - 1;
  #count = 0;

  /** Number of blocks. */
  get count(): number {
    return this.#count;
  }

  find(phys: number, hflags: number): TranslationBlock | undefined {
    const keys = this.#keys;
    const mask = this.#mask;
    const address = phys | 0;
    for (let at = hash(phys, hflags) & mask; ; at = (at + 1) & mask) {
      const key = keys[2 * at];
      if (key === 0) return undefined;
      if (key === address && keys[2 * at + 1] === hflags) return this.#blocks[at];
    }
  }

  add(block: TranslationBlock): void {
    if (2 * ++this.#count > this.#mask) this.#grow();
    this.#put(block, block.phys, block.hflags);
  }

  remove(block: TranslationBlock): void {
    const keys = this.#keys;
    const blocks = this.#blocks;
    const mask = this.#mask;
    let hole = hash(block.phys, block.hflags) & mask;
    for (; blocks[hole] !== block; hole = (hole + 1) & mask) {
      if (keys[2 * hole] === 0) throw new RangeError("the block is not in the table");
    }
    // What stands behind the hole moves into it, unless its own search begins after the hole.
    for (let at = (hole + 1) & mask; keys[2 * at] !== 0; at = (at + 1) & mask) {
      const { phys, hflags } = blocks[at]!;
      if (((at - hash(phys, hflags)) & mask) < ((at - hole) & mask)) continue;
      keys[2 * hole] = keys[2 * at];
      keys[2 * hole + 1] = keys[2 * at + 1];
      blocks[hole] = blocks[at];
      hole = at;
    }
    keys[2 * hole] = 0;
    blocks[hole] = undefined;
    this.#count--;
  }

  #put(block: TranslationBlock, phys: number, hflags: number): void {
    const keys = this.#keys;
    const mask = this.#mask;
    let at = hash(phys, hflags) & mask;
    while (keys[2 * at] !== 0) at = (at + 1) & mask;
    keys[2 * at] = phys;
    keys[2 * at + 1] = hflags;
    this.#blocks[at] = block;
  }

  #grow(): void {
    const keys = this.#keys;
    const blocks = this.#blocks;
    const size = GROWTH * blocks.length;
    this.#mask = size - 1;
    this.#keys = new Int32Array(2 * size);
    this.#blocks = new Array(size);
    for (let at = 0; at < blocks.length; at++) {
      if (keys[2 * at] !== 0) this.#put(blocks[at]!, keys[2 * at], keys[2 * at + 1]);
    }
  }
}
