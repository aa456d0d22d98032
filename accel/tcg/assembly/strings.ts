/**
 * String instructions with REP prefixes, as bulk operations on runs that stay inside one page on each side. Intel SDM
 * volume 2, REP.
 *
 * Invariants:
 *  - RCX, RSI and RDI are up to date whenever an access may fault, so the instruction can be restarted.
 *  - The result is that of moving one element after the other, also when source and destination overlap.
 *  - A call handles at most MAX_BYTES and then asks to be called again, so that interrupts can be taken in between;
 *    EFLAGS.RF is set meanwhile, as the manual wants it in the image that such an interrupt pushes.
 *  - SCAS and CMPS change the flags when a call returns, not where one faults.
 *  - While stepping or with breakpoints, a call handles one element.
 */

import { rethrow } from "./fault";
import { updateHflags } from "./flags";
import {
  CC_SUB,
  ENV_CC_DST,
  ENV_CC_OP,
  ENV_CC_SRC,
  ENV_CHARGE,
  ENV_DF,
  ENV_EFLAGS,
  ENV_HFLAGS,
  ENV_REGS,
  ENV_SEG_ATTR,
  ENV_SEG_BASE,
  ENV_SEG_LIMIT,
  HF_CS64,
  HF_DEBUG,
  HF_TF,
} from "./generated/env";
import { notifyWrite } from "./host";
import {
  checksAlignment,
  loadU8,
  loadU16,
  loadU32,
  loadU64,
  PLACE_FAULT,
  PLACE_MMIO,
  PLACE_NOTIFY,
  PLACE_WATCH,
  probeWrite,
  resolveData,
  storeU8,
  storeU16,
  storeU32,
  storeU64,
} from "./mmu";
import { checkPort, ioIn, ioOut } from "./ports";
import { EFLAGS_RF, SEG_ES, SEG_FS } from "./registers";
import { segmentCheck } from "./segments";
import { ACCESS_READ, ACCESS_WRITE } from "./walk";

const RAX: u32 = ENV_REGS;
const RCX: u32 = ENV_REGS + 8;
const RDX: u32 = ENV_REGS + 16;
const RSI: u32 = ENV_REGS + 48;
const RDI: u32 = ENV_REGS + 56;

const MAX_BYTES: u32 = 65536;
/** How much a call counts for the time slice. */
const BYTES_PER_INSTRUCTION: u32 = 16;
/** Elements that go one by one (registers of devices, ports) per call. */
const MAX_SINGLE: u32 = 4096;

export const STRING_MOVS: u32 = 0;
export const STRING_STOS: u32 = 1;
export const STRING_LODS: u32 = 2;
export const STRING_SCAS: u32 = 3;
export const STRING_CMPS: u32 = 4;
export const STRING_INS: u32 = 5;
export const STRING_OUTS: u32 = 6;

/** A register as an address or count of 2, 4 or 8 bytes. */
function get(env: u32, register: u32, size: u32): u64 {
  if (size === 2) return load<u16>(env + register);
  return size === 4 ? load<u32>(env + register) : load<u64>(env + register);
}

function put(env: u32, register: u32, size: u32, value: u64): void {
  if (size === 2) store<u16>(env + register, <u16>value);
  else store<u64>(env + register, size === 4 ? value & 0xffffffff : value);
}

/** Linear address of an element, after the checks of its segment. */
function linear(env: u32, segment: u32, offset: u64, size: u32, write: bool): u64 {
  if (load<u32>(env + ENV_HFLAGS) & HF_CS64) {
    return segment >= SEG_FS ? load<u64>(env + ENV_SEG_BASE + segment * 8) + offset : offset;
  }
  segmentCheck(env, offset, 0, segment | ((size - 1) << 4) | (write ? 1 << 16 : 0));
  return (load<u64>(env + ENV_SEG_BASE + segment * 8) + offset) & 0xffffffff;
}

/** Whether the offsets of a whole run pass the checks that its first element passed. */
function runInside(env: u32, segment: u32, first: u64, last: u64, size: u32): bool {
  if (load<u32>(env + ENV_HFLAGS) & HF_CS64) return true;
  const attr = load<u32>(env + ENV_SEG_ATTR + segment * 4);
  // Expand-down segments go element by element.
  if ((attr & 0x1c00) === 0x1400) return false;
  return (first > last ? first : last) + size - 1 <= load<u32>(env + ENV_SEG_LIMIT + segment * 4);
}

