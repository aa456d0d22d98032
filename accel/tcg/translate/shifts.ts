/**
 * Shifts and rotates. Counts are taken modulo 32 (64 for 64-bit operands); a count of zero leaves all flags alone, and
 * rotates touch CF and OF only. OF after other counts than 1 is what the formula for 1 gives, as in hardware.
 */

import { CC_SAR, CC_SHL, ENV } from "../env.ts";
import { NONE, type Value } from "../ir/builder.ts";
import { OP } from "../ir/ops.ts";
import type { Insn, OpcodeRow } from "../x86/insn.ts";
import { RCX, sizedCc, type Translator } from "./translator.ts";

type Emit = OpcodeRow["emit"];
/** Where the count comes from. */
export type Count = "1" | "Ib" | "CL";

/** A shift count: known now, or a value already masked. */
type Amount = number | Value;
interface Masked {
  readonly known: boolean;
  readonly amount: Amount;
}

function countOf(t: Translator, i: Insn, count: Count, size: number): Masked {
  const mask = size === 8 ? 63 : 31;
  if (count === "1") return { known: true, amount: 1 };
  if (count === "Ib") return { known: true, amount: i.imm & mask };
  return { known: false, amount: t.ir.binary(OP.and32, t.reg(RCX), t.ir.const(mask)) };
}

/** Load, compute, store, flags; for registers flags come before the write. */
function update(
  t: Translator,
  i: Insn,
  size: number,
  compute: (a: Value) => Value,
  flags: (a: Value, result: Value) => void,
): void {
  if (t.isReg(i)) {
    const a = t.readE(i, size);
    const result = compute(a);
    flags(a, result);
    t.writeE(i, result, size);
    return;
  }
  const address = t.linear(i, size, true);
  const a = t.load(address, size);
  const result = compute(a);
  t.store(address, result, size);
  flags(a, result);
}

/** Sets lazy flags unless the count (a value) is zero. */
function setCcUnlessZero(t: Translator, count: Value, kind: number, size: number, dst: Value, src: Value): void {
  const { ir } = t;
  const zero = ir.const(0);
  t.syncCc();
  ir.emit(OP.sel_eq32, ENV.ccDst, count, zero, ENV.ccDst, dst);
  ir.emit(OP.sel_eq32, ENV.ccSrc, count, zero, ENV.ccSrc, src);
  ir.emit(OP.sel_eq32, ENV.ccOp, count, zero, ENV.ccOp, ir.constU(sizedCc(kind, size)));
  t.flagsUnknown();
}

type Kind = "shl" | "shr" | "sar";
const SHIFTS: Readonly<Record<Kind, number>> = { shl: OP.shl32, shr: OP.shr32, sar: OP.sar32 };

export const shift =
  (kind: Kind, byte: boolean, from: Count): Emit =>
  (t, i) => {
    const { ir } = t;
    const size = byte ? 1 : i.opSize;
    const { known, amount } = countOf(t, i, from, size);
    const op = t.op(SHIFTS[kind], size);
    const count = known ? ir.const(amount) : amount;
    const cc = kind === "shl" ? CC_SHL : CC_SAR;
    let before: Value = NONE;
    const compute = (a: Value): Value => {
      let operand = a;
      if (size < 4 && kind === "shr") operand = t.zext(a, size);
      if (size < 4 && kind === "sar") operand = ir.unary(size === 1 ? OP.ext8s32 : OP.ext16s32, a);
      if (known && amount === 0) return operand;
      if (known && amount === 1) before = operand;
      else before = ir.binary(op, operand, known ? ir.const(amount - 1) : ir.binary(OP.sub32, count, ir.const(1)));
      return ir.binary(op, operand, count);
    };
    update(t, i, size, compute, (_a, result) => {
      if (!known) setCcUnlessZero(t, count, cc, size, result, before);
      else if (amount !== 0) t.setCc(cc, size, result, before);
    });
  };

