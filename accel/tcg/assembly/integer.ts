/**
 * Integer instructions that are too long for IR: wide products and quotients, decimal adjustment, compare and exchange
 * of double operands, CRC32, bit deposit and extract. Intel SDM volume 2.
 */

import { EXC_DE, EXC_GP, raise, raiseError } from "./fault";
import { getFlags, setFlags } from "./flags";
import { CC_A, CC_C, CC_P, CC_S, CC_Z, ENV_REGS } from "./generated/env";
import { random } from "./host";
import { checkAlignment, loadU64, probeWrite, storeU64 } from "./mmu";

const RAX: u32 = ENV_REGS;
const RCX: u32 = ENV_REGS + 8;
const RDX: u32 = ENV_REGS + 16;
const RBX: u32 = ENV_REGS + 24;

/** IR: the upper 64 bits of an unsigned product. */
export function mulHighUnsigned(_env: u32, a: u64, b: u64, _imm: i32): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const middle = aHigh * bLow + ((aLow * bLow) >> 32);
  return aHigh * bHigh + (middle >> 32) + ((aLow * bHigh + (middle & 0xffffffff)) >> 32);
}

/** IR: the upper 64 bits of a signed product. */
export function mulHighSigned(env: u32, a: u64, b: u64, imm: i32): u64 {
  return mulHighUnsigned(env, a, b, imm) - (<i64>a < 0 ? b : 0) - (<i64>b < 0 ? a : 0);
}

/** Quotient of high:low by `divisor`, which is above `high`; the remainder goes to `remainderAt`. Knuth's algorithm D. */
function divide128(high: u64, low: u64, divisor: u64, remainderAt: u32): u64 {
  if (high === 0) {
    store<u64>(remainderAt, low % divisor);
    return low / divisor;
  }
  const shift = clz<u64>(divisor);
  const d = divisor << shift;
  const dHigh = d >> 32;
  const dLow = d & 0xffffffff;
  const top = (high << shift) | (shift ? low >> (64 - shift) : 0);
  const rest = low << shift;
  let q1 = digit(top, dHigh, dLow, rest >> 32);
  const middle = (top << 32) + (rest >> 32) - q1 * d;
  const q0 = digit(middle, dHigh, dLow, rest & 0xffffffff);
  store<u64>(remainderAt, ((middle << 32) + (rest & 0xffffffff) - q0 * d) >> shift);
  return (q1 << 32) + q0;
}

/** One 32-bit digit of a quotient. */
function digit(top: u64, dHigh: u64, dLow: u64, next: u64): u64 {
  let q = top / dHigh;
  let r = top % dHigh;
  while (q >> 32 || q * dLow > ((r << 32) | next)) {
    q--;
    r += dHigh;
    if (r >> 32) break;
  }
  return q;
}

function setLow(at: u32, size: i32, value: u64): void {
  if (size === 1) store<u8>(at, <u8>value);
  else if (size === 2) store<u16>(at, <u16>value);
  else if (size === 4) store<u64>(at, value & 0xffffffff);
  else store<u64>(at, value);
}

function setQuotient(env: u32, size: i32, quotient: u64, remainder: u64): void {
  setLow(env + RAX, size, quotient);
  setLow(size === 1 ? env + RAX + 1 : env + RDX, size, remainder);
}

/** IR: DIV by `a`, an operand of `imm` bytes. */
export function divideUnsigned(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const rax = load<u64>(env + RAX);
  const rdx = load<u64>(env + RDX);
  if (imm === 8) {
    if (rdx >= a) raise(env, EXC_DE);
    const quotient = divide128(rdx, rax, a, env + RDX);
    store<u64>(env + RAX, quotient);
    return 0;
  }
  const bits = <u64>(imm * 8);
  const mask = ((<u64>1) << bits) - 1;
  const divisor = a & mask;
  const dividend = imm === 1 ? rax & 0xffff : (rax & mask) | ((rdx & mask) << bits);
  if (divisor === 0 || dividend >> bits >= divisor) raise(env, EXC_DE);
  setQuotient(env, imm, dividend / divisor, dividend % divisor);
  return 0;
}

