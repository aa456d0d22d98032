/**
 * A stack that is being written or read by a far transfer: opened (the present one, or that of an inner ring), used, and
 * committed to SS:RSP when nothing can fault any more. Lives in env's scratch, at SCRATCH_STACK.
 */

import { EXC_SS, EXC_TS, raiseError } from "./fault";
import {
  ENV_HFLAGS,
  ENV_REGS,
  ENV_SCRATCH,
  ENV_SEG_ATTR,
  ENV_SEG_BASE,
  ENV_SEG_LIMIT,
  ENV_TR_ATTR,
  ENV_TR_BASE,
  ENV_TR_LIMIT,
  ENV_TR_SELECTOR,
  HF_CS64,
  HF_SS32,
} from "./generated/env";
import {
  isCanonical,
  loadU16,
  loadU16K,
  loadU32,
  loadU32K,
  loadU64,
  loadU64K,
  storeU16,
  storeU16K,
  storeU32,
  storeU32K,
  storeU64,
  storeU64K,
} from "./mmu";
import { ATTR_DB, SEG_SS } from "./registers";
import {
  attrType,
  checkStackDescriptor,
  descriptorAttr,
  descriptorBase,
  descriptorLimit,
  fetchDescriptor,
  insideSegment,
  markAccessed,
  TYPE_TSS16,
  TYPE_TSS16_BUSY,
} from "./segments";

const BASE: u32 = ENV_SCRATCH + 512;
const POINTER: u32 = BASE + 8;
const MASK: u32 = BASE + 16;
const LIMIT: u32 = BASE + 24;
const ATTR: u32 = BASE + 28;
/** Error code of #SS. */
const ERROR: u32 = BASE + 32;
/** Accesses are a supervisor's implicit ones. */
const SYSTEM: u32 = BASE + 36;
/** 64-bit stack: no segment, canonical addresses. */
const WIDE: u32 = BASE + 40;
const SELECTOR: u32 = BASE + 44;
const DESCRIPTOR: u32 = BASE + 48;

const RSP: u32 = ENV_REGS + 4 * 8;

function set(
  env: u32,
  base: u64,
  limit: u32,
  attr: u32,
  pointer: u64,
  mask: u64,
  error: u32,
  isSystem: u32,
  isWide: u32,
): void {
  store<u64>(env + BASE, base);
  store<u64>(env + POINTER, pointer);
  store<u64>(env + MASK, mask);
  store<u32>(env + LIMIT, limit);
  store<u32>(env + ATTR, attr);
  store<u32>(env + ERROR, error);
  store<u32>(env + SYSTEM, isSystem);
  store<u32>(env + WIDE, isWide);
}

/** Opens SS:RSP. `isSystem`: accesses count as the supervisor's (an event was taken at CPL < 3, say). */
export function openStack(env: u32, error: u32, isSystem: u32): void {
  const hflags = load<u32>(env + ENV_HFLAGS);
  const wide: u32 = hflags & HF_CS64 ? 1 : 0;
  const mask: u64 = wide ? ~0 : hflags & HF_SS32 ? 0xffffffff : 0xffff;
  set(
    env,
    wide ? 0 : load<u64>(env + ENV_SEG_BASE + SEG_SS * 8),
    load<u32>(env + ENV_SEG_LIMIT + SEG_SS * 4),
    load<u32>(env + ENV_SEG_ATTR + SEG_SS * 4),
    load<u64>(env + RSP),
    mask,
    error,
    isSystem,
    wide,
  );
}

/** Opens a 64-bit stack at `pointer`. */
export function openStack64(env: u32, pointer: u64, error: u32, isSystem: u32): void {
  set(env, 0, 0, 0, pointer, ~0, error, isSystem, 1);
}

/** Opens the stack that a loaded stack-segment descriptor describes. */
export function openStackOf(env: u32, selector: u32, descriptor: u64, pointer: u64, error: u32): void {
  const attr = descriptorAttr(descriptor);
  const mask: u64 = attr & ATTR_DB ? 0xffffffff : 0xffff;
  set(env, descriptorBase(descriptor), descriptorLimit(descriptor), attr, pointer, mask, error, 1, 0);
  store<u32>(env + SELECTOR, selector);
  store<u64>(env + DESCRIPTOR, descriptor);
}

/**
 * Opens the stack of ring `cpl` that a 16- or 32-bit TSS names, after all checks (which raise #TS and #SS). The selector
 * and descriptor are kept for `innerSelector` and `innerDescriptor`.
 */
