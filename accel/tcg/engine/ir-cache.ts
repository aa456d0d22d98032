/**
 * The IR of blocks that regions were made of lately. Regions overlap: while Linux starts, each block is asked for seven
 * times.
 *
 * Entries are of two generations: a young one that is full takes the place of the old one. An entry holds as long as
 * the guest's bytes are the same, which are compared.
 */

import type { IrCode } from "../ir/builder.ts";
import type { CodeSource } from "./ir-translator.ts";

const GENERATION = 4096;

interface Entry {
  readonly hflags: number;
  readonly insns: number;
  readonly bytes: Uint8Array;
  readonly ir: IrCode;
}

export class IrCache {
  /** By address. */
  #young = new Map<number, Entry>();
  #old: ReadonlyMap<number, Entry> = new Map();

  find({ phys, bytes, offset, available }: CodeSource, hflags: number, insns: number): IrCode | undefined {
    let entry = this.#young.get(phys);
    if (!entry) {
      entry = this.#old.get(phys);
      if (entry) this.#put(phys, entry);
    }
    if (entry?.hflags !== hflags || entry.insns !== insns || entry.bytes.length > available) return undefined;
    for (let i = 0; i < entry.bytes.length; i++) if (bytes[offset + i] !== entry.bytes[i]) return undefined;
    return entry.ir;
  }

  /** `length` is that of the block. */
  add({ phys, bytes, offset }: CodeSource, hflags: number, insns: number, length: number, ir: IrCode): void {
    this.#put(phys, { hflags, insns, bytes: bytes.slice(offset, offset + length), ir });
  }

  #put(phys: number, entry: Entry): void {
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(phys, entry);
  }
}
