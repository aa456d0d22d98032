/**
 * Integer SIMD of MMX to SSE4.2 that has no IR op of its own. Intel SDM volume 2.
 *
 * A helper works in place: imm holds the destination's offset in env in bits 0-15 and the source's in bits 16-31; an
 * immediate byte comes in a. MMX forms run through the same helpers on temporaries whose upper halves do not matter.
 */

import { EXC_GP, raiseError } from "./fault";
import { setFlags } from "./flags";
import { ENV_FP_EMPTY, ENV_FP_TOP } from "./generated/env";
import { probeWrite, storeU8 } from "./mmu";
import { checkPending } from "./x87";

export function destination(env: u32, imm: i32): u32 {
  return env + (imm & 0xffff);
}

export function source(env: u32, imm: i32): u32 {
  return env + (<u32>imm >> 16);
}

/** Before an MMX instruction: pending x87 exceptions; TOP = 0, all registers valid. */
export function mmxEnter(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  checkPending(env);
  store<u32>(env + ENV_FP_TOP, 0);
  store<u64>(env + ENV_FP_EMPTY, 0);
  return 0;
}

export function emms(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  checkPending(env);
  store<u32>(env + ENV_FP_TOP, 0);
  store<u64>(env + ENV_FP_EMPTY, 0x0101010101010101);
  return 0;
}

/** #GP(0) unless the address in a is a multiple of 16. */
export function checkAligned16(env: u32, address: u64, _b: u64, _imm: i32): u64 {
  if (address & 15) raiseError(env, EXC_GP, 0);
  return 0;
}

// --- multiplication

export function pmulhw(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const x = v128.load(d);
  const y = v128.load(source(env, imm));
  const low = i32x4.shr_s(i32x4.extmul_low_i16x8_s(x, y), 16);
  const high = i32x4.shr_s(i32x4.extmul_high_i16x8_s(x, y), 16);
  v128.store(d, i16x8.narrow_i32x4_s(low, high));
  return 0;
}

export function pmulhuw(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const x = v128.load(d);
  const y = v128.load(source(env, imm));
  const low = i32x4.extmul_low_i16x8_u(x, y);
  const high = i32x4.extmul_high_i16x8_u(x, y);
  v128.store(d, v128.shuffle<i16>(low, high, 1, 3, 5, 7, 9, 11, 13, 15));
  return 0;
}

/** ((x * y >> 14) + 1) >> 1 */
export function pmulhrsw(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const x = v128.load(d);
  const y = v128.load(source(env, imm));
  const one = i32x4.splat(1);
  const low = i32x4.shr_s(i32x4.add(i32x4.shr_s(i32x4.extmul_low_i16x8_s(x, y), 14), one), 1);
  const high = i32x4.shr_s(i32x4.add(i32x4.shr_s(i32x4.extmul_high_i16x8_s(x, y), 14), one), 1);
  v128.store(d, v128.shuffle<i16>(low, high, 0, 2, 4, 6, 8, 10, 12, 14));
  return 0;
}

export function pmuludq(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  store<u64>(d, <u64>load<u32>(d) * <u64>load<u32>(s));
  store<u64>(d, <u64>load<u32>(d, 8) * <u64>load<u32>(s, 8), 8);
  return 0;
}

export function pmuldq(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  store<i64>(d, <i64>load<i32>(d) * <i64>load<i32>(s));
  store<i64>(d, <i64>load<i32>(d, 8) * <i64>load<i32>(s, 8), 8);
  return 0;
}

/** Unsigned bytes of the destination times signed bytes of the source, pairs added with saturation. */
export function pmaddubsw(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const x = v128.load(d);
  const y = v128.load(source(env, imm));
  const even = i16x8.mul(v128.and(x, i16x8.splat(0xff)), i16x8.shr_s(i16x8.shl(y, 8), 8));
  const odd = i16x8.mul(i16x8.shr_u(x, 8), i16x8.shr_s(y, 8));
  v128.store(d, i16x8.add_sat_s(even, odd));
  return 0;
}

