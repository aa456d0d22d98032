/** FPREM and FPREM1: exact partial remainders. Intel SDM volume 2, FPREM and FPREM1. */

import {
  addFlags,
  classOf,
  DE,
  DENORMAL,
  expOf,
  F80,
  INFINITE,
  invalid,
  R,
  roundTo,
  setUnpacked,
  signOf,
  sigOf,
  ZERO,
} from "./core";

/** An operation that takes out fewer exponent bits than asked for. */
const INCOMPLETE: u32 = 8;

/** R = a finite operand as it is: a denormal does not underflow. */
export function unchanged(env: u32, p: u32): void {
  roundTo(env, signOf(p), expOf(p), sigOf(p), 0, F80, 0);
}

/**
 * R = a - b * q for operands that are not NaN or unsupported, q truncated or (`nearest`) rounded to nearest. Returns
 * the quotient's low three bits, or INCOMPLETE when the exponents are 64 or more apart and the reduction is partial.
 */
export function remainder(env: u32, pa: u32, pb: u32, nearest: bool, mode: u32): u32 {
  const ca = classOf(pa);
  const cb = classOf(pb);
  if (ca === INFINITE || cb === ZERO) {
    invalid(env);
    return 0;
  }
  if (ca === DENORMAL || cb === DENORMAL) addFlags(env, DE);
  const signA = signOf(pa);
  if (ca === ZERO) {
    setUnpacked(env + R, ZERO, signA, 0, 0);
    return 0;
  }
  const ea = expOf(pa);
  if (cb === INFINITE) {
    unchanged(env, pa);
    return 0;
  }
  const eb = expOf(pb);
  const b = sigOf(pb);
  let rest = sigOf(pa);
  const distance = ea - eb;
  if (distance < -1 || (distance < 0 && !nearest)) {
    roundTo(env, signA, ea, rest, 0, F80, mode);
    return 0;
  }
  // How many quotient bits this step yields, the exponent that the remainder's unit then has, and a bit above rest.
  const partial = distance >= 64;
  const steps = partial ? (distance & 31) | 32 : distance;
  let exp = partial ? ea - steps : eb;
  let quotient: u64 = 0;
  let carry = false;
  if (distance < 0) {
    // |a| is between |b| / 4 and |b|: compare in units of half.
    exp = ea;
  } else {
    for (let step = steps; ; step--) {
      quotient <<= 1;
      if (carry || rest >= b) {
        rest -= b;
        quotient |= 1;
      }
      if (step === 0) break;
      carry = rest >> 63 !== 0;
      rest <<= 1;
    }
  }
  let sign = signA;
  if (nearest && !partial) {
    if (distance < 0) {
      // b in units of a's exponent is 2 * b: round up when a > b / 2, that is rest > b in these units.
      if (rest > b) {
        rest = b - rest + b;
        quotient = 1;
        sign ^= 1;
      }
    } else if (rest > b - rest || (rest === b - rest && quotient & 1)) {
      rest = b - rest;
      quotient++;
      sign ^= 1;
    }
  }
  if (rest === 0) {
    setUnpacked(env + R, ZERO, signA, 0, 0);
  } else {
    const shift = <i32>clz(rest);
    roundTo(env, sign, exp - shift, rest << shift, 0, F80, mode);
  }
  return partial ? INCOMPLETE : <u32>quotient & 7;
}
