/**
 * The software TLB: direct mapped, one per MMU index, entries of 32 bytes:
 *
 *     0   tagRead     linear page address if reads may go straight to memory, else with TLB_* bits set
 *                     (always the page's address above them, or 0 in an empty entry)
 *     8   tagWrite    the same for writes
 *     16  tagFetch    the same for instruction fetches
 *     24  addend      host address - low half of linear address; for TLB_MMIO tags the physical page number
 *     28  log         0 = not in the log; else LOG_FILLED, LOG_GLOBAL and log2 of the page size in bits 15..8
 *
 * A log per TLB lists the entries filled since the last flush, so that flushing costs what was used.
 */

import {
  ENV_A20_MASK,
  ENV_CR0,
  ENV_CR4,
  ENV_EFLAGS,
  ENV_HFLAGS,
  ENV_TLB,
  ENV_TLB_FLUSHES,
  HF_CPL,
  MMU_COUNT,
  MMU_KERNEL,
  MMU_KERNEL_NOSMAP,
  MMU_USER,
  MMU_USER_ALIGN,
  TLB_ENTRIES,
  TLB_ENTRY_SIZE,
  TLB_INVALID,
  TLB_LOG_OFFSET,
  TLB_LOG_SIZE,
  TLB_MMIO,
  TLB_NOTIFY,
  TLB_OFFSET,
  TLB_SIZE,
} from "./generated/env";
import { CR0_AM, CR4_SMAP, EFLAGS_AC } from "./registers";

export const TAG_READ: u32 = 0;
export const TAG_WRITE: u32 = 8;
export const TAG_FETCH: u32 = 16;
export const ENTRY_ADDEND: u32 = 24;
export const ENTRY_LOG: u32 = 28;

export const LOG_FILLED: u32 = 1;
export const LOG_GLOBAL: u32 = 2;

const PAGE_MASK: u64 = ~0xfff;

export function tlbOf(env: u32, index: u32): u32 {
  return env + TLB_OFFSET + index * TLB_SIZE;
}

/** The MMU index of data accesses at the present privilege. */
export function mmuIndex(env: u32): u32 {
  const flags = load<u64>(env + ENV_EFLAGS);
  if ((load<u32>(env + ENV_HFLAGS) & HF_CPL) === 3) {
    return load<u64>(env + ENV_CR0) & CR0_AM && flags & EFLAGS_AC ? MMU_USER_ALIGN : MMU_USER;
  }
  return load<u64>(env + ENV_CR4) & CR4_SMAP && !(flags & EFLAGS_AC) ? MMU_KERNEL : MMU_KERNEL_NOSMAP;
}

/** The MMU index of implicit supervisor accesses (descriptor tables, TSS, inner stacks). */
export function systemMmuIndex(env: u32): u32 {
  return load<u64>(env + ENV_CR4) & CR4_SMAP ? MMU_KERNEL : MMU_KERNEL_NOSMAP;
}

/** Sets env.tlb after a change of privilege, EFLAGS.AC, CR0.AM or CR4.SMAP. */
export function selectTlb(env: u32): void {
  store<u32>(env + ENV_TLB, tlbOf(env, mmuIndex(env)));
}

function invalidate(entry: u32): void {
  store<u64>(entry + TAG_READ, TLB_INVALID);
  store<u64>(entry + TAG_WRITE, TLB_INVALID);
  store<u64>(entry + TAG_FETCH, TLB_INVALID);
}

/** Makes all TLBs empty, whatever they hold: before the first use of env. */
export function resetTlb(env: u32): void {
  for (let index: u32 = 0; index < MMU_COUNT; index++) {
    const tlb = tlbOf(env, index);
    for (let i: u32 = 0; i < TLB_ENTRIES; i++) {
      invalidate(tlb + i * TLB_ENTRY_SIZE);
      store<u32>(tlb + i * TLB_ENTRY_SIZE + ENTRY_LOG, 0);
    }
    store<u32>(env + TLB_LOG_OFFSET + index * TLB_LOG_SIZE, 0);
  }
  selectTlb(env);
}

