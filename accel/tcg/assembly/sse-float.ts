/**
 * SSE floating point: arithmetic, comparison, rounding. Intel SDM volume 1, chapter 11, and volume 2.
 *
 * Native arithmetic where it gives the same result and the same MXCSR: all exceptions masked, PE set already, round to
 * nearest, no flushing, operands and result normal or (exactly) zero. The soft float otherwise. Helpers work in place
 * like those of sse-int.ts; a scalar's memory operand comes in the low bytes of a vector temporary.
 */

import { EXC_UD, EXC_XM, raise } from "./fault";
import { setFlags } from "./flags";
import { ENV_CR4, ENV_MXCSR, ENV_SCRATCH } from "./generated/env";
import { CR4_OSXMMEXCPT } from "./registers";
import {
  A,
  addFlags,
  arithmetic,
  B,
  classOf,
  DE,
  DENORMAL,
  F32,
  F64,
  FLAGS,
  IE,
  MODE_DAZ,
  MODE_FTZ,
  MODE_UNMASKED,
  OP_ADD,
  OP_MUL,
  OP_SUB,
  order,
  pack32,
  pack64,
  R,
  roundToInteger,
  squareRoot,
  unpack32,
  unpack64,
} from "./softfloat/core";
import { destination, source } from "./sse-int";

/** Operations beyond those of the soft float. */
export const FP_MIN: i32 = 8;
export const FP_MAX: i32 = 9;
export const FP_SQRT: i32 = 10;

const MIN_NORMAL32: f32 = 1.1754943508222875e-38;
const MIN_NORMAL64: f64 = 2.2250738585072014e-308;

/** Results are collected here until exceptions are checked. */
export const RESULT: u32 = ENV_SCRATCH + 128;

export function modeOfMxcsr(env: u32): u32 {
  const mxcsr = load<u32>(env + ENV_MXCSR);
  return (
    ((mxcsr >> 13) & 3) |
    (((~mxcsr >> 7) & 0x3f) << MODE_UNMASKED) |
    (mxcsr & 0x8000 ? MODE_FTZ : 0) |
    (mxcsr & 0x40 ? MODE_DAZ : 0)
  );
}

/** Whether native arithmetic is exact for normal operands: everything masked, nearest, PE sticky. */
function isNative(env: u32): bool {
  return (load<u32>(env + ENV_MXCSR) & 0xffe0) === 0x1fa0;
}

/** Moves the collected exceptions to MXCSR; an unmasked one raises #XM. */
export function commitFlags(env: u32): void {
  let flags = load<u32>(env + FLAGS) & 0x3f;
  if (flags === 0) return;
  const mxcsr = load<u32>(env + ENV_MXCSR);
  const unmasked = flags & ~(mxcsr >> 7);
  // Exceptions found before the computation keep the others from being looked at.
  if (unmasked & 7) flags &= 7;
  store<u32>(env + ENV_MXCSR, mxcsr | flags);
  if (unmasked) raise(env, load<u64>(env + ENV_CR4) & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD);
}

// --- one lane: its bits T are a u32 or a u64, its number F a f32 or a f64

function isNan<T>(a: T): bool {
  if (sizeof<T>() === 4) return (<u32>a & 0x7fffffff) > 0x7f800000;
  return (<u64>a & 0x7fffffffffffffff) > 0x7ff0000000000000;
}

function quietBit<T>(): T {
  if (sizeof<T>() === 4) return <T>0x00400000;
  return <T>0x0008000000000000;
}

function isSnan<T>(a: T): bool {
  return isNan<T>(a) && !(a & quietBit<T>());
}

function unpack<T>(p: u32, a: T, mode: u32): void {
  if (sizeof<T>() === 4) unpack32(p, <u32>a, mode);
  else unpack64(p, <u64>a, mode);
}

function pack<T>(p: u32): T {
  if (sizeof<T>() === 4) return <T>pack32(p);
  return <T>pack64(p);
}

