/**
 * The transcendental x87 instructions: Intel SDM volume 1, section 8.3.6, and volume 2 for the special cases.
 *
 * Series in 128-bit fixed point, so that results are within one unit in the last place of the 64-bit significand.
 * Arguments of the trigonometric functions are reduced with a pi of 66 bits, as the hardware does.
 *
 * A wide number lives in scratch memory: significand high u64 (+0) and low u64 (+8), bit 127 set, exponent i32 (+16):
 * significand / 2^127 * 2^exponent. Sums and constants are fixed point with 126 bits after the point.
 */

import { ENV_FP_CONTROL, ENV_FP_STATUS, ENV_SCRATCH } from "./generated/env";
import {
  A,
  addFlags,
  B,
  classOf,
  DE,
  DENORMAL,
  expOf,
  F80,
  FLAGS,
  IE,
  INFINITE,
  invalid,
  mulHigh,
  NORMAL,
  PE,
  R,
  roundTo,
  setUnpacked,
  signOf,
  sigOf,
  TOP_BIT,
  ZE,
  ZERO,
} from "./softfloat/core";
import {
  begin,
  commit,
  isEmpty,
  modeOf,
  nanResult,
  nanResult1,
  overflow,
  pop,
  push,
  SW_C2,
  setEmpty,
  st,
  storeIndefinite,
  storeResult,
  underflow,
  unpackSt,
} from "./x87";

const LOW: u32 = ENV_SCRATCH + 256;
const SUM: u32 = ENV_SCRATCH + 272;
const W0: u32 = ENV_SCRATCH + 288;
const W1: u32 = ENV_SCRATCH + 320;
const W2: u32 = ENV_SCRATCH + 352;
const W3: u32 = ENV_SCRATCH + 384;
/** Sine and cosine of the reduced argument. */
const SINE: u32 = ENV_SCRATCH + 416;
const COSINE: u32 = ENV_SCRATCH + 448;

const SERIES_SINE: i32 = 0;
const SERIES_COSINE: i32 = 1;
const SERIES_EXP: i32 = 2;
const SERIES_ATAN: i32 = 3;
const MAX_TERMS: i32 = 96;

/** pi / 2 in units of 2^-65: 66 bits. */
const HALF_PI_HIGH: u64 = 3;
const HALF_PI_LOW: u64 = 0x243f6a8885a308d3;
/** Significand of sqrt(2). */
const SQRT2: u64 = 0xb504f333f9de6484;
const LN2_HIGH: u64 = 0xb17217f7d1cf79ab;
const LN2_LOW: u64 = 0xc9e3b39803f2f6af;
/** 2 / ln 2 = 2.885... */
const TWO_LOG2E_HIGH: u64 = 0xb8aa3b295c17f0bb;
const TWO_LOG2E_LOW: u64 = 0xbe87fed0691d3e88;
const PI_HIGH: u64 = 0xc90fdaa22168c234;
const PI_LOW: u64 = 0xc4c6628b80dc1cd1;
/** atan(k / 8), k = 0..8. */
const ATAN_TABLE = memory.data<u64>([
  0x0000000000000000, 0x0000000000000000, 0x07f56ea6ab0bdb71, 0x9644bcc4f9f44477, 0x0fadbafc96406eb1,
  0x56dc79ef5f7a217e, 0x16f61941e4def08e, 0x715464245b9fc890, 0x1dac670561bb4f68, 0xadfc88bd978751a0,
  0x23c01757bdfd67e6, 0xd720d78599710dd1, 0x292f1f464d3dc249, 0x066a1fca915f6b27, 0x2e014f8af08c679c,
  0xf2cb69548429110f, 0x3243f6a8885a308d, 0x313198a2e0370734,
]);

function setWide(p: u32, high: u64, low: u64, exp: i32): void {
  store<u64>(p, high);
  store<u64>(p, low, 8);
  store<i32>(p, exp, 16);
}

