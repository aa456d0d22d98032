/**
 * Segmentation: descriptors, loading of segment registers, LDTR and TR, limit and type checks, LAR LSL VERR VERW ARPL.
 * Intel SDM volume 3, chapters 3 and 5.
 *
 * Real and virtual-8086 mode: a load sets base = selector << 4; in real mode limit and D/B stay what they were ("unreal
 * mode"), in virtual-8086 mode the limit is 64 KiB.
 */

import { castShadow } from "./debug";
import { EXC_GP, EXC_NP, EXC_SS, EXC_UD, raise, raiseError } from "./fault";
import { getFlags, setFlags, updateHflags } from "./flags";
import {
  CC_Z,
  ENV_EFER,
  ENV_GDT_BASE,
  ENV_GDT_LIMIT,
  ENV_HFLAGS,
  ENV_LDT_ATTR,
  ENV_LDT_BASE,
  ENV_LDT_LIMIT,
  ENV_LDT_SELECTOR,
  ENV_SEG_ATTR,
  ENV_SEG_BASE,
  ENV_SEG_LIMIT,
  ENV_SEG_SELECTOR,
  ENV_TR_ATTR,
  ENV_TR_BASE,
  ENV_TR_LIMIT,
  ENV_TR_SELECTOR,
  HF_CPL,
  HF_CS64,
  HF_PE,
  HF_VM,
  INHIBIT_MOV_SS,
} from "./generated/env";
import { isCanonical, loadU32K, loadU64K, storeU8K } from "./mmu";
import {
  ATTR_ACCESSED,
  ATTR_CODE,
  ATTR_DB,
  ATTR_DPL_SHIFT,
  ATTR_EC,
  ATTR_G,
  ATTR_MASK,
  ATTR_P,
  ATTR_S,
  ATTR_WR,
  EFER_LMA,
  SEG_CS,
  SEG_SS,
} from "./registers";

export const TYPE_TSS16: u32 = 1;
export const TYPE_LDT: u32 = 2;
export const TYPE_TSS16_BUSY: u32 = 3;
export const TYPE_CALL16: u32 = 4;
export const TYPE_TASK: u32 = 5;
export const TYPE_INT16: u32 = 6;
export const TYPE_TRAP16: u32 = 7;
export const TYPE_TSS32: u32 = 9;
export const TYPE_TSS32_BUSY: u32 = 11;
export const TYPE_CALL32: u32 = 12;
export const TYPE_INT32: u32 = 14;
export const TYPE_TRAP32: u32 = 15;

/** No descriptor: beyond the table's limit. */
export const NO_DESCRIPTOR: u64 = ~0;

export function cplOf(env: u32): u32 {
  return load<u32>(env + ENV_HFLAGS) & HF_CPL;
}

export function isLongMode(env: u32): bool {
  return (load<u64>(env + ENV_EFER) & EFER_LMA) !== 0;
}

export function isCode64(env: u32): bool {
  return (load<u32>(env + ENV_HFLAGS) & HF_CS64) !== 0;
}

/** Protected mode and not virtual-8086. */
export function isProtected(env: u32): bool {
  return (load<u32>(env + ENV_HFLAGS) & (HF_PE | HF_VM)) === HF_PE;
}

export function isVm86(env: u32): bool {
  return (load<u32>(env + ENV_HFLAGS) & HF_VM) !== 0;
}

// --- Descriptors.

export function descriptorBase(descriptor: u64): u64 {
  return ((descriptor >> 16) & 0xffffff) | ((descriptor >> 56) << 24);
}

export function descriptorAttr(descriptor: u64): u32 {
  return <u32>(descriptor >> 32) & ATTR_MASK;
}

export function descriptorLimit(descriptor: u64): u32 {
  const limit = <u32>(descriptor & 0xffff) | (<u32>(descriptor >> 32) & 0xf0000);
  return <u32>(descriptor >> 32) & ATTR_G ? (limit << 12) | 0xfff : limit;
}

