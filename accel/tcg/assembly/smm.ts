/**
 * System Management Mode: entry and RSM. The state is saved at SMBASE + 0x8000 + 0x7e00 in AMD's 64-bit layout (AMD APM
 * volume 2, section 10.2.3), or in the 32-bit layout when the CPU has no long mode (Intel SDM volume 3, section 32.4).
 * The CPU leaves and enters through physical memory: paging is off in between, and SMRAM is visible only while the
 * chipset knows that SMM is on.
 */

import { hasFeature } from "./control-registers";
import { EXC_UD, raise } from "./fault";
import { getEflags, setCpl, setEflags, updateHflags } from "./flags";
import {
  ENV_CR0,
  ENV_CR3,
  ENV_CR4,
  ENV_DR,
  ENV_EFER,
  ENV_GDT_BASE,
  ENV_GDT_LIMIT,
  ENV_HALTED,
  ENV_IDT_BASE,
  ENV_IDT_LIMIT,
  ENV_INHIBIT,
  ENV_LDT_ATTR,
  ENV_LDT_BASE,
  ENV_LDT_LIMIT,
  ENV_LDT_SELECTOR,
  ENV_NMI_BLOCKED,
  ENV_REGS,
  ENV_RIP,
  ENV_SEG_ATTR,
  ENV_SEG_BASE,
  ENV_SEG_LIMIT,
  ENV_SEG_SELECTOR,
  ENV_SMBASE,
  ENV_SMM,
  ENV_TR_ATTR,
  ENV_TR_BASE,
  ENV_TR_LIMIT,
  ENV_TR_SELECTOR,
} from "./generated/env";
import { smmChanged } from "./host";
import { loadPdptes } from "./paging-registers";
import { CR0_EM, CR0_PE, CR0_PG, CR0_TS, CR4_PAE, EFER_LMA, EFLAGS_VM, SEG_CS } from "./registers";
import { attrDpl } from "./segments";
import { flushTlb } from "./tlb";
import { a20, physicalRead, physicalWrite } from "./walk";

const REVISION_64: u32 = 0x00020064;
const REVISION_32: u32 = 0x00020000;
/** The revision's bit that allows SMBASE to be relocated. */
const RELOCATION: u32 = 0x00020000;
const EFLAGS_ALL: u64 = 0x3f7fd5;
const SAVE_AREA: u32 = 0x8000;

// Offsets from SMBASE + 0x8000.
const REVISION: u32 = 0x7efc;
const SMBASE_64: u32 = 0x7f00;
const SMBASE_32: u32 = 0x7ef8;
const AUTO_HALT_64: u32 = 0x7ec9;
const AUTO_HALT_32: u32 = 0x7f02;

function place(env: u32, offset: u32): u64 {
  return a20(env, <u64>(load<u32>(env + ENV_SMBASE) + SAVE_AREA + offset));
}

function save(env: u32, offset: u32, size: i32, value: u64): void {
  physicalWrite(env, place(env, offset), size, value);
}

function restore(env: u32, offset: u32, size: i32): u64 {
  return physicalRead(env, place(env, offset), size);
}

/** Attributes in twelve bits, as the 64-bit layout has them. */
function packAttr(attr: u32): u32 {
  return ((attr >> 8) & 0xff) | ((attr >> 12) & 0xf00);
}

function unpackAttr(packed: u32): u32 {
  return ((packed & 0xff) << 8) | ((packed & 0xf00) << 12);
}

/** Saves or loads one segment of the 64-bit layout; the fields' offsets in env follow. */
function saveSegment64(env: u32, at: u32, selector: u32, attr: u32, limit: u32, base: u32): void {
  save(env, at, 2, load<u32>(env + selector));
  save(env, at + 2, 2, packAttr(load<u32>(env + attr)));
  save(env, at + 4, 4, load<u32>(env + limit));
  save(env, at + 8, 8, load<u64>(env + base));
}

function restoreSegment64(env: u32, at: u32, selector: u32, attr: u32, limit: u32, base: u32): void {
  store<u32>(env + selector, <u32>restore(env, at, 2));
  store<u32>(env + attr, unpackAttr(<u32>restore(env, at + 2, 2)));
  store<u32>(env + limit, <u32>restore(env, at + 4, 4));
  store<u64>(env + base, restore(env, at + 8, 8));
}

