/**
 * Guest memory by linear address.
 *
 * Two ways in: the slow* functions serve the inline TLB check of generated code, and leave a fault in excVector instead
 * of throwing (excVector is -1 when there is none); loadU8 ... storeU64 serve helpers and throw. The versions with K act
 * as supervisor whatever the CPL (descriptor tables, TSS, stacks of inner rings).
 */

import { matchDataBreakpoints, pageHasDataBreakpoint } from "./debug";
import { EXC_AC, EXC_GP, EXC_NON_CANONICAL, rethrow } from "./fault";
import {
  ENV_EFER,
  ENV_EXC_ERROR,
  ENV_EXC_HAS_ERROR,
  ENV_EXC_VECTOR,
  ENV_HFLAGS,
  ENV_SCRATCH,
  ENV_TLB,
  ENV_TLB_MISSES,
  HF_CPL,
  HF_DEBUG,
  MMU_USER,
  MMU_USER_ALIGN,
  TLB_ALIGN,
  TLB_ENTRIES,
  TLB_ENTRY_SIZE,
  TLB_INVALID,
  TLB_MMIO,
  TLB_NOTIFY,
  TLB_OFFSET,
  TLB_SIZE,
  TLB_WATCH,
} from "./generated/env";
import { notifyWrite } from "./host";
import { EFER_LMA } from "./registers";
import { ENTRY_ADDEND, logEntry, systemMmuIndex, tlbOf } from "./tlb";
import {
  ACCESS_FETCH,
  ACCESS_READ,
  ACCESS_WRITE,
  PAGE_CODE,
  PAGE_LOG,
  PAGE_READ,
  PAGE_WRITE,
  pageWord,
  physicalRead,
  physicalWrite,
  WALK_EXECUTE,
  WALK_FAULT,
  WALK_GLOBAL,
  WALK_READ,
  WALK_SHIFT,
  WALK_WRITE,
  walk,
} from "./walk";

const PAGE_MASK: u64 = ~0xfff;
const FRAME: u64 = ((1 << 52) - 1) & ~0xfff;

/** What `resolve` returns: flags above an address in the shared memory, or (PLACE_MMIO) a guest-physical one. */
export const PLACE_FAULT: u64 = 1 << 63;
export const PLACE_MMIO: u64 = 1 << 62;
/** Stores have to be told to the host. */
export const PLACE_NOTIFY: u64 = 1 << 61;
/** A data breakpoint may match. */
export const PLACE_WATCH: u64 = 1 << 60;

export function setFault(env: u32, vector: i32, error: u32): void {
  store<i32>(env + ENV_EXC_VECTOR, vector);
  store<u32>(env + ENV_EXC_ERROR, error);
  store<u32>(env + ENV_EXC_HAS_ERROR, 1);
}

/** Where the address of EXC_NON_CANONICAL is kept. */
const NON_CANONICAL_ADDRESS: u32 = ENV_SCRATCH + 127 * 8;

function currentIndex(env: u32): u32 {
  return (load<u32>(env + ENV_TLB) - env - TLB_OFFSET) / TLB_SIZE;
}

export function isCanonical(address: u64): bool {
  return <u64>(((<i64>address) << 16) >> 16) === address;
}

/** Where `address` is, for an access with the rights of MMU index `index`. Does not look at what follows it. */
export function resolve(env: u32, index: u32, address: u64, access: u32): u64 {
  const page = address & PAGE_MASK;
  const slot = <u32>(address >> 12) & (TLB_ENTRIES - 1);
  const entry = tlbOf(env, index) + slot * TLB_ENTRY_SIZE;
  let tag = load<u64>(entry + access * 8);
  if ((tag & PAGE_MASK) !== page || tag & TLB_INVALID) {
    if (load<u64>(env + ENV_EFER) & EFER_LMA && !isCanonical(address)) {
      setFault(env, access === ACCESS_FETCH ? EXC_GP : EXC_NON_CANONICAL, 0);
      store<u64>(env + NON_CANONICAL_ADDRESS, address);
      return PLACE_FAULT;
    }
    store<u64>(env + ENV_TLB_MISSES, load<u64>(env + ENV_TLB_MISSES) + 1);
    const walked = walk(env, address, access, index);
    if (walked === WALK_FAULT) return PLACE_FAULT;
    tag = fill(env, index, slot, page, walked, access);
    if (tag & TLB_INVALID) return PLACE_MMIO | (walked & FRAME) | (address & 0xfff);
  }
  const flags = (tag & TLB_NOTIFY ? PLACE_NOTIFY : 0) | (tag & TLB_WATCH ? PLACE_WATCH : 0);
  const addend = load<u32>(entry + ENTRY_ADDEND);
  if (tag & TLB_MMIO) return PLACE_MMIO | flags | ((<u64>addend) << 12) | (address & 0xfff);
  return flags | <u64>(<u32>address + addend);
}