/** Takes high:low / 2^127 * 2^exp, not zero, and moves its first bit to bit 127. */
function normalize(p: u32, high: u64, low: u64, exp: i32): void {
  if (high === 0) {
    high = low;
    low = 0;
    exp -= 64;
  }
  const shift = <i32>clz(high);
  if (shift) {
    high = (high << shift) | (low >> (64 - shift));
    low <<= shift;
  }
  setWide(p, high, low, exp - shift);
}

/** High 128 bits of a 256-bit product: returns the upper half, LOW holds the lower. */
function multiply128(env: u32, ah: u64, al: u64, bh: u64, bl: u64): u64 {
  let high = mulHigh(ah, bh);
  let low = ah * bh;
  let part = mulHigh(ah, bl);
  low += part;
  if (low < part) high++;
  part = mulHigh(al, bh);
  low += part;
  if (low < part) high++;
  store<u64>(env + LOW, low);
  return high;
}

function multiplyWide(env: u32, d: u32, a: u32, b: u32): void {
  const exp = load<i32>(a, 16) + load<i32>(b, 16) + 1;
  const high = multiply128(env, load<u64>(a), load<u64>(a, 8), load<u64>(b), load<u64>(b, 8));
  normalize(d, high, load<u64>(env + LOW), exp);
}

/** d = a / b, bit by bit. */
function divideWide(d: u32, a: u32, b: u32): void {
  const bh = load<u64>(b);
  const bl = load<u64>(b, 8);
  let rh = load<u64>(a);
  let rl = load<u64>(a, 8);
  let exp = load<i32>(a, 16) - load<i32>(b, 16);
  let qh: u64 = 0;
  let ql: u64 = 0;
  let carry: u64 = 0;
  if (rh < bh || (rh === bh && rl < bl)) {
    exp--;
    carry = rh >> 63;
    rh = (rh << 1) | (rl >> 63);
    rl <<= 1;
  }
  for (let i = 0; i < 128; i++) {
    qh = (qh << 1) | (ql >> 63);
    ql <<= 1;
    if (carry || rh > bh || (rh === bh && rl >= bl)) {
      rh = rh - bh - u64(rl < bl);
      rl -= bl;
      ql |= 1;
    }
    carry = rh >> 63;
    rh = (rh << 1) | (rl >> 63);
    rl <<= 1;
  }
  setWide(d, qh, ql, exp);
}

/** high:low >> n: returns the upper half, LOW holds the lower. */
function shiftRight128(env: u32, high: u64, low: u64, n: i32): u64 {
  if (n >= 128) {
    high = 0;
    low = 0;
  } else if (n >= 64) {
    low = high >> (n - 64);
    high = 0;
  } else if (n > 0) {
    low = (low >> n) | (high << (64 - n));
    high >>= n;
  }
  store<u64>(env + LOW, low);
  return high;
}

/** A wide number as a fixed-point one with `bits` bits after the point. */
function toFixed(env: u32, p: u32, bits: i32): u64 {
  return shiftRight128(env, load<u64>(p), load<u64>(p, 8), 127 - bits - load<i32>(p, 16));
}

/** SUM = the series in the fraction zh:zl (128 bits), at 126 bits after the point. All begin with 1. */
function series(env: u32, kind: i32, zh: u64, zl: u64, alternate: bool): void {
  let th: u64 = 0x4000000000000000;
  let tl: u64 = 0;
  let sh = th;
  let sl: u64 = 0;
  let negative = false;
  for (let k = 1; k < MAX_TERMS; k++) {
    th = multiply128(env, th, tl, zh, zl);
    tl = load<u64>(env + LOW);
    const divisor: u64 =
      kind === SERIES_SINE
        ? 2 * k * (2 * k + 1)
        : kind === SERIES_COSINE
          ? (2 * k - 1) * 2 * k
          : kind === SERIES_EXP
            ? k + 1
            : 2 * k + 1;
    const qh = th / divisor;
    const middle = ((th - qh * divisor) << 32) | (tl >> 32);
    const q1 = middle / divisor;
    const last = ((middle - q1 * divisor) << 32) | (tl & 0xffffffff);
    const ql = (q1 << 32) | (last / divisor);
    // The powers of atan's series are not divided, all other terms are.
    if (kind !== SERIES_ATAN) {
      th = qh;
      tl = ql;
    }
    if ((qh | ql) === 0) break;
    if (alternate) negative = !negative;
    if (negative) {
      sh = sh - qh - u64(sl < ql);
      sl -= ql;
    } else {
      sl += ql;
      sh = sh + qh + u64(sl < ql);
    }
  }
  store<u64>(env + SUM, sh);
  store<u64>(env + SUM, sl, 8);
}

