/**
 * Paging: from linear to guest-physical addresses, and access to guest-physical memory. Intel SDM volume 3, chapter 4.
 *
 * A walk returns one u64: the physical address of the 4 KiB page in bits 51..12, WALK_* bits below, the log2 of the
 * page's size in bits 57..52; or WALK_FAULT, with the exception (and CR2) set in env, not thrown.
 */

import { EXC_PF } from "./fault";
import {
  ENV_A20_MASK,
  ENV_CR0,
  ENV_CR2,
  ENV_CR3,
  ENV_CR4,
  ENV_EFER,
  ENV_EXC_ERROR,
  ENV_EXC_HAS_ERROR,
  ENV_EXC_VECTOR,
  ENV_FEATURES,
  ENV_PAGE_FAULTS,
  ENV_PAGE_MAP,
  ENV_PDPTES,
  MMU_KERNEL,
  MMU_USER,
  MMU_USER_ALIGN,
} from "./generated/env";
import { mmioRead, mmioWrite, notifyWrite } from "./host";
import { CR0_PG, CR0_WP, CR4_PAE, CR4_PGE, CR4_PSE, CR4_SMAP, CR4_SMEP, EFER_LMA, EFER_NXE } from "./registers";

export const ACCESS_READ: u32 = 0;
export const ACCESS_WRITE: u32 = 1;
export const ACCESS_FETCH: u32 = 2;
/** Looks only: sets no accessed or dirty bits and leaves no fault in env. */
export const ACCESS_PROBE: u32 = 4;

export const WALK_FAULT: u64 = 1 << 63;
export const WALK_READ: u64 = 1;
export const WALK_WRITE: u64 = 2;
export const WALK_EXECUTE: u64 = 4;
export const WALK_GLOBAL: u64 = 8;
export const WALK_SHIFT: u64 = 52;

// core/memory/address-space.ts
export const PAGE_READ: u32 = 1;
export const PAGE_WRITE: u32 = 2;
export const PAGE_CODE: u32 = 4;
export const PAGE_LOG: u32 = 8;

const PHYSICAL_BITS: u64 = 40;
const FRAME: u64 = ((1 << 40) - 1) & ~0xfff;
const P: u64 = 1;
const W: u64 = 2;
const U: u64 = 4;
const A: u64 = 0x20;
const D: u64 = 0x40;
const PS: u64 = 0x80;
const G: u64 = 0x100;
const NX: u64 = 1 << 63;

const ERROR_P: u32 = 1;
const ERROR_W: u32 = 2;
const ERROR_U: u32 = 4;
const ERROR_RSVD: u32 = 8;
const ERROR_ID: u32 = 16;

/** The page-map word of a physical page; 0 for what is not plain memory. */
export function pageWord(env: u32, physical: u64): u32 {
  return physical >> 32 ? 0 : load<u32>(load<u32>(env + ENV_PAGE_MAP) + (<u32>physical >>> 12) * 4);
}

export function a20(env: u32, physical: u64): u64 {
  return physical & (<u64>load<u32>(env + ENV_A20_MASK) | 0xffffffff_00000000);
}

/** Reads 1, 2, 4 or 8 bytes that do not cross a page. */
export function physicalRead(env: u32, physical: u64, size: i32): u64 {
  const word = pageWord(env, physical);
  if (word & PAGE_READ) {
    const at = (word & 0xfffff000) | (<u32>physical & 0xfff);
    if (size === 1) return load<u8>(at);
    if (size === 2) return load<u16>(at);
    if (size === 4) return load<u32>(at);
    return load<u64>(at);
  }
  const low = <u32>physical;
  const high = <u32>(physical >> 32);
  if (size < 8) {
    const value = mmioRead(low, high, size);
    return size === 4 ? value : value & ((1 << (size * 8)) - 1);
  }
  const first = mmioRead(low, high, 4);
  return <u64>first | ((<u64>mmioRead(<u32>(physical + 4), <u32>((physical + 4) >> 32), 4)) << 32);
}