/** Denormals that count as zeros come out of MIN and MAX as zeros. */
function flushed<T>(a: T, mode: u32): T {
  if (!(mode & MODE_DAZ)) return a;
  if (sizeof<T>() === 4) return <u32>a & 0x7f800000 ? a : <T>(<u32>a & 0x80000000);
  return <u64>a & 0x7ff0000000000000 ? a : <T>(<u64>a & 0x8000000000000000);
}

/** Exactly. `a` is the destination operand; FP_SQRT looks at b only. */
function operate<T>(env: u32, op: i32, a: T, b: T, mode: u32): T {
  const pa = env + A;
  const pb = env + B;
  const format = sizeof<T>() === 4 ? F32 : F64;
  if (op === FP_SQRT) a = b;
  if (op === FP_MIN || op === FP_MAX) {
    if (isNan<T>(a) || isNan<T>(b)) {
      addFlags(env, IE);
      return flushed<T>(b, mode);
    }
  } else if (isNan<T>(a) || isNan<T>(b)) {
    if (isSnan<T>(a) || isSnan<T>(b)) addFlags(env, IE);
    return (isNan<T>(a) ? a : b) | quietBit<T>();
  }
  unpack<T>(pa, a, mode);
  unpack<T>(pb, b, mode);
  if (op === FP_SQRT) {
    squareRoot(env, pb, format, mode);
  } else if (op === FP_MIN || op === FP_MAX) {
    if (classOf(pa) === DENORMAL || classOf(pb) === DENORMAL) addFlags(env, DE);
    const result = order(pa, pb);
    return flushed<T>(op === FP_MIN ? (result < 0 ? a : b) : result > 0 ? a : b, mode);
  } else {
    arithmetic(env, pa, pb, op, format, mode);
  }
  return pack<T>(env + R);
}

function minNormal<F>(): F {
  if (sizeof<F>() === 4) return <F>MIN_NORMAL32;
  return <F>MIN_NORMAL64;
}

/** Zero or normal; infinities and NaNs show in the result. */
function isPlain<F>(a: F): bool {
  return abs<F>(a) >= minNormal<F>() || a === <F>0;
}

/** Natively; NaN (not <= Infinity) when the exact way has to be taken. */
function native<F>(op: i32, a: F, b: F): F {
  if (!isPlain<F>(b)) return <F>NaN;
  if (op === FP_SQRT) return b >= <F>0 && b < <F>Infinity ? sqrt<F>(b) : <F>NaN;
  if (!isPlain<F>(a)) return <F>NaN;
  if (op === FP_MIN) return a < b ? a : b;
  if (op === FP_MAX) return a > b ? a : b;
  const result: F = op === OP_ADD ? a + b : op === OP_SUB ? a - b : op === OP_MUL ? a * b : a / b;
  const size = abs<F>(result);
  if (size > minNormal<F>() && size < <F>Infinity) return result;
  const exact = op === OP_ADD || op === OP_SUB || a === <F>0 || (op === OP_MUL && b === <F>0);
  return result === <F>0 && exact ? result : <F>NaN;
}

// --- arithmetic

function scalar<F, T>(env: u32, op: i32, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  if (isNative(env)) {
    const result = native<F>(op, load<F>(d), load<F>(s));
    if (result <= <F>Infinity) {
      store<F>(d, result);
      return 0;
    }
  }
  store<u32>(env + FLAGS, 0);
  const result = operate<T>(env, op, load<T>(d), load<T>(s), modeOfMxcsr(env));
  commitFlags(env);
  store<T>(d, result);
  return 0;
}

/** ADDSS and kin: a = operation. */
export function fpScalar32(env: u32, a: u64, _b: u64, imm: i32): u64 {
  return scalar<f32, u32>(env, <i32>a, imm);
}

/** ADDSD and kin */
export function fpScalar64(env: u32, a: u64, _b: u64, imm: i32): u64 {
  return scalar<f64, u64>(env, <i32>a, imm);
}