/** d = x * the series in x^2 (or in x itself for the exponential). x is below 1. */
function timesSeries(env: u32, d: u32, x: u32, kind: i32, alternate: bool): void {
  let high = toFixed(env, x, 128);
  let low = load<u64>(env + LOW);
  if (kind !== SERIES_EXP) {
    multiplyWide(env, env + W3, x, x);
    high = toFixed(env, env + W3, 128);
    low = load<u64>(env + LOW);
  }
  series(env, kind, high, low, alternate);
  normalize(env + W3, load<u64>(env + SUM), load<u64>(env + SUM, 8), 1);
  multiplyWide(env, d, x, env + W3);
}

/** R = a wide number that stands for an inexact result. */
function finish(env: u32, sign: u32, p: u32, mode: u32): void {
  roundTo(env, sign, load<i32>(p, 16), load<u64>(p), load<u64>(p, 8) | 1, F80, mode);
}

function wideOf(d: u32, p: u32): void {
  setWide(d, sigOf(p), 0, expOf(p));
}

/** F2XM1: R = 2^a - 1. */
function exponential(env: u32, p: u32, mode: u32): void {
  const cls = classOf(p);
  const sign = signOf(p);
  if (cls === INFINITE) {
    if (sign) setUnpacked(env + R, NORMAL, 1, 0, TOP_BIT);
    else setUnpacked(env + R, INFINITE, 0, 0, TOP_BIT);
    return;
  }
  if (cls === ZERO || expOf(p) >= 0) {
    // Hardware calls 1 and -1 inexact too, and hands on what lies beyond them.
    const one = cls !== ZERO && expOf(p) === 0 && sigOf(p) === TOP_BIT;
    if (cls !== ZERO) addFlags(env, PE);
    setUnpacked(env + R, cls, sign, one && sign ? -1 : expOf(p), sigOf(p));
    return;
  }
  wideOf(env + W0, p);
  setWide(env + W1, LN2_HIGH, LN2_LOW, -1);
  multiplyWide(env, env + W0, env + W0, env + W1);
  timesSeries(env, env + W0, env + W0, SERIES_EXP, sign !== 0);
  finish(env, sign, env + W0, mode);
}

/**
 * W0 = |log2| of the wide number at p times 2^k, exactly 0 when W0's high half is 0. Returns the sign; bit 1 says that
 * the result is exact.
 */
function logarithm(env: u32, p: u32): u32 {
  let k = load<i32>(p, 16);
  // At 126 bits after the point; the fraction goes to [1/2 sqrt 2, sqrt 2) by taking 2 for its 1.
  const above = load<u64>(p) > SQRT2;
  const mh = load<u64>(p) >> 1;
  const ml = (load<u64>(p, 8) >> 1) | (load<u64>(p) << 63);
  const one: u64 = above ? 0x8000000000000000 : 0x4000000000000000;
  if (above) k++;
  let nh = mh - one;
  let nl = ml;
  if (above) {
    nl = 0 - ml;
    nh = one - mh - u64(ml !== 0);
  }
  const kSign: u32 = k < 0 ? 1 : 0;
  const kSize = <u64>(k < 0 ? -k : k);
  if ((nh | nl) === 0) {
    if (k === 0) setWide(env + W0, 0, 0, 0);
    else normalize(env + W0, kSize << 48, 0, 15);
    return kSign | 2;
  }
  normalize(env + W1, nh, nl, 1);
  normalize(env + W2, mh + one, ml, 1);
  divideWide(env + W0, env + W1, env + W2);
  return scaleLogarithm(env, above ? 1 : 0, kSign, kSize);
}

