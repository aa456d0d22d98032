/**
 * Binary floating point after IEEE 754 for all formats of the CPU: operands are unpacked to a 64-bit significand and an
 * unbounded exponent, an operation yields 128 bits (the last one sticky), and one rounding step packs the result for
 * its format. Exception flags have the bit layout that the x87 status word and MXCSR share.
 *
 * An unpacked number lives in scratch memory: significand u64 (+0), exponent i32 (+8), sign u32 (+12), class i32 (+16).
 * A finite number is significand / 2^63 * 2^exponent with bit 63 set; a NaN keeps its significand in the layout of the
 * extended format.
 */

import { ENV_SCRATCH } from "../generated/env";

/** Unpacked operands and result, relative to env. */
export const A: u32 = ENV_SCRATCH;
export const B: u32 = ENV_SCRATCH + 32;
export const R: u32 = ENV_SCRATCH + 64;
/** u32: exceptions of the running operation, and ROUNDED_UP. */
export const FLAGS: u32 = ENV_SCRATCH + 96;

export const ZERO: i32 = 0;
export const NORMAL: i32 = 1;
export const DENORMAL: i32 = 2;
export const INFINITE: i32 = 3;
export const QNAN: i32 = 4;
export const SNAN: i32 = 5;
/** Extended format only: unnormals, pseudo-infinities, pseudo-NaNs. */
export const UNSUPPORTED: i32 = 6;

export const IE: u32 = 0x01;
export const DE: u32 = 0x02;
export const ZE: u32 = 0x04;
export const OE: u32 = 0x08;
export const UE: u32 = 0x10;
export const PE: u32 = 0x20;
/** The magnitude was rounded up: C1 of the x87. */
export const ROUNDED_UP: u32 = 0x200;

/** Destination formats: extended with 64, 53 or 24 bits of precision, double, single. */
export const F80: i32 = 0;
export const F80_53: i32 = 1;
export const F80_24: i32 = 2;
export const F64: i32 = 3;
export const F32: i32 = 4;

/** Modes: rounding control in bits 0 and 1, unmasked exceptions from bit 8 on, flush to zero, denormals are zero. */
export const RC_NEAREST: u32 = 0;
export const RC_DOWN: u32 = 1;
export const RC_UP: u32 = 2;
export const RC_ZERO: u32 = 3;
export const MODE_UNMASKED: u32 = 8;
export const MODE_FTZ: u32 = 1 << 16;
export const MODE_DAZ: u32 = 1 << 17;

export const OP_ADD: i32 = 0;
export const OP_MUL: i32 = 1;
export const OP_SUB: i32 = 4;
export const OP_DIV: i32 = 6;

export const TOP_BIT: u64 = 0x8000000000000000;
export const QUIET: u64 = 0x4000000000000000;

export function setUnpacked(p: u32, cls: i32, sign: u32, exp: i32, sig: u64): void {
  store<u64>(p, sig);
  store<i32>(p, exp, 8);
  store<u32>(p, sign, 12);
  store<i32>(p, cls, 16);
}

export function sigOf(p: u32): u64 {
  return load<u64>(p);
}

export function expOf(p: u32): i32 {
  return load<i32>(p, 8);
}

export function signOf(p: u32): u32 {
  return load<u32>(p, 12);
}

export function classOf(p: u32): i32 {
  return load<i32>(p, 16);
}

export function addFlags(env: u32, flags: u32): void {
  store<u32>(env + FLAGS, load<u32>(env + FLAGS) | flags);
}

export function unpack80(p: u32, sig: u64, se: u32): void {
  const sign = (se >> 15) & 1;
  const field = <i32>(se & 0x7fff);
  if (field === 0x7fff) {
    const cls = !(sig >> 63) ? UNSUPPORTED : sig << 1 === 0 ? INFINITE : sig & QUIET ? QNAN : SNAN;
    setUnpacked(p, cls, sign, 0, sig);
  } else if (field === 0) {
    if (sig === 0) {
      setUnpacked(p, ZERO, sign, 0, 0);
    } else {
      const shift = <i32>clz(sig);
      setUnpacked(p, DENORMAL, sign, -16382 - shift, sig << shift);
    }
  } else {
    setUnpacked(p, sig >> 63 ? NORMAL : UNSUPPORTED, sign, field - 16383, sig);
  }
}