/** IR: IDIV by `a`, an operand of `imm` bytes. */
export function divideSigned(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const rax = load<u64>(env + RAX);
  const rdx = load<u64>(env + RDX);
  if (imm === 8) {
    const negative = <i64>rdx < 0;
    const divisor = <i64>a < 0 ? 0 - a : a;
    const low = negative ? 0 - rax : rax;
    const high = negative ? ~rdx + (rax === 0 ? 1 : 0) : rdx;
    if (high >= divisor) raise(env, EXC_DE);
    const minus = negative !== <i64>a < 0;
    // The largest magnitudes: 2^63 for a negative quotient, one less for a positive one.
    const limit: u64 = minus ? 1 << 63 : (1 << 63) - 1;
    // A quotient that does not fit must leave RDX alone: divide into the scratch of the quotient first.
    const before = rdx;
    const quotient = divide128(high, low, divisor, env + RDX);
    if (quotient > limit) {
      store<u64>(env + RDX, before);
      raise(env, EXC_DE);
    }
    const remainder = load<u64>(env + RDX);
    store<u64>(env + RAX, minus ? 0 - quotient : quotient);
    store<u64>(env + RDX, negative ? 0 - remainder : remainder);
    return 0;
  }
  const bits = <u64>(imm * 8);
  const up = 64 - bits;
  const divisor = <i64>(a << up) >> up;
  let dividend: i64;
  if (imm === 1) dividend = <i64>(<i16>rax);
  else if (imm === 2) dividend = <i64>(<i32>((rdx << 16) | (rax & 0xffff)));
  else dividend = <i64>((rdx << 32) | (rax & 0xffffffff));
  if (divisor === 0 || (divisor === -1 && dividend === i64.MIN_VALUE)) raise(env, EXC_DE);
  const quotient = dividend / divisor;
  if ((quotient << up) >> up !== quotient) raise(env, EXC_DE);
  setQuotient(env, imm, quotient, dividend % divisor);
  return 0;
}

function byteFlags(value: u32): u32 {
  value &= 0xff;
  return (value & 0x80 ? CC_S : 0) | (value ? 0 : CC_Z) | (popcnt<u32>(value) & 1 ? 0 : CC_P);
}

/** IR: DAA. OF is cleared. */
export function daa(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  return decimalAdjust(env, 6, 0x60);
}

/** IR: DAS. OF is cleared. */
export function das(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  return decimalAdjust(env, <u32>-6, <u32>-0x60);
}

function decimalAdjust(env: u32, six: u32, sixty: u32): u64 {
  const before = <u32>load<u8>(env + RAX);
  const flags = getFlags(env);
  let al = before;
  let result: u32 = 0;
  if ((al & 0xf) > 9 || flags & CC_A) {
    al += six;
    // Only DAS reports the borrow of its first step.
    if ((flags | (six >> 31 ? al >> 8 : 0)) & CC_C) result |= CC_C;
    result |= CC_A;
  }
  if (before > 0x99 || flags & CC_C) {
    al += sixty;
    result |= CC_C;
  }
  store<u8>(env + RAX, <u8>al);
  setFlags(env, result | byteFlags(al));
  return 0;
}

/** IR: AAA. SF, ZF and PF follow AL; OF is cleared. */
export function aaa(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  return asciiAdjust(env, 0x106);
}

/** IR: AAS. SF, ZF and PF follow AL; OF is cleared. */
export function aas(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  return asciiAdjust(env, <u32>-0x106);
}

function asciiAdjust(env: u32, step: u32): u64 {
  let ax = <u32>load<u16>(env + RAX);
  const adjust = (ax & 0xf) > 9 || getFlags(env) & CC_A;
  if (adjust) ax += step;
  ax &= 0xff0f;
  store<u16>(env + RAX, <u16>ax);
  setFlags(env, byteFlags(ax) | (adjust ? CC_A | CC_C : 0));
  return 0;
}

/** IR: AAM with base `imm`. */
export function aam(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const base = <u32>imm & 0xff;
  if (base === 0) raise(env, EXC_DE);
  const al = <u32>load<u8>(env + RAX);
  store<u16>(env + RAX, <u16>(((al / base) << 8) | (al % base)));
  setFlags(env, byteFlags(al % base));
  return 0;
}