function saveSegment32(env: u32, selectorAt: u32, at: u32, selector: u32, attr: u32, limit: u32, base: u32): void {
  save(env, selectorAt, 4, load<u32>(env + selector));
  save(env, at, 4, load<u32>(env + attr));
  save(env, at + 4, 4, load<u32>(env + limit));
  save(env, at + 8, 4, load<u64>(env + base));
}

function restoreSegment32(env: u32, selectorAt: u32, at: u32, selector: u32, attr: u32, limit: u32, base: u32): void {
  store<u32>(env + selector, <u32>restore(env, selectorAt, 4) & 0xffff);
  store<u32>(env + attr, <u32>restore(env, at, 4) & 0x00f0ff00);
  store<u32>(env + limit, <u32>restore(env, at + 4, 4));
  store<u64>(env + base, restore(env, at + 8, 4));
}

function segmentAt32(index: u32): u32 {
  return index < 3 ? 0x7f84 + index * 12 : 0x7f2c + (index - 3) * 12;
}

/** General register `index` of the 64-bit layout (RAX highest). */
function registerAt64(index: u32): u32 {
  return 0x7ff8 - index * 8;
}

/** General register `index` of the 32-bit layout, EAX lowest. */
function registerAt32(index: u32): u32 {
  return 0x7fd0 + index * 4;
}

function saveState64(env: u32): void {
  for (let i: u32 = 0; i < 6; i++) {
    saveSegment64(
      env,
      0x7e00 + i * 16,
      ENV_SEG_SELECTOR + i * 4,
      ENV_SEG_ATTR + i * 4,
      ENV_SEG_LIMIT + i * 4,
      ENV_SEG_BASE + i * 8,
    );
  }
  save(env, 0x7e64, 4, load<u32>(env + ENV_GDT_LIMIT));
  save(env, 0x7e68, 8, load<u64>(env + ENV_GDT_BASE));
  saveSegment64(env, 0x7e70, ENV_LDT_SELECTOR, ENV_LDT_ATTR, ENV_LDT_LIMIT, ENV_LDT_BASE);
  save(env, 0x7e84, 4, load<u32>(env + ENV_IDT_LIMIT));
  save(env, 0x7e88, 8, load<u64>(env + ENV_IDT_BASE));
  saveSegment64(env, 0x7e90, ENV_TR_SELECTOR, ENV_TR_ATTR, ENV_TR_LIMIT, ENV_TR_BASE);
  save(env, AUTO_HALT_64, 1, load<u32>(env + ENV_HALTED));
  save(env, 0x7ed0, 8, load<u64>(env + ENV_EFER));
  save(env, REVISION, 4, REVISION_64);
  save(env, SMBASE_64, 4, load<u32>(env + ENV_SMBASE));
  save(env, 0x7f48, 8, load<u64>(env + ENV_CR4));
  save(env, 0x7f50, 8, load<u64>(env + ENV_CR3));
  save(env, 0x7f58, 8, load<u64>(env + ENV_CR0));
  save(env, 0x7f60, 8, load<u64>(env + ENV_DR + 56));
  save(env, 0x7f68, 8, load<u64>(env + ENV_DR + 48));
  save(env, 0x7f70, 8, getEflags(env));
  save(env, 0x7f78, 8, load<u64>(env + ENV_RIP));
  for (let i: u32 = 0; i < 16; i++) save(env, registerAt64(i), 8, load<u64>(env + ENV_REGS + i * 8));
}

function saveState32(env: u32): void {
  save(env, 0x7ffc, 4, load<u64>(env + ENV_CR0));
  save(env, 0x7ff8, 4, load<u64>(env + ENV_CR3));
  save(env, 0x7ff4, 4, getEflags(env));
  save(env, 0x7ff0, 4, load<u64>(env + ENV_RIP));
  for (let i: u32 = 0; i < 8; i++) save(env, registerAt32(i), 4, load<u64>(env + ENV_REGS + i * 8));
  save(env, 0x7fcc, 4, load<u64>(env + ENV_DR + 48));
  save(env, 0x7fc8, 4, load<u64>(env + ENV_DR + 56));
  saveSegment32(env, 0x7fc4, 0x7f5c, ENV_TR_SELECTOR, ENV_TR_ATTR, ENV_TR_LIMIT, ENV_TR_BASE);
  saveSegment32(env, 0x7fc0, 0x7f78, ENV_LDT_SELECTOR, ENV_LDT_ATTR, ENV_LDT_LIMIT, ENV_LDT_BASE);
  save(env, 0x7f74, 4, load<u64>(env + ENV_GDT_BASE));
  save(env, 0x7f70, 4, load<u32>(env + ENV_GDT_LIMIT));
  save(env, 0x7f58, 4, load<u64>(env + ENV_IDT_BASE));
  save(env, 0x7f54, 4, load<u32>(env + ENV_IDT_LIMIT));
  for (let i: u32 = 0; i < 6; i++) {
    saveSegment32(
      env,
      0x7fa8 + i * 4,
      segmentAt32(i),
      ENV_SEG_SELECTOR + i * 4,
      ENV_SEG_ATTR + i * 4,
      ENV_SEG_LIMIT + i * 4,
      ENV_SEG_BASE + i * 8,
    );
  }
  save(env, 0x7f14, 4, load<u64>(env + ENV_CR4));
  save(env, AUTO_HALT_32, 1, load<u32>(env + ENV_HALTED));
  save(env, REVISION, 4, REVISION_32);
  save(env, SMBASE_32, 4, load<u32>(env + ENV_SMBASE));
}

