/**
 * Intrinsics of SSE floating point: see assembly/sse-float.ts and sse-convert.ts for what the helpers do.
 *
 * Native arithmetic gives the right result and leaves MXCSR as it is for plain operands (zeros, normal numbers) and
 * plain results while every exception is masked, PE is set already, rounding is to nearest and nothing is flushed.
 * Comparisons and conversions need less. Everything else, NaNs above all, takes the slow arm.
 */

import { ENV } from "../env.ts";
import { type Code, F32, F64, I32, I64, V128, type ValueType } from "./encoder.ts";
import type { Choice, Intrinsic, Site } from "./intrinsics.ts";
import { F, f32, f64, shuffle, splat32, splatF32, splatF64, V } from "./intrinsics-opcodes.ts";
import { W } from "./opcodes.ts";

const ADD = 0;
const MUL = 1;
const SUB = 4;
const DIV = 6;
const MIN = 8;
const MAX = 9;
const SQRT = 10;

/** MXCSR without the sticky flags except PE, and what it has to be: all masked, PE, to nearest, no DAZ, no FTZ. */
const MXCSR_MODE = 0xffe0;
const MXCSR_NATIVE = 0x1fa0;

const guarded = (result: Intrinsic["result"], emit: (site: Site) => void): Intrinsic => ({
  result,
  guarded: true,
  emit,
});
const always = (intrinsic: Intrinsic): Choice => {
  return () => intrinsic;
};

type Operation = typeof ADD | typeof MUL | typeof SUB | typeof DIV | typeof MIN | typeof MAX | typeof SQRT;

/** What differs between the two formats. */
interface Format {
  readonly type: ValueType;
  readonly bitsType: ValueType;
  /** An element out of a vector and back, as a number and as bits. */
  readonly extract: readonly number[];
  readonly extractBits: readonly number[];
  readonly replace: readonly number[];
  readonly bitsOf: readonly number[];
  /** By operation number: of scalars, of vectors. */
  readonly scalar: Readonly<Record<number, readonly number[]>>;
  readonly packed: Readonly<Record<number, readonly number[]>>;
  readonly compare: Readonly<Record<"eq" | "lt" | "le" | "ge" | "gt", readonly number[]>>;
  readonly compareLanes: Readonly<Record<"eq" | "ne" | "lt" | "le" | "ge" | "gt", readonly number[]>>;
  readonly abs: readonly number[];
  readonly absLanes: readonly number[];
  /** By MXCSR's rounding control: nearest, down, up, to zero. */
  readonly roundLanes: readonly (readonly number[])[];
  readonly nearest: readonly number[];
  readonly allTrue: readonly number[];
  readonly number: (value: number) => number[];
  readonly splat: (value: number) => number[];
  readonly minNormal: number;
  /** The lanes of a byte shuffle that takes element 0 from the second vector. */
  readonly low: readonly number[];
  /** Writes an instruction of the integer type that holds the format. */
  constant(code: Code, low: number, high: number): void;
  readonly twice: readonly number[];
  readonly int: Readonly<Record<"sub" | "lt_u" | "ge_u", number>>;
}

const lowFromSecond = (size: number): number[] => Array.from({ length: 16 }, (_, i) => (i < size ? i + 16 : i));

const SINGLE: Format = {
  type: F32,
  bitsType: I32,
  extract: [...V.f32x4_extract_lane, 0],
  extractBits: [...V.i32x4_extract_lane, 0],
  replace: [...V.f32x4_replace_lane, 0],
  bitsOf: F.i32_reinterpret_f32,
  scalar: { [ADD]: F.f32_add, [MUL]: F.f32_mul, [SUB]: F.f32_sub, [DIV]: F.f32_div, [SQRT]: F.f32_sqrt },
  packed: { [ADD]: V.f32x4_add, [MUL]: V.f32x4_mul, [SUB]: V.f32x4_sub, [DIV]: V.f32x4_div, [SQRT]: V.f32x4_sqrt },
  compare: { eq: F.f32_eq, lt: F.f32_lt, le: F.f32_le, ge: F.f32_ge, gt: F.f32_gt },
  compareLanes: {
    eq: V.f32x4_eq,
    ne: V.f32x4_ne,
    lt: V.f32x4_lt,
    le: V.f32x4_le,
    ge: V.f32x4_ge,
    gt: V.f32x4_gt,
  },
  abs: F.f32_abs,
  absLanes: V.f32x4_abs,
  roundLanes: [V.f32x4_nearest, V.f32x4_floor, V.f32x4_ceil, V.f32x4_trunc],
  nearest: F.f32_nearest,
  allTrue: V.i32x4_all_true,
  number: f32,
  splat: splatF32,
  minNormal: 2 ** -126,
  low: lowFromSecond(4),
  constant: (code, _low, high) => void code.i32(high),
  twice: [W.i32_const, 1, W.i32_shl],
  int: { sub: W.i32_sub, lt_u: W.i32_lt_u, ge_u: W.i32_ge_u },
};