export function unpack64(p: u32, bits: u64, mode: u32 = 0): void {
  const sign = <u32>(bits >> 63);
  const field = <i32>(bits >> 52) & 0x7ff;
  const fraction = bits & 0x000fffffffffffff;
  if (field === 0x7ff) {
    const cls = fraction === 0 ? INFINITE : fraction >> 51 ? QNAN : SNAN;
    setUnpacked(p, cls, sign, 0, TOP_BIT | (fraction << 11));
  } else if (field === 0) {
    if (fraction === 0 || mode & MODE_DAZ) {
      setUnpacked(p, ZERO, sign, 0, 0);
    } else {
      const shift = <i32>clz(fraction);
      setUnpacked(p, DENORMAL, sign, -1011 - shift, fraction << shift);
    }
  } else {
    setUnpacked(p, NORMAL, sign, field - 1023, TOP_BIT | (fraction << 11));
  }
}

export function unpack32(p: u32, bits: u32, mode: u32 = 0): void {
  const sign = bits >> 31;
  const field = <i32>(bits >> 23) & 0xff;
  const fraction = <u64>(bits & 0x007fffff);
  if (field === 0xff) {
    const cls = fraction === 0 ? INFINITE : fraction >> 22 ? QNAN : SNAN;
    setUnpacked(p, cls, sign, 0, TOP_BIT | (fraction << 40));
  } else if (field === 0) {
    if (fraction === 0 || mode & MODE_DAZ) {
      setUnpacked(p, ZERO, sign, 0, 0);
    } else {
      const shift = <i32>clz(fraction);
      setUnpacked(p, DENORMAL, sign, -86 - shift, fraction << shift);
    }
  } else {
    setUnpacked(p, NORMAL, sign, field - 127, TOP_BIT | (fraction << 40));
  }
}

export function unpackInt(p: u32, value: i64): void {
  if (value === 0) {
    setUnpacked(p, ZERO, 0, 0, 0);
    return;
  }
  const magnitude = <u64>(value < 0 ? -value : value);
  const shift = <i32>clz(magnitude);
  setUnpacked(p, NORMAL, value < 0 ? 1 : 0, 63 - shift, magnitude << shift);
}

/** Sign and exponent field of R in the extended format; its significand is sigOf(R). */
export function pack80se(p: u32): u32 {
  const cls = classOf(p);
  const sign = signOf(p) << 15;
  if (cls === NORMAL) return sign | (<u32>(expOf(p) + 16383) & 0x7fff);
  return cls >= INFINITE ? sign | 0x7fff : sign;
}

export function pack64(p: u32): u64 {
  const cls = classOf(p);
  const sign = (<u64>signOf(p)) << 63;
  const fraction = (sigOf(p) & ~TOP_BIT) >> 11;
  if (cls === NORMAL) return sign | ((<u64>(expOf(p) + 1023)) << 52) | fraction;
  return cls >= INFINITE ? sign | 0x7ff0000000000000 | fraction : sign | fraction;
}

export function pack32(p: u32): u32 {
  const cls = classOf(p);
  const sign = signOf(p) << 31;
  const fraction = <u32>((sigOf(p) & ~TOP_BIT) >> 40);
  if (cls === NORMAL) return sign | ((<u32>(expOf(p) + 127)) << 23) | fraction;
  return cls >= INFINITE ? sign | 0x7f800000 | fraction : sign | fraction;
}

/** High half of a 64 by 64 bit product. */
export function mulHigh(a: u64, b: u64): u64 {
  const a0 = a & 0xffffffff;
  const a1 = a >> 32;
  const b0 = b & 0xffffffff;
  const b1 = b >> 32;
  const mid = a1 * b0 + ((a0 * b0) >> 32);
  const mid2 = a0 * b1 + (mid & 0xffffffff);
  return a1 * b1 + (mid >> 32) + (mid2 >> 32);
}

