/** SSE conversions between floating point formats and integers. Intel SDM volume 2, CVT*. */

import {
  A,
  addFlags,
  classOf,
  DE,
  DENORMAL,
  expOf,
  F32,
  F64,
  FLAGS,
  IE,
  INFINITE,
  pack32,
  pack64,
  QNAN,
  QUIET,
  R,
  RC_ZERO,
  roundTo,
  SNAN,
  setUnpacked,
  signOf,
  sigOf,
  toInteger,
  unpack32,
  unpack64,
  unpackInt,
  ZERO,
} from "./softfloat/core";
import { commitFlags, modeOfMxcsr, RESULT } from "./sse-float";
import { destination, source } from "./sse-int";

/** R = operand A rounded to a format. */
function convert(env: u32, fmt: i32, mode: u32): void {
  const p = env + A;
  const r = env + R;
  const cls = classOf(p);
  const sign = signOf(p);
  if (cls >= QNAN) {
    if (cls === SNAN) addFlags(env, IE);
    setUnpacked(r, QNAN, sign, 0, sigOf(p) | QUIET);
  } else if (cls === ZERO || cls === INFINITE) {
    setUnpacked(r, cls, sign, 0, sigOf(p));
  } else {
    if (cls === DENORMAL) addFlags(env, DE);
    roundTo(env, sign, expOf(p), sigOf(p), 0, fmt, mode);
  }
}

function toSingle(env: u32, a: u64, mode: u32): u32 {
  unpack64(env + A, a, mode);
  convert(env, F32, mode);
  return pack32(env + R);
}

function toDouble(env: u32, a: u32, mode: u32): u64 {
  unpack32(env + A, a, mode);
  convert(env, F64, mode);
  return pack64(env + R);
}

function integerToSingle(env: u32, a: i64, mode: u32): u32 {
  unpackInt(env + A, a);
  convert(env, F32, mode);
  return pack32(env + R);
}

export function cvtss2sd(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  store<u32>(env + FLAGS, 0);
  const value = toDouble(env, load<u32>(source(env, imm)), modeOfMxcsr(env));
  commitFlags(env);
  store<u64>(destination(env, imm), value);
  return 0;
}

export function cvtsd2ss(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  store<u32>(env + FLAGS, 0);
  const value = toSingle(env, load<u64>(source(env, imm)), modeOfMxcsr(env));
  commitFlags(env);
  store<u32>(destination(env, imm), value);
  return 0;
}

export function cvtps2pd(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const s = source(env, imm);
  const d = destination(env, imm);
  const mode = modeOfMxcsr(env);
  store<u32>(env + FLAGS, 0);
  const low = toDouble(env, load<u32>(s), mode);
  const high = toDouble(env, load<u32>(s, 4), mode);
  commitFlags(env);
  store<u64>(d, low);
  store<u64>(d, high, 8);
  return 0;
}

export function cvtpd2ps(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const s = source(env, imm);
  const d = destination(env, imm);
  const mode = modeOfMxcsr(env);
  store<u32>(env + FLAGS, 0);
  const low = toSingle(env, load<u64>(s), mode);
  const high = toSingle(env, load<u64>(s, 8), mode);
  commitFlags(env);
  store<u64>(d, <u64>low | ((<u64>high) << 32));
  store<u64>(d, 0, 8);
  return 0;
}

/** CVTSI2SS: a = the integer, sign-extended. */
export function cvtsi2ss(env: u32, a: u64, _b: u64, imm: i32): u64 {
  store<u32>(env + FLAGS, 0);
  const value = integerToSingle(env, <i64>a, modeOfMxcsr(env));
  commitFlags(env);
  store<u32>(destination(env, imm), value);
  return 0;
}

export function cvtsi2sd(env: u32, a: u64, _b: u64, imm: i32): u64 {
  store<u32>(env + FLAGS, 0);
  unpackInt(env + A, <i64>a);
  convert(env, F64, modeOfMxcsr(env));
  commitFlags(env);
  store<u64>(destination(env, imm), pack64(env + R));
  return 0;
}

/** Integer of 32 or 64 bits; a denormal rounds without DE. */
function fromSingle(env: u32, a: u32, bits: i32, truncate: bool, mode: u32): i64 {
  unpack32(env + A, a, mode);
  return toInteger(env, env + A, bits, truncate ? RC_ZERO : mode & 3);
}

function fromDouble(env: u32, a: u64, bits: i32, truncate: bool, mode: u32): i64 {
  unpack64(env + A, a, mode);
  return toInteger(env, env + A, bits, truncate ? RC_ZERO : mode & 3);
}

/** CVTSS2SI, CVTTSS2SI: a = the operand's bits; imm = bits of the result, bit 8 to truncate. */
export function cvtss2si(env: u32, a: u64, _b: u64, imm: i32): u64 {
  store<u32>(env + FLAGS, 0);
  const value = fromSingle(env, <u32>a, imm & 0xff, (imm & 0x100) !== 0, modeOfMxcsr(env));
  commitFlags(env);
  return <u64>value;
}

export function cvtsd2si(env: u32, a: u64, _b: u64, imm: i32): u64 {
  store<u32>(env + FLAGS, 0);
  const value = fromDouble(env, a, imm & 0xff, (imm & 0x100) !== 0, modeOfMxcsr(env));
  commitFlags(env);
  return <u64>value;
}

/** CVTDQ2PS, CVTPI2PS: b = lanes. */
export function cvtdq2ps(env: u32, _a: u64, b: u64, imm: i32): u64 {
  const s = source(env, imm);
  const mode = modeOfMxcsr(env);
  const end = <u32>b * 4;
  store<u32>(env + FLAGS, 0);
  for (let i: u32 = 0; i < end; i += 4) {
    store<u32>(env + RESULT + i, integerToSingle(env, <i64>load<i32>(s + i), mode));
  }
  commitFlags(env);
  memory.copy(destination(env, imm), env + RESULT, end);
  return 0;
}

/** CVTDQ2PD, CVTPI2PD: always exact. */
export function cvtdq2pd(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const s = source(env, imm);
  const d = destination(env, imm);
  const low = <f64>load<i32>(s);
  const high = <f64>load<i32>(s, 4);
  store<f64>(d, low);
  store<f64>(d, high, 8);
  return 0;
}

/** CVTPS2DQ, CVTTPS2DQ and the PI forms: a = 1 to truncate, b = lanes. */
export function cvtps2dq(env: u32, a: u64, b: u64, imm: i32): u64 {
  const s = source(env, imm);
  const mode = modeOfMxcsr(env);
  const end = <u32>b * 4;
  store<u32>(env + FLAGS, 0);
  for (let i: u32 = 0; i < end; i += 4) {
    store<i32>(env + RESULT + i, <i32>fromSingle(env, load<u32>(s + i), 32, a !== 0, mode));
  }
  commitFlags(env);
  memory.copy(destination(env, imm), env + RESULT, end);
  return 0;
}

/** CVTPD2DQ, CVTTPD2DQ and the PI forms: a = 1 to truncate. The upper half becomes zero. */
export function cvtpd2dq(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const s = source(env, imm);
  const d = destination(env, imm);
  const mode = modeOfMxcsr(env);
  store<u32>(env + FLAGS, 0);
  const low = <u32>fromDouble(env, load<u64>(s), 32, a !== 0, mode);
  const high = <u32>fromDouble(env, load<u64>(s, 8), 32, a !== 0, mode);
  commitFlags(env);
  store<u64>(d, <u64>low | ((<u64>high) << 32));
  store<u64>(d, 0, 8);
  return 0;
}