/** W0 = |k + 2 atanh(W0) / ln 2|; returns the sign. */
function scaleLogarithm(env: u32, sign: u32, kSign: u32, kSize: u64): u32 {
  timesSeries(env, env + W0, env + W0, SERIES_ATAN, false);
  setWide(env + W1, TWO_LOG2E_HIGH, TWO_LOG2E_LOW, 1);
  multiplyWide(env, env + W0, env + W0, env + W1);
  if (kSize === 0) return sign;
  let high = toFixed(env, env + W0, 112);
  let low = load<u64>(env + LOW);
  if (sign === kSign) {
    high += kSize << 48;
  } else {
    high = (kSize << 48) - high - u64(low !== 0);
    low = 0 - low;
  }
  normalize(env + W0, high, low, 15);
  return kSign;
}

/** FYL2X: R = b * log2(a). */
function yLog2x(env: u32, pa: u32, pb: u32, mode: u32): void {
  const ca = classOf(pa);
  const cb = classOf(pb);
  const r = env + R;
  const signB = signOf(pb);
  if (ca === ZERO) {
    if (cb === ZERO) {
      invalid(env);
      return;
    }
    if (cb !== INFINITE) addFlags(env, ZE);
    setUnpacked(r, INFINITE, signB ^ 1, 0, TOP_BIT);
    return;
  }
  if (signOf(pa)) {
    invalid(env);
    return;
  }
  const isOne = ca !== INFINITE && expOf(pa) === 0 && sigOf(pa) === TOP_BIT;
  if ((ca === INFINITE && cb === ZERO) || (isOne && cb === INFINITE)) {
    invalid(env);
    return;
  }
  if (ca === DENORMAL || cb === DENORMAL) addFlags(env, DE);
  const below: u32 = ca !== INFINITE && expOf(pa) < 0 ? 1 : 0;
  if (ca === INFINITE || cb === INFINITE) {
    setUnpacked(r, INFINITE, signB ^ below, 0, TOP_BIT);
    return;
  }
  if (cb === ZERO || isOne) {
    setUnpacked(r, ZERO, signB ^ below, 0, 0);
    return;
  }
  wideOf(env + SINE, pa);
  const sign = logarithm(env, env + SINE);
  wideOf(env + W1, pb);
  multiplyWide(env, env + W0, env + W0, env + W1);
  // Hardware calls exact results inexact too.
  addFlags(env, PE);
  const sticky: u64 = sign & 2 ? 0 : 1;
  roundTo(
    env,
    (sign & 1) ^ signB,
    load<i32>(env + W0, 16),
    load<u64>(env + W0),
    load<u64>(env + W0, 8) | sticky,
    F80,
    mode,
  );
}

