/** What intrinsics of floating point share: the two formats, and tests for what native arithmetic does exactly. */

import { ENV } from "../env.ts";
import { type Code, F32, F64, V128, type ValueType } from "./encoder.ts";
import type { Choice, Intrinsic, Site } from "./intrinsics.ts";
import { F, f32, f64, splatF32, splatF64, V } from "./intrinsics-opcodes.ts";
import { W } from "./opcodes.ts";

/** Operation numbers of the helpers. */
export const ADD = 0;
export const MUL = 1;
export const SUB = 4;
export const DIV = 6;
export const MIN = 8;
export const MAX = 9;
export const SQRT = 10;

/** MXCSR without the sticky flags except PE, and what it has to be: all masked, PE, to nearest, no DAZ, no FTZ. */
const MXCSR_MODE = 0xffe0;
const MXCSR_NATIVE = 0x1fa0;

export const guarded = (result: Intrinsic["result"], emit: (site: Site) => void): Intrinsic => ({
  result,
  guarded: true,
  emit,
});
export const always = (intrinsic: Intrinsic): Choice => {
  return () => intrinsic;
};

export type Operation = typeof ADD | typeof MUL | typeof SUB | typeof DIV | typeof MIN | typeof MAX | typeof SQRT;

/** What differs between the two formats. */
export interface Format {
  readonly type: ValueType;
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

export const lowFromSecond = (size: number): number[] => Array.from({ length: 16 }, (_, i) => (i < size ? i + 16 : i));

export const SINGLE: Format = {
  type: F32,
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

export const DOUBLE: Format = {
  type: F64,
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
export function notNative(site: Site): Code {
  return site.field(ENV.mxcsr).i32(MXCSR_MODE).op(W.i32_and).i32(MXCSR_NATIVE).op(W.i32_ne);
}

export function requireNative(site: Site): void {
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
export function rejectDenormal(site: Site, format: Format): void {
  const { code } = site;
  doubled(code, format, 0, 1);
  format.constant(code, ...doubledBits(format, 1, -1));
  code.op(format.int.lt_u);
  site.slowIf();
}

/** Pushes whether a number, whose bits are on the stack, is an infinity or NaN. */
export function isSpecial(code: Code, format: Format): void {
  code.op(...format.twice);
  format.constant(code, ...doubledBits(format, maximumExponent(format), 0));
  code.op(format.int.ge_u);
}

/** Pushes whether a number, whose bits are on the stack, is not normal or is the smallest normal one. */
export function isNotNormal(code: Code, format: Format): void {
  doubled(code, format, 1, 2);
  format.constant(code, ...doubledBits(format, maximumExponent(format) - 1, -2));
  code.op(format.int.ge_u);
}

/** Puts element 0 of both operands into locals, denormals excluded. */
export function plainOperands(site: Site, format: Format): [number, number] {
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
export function replaceLow(site: Site, format: Format, local: number): void {
  site
    .destination()
    .get(local)
    .op(...format.replace);
}

// ---- all elements

/** Pushes, lane by lane, whether a vector's element is zero or normal or infinite. */
export function plainLanes(code: Code, format: Format, local: number): void {
  const { compareLanes, splat } = format;
  code.get(local).op(...format.absLanes, ...splat(format.minNormal), ...compareLanes.ge);
  code.get(local).op(...splat(0), ...compareLanes.eq, ...V.v128_or);
}

/** Takes lanes of a condition and goes to the slow arm unless all of them (lane 0 alone: `single`) hold. */
export function requireLanes(site: Site, format: Format, single = false): void {
  if (single) site.code.op(...V.i32x4_extract_lane, 0, W.i32_eqz);
  else site.code.op(...format.allTrue, W.i32_eqz);
  site.slowIf();
}

export function operands(site: Site): [number, number] {
  const x = site.local(V128);
  const y = site.local(V128);
  site.destination().set(x);
  site.source().set(y);
  return [x, y];
}
