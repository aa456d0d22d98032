/**
 * SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS, and the MSRs that are plain CPU state. AMD APM volume 2, chapter 6, and
 * volume 3; Intel SDM volume 2 and volume 4.
 */

import { hasFeature } from "./control-registers";
import { EXC_GP, EXC_UD, raise, raiseError } from "./fault";
import { getEflags, setCpl, setEflags, updateHflags } from "./flags";
import {
  ENV_CR0,
  ENV_CR4,
  ENV_CSTAR,
  ENV_EFER,
  ENV_EFLAGS,
  ENV_HFLAGS,
  ENV_KERNEL_GS_BASE,
  ENV_LSTAR,
  ENV_PAT,
  ENV_REGS,
  ENV_RIP,
  ENV_SCRATCH,
  ENV_SEG_BASE,
  ENV_SFMASK,
  ENV_STAR,
  ENV_STEPPING,
  ENV_SYSENTER_CS,
  ENV_SYSENTER_EIP,
  ENV_SYSENTER_ESP,
  ENV_TSC_AUX,
  HF_CPL,
} from "./generated/env";
import { readMsr, readTsc, writeMsr } from "./host";
import { isCanonical } from "./mmu";
import {
  CR0_PE,
  CR0_PG,
  CR4_FSGSBASE,
  CR4_TSD,
  EFER_LMA,
  EFER_LME,
  EFER_NXE,
  EFER_SCE,
  EFLAGS_IF,
  EFLAGS_RF,
  EFLAGS_TF,
  EFLAGS_VM,
  SEG_CS,
  SEG_FS,
  SEG_GS,
  SEG_SS,
} from "./registers";
import { cplOf, isCode64, isLongMode, setSegment } from "./segments";
import { flushTlb } from "./tlb";

const RAX: u32 = ENV_REGS;
const RCX: u32 = ENV_REGS + 8;
const RDX: u32 = ENV_REGS + 16;
const RSP: u32 = ENV_REGS + 32;
const R11: u32 = ENV_REGS + 88;

/** Flat code and data segments of ring 0; the DPL is added. */
const CODE32: u32 = 0x00c09b00;
const CODE64: u32 = 0x00a09b00;
const DATA: u32 = 0x00c09300;

/** EFLAGS bits that SYSRET restores from R11. */
const SYSRET_MASK: u64 = 0x3c7fd7;

/** Flat CS and SS at a ring, then RIP. */
function enterFlat(env: u32, cs: u32, ss: u32, cpl: u32, code: u32, rip: u64): void {
  setSegment(env, SEG_CS, (cs & 0xfffc) | cpl, 0, 0xffffffff, code | (cpl << 13));
  setSegment(env, SEG_SS, (ss & 0xfffc) | cpl, 0, 0xffffffff, DATA | (cpl << 13));
  store<u64>(env + ENV_RIP, rip);
  setCpl(env, cpl);
}

/** A mask can clear TF: then the instruction is not stepped over. */
function dropStepping(env: u32): void {
  if (!(load<u64>(env + ENV_EFLAGS) & EFLAGS_TF)) store<u32>(env + ENV_STEPPING, 0);
}

function isIntel(env: u32): bool {
  return hasFeature(env, 8, 0);
}

/** #UD unless SYSCALL and SYSRET exist here: on Intel CPUs in 64-bit code only. */
function requireSyscall(env: u32): void {
  const on = load<u64>(env + ENV_EFER) & EFER_SCE && load<u64>(env + ENV_CR0) & CR0_PE;
  if (!on || (isIntel(env) && !isCode64(env))) raise(env, EXC_UD);
}

/** #UD unless SYSENTER and SYSEXIT exist here: on AMD CPUs not in long mode. */
function requireSysenter(env: u32): void {
  if (isLongMode(env) && !isIntel(env)) raise(env, EXC_UD);
}

/** IR: SYSCALL; `a` is the next instruction's address. */
export function syscall(env: u32, a: u64, _b: u64, _imm: i32): u64 {
  requireSyscall(env);
  const star = load<u64>(env + ENV_STAR);
  const cs = <u32>(star >> 32) & 0xfffc;
  const flags = getEflags(env);
  if (isLongMode(env)) {
    const target = load<u64>(env + (isCode64(env) ? ENV_LSTAR : ENV_CSTAR));
    store<u64>(env + RCX, a);
    store<u64>(env + R11, flags & ~EFLAGS_RF);
    setEflags(env, flags & ~load<u64>(env + ENV_SFMASK) & ~EFLAGS_RF, 0x3f7fd5);
    enterFlat(env, cs, cs + 8, 0, CODE64, target);
  } else {
    store<u64>(env + RCX, a & 0xffffffff);
    setEflags(env, 0, EFLAGS_VM | EFLAGS_IF | EFLAGS_RF);
    enterFlat(env, cs, cs + 8, 0, CODE32, star & 0xffffffff);
  }
  dropStepping(env);
  return 0;
}