/** Lanes of d and s with operation op (opOdd for odd lanes), exactly; then exceptions, then the destination. */
function exactLanes<T>(env: u32, op: i32, opOdd: i32, d: u32, s: u32, to: u32): void {
  const mode = modeOfMxcsr(env);
  const result = env + RESULT;
  const size = <u32>sizeof<T>();
  store<u32>(env + FLAGS, 0);
  for (let i: u32 = 0; i < 16; i += size) {
    store<T>(result + i, operate<T>(env, i & size ? opOdd : op, load<T>(d + i), load<T>(s + i), mode));
  }
  commitFlags(env);
  v128.store(to, v128.load(result));
}

export function fpPacked32(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  const op = <i32>a;
  if (isNative(env)) {
    const r0 = native<f32>(op, load<f32>(d), load<f32>(s));
    const r1 = native<f32>(op, load<f32>(d, 4), load<f32>(s, 4));
    const r2 = native<f32>(op, load<f32>(d, 8), load<f32>(s, 8));
    const r3 = native<f32>(op, load<f32>(d, 12), load<f32>(s, 12));
    if (r0 <= Infinity && r1 <= Infinity && r2 <= Infinity && r3 <= Infinity) {
      store<f32>(d, r0);
      store<f32>(d, r1, 4);
      store<f32>(d, r2, 8);
      store<f32>(d, r3, 12);
      return 0;
    }
  }
  exactLanes<u32>(env, op, op, d, s, d);
  return 0;
}

export function fpPacked64(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  const op = <i32>a;
  if (isNative(env)) {
    const r0 = native<f64>(op, load<f64>(d), load<f64>(s));
    const r1 = native<f64>(op, load<f64>(d, 8), load<f64>(s, 8));
    if (r0 <= Infinity && r1 <= Infinity) {
      store<f64>(d, r0);
      store<f64>(d, r1, 8);
      return 0;
    }
  }
  exactLanes<u64>(env, op, op, d, s, d);
  return 0;
}

/** ADDSUBPS, ADDSUBPD: even lanes are subtracted. */
export function addsubps(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  exactLanes<u32>(env, OP_SUB, OP_ADD, d, source(env, imm), d);
  return 0;
}

export function addsubpd(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  exactLanes<u64>(env, OP_SUB, OP_ADD, d, source(env, imm), d);
  return 0;
}

/** HADDPS, HSUBPS: a = operation on neighbours. */
export function fpHorizontal32(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  const x = v128.load(d);
  const y = v128.load(s);
  const left = env + RESULT + 16;
  const right = env + RESULT + 32;
  v128.store(left, v128.shuffle<i32>(x, y, 0, 2, 4, 6));
  v128.store(right, v128.shuffle<i32>(x, y, 1, 3, 5, 7));
  exactLanes<u32>(env, <i32>a, <i32>a, left, right, d);
  return 0;
}

export function fpHorizontal64(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  const x = v128.load(d);
  const y = v128.load(s);
  const left = env + RESULT + 16;
  const right = env + RESULT + 32;
  v128.store(left, v128.shuffle<i64>(x, y, 0, 2));
  v128.store(right, v128.shuffle<i64>(x, y, 1, 3));
  exactLanes<u64>(env, <i32>a, <i32>a, left, right, d);
  return 0;
}

/** DPPS: a = immediate: high nibble selects products, low nibble destinations. */
export function dpps(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  const mode = modeOfMxcsr(env);
  const product = env + RESULT;
  store<u32>(env + FLAGS, 0);
  for (let i: u32 = 0; i < 4; i++) {
    const on = (<u32>a >> (4 + i)) & 1;
    store<u32>(product + i * 4, on ? operate<u32>(env, OP_MUL, load<u32>(d + i * 4), load<u32>(s + i * 4), mode) : 0);
  }
  commitFlags(env);
  // Sums are made in every lane: which NaN comes out depends on the lane.
  store<u32>(env + FLAGS, 0);
  const sums = product + 16;
  for (let i: u32 = 0; i < 16; i += 4) {
    store<u32>(sums + i, operate<u32>(env, OP_ADD, load<u32>(product + (i ^ 4)), load<u32>(product + i), mode));
  }
  commitFlags(env);
  store<u32>(env + FLAGS, 0);
  for (let i: u32 = 0; i < 16; i += 4) {
    store<u32>(product + i, operate<u32>(env, OP_ADD, load<u32>(sums + i), load<u32>(sums + (i ^ 8)), mode));
  }
  commitFlags(env);
  for (let i: u32 = 0; i < 4; i++) store<u32>(d + i * 4, (<u32>a >> i) & 1 ? load<u32>(product + i * 4) : 0);
  return 0;
}