/** How many elements from `address` on, in direction `down`, lie in its page; 0 if the first one does not itself. */
function inPage(address: u64, size: u32, down: bool): u32 {
  const offset = <u32>address & 0xfff;
  if (offset + size > 0x1000) return 0;
  return down ? offset / size + 1 : (0x1000 - offset) / size;
}

/** How many elements an offset can advance before it wraps around its address size. */
function beforeWrap(offset: u64, size: u32, addressSize: u32, down: bool): u64 {
  if (down) return offset / size + 1;
  if (addressSize === 8) return ~0;
  const end: u64 = addressSize === 2 ? 0x10000 : 0x100000000;
  return (end - offset + size - 1) / size;
}

function loadElement(env: u32, address: u64, size: u32): u64 {
  if (size === 1) return loadU8(env, address);
  if (size === 2) return loadU16(env, address);
  return size === 4 ? loadU32(env, address) : loadU64(env, address);
}

function storeElement(env: u32, address: u64, size: u32, value: u64): void {
  if (size === 1) storeU8(env, address, value);
  else if (size === 2) storeU16(env, address, value);
  else if (size === 4) storeU32(env, address, value);
  else storeU64(env, address, value);
}

function peekHost(at: u32, size: u32): u64 {
  if (size === 1) return load<u8>(at);
  if (size === 2) return load<u16>(at);
  return size === 4 ? load<u32>(at) : load<u64>(at);
}

function pokeHost(at: u32, size: u32, value: u64): void {
  if (size === 1) store<u8>(at, <u8>value);
  else if (size === 2) store<u16>(at, <u16>value);
  else if (size === 4) store<u32>(at, <u32>value);
  else store<u64>(at, value);
}

/** Copies upwards, element after element. */
function copyUp(to: u32, from: u32, bytes: u32, size: u32): void {
  const distance = to - from;
  if (distance === 0) return;
  if (distance >= bytes) {
    memory.copy(to, from, bytes);
    return;
  }
  if (distance < size) {
    for (let i: u32 = 0; i < bytes; i += size) pokeHost(to + i, size, peekHost(from + i, size));
    return;
  }
  // The destination follows the source closely: what was just written is read again, a repeating pattern.
  for (let done: u32 = 0; done < bytes; ) {
    let part = bytes - done;
    if (part > distance) part = distance;
    memory.copy(to + done, from + done, part);
    done += part;
  }
}

/** Copies downwards from the element at `from`; `to` and `from` are the highest elements. */
function copyDown(to: u32, from: u32, bytes: u32, size: u32): void {
  const low = bytes - size;
  if (to >= from || from - to >= bytes) {
    memory.copy(to - low, from - low, bytes);
    return;
  }
  for (let i: u32 = 0; i < bytes; i += size) pokeHost(to - i, size, peekHost(from - i, size));
}

/** Fills with an element. */
function fill(to: u32, bytes: u32, size: u32, value: u64): void {
  const byte = value & 0xff;
  const even =
    size === 1 || (size === 2 ? value & 0xffff : size === 4 ? value & 0xffffffff : value) === spread(byte, size);
  if (even) {
    memory.fill(to, <u8>byte, bytes);
    return;
  }
  pokeHost(to, size, value);
  for (let done = size; done < bytes; ) {
    let part = bytes - done;
    if (part > done) part = done;
    memory.copy(to + done, to, part);
    done += part;
  }
}

function spread(byte: u64, size: u32): u64 {
  const all = byte * (<u64>~0 / 255);
  return size === 2 ? all & 0xffff : size === 4 ? all & 0xffffffff : all;
}

function usesSource(op: u32): bool {
  return op === STRING_MOVS || op === STRING_LODS || op === STRING_CMPS || op === STRING_OUTS;
}

function usesDestination(op: u32): bool {
  return op !== STRING_LODS && op !== STRING_OUTS;
}

function writes(op: u32): bool {
  return op === STRING_MOVS || op === STRING_STOS || op === STRING_INS;
}

function compared(op: u32): bool {
  return op === STRING_SCAS || op === STRING_CMPS;
}

/** What SCAS or CMPS compared last in this call. */
let lastLeft: u64 = 0;
let lastRight: u64 = 0;