/** Fills a TLB entry; returns the tag for `access`, which is TLB_INVALID for a store to ROM. */
function fill(env: u32, index: u32, slot: u32, page: u64, walked: u64, access: u32): u64 {
  const entry = tlbOf(env, index) + slot * TLB_ENTRY_SIZE;
  const word = pageWord(env, walked & FRAME);
  const readable = (word & PAGE_READ) !== 0;
  let data: u64 = index === MMU_USER_ALIGN ? TLB_ALIGN : 0;
  if (load<u32>(env + ENV_HFLAGS) & HF_DEBUG && pageHasDataBreakpoint(env, page)) data |= TLB_WATCH;
  const plain: u64 = readable ? 0 : TLB_MMIO;
  let write: u64 = TLB_INVALID;
  if (walked & WALK_WRITE) {
    if (word & PAGE_WRITE) write = data | (word & (PAGE_CODE | PAGE_LOG) ? TLB_NOTIFY : 0);
    else if (!readable) write = data | TLB_MMIO;
  }
  store<u64>(entry, page | (walked & WALK_READ ? data | plain : TLB_INVALID));
  store<u64>(entry + 8, page | write);
  store<u64>(entry + 16, page | (walked & WALK_EXECUTE ? plain : TLB_INVALID));
  store<u32>(entry + ENTRY_ADDEND, readable ? (word & 0xfffff000) - <u32>page : <u32>((walked & FRAME) >> 12));
  logEntry(env, index, slot, (walked & WALK_GLOBAL) !== 0, <u32>(walked >> WALK_SHIFT) & 63);
  return load<u64>(entry + access * 8);
}

function wrap(env: u32, address: u64): u64 {
  return load<u64>(env + ENV_EFER) & EFER_LMA ? address : address & 0xffffffff;
}

/** True (with #AC in env) if the access is misaligned while alignment is checked. Addresses not canonical come first. */
function misaligned(env: u32, index: u32, address: u64, size: i32): bool {
  if (index !== MMU_USER_ALIGN || !(address & <u64>(size - 1))) return false;
  if (load<u64>(env + ENV_EFER) & EFER_LMA && !isCanonical(address)) return false;
  setFault(env, EXC_AC, 0);
  return true;
}

/** Whether misaligned accesses raise #AC. */
export function checksAlignment(env: u32): bool {
  return currentIndex(env) === MMU_USER_ALIGN;
}

/** Raises #AC if it is due for an operand that has to be a multiple of `size`: before its parts are looked at. */
export function checkAlignment(env: u32, address: u64, size: i32): void {
  if (misaligned(env, currentIndex(env), address, size)) rethrow();
}

function crosses(address: u64, size: i32): bool {
  return <i32>(address & 0xfff) + size > 0x1000;
}

function readPlace(env: u32, place: u64, size: i32): u64 {
  if (place & PLACE_MMIO) return physicalRead(env, place & ((1 << 52) - 1), size);
  const at = <u32>place;
  if (size === 1) return load<u8>(at);
  if (size === 2) return load<u16>(at);
  if (size === 4) return load<u32>(at);
  return load<u64>(at);
}

function writePlace(env: u32, place: u64, size: i32, value: u64): void {
  if (place & PLACE_MMIO) {
    physicalWrite(env, place & ((1 << 52) - 1), size, value);
    return;
  }
  const at = <u32>place;
  if (size === 1) store<u8>(at, <u8>value);
  else if (size === 2) store<u16>(at, <u16>value);
  else if (size === 4) store<u32>(at, <u32>value);
  else store<u64>(at, value);
  if (place & PLACE_NOTIFY) notifyWrite(at, <u32>size);
}