function hasLongMode(env: u32): bool {
  return hasFeature(env, 5, 29);
}

/** Takes an SMI between instructions. env.halted still says whether the CPU was halted. */
export function enterSmm(env: u32): void {
  store<u32>(env + ENV_SMM, 1);
  smmChanged(1);
  if (hasLongMode(env)) saveState64(env);
  else saveState32(env);
  // NMIs are held off in SMM; whether they were before is kept in bit 1.
  store<u32>(env + ENV_NMI_BLOCKED, load<u32>(env + ENV_NMI_BLOCKED) ? 3 : 1);
  store<u32>(env + ENV_HALTED, 0);
  store<u32>(env + ENV_INHIBIT, 0);
  const smbase = load<u32>(env + ENV_SMBASE);
  for (let i: u32 = 0; i < 6; i++) {
    store<u32>(env + ENV_SEG_SELECTOR + i * 4, i === SEG_CS ? (smbase >> 4) & 0xffff : 0);
    store<u64>(env + ENV_SEG_BASE + i * 8, i === SEG_CS ? smbase : 0);
    store<u32>(env + ENV_SEG_LIMIT + i * 4, 0xffffffff);
    store<u32>(env + ENV_SEG_ATTR + i * 4, 0x00809300);
  }
  store<u64>(env + ENV_RIP, 0x8000);
  store<u64>(env + ENV_CR0, load<u64>(env + ENV_CR0) & ~(CR0_PE | CR0_EM | CR0_TS | CR0_PG));
  store<u64>(env + ENV_CR4, 0);
  store<u64>(env + ENV_EFER, 0);
  store<u64>(env + ENV_DR + 56, 0x400);
  setEflags(env, 0, EFLAGS_ALL);
  flushTlb(env, 1);
}

function restoreState64(env: u32): void {
  for (let i: u32 = 0; i < 6; i++) {
    restoreSegment64(
      env,
      0x7e00 + i * 16,
      ENV_SEG_SELECTOR + i * 4,
      ENV_SEG_ATTR + i * 4,
      ENV_SEG_LIMIT + i * 4,
      ENV_SEG_BASE + i * 8,
    );
  }
  store<u32>(env + ENV_GDT_LIMIT, <u32>restore(env, 0x7e64, 4));
  store<u64>(env + ENV_GDT_BASE, restore(env, 0x7e68, 8));
  restoreSegment64(env, 0x7e70, ENV_LDT_SELECTOR, ENV_LDT_ATTR, ENV_LDT_LIMIT, ENV_LDT_BASE);
  store<u32>(env + ENV_IDT_LIMIT, <u32>restore(env, 0x7e84, 4));
  store<u64>(env + ENV_IDT_BASE, restore(env, 0x7e88, 8));
  restoreSegment64(env, 0x7e90, ENV_TR_SELECTOR, ENV_TR_ATTR, ENV_TR_LIMIT, ENV_TR_BASE);
  store<u32>(env + ENV_HALTED, <u32>restore(env, AUTO_HALT_64, 1) & 1);
  store<u64>(env + ENV_EFER, restore(env, 0x7ed0, 8));
  store<u64>(env + ENV_CR4, restore(env, 0x7f48, 8));
  store<u64>(env + ENV_CR3, restore(env, 0x7f50, 8));
  store<u64>(env + ENV_CR0, restore(env, 0x7f58, 8));
  store<u64>(env + ENV_DR + 56, restore(env, 0x7f60, 8));
  store<u64>(env + ENV_DR + 48, restore(env, 0x7f68, 8));
  store<u64>(env + ENV_RIP, restore(env, 0x7f78, 8));
  for (let i: u32 = 0; i < 16; i++) store<u64>(env + ENV_REGS + i * 8, restore(env, registerAt64(i), 8));
  finishRestore(env, restore(env, 0x7f70, 8));
  if (<u32>restore(env, REVISION, 4) & RELOCATION) relocate(env, <u32>restore(env, SMBASE_64, 4));
}