export function psadbw(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const x = v128.load(d);
  const y = v128.load(source(env, imm));
  const difference = v128.or(i8x16.sub_sat_u(x, y), i8x16.sub_sat_u(y, x));
  const words = i16x8.extadd_pairwise_i8x16_u(difference);
  const dwords = i32x4.extadd_pairwise_i16x8_u(words);
  v128.store(d, i64x2.add(i64x2.shr_u(dwords, 32), v128.and(dwords, i64x2.splat(0xffffffff))));
  return 0;
}

// --- shifts: the count is the low 64 bits of the source, or a

function shiftCount(env: u32, imm: i32): u64 {
  return load<u64>(source(env, imm));
}

/** kind: 0 left, 1 right, 2 arithmetic right; log: 1 words, 2 dwords, 3 qwords. */
function shiftPacked(d: u32, count: u64, kind: i32, log: i32): void {
  const bits = 8 << log;
  if (count >= <u64>bits) {
    if (kind !== 2) {
      v128.store(d, i64x2.splat(0));
      return;
    }
    count = bits - 1;
  }
  const n = <i32>count;
  const x = v128.load(d);
  if (log === 1) v128.store(d, kind === 0 ? i16x8.shl(x, n) : kind === 1 ? i16x8.shr_u(x, n) : i16x8.shr_s(x, n));
  else if (log === 2) v128.store(d, kind === 0 ? i32x4.shl(x, n) : kind === 1 ? i32x4.shr_u(x, n) : i32x4.shr_s(x, n));
  else v128.store(d, kind === 0 ? i64x2.shl(x, n) : i64x2.shr_u(x, n));
}

export function psllw(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  shiftPacked(destination(env, imm), shiftCount(env, imm), 0, 1);
  return 0;
}
export function pslld(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  shiftPacked(destination(env, imm), shiftCount(env, imm), 0, 2);
  return 0;
}
export function psllq(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  shiftPacked(destination(env, imm), shiftCount(env, imm), 0, 3);
  return 0;
}
export function psrlw(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  shiftPacked(destination(env, imm), shiftCount(env, imm), 1, 1);
  return 0;
}
export function psrld(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  shiftPacked(destination(env, imm), shiftCount(env, imm), 1, 2);
  return 0;
}
export function psrlq(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  shiftPacked(destination(env, imm), shiftCount(env, imm), 1, 3);
  return 0;
}
export function psraw(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  shiftPacked(destination(env, imm), shiftCount(env, imm), 2, 1);
  return 0;
}
export function psrad(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  shiftPacked(destination(env, imm), shiftCount(env, imm), 2, 2);
  return 0;
}
/** a = count in bits 0-7, kind in 8-9, size in 10-11. */
export function shiftImmediate(env: u32, a: u64, _b: u64, imm: i32): u64 {
  shiftPacked(destination(env, imm), a & 0xff, <i32>(a >> 8) & 3, <i32>(a >> 10) & 3);
  return 0;
}

/** PSLLDQ and PSRLDQ: whole bytes. */
export function pslldq(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const bits = (a & 0xff) << 3;
  const low = load<u64>(d);
  const high = load<u64>(d, 8);
  if (bits === 0) return 0;
  if (bits >= 128) {
    v128.store(d, i64x2.splat(0));
  } else if (bits >= 64) {
    store<u64>(d, 0);
    store<u64>(d, low << (bits - 64), 8);
  } else {
    store<u64>(d, low << bits);
    store<u64>(d, (high << bits) | (low >> (64 - bits)), 8);
  }
  return 0;
}

export function psrldq(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const bits = (a & 0xff) << 3;
  const low = load<u64>(d);
  const high = load<u64>(d, 8);
  if (bits === 0) return 0;
  if (bits >= 128) {
    v128.store(d, i64x2.splat(0));
  } else if (bits >= 64) {
    store<u64>(d, high >> (bits - 64));
    store<u64>(d, 0, 8);
  } else {
    store<u64>(d, (low >> bits) | (high << (64 - bits)));
    store<u64>(d, high >> bits, 8);
  }
  return 0;
}