/** Quotient of high:low by divisor, whose bit 63 is set; high < divisor. The remainder is low - quotient * divisor. */
export function div128(high: u64, low: u64, divisor: u64): u64 {
  const d1 = divisor >> 32;
  const d0 = divisor & 0xffffffff;
  let q1 = high / d1;
  let rest = high - q1 * d1;
  while (q1 >> 32 || q1 * d0 > ((rest << 32) | (low >> 32))) {
    q1--;
    rest += d1;
    if (rest >> 32) break;
  }
  const middle = ((high << 32) | (low >> 32)) - q1 * divisor;
  let q0 = middle / d1;
  rest = middle - q0 * d1;
  while (q0 >> 32 || q0 * d0 > ((rest << 32) | (low & 0xffffffff))) {
    q0--;
    rest += d1;
    if (rest >> 32) break;
  }
  return (q1 << 32) + q0;
}

/** Whether the magnitude high:low goes up when its last `drop` bits of high and all of low are cut off. */
export function roundsUp(high: u64, low: u64, drop: i32, sign: u32, rc: u32): bool {
  const mask: u64 = ((<u64>1) << drop) - 1;
  const rest = high & mask;
  if ((rest | low) === 0) return false;
  if (rc === RC_NEAREST) {
    const half: u64 = drop ? (<u64>1) << (drop - 1) : 0;
    if (drop) return rest > half || (rest === half && (low !== 0 || ((high >> drop) & 1) !== 0));
    return low > TOP_BIT || (low === TOP_BIT && (high & 1) !== 0);
  }
  return rc === RC_DOWN ? sign !== 0 : rc === RC_UP ? sign === 0 : false;
}

/** Bits of the significand that a format does not keep. */
function droppedBits(fmt: i32): i32 {
  return fmt === F80 ? 0 : fmt === F80_53 || fmt === F64 ? 11 : 40;
}

function maxExponent(fmt: i32): i32 {
  return fmt <= F80_24 ? 16383 : fmt === F64 ? 1023 : 127;
}

function wrapBias(fmt: i32): i32 {
  return fmt <= F80_24 ? 24576 : fmt === F64 ? 1536 : 192;
}

/** Rounds (high:low) / 2^127 * 2^exp, bit 127 set, into R and raises OE, UE and PE. */
export function roundTo(env: u32, sign: u32, exp: i32, high: u64, low: u64, fmt: i32, mode: u32): void {
  const r = env + R;
  const rc = mode & 3;
  const drop = droppedBits(fmt);
  const emax = maxExponent(fmt);
  const emin = 1 - emax;
  const mask: u64 = ((<u64>1) << drop) - 1;
  const up = roundsUp(high, low, drop, sign, rc);
  const inexact = ((high & mask) | low) !== 0;
  let sig = high & ~mask;
  let e = exp;
  if (up) {
    sig += (<u64>1) << drop;
    if (sig === 0) {
      sig = TOP_BIT;
      e++;
    }
  }
  if (e >= emin && e <= emax) {
    if (inexact) addFlags(env, PE | (up ? ROUNDED_UP : 0));
    setUnpacked(r, NORMAL, sign, e, sig);
    return;
  }
  const unmasked = mode >> MODE_UNMASKED;
  if (e > emax) {
    if (unmasked & OE) {
      addFlags(env, OE | (inexact ? PE | (up ? ROUNDED_UP : 0) : 0));
      setUnpacked(r, NORMAL, sign, e - wrapBias(fmt), sig);
      return;
    }
    const infinite = rc === RC_NEAREST || (rc === RC_UP && !sign) || (rc === RC_DOWN && sign);
    addFlags(env, OE | PE | (infinite ? ROUNDED_UP : 0));
    if (infinite) setUnpacked(r, INFINITE, sign, 0, TOP_BIT);
    else setUnpacked(r, NORMAL, sign, emax, ~mask);
    return;
  }
  if (unmasked & UE) {
    addFlags(env, UE | (inexact ? PE | (up ? ROUNDED_UP : 0) : 0));
    setUnpacked(r, NORMAL, sign, e + wrapBias(fmt), sig);
    return;
  }
  if (mode & MODE_FTZ) {
    addFlags(env, UE | PE);
    setUnpacked(r, ZERO, sign, 0, 0);
    return;
  }
  const shift = emin - exp;
  if (shift < 64) {
    low = shift ? (high << (64 - shift)) | (low >> shift) | u64(low << (64 - shift) !== 0) : low;
    high >>= shift;
  } else {
    low =
      shift === 64
        ? high | u64(low !== 0)
        : shift < 128
          ? (high >> (shift - 64)) | u64(((high << (128 - shift)) | low) !== 0)
          : 1;
    high = 0;
  }
  const upAgain = roundsUp(high, low, drop, sign, rc);
  if ((high & mask) | low) addFlags(env, UE | PE | (upAgain ? ROUNDED_UP : 0));
  sig = high & ~mask;
  if (upAgain) sig += (<u64>1) << drop;
  setUnpacked(r, sig === 0 ? ZERO : sig >> 63 ? NORMAL : DENORMAL, sign, emin, sig);
}