function restoreState32(env: u32): void {
  store<u64>(env + ENV_CR0, restore(env, 0x7ffc, 4));
  store<u64>(env + ENV_CR3, restore(env, 0x7ff8, 4));
  store<u64>(env + ENV_CR4, restore(env, 0x7f14, 4));
  store<u64>(env + ENV_RIP, restore(env, 0x7ff0, 4));
  for (let i: u32 = 0; i < 8; i++) store<u64>(env + ENV_REGS + i * 8, restore(env, registerAt32(i), 4));
  store<u64>(env + ENV_DR + 48, restore(env, 0x7fcc, 4));
  store<u64>(env + ENV_DR + 56, restore(env, 0x7fc8, 4));
  restoreSegment32(env, 0x7fc4, 0x7f5c, ENV_TR_SELECTOR, ENV_TR_ATTR, ENV_TR_LIMIT, ENV_TR_BASE);
  restoreSegment32(env, 0x7fc0, 0x7f78, ENV_LDT_SELECTOR, ENV_LDT_ATTR, ENV_LDT_LIMIT, ENV_LDT_BASE);
  store<u64>(env + ENV_GDT_BASE, restore(env, 0x7f74, 4));
  store<u32>(env + ENV_GDT_LIMIT, <u32>restore(env, 0x7f70, 4));
  store<u64>(env + ENV_IDT_BASE, restore(env, 0x7f58, 4));
  store<u32>(env + ENV_IDT_LIMIT, <u32>restore(env, 0x7f54, 4));
  for (let i: u32 = 0; i < 6; i++) {
    restoreSegment32(
      env,
      0x7fa8 + i * 4,
      segmentAt32(i),
      ENV_SEG_SELECTOR + i * 4,
      ENV_SEG_ATTR + i * 4,
      ENV_SEG_LIMIT + i * 4,
      ENV_SEG_BASE + i * 8,
    );
  }
  store<u32>(env + ENV_HALTED, <u32>restore(env, AUTO_HALT_32, 1) & 1);
  finishRestore(env, restore(env, 0x7ff4, 4));
  if (<u32>restore(env, REVISION, 4) & RELOCATION) relocate(env, <u32>restore(env, SMBASE_32, 4));
}

/** DEVIATION: SMBASE is page aligned (some CPUs want 32 KiB), so that no field of the save area crosses a page. */
function relocate(env: u32, smbase: u32): void {
  store<u32>(env + ENV_SMBASE, smbase & 0xfffff000);
}

/** EFLAGS and the privilege level, which is SS's DPL. */
function finishRestore(env: u32, eflags: u64): void {
  setEflags(env, eflags, EFLAGS_ALL);
  const cr0 = load<u64>(env + ENV_CR0);
  const vm = eflags & EFLAGS_VM && cr0 & CR0_PE;
  const cpl = cr0 & CR0_PE ? attrDpl(load<u32>(env + ENV_SEG_ATTR + 2 * 4)) : 0;
  setCpl(env, vm ? 3 : cpl);
}

/** IR: RSM. */
export function rsm(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  if (!load<u32>(env + ENV_SMM)) raise(env, EXC_UD);
  if (hasLongMode(env)) restoreState64(env);
  else restoreState32(env);
  store<u32>(env + ENV_SMM, 0);
  smmChanged(0);
  store<u32>(env + ENV_NMI_BLOCKED, load<u32>(env + ENV_NMI_BLOCKED) >> 1);
  store<u32>(env + ENV_INHIBIT, 0);
  const paged = load<u64>(env + ENV_CR0) & CR0_PG && load<u64>(env + ENV_CR4) & CR4_PAE;
  if (paged && !(load<u64>(env + ENV_EFER) & EFER_LMA)) loadPdptes(env, load<u64>(env + ENV_CR3));
  flushTlb(env, 1);
  updateHflags(env);
  return 0;
}
