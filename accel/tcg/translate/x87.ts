/**
 * Emit functions of the x87 instructions: everything is a helper call; loads and flags go through IR. The helpers' imm
 * is described at the head of assembly/x87.ts.
 */

import { ENV, HF_EM, HF_MP, HF_PE, HF_TS, HF_VM } from "../env.ts";
import { NONE, type Value } from "../ir/builder.ts";
import { OP } from "../ir/ops.ts";
import type { Insn, OpcodeRow } from "../x86/insn.ts";
import { RAX, type Translator } from "./translator.ts";

type Emit = OpcodeRow["emit"];

const NM = 7;
/** An unmasked exception is pending. */
const STATUS_ES = 0x80;
const SEGMENT_SHIFT = 11;
const KIND_SHIFT = 16;
const OP_SHIFT = 20;

/** What a memory operand is: number for imm, bytes. The 80-bit kinds are loaded by the helper. */
const KINDS = {
  m32: { number: 1, size: 4 },
  m64: { number: 2, size: 8 },
  i16: { number: 3, size: 2 },
  i32: { number: 4, size: 4 },
  i64: { number: 5, size: 8 },
  m80: { number: 6, size: 10 },
  bcd: { number: 7, size: 10 },
} as const;
export type Kind = keyof typeof KINDS;

export const POP = 1 << 24;
export const POP2 = 2 << 24;
/** The destination is ST(i), not ST(0). */
export const TO_STI = 1 << 26;
/** Quiet NaNs compare without #IA. */
export const QUIET = 1 << 27;
const EFLAGS = 1 << 28;
export const TRUNCATE = 1 << 29;
/** FSTP that only pops an empty ST(0). */
export const UNCHECKED = 1 << 30;

/** Raises #NM where CR0 asks for it. True if it did. */
function unavailable(t: Translator): boolean {
  if ((t.hflags & (HF_EM | HF_TS)) === 0) return false;
  t.raise(NM);
  return true;
}

/** Reports a pending exception: it comes before those of a memory operand. */
export function reportPending(t: Translator): void {
  const { ir } = t;
  const none = ir.label();
  ir.brIf(OP.br_tsteq32, ir.envLoad(OP.envld16u, ENV.fpStatus), ir.constU(STATUS_ES), none);
  ir.callVoid("x87Wait", NONE, NONE, 0);
  ir.bind(none);
}

/** The opcode as the x87 unit records it. */
const fop = (i: Insn): number => ((i.row.byte & 7) << 8) | i.modrm;

/** An instruction without memory operand: helper(env, a, rip, FOP and flags). */
export const register =
  (helper: string, flags = 0): Emit =>
  (t, i) => {
    if (unavailable(t)) return;
    t.ir.callVoid(helper, NONE, t.currentRip(), fop(i) | flags);
  };

/** FADD ... FDIVR: `op` is the operation as the ModRM.reg field of D8 numbers it. */
export const arithmetic = (op: number, flags = 0): Emit => register("x87Arithmetic", (op << OP_SHIFT) | flags);

export const compare = (flags: number): Emit => register("x87Compare", flags);

/** FCOMI, FUCOMI and their popping forms. */
export const compareToFlags = (flags: number): Emit => {
  const emit = compare(flags | EFLAGS);
  return (t, i) => {
    if ((t.hflags & (HF_EM | HF_TS)) === 0) t.syncCc();
    emit(t, i);
    if (!t.ended) t.flagsFromHelper();
  };
};

/** FCMOVcc with a condition code as in Jcc. */
export const conditionalMove =
  (code: number): Emit =>
  (t, i) => {
    if (unavailable(t)) return;
    t.ir.callVoid("x87ConditionalMove", t.setOn(t.condition(code)), t.currentRip(), fop(i));
  };

/** The offset and linear address of the memory operand. */
function operand(t: Translator, i: Insn, size: number, write: boolean): { offset: Value; address: Value } {
  const offset = t.ea(i);
  return { offset, address: t.segAddress(t.segmentOf(i), offset, size, write) };
}

/** helper(env, the operand or its address, rip, imm), then the operand's offset is recorded. */
const memory =
  (helper: string, kind: Kind, byAddress: boolean, write: boolean, flags: number): Emit =>
  (t, i) => {
    if (unavailable(t)) return;
    const { number, size } = KINDS[kind];
    reportPending(t);
    const { offset, address } = operand(t, i, size, write);
    const value = byAddress ? address : t.load(address, size);
    const imm = fop(i) | ((t.segmentOf(i) + 1) << SEGMENT_SHIFT) | (number << KIND_SHIFT) | flags;
    t.ir.callVoid(helper, value, t.currentRip(), imm);
    t.ir.mov(ENV.fpDp, offset);
  };

export const load = (kind: Kind): Emit => memory("x87Load", kind, kind === "m80" || kind === "bcd", false, 0);
export const store = (kind: Kind, flags = 0): Emit => memory("x87Store", kind, true, true, flags);
export const arithmeticMemory = (op: number, kind: Kind): Emit =>
  memory("x87Arithmetic", kind, false, false, op << OP_SHIFT);
export const compareMemory = (kind: Kind, flags = 0): Emit => memory("x87Compare", kind, false, false, flags);

/** FNINIT, FNCLEX */
export const control =
  (helper: string): Emit =>
  (t) => {
    if (!unavailable(t)) t.ir.callVoid(helper);
  };

export const loadControl: Emit = (t, i) => {
  if (unavailable(t)) return;
  reportPending(t);
  t.ir.callVoid("x87LoadControl", t.readE(i, 2));
};

export const storeControl: Emit = (t, i) => {
  if (unavailable(t)) return;
  t.writeE(i, t.ir.envLoad(OP.envld16u, ENV.fpControl), 2);
};

export const storeStatus: Emit = (t, i) => {
  if (unavailable(t)) return;
  const value = t.ir.call("x87StatusWord");
  if (t.isReg(i)) t.writeReg(RAX, 2, value, true);
  else t.writeE(i, value, 2);
};

/** FNSTENV, FLDENV, FNSAVE, FRSTOR: the format follows operand size and mode. */
export const environment =
  (helper: string, registers: boolean, write: boolean): Emit =>
  (t, i) => {
    if (unavailable(t)) return;
    const wide = i.opSize !== 2;
    const isProtected = (t.hflags & HF_PE) !== 0 && (t.hflags & HF_VM) === 0;
    const size = (wide ? 28 : 14) + (registers ? 80 : 0);
    if (!write) reportPending(t);
    t.ir.callVoid(helper, t.linear(i, size, write), NONE, (wide ? 1 : 0) | (isProtected ? 2 : 0));
  };

/** FWAIT */
export const wait: Emit = (t) => {
  if ((t.hflags & HF_MP) !== 0 && (t.hflags & HF_TS) !== 0) t.raise(NM);
  else t.ir.callVoid("x87Wait", NONE, NONE, 0);
};