/** IR: AAD with base `imm`. */
export function aad(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const ax = <u32>load<u16>(env + RAX);
  const al = ((ax & 0xff) + (ax >> 8) * (<u32>imm & 0xff)) & 0xff;
  store<u16>(env + RAX, <u16>al);
  setFlags(env, byteFlags(al));
  return 0;
}

/** IR: CMPXCHG8B at linear address `a`. The operand is written in either case. */
export function cmpxchg8b(env: u32, a: u64, _b: u64, _imm: i32): u64 {
  checkAlignment(env, a, 8);
  probeWrite(env, a, 8);
  const old = loadU64(env, a);
  const expected = (load<u64>(env + RAX) & 0xffffffff) | (load<u64>(env + RDX) << 32);
  const flags = getFlags(env);
  if (old === expected) {
    storeU64(env, a, (load<u64>(env + RBX) & 0xffffffff) | (load<u64>(env + RCX) << 32));
    setFlags(env, flags | CC_Z);
  } else {
    storeU64(env, a, old);
    store<u64>(env + RAX, old & 0xffffffff);
    store<u64>(env + RDX, old >> 32);
    setFlags(env, flags & ~CC_Z);
  }
  return 0;
}

/** IR: CMPXCHG16B at linear address `a`. */
export function cmpxchg16b(env: u32, a: u64, _b: u64, _imm: i32): u64 {
  if (a & 15) raiseError(env, EXC_GP, 0);
  probeWrite(env, a, 16);
  const low = loadU64(env, a);
  const high = loadU64(env, a + 8);
  const flags = getFlags(env);
  if (low === load<u64>(env + RAX) && high === load<u64>(env + RDX)) {
    storeU64(env, a, load<u64>(env + RBX));
    storeU64(env, a + 8, load<u64>(env + RCX));
    setFlags(env, flags | CC_Z);
  } else {
    storeU64(env, a, low);
    storeU64(env, a + 8, high);
    store<u64>(env + RAX, low);
    store<u64>(env + RDX, high);
    setFlags(env, flags & ~CC_Z);
  }
  return 0;
}

/** CRC-32C (polynomial 0x11edc6f41, reflected) of a byte, followed by as many zero bytes as the table's number. */
const CRC_TABLES = memory.data(8 * 1024);
for (let value: u32 = 0; value < 256; value++) {
  let crc = value;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  store<u32>(CRC_TABLES + value * 4, crc);
}
for (let at: u32 = 0; at < 7 * 1024; at += 4) {
  const crc = load<u32>(CRC_TABLES + at);
  store<u32>(CRC_TABLES + at, (crc >>> 8) ^ load<u32>(CRC_TABLES + (crc & 0xff) * 4), 1024);
}

/** IR: CRC32 of accumulator `a` with the `imm` bytes of `b`. */
export function crc32(_env: u32, a: u64, b: u64, imm: i32): u64 {
  let rest = b ^ (a & 0xffffffff);
  let crc = imm < 4 ? <u32>a >>> (imm * 8) : 0;
  for (let table = CRC_TABLES + (imm - 1) * 1024; imm > 0; imm--, table -= 1024) {
    crc ^= load<u32>(table + (<u32>rest & 0xff) * 4);
    rest >>= 8;
  }
  return crc;
}

/** IR: 64 random bits, for RDRAND and RDSEED. */
export function readRandom(_env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  return random();
}

/** IR: PDEP of `a` into mask `b`. */
export function pdep(_env: u32, a: u64, b: u64, _imm: i32): u64 {
  let result: u64 = 0;
  while (b) {
    const lowest = b & (0 - b);
    if (a & 1) result |= lowest;
    a >>= 1;
    b ^= lowest;
  }
  return result;
}

/** IR: PEXT of `a` through mask `b`. */
export function pext(_env: u32, a: u64, b: u64, _imm: i32): u64 {
  let result: u64 = 0;
  let bit: u64 = 1;
  while (b) {
    const lowest = b & (0 - b);
    if (a & lowest) result |= bit;
    bit <<= 1;
    b ^= lowest;
  }
  return result;
}