export function openInnerStack(env: u32, cpl: u32, ext: u32): void {
  const base = load<u64>(env + ENV_TR_BASE);
  const limit = load<u32>(env + ENV_TR_LIMIT);
  const type = attrType(load<u32>(env + ENV_TR_ATTR));
  const trError = (load<u32>(env + ENV_TR_SELECTOR) & 0xfffc) | ext;
  let pointer: u64;
  let selector: u32;
  if (type === TYPE_TSS16 || type === TYPE_TSS16_BUSY) {
    const at: u32 = 2 + cpl * 4;
    if (at + 3 > limit) raiseError(env, EXC_TS, trError);
    pointer = loadU16K(env, base + at);
    selector = <u32>loadU16K(env, base + at + 2);
  } else {
    const at: u32 = 4 + cpl * 8;
    if (at + 5 > limit) raiseError(env, EXC_TS, trError);
    pointer = loadU32K(env, base + at);
    selector = <u32>loadU16K(env, base + at + 4);
  }
  if (!(selector & 0xfffc)) raiseError(env, EXC_TS, ext);
  const descriptor = fetchDescriptor(env, selector, EXC_TS, ext);
  checkStackDescriptor(env, selector, descriptor, cpl, EXC_TS, ext);
  markAccessed(env, selector, descriptor);
  openStackOf(env, selector, descriptor, pointer, (selector & 0xfffc) | ext);
}

/** RSP number `slot` (0 to 2: rings; 4 to 10: IST 1 to 7) of a 64-bit TSS. */
export function tss64Stack(env: u32, slot: u32, ext: u32): u64 {
  const at: u32 = 4 + slot * 8;
  if (at + 7 > load<u32>(env + ENV_TR_LIMIT)) {
    raiseError(env, EXC_TS, (load<u32>(env + ENV_TR_SELECTOR) & 0xfffc) | ext);
  }
  const pointer = loadU64K(env, load<u64>(env + ENV_TR_BASE) + at);
  if (!isCanonical(pointer)) raiseError(env, EXC_SS, ext);
  return pointer;
}

export function innerSelector(env: u32): u32 {
  return load<u32>(env + SELECTOR);
}

export function innerDescriptor(env: u32): u64 {
  return load<u64>(env + DESCRIPTOR);
}

/** Linear address of `size` bytes at `offset`; raises #SS when they are outside. */
function locate(env: u32, offset: u64, size: u32): u64 {
  if (load<u32>(env + WIDE)) {
    if (!isCanonical(offset) || !isCanonical(offset + size - 1)) raiseError(env, EXC_SS, load<u32>(env + ERROR));
    return offset;
  }
  if (!insideSegment(load<u32>(env + LIMIT), load<u32>(env + ATTR), offset, size)) {
    raiseError(env, EXC_SS, load<u32>(env + ERROR));
  }
  return (load<u64>(env + BASE) + offset) & 0xffffffff;
}

/** Pushes `size` bytes (2, 4 or 8). */
export function push(env: u32, size: u32, value: u64): void {
  const mask = load<u64>(env + MASK);
  const offset = (load<u64>(env + POINTER) - size) & mask;
  const address = locate(env, offset, size);
  if (load<u32>(env + SYSTEM)) {
    if (size === 2) storeU16K(env, address, value);
    else if (size === 4) storeU32K(env, address, value);
    else storeU64K(env, address, value);
  } else {
    if (size === 2) storeU16(env, address, value);
    else if (size === 4) storeU32(env, address, value);
    else storeU64(env, address, value);
  }
  store<u64>(env + POINTER, offset);
}

/** Reads `size` bytes `at` bytes above the top, without popping them. */
export function peek(env: u32, at: u32, size: u32): u64 {
  const address = locate(env, (load<u64>(env + POINTER) + at) & load<u64>(env + MASK), size);
  if (load<u32>(env + SYSTEM)) {
    if (size === 2) return loadU16K(env, address);
    return size === 4 ? loadU32K(env, address) : loadU64K(env, address);
  }
  if (size === 2) return loadU16(env, address);
  return size === 4 ? loadU32(env, address) : loadU64(env, address);
}

/** Pops `size` bytes. */
export function pop(env: u32, size: u32): u64 {
  const value = peek(env, 0, size);
  drop(env, size);
  return value;
}

/** Moves the pointer up. */
export function drop(env: u32, bytes: u32): void {
  store<u64>(env + POINTER, (load<u64>(env + POINTER) + bytes) & load<u64>(env + MASK));
}

/** RSP as its mask leaves it after pushes or pops: only the low 16 bits change on a 16-bit stack. */
export function commitPointer(env: u32): void {
  setPointer(env, load<u64>(env + POINTER), load<u64>(env + MASK));
}

export function setPointer(env: u32, pointer: u64, mask: u64): void {
  if (mask === 0xffff) store<u16>(env + RSP, <u16>pointer);
  else store<u64>(env + RSP, pointer & mask);
}

/** The pointer as it stands. */
export function pointerNow(env: u32): u64 {
  return load<u64>(env + POINTER);
}