export function dppd(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  const mode = modeOfMxcsr(env);
  store<u32>(env + FLAGS, 0);
  const low = <u32>a & 16 ? operate<u64>(env, OP_MUL, load<u64>(d), load<u64>(s), mode) : 0;
  const high = <u32>a & 32 ? operate<u64>(env, OP_MUL, load<u64>(d, 8), load<u64>(s, 8), mode) : 0;
  commitFlags(env);
  store<u32>(env + FLAGS, 0);
  const sumLow = operate<u64>(env, OP_ADD, low, high, mode);
  const sumHigh = operate<u64>(env, OP_ADD, high, low, mode);
  commitFlags(env);
  store<u64>(d, <u32>a & 1 ? sumLow : 0);
  store<u64>(d, <u32>a & 2 ? sumHigh : 0, 8);
  return 0;
}

// --- comparison

const LESS: i32 = -1;
const EQUAL: i32 = 0;
const GREATER: i32 = 1;
const UNORDERED: i32 = 2;

function compare<T>(env: u32, a: T, b: T, signalling: bool, mode: u32): i32 {
  if (isNan<T>(a) || isNan<T>(b)) {
    if (signalling || isSnan<T>(a) || isSnan<T>(b)) addFlags(env, IE);
    return UNORDERED;
  }
  unpack<T>(env + A, a, mode);
  unpack<T>(env + B, b, mode);
  if (classOf(env + A) === DENORMAL || classOf(env + B) === DENORMAL) addFlags(env, DE);
  return order(env + A, env + B);
}

/** Predicates 0 to 7: EQ LT LE UNORD NEQ NLT NLE ORD. */
function holds(predicate: u32, relation: i32): bool {
  let result = false;
  const kind = predicate & 3;
  if (kind === 0) result = relation === EQUAL;
  else if (kind === 1) result = relation === LESS;
  else if (kind === 2) result = relation === LESS || relation === EQUAL;
  else result = relation === UNORDERED;
  return predicate & 4 ? !result : result;
}

/** LT, LE, NLT and NLE signal for quiet NaNs too. */
function isSignalling(predicate: u32): bool {
  return (predicate & 3) === 1 || (predicate & 3) === 2;
}

function compareLanes<T>(env: u32, predicate: u32, lanes: u32, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  const mode = modeOfMxcsr(env);
  const result = env + RESULT;
  const size = <u32>sizeof<T>();
  const end = lanes * size;
  store<u32>(env + FLAGS, 0);
  for (let i: u32 = 0; i < end; i += size) {
    const relation = compare<T>(env, load<T>(d + i), load<T>(s + i), isSignalling(predicate), mode);
    store<T>(result + i, holds(predicate, relation) ? <T>-1 : 0);
  }
  commitFlags(env);
  memory.copy(d, result, end);
  return 0;
}

/** CMPPS, CMPSS: a = predicate, b = lanes. */
export function fpCompare32(env: u32, a: u64, b: u64, imm: i32): u64 {
  return compareLanes<u32>(env, <u32>a & 7, <u32>b, imm);
}

/** CMPPD, CMPSD */
export function fpCompare64(env: u32, a: u64, b: u64, imm: i32): u64 {
  return compareLanes<u64>(env, <u32>a & 7, <u32>b, imm);
}

/** Compares the low lanes; the result goes to EFLAGS. */
function compareToFlags<T>(env: u32, signalling: bool, imm: i32): u64 {
  store<u32>(env + FLAGS, 0);
  const x = load<T>(destination(env, imm));
  const y = load<T>(source(env, imm));
  const relation = compare<T>(env, x, y, signalling, modeOfMxcsr(env));
  commitFlags(env);
  setFlags(env, relation === LESS ? 1 : relation === EQUAL ? 0x40 : relation === UNORDERED ? 0x45 : 0);
  return 0;
}

