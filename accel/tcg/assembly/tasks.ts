/**
 * Hardware task switching. Intel SDM volume 3, chapter 8.
 *
 * Until the new task's registers are in place a fault belongs to the old task. From then on it belongs to the new one:
 * env.exactRip is set, so that the run loop keeps the rip that stands in env.
 */

import { DR6_BT, DR7_FIXED } from "./debug";
import { EXC_GP, EXC_NP, EXC_TS, raiseError } from "./fault";
import { setCpl, setEflags, updateHflags } from "./flags";
import {
  ENV_CR0,
  ENV_CR3,
  ENV_CR4,
  ENV_DR,
  ENV_EXACT_RIP,
  ENV_GDT_BASE,
  ENV_HFLAGS,
  ENV_LDT_ATTR,
  ENV_LDT_LIMIT,
  ENV_LDT_SELECTOR,
  ENV_PENDING_DEBUG,
  ENV_REGS,
  ENV_RIP,
  ENV_SEG_LIMIT,
  ENV_SEG_SELECTOR,
  ENV_TR_ATTR,
  ENV_TR_BASE,
  ENV_TR_LIMIT,
  ENV_TR_SELECTOR,
  HF_CPL,
} from "./generated/env";
import { loadU8K, loadU16K, loadU32K, probeReadK, probeWriteK, storeU8K, storeU16K, storeU32K } from "./mmu";
import { loadPdptes } from "./paging-registers";
import {
  ATTR_CODE,
  ATTR_EC,
  ATTR_P,
  ATTR_S,
  CR0_PG,
  CR0_TS,
  CR4_PAE,
  EFLAGS_NT,
  EFLAGS_VM,
  SEG_CS,
  SEG_DS,
  SEG_ES,
  SEG_FS,
  SEG_GS,
  SEG_SS,
} from "./registers";
import {
  attrDpl,
  attrType,
  checkDataDescriptor,
  checkStackDescriptor,
  cplOf,
  descriptorAttr,
  descriptorBase,
  descriptorLimit,
  fetchDescriptor,
  loadLdt,
  markAccessed,
  setSegment,
  setSegmentFrom,
  setSegmentReal,
  TYPE_TSS16,
  TYPE_TSS16_BUSY,
  TYPE_TSS32,
  TYPE_TSS32_BUSY,
} from "./segments";
import { flushTlb } from "./tlb";

export const SWITCH_JMP: u32 = 0;
export const SWITCH_CALL: u32 = 1;
export const SWITCH_IRET: u32 = 2;
export const SWITCH_EVENT: u32 = 3;

const BUSY: u32 = 2;

function isTss16(type: u32): bool {
  return type === TYPE_TSS16 || type === TYPE_TSS16_BUSY;
}

/** Switches to the TSS that a task gate, an IDT entry or a back link names, after checking the selector. */
export function switchThroughGate(env: u32, selector: u32, kind: u32, next: u64, eflags: u64, ext: u32): void {
  const vector = kind === SWITCH_IRET ? EXC_TS : EXC_GP;
  const error = (selector & 0xfffc) | ext;
  if (!(selector & 0xfffc) || selector & 4) raiseError(env, vector, error);
  switchTask(env, selector, fetchDescriptor(env, selector, vector, ext), kind, next, eflags, ext);
}

/**
 * Switches to the task of a TSS descriptor in the GDT. `next` and `eflags` are what the old task resumes with; `ext` is
 * the EXT bit of error codes.
 */
