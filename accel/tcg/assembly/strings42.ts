/** PCMPESTRI, PCMPESTRM, PCMPISTRI and PCMPISTRM. Intel SDM volume 2, section 4.1. */

import { setFlags } from "./flags";
import { ENV_REGS, ENV_XMM } from "./generated/env";
import { destination, source } from "./sse-int";

/** Bits of a above the immediate. */
const EXPLICIT: u32 = 0x100;
const MASK: u32 = 0x200;
const WIDE: u32 = 0x400;

const EQUAL_ANY: u32 = 0;
const RANGES: u32 = 1;
const EQUAL_EACH: u32 = 2;

function element(p: u32, i: u32, control: u32): i32 {
  if (control & 1) return control & 2 ? <i32>load<i16>(p + i * 2) : <i32>load<u16>(p + i * 2);
  return control & 2 ? <i32>load<i8>(p + i) : <i32>load<u8>(p + i);
}

/** Elements before the terminating zero. */
function implicitLength(p: u32, count: u32, control: u32): u32 {
  let length: u32 = 0;
  while (length < count && element(p, length, control) !== 0) length++;
  return length;
}

function explicitLength(env: u32, register: u32, count: u32, wide: bool): u32 {
  const value = wide ? load<i64>(env + ENV_REGS + register * 8) : <i64>load<i32>(env + ENV_REGS + register * 8);
  const magnitude = <u64>(value < 0 ? -value : value);
  return magnitude > <u64>count ? count : <u32>magnitude;
}

/** Whether element j of the second string matches the first one as a whole (or, for "each", element j of it). */
function matches(first: u32, second: u32, j: u32, length1: u32, length2: u32, count: u32, control: u32): bool {
  const aggregation = (control >> 2) & 3;
  if (aggregation === EQUAL_EACH) {
    if (j >= length1 || j >= length2) return j >= length1 && j >= length2;
    return element(first, j, control) === element(second, j, control);
  }
  if (aggregation === EQUAL_ANY || aggregation === RANGES) {
    if (j >= length2) return false;
    const value = element(second, j, control);
    if (aggregation === EQUAL_ANY) {
      for (let i: u32 = 0; i < length1; i++) if (element(first, i, control) === value) return true;
    } else {
      for (let i: u32 = 0; i + 1 < length1; i += 2) {
        if (element(first, i, control) <= value && value <= element(first, i + 1, control)) return true;
      }
    }
    return false;
  }
  // Equal ordered: the first string begins at j, as far as the register reaches.
  for (let i: u32 = 0; i < length1 && j + i < count; i++) {
    if (j + i >= length2 || element(first, i, control) !== element(second, j + i, control)) return false;
  }
  return true;
}

/** a = immediate, EXPLICIT, MASK and WIDE. Writes ECX or XMM0, and the flags. */
export function pcmpstr(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const control = <u32>a;
  const first = destination(env, imm);
  const second = source(env, imm);
  const count: u32 = control & 1 ? 8 : 16;
  let length1: u32 = 0;
  let length2: u32 = 0;
  if (control & EXPLICIT) {
    length1 = explicitLength(env, 0, count, (control & WIDE) !== 0);
    length2 = explicitLength(env, 2, count, (control & WIDE) !== 0);
  } else {
    length1 = implicitLength(first, count, control);
    length2 = implicitLength(second, count, control);
  }
  let result: u32 = 0;
  for (let j: u32 = 0; j < count; j++) {
    if (matches(first, second, j, length1, length2, count, control)) result |= 1 << j;
  }
  const polarity = (control >> 4) & 3;
  if (polarity === 1) result ^= (1 << count) - 1;
  else if (polarity === 3) result ^= (1 << length2) - 1;
  if (control & MASK) {
    const low = env + ENV_XMM;
    if (control & 0x40) {
      for (let j: u32 = 0; j < count; j++) {
        const on = (result >> j) & 1;
        if (control & 1) store<u16>(low + j * 2, on ? 0xffff : 0);
        else store<u8>(low + j, on ? 0xff : 0);
      }
    } else {
      store<u64>(low, <u64>result);
      store<u64>(low, 0, 8);
    }
  } else {
    const index: u32 = result === 0 ? count : control & 0x40 ? 31 - clz(result) : ctz(result);
    store<u64>(env + ENV_REGS + 8, <u64>index);
  }
  setFlags(
    env,
    (result !== 0 ? 1 : 0) | (length2 < count ? 0x40 : 0) | (length1 < count ? 0x80 : 0) | (result & 1 ? 0x800 : 0),
  );
  return 0;
}