/** PALIGNR on 128 bits: bytes a.. of destination:source. */
export function palignr(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const n = <u32>a & 0xff;
  const low = v128.load(source(env, imm));
  const high = v128.load(d);
  if (n >= 32) {
    v128.store(d, i64x2.splat(0));
    return 0;
  }
  const ramp = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  // Lanes out of range select zero in a swizzle.
  const index = i8x16.add(ramp, i8x16.splat(<i8>n));
  const fromLow = v128.swizzle(low, index);
  const fromHigh = v128.swizzle(high, i8x16.sub(index, i8x16.splat(16)));
  v128.store(d, v128.or(fromLow, fromHigh));
  return 0;
}

/** The 64-bit form: a = immediate, b = source, the destination's low half. */
export function palignr64(env: u32, a: u64, b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const bits = (a & 0xff) << 3;
  const high = load<u64>(d);
  let result: u64 = 0;
  if (bits === 0) result = b;
  else if (bits < 64) result = (b >> bits) | (high << (64 - bits));
  else if (bits < 128) result = high >> (bits - 64);
  store<u64>(d, result);
  return 0;
}

// --- shuffles

export function pshufb(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  // Bit 7 selects zero, bits 4 to 6 do not count.
  const index = v128.and(v128.load(source(env, imm)), i8x16.splat(<i8>0x8f));
  v128.store(d, v128.swizzle(v128.load(d), index));
  return 0;
}

/** The 64-bit form: three bits of index. */
export function pshufb64(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const index = v128.and(v128.load(source(env, imm)), i8x16.splat(<i8>0x87));
  v128.store(d, v128.swizzle(v128.load(d), index));
  return 0;
}

export function pshufd(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const s = source(env, imm);
  const d = destination(env, imm);
  const control = <u32>a;
  const x0 = load<u32>(s + ((control & 3) << 2));
  const x1 = load<u32>(s + (((control >> 2) & 3) << 2));
  const x2 = load<u32>(s + (((control >> 4) & 3) << 2));
  const x3 = load<u32>(s + (((control >> 6) & 3) << 2));
  store<u32>(d, x0);
  store<u32>(d, x1, 4);
  store<u32>(d, x2, 8);
  store<u32>(d, x3, 12);
  return 0;
}

/** Four words of a 64-bit value. */
function shuffleWords(value: u64, control: u32): u64 {
  let result: u64 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    const from = (control >> (2 * i)) & 3;
    result |= ((value >> (16 * from)) & 0xffff) << (16 * i);
  }
  return result;
}

export function pshufw(env: u32, a: u64, _b: u64, imm: i32): u64 {
  store<u64>(destination(env, imm), shuffleWords(load<u64>(source(env, imm)), <u32>a));
  return 0;
}

export function pshuflw(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const s = source(env, imm);
  const d = destination(env, imm);
  const high = load<u64>(s, 8);
  store<u64>(d, shuffleWords(load<u64>(s), <u32>a));
  store<u64>(d, high, 8);
  return 0;
}

export function pshufhw(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const s = source(env, imm);
  const d = destination(env, imm);
  const low = load<u64>(s);
  store<u64>(d, shuffleWords(load<u64>(s, 8), <u32>a), 8);
  store<u64>(d, low);
  return 0;
}

export function shufps(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const s = source(env, imm);
  const d = destination(env, imm);
  const control = <u32>a;
  const x0 = load<u32>(d + ((control & 3) << 2));
  const x1 = load<u32>(d + (((control >> 2) & 3) << 2));
  const x2 = load<u32>(s + (((control >> 4) & 3) << 2));
  const x3 = load<u32>(s + (((control >> 6) & 3) << 2));
  store<u32>(d, x0);
  store<u32>(d, x1, 4);
  store<u32>(d, x2, 8);
  store<u32>(d, x3, 12);
  return 0;
}

export function shufpd(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const s = source(env, imm);
  const d = destination(env, imm);
  const low = load<u64>(d + ((<u32>a & 1) << 3));
  const high = load<u64>(s + ((<u32>a & 2) << 2));
  store<u64>(d, low);
  store<u64>(d, high, 8);
  return 0;
}

// --- horizontal