/** R = the default NaN; raises IE. */
export function invalid(env: u32): void {
  addFlags(env, IE);
  setUnpacked(env + R, QNAN, 1, 0, TOP_BIT | QUIET);
}

function addMagnitudes(env: u32, pa: u32, pb: u32, signB: u32, fmt: i32, mode: u32): void {
  let signA = signOf(pa);
  let ea = expOf(pa);
  let eb = expOf(pb);
  let a = sigOf(pa);
  let b = sigOf(pb);
  if (ea < eb || (ea === eb && a < b)) {
    const e = ea;
    ea = eb;
    eb = e;
    const s = a;
    a = b;
    b = s;
    const t = signA;
    signA = signB;
    signB = t;
  }
  const shift = ea - eb;
  let low: u64 = 0;
  if (shift < 64) {
    low = shift ? b << (64 - shift) : 0;
    b >>= shift;
  } else {
    low = shift === 64 ? b : shift < 128 ? (b >> (shift - 64)) | u64(b << (128 - shift) !== 0) : 1;
    b = 0;
  }
  if (signA === signB) {
    const sum = a + b;
    if (sum < a) {
      roundTo(env, signA, ea + 1, (sum >> 1) | TOP_BIT, (low >> 1) | (sum << 63) | (low & 1), fmt, mode);
    } else {
      roundTo(env, signA, ea, sum, low, fmt, mode);
    }
    return;
  }
  let high = a - b - u64(low !== 0);
  low = 0 - low;
  if ((high | low) === 0) {
    setUnpacked(env + R, ZERO, (mode & 3) === RC_DOWN ? 1 : 0, 0, 0);
    return;
  }
  if (high === 0) {
    high = low;
    low = 0;
    ea -= 64;
  }
  const lead = <i32>clz(high);
  if (lead) {
    high = (high << lead) | (low >> (64 - lead));
    low <<= lead;
  }
  roundTo(env, signA, ea - lead, high, low, fmt, mode);
}

/**
 * R = a op b for operands that are not NaN or unsupported. When the flags hold an unmasked IE, DE or ZE the result
 * is not to be used.
 */