export function switchTask(
  env: u32,
  selector: u32,
  descriptor: u64,
  kind: u32,
  next: u64,
  eflags: u64,
  ext: u32,
): void {
  const attr = descriptorAttr(descriptor);
  const type = attrType(attr);
  const error = (selector & 0xfffc) | ext;
  const isIret = kind === SWITCH_IRET;
  const wanted16 = isIret ? TYPE_TSS16_BUSY : TYPE_TSS16;
  const wanted32 = isIret ? TYPE_TSS32_BUSY : TYPE_TSS32;
  if (attr & ATTR_S || (type !== wanted16 && type !== wanted32)) raiseError(env, isIret ? EXC_TS : EXC_GP, error);
  if (!(attr & ATTR_P)) raiseError(env, EXC_NP, error);
  const limit = descriptorLimit(descriptor);
  const to16 = isTss16(type);
  if (limit < <u32>(to16 ? 0x2b : 0x67)) raiseError(env, EXC_TS, error);

  const oldBase = load<u64>(env + ENV_TR_BASE);
  const oldSelector = load<u32>(env + ENV_TR_SELECTOR);
  const from16 = isTss16(attrType(load<u32>(env + ENV_TR_ATTR)));
  const oldLimit = load<u32>(env + ENV_TR_LIMIT);
  if (oldLimit < <u32>(from16 ? 0x29 : 0x5f)) raiseError(env, EXC_TS, (oldSelector & 0xfffc) | ext);
  const base = descriptorBase(descriptor);
  const nests = kind === SWITCH_CALL || kind === SWITCH_EVENT;
  const newEntry = load<u64>(env + ENV_GDT_BASE) + (selector & 0xfff8) + 5;
  const oldEntry = load<u64>(env + ENV_GDT_BASE) + (oldSelector & 0xfff8) + 5;

  // Everything that the switch will touch must be there.
  probeWriteK(env, oldBase, from16 ? 0x2a : 0x60);
  probeReadK(env, base, to16 ? 0x2c : 0x68);
  if (nests) probeWriteK(env, base, 2);
  probeWriteK(env, newEntry, 1);
  if (!nests) probeWriteK(env, oldEntry, 1);

  if (!nests) storeU8K(env, oldEntry, loadU8K(env, oldEntry) & ~BUSY);
  saveTask(env, oldBase, from16, next, isIret ? eflags & ~EFLAGS_NT : eflags);
  if (nests) storeU16K(env, base, oldSelector);
  if (!isIret) storeU8K(env, newEntry, (descriptor >> 40) | BUSY);
  enterTask(env, selector, descriptor, base, to16, nests);
}

function register(env: u32, index: u32): u32 {
  return env + ENV_REGS + index * 8;
}

function saveTask(env: u32, base: u64, is16: bool, next: u64, eflags: u64): void {
  if (is16) {
    storeU16K(env, base + 0xe, next);
    storeU16K(env, base + 0x10, eflags);
    for (let i: u32 = 0; i < 8; i++) storeU16K(env, base + 0x12 + i * 2, load<u64>(register(env, i)));
    for (let i: u32 = 0; i < 4; i++) storeU16K(env, base + 0x22 + i * 2, load<u32>(env + ENV_SEG_SELECTOR + i * 4));
    return;
  }
  storeU32K(env, base + 0x20, next);
  storeU32K(env, base + 0x24, eflags);
  for (let i: u32 = 0; i < 8; i++) storeU32K(env, base + 0x28 + i * 4, load<u64>(register(env, i)));
  for (let i: u32 = 0; i < 6; i++) storeU16K(env, base + 0x48 + i * 4, load<u32>(env + ENV_SEG_SELECTOR + i * 4));
}