export function phaddw(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const x = v128.load(d);
  const y = v128.load(source(env, imm));
  const even = v128.shuffle<i16>(x, y, 0, 2, 4, 6, 8, 10, 12, 14);
  const odd = v128.shuffle<i16>(x, y, 1, 3, 5, 7, 9, 11, 13, 15);
  v128.store(d, i16x8.add(even, odd));
  return 0;
}

export function phaddd(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const x = v128.load(d);
  const y = v128.load(source(env, imm));
  v128.store(d, i32x4.add(v128.shuffle<i32>(x, y, 0, 2, 4, 6), v128.shuffle<i32>(x, y, 1, 3, 5, 7)));
  return 0;
}

export function phaddsw(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const x = v128.load(d);
  const y = v128.load(source(env, imm));
  const even = v128.shuffle<i16>(x, y, 0, 2, 4, 6, 8, 10, 12, 14);
  const odd = v128.shuffle<i16>(x, y, 1, 3, 5, 7, 9, 11, 13, 15);
  v128.store(d, i16x8.add_sat_s(even, odd));
  return 0;
}

export function phsubw(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const x = v128.load(d);
  const y = v128.load(source(env, imm));
  const even = v128.shuffle<i16>(x, y, 0, 2, 4, 6, 8, 10, 12, 14);
  const odd = v128.shuffle<i16>(x, y, 1, 3, 5, 7, 9, 11, 13, 15);
  v128.store(d, i16x8.sub(even, odd));
  return 0;
}

export function phsubd(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const x = v128.load(d);
  const y = v128.load(source(env, imm));
  v128.store(d, i32x4.sub(v128.shuffle<i32>(x, y, 0, 2, 4, 6), v128.shuffle<i32>(x, y, 1, 3, 5, 7)));
  return 0;
}

export function phsubsw(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const x = v128.load(d);
  const y = v128.load(source(env, imm));
  const even = v128.shuffle<i16>(x, y, 0, 2, 4, 6, 8, 10, 12, 14);
  const odd = v128.shuffle<i16>(x, y, 1, 3, 5, 7, 9, 11, 13, 15);
  v128.store(d, i16x8.sub_sat_s(even, odd));
  return 0;
}

export function psignb(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const x = v128.load(d);
  const y = v128.load(source(env, imm));
  const negative = i8x16.shr_s(y, 7);
  const signed = i8x16.sub(v128.xor(x, negative), negative);
  v128.store(d, v128.andnot(signed, i8x16.eq(y, i64x2.splat(0))));
  return 0;
}

export function psignw(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const x = v128.load(d);
  const y = v128.load(source(env, imm));
  const negative = i16x8.shr_s(y, 15);
  const signed = i16x8.sub(v128.xor(x, negative), negative);
  v128.store(d, v128.andnot(signed, i16x8.eq(y, i64x2.splat(0))));
  return 0;
}

export function psignd(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const x = v128.load(d);
  const y = v128.load(source(env, imm));
  const negative = i32x4.shr_s(y, 31);
  const signed = i32x4.sub(v128.xor(x, negative), negative);
  v128.store(d, v128.andnot(signed, i32x4.eq(y, i64x2.splat(0))));
  return 0;
}

/** Smallest unsigned word and its index. */
export function phminposuw(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  let best: u32 = 0xffff;
  let at: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) {
    const word = <u32>load<u16>(s + i * 2);
    if (word < best) {
      best = word;
      at = i;
    }
  }
  store<u64>(d, <u64>(best | (at << 16)));
  store<u64>(d, 0, 8);
  return 0;
}

/** Sums of absolute differences of four bytes at eight offsets. */
export function mpsadbw(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm) + ((<u32>a & 3) << 2);
  const from = d + (<u32>a & 4);
  let low: u64 = 0;
  let high: u64 = 0;
  for (let i: u32 = 0; i < 8; i++) {
    let sum: i32 = 0;
    for (let k: u32 = 0; k < 4; k++) {
      const difference = <i32>load<u8>(from + i + k) - <i32>load<u8>(s + k);
      sum += difference < 0 ? -difference : difference;
    }
    if (i < 4) low |= (<u64>sum) << (16 * i);
    else high |= (<u64>sum) << (16 * (i - 4));
  }
  store<u64>(d, low);
  store<u64>(d, high, 8);
  return 0;
}