/** FYL2XP1: R = b * log2(a + 1). */
function yLog2xPlus1(env: u32, pa: u32, pb: u32, mode: u32): void {
  const ca = classOf(pa);
  const cb = classOf(pb);
  const r = env + R;
  const signA = signOf(pa);
  const sign = signA ^ signOf(pb);
  if ((ca === INFINITE && signA !== 0) || (ca === ZERO && cb === INFINITE) || (ca === INFINITE && cb === ZERO)) {
    invalid(env);
    return;
  }
  if (ca === DENORMAL || cb === DENORMAL) addFlags(env, DE);
  if (ca === INFINITE || cb === INFINITE) {
    setUnpacked(r, INFINITE, sign, 0, TOP_BIT);
    return;
  }
  if (ca === ZERO || cb === ZERO) {
    setUnpacked(r, ZERO, sign, 0, 0);
    return;
  }
  if (signA !== 0 && expOf(pa) >= 0) {
    // At -1 and below there is no logarithm: hardware hands the operand on.
    addFlags(env, PE);
    setUnpacked(r, ca, signA, expOf(pa), sigOf(pa));
    return;
  }
  let result = signA;
  const exp = expOf(pa);
  wideOf(env + SINE, pa);
  if (exp >= 62) {
    result = logarithm(env, env + SINE) & 1;
  } else if (exp >= -2) {
    // 1 + a in 63 bits before the point and 64 after it, exactly.
    const high = toFixed(env, env + SINE, 64);
    const low = load<u64>(env + LOW);
    if (signA) normalize(env + SINE, 1 - high - u64(low !== 0), 0 - low, 63);
    else normalize(env + SINE, high + 1, low, 63);
    result = logarithm(env, env + SINE) & 1;
  } else {
    // a / (2 + a)
    const high = toFixed(env, env + SINE, 126);
    const low = load<u64>(env + LOW);
    const two: u64 = 0x8000000000000000;
    if (signA) normalize(env + W2, two - high - u64(low !== 0), 0 - low, 1);
    else normalize(env + W2, two + high, low, 1);
    divideWide(env + W0, env + SINE, env + W2);
    result = scaleLogarithm(env, signA, 0, 0);
  }
  wideOf(env + W1, pb);
  multiplyWide(env, env + W0, env + W0, env + W1);
  finish(env, result ^ signOf(pb), env + W0, mode);
}

/** R = a fixed-point angle (126 bits) as result. */
function finishAngle(env: u32, sign: u32, high: u64, low: u64, mode: u32): void {
  normalize(env + W0, high, low, 1);
  finish(env, sign, env + W0, mode);
}

/** FPATAN: R = the angle of (x = a, y = b). */
function arctangent(env: u32, pa: u32, pb: u32, mode: u32): void {
  const ca = classOf(pa);
  const cb = classOf(pb);
  const sign = signOf(pb);
  const left = signOf(pa) !== 0;
  if (ca === DENORMAL || cb === DENORMAL) addFlags(env, DE);
  if (cb === ZERO || (ca === INFINITE && cb !== INFINITE)) {
    if (left) finishAngle(env, sign, PI_HIGH, PI_LOW, mode);
    else setUnpacked(env + R, ZERO, sign, 0, 0);
    return;
  }
  const halfHigh = PI_HIGH >> 1;
  const halfLow = (PI_LOW >> 1) | (PI_HIGH << 63);
  if (ca === ZERO || (cb === INFINITE && ca !== INFINITE)) {
    finishAngle(env, sign, halfHigh, halfLow, mode);
    return;
  }
  const steep = ca === INFINITE ? false : expOf(pb) > expOf(pa) || (expOf(pb) === expOf(pa) && sigOf(pb) > sigOf(pa));
  let high: u64 = 0;
  let low: u64 = 0;
  if (ca === INFINITE) {
    high = load<u64>(ATAN_TABLE + 128);
    low = load<u64>(ATAN_TABLE + 128, 8);
  } else {
    wideOf(env + W1, steep ? pa : pb);
    wideOf(env + W2, steep ? pb : pa);
    divideWide(env + W0, env + W1, env + W2);
    // The nearest eighth, and what the quotient is beside it.
    const qh = toFixed(env, env + W0, 126);
    const ql = load<u64>(env + LOW);
    const eighth = (qh + 0x0400000000000000) >> 59;
    if (eighth === 0) {
      timesSeries(env, env + W0, env + W0, SERIES_ATAN, true);
      if (!steep && !left) {
        finish(env, sign, env + W0, mode);
        return;
      }
      high = toFixed(env, env + W0, 126);
      low = load<u64>(env + LOW);
    } else {
      const c = eighth << 59;
      const under = qh < c;
      let nh = qh - c;
      let nl = ql;
      if (under) {
        nh = c - qh - u64(ql !== 0);
        nl = 0 - ql;
      }
      high = load<u64>(ATAN_TABLE + ((<u32>eighth) << 4));
      low = load<u64>(ATAN_TABLE + ((<u32>eighth) << 4), 8);
      if ((nh | nl) !== 0) {
        // (q - c) / (1 + q c)
        normalize(env + W1, nh, nl, 1);
        const ph = shiftRight128(env, qh, ql, 3) * eighth + mulHigh(load<u64>(env + LOW), eighth);
        normalize(env + W2, 0x4000000000000000 + ph, load<u64>(env + LOW) * eighth, 1);
        divideWide(env + W0, env + W1, env + W2);
        timesSeries(env, env + W0, env + W0, SERIES_ATAN, true);
        const ah = toFixed(env, env + W0, 126);
        const al = load<u64>(env + LOW);
        if (under) {
          high = high - ah - u64(low < al);
          low -= al;
        } else {
          low += al;
          high = high + ah + u64(low < al);
        }
      }
    }
  }
  if (steep) {
    const borrow = u64(halfLow < low);
    high = halfHigh - high - borrow;
    low = halfLow - low;
  }
  if (left) {
    const borrow = u64(PI_LOW < low);
    high = PI_HIGH - high - borrow;
    low = PI_LOW - low;
  }
  finishAngle(env, sign, high, low, mode);
}