/** Loads the state of the new task; the point of no return. */
function enterTask(env: u32, selector: u32, descriptor: u64, base: u64, is16: bool, nests: bool): void {
  // All of the TSS is read first, while the old page tables hold.
  let cr3: u64 = 0;
  let trap: u64 = 0;
  let eip: u64;
  let flags: u64;
  let ldt: u32;
  if (is16) {
    eip = loadU16K(env, base + 0xe);
    flags = loadU16K(env, base + 0x10);
    for (let i: u32 = 0; i < 8; i++) store<u64>(register(env, i), 0xffff0000 | loadU16K(env, base + 0x12 + i * 2));
    for (let i: u32 = 0; i < 6; i++) {
      setSegment(env, i, i < 4 ? <u32>loadU16K(env, base + 0x22 + i * 2) : 0, 0, 0, 0);
    }
    ldt = <u32>loadU16K(env, base + 0x2a);
  } else {
    cr3 = loadU32K(env, base + 0x1c);
    eip = loadU32K(env, base + 0x20);
    flags = loadU32K(env, base + 0x24);
    for (let i: u32 = 0; i < 8; i++) store<u64>(register(env, i), loadU32K(env, base + 0x28 + i * 4));
    for (let i: u32 = 0; i < 6; i++) setSegment(env, i, <u32>loadU16K(env, base + 0x48 + i * 4), 0, 0, 0);
    ldt = <u32>loadU16K(env, base + 0x60);
    trap = loadU16K(env, base + 0x64) & 1;
  }
  store<u32>(env + ENV_TR_SELECTOR, selector);
  store<u32>(env + ENV_TR_ATTR, descriptorAttr(descriptor) | (BUSY << 8));
  store<u32>(env + ENV_TR_LIMIT, descriptorLimit(descriptor));
  store<u64>(env + ENV_TR_BASE, base);
  store<u64>(env + ENV_RIP, eip);
  store<u64>(env + ENV_CR0, load<u64>(env + ENV_CR0) | CR0_TS);
  // Local breakpoints belong to the old task.
  const dr7 = load<u64>(env + ENV_DR + 56);
  store<u64>(env + ENV_DR + 56, (dr7 & ~0x155) | DR7_FIXED);
  store<u32>(env + ENV_LDT_SELECTOR, ldt);
  store<u32>(env + ENV_LDT_ATTR, 0);
  store<u32>(env + ENV_LDT_LIMIT, 0);
  const cpl: u32 = flags & EFLAGS_VM ? 3 : load<u32>(env + ENV_SEG_SELECTOR + SEG_CS * 4) & 3;
  store<u32>(env + ENV_HFLAGS, (load<u32>(env + ENV_HFLAGS) & ~HF_CPL) | cpl);
  setEflags(env, nests ? flags | EFLAGS_NT : flags, 0x3f7fd5);
  store<u32>(env + ENV_EXACT_RIP, 1);
  if (!is16 && load<u64>(env + ENV_CR0) & CR0_PG) {
    if (load<u64>(env + ENV_CR4) & CR4_PAE && !loadPdptes(env, cr3)) raiseError(env, EXC_GP, 0);
    store<u64>(env + ENV_CR3, cr3);
    flushTlb(env, 0);
  }
  qualify(env, ldt, flags);
  if (trap) store<u32>(env + ENV_PENDING_DEBUG, load<u32>(env + ENV_PENDING_DEBUG) | <u32>DR6_BT);
  updateHflags(env);
  if (eip > load<u32>(env + ENV_SEG_LIMIT + SEG_CS * 4)) raiseError(env, EXC_GP, 0);
  store<u32>(env + ENV_EXACT_RIP, 0);
}

function selectorOf(env: u32, index: u32): u32 {
  return load<u32>(env + ENV_SEG_SELECTOR + index * 4);
}

/** Loads LDTR and the segment registers from the selectors that stand in them. */
function qualify(env: u32, ldt: u32, flags: u64): void {
  loadLdt(env, ldt, EXC_TS);
  if (flags & EFLAGS_VM) {
    for (let i: u32 = 0; i < 6; i++) setSegmentReal(env, i, selectorOf(env, i), true);
    return;
  }
  const cpl = cplOf(env);
  const ss = selectorOf(env, SEG_SS);
  if (!(ss & 0xfffc)) raiseError(env, EXC_TS, ss & 0xfffc);
  const stack = fetchDescriptor(env, ss, EXC_TS, 0);
  checkStackDescriptor(env, ss, stack, cpl, EXC_TS, 0);
  markAccessed(env, ss, stack);
  setSegmentFrom(env, SEG_SS, ss, stack);
  loadData(env, SEG_DS, cpl);
  loadData(env, SEG_ES, cpl);
  loadData(env, SEG_FS, cpl);
  loadData(env, SEG_GS, cpl);
  const cs = selectorOf(env, SEG_CS);
  const error = cs & 0xfffc;
  if (!error) raiseError(env, EXC_TS, 0);
  const code = fetchDescriptor(env, cs, EXC_TS, 0);
  const attr = descriptorAttr(code);
  if ((attr & (ATTR_S | ATTR_CODE)) !== (ATTR_S | ATTR_CODE)) raiseError(env, EXC_TS, error);
  if (attr & ATTR_EC ? attrDpl(attr) > cpl : attrDpl(attr) !== cpl) raiseError(env, EXC_TS, error);
  if (!(attr & ATTR_P)) raiseError(env, EXC_NP, error);
  markAccessed(env, cs, code);
  setSegmentFrom(env, SEG_CS, cs, code);
  setCpl(env, cpl);
}

function loadData(env: u32, index: u32, cpl: u32): void {
  const selector = selectorOf(env, index);
  if (!(selector & 0xfffc)) return;
  const descriptor = fetchDescriptor(env, selector, EXC_TS, 0);
  checkDataDescriptor(env, selector, descriptor, cpl, EXC_TS);
  markAccessed(env, selector, descriptor);
  setSegmentFrom(env, index, selector, descriptor);
}
