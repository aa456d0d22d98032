/** Intrinsics of integer arithmetic and flags: see assembly/integer.ts and flags.ts for what the helpers do. */

import { CC_ADCX, CC_ADD, CC_DEC, CC_EFLAGS, CC_INC, CC_LOGIC, CC_SAR, CC_SUB, ENV, regOffset } from "../env.ts";
import type { Value } from "../ir/builder.ts";
import { I32, I64 } from "./encoder.ts";
import type { Choice, Intrinsic, Site } from "./intrinsics.ts";
import { W } from "./opcodes.ts";

const DIV_S = 0x7f;
const DIV_U = 0x80;

const guarded = (result: Intrinsic["result"], slots: readonly Value[], emit: (site: Site) => void): Intrinsic => ({
  result,
  guarded: true,
  slots,
  emit,
});

/** Pushes the upper half of a product, by four products of halves. */
function mulHigh(site: Site, x: number, y: number): void {
  const { code } = site;
  const middle = site.local(I64);
  const low = (local: number): void => void code.get(local).i64(-1, 0).op(W.i64_and);
  const high = (local: number): void => void code.get(local).i64(32).op(W.i64_shr_u);
  const upper = (): void => void code.i64(32).op(W.i64_shr_u);
  high(x);
  low(y);
  code.op(W.i64_mul);
  low(x);
  low(y);
  code.op(W.i64_mul);
  upper();
  code.op(W.i64_add).set(middle);
  high(x);
  high(y);
  code.op(W.i64_mul);
  high(middle);
  code.op(W.i64_add);
  low(x);
  high(y);
  code.op(W.i64_mul);
  low(middle);
  code.op(W.i64_add);
  upper();
  code.op(W.i64_add);
}

const product = (signed: boolean): Choice => {
  return () => ({
    result: "value",
    guarded: false,
    emit: (site) => {
      const { code } = site;
      const x = site.local(I64);
      const y = site.local(I64);
      site.a().set(x);
      site.b().set(y);
      mulHigh(site, x, y);
      if (!signed) return;
      for (const [sign, other] of [
        [x, y],
        [y, x],
      ]) {
        code.get(sign).i64(63).op(W.i64_shr_s).get(other).op(W.i64_and, W.i64_sub);
      }
    },
  });
};

// ---- division: quotient for RAX, remainder for RDX

const RAX = regOffset(0);
const RDX = regOffset(2);

/** Leaves quotient and remainder of two locals. */
function divideLocals(site: Site, dividend: number, divisor: number, divide: number, narrow: boolean): void {
  const { code } = site;
  const quotient = site.local(I64);
  code.get(dividend).get(divisor).op(divide).tee(quotient);
  if (narrow) code.i64(-1, 0).op(W.i64_and);
  code.get(dividend).get(quotient).get(divisor).op(W.i64_mul, W.i64_sub);
  if (narrow) code.i64(-1, 0).op(W.i64_and);
}

/** Dividends of 128 bits whose upper half says nothing new, and of 64 bits. Whatever raises #DE takes the slow arm. */
const divideUnsigned: Choice = ({ imm }) => {
  if (imm < 4) return undefined;
  return guarded("registers", [RAX, RDX], (site) => {
    const { code } = site;
    const dividend = site.local(I64);
    const divisor = site.local(I64);
    site.a();
    if (imm === 4) code.i64(-1, 0).op(W.i64_and);
    code.set(divisor);
    if (imm === 8) {
      site.slot(RDX).get(divisor).op(W.i64_eqz, W.i64_extend_i32_u, W.i64_or, W.i64_eqz, W.i32_eqz);
      site.slowIf();
      site.slot(RAX).set(dividend);
    } else {
      site.slot(RDX).i64(-1, 0).op(W.i64_and).get(divisor).op(W.i64_ge_u);
      site.slowIf();
      site.slot(RDX).i64(32).op(W.i64_shl);
      site.slot(RAX).i64(-1, 0).op(W.i64_and, W.i64_or).set(dividend);
    }
    divideLocals(site, dividend, divisor, DIV_U, false);
  });
};

const divideSigned: Choice = ({ imm }) => {
  if (imm < 4) return undefined;
  return guarded("registers", [RAX, RDX], (site) => {
    const { code } = site;
    const dividend = site.local(I64);
    const divisor = site.local(I64);
    site.a();
    if (imm === 4) code.op(W.i64_extend32_s);
    // Division by 0 faults, by -1 overflows.
    code.tee(divisor).i64(1).op(W.i64_add).i64(2).op(W.i64_lt_u);
    site.slowIf();
    if (imm === 8) {
      site.slot(RAX).tee(dividend).i64(63).op(W.i64_shr_s);
      site.slot(RDX).op(W.i64_ne);
      site.slowIf();
    } else {
      const quotient = site.local(I64);
      site.slot(RDX).i64(32).op(W.i64_shl);
      site.slot(RAX).i64(-1, 0).op(W.i64_and, W.i64_or).tee(dividend);
      code.get(divisor).op(DIV_S).tee(quotient).get(quotient).op(W.i64_extend32_s, W.i64_ne);
      site.slowIf();
    }
    divideLocals(site, dividend, divisor, DIV_S, imm === 4);
  });
};

// ---- flags

/** Kinds of ccOp (without the size) that keep CF in bit 0 of ccSrc. */
const CARRY_IN_SOURCE = [CC_EFLAGS, CC_INC, CC_DEC, CC_SAR].reduce((set, cc) => set | (1 << (cc >> 2)), 0);

/**
 * CF for the kinds that come up most. Where ccOp is a constant on the way to here, the engine that compiles this keeps
 * one case.
 */
const computeCarry: Intrinsic = guarded("value", [ENV.ccOp, ENV.ccDst, ENV.ccSrc], (site) => {
  const { code } = site;
  const op = site.local(I32);
  const kind = site.local(I32);
  const up = site.local(I64);
  site.slot(ENV.ccOp).op(W.i32_wrap_i64).tee(op).i32(2).op(W.i32_shr_u).tee(kind);
  code
    .i32(CC_LOGIC >> 2)
    .op(W.i32_eq)
    .ifValue(I64)
    .i64(0)
    .else();
  code
    .get(kind)
    .i32(CC_ADCX >> 2)
    .op(W.i32_lt_u)
    .i32(CARRY_IN_SOURCE)
    .get(kind)
    .op(W.i32_shr_u, W.i32_and)
    .ifValue(I64);
  site.slot(ENV.ccSrc).i64(1).op(W.i64_and).else();
  code
    .get(kind)
    .i32((CC_ADD ^ CC_SUB) >> 2)
    .op(W.i32_or)
    .i32(CC_SUB >> 2)
    .op(W.i32_ne);
  site.slowIf();
  code.i64(64).i64(8).get(op).i32(3).op(W.i32_and, W.i64_extend_i32_u, W.i64_shl, W.i64_sub).set(up);
  site.slot(ENV.ccDst);
  site
    .slot(ENV.ccSrc)
    .i64(0)
    .get(kind)
    .i32(CC_SUB >> 2)
    .op(W.i32_eq, W.select, W.i64_add)
    .get(up)
    .op(W.i64_shl);
  site.slot(ENV.ccSrc).get(up).op(W.i64_shl, W.i64_lt_u, W.i64_extend_i32_u).end().end();
});

export const INTEGER_INTRINSICS: Readonly<Record<string, Choice>> = {
  mulHighUnsigned: product(false),
  mulHighSigned: product(true),
  divideUnsigned,
  divideSigned,
  computeCarry: () => computeCarry,
};