const DOUBLE: Format = {
  type: F64,
  bitsType: I64,
  extract: [...V.f64x2_extract_lane, 0],
  extractBits: [...V.i64x2_extract_lane, 0],
  replace: [...V.f64x2_replace_lane, 0],
  bitsOf: F.i64_reinterpret_f64,
  scalar: { [ADD]: F.f64_add, [MUL]: F.f64_mul, [SUB]: F.f64_sub, [DIV]: F.f64_div, [SQRT]: F.f64_sqrt },
  packed: { [ADD]: V.f64x2_add, [MUL]: V.f64x2_mul, [SUB]: V.f64x2_sub, [DIV]: V.f64x2_div, [SQRT]: V.f64x2_sqrt },
  compare: { eq: F.f64_eq, lt: F.f64_lt, le: F.f64_le, ge: F.f64_ge, gt: F.f64_gt },
  compareLanes: {
    eq: V.f64x2_eq,
    ne: V.f64x2_ne,
    lt: V.f64x2_lt,
    le: V.f64x2_le,
    ge: V.f64x2_ge,
    gt: V.f64x2_gt,
  },
  abs: F.f64_abs,
  absLanes: V.f64x2_abs,
  roundLanes: [V.f64x2_nearest, V.f64x2_floor, V.f64x2_ceil, V.f64x2_trunc],
  nearest: F.f64_nearest,
  allTrue: V.i64x2_all_true,
  number: f64,
  splat: splatF64,
  minNormal: 2 ** -1022,
  low: lowFromSecond(8),
  constant: (code, low, high) => void code.i64(low, high),
  twice: [W.i64_const, 1, W.i64_shl],
  int: { sub: W.i64_sub, lt_u: W.i64_lt_u, ge_u: W.i64_ge_u },
};

/** Pushes whether MXCSR is not as native arithmetic needs it. */
function notNative(site: Site): Code {
  return site.field(ENV.mxcsr).i32(MXCSR_MODE).op(W.i32_and).i32(MXCSR_NATIVE).op(W.i32_ne);
}

function requireNative(site: Site): void {
  notNative(site);
  site.slowIf();
}

// ---- one element

/** Pushes bits * 2 - (2 ** e * 2 + offset) for the float whose bits are on the stack; e the exponent field's value. */
function doubled(code: Code, format: Format, exponent: number, offset: number): void {
  const [low, high] = doubledBits(format, exponent, offset);
  code.op(...format.twice);
  format.constant(code, low, high);
  code.op(format.int.sub);
}

/** Twice the bits of the float with the given exponent field, plus an offset, in halves (the format takes what it needs). */
function doubledBits(format: Format, exponent: number, offset: number): [number, number] {
  const bits = (BigInt(exponent) << (format === DOUBLE ? 53n : 24n)) + BigInt(offset);
  return format === DOUBLE
    ? [Number(BigInt.asIntN(32, bits)), Number(BigInt.asIntN(32, bits >> 32n))]
    : [0, Number(BigInt.asIntN(32, bits))];
}

const maximumExponent = (format: Format): number => (format === DOUBLE ? 0x7ff : 0xff);

/** Goes to the slow arm for a denormal number, whose bits are on the stack. */
function rejectDenormal(site: Site, format: Format): void {
  const { code } = site;
  doubled(code, format, 0, 1);
  format.constant(code, ...doubledBits(format, 1, -1));
  code.op(format.int.lt_u);
  site.slowIf();
}

/** Pushes whether a number, whose bits are on the stack, is an infinity or NaN. */
function isSpecial(code: Code, format: Format): void {
  code.op(...format.twice);
  format.constant(code, ...doubledBits(format, maximumExponent(format), 0));
  code.op(format.int.ge_u);
}

