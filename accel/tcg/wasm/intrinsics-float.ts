/**
 * Intrinsics of SSE floating point: see assembly/sse-float.ts for what the helpers do.
 *
 * Native arithmetic gives the right result and leaves MXCSR as it is for plain operands (zeros, normal numbers) and
 * plain results while every exception is masked, PE is set already, rounding is to nearest and nothing is flushed.
 * Comparisons and conversions need less. Everything else, NaNs above all, takes the slow arm.
 */

import { I32, V128 } from "./encoder.ts";
import type { Choice, Intrinsic, Site } from "./intrinsics.ts";
import {
  ADD,
  always,
  DIV,
  DOUBLE,
  type Format,
  guarded,
  isNotNormal,
  isSpecial,
  MAX,
  MIN,
  MUL,
  notNative,
  type Operation,
  operands,
  plainLanes,
  plainOperands,
  replaceLow,
  requireLanes,
  requireNative,
  SINGLE,
  SQRT,
  SUB,
} from "./intrinsics-format.ts";
import { shuffle, splat32, V } from "./intrinsics-opcodes.ts";
import { W } from "./opcodes.ts";

/** ADD, SUB: sums of plain numbers are exact when they are tiny. MUL, DIV: only a zero operand makes an exact zero. */
const scalarArithmetic = (format: Format, operation: Operation): Intrinsic =>
  guarded("vector", (site) => {
    const { code } = site;
    const { compare } = format;
    requireNative(site);
    const [x, y] = plainOperands(site, format);
    const result = site.local(format.type);
    code
      .get(x)
      .get(y)
      .op(...format.scalar[operation])
      .tee(result)
      .op(...format.bitsOf);
    if (operation === ADD || operation === SUB) {
      isSpecial(code, format);
      site.slowIf();
    } else {
      isNotNormal(code, format);
      code.if();
      const zero = format.number(0);
      code.get(result).op(...zero, ...compare.eq);
      code.get(x).op(...zero, ...compare.eq);
      if (operation === MUL) code.get(y).op(...zero, ...compare.eq, W.i32_or);
      code.op(W.i32_and, W.i32_eqz);
      site.slowIf();
      code.end();
    }
    replaceLow(site, format, result);
  });

const scalarRoot = (format: Format): Intrinsic =>
  guarded("vector", (site) => {
    const { code } = site;
    const x = site.local(format.type);
    requireNative(site);
    site
      .source()
      .op(...format.extract)
      .tee(x)
      .op(...format.number(format.minNormal), ...format.compare.ge);
    code.get(x).op(...format.number(Infinity), ...format.compare.lt, W.i32_and);
    code.get(x).op(...format.number(0), ...format.compare.eq, W.i32_or, W.i32_eqz);
    site.slowIf();
    code
      .get(x)
      .op(...format.scalar[SQRT])
      .set(x);
    replaceLow(site, format, x);
  });

/** The first operand if it is strictly the smaller (greater) one, else the second. */
const scalarChoice = (format: Format, comparison: "lt" | "gt"): Intrinsic =>
  guarded("vector", (site) => {
    const { code } = site;
    const [x, y] = plainOperands(site, format);
    code
      .get(x)
      .get(y)
      .op(...format.compare.lt)
      .get(x)
      .get(y)
      .op(...format.compare.ge, W.i32_or, W.i32_eqz);
    site.slowIf();
    code
      .get(x)
      .get(y)
      .get(x)
      .get(y)
      .op(...format.compare[comparison], W.select)
      .set(x);
    replaceLow(site, format, x);
  });

const scalar = (format: Format): Choice => {
  return ({ a }) => {
    if (a === SQRT) return scalarRoot(format);
    if (a === MIN || a === MAX) return scalarChoice(format, a === MIN ? "lt" : "gt");
    if (a === ADD || a === SUB || a === MUL || a === DIV) return scalarArithmetic(format, a);
    return undefined;
  };
};

/** COMISS and kin, quiet or not: without NaNs and denormals no exception is raised. */
const compareFlags = (format: Format): Choice =>
  always(
    guarded("flags", (site) => {
      const { code } = site;
      const { compare } = format;
      const [x, y] = plainOperands(site, format);
      const less = site.local(I32);
      const equal = site.local(I32);
      code
        .get(x)
        .get(y)
        .op(...compare.lt)
        .tee(less);
      code
        .get(x)
        .get(y)
        .op(...compare.eq)
        .tee(equal)
        .op(W.i32_or);
      code
        .get(x)
        .get(y)
        .op(...compare.gt, W.i32_or, W.i32_eqz);
      site.slowIf();
      code.get(equal).i32(6).op(W.i32_shl).get(less).op(W.i32_or, W.i64_extend_i32_u);
    }),
  );

/** Leaves operation(x, y), elements of odd lanes by `odd`. */
function lanesArithmetic(
  site: Site,
  format: Format,
  operation: Operation,
  x: number,
  y: number,
  odd = operation,
): void {
  const { code } = site;
  const { compareLanes, splat } = format;
  const result = site.local(V128);
  requireNative(site);
  code
    .get(x)
    .get(y)
    .op(...format.packed[operation]);
  if (odd !== operation) {
    const size = format === DOUBLE ? 8 : 4;
    code
      .get(x)
      .get(y)
      .op(...format.packed[odd]);
    code.op(...shuffle(Array.from({ length: 16 }, (_, i) => i + (i & size ? 16 : 0))));
  }
  code.set(result);
  plainLanes(code, format, x);
  plainLanes(code, format, y);
  code.op(...V.v128_and);
  code.get(result).op(...format.absLanes, ...splat(Infinity), ...compareLanes.lt, ...V.v128_and);
  if (operation === MUL || operation === DIV) {
    code.get(result).op(...format.absLanes, ...splat(format.minNormal), ...compareLanes.gt);
    code.get(x).op(...splat(0), ...compareLanes.eq);
    if (operation === MUL) code.get(y).op(...splat(0), ...compareLanes.eq, ...V.v128_or);
    code.op(...V.v128_or, ...V.v128_and);
  }
  requireLanes(site, format);
  code.get(result);
}