export function attrDpl(attr: u32): u32 {
  return (attr >> ATTR_DPL_SHIFT) & 3;
}

/** Type field of a system descriptor. */
export function attrType(attr: u32): u32 {
  return (attr >> 8) & 15;
}

/** Linear address of a selector's descriptor of `size` bytes, or NO_DESCRIPTOR. */
export function descriptorAddress(env: u32, selector: u32, size: u32): u64 {
  const index = selector & 0xfff8;
  if (selector & 4) {
    if (!(load<u32>(env + ENV_LDT_ATTR) & ATTR_P) || index + size - 1 > load<u32>(env + ENV_LDT_LIMIT)) {
      return NO_DESCRIPTOR;
    }
    return load<u64>(env + ENV_LDT_BASE) + index;
  }
  if (index + size - 1 > load<u32>(env + ENV_GDT_LIMIT)) return NO_DESCRIPTOR;
  return load<u64>(env + ENV_GDT_BASE) + index;
}

/** The descriptor; raises `vector` with the selector as error code (plus EXT) when it is beyond the limit. */
export function fetchDescriptor(env: u32, selector: u32, vector: i32, ext: u32): u64 {
  const address = descriptorAddress(env, selector, 8);
  if (address === NO_DESCRIPTOR) raiseError(env, vector, (selector & 0xfffc) | ext);
  return loadU64K(env, address);
}

/** The upper eight bytes of a 16-byte system descriptor. */
export function fetchDescriptorHigh(env: u32, selector: u32, vector: i32, ext: u32): u64 {
  const address = descriptorAddress(env, selector, 16);
  if (address === NO_DESCRIPTOR) raiseError(env, vector, (selector & 0xfffc) | ext);
  const high = loadU64K(env, address + 8);
  // Bits 12..8 of the last dword must be zero.
  if ((high >> 40) & 0x1f) raiseError(env, vector, (selector & 0xfffc) | ext);
  return high;
}

/** Sets the accessed bit in the descriptor table. */
export function markAccessed(env: u32, selector: u32, descriptor: u64): void {
  if ((descriptor >> 40) & 1) return;
  storeU8K(env, descriptorAddress(env, selector, 8) + 5, (descriptor >> 40) | 1);
}

// --- Segment registers.

/** Sets all of a segment register; hflags are not updated. */
export function setSegment(env: u32, index: u32, selector: u32, base: u64, limit: u32, attr: u32): void {
  store<u32>(env + ENV_SEG_SELECTOR + index * 4, selector);
  store<u64>(env + ENV_SEG_BASE + index * 8, base);
  store<u32>(env + ENV_SEG_LIMIT + index * 4, limit);
  store<u32>(env + ENV_SEG_ATTR + index * 4, attr);
}

/** Fills a segment register from a descriptor that was checked; hflags are not updated. */
export function setSegmentFrom(env: u32, index: u32, selector: u32, descriptor: u64): void {
  const attr = descriptorAttr(descriptor) | ATTR_ACCESSED;
  setSegment(env, index, selector, descriptorBase(descriptor), descriptorLimit(descriptor), attr);
}

/** A null selector in a segment register: unusable; SS (64-bit mode only) keeps the CPL as its DPL. */
export function setSegmentNull(env: u32, index: u32, selector: u32): void {
  const attr: u32 = index === SEG_SS ? (selector & 3) << ATTR_DPL_SHIFT : 0;
  setSegment(env, index, selector, 0, 0, attr);
}

/** As real mode (or virtual-8086 mode if `vm`) loads it; hflags are not updated. */
export function setSegmentReal(env: u32, index: u32, selector: u32, vm: bool): void {
  if (vm) {
    setSegment(env, index, selector, selector << 4, 0xffff, 0xf300);
    return;
  }
  const attr = (load<u32>(env + ENV_SEG_ATTR + index * 4) & 0x00f00000) | 0x9300;
  setSegment(env, index, selector, selector << 4, load<u32>(env + ENV_SEG_LIMIT + index * 4), attr);
}