/** Reads 1, 2, 4 or 8 bytes; on a fault sets excVector and returns 0. */
function readAt(env: u32, index: u32, address: u64, size: i32): u64 {
  address = wrap(env, address);
  if (misaligned(env, index, address, size)) return 0;
  const first = resolve(env, index, address, ACCESS_READ);
  if (first & PLACE_FAULT) return 0;
  if (!crosses(address, size)) {
    if (first & PLACE_WATCH) matchDataBreakpoints(env, address, size, false);
    return readPlace(env, first, size);
  }
  const inFirst = 0x1000 - <i32>(address & 0xfff);
  const second = resolve(env, index, wrap(env, address + inFirst), ACCESS_READ);
  if (second & PLACE_FAULT) return 0;
  if ((first | second) & PLACE_WATCH) matchDataBreakpoints(env, address, size, false);
  let value: u64 = 0;
  for (let i = 0; i < size; i++) {
    const place = i < inFirst ? first + i : second + (i - inFirst);
    value |= readPlace(env, place, 1) << (i * 8);
  }
  return value;
}

/** Writes 1, 2, 4 or 8 bytes; on a fault sets excVector, and nothing was written. */
function writeAt(env: u32, index: u32, address: u64, size: i32, value: u64): void {
  address = wrap(env, address);
  if (misaligned(env, index, address, size)) return;
  const first = resolve(env, index, address, ACCESS_WRITE);
  if (first & PLACE_FAULT) return;
  if (!crosses(address, size)) {
    if (first & PLACE_WATCH) matchDataBreakpoints(env, address, size, true);
    writePlace(env, first, size, value);
    return;
  }
  const inFirst = 0x1000 - <i32>(address & 0xfff);
  const second = resolve(env, index, wrap(env, address + inFirst), ACCESS_WRITE);
  if (second & PLACE_FAULT) return;
  if ((first | second) & PLACE_WATCH) matchDataBreakpoints(env, address, size, true);
  for (let i = 0; i < size; i++) {
    writePlace(env, i < inFirst ? first + i : second + (i - inFirst), 1, value >> (i * 8));
  }
}

/** Raises what an access of `size` bytes (at most a page) would raise. */
function probe(env: u32, index: u32, address: u64, size: i32, access: u32): void {
  address = wrap(env, address);
  let place = resolve(env, index, address, access);
  if (!(place & PLACE_FAULT) && crosses(address, size)) {
    place = resolve(env, index, wrap(env, (address & PAGE_MASK) + 0x1000), access);
  }
  if (place & PLACE_FAULT) rethrow();
}

// --- For generated code.

export function slowLoad(env: u32, address: u64, size: i32): u64 {
  return readAt(env, currentIndex(env), address, size);
}

export function slowStore(env: u32, address: u64, size: i32, value: u64): void {
  writeAt(env, currentIndex(env), address, size, value);
}

/** Accesses of 16 bytes are not checked for alignment by #AC. */
function index128(env: u32): u32 {
  return checksAlignment(env) ? MMU_USER : currentIndex(env);
}

/** Loads 16 bytes into env + destination. */
export function slowLoad128(env: u32, address: u64, destination: u32): void {
  const index = index128(env);
  const low = readAt(env, index, address, 8);
  if (load<i32>(env + ENV_EXC_VECTOR) >= 0) return;
  const high = readAt(env, index, address + 8, 8);
  if (load<i32>(env + ENV_EXC_VECTOR) >= 0) return;
  store<u64>(env + destination, low);
  store<u64>(env + destination + 8, high);
}

/** Stores 16 bytes from env + source. */
export function slowStore128(env: u32, address: u64, source: u32): void {
  const index = index128(env);
  if (crosses(address, 16)) {
    if (resolve(env, index, wrap(env, address), ACCESS_WRITE) & PLACE_FAULT) return;
    if (resolve(env, index, wrap(env, (address & PAGE_MASK) + 0x1000), ACCESS_WRITE) & PLACE_FAULT) return;
  }
  writeAt(env, index, address, 8, load<u64>(env + source));
  if (load<i32>(env + ENV_EXC_VECTOR) >= 0) return;
  writeAt(env, index, address + 8, 8, load<u64>(env + source + 8));
}

/**
 * Translates for an instruction fetch at the present privilege: the address in the shared memory, or PLACE_MMIO and the
 * guest-physical address, or PLACE_FAULT with the exception in env.
 */
export function fetchPage(env: u32, address: u64): u64 {
  const index = (load<u32>(env + ENV_HFLAGS) & HF_CPL) === 3 ? MMU_USER : currentIndex(env);
  return resolve(env, index, address, ACCESS_FETCH);
}

// --- For helpers.