/** Writes 1, 2, 4 or 8 bytes that do not cross a page. */
export function physicalWrite(env: u32, physical: u64, size: i32, value: u64): void {
  const word = pageWord(env, physical);
  if (word & PAGE_WRITE) {
    const at = (word & 0xfffff000) | (<u32>physical & 0xfff);
    if (size === 1) store<u8>(at, <u8>value);
    else if (size === 2) store<u16>(at, <u16>value);
    else if (size === 4) store<u32>(at, <u32>value);
    else store<u64>(at, value);
    if (word & (PAGE_CODE | PAGE_LOG)) notifyWrite(at, <u32>size);
    return;
  }
  const low = <u32>physical;
  const high = <u32>(physical >> 32);
  if (size < 8) {
    mmioWrite(low, high, size, <u32>value);
    return;
  }
  mmioWrite(low, high, 4, <u32>value);
  mmioWrite(<u32>(physical + 4), <u32>((physical + 4) >> 32), 4, <u32>(value >> 32));
}

function pageFault(env: u32, linear: u64, access: u32, user: bool, error: u32): u64 {
  if (access & ACCESS_PROBE) return WALK_FAULT;
  if (access === ACCESS_WRITE) error |= ERROR_W;
  if (user) error |= ERROR_U;
  const cr4 = load<u64>(env + ENV_CR4);
  if (access === ACCESS_FETCH && (cr4 & CR4_SMEP || (cr4 & CR4_PAE && load<u64>(env + ENV_EFER) & EFER_NXE))) {
    error |= ERROR_ID;
  }
  store<u64>(env + ENV_CR2, linear);
  store<u64>(env + ENV_PAGE_FAULTS, load<u64>(env + ENV_PAGE_FAULTS) + 1);
  store<i32>(env + ENV_EXC_VECTOR, EXC_PF);
  store<u32>(env + ENV_EXC_ERROR, error);
  store<u32>(env + ENV_EXC_HAS_ERROR, 1);
  return WALK_FAULT;
}

function hasFeature(env: u32, word: u32, bit: u32): bool {
  return ((load<u32>(env + ENV_FEATURES + word * 4) >> bit) & 1) !== 0;
}

/** Translates `linear` (canonical, or below 2^32) for an access with the rights of an MMU index. */
export function walk(env: u32, linear: u64, access: u32, index: u32): u64 {
  if (!(load<u64>(env + ENV_CR0) & CR0_PG)) {
    return a20(env, linear & 0xfffff000) | WALK_READ | WALK_WRITE | WALK_EXECUTE | ((<u64>12) << WALK_SHIFT);
  }
  return load<u64>(env + ENV_CR4) & CR4_PAE ? walk64(env, linear, access, index) : walk32(env, linear, access, index);
}

/** Two levels of 32-bit entries. */
function walk32(env: u32, linear: u64, access: u32, index: u32): u64 {
  const user = index === MMU_USER || index === MMU_USER_ALIGN;
  const cr4 = load<u64>(env + ENV_CR4);
  const pdeAt = a20(env, (load<u64>(env + ENV_CR3) & 0xfffff000) | ((linear >> 20) & 0xffc));
  const pde = physicalRead(env, pdeAt, 4);
  if (!(pde & P)) return pageFault(env, linear, access, user, 0);
  if (pde & PS && cr4 & CR4_PSE) {
    // PSE-36: bits 20..13 are address bits 39..32.
    const reserved: u64 = hasFeature(env, 0, 17) ? 0x200000 : 0x3fe000;
    if (pde & reserved) return pageFault(env, linear, access, user, ERROR_P | ERROR_RSVD);
    const frame = (pde & 0xffc00000) | ((pde & 0x1fe000) << 19);
    const rights = permit(env, linear, access, index, pde, false);
    if (rights === WALK_FAULT) return WALK_FAULT;
    const dirty = touch(env, pdeAt, pde, 4, access, true);
    return leaf(env, frame | (linear & 0x3ff000), rights, dirty, pde, 22);
  }
  const pteAt = a20(env, (pde & 0xfffff000) | ((linear >> 10) & 0xffc));
  const pte = physicalRead(env, pteAt, 4);
  if (!(pte & P)) return pageFault(env, linear, access, user, 0);
  const rights = permit(env, linear, access, index, pde & pte, false);
  if (rights === WALK_FAULT) return WALK_FAULT;
  touch(env, pdeAt, pde, 4, access, false);
  const dirty = touch(env, pteAt, pte, 4, access, true);
  return leaf(env, pte & 0xfffff000, rights, dirty, pte, 12);
}

