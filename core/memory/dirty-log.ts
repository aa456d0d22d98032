/**
 * Which pages of a block of memory were written to since somebody last asked: what a display has to draw anew.
 *
 * A page that is clean becomes dirty by
 *
 *     a translator's code     the page carries PAGE_LOG, so that the first write to it is told (`written`)
 *     DMA and loaders         told as well
 *     a guest in the kernel   whose own log is asked for before pages are taken (`LogHost.collect`)
 *     a device's registers    the device marks what it writes (`mark`)
 *
 * Invariants:
 *  1. Where a translator runs, a page carries PAGE_LOG exactly while it is clean: only the first write costs anything.
 *  2. A write that comes while pages are taken is in this answer or in the next one.
 */

import { type GuestBlock, PAGE_SIZE } from "./guest-memory.ts";

const PAGE_SHIFT = 12;
const CLEAN = 0;
const DIRTY = 1;

/** Bytes `start` to `end` (exclusive) of a block. */
export interface DirtyRange {
  readonly start: number;
  readonly end: number;
}

/** The address space that the block is mapped in. */
export interface LogHost {
  /** Marks what others have logged. */
  collect(log: DirtyLog): void;
  /** Has the next write to the page at `address` of the shared memory told, or no longer. */
  trap(address: number, on: boolean): void;
}

export class DirtyLog {
  readonly block: GuestBlock;
  readonly #host: LogHost;
  readonly #pages: Uint8Array;

  constructor(block: GuestBlock, host: LogHost) {
    this.block = block;
    this.#host = host;
    this.#pages = new Uint8Array(block.size / PAGE_SIZE).fill(DIRTY);
  }

  /** Bytes of the block were written. */
  mark(offset: number, length: number): void {
    const end = offset + length;
    for (let page = offset >>> PAGE_SHIFT; page * PAGE_SIZE < end; page++) {
      if (this.#pages[page] === CLEAN) this.#set(page, DIRTY);
    }
  }

  /** The whole block may have changed. */
  markAll(): void {
    this.mark(0, this.block.size);
  }

  /** Bytes at `address` of the shared memory were written, in the block or elsewhere. */
  written(address: number, length: number): void {
    const { address: base, size } = this.block;
    const start = Math.max(address, base);
    const end = Math.min(address + length, base + size);
    if (start < end) this.mark(start - base, end - start);
  }

  /** The dirty pages that bytes `offset` to `offset + length` touch, in ascending order; they are clean from now on. */
  take(offset: number, length: number): DirtyRange[] {
    this.#host.collect(this);
    const ranges: DirtyRange[] = [];
    const first = offset >>> PAGE_SHIFT;
    const end = Math.min(Math.ceil((offset + length) / PAGE_SIZE), this.#pages.length);
    for (let page = first; page < end; page++) {
      if (this.#pages[page] === CLEAN) continue;
      const from = page;
      for (; page < end && this.#pages[page] === DIRTY; page++) this.#set(page, CLEAN);
      ranges.push({ start: from * PAGE_SIZE, end: page * PAGE_SIZE });
    }
    return ranges;
  }

  #set(page: number, to: number): void {
    this.#pages[page] = to;
    this.#host.trap(this.block.address + page * PAGE_SIZE, to === CLEAN);
  }
}
