/**
 * A decoded instruction and the rows of the opcode tables. Operand notation is that of the Intel SDM, volume 2,
 * appendix A: an addressing-method letter and an operand type ("Ev", "Gv", "Ib", "Wdq").
 */

import type { Feature } from "../../x86/features.ts";
import type { Translator } from "../translate/translator.ts";

/** Opcode maps: one-byte, 0F, 0F 38, 0F 3A. */
export type OpcodeMap = 0 | 1 | 2 | 3;

export interface OpcodeRow {
  readonly map: OpcodeMap;
  readonly byte: number;
  /** Mandatory prefix; undefined when prefixes do not select the instruction. */
  readonly prefix?: "none" | "66" | "f3" | "f2";
  /** ModRM.reg as opcode extension. */
  readonly reg?: number;
  readonly mod?: "mem" | "reg";
  /** ModRM.rm as opcode extension (with mod "reg"). */
  readonly rm?: number;
  /** Only in 64-bit mode, or only outside it. */
  readonly mode?: "64" | "not64";
  /** VEX-encoded only; L and W when they matter. A row without `vex` is #UD under a VEX prefix. */
  readonly vex?: { readonly l?: 0 | 1; readonly w?: 0 | 1 };
  /** REX.W as part of the opcode. */
  readonly w?: 0 | 1;
  readonly name: string;
  /** Blank-separated operands, destination first, e.g. "Ev Gv". Empty for none. */
  readonly operands: string;
  readonly feature?: Feature;
  /** LOCK is allowed (with a memory destination). */
  readonly lock?: boolean;
  /** Operand size is 64 bits in 64-bit mode without REX.W: "d64" (66 still gives 16), "f64" (66 is ignored). */
  readonly size64?: "d64" | "f64";
  /** #GP outside ring 0. */
  readonly privileged?: boolean;
  /** Emits the IR of one instruction. */
  readonly emit: (t: Translator, i: Insn) => void;
}

/** One decoded instruction. The decoder reuses a single object: copy what must outlive the next call. */
export interface Insn {
  row: OpcodeRow;
  /** Bytes, 1 to 15. */
  length: number;
  /** Last of F2/F3 seen: 0, 0xf2 or 0xf3. */
  rep: number;
  lock: boolean;
  /** 66 seen. */
  prefix66: boolean;
  /** Segment override: 0..5 as ES CS SS DS FS GS, or -1. */
  segment: number;
  /** A REX prefix was present (SPL, BPL, SIL, DIL instead of AH..BH). */
  rex: boolean;
  rexW: boolean;
  /** Effective operand size in bytes: 2, 4 or 8. */
  opSize: number;
  /** Effective address size in bytes: 2, 4 or 8. */
  addrSize: number;
  /** Raw ModRM byte, or -1. */
  modrm: number;
  mod: number;
  /** ModRM.reg with REX.R / VEX.R. */
  reg: number;
  /** ModRM.rm with REX.B / VEX.B; or the register in the low three opcode bits with REX.B. */
  rm: number;
  /** Memory operand: base register or -1; BASE_RIP for RIP-relative (disp counts from the instruction's end). */
  base: number;
  index: number;
  /** Shift count 0 to 3. */
  scale: number;
  /** Sign-extended displacement (moffs: low 32 bits). */
  disp: number;
  /** Upper half of a 64-bit moffs or sign of disp. */
  dispHigh: number;
  /** Immediate, sign-extended to 64 bits as two int32. */
  imm: number;
  immHigh: number;
  /** Second immediate (ENTER, far pointers: selector). */
  imm2: number;
  vex: boolean;
  vexL: number;
  /** Register in VEX.vvvv. */
  vvvv: number;
}

export const BASE_RIP = 16;