function setCompareFlags(env: u32, size: u32): void {
  store<u64>(env + ENV_CC_OP, CC_SUB + (31 - clz<u32>(size)));
  store<u64>(env + ENV_CC_SRC, lastRight);
  store<u64>(env + ENV_CC_DST, lastLeft - lastRight);
}

/**
 * IR: a repeated string instruction. imm: STRING_* in bits 3..0, element size in bits 7..4, address size in bits 11..8,
 * source segment in bits 15..12, and in bit 16 for SCAS and CMPS whether equality goes on (REPE) or ends (REPNE).
 * Returns 1 when finished, 0 to be called again. Sets ccOp for SCAS and CMPS, if anything was compared.
 */
export function repeatString(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const op = <u32>imm & 15;
  const size = (<u32>imm >> 4) & 15;
  const addressSize = (<u32>imm >> 8) & 15;
  const segment = (<u32>imm >> 12) & 15;
  const whileEqual = (<u32>imm >> 16) & 1;
  const down = load<i64>(env + ENV_DF) < 0;
  const isSlow = (load<u32>(env + ENV_HFLAGS) & (HF_TF | HF_DEBUG)) !== 0;
  let bytes: u32 = 0;
  let singles: u32 = 0;
  let count = get(env, RCX, addressSize);
  let more = false;
  while (count) {
    more = bytes >= MAX_BYTES || singles >= MAX_SINGLE || (isSlow && singles !== 0);
    if (more) break;
    const run = isSlow || op >= STRING_INS ? 0 : bulk(env, op, size, addressSize, segment, whileEqual, down, count);
    if (run) {
      bytes += (run & 0xffff) * size;
      if (run >> 31) break;
    } else {
      singles++;
      const ends = single(env, op, size, addressSize, segment, whileEqual, down);
      advance(env, RCX, addressSize, ~0);
      if (ends) break;
    }
    count = get(env, RCX, addressSize);
  }
  if (compared(op) && bytes + singles) setCompareFlags(env, size);
  return more ? interrupted(env) : finish(env);
}

function finish(env: u32): u64 {
  if (load<u64>(env + ENV_EFLAGS) & EFLAGS_RF) setResume(env, 0);
  return 1;
}

/** The slice ends as early as if the elements had been moved by instructions of their own. */
function interrupted(env: u32): u64 {
  store<u32>(env + ENV_CHARGE, MAX_BYTES / BYTES_PER_INSTRUCTION);
  setResume(env, EFLAGS_RF);
  return 0;
}

function setResume(env: u32, bit: u64): void {
  store<u64>(env + ENV_EFLAGS, (load<u64>(env + ENV_EFLAGS) & ~EFLAGS_RF) | bit);
  updateHflags(env);
}

function advance(env: u32, register: u32, addressSize: u32, delta: u64): void {
  put(env, register, addressSize, get(env, register, addressSize) + delta);
}

/** One element, with all checks; true if it ends the repetition. RCX is the caller's. */
function single(env: u32, op: u32, size: u32, addressSize: u32, segment: u32, whileEqual: u32, down: bool): bool {
  let source: u64 = 0;
  let destination: u64 = 0;
  let left: u64 = 0;
  let ends = false;
  let right: u64 = 0;
  if (op >= STRING_INS) checkPort(env, <u32>load<u16>(env + RDX), size);
  if (compared(op)) right = loadElement(env, linear(env, SEG_ES, get(env, RDI, addressSize), size, false), size);
  if (usesSource(op)) {
    source = linear(env, segment, get(env, RSI, addressSize), size, false);
    left = loadElement(env, source, size);
  }
  if (writes(op)) destination = linear(env, SEG_ES, get(env, RDI, addressSize), size, true);
  switch (op) {
    case STRING_MOVS:
      storeElement(env, destination, size, left);
      break;
    case STRING_STOS:
      storeElement(env, destination, size, load<u64>(env + RAX));
      break;
    case STRING_LODS:
      setAccumulator(env, size, left);
      break;
    case STRING_INS:
      probeWrite(env, destination, size);
      storeElement(env, destination, size, ioIn(env, load<u16>(env + RDX), 0, size));
      break;
    case STRING_OUTS:
      ioOut(env, load<u16>(env + RDX), left, size);
      break;
    default: {
      if (op === STRING_SCAS) left = accumulator(env, size);
      lastLeft = left;
      lastRight = right;
      ends = (left === right) !== (whileEqual !== 0);
    }
  }
  const step: u64 = down ? 0 - <u64>size : size;
  if (usesSource(op)) advance(env, RSI, addressSize, step);
  if (usesDestination(op)) advance(env, RDI, addressSize, step);
  return ends;
}