const lanesRoot = (format: Format): Intrinsic =>
  guarded("vector", (site) => {
    const { code } = site;
    const { compareLanes, splat } = format;
    const x = site.local(V128);
    requireNative(site);
    site
      .source()
      .tee(x)
      .op(...splat(format.minNormal), ...compareLanes.ge);
    code.get(x).op(...splat(Infinity), ...compareLanes.lt, ...V.v128_and);
    code.get(x).op(...splat(0), ...compareLanes.eq, ...V.v128_or);
    requireLanes(site, format);
    code.get(x).op(...format.packed[SQRT]);
  });

const lanesChoice = (format: Format, comparison: "lt" | "gt"): Intrinsic =>
  guarded("vector", (site) => {
    const { code } = site;
    const [x, y] = operands(site);
    plainLanes(code, format, x);
    plainLanes(code, format, y);
    code.op(...V.v128_and);
    requireLanes(site, format);
    code
      .get(x)
      .get(y)
      .get(x)
      .get(y)
      .op(...format.compareLanes[comparison], ...V.v128_bitselect);
  });

const packed = (format: Format): Choice => {
  return ({ a }) => {
    if (a === SQRT) return lanesRoot(format);
    if (a === MIN || a === MAX) return lanesChoice(format, a === MIN ? "lt" : "gt");
    if (a !== ADD && a !== SUB && a !== MUL && a !== DIV) return undefined;
    return guarded("vector", (site) => lanesArithmetic(site, format, a, ...operands(site)));
  };
};

/** Even lanes are subtracted, odd ones added. */
const addSubtract = (format: Format): Choice =>
  always(guarded("vector", (site) => lanesArithmetic(site, format, SUB, ...operands(site), ADD)));

/** Neighbours are added or subtracted. */
const horizontal = (format: Format): Choice => {
  const size = format === DOUBLE ? 8 : 4;
  const pick = (odd: number): number[] =>
    shuffle(Array.from({ length: 16 }, (_, i) => Math.floor(i / size) * 2 * size + odd * size + (i % size)));
  return ({ a }) => {
    if (a !== ADD && a !== SUB) return undefined;
    return guarded("vector", (site) => {
      const { code } = site;
      const [x, y] = operands(site);
      const left = site.local(V128);
      code
        .get(x)
        .get(y)
        .op(...pick(0))
        .set(left);
      code
        .get(x)
        .get(y)
        .op(...pick(1))
        .set(y);
      lanesArithmetic(site, format, a, left, y);
    });
  };
};

/** Predicates EQ LT LE UNORD, then their opposites, of operands that are in order. */
const PREDICATES = ["eq", "lt", "le", undefined, "ne", "ge", "gt", undefined] as const;

/** a = predicate, b = lanes. */
const compareMask = (format: Format): Choice => {
  return ({ a, b }) => {
    if (a === undefined || b === undefined || a > 7) return undefined;
    const comparison = PREDICATES[a];
    return guarded("vector", (site) => {
      const { code } = site;
      const [x, y] = operands(site);
      plainLanes(code, format, x);
      plainLanes(code, format, y);
      code.op(...V.v128_and);
      requireLanes(site, format, b === 1);
      if (b === 1) code.get(x);
      if (comparison)
        code
          .get(x)
          .get(y)
          .op(...format.compareLanes[comparison]);
      else code.op(...splat32(a === 7 ? 0xffffffff : 0));
      if (b === 1) code.op(...shuffle(format.low));
    });
  };
};

/** a = rounding: bits 0-1 how, bit 2 as MXCSR says, bit 3 without PE; b = lanes. */
const round = (format: Format): Choice => {
  return ({ a, b }) => {
    if (a === undefined || b === undefined || a > 15) return undefined;
    const how = a & 4 ? 0 : a & 3;
    return guarded("vector", (site) => {
      const { code } = site;
      const x = site.local(V128);
      const result = site.local(V128);
      site.source().set(x);
      plainLanes(code, format, x);
      requireLanes(site, format, b === 1);
      code
        .get(x)
        .op(...format.roundLanes[how])
        .set(result);
      if (a !== 8 + how) {
        // Whole numbers stay what they are, whatever MXCSR says.
        notNative(site)
          .get(x)
          .get(result)
          .op(...format.compareLanes.eq);
        if (b === 1) code.op(...V.i32x4_extract_lane, 0);
        else code.op(...format.allTrue);
        code.op(W.i32_eqz, W.i32_and);
        site.slowIf();
      }
      if (b === 1) site.destination();
      code.get(result);
      if (b === 1) code.op(...shuffle(format.low));
    });
  };
};

export const FLOAT_INTRINSICS: Readonly<Record<string, Choice>> = {
  fpScalar32: scalar(SINGLE),
  fpScalar64: scalar(DOUBLE),
  fpPacked32: packed(SINGLE),
  fpPacked64: packed(DOUBLE),
  addsubps: addSubtract(SINGLE),
  addsubpd: addSubtract(DOUBLE),
  fpHorizontal32: horizontal(SINGLE),
  fpHorizontal64: horizontal(DOUBLE),
  fpCompare32: compareMask(SINGLE),
  fpCompare64: compareMask(DOUBLE),
  fpRound32: round(SINGLE),
  fpRound64: round(DOUBLE),
  comiss: compareFlags(SINGLE),
  comisd: compareFlags(DOUBLE),
};
