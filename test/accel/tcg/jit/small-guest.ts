/** A few instructions of guest code, translated into blocks that a region can be formed of, without a machine. */

import { BlockTranslator } from "../../../../accel/tcg/engine/block-translator.ts";
import { CodeCache, type TranslationBlock } from "../../../../accel/tcg/engine/code-cache.ts";
import { type HelperHost, type Helpers, loadHelpers } from "../../../../accel/tcg/engine/helpers.ts";
import type { CodeSource } from "../../../../accel/tcg/engine/ir-translator.ts";
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
import { LOOKUP_SECTION_SIZE } from "../../../../accel/tcg/interp/generate.ts";
import { buildRegion } from "../../../../accel/tcg/jit/build.ts";
import { formRegion, type RegionPlan } from "../../../../accel/tcg/jit/form.ts";
import type { Region } from "../../../../accel/tcg/jit/region.ts";
import { OPCODE_ROWS } from "../../../../accel/tcg/x86/rows.ts";
import { GuestMemory } from "../../../../core/memory/guest-memory.ts";
import { assemble } from "../../../tools/asm.ts";

const MIB = 2 ** 20;
const PAGE = 4096;
const MAX_INSNS = 300;
const MODES = { 64: HF_CS64 | HF_LMA | HF_PE | HF_OSFXSR | HF_CPL, 32: HF_CS32 | HF_SS32 | HF_PE | HF_OSFXSR | HF_CPL };

class CountingCache extends CodeCache {
  readonly counts = new Map<string, number>();

  override taken(from: TranslationBlock, to: TranslationBlock): number {
    return this.counts.get(`${from.phys}>${to.phys}`) ?? 0;
  }

  override linked(from: TranslationBlock, to: TranslationBlock): boolean {
    return this.taken(from, to) > 0;
  }
}

const unreachable = (): never => {
  throw new Error("no code is run");
};
const HOST: HelperHost = {
  throwFault: unreachable,
  mmioRead: unreachable,
  mmioWrite: unreachable,
  notifyWrite: unreachable,
  runsCode: unreachable,
  portIn: unreachable,
  portOut: unreachable,
  readTpr: unreachable,
  writeTpr: unreachable,
  readTsc: unreachable,
  random: unreachable,
  readMsr: unreachable,
  writeMsr: unreachable,
  cpuid: unreachable,
  ferr: unreachable,
  smmChanged: unreachable,
};

export class SmallGuest {
  readonly memory: GuestMemory;
  readonly helpers: Helpers;
  /** Address of env. */
  readonly env: number;
  readonly #guest: number;
  readonly #cache: CountingCache;
  readonly #translator: BlockTranslator;
  readonly #labels: ReadonlyMap<string, number>;
  readonly #hflags: number;
  readonly #end: number;
  readonly #targets = new Map<number, number[]>();
  /** Sizes of regions that are said to begin with blocks, by the blocks' addresses. */
  readonly regions = new Map<number, number>();

  private constructor(memory: GuestMemory, helpers: Helpers, source: string, bits: 64 | 32) {
    this.memory = memory;
    this.helpers = helpers;
    this.env = memory.reserve("env", CPU_SECTION_SIZE, PAGE);
    const lookup = memory.reserve("lookup", LOOKUP_SECTION_SIZE, PAGE);
    const code = memory.reserve("code", MIB, PAGE);
    this.#guest = memory.reserve("guest", 2 * PAGE, PAGE);
    const { bytes, labels } = assemble(`bits ${bits}\n${source}`);
    memory.u8.set(bytes, this.#guest);
    this.#labels = labels;
    this.#end = this.#guest + bytes.length;
    this.#hflags = MODES[bits];
    this.#cache = new CountingCache(memory.buffer, lookup, code, MIB, () => {});
    this.#translator = new BlockTranslator(memory.buffer, this.#cache, OPCODE_ROWS, helpers.numbers, () => true);
  }

  /** `source` starts at the beginning of a page; `bits` is 64 or 32. */
  static async create(source: string, bits: 64 | 32 = 64): Promise<SmallGuest> {
    const memory = GuestMemory.create({ reserved: CPU_SECTION_SIZE + LOOKUP_SECTION_SIZE + 8 * MIB, ram: MIB });
    return new SmallGuest(memory, await loadHelpers(memory.memory, HOST), source, bits);
  }

  /** Offset of a label. */
  at(label: string): number {
    const offset = this.#labels.get(label);
    if (offset === undefined) throw new RangeError(`no label '${label}'`);
    return offset;
  }

  block(label: string): TranslationBlock {
    const phys = this.#guest + this.at(label);
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

  plan(entry: string, maxInsns = MAX_INSNS): RegionPlan | undefined {
    const block = this.block(entry);
    return formRegion(block, maxInsns, {
      cache: this.#cache,
      memory: this.memory.u8,
      locate: (delta) => (block.phys + delta < this.#end ? block.phys + delta : undefined),
      regionInsns: ({ phys }) => this.regions.get(phys) ?? 0,
      targets: ({ phys }) => (this.#targets.get(phys) ?? []).map((target) => target - block.phys),
    });
  }

  region(entry: string, maxInsns = MAX_INSNS): Region | undefined {
    const plan = this.plan(entry, maxInsns);
    return plan && buildRegion(plan, this.#translator);
  }

  #source(phys: number): CodeSource {
    return { phys, bytes: this.memory.u8, offset: phys, available: PAGE - (phys % PAGE), nextPage: () => 0 };
  }
}