/** SINE and COSINE of the argument's distance from the next multiple of pi / 2. Returns that multiple; bit 2: below it. */
function reduceAngle(env: u32, p: u32): u32 {
  let high: u64 = 0;
  let low = sigOf(p);
  let exp = expOf(p);
  let quadrant: u32 = 0;
  let below: u32 = 0;
  if (exp >= -1) {
    for (let step = exp + 2; step > 0; step--) {
      high = (high << 1) | (low >> 63);
      low <<= 1;
      quadrant <<= 1;
      if (high > HALF_PI_HIGH || (high === HALF_PI_HIGH && low >= HALF_PI_LOW)) {
        high = high - HALF_PI_HIGH - u64(low < HALF_PI_LOW);
        low -= HALF_PI_LOW;
        quadrant |= 1;
      }
    }
    // More than pi / 4: come from the other side.
    const doubleHigh = (high << 1) | (low >> 63);
    const doubleLow = low << 1;
    if (doubleHigh > HALF_PI_HIGH || (doubleHigh === HALF_PI_HIGH && doubleLow > HALF_PI_LOW)) {
      const borrow = u64(HALF_PI_LOW < low);
      high = HALF_PI_HIGH - high - borrow;
      low = HALF_PI_LOW - low;
      quadrant++;
      below = 4;
    }
    normalize(env + W0, high, low, 62);
  } else {
    setWide(env + W0, low, 0, exp);
  }
  timesSeries(env, env + SINE, env + W0, SERIES_SINE, true);
  multiplyWide(env, env + W3, env + W0, env + W0);
  const zh = toFixed(env, env + W3, 128);
  series(env, SERIES_COSINE, zh, load<u64>(env + LOW), true);
  normalize(env + COSINE, load<u64>(env + SUM), load<u64>(env + SUM, 8), 1);
  return (quadrant & 3) | below;
}

/** R = sine (or cosine) of the argument whose reduction reduceAngle returned. */
function finishSine(env: u32, reduced: u32, sign: u32, cosine: bool, mode: u32): void {
  const quadrant = (reduced + (cosine ? 1 : 0)) & 3;
  const useCosine = (quadrant & 1) !== 0;
  let result: u32 = quadrant >> 1;
  // sin(-r) = -sin(r)
  if (!useCosine && reduced & 4) result ^= 1;
  if (!cosine) result ^= sign;
  finish(env, result, useCosine ? env + COSINE : env + SINE, mode);
}