function accumulator(env: u32, size: u32): u64 {
  return peekHost(env + RAX, size);
}

function setAccumulator(env: u32, size: u32, value: u64): void {
  if (size === 4) store<u64>(env + RAX, value);
  else pokeHost(env + RAX, size, value);
}

/**
 * As many elements as lie in one page on each side. Returns how many were done, with bit 31 set when a comparison ended
 * the repetition; 0 when the next element needs `single` (page crossing, registers of devices, breakpoints, a limit).
 */
function bulk(
  env: u32,
  op: u32,
  size: u32,
  addressSize: u32,
  segment: u32,
  whileEqual: u32,
  down: bool,
  count: u64,
): u32 {
  let n = count < 4096 ? <u32>count : 4096;
  const step: u64 = down ? 0 - <u64>size : size;
  let from: u32 = 0;
  let to: u32 = 0;
  let notify = false;
  for (let side = 0; side < 2; side++) {
    // CMPS looks at its destination first.
    const isSource = (side === 0) !== (op === STRING_CMPS);
    if (!(isSource ? usesSource(op) : usesDestination(op))) continue;
    const isWritten = !isSource && writes(op);
    const index = isSource ? segment : SEG_ES;
    const offset = get(env, isSource ? RSI : RDI, addressSize);
    const address = linear(env, index, offset, size, isWritten);
    n = limitRun(n, address, offset, size, addressSize, down);
    if (n < 2 || !runInside(env, index, offset, offset + step * (n - 1), size)) return 0;
    if (checksAlignment(env) && address & (size - 1)) return 0;
    const place = resolveData(env, address, isWritten ? ACCESS_WRITE : ACCESS_READ);
    if (place & PLACE_FAULT) rethrow();
    if (place & (PLACE_MMIO | PLACE_WATCH)) return 0;
    if (isSource) from = <u32>place;
    else to = <u32>place;
    if (place & PLACE_NOTIFY) notify = isWritten;
  }
  const bytes = n * size;
  let result = n;
  if (op === STRING_MOVS) {
    if (down) copyDown(to, from, bytes, size);
    else copyUp(to, from, bytes, size);
  } else if (op === STRING_STOS) {
    fill(down ? to - bytes + size : to, bytes, size, load<u64>(env + RAX));
  } else if (op === STRING_LODS) {
    setAccumulator(env, size, peekHost(down ? from - bytes + size : from + bytes - size, size));
  } else {
    result = compareRun(env, op, size, whileEqual, down, n, from, to);
    n = result & 0xffff;
  }
  const delta = step * n;
  if (usesSource(op)) advance(env, RSI, addressSize, delta);
  if (usesDestination(op)) advance(env, RDI, addressSize, delta);
  advance(env, RCX, addressSize, 0 - <u64>n);
  if (notify) notifyWrite(down ? to - bytes + size : to, bytes);
  return result;
}

function limitRun(n: u32, address: u64, offset: u64, size: u32, addressSize: u32, down: bool): u32 {
  const page = inPage(address, size, down);
  if (page < n) n = page;
  const wrap = beforeWrap(offset, size, addressSize, down);
  return wrap < <u64>n ? <u32>wrap : n;
}

/** Compares up to `n` elements; how many were, with bit 31 set if the last one ended the repetition. */
function compareRun(env: u32, op: u32, size: u32, whileEqual: u32, down: bool, n: u32, from: u32, to: u32): u32 {
  const step: u32 = down ? 0 - size : size;
  let left = accumulator(env, size);
  let right: u64 = 0;
  let done: u32 = 0;
  let ended = false;
  while (done < n && !ended) {
    if (op === STRING_CMPS) left = peekHost(from + done * step, size);
    right = peekHost(to + done * step, size);
    ended = (left === right) !== (whileEqual !== 0);
    done++;
  }
  lastLeft = left;
  lastRight = right;
  return ended ? done | 0x80000000 : done;
}
