/** Near control flow: JMP, Jcc, LOOP, JCXZ, CALL, RET. */

import type { Value } from "../ir/builder.ts";
import { OP } from "../ir/ops.ts";
import type { Insn, OpcodeRow } from "../x86/insn.ts";
import { RCX, type Translator } from "./translator.ts";

type Emit = OpcodeRow["emit"];

export const jmp: Emit = (t, i) => t.jumpRelative(i.imm, i.opSize);

export const jcc =
  (code: number): Emit =>
  (t, i) =>
    t.jumpIf(t.condition(code), i.imm, i.opSize);

export const jmpIndirect: Emit = (t, i) => t.jumpIndirect(t.zext(t.readE(i), i.opSize));

/** Relative CALL: the target is checked first, so that a fault leaves the stack alone. */
export const call: Emit = (t, i) => {
  if (t.segCheck) {
    const target = t.ir.lea(32, t.nextRip(), -1, 0, i.imm);
    t.checkTarget(i.opSize === 2 ? t.ir.unary(OP.ext16u, target) : target);
  }
  t.push(t.nextRip(), i.opSize);
  t.jumpRelative(i.imm, i.opSize);
};

export const callIndirect: Emit = (t, i) => {
  const target = t.ir.temp();
  t.ir.mov(target, t.zext(t.readE(i), i.opSize));
  t.checkTarget(target);
  t.push(t.nextRip(), i.opSize);
  t.setRip(target);
  t.endLookup();
};

/** RET, RET imm16 */
export const ret: Emit = (t, i) => {
  const target = t.top(i.opSize);
  t.checkTarget(target);
  t.release(i.opSize + (i.imm & 0xffff));
  t.setRip(target);
  t.endLookup();
};

/** The count register: CX, ECX or RCX by address size, zero-extended. */
function counter(t: Translator, i: Insn): Value {
  return t.zext(t.reg(RCX), i.addrSize);
}

/** LOOP, and with a condition LOOPE and LOOPNE. */
export const loop =
  (code?: number): Emit =>
  (t, i) => {
    const { ir } = t;
    const size = i.addrSize;
    const left = ir.binary(t.op(OP.sub32, size), counter(t, i), ir.const(1));
    const more = ir.binary(OP.set_ne64, t.zext(left, size), ir.const(0));
    const go = code === undefined ? more : ir.binary(OP.and32, more, t.setOn(t.condition(code)));
    // DEVIATION: a target beyond the code segment's limit faults after the count has changed.
    t.writeReg(RCX, size, left, true);
    t.jumpIf({ condition: "ne", width: 32, a: go, b: ir.const(0) }, i.imm, i.opSize);
  };

export const jcxz: Emit = (t, i) => {
  t.jumpIf({ condition: "eq", width: 64, a: counter(t, i), b: t.ir.const(0) }, i.imm, i.opSize);
};