/** IR: SYSRET; imm 1 with REX.W. */
export function sysret(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  requireSyscall(env);
  if (cplOf(env) !== 0) raiseError(env, EXC_GP, 0);
  const cs = <u32>(load<u64>(env + ENV_STAR) >> 48) & 0xfffc;
  const rcx = load<u64>(env + RCX);
  if (!isLongMode(env)) {
    setEflags(env, EFLAGS_IF, EFLAGS_IF);
    enterFlat(env, cs, cs + 8, 3, CODE32, rcx & 0xffffffff);
    return 0;
  }
  // DEVIATION: AMD CPUs leave that fault to the first fetch in ring 3.
  if (imm && !isCanonical(rcx)) raiseError(env, EXC_GP, 0);
  setEflags(env, load<u64>(env + R11) & SYSRET_MASK, 0x3f7fd5);
  if (imm) enterFlat(env, cs + 16, cs + 8, 3, CODE64, rcx);
  else enterFlat(env, cs, cs + 8, 3, CODE32, rcx & 0xffffffff);
  return 0;
}

/** IR: SYSENTER. */
export function sysenter(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  requireSysenter(env);
  const cs = <u32>load<u64>(env + ENV_SYSENTER_CS) & 0xfffc;
  if (!(load<u64>(env + ENV_CR0) & CR0_PE) || !cs) raiseError(env, EXC_GP, 0);
  const long = isLongMode(env);
  const mask: u64 = long ? ~0 : 0xffffffff;
  store<u64>(env + RSP, load<u64>(env + ENV_SYSENTER_ESP) & mask);
  setEflags(env, 0, EFLAGS_VM | EFLAGS_IF | EFLAGS_RF);
  enterFlat(env, cs, cs + 8, 0, long ? CODE64 : CODE32, load<u64>(env + ENV_SYSENTER_EIP) & mask);
  return 0;
}

/** IR: SYSEXIT; imm 1 with REX.W. */
export function sysexit(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  requireSysenter(env);
  const cs = <u32>load<u64>(env + ENV_SYSENTER_CS) & 0xfffc;
  if (!(load<u64>(env + ENV_CR0) & CR0_PE) || !cs || cplOf(env) !== 0) raiseError(env, EXC_GP, 0);
  const rcx = load<u64>(env + RCX);
  const rdx = load<u64>(env + RDX);
  if (imm) {
    if (!isCanonical(rcx) || !isCanonical(rdx)) raiseError(env, EXC_GP, 0);
    store<u64>(env + RSP, rcx);
    enterFlat(env, cs + 32, cs + 40, 3, CODE64, rdx);
  } else {
    store<u64>(env + RSP, rcx & 0xffffffff);
    enterFlat(env, cs + 16, cs + 24, 3, CODE32, rdx & 0xffffffff);
  }
  return 0;
}

/** IR: the FS (imm 4) or GS (imm 5) base for RDFSBASE and RDGSBASE. */
export function readSegmentBase(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  if (!(load<u64>(env + ENV_CR4) & CR4_FSGSBASE)) raise(env, EXC_UD);
  return load<u64>(env + ENV_SEG_BASE + imm * 8);
}

/** IR: WRFSBASE and WRGSBASE. */
export function writeSegmentBase(env: u32, a: u64, _b: u64, imm: i32): u64 {
  if (!(load<u64>(env + ENV_CR4) & CR4_FSGSBASE)) raise(env, EXC_UD);
  if (!isCanonical(a)) raiseError(env, EXC_GP, 0);
  store<u64>(env + ENV_SEG_BASE + imm * 8, a);
  return 0;
}

// --- MSRs.

const MSR_SYSENTER_CS: u32 = 0x174;
const MSR_SYSENTER_ESP: u32 = 0x175;
const MSR_SYSENTER_EIP: u32 = 0x176;
const MSR_PAT: u32 = 0x277;
const MSR_EFER: u32 = 0xc0000080;
const MSR_STAR: u32 = 0xc0000081;
const MSR_LSTAR: u32 = 0xc0000082;
const MSR_CSTAR: u32 = 0xc0000083;
const MSR_SFMASK: u32 = 0xc0000084;
const MSR_FS_BASE: u32 = 0xc0000100;
const MSR_GS_BASE: u32 = 0xc0000101;
const MSR_KERNEL_GS_BASE: u32 = 0xc0000102;
const MSR_TSC_AUX: u32 = 0xc0000103;