export function arithmetic(env: u32, pa: u32, pb: u32, op: i32, fmt: i32, mode: u32): void {
  const r = env + R;
  const ca = classOf(pa);
  const cb = classOf(pb);
  const signA = signOf(pa);
  let signB = signOf(pb);
  const denormal: u32 = ca === DENORMAL || cb === DENORMAL ? DE : 0;
  if (op === OP_ADD || op === OP_SUB) {
    if (op === OP_SUB) signB ^= 1;
    if (ca === INFINITE || cb === INFINITE) {
      if (ca === cb && signA !== signB) {
        invalid(env);
      } else {
        addFlags(env, denormal);
        setUnpacked(r, INFINITE, ca === INFINITE ? signA : signB, 0, TOP_BIT);
      }
      return;
    }
    addFlags(env, denormal);
    if (ca === ZERO && cb === ZERO) {
      setUnpacked(r, ZERO, signA === signB ? signA : (mode & 3) === RC_DOWN ? 1 : 0, 0, 0);
    } else if (ca === ZERO) {
      roundTo(env, signB, expOf(pb), sigOf(pb), 0, fmt, mode);
    } else if (cb === ZERO) {
      roundTo(env, signA, expOf(pa), sigOf(pa), 0, fmt, mode);
    } else {
      addMagnitudes(env, pa, pb, signB, fmt, mode);
    }
    return;
  }
  const sign = signA ^ signB;
  if (op === OP_MUL) {
    if (ca === INFINITE || cb === INFINITE) {
      if (ca === ZERO || cb === ZERO) {
        invalid(env);
      } else {
        addFlags(env, denormal);
        setUnpacked(r, INFINITE, sign, 0, TOP_BIT);
      }
      return;
    }
    addFlags(env, denormal);
    if (ca === ZERO || cb === ZERO) {
      setUnpacked(r, ZERO, sign, 0, 0);
      return;
    }
    const a = sigOf(pa);
    const b = sigOf(pb);
    let high = mulHigh(a, b);
    let low = a * b;
    let exp = expOf(pa) + expOf(pb) + 1;
    if (!(high >> 63)) {
      high = (high << 1) | (low >> 63);
      low <<= 1;
      exp--;
    }
    roundTo(env, sign, exp, high, low, fmt, mode);
    return;
  }
  if (ca === cb && (ca === ZERO || ca === INFINITE)) {
    invalid(env);
    return;
  }
  if (cb === ZERO) {
    // A division of infinity is exact.
    addFlags(env, ca === INFINITE ? 0 : ZE);
    setUnpacked(r, INFINITE, sign, 0, TOP_BIT);
    return;
  }
  addFlags(env, denormal);
  if (ca === INFINITE) {
    setUnpacked(r, INFINITE, sign, 0, TOP_BIT);
  } else if (ca === ZERO || cb === INFINITE) {
    setUnpacked(r, ZERO, sign, 0, 0);
  } else {
    const a = sigOf(pa);
    const b = sigOf(pb);
    const exp = expOf(pa) - expOf(pb);
    const below = a < b;
    const high = below ? a : a >> 1;
    const low = below ? 0 : a << 63;
    const quotient = div128(high, low, b);
    const rest = low - quotient * b;
    const guard = rest >= b - rest;
    const sticky = rest !== 0 && !(guard && rest === b - rest);
    roundTo(env, sign, below ? exp - 1 : exp, quotient, (guard ? TOP_BIT : 0) | u64(sticky), fmt, mode);
  }
}

/** R = square root of an operand that is not a NaN or unsupported. */
export function squareRoot(env: u32, p: u32, fmt: i32, mode: u32): void {
  const cls = classOf(p);
  if (cls === ZERO) {
    setUnpacked(env + R, ZERO, signOf(p), 0, 0);
    return;
  }
  if (signOf(p)) {
    invalid(env);
    return;
  }
  if (cls === INFINITE) {
    setUnpacked(env + R, INFINITE, 0, 0, TOP_BIT);
    return;
  }
  if (cls === DENORMAL) addFlags(env, DE);
  const sig = sigOf(p);
  const exp = expOf(p);
  const odd = exp & 1;
  const high = odd ? sig : sig >> 1;
  const low = odd ? 0 : sig << 63;
  // A double's estimate, one step of Newton's method, then corrected to the exact floor.
  const estimate = Math.sqrt(<f64>high) * 4294967296.0;
  let root = estimate >= 18446744073709551616.0 ? ~(<u64>0) : <u64>estimate;
  if (root <= high) root = ~(<u64>0);
  if (!(root >> 63)) root = TOP_BIT;
  if (high < root) {
    const quotient = div128(high, low, root);
    root = (root >> 1) + (quotient >> 1) + (root & quotient & 1);
    if (!(root >> 63)) root = TOP_BIT;
  }
  while (true) {
    const squareHigh = mulHigh(root, root);
    const squareLow = root * root;
    if (squareHigh > high || (squareHigh === high && squareLow > low)) {
      root--;
      continue;
    }
    const restLow = low - squareLow;
    const restHigh = high - squareHigh - u64(low < squareLow);
    // (root + 1)^2 - root^2 = 2 * root + 1
    if (restHigh > 1 || (restHigh === 1 && restLow > root << 1)) {
      root++;
      continue;
    }
    const guard = restHigh !== 0 || restLow > root;
    roundTo(env, 0, exp >> 1, root, (guard ? TOP_BIT : 0) | u64((restHigh | restLow) !== 0), fmt, mode);
    return;
  }
}