/** Bit `position` of a value. */
function bit(t: Translator, value: Value, position: number): Value {
  const { ir } = t;
  const wide = position >= 32 ? OP.shr64 : OP.shr32;
  return ir.binary(OP.and32, ir.binary(wide, value, ir.const(position)), ir.const(1));
}

/** Sets CF and OF apart; both unchanged where `count`, if given, is zero. */
function setCarryOf(t: Translator, value: Value, count: Value): void {
  if (count === NONE) t.setCarry(value);
  else t.setCarryUnlessZero(count, value);
}

export const rotate =
  (left: boolean, byte: boolean, from: Count): Emit =>
  (t, i) => {
    const { ir } = t;
    const size = byte ? 1 : i.opSize;
    const { known, amount } = countOf(t, i, from, size);
    const count = known ? ir.const(amount) : amount;
    const compute = (a: Value): Value => {
      // A byte or word repeated over 32 bits rotates like a register of its own size.
      let operand = a;
      if (size === 1) operand = ir.binary(OP.mul32, t.zext(a, 1), ir.const(0x01010101));
      if (size === 2) operand = ir.binary(OP.mul32, t.zext(a, 2), ir.const(0x00010001));
      return ir.binary(t.op(left ? OP.rotl32 : OP.rotr32, size), operand, count);
    };
    update(t, i, size, compute, (_a, result) => {
      if (known && amount === 0) return;
      // CF is the bit that came round, OF says whether it differs from the one below (of the top bit, going round).
      const bits = size === 8 ? 64 : 32;
      const pair = left
        ? ir.binary(t.op(OP.rotl32, size), result, ir.const(1))
        : ir.binary(t.op(OP.shr32, size), result, ir.const(bits - 2));
      setCarryOf(t, pair, known ? NONE : count);
    });
  };

/** The count of a rotate through carry, modulo the operand's bits plus one. */
function carryCount(t: Translator, { known, amount }: Masked, size: number): Value {
  const { ir } = t;
  if (known) return ir.const(size < 4 ? amount % (size * 8 + 1) : amount);
  if (size >= 4) return amount;
  // 57/512 is near enough to 1/9 below 32, and 31/17 is below 2.
  const ninths = ir.binary(OP.shr32, ir.binary(OP.mul32, amount, ir.const(57)), ir.const(9));
  if (size === 1) return ir.binary(OP.sub32, amount, ir.binary(OP.mul32, ninths, ir.const(9)));
  return ir.select(OP.sel_ltu32, amount, ir.const(17), amount, ir.binary(OP.sub32, amount, ir.const(17)));
}

export const rotateCarry =
  (left: boolean, byte: boolean, from: Count): Emit =>
  (t, i) => {
    const { ir } = t;
    const size = byte ? 1 : i.opSize;
    const bits = size * 8;
    const masked = countOf(t, i, from, size);
    const count = carryCount(t, masked, size);
    const zero = masked.known && ir.isConst(count) && masked.amount % (size < 4 ? bits + 1 : 64) === 0;
    let carryOut: Value = NONE;
    const compute = (a: Value): Value => {
      if (zero) return a;
      const operand = t.zext(a, size);
      const carry = t.carry();
      const rest = ir.binary(OP.sub32, ir.const(bits), count);
      const less = ir.binary(OP.sub32, count, ir.const(1));
      const one = ir.const(1);
      let result: Value;
      if (left) {
        const high = ir.binary(OP.or64, ir.binary(OP.shl64, operand, count), ir.binary(OP.shl64, carry, less));
        result = ir.binary(OP.or64, high, ir.binary(OP.shr64, ir.binary(OP.shr64, operand, one), rest));
        carryOut = ir.binary(OP.and64, ir.binary(OP.shr64, operand, rest), one);
      } else {
        const low = ir.binary(OP.or64, ir.binary(OP.shr64, operand, count), ir.binary(OP.shl64, carry, rest));
        result = ir.binary(OP.or64, low, ir.binary(OP.shl64, ir.binary(OP.shl64, operand, one), rest));
        carryOut = ir.binary(OP.and64, ir.binary(OP.shr64, operand, less), one);
      }
      return masked.known ? result : ir.select(OP.sel_eq32, count, ir.const(0), operand, result);
    };
    update(t, i, size, compute, (_a, result) => {
      if (zero) return;
      const highest = bit(t, result, bits - 1);
      const differ = left
        ? highest
        : ir.binary(OP.xor32, carryOut, ir.binary(OP.xor32, highest, bit(t, result, bits - 2)));
      const pair = ir.binary(OP.or32, ir.binary(OP.shl32, carryOut, ir.const(1)), differ);
      setCarryOf(t, pair, masked.known ? NONE : count);
    });
  };