/** Checks that `descriptor` may be loaded into SS at `cpl`; `vector` is #GP, or #TS in task and stack switches. */
export function checkStackDescriptor(env: u32, selector: u32, descriptor: u64, cpl: u32, vector: i32, ext: u32): void {
  const attr = descriptorAttr(descriptor);
  const error = (selector & 0xfffc) | ext;
  if (
    (selector & 3) !== cpl ||
    (attr & (ATTR_S | ATTR_CODE | ATTR_WR)) !== (ATTR_S | ATTR_WR) ||
    attrDpl(attr) !== cpl
  ) {
    raiseError(env, vector, error);
  }
  if (!(attr & ATTR_P)) raiseError(env, EXC_SS, error);
}

/** Checks that `descriptor` may be loaded into a data segment register. */
export function checkDataDescriptor(env: u32, selector: u32, descriptor: u64, cpl: u32, vector: i32): void {
  const attr = descriptorAttr(descriptor);
  const error = selector & 0xfffc;
  if (!(attr & ATTR_S) || (attr & (ATTR_CODE | ATTR_WR)) === ATTR_CODE) raiseError(env, vector, error);
  if ((attr & (ATTR_CODE | ATTR_EC)) !== (ATTR_CODE | ATTR_EC)) {
    const dpl = attrDpl(attr);
    if (dpl < cpl || dpl < (selector & 3)) raiseError(env, vector, error);
  }
  if (!(attr & ATTR_P)) raiseError(env, EXC_NP, error);
}

/** IR: loads segment register `imm` (not CS) with selector `a`; 0x100 added: casts the shadow of MOV SS and POP SS. */
export function loadSegment(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const selector = <u32>a & 0xffff;
  const index = <u32>imm & 0xff;
  if (!isProtected(env)) {
    setSegmentReal(env, index, selector, isVm86(env));
  } else if (selector & 0xfffc) {
    const descriptor = fetchDescriptor(env, selector, EXC_GP, 0);
    const cpl = cplOf(env);
    if (index === SEG_SS) checkStackDescriptor(env, selector, descriptor, cpl, EXC_GP, 0);
    else checkDataDescriptor(env, selector, descriptor, cpl, EXC_GP);
    markAccessed(env, selector, descriptor);
    setSegmentFrom(env, index, selector, descriptor);
  } else {
    if (index === SEG_SS) {
      const cpl = cplOf(env);
      if (!isCode64(env) || cpl === 3 || (selector & 3) !== cpl) raiseError(env, EXC_GP, 0);
    }
    setSegmentNull(env, index, selector);
  }
  if (imm >> 8) castShadow(env, INHIBIT_MOV_SS);
  updateHflags(env);
  return 0;
}

// --- Checks on access.

/** Whether [offset, offset + size) lies inside a segment (not in 64-bit mode). */
export function insideSegment(limit: u32, attr: u32, offset: u64, size: u32): bool {
  const last = offset + size - 1;
  if ((attr & (ATTR_S | ATTR_CODE | ATTR_EC)) === (ATTR_S | ATTR_EC)) {
    return offset > limit && last <= (attr & ATTR_DB ? 0xffffffff : 0xffff);
  }
  return last <= limit;
}

/**
 * IR: raises what an access at offset `a` of a segment raises, outside 64-bit mode. imm: segment in bits 3..0, size less
 * one in bits 15..4, write in bit 16.
 */