/** COMISS and (a = 1) UCOMISS. */
export function comiss(env: u32, a: u64, _b: u64, imm: i32): u64 {
  return compareToFlags<u32>(env, a === 0, imm);
}

/** COMISD and UCOMISD */
export function comisd(env: u32, a: u64, _b: u64, imm: i32): u64 {
  return compareToFlags<u64>(env, a === 0, imm);
}

// --- rounding

function round<T>(env: u32, a: T, control: u32, mode: u32): T {
  if (isNan<T>(a)) {
    if (isSnan<T>(a)) addFlags(env, IE);
    return a | quietBit<T>();
  }
  unpack<T>(env + A, a, mode);
  const flags = load<u32>(env + FLAGS);
  roundToInteger(env, env + A, control & 4 ? mode & 3 : control & 3);
  if (control & 8) store<u32>(env + FLAGS, flags);
  return pack<T>(env + R);
}

function roundLanes<T>(env: u32, control: u32, lanes: u32, imm: i32): u64 {
  const s = source(env, imm);
  const mode = modeOfMxcsr(env);
  const size = <u32>sizeof<T>();
  const end = lanes * size;
  store<u32>(env + FLAGS, 0);
  for (let i: u32 = 0; i < end; i += size) store<T>(env + RESULT + i, round<T>(env, load<T>(s + i), control, mode));
  commitFlags(env);
  memory.copy(destination(env, imm), env + RESULT, end);
  return 0;
}

/** ROUNDPS, ROUNDSS: a = immediate, b = lanes. */
export function fpRound32(env: u32, a: u64, b: u64, imm: i32): u64 {
  return roundLanes<u32>(env, <u32>a, <u32>b, imm);
}

/** ROUNDPD, ROUNDSD */
export function fpRound64(env: u32, a: u64, b: u64, imm: i32): u64 {
  return roundLanes<u64>(env, <u32>a, <u32>b, imm);
}

// --- approximations: 12 bits from the middle of an interval of 2^-11 (2^-10), as Intel's processors have them; they
// raise no exceptions and take denormals for zeros

function reciprocal(a: u32): u32 {
  const sign = a & 0x80000000;
  const exponent = <i32>(a >> 23) & 0xff;
  if (isNan<u32>(a)) return a | quietBit<u32>();
  if (exponent === 0) return sign | 0x7f800000;
  // Results below the normal range, and that of infinity, are zero.
  if (exponent >= 253) return sign;
  const index = (a >> 12) & 0x7ff;
  const divisor = 4097 + 2 * index;
  const fraction = ((1 << 26) / divisor + 1) >> 1;
  return sign | ((<u32>(253 - exponent)) << 23) | ((fraction << 11) & 0x7fffff);
}

function reciprocalRoot(a: u32): u32 {
  const sign = a & 0x80000000;
  const exponent = <i32>(a >> 23) & 0xff;
  if (isNan<u32>(a)) return a | quietBit<u32>();
  if (exponent === 0) return sign | 0x7f800000;
  if (sign) return 0xffc00000;
  if (exponent === 255) return 0;
  const half = (exponent - 127) >> 1;
  const odd = (exponent - 127) & 1;
  const middle = (1.0 + (<f64>((a >> 13) & 0x3ff) + 0.5) / 1024.0) * (odd ? 2.0 : 1.0);
  const fraction = <u32>(8192.0 / Math.sqrt(middle) + 0.5);
  return ((<u32>(126 - half)) << 23) | ((fraction << 11) & 0x7fffff);
}

/** RCPPS, RCPSS: b = lanes. */
export function rcp(env: u32, _a: u64, b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  const end = <u32>b * 4;
  for (let i: u32 = 0; i < end; i += 4) store<u32>(d + i, reciprocal(load<u32>(s + i)));
  return 0;
}

/** RSQRTPS, RSQRTSS: b = lanes. */
export function rsqrt(env: u32, _a: u64, b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  const end = <u32>b * 4;
  for (let i: u32 = 0; i < end; i += 4) store<u32>(d + i, reciprocalRoot(load<u32>(s + i)));
  return 0;
}