/** Empties the TLBs; entries of global pages stay unless `includingGlobal`. */
export function flushTlb(env: u32, includingGlobal: i32): void {
  store<u64>(env + ENV_TLB_FLUSHES, load<u64>(env + ENV_TLB_FLUSHES) + 1);
  for (let index: u32 = 0; index < MMU_COUNT; index++) {
    const tlb = tlbOf(env, index);
    const log = env + TLB_LOG_OFFSET + index * TLB_LOG_SIZE;
    const count = load<u32>(log);
    let kept: u32 = 0;
    for (let i: u32 = 0; i < count; i++) {
      const slot = load<u16>(log + 16 + i * 2);
      const entry = tlb + <u32>slot * TLB_ENTRY_SIZE;
      if (includingGlobal === 0 && load<u32>(entry + ENTRY_LOG) & LOG_GLOBAL) {
        store<u16>(log + 16 + kept * 2, slot);
        kept++;
      } else {
        invalidate(entry);
        store<u32>(entry + ENTRY_LOG, 0);
      }
    }
    store<u32>(log, kept);
  }
}

/** INVLPG: drops the page (of whatever size) that holds `address`, from all TLBs. */
export function flushPage(env: u32, address: u64): void {
  for (let index: u32 = 0; index < MMU_COUNT; index++) {
    const tlb = tlbOf(env, index);
    const log = env + TLB_LOG_OFFSET + index * TLB_LOG_SIZE;
    const count = load<u32>(log);
    for (let i: u32 = 0; i < count; i++) {
      const entry = tlb + <u32>load<u16>(log + 16 + i * 2) * TLB_ENTRY_SIZE;
      const shift = <u64>((load<u32>(entry + ENTRY_LOG) >> 8) & 63);
      if (load<u64>(entry + TAG_READ) >> shift === address >> shift) invalidate(entry);
    }
  }
}

/** Enters `slot` of TLB `index` into the log, with what flushes have to know of its page. */
export function logEntry(env: u32, index: u32, slot: u32, global: bool, shift: u32): void {
  const entry = tlbOf(env, index) + slot * TLB_ENTRY_SIZE;
  if (load<u32>(entry + ENTRY_LOG) === 0) {
    const log = env + TLB_LOG_OFFSET + index * TLB_LOG_SIZE;
    const count = load<u32>(log);
    store<u16>(log + 16 + count * 2, <u16>slot);
    store<u32>(log, count + 1);
  }
  store<u32>(entry + ENTRY_LOG, LOG_FILLED | (global ? LOG_GLOBAL : 0) | (shift << 8));
}

/**
 * Sends writes to the page at `hostPage` through notifyWrite (on !== 0) or straight to memory again (on = 0), in entries
 * that exist already. New entries follow the page map.
 */
export function tlbSetNotify(env: u32, hostPage: u32, on: i32): void {
  for (let index: u32 = 0; index < MMU_COUNT; index++) {
    const tlb = tlbOf(env, index);
    const log = env + TLB_LOG_OFFSET + index * TLB_LOG_SIZE;
    const count = load<u32>(log);
    for (let i: u32 = 0; i < count; i++) {
      const entry = tlb + <u32>load<u16>(log + 16 + i * 2) * TLB_ENTRY_SIZE;
      const tag = load<u64>(entry + TAG_WRITE);
      if (<u32>(tag & PAGE_MASK) + load<u32>(entry + ENTRY_ADDEND) !== hostPage) continue;
      if (tag & (TLB_INVALID | TLB_MMIO)) continue;
      store<u64>(entry + TAG_WRITE, on ? tag | TLB_NOTIFY : tag & ~(<u64>TLB_NOTIFY));
    }
  }
}

/** Switches address bit 20 on or off. */
export function setA20(env: u32, enabled: i32): void {
  const mask: u32 = enabled ? 0xffffffff : 0xffefffff;
  if (load<u32>(env + ENV_A20_MASK) === mask) return;
  store<u32>(env + ENV_A20_MASK, mask);
  flushTlb(env, 1);
}