export function segmentCheck(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const index = <u32>imm & 15;
  const size = ((<u32>imm >> 4) & 0xfff) + 1;
  const attr = load<u32>(env + ENV_SEG_ATTR + index * 4);
  let good = insideSegment(load<u32>(env + ENV_SEG_LIMIT + index * 4), attr, a & 0xffffffff, size);
  if (isProtected(env)) {
    if (!(attr & ATTR_P)) good = false;
    else if (imm >> 16) good = good && (attr & (ATTR_CODE | ATTR_WR)) === ATTR_WR;
    else good = good && (attr & (ATTR_CODE | ATTR_WR)) !== ATTR_CODE;
  }
  if (!good) raiseError(env, index === SEG_SS ? EXC_SS : EXC_GP, 0);
  return 0;
}

/** IR: raises #GP if a near transfer to offset `a` leaves the code segment. */
export function checkCodeLimit(env: u32, a: u64, _b: u64, _imm: i32): u64 {
  if ((a & 0xffffffff) > load<u32>(env + ENV_SEG_LIMIT + SEG_CS * 4)) raiseError(env, EXC_GP, 0);
  return 0;
}

// --- LDTR and TR.

function requireProtected(env: u32): void {
  if (!isProtected(env)) raise(env, EXC_UD);
}

/** IR: LLDT of selector `a`. */
export function lldt(env: u32, a: u64, _b: u64, _imm: i32): u64 {
  const selector = <u32>a & 0xffff;
  requireProtected(env);
  if (cplOf(env)) raiseError(env, EXC_GP, 0);
  loadLdt(env, selector, EXC_GP);
  return 0;
}

/** Loads LDTR; `vector` is #GP, or #TS in a task switch. */
export function loadLdt(env: u32, selector: u32, vector: i32): void {
  const error = selector & 0xfffc;
  if (!error) {
    store<u32>(env + ENV_LDT_SELECTOR, selector);
    store<u32>(env + ENV_LDT_ATTR, 0);
    store<u32>(env + ENV_LDT_LIMIT, 0);
    store<u64>(env + ENV_LDT_BASE, 0);
    return;
  }
  if (selector & 4) raiseError(env, vector, error);
  const descriptor = fetchDescriptor(env, selector, vector, 0);
  const attr = descriptorAttr(descriptor);
  if (attr & ATTR_S || attrType(attr) !== TYPE_LDT) raiseError(env, vector, error);
  let base = descriptorBase(descriptor);
  if (isLongMode(env)) {
    base |= fetchDescriptorHigh(env, selector, vector, 0) << 32;
    if (!isCanonical(base)) raiseError(env, vector, error);
  }
  if (!(attr & ATTR_P)) raiseError(env, vector === EXC_GP ? EXC_NP : vector, error);
  store<u32>(env + ENV_LDT_SELECTOR, selector);
  store<u32>(env + ENV_LDT_ATTR, attr);
  store<u32>(env + ENV_LDT_LIMIT, descriptorLimit(descriptor));
  store<u64>(env + ENV_LDT_BASE, base);
}

/** IR: LTR of selector `a`. */
export function ltr(env: u32, a: u64, _b: u64, _imm: i32): u64 {
  const selector = <u32>a & 0xffff;
  const error = selector & 0xfffc;
  requireProtected(env);
  if (cplOf(env)) raiseError(env, EXC_GP, 0);
  if (!error || selector & 4) raiseError(env, EXC_GP, error);
  const descriptor = fetchDescriptor(env, selector, EXC_GP, 0);
  const attr = descriptorAttr(descriptor);
  const type = attrType(attr);
  const long = isLongMode(env);
  if (attr & ATTR_S || !(type === TYPE_TSS32 || (type === TYPE_TSS16 && !long))) raiseError(env, EXC_GP, error);
  if (!(attr & ATTR_P)) raiseError(env, EXC_NP, error);
  let base = descriptorBase(descriptor);
  if (long) {
    base |= fetchDescriptorHigh(env, selector, EXC_GP, 0) << 32;
    if (!isCanonical(base)) raiseError(env, EXC_GP, error);
  }
  // Busy.
  storeU8K(env, descriptorAddress(env, selector, 8) + 5, (descriptor >> 40) | 2);
  store<u32>(env + ENV_TR_SELECTOR, selector);
  store<u32>(env + ENV_TR_ATTR, attr | 0x200);
  store<u32>(env + ENV_TR_LIMIT, descriptorLimit(descriptor));
  store<u64>(env + ENV_TR_BASE, base);
  return 0;
}