/** Pushes whether a number, whose bits are on the stack, is not normal or is the smallest normal one. */
function isNotNormal(code: Code, format: Format): void {
  doubled(code, format, 1, 2);
  format.constant(code, ...doubledBits(format, maximumExponent(format) - 1, -2));
  code.op(format.int.ge_u);
}

/** Puts element 0 of both operands into locals, denormals excluded. */
function plainOperands(site: Site, format: Format): [number, number] {
  const x = site.local(format.type);
  const y = site.local(format.type);
  site
    .destination()
    .op(...format.extract)
    .set(x);
  site
    .source()
    .op(...format.extract)
    .set(y);
  site.destination().op(...format.extractBits);
  rejectDenormal(site, format);
  site.source().op(...format.extractBits);
  rejectDenormal(site, format);
  return [x, y];
}

/** Leaves the destination with element 0 replaced by a local. */
function replaceLow(site: Site, format: Format, local: number): void {
  site
    .destination()
    .get(local)
    .op(...format.replace);
}

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

// ---- all elements

/** Pushes, lane by lane, whether a vector's element is zero or normal or infinite. */
function plainLanes(code: Code, format: Format, local: number): void {
  const { compareLanes, splat } = format;
  code.get(local).op(...format.absLanes, ...splat(format.minNormal), ...compareLanes.ge);
  code.get(local).op(...splat(0), ...compareLanes.eq, ...V.v128_or);
}

/** Takes lanes of a condition and goes to the slow arm unless all of them (lane 0 alone: `single`) hold. */
function requireLanes(site: Site, format: Format, single = false): void {
  if (single) site.code.op(...V.i32x4_extract_lane, 0, W.i32_eqz);
  else site.code.op(...format.allTrue, W.i32_eqz);
  site.slowIf();
}

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