/** PAE (three levels, the first held in env) and four levels of 64-bit entries. */
function walk64(env: u32, linear: u64, access: u32, index: u32): u64 {
  const user = index === MMU_USER || index === MMU_USER_ALIGN;
  const efer = load<u64>(env + ENV_EFER);
  const long = (efer & EFER_LMA) !== 0;
  // Address bits beyond the physical width, XD without NXE, and in PAE mode the ignored bits too.
  let reserved: u64 = ((1 << 52) - 1) & ~((1 << PHYSICAL_BITS) - 1);
  if (!(efer & EFER_NXE)) reserved |= NX;
  if (!long) reserved |= 0x7ff << 52;
  let rights: u64 = W | U;
  let noExecute: u64 = 0;
  let tables: u64;
  let at4: u64 = 0;
  let at3: u64 = 0;
  let e4: u64 = 0;
  let e3: u64 = 0;
  if (long) {
    at4 = a20(env, (load<u64>(env + ENV_CR3) & FRAME) | ((linear >> 36) & 0xff8));
    e4 = physicalRead(env, at4, 8);
    if (!(e4 & P)) return pageFault(env, linear, access, user, 0);
    if (e4 & (reserved | PS)) return pageFault(env, linear, access, user, ERROR_P | ERROR_RSVD);
    rights &= e4;
    noExecute |= e4;
    at3 = a20(env, (e4 & FRAME) | ((linear >> 27) & 0xff8));
    e3 = physicalRead(env, at3, 8);
    if (!(e3 & P)) return pageFault(env, linear, access, user, 0);
    if (e3 & reserved) return pageFault(env, linear, access, user, ERROR_P | ERROR_RSVD);
    rights &= e3;
    noExecute |= e3;
    if (e3 & PS) {
      if (!hasFeature(env, 5, 26) || e3 & 0x3fffe000) {
        return pageFault(env, linear, access, user, ERROR_P | ERROR_RSVD);
      }
      const allowed = permit(env, linear, access, index, rights, (noExecute & NX) !== 0);
      if (allowed === WALK_FAULT) return WALK_FAULT;
      touch(env, at4, e4, 8, access, false);
      const dirty = touch(env, at3, e3, 8, access, true);
      return leaf(env, (e3 & FRAME & ~0x3fffffff) | (linear & 0x3ffff000), allowed, dirty, e3, 30);
    }
    tables = e3;
  } else {
    tables = load<u64>(env + ENV_PDPTES + (<u32>(linear >> 30) & 3) * 8);
    if (!(tables & P)) return pageFault(env, linear, access, user, 0);
  }
  const at2 = a20(env, (tables & FRAME) | ((linear >> 18) & 0xff8));
  const e2 = physicalRead(env, at2, 8);
  if (!(e2 & P)) return pageFault(env, linear, access, user, 0);
  if (e2 & reserved || (e2 & PS && e2 & 0x1fe000)) return pageFault(env, linear, access, user, ERROR_P | ERROR_RSVD);
  rights &= e2;
  noExecute |= e2;
  if (e2 & PS) {
    const allowed = permit(env, linear, access, index, rights, (noExecute & NX) !== 0);
    if (allowed === WALK_FAULT) return WALK_FAULT;
    if (long) {
      touch(env, at4, e4, 8, access, false);
      touch(env, at3, e3, 8, access, false);
    }
    const dirty = touch(env, at2, e2, 8, access, true);
    return leaf(env, (e2 & FRAME & ~0x1fffff) | (linear & 0x1ff000), allowed, dirty, e2, 21);
  }
  const at1 = a20(env, (e2 & FRAME) | ((linear >> 9) & 0xff8));
  const e1 = physicalRead(env, at1, 8);
  if (!(e1 & P)) return pageFault(env, linear, access, user, 0);
  if (e1 & reserved) return pageFault(env, linear, access, user, ERROR_P | ERROR_RSVD);
  rights &= e1;
  noExecute |= e1;
  const allowed = permit(env, linear, access, index, rights, (noExecute & NX) !== 0);
  if (allowed === WALK_FAULT) return WALK_FAULT;
  if (long) {
    touch(env, at4, e4, 8, access, false);
    touch(env, at3, e3, 8, access, false);
  }
  touch(env, at2, e2, 8, access, false);
  const dirty = touch(env, at1, e1, 8, access, true);
  return leaf(env, e1 & FRAME, allowed, dirty, e1, 12);
}