// --- LAR, LSL, VERR, VERW, ARPL.

/** The high word of the descriptor behind a selector if it may be seen from here, or 0. `types`: system types allowed. */
function visible(env: u32, selector: u32, types: u32): u32 {
  if (!(selector & 0xfffc)) return 0;
  const address = descriptorAddress(env, selector, 8);
  if (address === NO_DESCRIPTOR) return 0;
  const high = <u32>loadU32K(env, address + 4);
  if (!(high & ATTR_S)) {
    if (!((types >> attrType(high)) & 1)) return 0;
  } else if ((high & (ATTR_CODE | ATTR_EC)) === (ATTR_CODE | ATTR_EC)) return high;
  const dpl = attrDpl(high);
  return dpl < cplOf(env) || dpl < (selector & 3) ? 0 : high;
}

function setZero(env: u32, zero: bool): void {
  const flags = getFlags(env);
  setFlags(env, zero ? flags | CC_Z : flags & ~CC_Z);
}

const SYSTEM_LIMITS: u32 = (1 << TYPE_LDT) | (1 << TYPE_TSS32) | (1 << TYPE_TSS32_BUSY);
const SYSTEM_LIMITS_LEGACY: u32 = SYSTEM_LIMITS | (1 << TYPE_TSS16) | (1 << TYPE_TSS16_BUSY);
const SYSTEM_RIGHTS: u32 = SYSTEM_LIMITS | (1 << TYPE_CALL32);
const SYSTEM_RIGHTS_LEGACY: u32 = SYSTEM_LIMITS_LEGACY | (1 << TYPE_CALL32) | (1 << TYPE_CALL16) | (1 << TYPE_TASK);

/** IR: LAR: the rights behind selector `a`, or `b` (the old value) if it is not visible; sets ZF. */
export function lar(env: u32, a: u64, b: u64, _imm: i32): u64 {
  requireProtected(env);
  const high = visible(env, <u32>a & 0xffff, isLongMode(env) ? SYSTEM_RIGHTS : SYSTEM_RIGHTS_LEGACY);
  setZero(env, high !== 0);
  return high ? high & 0x00ffff00 : b;
}

/** IR: LSL: the limit behind selector `a`, or `b` if it is not visible; sets ZF. */
export function lsl(env: u32, a: u64, b: u64, _imm: i32): u64 {
  requireProtected(env);
  const selector = <u32>a & 0xffff;
  const high = visible(env, selector, isLongMode(env) ? SYSTEM_LIMITS : SYSTEM_LIMITS_LEGACY);
  setZero(env, high !== 0);
  return high ? descriptorLimit(loadU64K(env, descriptorAddress(env, selector, 8))) : b;
}

/** IR: VERR (imm 0) and VERW (imm 1) of selector `a`; sets ZF. */
export function verify(env: u32, a: u64, _b: u64, imm: i32): u64 {
  requireProtected(env);
  const high = visible(env, <u32>a & 0xffff, 0);
  let good = high !== 0;
  if (imm) good = good && (high & (ATTR_CODE | ATTR_WR)) === ATTR_WR;
  else good = good && (high & (ATTR_CODE | ATTR_WR)) !== ATTR_CODE;
  setZero(env, good);
  return 0;
}

/** IR: ARPL: sets ZF if the RPL of selector `a` was below that of `b`. */
export function arpl(env: u32, a: u64, b: u64, _imm: i32): u64 {
  setZero(env, (a & 3) < (b & 3));
  return 0;
}
