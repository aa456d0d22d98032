/** Decodes and emits one translation block, and optimises its IR. */

import { ENV, HF_CPL, HF_CS32, HF_CS64, HF_DEBUG, HF_INHIBIT, HF_RF, HF_SEGCHECK, HF_TF } from "../env.ts";
import { IrBuilder, type IrCode, NONE } from "../ir/builder.ts";
import { OP } from "../ir/ops.ts";
import { Optimizer } from "../ir/optimize.ts";
import { Translator } from "../translate/translator.ts";
import { type CodeSize, createInsn, DECODE_GP, DECODE_MORE, DECODE_UD, Decoder } from "../x86/decoder.ts";
import { format } from "../x86/format.ts";
import type { Insn, OpcodeRow } from "../x86/insn.ts";
import { IrCache } from "./ir-cache.ts";

const MAX_INSN_LENGTH = 15;
const PAGE_SIZE = 4096;
const EXC_UD = 6;
const EXC_GP = 13;
/** Modes in which every instruction goes back to the run loop. */
const STEP_FLAGS = HF_TF | HF_DEBUG | HF_RF | HF_INHIBIT;

/** Where guest code is read from. */
export interface CodeSource {
  /** Address of the first byte in the shared memory; 0 when it lies in `bytes` only. */
  readonly phys: number;
  /** The bytes at the block's start, up to the end of the page. */
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly available: number;
  /**
   * The page that follows at the present mapping, for an instruction that goes on there: its address, which is an index
   * of `bytes` too; 0 on a fault.
   */
  nextPage(): number;
}

/** A block whose IR was emitted. */
export interface EmittedBlock {
  readonly insns: number;
  /** Address of the second page's bytes if an instruction had to be fetched from there, else 0. */
  readonly secondPage: number;
}

export class IrTranslator {
  readonly ir: IrBuilder;
  readonly #t: Translator;
  readonly #optimizer = new Optimizer();
  readonly #known = new IrCache();
  readonly #decoder: Decoder;
  readonly #insn: Insn;
  /** Every block leaves to the run loop, so that each can be logged. */
  leaveAlways = false;
  /** The machine has several CPUs, which share this thread. */
  set severalCpus(several: boolean) {
    this.#t.severalCpus = several;
  }

  readonly #straddle = new Uint8Array(MAX_INSN_LENGTH);

  /** `helpers` numbers the functions that IR calls. */
  constructor(
    rows: readonly OpcodeRow[],
    helpers: ReadonlyMap<string, number>,
    hasFeature: (feature: string) => boolean,
  ) {
    this.ir = new IrBuilder(helpers);
    this.#t = new Translator(this.ir);
    this.#decoder = new Decoder(rows, hasFeature);
    this.#insn = createInsn(rows[0]);
  }

  /** The optimised IR of a block that lies in one page and has `insns` instructions. */
  intermediate(source: CodeSource, hflags: number, insns: number): IrCode | undefined {
    const known = this.#known.find(source, hflags, insns);
    if (known) return known;
    const emitted = this.emitBlock(source, hflags, insns);
    if (!emitted || emitted.insns !== insns || emitted.secondPage !== 0) return undefined;
    this.optimize();
    const ir = this.ir.snapshot();
    this.#known.add(source, hflags, insns, this.length, ir);
    return ir;
  }

  optimize(): void {
    this.#optimizer.run(this.ir);
  }

  /** Bytes of guest code in the block that was emitted last. */
  get length(): number {
    return this.#t.insnEnd;
  }

  /** Leaves the block's IR in `ir`. Undefined when the first instruction goes on in a page that cannot be fetched. */
  emitBlock(source: CodeSource, hflags: number, maxInsns: number): EmittedBlock | undefined {
    const t = this.#t;
    const { ir } = this;
    const step = (hflags & STEP_FLAGS) !== 0;
    const limit = step ? 1 : maxInsns;
    const codeSize: CodeSize = hflags & HF_CS64 ? 64 : hflags & HF_CS32 ? 32 : 16;
    t.begin(hflags, source.phys % PAGE_SIZE);
    const limitCheck = this.#emitLimitCheck(hflags);
    let insns = 0;
    let secondPage = 0;
    while (!t.ended && insns < limit && !ir.full) {
      const at = t.insnEnd;
      let length = this.#decoder.decode(this.#insn, source.bytes, source.offset + at, source.available - at, codeSize);
      if (length === DECODE_MORE) {
        if (insns > 0) break;
        secondPage = source.nextPage();
        if (secondPage === 0) return undefined;
        length = this.#decodeStraddling(source, secondPage, codeSize);
        if (length > source.available) ir.callVoid("checkNextPage", NONE, NONE, secondPage | 0);
      }
      insns++;
      if (length <= 0) {
        t.beginInsn(1);
        if (length === DECODE_UD) t.raise(EXC_UD);
        else t.raiseZero(EXC_GP);
        break;
      }
      t.beginInsn(length);
      this.#emit(hflags);
      if (secondPage !== 0) break;
    }
    t.finish();
    if (limitCheck >= 0) ir.e[limitCheck] = t.insnEnd - 1;
    if (step || this.leaveAlways) this.#alwaysLeave();
    return { insns, secondPage };
  }

  /** The instructions in the first `length` bytes at `source`, which the guest sees at `address`, for -d in_asm. */
  disassemble(source: CodeSource, hflags: number, length: number, address: bigint): string[] {
    const codeSize: CodeSize = hflags & HF_CS64 ? 64 : hflags & HF_CS32 ? 32 : 16;
    const lines: string[] = [];
    for (let at = 0; at < length; ) {
      const size = this.#decoder.decode(this.#insn, source.bytes, source.offset + at, source.available - at, codeSize);
      const here = address + BigInt(at);
      lines.push(`0x${here.toString(16).padStart(8, "0")}:  ${size > 0 ? format(this.#insn, here) : "(bad)"}`);
      at += Math.max(size, 1);
    }
    return lines;
  }

  #emit(hflags: number): void {
    const insn = this.#insn;
    if (insn.row.privileged && (hflags & HF_CPL) !== 0) this.#t.raiseZero(EXC_GP);
    else insn.row.emit(this.#t, insn);
  }

  /** Where CS has a limit below 4 GiB the whole block must lie below it. Returns the op whose displacement is its length. */
  #emitLimitCheck(hflags: number): number {
    if ((hflags & HF_SEGCHECK) === 0 || (hflags & HF_CS64) !== 0) return -1;
    const at = this.ir.count;
    const last = this.ir.temp();
    this.ir.emit(OP.lea32, last, ENV.rip, NONE, 0, 1);
    this.ir.callVoid("checkCodeLimit", last);
    return at;
  }

  #decodeStraddling(source: CodeSource, secondPage: number, codeSize: CodeSize): number {
    const { available } = source;
    for (let i = 0; i < MAX_INSN_LENGTH; i++) {
      this.#straddle[i] = i < available ? source.bytes[source.offset + i] : source.bytes[secondPage + i - available];
    }
    const length = this.#decoder.decode(this.#insn, this.#straddle, 0, MAX_INSN_LENGTH, codeSize);
    return length === DECODE_MORE ? DECODE_GP : length;
  }

  /** In step modes every way out of the block leads to the run loop. */
  #alwaysLeave(): void {
    const { ir } = this;
    for (let i = 0; i < ir.count; i++) {
      if (ir.op[i] === OP.exit_chain || ir.op[i] === OP.exit_lookup) ir.op[i] = OP.exit_main;
    }
  }
}