/** The WALK_* rights of a page (`entries`: U and W bits of all levels combined), or WALK_FAULT when they do not allow the access. */
function permit(env: u32, linear: u64, access: u32, index: u32, entries: u64, noExecute: bool): u64 {
  const user = index === MMU_USER || index === MMU_USER_ALIGN;
  const cr4 = load<u64>(env + ENV_CR4);
  let rights: u64 = 0;
  if (user) {
    if (entries & U) rights = WALK_READ | WALK_EXECUTE | (entries & W ? WALK_WRITE : 0);
  } else {
    const ofUser = (entries & U) !== 0;
    if (!(ofUser && index === MMU_KERNEL && cr4 & CR4_SMAP)) {
      rights = WALK_READ | (entries & W || !(load<u64>(env + ENV_CR0) & CR0_WP) ? WALK_WRITE : 0);
    }
    if (!(ofUser && cr4 & CR4_SMEP)) rights |= WALK_EXECUTE;
  }
  if (noExecute) rights &= ~WALK_EXECUTE;
  const kind = access & ~ACCESS_PROBE;
  const needed = kind === ACCESS_READ ? WALK_READ : kind === ACCESS_WRITE ? WALK_WRITE : WALK_EXECUTE;
  return rights & needed ? rights : pageFault(env, linear, access, user, ERROR_P);
}

/** Sets the accessed bit (and the dirty bit, in a leaf, for a write); true if the entry's dirty bit is set now. */
function touch(env: u32, at: u64, entry: u64, size: i32, access: u32, isLeaf: bool): bool {
  let updated = entry | A;
  if (isLeaf && access === ACCESS_WRITE) updated |= D;
  if (updated !== entry && !(access & ACCESS_PROBE)) physicalWrite(env, at, size, updated);
  return (updated & D) !== 0;
}

function leaf(env: u32, physical: u64, rights: u64, dirty: bool, entry: u64, shift: u64): u64 {
  const global = entry & G && load<u64>(env + ENV_CR4) & CR4_PGE ? WALK_GLOBAL : 0;
  return a20(env, physical) | (dirty ? rights : rights & ~WALK_WRITE) | global | (shift << WALK_SHIFT);
}

/** For the monitor: the physical address behind `linear` as the supervisor sees it, or all ones. */
export function debugTranslate(env: u32, linear: u64): u64 {
  if (load<u64>(env + ENV_CR0) & CR0_PG && load<u64>(env + ENV_EFER) & EFER_LMA) {
    if (<u64>(((<i64>linear) << 16) >> 16) !== linear) return ~0;
  } else linear &= 0xffffffff;
  // Rights do not matter here: what neither side may read is still there.
  let result = walk(env, linear, ACCESS_READ | ACCESS_PROBE, 2);
  if (result === WALK_FAULT) result = walk(env, linear, ACCESS_READ | ACCESS_PROBE, MMU_USER);
  return result === WALK_FAULT ? ~0 : (result & FRAME) | (linear & 0xfff);
}