function checkedLoad(env: u32, index: u32, address: u64, size: i32): u64 {
  const value = readAt(env, index, address, size);
  if (load<i32>(env + ENV_EXC_VECTOR) >= 0) rethrow();
  return value;
}

function checkedStore(env: u32, index: u32, address: u64, size: i32, value: u64): void {
  writeAt(env, index, address, size, value);
  if (load<i32>(env + ENV_EXC_VECTOR) >= 0) rethrow();
}

function fastLoad<T>(env: u32, index: u32, address: u64): u64 {
  const entry = tlbOf(env, index) + (<u32>(address >> 12) & (TLB_ENTRIES - 1)) * TLB_ENTRY_SIZE;
  if (((address + (sizeof<T>() - 1)) & PAGE_MASK) === load<u64>(entry)) {
    return <u64>load<T>(<u32>address + load<u32>(entry + ENTRY_ADDEND));
  }
  return checkedLoad(env, index, address, sizeof<T>());
}

function fastStore<T>(env: u32, index: u32, address: u64, value: u64): void {
  const entry = tlbOf(env, index) + (<u32>(address >> 12) & (TLB_ENTRIES - 1)) * TLB_ENTRY_SIZE;
  if (((address + (sizeof<T>() - 1)) & PAGE_MASK) === load<u64>(entry + 8)) {
    store<T>(<u32>address + load<u32>(entry + ENTRY_ADDEND), <T>value);
  } else checkedStore(env, index, address, sizeof<T>(), value);
}

export function loadU8(env: u32, address: u64): u64 {
  return fastLoad<u8>(env, currentIndex(env), address);
}
export function loadU16(env: u32, address: u64): u64 {
  return fastLoad<u16>(env, currentIndex(env), address);
}
export function loadU32(env: u32, address: u64): u64 {
  return fastLoad<u32>(env, currentIndex(env), address);
}
export function loadU64(env: u32, address: u64): u64 {
  return fastLoad<u64>(env, currentIndex(env), address);
}
export function storeU8(env: u32, address: u64, value: u64): void {
  fastStore<u8>(env, currentIndex(env), address, value);
}
export function storeU16(env: u32, address: u64, value: u64): void {
  fastStore<u16>(env, currentIndex(env), address, value);
}
export function storeU32(env: u32, address: u64, value: u64): void {
  fastStore<u32>(env, currentIndex(env), address, value);
}
export function storeU64(env: u32, address: u64, value: u64): void {
  fastStore<u64>(env, currentIndex(env), address, value);
}

export function loadU8K(env: u32, address: u64): u64 {
  return fastLoad<u8>(env, systemMmuIndex(env), address);
}
export function loadU16K(env: u32, address: u64): u64 {
  return fastLoad<u16>(env, systemMmuIndex(env), address);
}
export function loadU32K(env: u32, address: u64): u64 {
  return fastLoad<u32>(env, systemMmuIndex(env), address);
}
export function loadU64K(env: u32, address: u64): u64 {
  return fastLoad<u64>(env, systemMmuIndex(env), address);
}
export function storeU8K(env: u32, address: u64, value: u64): void {
  fastStore<u8>(env, systemMmuIndex(env), address, value);
}
export function storeU16K(env: u32, address: u64, value: u64): void {
  fastStore<u16>(env, systemMmuIndex(env), address, value);
}
export function storeU32K(env: u32, address: u64, value: u64): void {
  fastStore<u32>(env, systemMmuIndex(env), address, value);
}
export function storeU64K(env: u32, address: u64, value: u64): void {
  fastStore<u64>(env, systemMmuIndex(env), address, value);
}

export function probeRead(env: u32, address: u64, size: i32): void {
  probe(env, currentIndex(env), address, size, ACCESS_READ);
}
export function probeWrite(env: u32, address: u64, size: i32): void {
  probe(env, currentIndex(env), address, size, ACCESS_WRITE);
}
export function probeReadK(env: u32, address: u64, size: i32): void {
  probe(env, systemMmuIndex(env), address, size, ACCESS_READ);
}
export function probeWriteK(env: u32, address: u64, size: i32): void {
  probe(env, systemMmuIndex(env), address, size, ACCESS_WRITE);
}

/** Where bulk operations at the present privilege find `address`: see PLACE_*. */
export function resolveData(env: u32, address: u64, access: u32): u64 {
  return resolve(env, currentIndex(env), wrap(env, address), access);
}