function operands(site: Site): [number, number] {
  const x = site.local(V128);
  const y = site.local(V128);
  site.destination().set(x);
  site.source().set(y);
  return [x, y];
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

// ---- conversions

/** Exact, up to `exact` in magnitude; rounded as MXCSR says beyond. */
const fromInteger = (format: Format, convert: readonly number[], bits: number): Choice =>
  always(
    guarded("vector", (site) => {
      const { code } = site;
      const number = site.local(I64);
      const result = site.local(format.type);
      const half = 2 ** bits;
      const whole = 2 * half;
      site
        .a()
        .tee(number)
        .i64(half | 0, Math.floor(half / 2 ** 32))
        .op(W.i64_add);
      code.i64(whole | 0, Math.floor(whole / 2 ** 32)).op(W.i64_gt_u);
      notNative(site).op(W.i32_and);
      site.slowIf();
      code
        .get(number)
        .op(...convert)
        .set(result);
      replaceLow(site, format, result);
    }),
  );

/** imm = bits of the result, bit 8 to truncate. */
const toInteger = (format: Format): Choice => {
  return ({ imm }) => {
    const bits = imm & 0xff;
    const double = format === DOUBLE;
    if (bits !== 32 && bits !== 64) return undefined;
    return guarded("value", (site) => {
      const { code } = site;
      const x = site.local(format.type);
      const whole = site.local(format.type);
      if (double) site.aDouble().set(x);
      else
        site
          .a()
          .op(W.i32_wrap_i64, ...F.f32_reinterpret_i32)
          .set(x);
      code
        .get(x)
        .op(...((imm & 0x100) !== 0 ? (double ? F.f64_trunc : F.f32_trunc) : format.nearest))
        .tee(whole);
      // The smallest integer takes the slow arm, too.
      code.op(...format.abs, ...format.number(2 ** (bits - 1)), ...format.compare.lt, W.i32_eqz);
      site.slowIf();
      notNative(site)
        .get(whole)
        .get(x)
        .op(...format.compare.eq, W.i32_eqz, W.i32_and);
      site.slowIf();
      code.get(whole).op(...(double ? F.i64_trunc_sat_f64_s : F.i64_trunc_sat_f32_s));
    });
  };
};

/** CVTSS2SD: exact unless the operand is a NaN or denormal. */
const widen = guarded("vector", (site) => {
  const { code } = site;
  const x = site.local(F32);
  const result = site.local(F64);
  site
    .source()
    .op(...SINGLE.extract)
    .tee(x)
    .op(...F.f32_abs, ...f32(SINGLE.minNormal), ...F.f32_ge);
  code.get(x).op(...f32(0), ...F.f32_eq, W.i32_or, W.i32_eqz);
  site.slowIf();
  code
    .get(x)
    .op(...F.f64_promote_f32)
    .set(result);
  replaceLow(site, DOUBLE, result);
});

const widenLanes = guarded("vector", (site) => {
  const { code } = site;
  const x = site.local(V128);
  // The upper two elements do not count.
  site
    .source()
    .op(...splat32(0), ...shuffle([0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]))
    .set(x);
  plainLanes(code, SINGLE, x);
  requireLanes(site, SINGLE);
  code.get(x).op(...V.f64x2_promote_low_f32x4);
});

/** CVTSD2SS: normal results, and zeros of zeros. */
const narrow = guarded("vector", (site) => {
  const { code } = site;
  const x = site.local(F64);
  const result = site.local(F32);
  requireNative(site);
  site
    .source()
    .op(...DOUBLE.extract)
    .tee(x)
    .op(...F.f32_demote_f64)
    .tee(result)
    .op(...F.i32_reinterpret_f32);
  isNotNormal(code, SINGLE);
  code.get(x).op(...f64(0), ...F.f64_ne, W.i32_and);
  site.slowIf();
  replaceLow(site, SINGLE, result);
});

const narrowLanes = guarded("vector", (site) => {
  const { code } = site;
  const x = site.local(V128);
  const wide = site.local(V128);
  const result = site.local(V128);
  requireNative(site);
  site
    .source()
    .tee(x)
    .op(...V.f32x4_demote_f64x2_zero)
    .tee(result)
    .op(...V.f64x2_promote_low_f32x4)
    .set(wide);
  code.get(wide).op(...V.f64x2_abs, ...splatF64(SINGLE.minNormal), ...V.f64x2_gt);
  code.get(wide).op(...V.f64x2_abs, ...splatF64(Infinity), ...V.f64x2_lt, ...V.v128_and);
  code.get(x).op(...splatF64(0), ...V.f64x2_eq, ...V.v128_or);
  requireLanes(site, DOUBLE);
  code.get(result);
});

/** CVTDQ2PD: always exact. */
const integersToDouble: Intrinsic = {
  result: "vector",
  guarded: false,
  emit: (site) => void site.source().op(...V.f64x2_convert_low_i32x4_s),
};

const LOW_HALF_FROM_SECOND = shuffle(lowFromSecond(8));

/** b = lanes. */
const integersToSingle: Choice = ({ b }) =>
  b !== 4 && b !== 2
    ? undefined
    : guarded("vector", (site) => {
        requireNative(site);
        if (b === 2) site.destination();
        site.source().op(...V.f32x4_convert_i32x4_s);
        if (b === 2) site.code.op(...LOW_HALF_FROM_SECOND);
      });

/** a = 1 to truncate. The smallest integer takes the slow arm. */
const toIntegers = (format: Format, convert: readonly number[]): Choice => {
  return ({ a, b }) => {
    if (a === undefined || (format === SINGLE && b !== 4)) return undefined;
    return guarded("vector", (site) => {
      const { code } = site;
      const whole = site.local(V128);
      requireNative(site);
      site
        .source()
        .op(...format.roundLanes[a === 0 ? 0 : 3])
        .tee(whole);
      code.op(...format.absLanes, ...format.splat(2 ** 31), ...format.compareLanes.lt);
      requireLanes(site, format);
      code.get(whole).op(...convert);
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
  cvtsi2ss: fromInteger(SINGLE, F.f32_convert_i64_s, 24),
  cvtsi2sd: fromInteger(DOUBLE, F.f64_convert_i64_s, 53),
  cvtss2si: toInteger(SINGLE),
  cvtsd2si: toInteger(DOUBLE),
  cvtss2sd: always(widen),
  cvtsd2ss: always(narrow),
  cvtps2pd: always(widenLanes),
  cvtpd2ps: always(narrowLanes),
  cvtdq2pd: always(integersToDouble),
  cvtdq2ps: integersToSingle,
  cvtps2dq: toIntegers(SINGLE, V.i32x4_trunc_sat_f32x4_s),
  cvtpd2dq: toIntegers(DOUBLE, V.i32x4_trunc_sat_f64x2_s_zero),
};