// --- blends and masks

export function pblendvb(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const mask = i8x16.shr_s(v128.load(env + <u32>a), 7);
  v128.store(d, v128.bitselect(v128.load(source(env, imm)), v128.load(d), mask));
  return 0;
}

export function blendvps(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const mask = i32x4.shr_s(v128.load(env + <u32>a), 31);
  v128.store(d, v128.bitselect(v128.load(source(env, imm)), v128.load(d), mask));
  return 0;
}

export function blendvpd(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const mask = i64x2.shr_s(v128.load(env + <u32>a), 63);
  v128.store(d, v128.bitselect(v128.load(source(env, imm)), v128.load(d), mask));
  return 0;
}

/** PBLENDW, BLENDPS and BLENDPD: a = word mask. */
export function pblendw(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  for (let i: u32 = 0; i < 8; i++) if ((<u32>a >> i) & 1) store<u16>(d + i * 2, load<u16>(s + i * 2));
  return 0;
}

/** One bit a byte, word pair or quadword: a = 0 bytes, 2 dwords, 3 qwords; imm = the source's offset. */
export function moveMask(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const x = v128.load(env + imm);
  return <u64>(a === 0 ? i8x16.bitmask(x) : a === 2 ? i32x4.bitmask(x) : i64x2.bitmask(x));
}

/** PTEST: ZF = no common bits, CF = the source has no bits outside the destination. */
export function ptest(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  const common = (load<u64>(d) & load<u64>(s)) | (load<u64>(d, 8) & load<u64>(s, 8));
  const outside = (~load<u64>(d) & load<u64>(s)) | (~load<u64>(d, 8) & load<u64>(s, 8));
  setFlags(env, (common === 0 ? 0x40 : 0) | (outside === 0 ? 1 : 0));
  return 0;
}

/** MASKMOVDQU and MASKMOVQ: stores the bytes of the destination register that the mask selects; a = address, b = bytes. */
export function maskedStore(env: u32, address: u64, b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  const size = <u32>b;
  let any: u32 = 0;
  for (let i: u32 = 0; i < size; i++) {
    if (load<u8>(s + i) & 0x80) {
      probeWrite(env, address + i, 1);
      any = 1;
    }
  }
  if (any) {
    for (let i: u32 = 0; i < size; i++) {
      if (load<u8>(s + i) & 0x80) storeU8(env, address + i, <u64>load<u8>(d + i));
    }
  }
  return 0;
}

// --- elements

/** Element b (byte, word, dword or qword by a = log2 size) of the register at imm. */
export function extractElement(env: u32, a: u64, b: u64, imm: i32): u64 {
  const p = env + imm;
  const i = <u32>b;
  if (a === 0) return <u64>load<u8>(p + i);
  if (a === 1) return <u64>load<u16>(p + i * 2);
  if (a === 2) return <u64>load<u32>(p + i * 4);
  return load<u64>(p + i * 8);
}

/** Writes a into an element: imm = register offset, b = log2 size | index << 8. */
export function insertElement(env: u32, a: u64, b: u64, imm: i32): u64 {
  const p = env + imm;
  const log = <u32>b & 0xff;
  const i = <u32>b >> 8;
  if (log === 0) store<u8>(p + i, <u8>a);
  else if (log === 1) store<u16>(p + i * 2, <u16>a);
  else if (log === 2) store<u32>(p + i * 4, <u32>a);
  else store<u64>(p + i * 8, a);
  return 0;
}

/** INSERTPS: a = immediate, b = the dword to insert. */
export function insertps(env: u32, a: u64, b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const control = <u32>a;
  store<u32>(d + (((control >> 4) & 3) << 2), <u32>b);
  for (let i: u32 = 0; i < 4; i++) if ((control >> i) & 1) store<u32>(d + i * 4, 0);
  return 0;
}

/** IR: faults as a store of imm bytes at a would, before an instruction changes anything. */
export function probeStore(env: u32, address: u64, _b: u64, imm: i32): u64 {
  probeWrite(env, address, imm);
  return 0;
}