/** SHLD and SHRD. A 16-bit operand shifted by more than 16 takes bits of itself in again, as in hardware. */
export const shiftDouble =
  (left: boolean, from: Count): Emit =>
  (t, i) => {
    const { ir } = t;
    const size = i.opSize;
    const { known, amount } = countOf(t, i, from, size);
    const count = known ? ir.const(amount) : amount;
    const less = known ? ir.const(amount - 1) : ir.binary(OP.sub32, count, ir.const(1));
    let before: Value = NONE;
    const compute = (a: Value): Value => {
      const source = t.readG(i, size);
      if (known && amount === 0) return a;
      let result: Value;
      if (size === 8) {
        const rest = ir.binary(OP.sub32, ir.const(64), count);
        const [main, other] = left ? [OP.shl64, OP.shr64] : [OP.shr64, OP.shl64];
        before = ir.binary(main, a, less);
        result = ir.binary(OP.or64, ir.binary(main, a, count), ir.binary(other, source, rest));
        return known ? result : ir.select(OP.sel_eq32, count, ir.const(0), a, result);
      }
      const low = t.zext(a, size);
      const join = (high: Value, by: number, rest: Value): Value =>
        ir.binary(OP.or64, ir.binary(OP.shl64, high, ir.const(by)), rest);
      if (size === 2) {
        const chain = join(low, 32, join(t.zext(source, 2), 16, low));
        const down = left ? ir.binary(OP.sub32, ir.const(32), count) : count;
        const downLess = left ? ir.binary(OP.sub32, ir.const(33), count) : less;
        before = ir.binary(OP.shr64, chain, downLess);
        result = ir.binary(OP.shr64, chain, down);
      } else if (left) {
        const chain = join(low, 32, t.zext(source, 4));
        before = ir.binary(OP.shr64, ir.binary(OP.shl64, chain, less), ir.const(32));
        result = ir.binary(OP.shr64, ir.binary(OP.shl64, chain, count), ir.const(32));
      } else {
        const chain = join(source, 32, low);
        before = ir.binary(OP.shr64, chain, less);
        result = ir.binary(OP.shr64, chain, count);
      }
      return result;
    };
    update(t, i, size, compute, (_a, result) => {
      if (!known) setCcUnlessZero(t, count, left ? CC_SHL : CC_SAR, size, result, before);
      else if (amount !== 0) t.setCc(left ? CC_SHL : CC_SAR, size, result, before);
    });
  };

/** SHLX, SHRX, SARX: "Gy Ey By", no flags. */
export const shiftx =
  (kind: Kind): Emit =>
  (t, i) => {
    // The shift ops take their count modulo the width themselves.
    const operand = t.readE(i);
    t.writeG(i, t.ir.binary(t.op(SHIFTS[kind], i.opSize), operand, t.reg(i.vvvv)));
  };

/** RORX */
export const rorx: Emit = (t, i) => {
  t.writeG(i, t.ir.binary(t.op(OP.rotr32, i.opSize), t.readE(i), t.ir.const(i.imm & (i.opSize * 8 - 1))));
};