/** FSIN, FCOS, FSINCOS and FPTAN: modrm FE, FF, FB, F2. */
function trigonometric(env: u32, op: i32, mode: u32): void {
  const pushes = op === 0x1b || op === 0x12;
  const slot = st(env, 0);
  const p = env + A;
  if (pushes && !isEmpty(env, 7)) {
    if (overflow(env)) {
      storeIndefinite(slot);
      push(env, 0xc000000000000000, 0xffff);
    }
    return;
  }
  const cls = classOf(p);
  const sign = signOf(p);
  let isNan = nanResult1(env, p);
  if (!isNan && cls === INFINITE) {
    invalid(env);
    isNan = true;
  }
  if (isNan) {
    if (commit(env, load<u32>(env + FLAGS)) & IE) return;
    storeResult(env, slot);
    if (pushes) push(env, load<u64>(slot), load<u32>(slot, 8));
    return;
  }
  if (cls !== ZERO && expOf(p) >= 63) {
    commit(env, 0);
    store<u32>(env + ENV_FP_STATUS, load<u32>(env + ENV_FP_STATUS) | SW_C2);
    return;
  }
  if (cls === ZERO) {
    commit(env, 0);
    // cos 0 = 1, and FPTAN pushes 1.
    if (op === 0x1f) {
      store<u64>(slot, TOP_BIT);
      store<u64>(slot, 0x3fff, 8);
    } else if (pushes) {
      push(env, TOP_BIT, 0x3fff);
    }
    return;
  }
  if (cls === DENORMAL) addFlags(env, DE);
  const reduced = reduceAngle(env, p);
  if (op === 0x12) {
    // A tangent is -1 / tan in odd quadrants.
    const odd = (reduced & 1) !== 0;
    divideWide(env + W0, odd ? env + COSINE : env + SINE, odd ? env + SINE : env + COSINE);
    finish(env, sign ^ (odd ? 1 : 0) ^ ((reduced >> 2) & 1), env + W0, mode);
  } else {
    finishSine(env, reduced, sign, op === 0x1f, mode);
  }
  if (commit(env, load<u32>(env + FLAGS)) & DE) return;
  storeResult(env, slot);
  if (op === 0x12) {
    push(env, TOP_BIT, 0x3fff);
  } else if (op === 0x1b) {
    store<u32>(env + FLAGS, 0);
    finishSine(env, reduced, sign, true, mode);
    commit(env, load<u32>(env + FLAGS));
    push(env, 0, 0);
    storeResult(env, st(env, 0));
  }
}

/** F2XM1, FYL2X, FPTAN, FPATAN, FYL2XP1, FSINCOS, FSIN, FCOS: modrm F0..F3, F9, FB, FE, FF. */
export function x87Transcendental(env: u32, _a: u64, rip: u64, imm: i32): u64 {
  begin(env, rip, imm);
  const op = imm & 0x1f;
  const trigonometry = op === 0x12 || op >= 0x1b;
  const binary = op === 0x11 || op === 0x13 || op === 0x19;
  if (trigonometry) store<u32>(env + ENV_FP_STATUS, load<u32>(env + ENV_FP_STATUS) & ~SW_C2);
  const slot = st(env, binary ? 1 : 0);
  if (isEmpty(env, 0) || (binary && isEmpty(env, 1))) {
    if (underflow(env)) {
      storeIndefinite(slot);
      setEmpty(env, binary ? 1 : 0, 0);
      if (binary) pop(env);
      if (op === 0x12 || op === 0x1b) push(env, 0xc000000000000000, 0xffff);
    }
    return 0;
  }
  const mode = modeOf(load<u32>(env + ENV_FP_CONTROL));
  const pa = env + A;
  const pb = env + B;
  unpackSt(env, pa, 0);
  if (trigonometry) {
    trigonometric(env, op, mode);
    return 0;
  }
  if (binary) {
    unpackSt(env, pb, 1);
    if (!nanResult(env, pa, pb)) {
      if (op === 0x11) yLog2x(env, pa, pb, mode);
      else if (op === 0x13) arctangent(env, pa, pb, mode);
      else yLog2xPlus1(env, pa, pb, mode);
    }
  } else if (!nanResult1(env, pa)) {
    if (classOf(pa) === DENORMAL) addFlags(env, DE);
    exponential(env, pa, mode);
  }
  if (commit(env, load<u32>(env + FLAGS)) & (IE | DE | ZE)) return 0;
  storeResult(env, slot);
  if (binary) pop(env);
  return 0;
}