/** R = the operand rounded to an integer: not for NaNs. Raises PE. */
export function roundToInteger(env: u32, p: u32, rc: u32): void {
  const r = env + R;
  const cls = classOf(p);
  const sign = signOf(p);
  const exp = expOf(p);
  const sig = sigOf(p);
  if (cls === ZERO || cls === INFINITE || exp >= 63) {
    setUnpacked(r, cls, sign, exp, sig);
    return;
  }
  let high: u64 = 0;
  let low: u64 = 1;
  if (exp >= 0) {
    high = sig >> (63 - exp);
    low = sig << (exp + 1);
  } else if (exp === -1) {
    low = sig;
  }
  const up = roundsUp(high, low, 0, sign, rc);
  if (low) addFlags(env, PE | (up ? ROUNDED_UP : 0));
  if (up) high++;
  if (high === 0) {
    setUnpacked(r, ZERO, sign, 0, 0);
  } else {
    const shift = <i32>clz(high);
    setUnpacked(r, NORMAL, sign, 63 - shift, high << shift);
  }
}

/** The operand as an integer of `bits` bits, two's complement; IE alone and the smallest integer when it does not fit. */
export function toInteger(env: u32, p: u32, bits: i32, rc: u32): i64 {
  const indefinite = (<i64>-1) << (bits - 1);
  const cls = classOf(p);
  if (cls >= INFINITE) {
    addFlags(env, IE);
    return indefinite;
  }
  if (cls === ZERO) return 0;
  const exp = expOf(p);
  const sig = sigOf(p);
  const sign = signOf(p);
  if (exp >= bits) {
    addFlags(env, IE);
    return indefinite;
  }
  let high: u64 = 0;
  let low: u64 = 1;
  if (exp >= 0) {
    high = sig >> (63 - exp);
    low = exp === 63 ? 0 : sig << (exp + 1);
  } else if (exp === -1) {
    low = sig;
  }
  const up = roundsUp(high, low, 0, sign, rc);
  if (up) high++;
  const limit = (<u64>1) << (bits - 1);
  if (high > limit || (high === limit && !sign) || (high === 0 && up && exp === 63)) {
    addFlags(env, IE);
    return indefinite;
  }
  if (low) addFlags(env, PE | (up ? ROUNDED_UP : 0));
  return sign ? -(<i64>high) : <i64>high;
}

/** Order of two operands that are not NaN or unsupported: -1, 0 or 1. */
export function order(pa: u32, pb: u32): i32 {
  const ca = classOf(pa);
  const cb = classOf(pb);
  if (ca === ZERO && cb === ZERO) return 0;
  const signA = signOf(pa);
  const signB = signOf(pb);
  if (ca === ZERO) return signB ? 1 : -1;
  if (cb === ZERO) return signA ? -1 : 1;
  if (signA !== signB) return signA ? -1 : 1;
  let result: i32 = 0;
  if (ca === INFINITE || cb === INFINITE) {
    result = ca === cb ? 0 : ca === INFINITE ? 1 : -1;
  } else {
    const ea = expOf(pa);
    const eb = expOf(pb);
    const a = sigOf(pa);
    const b = sigOf(pb);
    result = ea !== eb ? (ea > eb ? 1 : -1) : a === b ? 0 : a > b ? 1 : -1;
  }
  return signA ? -result : result;
}