/** Where an MSR is in env, for those that are plain 64-bit state; 0 for the others. */
function slotOf(env: u32, index: u32): u32 {
  switch (index) {
    case MSR_SYSENTER_CS:
      return hasFeature(env, 0, 11) ? env + ENV_SYSENTER_CS : 0;
    case MSR_SYSENTER_ESP:
      return hasFeature(env, 0, 11) ? env + ENV_SYSENTER_ESP : 0;
    case MSR_SYSENTER_EIP:
      return hasFeature(env, 0, 11) ? env + ENV_SYSENTER_EIP : 0;
    case MSR_PAT:
      return hasFeature(env, 0, 16) ? env + ENV_PAT : 0;
    case MSR_EFER:
      return hasFeature(env, 5, 11) || hasFeature(env, 5, 20) || hasFeature(env, 5, 29) ? env + ENV_EFER : 0;
    case MSR_STAR:
      return hasFeature(env, 5, 11) ? env + ENV_STAR : 0;
    case MSR_TSC_AUX:
      return hasFeature(env, 5, 27) ? env + ENV_TSC_AUX : 0;
  }
  if (!hasFeature(env, 5, 29)) return 0;
  switch (index) {
    case MSR_LSTAR:
      return env + ENV_LSTAR;
    case MSR_CSTAR:
      return env + ENV_CSTAR;
    case MSR_SFMASK:
      return env + ENV_SFMASK;
    case MSR_FS_BASE:
      return env + ENV_SEG_BASE + SEG_FS * 8;
    case MSR_GS_BASE:
      return env + ENV_SEG_BASE + SEG_GS * 8;
    case MSR_KERNEL_GS_BASE:
      return env + ENV_KERNEL_GS_BASE;
  }
  return 0;
}

/** IR: RDMSR. */
export function rdmsr(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  const index = load<u32>(env + RCX);
  const slot = slotOf(env, index);
  let value: u64;
  if (slot) value = load<u64>(slot);
  else {
    if (!readMsr(index)) raiseError(env, EXC_GP, 0);
    value = load<u64>(env + ENV_SCRATCH);
  }
  store<u64>(env + RAX, value & 0xffffffff);
  store<u64>(env + RDX, value >> 32);
  return 0;
}

/** IR: WRMSR. */
export function wrmsr(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  const index = load<u32>(env + RCX);
  const value = <u64>load<u32>(env + RAX) | ((<u64>load<u32>(env + RDX)) << 32);
  const slot = slotOf(env, index);
  if (!slot) {
    store<u64>(env + ENV_SCRATCH, value);
    if (!writeMsr(index)) raiseError(env, EXC_GP, 0);
    return 0;
  }
  switch (index) {
    case MSR_EFER:
      writeEfer(env, value);
      return 0;
    case MSR_PAT:
      if (!isPat(value)) raiseError(env, EXC_GP, 0);
      break;
    case MSR_SFMASK:
    case MSR_TSC_AUX:
      if (value >> 32) raiseError(env, EXC_GP, 0);
      break;
    case MSR_SYSENTER_CS:
    case MSR_STAR:
      break;
    default:
      if (!isCanonical(value)) raiseError(env, EXC_GP, 0);
  }
  store<u64>(slot, value);
  return 0;
}

/** Memory types 0, 1, 4, 5, 6 and 7 in each byte. */
function isPat(value: u64): bool {
  for (let i: u32 = 0; i < 8; i++) {
    const type = (value >> (i * 8)) & 0xff;
    if (type > 7 || type === 2 || type === 3) return false;
  }
  return true;
}

function writeEfer(env: u32, value: u64): void {
  const old = load<u64>(env + ENV_EFER);
  let allowed = EFER_LMA;
  if (hasFeature(env, 5, 11)) allowed |= EFER_SCE;
  if (hasFeature(env, 5, 20)) allowed |= EFER_NXE;
  if (hasFeature(env, 5, 29)) allowed |= EFER_LME;
  if (value & ~allowed) raiseError(env, EXC_GP, 0);
  if ((value ^ old) & EFER_LME && load<u64>(env + ENV_CR0) & CR0_PG) raiseError(env, EXC_GP, 0);
  store<u64>(env + ENV_EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
  if ((value ^ old) & EFER_NXE) flushTlb(env, 1);
  updateHflags(env);
}

/** IR: RDTSC; with imm 1 RDTSCP. */
export function rdtsc(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  if (load<u64>(env + ENV_CR4) & CR4_TSD && load<u32>(env + ENV_HFLAGS) & HF_CPL) raiseError(env, EXC_GP, 0);
  const value = readTsc();
  store<u64>(env + RAX, value & 0xffffffff);
  store<u64>(env + RDX, value >> 32);
  if (imm) store<u64>(env + RCX, load<u64>(env + ENV_TSC_AUX) & 0xffffffff);
  return 0;
}
