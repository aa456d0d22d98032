/** A few instructions of guest code, translated into blocks that a region can be formed of, without a machine. */

import { BlockTranslator, type CodeSource } from "../../../../accel/tcg/engine/block-translator.ts";
import { CodeCache, type TranslationBlock } from "../../../../accel/tcg/engine/code-cache.ts";
import {
  CPU_SECTION_SIZE,
  HF_CPL,
  HF_CS32,
  HF_CS64,
  HF_LMA,
  HF_OSFXSR,
  HF_PE,
  HF_SS32,
} from "../../../../accel/tcg/env.ts";
import { LOOKUP_ENTRIES, LOOKUP_ENTRY_SIZE } from "../../../../accel/tcg/interp/generate.ts";
import type { IrCode } from "../../../../accel/tcg/ir/builder.ts";
import { formRegion } from "../../../../accel/tcg/jit/form.ts";
import { makeReducible, type Region } from "../../../../accel/tcg/jit/region.ts";
import { OPCODE_ROWS } from "../../../../accel/tcg/x86/rows.ts";
import { assemble } from "../../../tools/asm.ts";

const MIB = 2 ** 20;
const PAGE = 4096;
const SECTION = CPU_SECTION_SIZE + LOOKUP_ENTRIES * LOOKUP_ENTRY_SIZE;
/** Guest code: room for two pages. */
const GUEST = SECTION + MIB;
const MAX_INSNS = 300;
const MODES = { 64: HF_CS64 | HF_LMA | HF_PE | HF_OSFXSR | HF_CPL, 32: HF_CS32 | HF_SS32 | HF_PE | HF_OSFXSR | HF_CPL };

/** Numbers helpers as they are asked for. */
export class HelperNumbers extends Map<string, number> {
  override get(name: string): number {
    const known = super.get(name);
    if (known !== undefined) return known;
    this.set(name, this.size);
    return this.size - 1;
  }

  nameOf(number: number): string {
    return [...this.keys()][number];
  }
}

class CountingCache extends CodeCache {
  readonly counts = new Map<string, number>();

  override taken(from: TranslationBlock, to: TranslationBlock): number {
    return this.counts.get(`${from.phys}>${to.phys}`) ?? 0;
  }
}

export class SmallGuest {
  readonly helpers = new HelperNumbers();
  readonly #buffer = new SharedArrayBuffer(GUEST + 2 * PAGE);
  readonly #u8 = new Uint8Array(this.#buffer);
  readonly #cache = new CountingCache(this.#buffer, 0, SECTION, MIB, () => {});
  readonly #translator: BlockTranslator;
  readonly #labels: ReadonlyMap<string, number>;
  readonly #hflags: number;
  readonly #end: number;
  readonly #targets = new Map<number, number[]>();
  /** Blocks whose code is said to have changed. */
  readonly changed = new Set<number>();

  /** `source` starts at the beginning of a page; `bits` is 64 or 32. */
  constructor(source: string, bits: 64 | 32 = 64) {
    const { bytes, labels } = assemble(`bits ${bits}\n${source}`);
    this.#u8.set(bytes, GUEST);
    this.#labels = labels;
    this.#end = bytes.length;
    this.#hflags = MODES[bits];
    this.#translator = new BlockTranslator(this.#buffer, this.#cache, OPCODE_ROWS, this.helpers, () => true);
  }

  /** Offset of a label. */
  at(label: string): number {
    const offset = this.#labels.get(label);
    if (offset === undefined) throw new RangeError(`no label '${label}'`);
    return offset;
  }

  block(label: string): TranslationBlock {
    const phys = GUEST + this.at(label);
    const known = this.#cache.find(phys, this.#hflags);
    return known ?? this.#translator.translate(this.#source(phys), this.#hflags)!;
  }

  /** Says how often the exits of one block led to another, and translates both. */
  taken(from: string, to: string, count: number): void {
    this.#cache.counts.set(`${this.block(from).phys}>${this.block(to).phys}`, count);
  }

  /** Says where a block's computed exit has led. */
  noted(from: string, ...labels: string[]): void {
    this.#targets.set(
      this.block(from).phys,
      labels.map((label) => this.block(label).phys),
    );
  }

  intermediate({ phys, hflags, insns }: TranslationBlock): IrCode | undefined {
    if (this.changed.has(phys - GUEST)) return undefined;
    return this.#translator.intermediate(this.#source(phys), hflags, insns);
  }

  region(entry: string, maxInsns = MAX_INSNS): Region | undefined {
    const block = this.block(entry);
    const region = formRegion(block, maxInsns, {
      cache: this.#cache,
      memory: this.#u8,
      intermediate: (of) => this.intermediate(of),
      locate: (delta) => (block.phys + delta < GUEST + this.#end ? block.phys + delta : undefined),
      targets: ({ phys }) => (this.#targets.get(phys) ?? []).map((target) => target - block.phys),
    });
    if (region) makeReducible(region);
    return region;
  }

  #source(phys: number): CodeSource {
    return { phys, bytes: this.#u8, offset: phys, available: PAGE - (phys % PAGE), nextPage: () => 0 };
  }
}
