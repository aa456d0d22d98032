/** PCMPESTRI, PCMPESTRM, PCMPISTRI and PCMPISTRM. Intel SDM volume 2, section 4.1. */

import { setFlags } from "./flags";
import { ENV_REGS, ENV_XMM } from "./generated/env";
import { destination, source } from "./sse-int";

/** Bits of a above the immediate. */
const EXPLICIT: u32 = 0x100;
const WIDE: u32 = 0x400;

const WORDS: u32 = 1;
const SIGNED: u32 = 2;

const EQUAL_ANY: u32 = 0;
const RANGES: u32 = 1;
const EQUAL_EACH: u32 = 2;

/** Which elements are equal, a bit each. */
function equal(x: v128, y: v128, control: u32): u32 {
  return control & WORDS ? i16x8.bitmask(i16x8.eq(x, y)) : i8x16.bitmask(i8x16.eq(x, y));
}

/** Which elements of x are at least those of y. */
function atLeast(x: v128, y: v128, control: u32): u32 {
  if (control & WORDS) return i16x8.bitmask(control & SIGNED ? i16x8.ge_s(x, y) : i16x8.ge_u(x, y));
  return i8x16.bitmask(control & SIGNED ? i8x16.ge_s(x, y) : i8x16.ge_u(x, y));
}

/** Element i of the vector at p in all places. */
function spread(p: u32, i: u32, control: u32): v128 {
  return control & WORDS ? v128.load16_splat(p + i * 2) : v128.load8_splat(p + i);
}

/** Elements before the terminating zero. */
function implicitLength(x: v128, count: u32, control: u32): u32 {
  return ctz(equal(x, i64x2.splat(0), control) | (1 << count));
}

function explicitLength(env: u32, register: u32, count: u32, wide: bool): u32 {
  const value = wide ? load<i64>(env + ENV_REGS + register * 8) : <i64>load<i32>(env + ENV_REGS + register * 8);
  const magnitude = <u64>(value < 0 ? -value : value);
  return magnitude > <u64>count ? count : <u32>magnitude;
}

/** For each element of the second string whether it matches, a bit each. a = immediate, EXPLICIT and WIDE. Sets the flags. */
function compare(env: u32, control: u32, imm: i32): u32 {
  const first = destination(env, imm);
  const x = v128.load(first);
  const y = v128.load(source(env, imm));
  const count: u32 = control & WORDS ? 8 : 16;
  const all: u32 = (1 << count) - 1;
  let length1: u32 = 0;
  let length2: u32 = 0;
  if (control & EXPLICIT) {
    length1 = explicitLength(env, 0, count, (control & WIDE) !== 0);
    length2 = explicitLength(env, 2, count, (control & WIDE) !== 0);
  } else {
    length1 = implicitLength(x, count, control);
    length2 = implicitLength(y, count, control);
  }
  const valid1: u32 = (1 << length1) - 1;
  const valid2: u32 = (1 << length2) - 1;
  const aggregation = (control >> 2) & 3;
  let result: u32 = 0;
  if (aggregation === EQUAL_EACH) {
    result = (equal(x, y, control) & valid1 & valid2) | (all & ~(valid1 | valid2));
  } else if (aggregation === EQUAL_ANY) {
    for (let i: u32 = 0; i < length1; i++) result |= equal(spread(first, i, control), y, control);
    result &= valid2;
  } else if (aggregation === RANGES) {
    for (let i: u32 = 0; i + 1 < length1; i += 2) {
      const low = spread(first, i, control);
      const high = spread(first, i + 1, control);
      result |= atLeast(y, low, control) & atLeast(high, y, control);
    }
    result &= valid2;
  } else {
    // Equal ordered: the first string begins at an element, as far as the register reaches.
    result = all;
    for (let i: u32 = 0; i < length1; i++) {
      result &= ((equal(spread(first, i, control), y, control) & valid2) | ~all) >> i;
    }
  }
  const polarity = (control >> 4) & 3;
  if (polarity === 1) result ^= all;
  else if (polarity === 3) result ^= valid2;
  setFlags(
    env,
    (result !== 0 ? 1 : 0) | (length2 < count ? 0x40 : 0) | (length1 < count ? 0x80 : 0) | (result & 1 ? 0x800 : 0),
  );
  return result;
}

/** Writes the index of the first or last match to ECX. */
export function pcmpstri(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const control = <u32>a;
  const result = compare(env, control, imm);
  const none: u32 = control & WORDS ? 8 : 16;
  store<u64>(env + ENV_REGS + 8, <u64>(result === 0 ? none : control & 0x40 ? 31 - clz(result) : ctz(result)));
  return 0;
}

/** Writes the matches to XMM0, as bits or as elements. */
export function pcmpstrm(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const control = <u32>a;
  const result = compare(env, control, imm);
  const to = env + ENV_XMM;
  if (!(control & 0x40)) {
    v128.store(to, i64x2.replace_lane(i64x2.splat(0), 0, result));
  } else if (control & WORDS) {
    const bits = i16x8(1, 2, 4, 8, 16, 32, 64, 128);
    v128.store(to, i16x8.eq(v128.and(i16x8.splat(<i16>result), bits), bits));
  } else {
    const bits = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
    const bytes = i8x16.shuffle(
      i16x8.splat(<i16>result),
      i64x2.splat(0),
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      1,
      1,
      1,
      1,
      1,
      1,
      1,
      1,
    );
    v128.store(to, i8x16.eq(v128.and(bytes, bits), bits));
  }
  return 0;
}
