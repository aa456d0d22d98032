/** Makes one translation block: decode, emit, optimise, lower. */

import { Lowerer } from "../interp/lower.ts";
import type { IrCode } from "../ir/builder.ts";
import type { OpcodeRow } from "../x86/insn.ts";
import { type CodeCache, NO_EXITS, type TranslationBlock } from "./code-cache.ts";
import { type CodeSource, IrTranslator } from "./ir-translator.ts";

const MAX_INSNS = 64;
const MAX_CODE = 65536;

export class BlockTranslator extends IrTranslator {
  readonly lowerer: Lowerer;
  /** Sees the IR of each block for the interpreter, before and after optimisation. */
  onIr: ((stage: "op" | "op_opt", ir: IrCode) => void) | undefined;
  readonly #cache: CodeCache;
  readonly #opAddress: number[] = [];

  constructor(
    buffer: SharedArrayBuffer,
    cache: CodeCache,
    rows: readonly OpcodeRow[],
    helpers: ReadonlyMap<string, number>,
    hasFeature: (feature: string) => boolean,
  ) {
    super(rows, helpers, hasFeature);
    this.lowerer = new Lowerer(buffer);
    this.#cache = cache;
  }

  /**
   * Translates the code at `source` for the mode `hflags`, at most `maxInsns` instructions. Undefined when the first
   * instruction goes on in a page that cannot be fetched; the exception is then in env.
   */
  translate(source: CodeSource, hflags: number, maxInsns = MAX_INSNS): TranslationBlock | undefined {
    const emitted = this.emitBlock(source, hflags, maxInsns);
    return emitted && this.#finish(source, hflags, emitted.insns, emitted.secondPage);
  }

  /** Leaves the block whose code holds `point` before the guest instruction there. */
  patchExit(address: number, offset: number, wide: boolean, ccOp: number): void {
    this.lowerer.patchExit(address, offset, wide, ccOp);
  }

  #finish(source: CodeSource, hflags: number, insns: number, secondPage: number): TranslationBlock {
    const { ir, length } = this;
    this.onIr?.("op", ir);
    this.optimize();
    this.onIr?.("op_opt", ir);
    const code = this.#cache.room(MAX_CODE);
    const size = this.lowerer.lower(ir, code, this.#opAddress, insns);
    // A plain array: a typed one this short takes several times as long to make.
    const points = new Array<number>(ir.insns * 2);
    for (let i = 0; i < ir.insns; i++) {
      points[i * 2] = this.#opAddress[ir.insnOp[i]] - code;
      points[i * 2 + 1] = ir.insnOffset[i] | (ir.insnCcOp[i] << 16);
    }
    const crosses = secondPage !== 0 && length > source.available;
    const block: TranslationBlock = {
      phys: source.phys,
      hflags,
      code,
      codeEnd: code + size,
      length,
      insns,
      secondPage: crosses ? secondPage : 0,
      points,
      lastInsn: ir.insnOffset[insns - 1],
      historyAt: this.lowerer.historyAt,
      incoming: NO_EXITS,
      dead: source.phys === 0,
    };
    if (source.phys !== 0) this.#cache.add(block);
    return block;
  }
}
