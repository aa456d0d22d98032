/**
 * Delivery of interrupts and exceptions in all modes. Intel SDM volume 3, chapter 6.
 *
 * What the run loop does:
 *  - A fault left a block (throwFault was called, or a slow access left excVector >= 0): unless env.exactRip is set, put
 *    rip and ccOp of the faulting instruction into env. Then deliver: call `deliverException(env)`; as long as the call
 *    throws the fault sentinel, call it again (nested faults are combined by the rules for double faults). Result 0: the
 *    handler is about to run; 1: triple fault, the CPU is shut down.
 *  - An interrupt between instructions: `deliverInterrupt(env, vector)` or `deliverNmi(env)`; if it throws the sentinel,
 *    go on with `deliverException(env)` as above, leaving rip alone.
 *  - excVector is -1 after every delivery and must be -1 whenever guest code runs.
 */

import { enterCode } from "./control-transfer";
import { EXC_AC, EXC_DB, EXC_DF, EXC_GP, EXC_NON_CANONICAL, EXC_NP, EXC_PF, raiseError } from "./fault";
import { getEflags, setEflags, updateHflags } from "./flags";
import {
  ENV_DELIVERING,
  ENV_EFLAGS,
  ENV_EXACT_RIP,
  ENV_EXC_ERROR,
  ENV_EXC_HAS_ERROR,
  ENV_EXC_VECTOR,
  ENV_HALTED,
  ENV_IDT_BASE,
  ENV_IDT_LIMIT,
  ENV_INHIBIT,
  ENV_NMI_BLOCKED,
  ENV_PENDING_DEBUG,
  ENV_REGS,
  ENV_RIP,
  ENV_SEG_SELECTOR,
  ENV_SHADOW_OVER,
  ENV_STEPPING,
  ENV_TR_ATTR,
} from "./generated/env";
import { isCanonical, loadU32K, loadU64K } from "./mmu";
import {
  ATTR_CODE,
  ATTR_DB,
  ATTR_EC,
  ATTR_L,
  ATTR_P,
  ATTR_S,
  EFLAGS_AC,
  EFLAGS_IF,
  EFLAGS_IOPL,
  EFLAGS_NT,
  EFLAGS_RF,
  EFLAGS_TF,
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
  cplOf,
  descriptorAttr,
  descriptorLimit,
  fetchDescriptor,
  isLongMode,
  isProtected,
  isVm86,
  setSegmentFrom,
  setSegmentNull,
  setSegmentReal,
  TYPE_INT16,
  TYPE_INT32,
  TYPE_TASK,
  TYPE_TRAP16,
  TYPE_TRAP32,
  TYPE_TSS16_BUSY,
} from "./segments";
import {
  commitPointer,
  innerDescriptor,
  innerSelector,
  openInnerStack,
  openStack,
  openStack64,
  push,
  tss64Stack,
} from "./stack";
import { SWITCH_EVENT, switchThroughGate } from "./tasks";

/** INT n. */
const KIND_INT: i32 = 0;
/** INT3 and INTO: gate privilege counts, IOPL does not. */
const KIND_TRAP: i32 = 1;
/** Exceptions, INT1 and external interrupts: no privilege is asked. */
const KIND_EVENT: i32 = 2;

/** env.delivering while an interrupt is delivered: combines with nothing. */
const BENIGN: u32 = 256;
/** #DE #TS #NP #SS #GP */
const CONTRIBUTORY: u32 = (1 << 0) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13);

const RSP: u32 = ENV_REGS + 4 * 8;

function selector(env: u32, index: u32): u32 {
  return load<u32>(env + ENV_SEG_SELECTOR + index * 4);
}

function deliver(env: u32, vector: u32, kind: i32, error: u32, hasError: bool, rip: u64, flags: u64): void {
  if (isLongMode(env)) deliverLong(env, vector, kind, error, hasError, rip, flags);
  else if (isProtected(env) || isVm86(env)) deliverProtected(env, vector, kind, error, hasError, rip, flags);
  else deliverReal(env, vector, rip, flags);
  store<u32>(env + ENV_INHIBIT, 0);
  store<u32>(env + ENV_SHADOW_OVER, 0);
  store<u32>(env + ENV_STEPPING, 0);
  store<u32>(env + ENV_HALTED, 0);
  updateHflags(env);
}

function deliverReal(env: u32, vector: u32, rip: u64, flags: u64): void {
  if (vector * 4 + 3 > load<u32>(env + ENV_IDT_LIMIT)) raiseError(env, EXC_GP, vector * 8 + 2);
  const entry = loadU32K(env, load<u64>(env + ENV_IDT_BASE) + vector * 4);
  openStack(env, 0, 0);
  push(env, 2, flags);
  push(env, 2, selector(env, SEG_CS));
  push(env, 2, rip);
  commitPointer(env);
  setSegmentReal(env, SEG_CS, <u32>(entry >> 16), false);
  store<u64>(env + ENV_RIP, entry & 0xffff);
  setEflags(env, 0, EFLAGS_IF | EFLAGS_TF | EFLAGS_AC | EFLAGS_RF);
}

/** The EFLAGS bits that entering through a gate clears. */
function gateMask(isInterrupt: bool): u64 {
  const mask = EFLAGS_TF | EFLAGS_NT | EFLAGS_RF | EFLAGS_VM;
  return isInterrupt ? mask | EFLAGS_IF : mask;
}

/** The handler's code descriptor, checked; `vm` if virtual-8086 mode is interrupted. */
function handlerCode(env: u32, target: u32, vm: bool, ext: u32): u64 {
  if (!(target & 0xfffc)) raiseError(env, EXC_GP, ext);
  const error = (target & 0xfffc) | ext;
  const descriptor = fetchDescriptor(env, target, EXC_GP, ext);
  const attr = descriptorAttr(descriptor);
  if ((attr & (ATTR_S | ATTR_CODE)) !== (ATTR_S | ATTR_CODE) || attrDpl(attr) > cplOf(env)) {
    raiseError(env, EXC_GP, error);
  }
  if (isLongMode(env) && (attr & (ATTR_L | ATTR_DB)) !== ATTR_L) raiseError(env, EXC_GP, error);
  if (!(attr & ATTR_P)) raiseError(env, EXC_NP, error);
  // Virtual-8086 mode is left for ring 0 only.
  if (vm && (attr & ATTR_EC || attrDpl(attr) !== 0)) raiseError(env, EXC_GP, error);
  return descriptor;
}

function deliverProtected(env: u32, vector: u32, kind: i32, error: u32, hasError: bool, rip: u64, flags: u64): void {
  const ext: u32 = kind === KIND_EVENT ? 1 : 0;
  const idtError = vector * 8 + 2 + ext;
  const cpl = cplOf(env);
  const vm = isVm86(env);
  if (vm && kind === KIND_INT && (load<u64>(env + ENV_EFLAGS) & EFLAGS_IOPL) !== EFLAGS_IOPL) {
    raiseError(env, EXC_GP, 0);
  }
  if (vector * 8 + 7 > load<u32>(env + ENV_IDT_LIMIT)) raiseError(env, EXC_GP, idtError);
  const gate = loadU64K(env, load<u64>(env + ENV_IDT_BASE) + vector * 8);
  const attr = <u32>(gate >> 32) & 0xff00;
  const type = attrType(attr);
  const isGate =
    type === TYPE_TASK || type === TYPE_INT16 || type === TYPE_TRAP16 || type === TYPE_INT32 || type === TYPE_TRAP32;
  if (attr & ATTR_S || !isGate) raiseError(env, EXC_GP, idtError);
  if (!ext && attrDpl(attr) < cpl) raiseError(env, EXC_GP, idtError);
  if (!(attr & ATTR_P)) raiseError(env, EXC_NP, idtError);
  const target = <u32>(gate >> 16) & 0xffff;

  if (type === TYPE_TASK) {
    switchThroughGate(env, target, SWITCH_EVENT, rip, flags, ext);
    if (hasError) {
      // A fault here is the new task's.
      store<u32>(env + ENV_EXACT_RIP, 1);
      const newType = attrType(load<u32>(env + ENV_TR_ATTR));
      openStack(env, ext, cplOf(env) === 3 ? 0 : 1);
      push(env, newType === TYPE_TSS16_BUSY ? 2 : 4, error);
      commitPointer(env);
      store<u32>(env + ENV_EXACT_RIP, 0);
    }
    return;
  }

  const wide = (type & 8) !== 0;
  const size: u32 = wide ? 4 : 2;
  const offset = wide ? (gate & 0xffff) | ((gate >> 32) & 0xffff0000) : gate & 0xffff;
  const code = handlerCode(env, target, vm, ext);
  const codeAttr = descriptorAttr(code);
  const dpl = attrDpl(codeAttr);
  const isInner = !(codeAttr & ATTR_EC) && dpl < cpl;
  if (isInner) {
    const ss = selector(env, SEG_SS);
    const esp = load<u64>(env + RSP);
    openInnerStack(env, dpl, ext);
    if (vm) {
      push(env, size, selector(env, SEG_GS));
      push(env, size, selector(env, SEG_FS));
      push(env, size, selector(env, SEG_DS));
      push(env, size, selector(env, SEG_ES));
    }
    push(env, size, ss);
    push(env, size, esp);
  } else openStack(env, ext, cpl === 3 ? 0 : 1);
  push(env, size, flags);
  push(env, size, selector(env, SEG_CS));
  push(env, size, rip);
  if (hasError) push(env, size, error);
  if (offset > descriptorLimit(code)) raiseError(env, EXC_GP, ext);
  commitPointer(env);
  if (isInner) {
    setSegmentFrom(env, SEG_SS, innerSelector(env), innerDescriptor(env));
    if (vm) {
      setSegmentNull(env, SEG_ES, 0);
      setSegmentNull(env, SEG_DS, 0);
      setSegmentNull(env, SEG_FS, 0);
      setSegmentNull(env, SEG_GS, 0);
    }
  }
  setEflags(env, 0, gateMask((type & 1) === 0));
  enterCode(env, target, code, isInner ? dpl : cpl, offset);
}

function deliverLong(env: u32, vector: u32, kind: i32, error: u32, hasError: bool, rip: u64, flags: u64): void {
  const ext: u32 = kind === KIND_EVENT ? 1 : 0;
  const idtError = vector * 8 + 2 + ext;
  const cpl = cplOf(env);
  if (vector * 16 + 15 > load<u32>(env + ENV_IDT_LIMIT)) raiseError(env, EXC_GP, idtError);
  const at = load<u64>(env + ENV_IDT_BASE) + vector * 16;
  const gate = loadU64K(env, at);
  const high = loadU64K(env, at + 8);
  const attr = <u32>(gate >> 32) & 0xff00;
  const type = attrType(attr);
  if (attr & ATTR_S || (type !== TYPE_INT32 && type !== TYPE_TRAP32)) raiseError(env, EXC_GP, idtError);
  if (!ext && attrDpl(attr) < cpl) raiseError(env, EXC_GP, idtError);
  if (!(attr & ATTR_P)) raiseError(env, EXC_NP, idtError);
  const target = <u32>(gate >> 16) & 0xffff;
  const offset = (gate & 0xffff) | ((gate >> 32) & 0xffff0000) | (high << 32);
  const code = handlerCode(env, target, false, ext);
  const codeAttr = descriptorAttr(code);
  const dpl = attrDpl(codeAttr);
  const isInner = !(codeAttr & ATTR_EC) && dpl < cpl;
  const newCpl = isInner ? dpl : cpl;
  if (!isCanonical(offset)) raiseError(env, EXC_GP, ext);
  const ist = <u32>(gate >> 32) & 7;
  const oldRsp = load<u64>(env + RSP);
  let pointer: u64;
  if (ist) pointer = tss64Stack(env, 3 + ist, ext);
  else pointer = isInner ? tss64Stack(env, dpl, ext) : oldRsp;
  openStack64(env, pointer & ~15, ext, newCpl === 3 ? 0 : 1);
  push(env, 8, selector(env, SEG_SS));
  push(env, 8, oldRsp);
  push(env, 8, flags);
  push(env, 8, selector(env, SEG_CS));
  push(env, 8, rip);
  if (hasError) push(env, 8, error);
  commitPointer(env);
  if (isInner) setSegmentNull(env, SEG_SS, newCpl);
  setEflags(env, 0, gateMask(type === TYPE_INT32));
  enterCode(env, target, code, newCpl, offset);
}

function isContributory(vector: u32): bool {
  return vector < 32 && ((CONTRIBUTORY >> vector) & 1) !== 0;
}

/** Delivers the exception that env describes: see the head of this file. */
export function deliverException(env: u32): i32 {
  let vector = <u32>load<i32>(env + ENV_EXC_VECTOR);
  if (vector === EXC_NON_CANONICAL) vector = EXC_GP;
  let error = load<u32>(env + ENV_EXC_ERROR);
  let hasError = load<u32>(env + ENV_EXC_HAS_ERROR) !== 0;
  store<i32>(env + ENV_EXC_VECTOR, -1);
  store<u32>(env + ENV_EXACT_RIP, 0);
  const before = load<u32>(env + ENV_DELIVERING);
  if (before && before !== BENIGN) {
    const first = before - 1;
    if (first === EXC_DF) {
      store<u32>(env + ENV_DELIVERING, 0);
      return 1;
    }
    // DEVIATION: #AC while delivering an exception, which could go on for ever in hardware, is a double fault.
    const doubles =
      vector === EXC_AC ||
      (isContributory(first) && isContributory(vector)) ||
      (first === EXC_PF && (vector === EXC_PF || isContributory(vector)));
    if (doubles) {
      vector = EXC_DF;
      error = 0;
      hasError = true;
    }
  }
  store<u32>(env + ENV_DELIVERING, vector + 1);
  // Faults push RF set, so that the instruction's breakpoint does not fire again; #DB does for general detect only.
  let flags = getEflags(env);
  if (vector !== EXC_DB || error === 1) flags |= EFLAGS_RF;
  if (vector !== EXC_DB) store<u32>(env + ENV_PENDING_DEBUG, 0);
  deliver(env, vector, KIND_EVENT, error, hasError, load<u64>(env + ENV_RIP), flags);
  store<u32>(env + ENV_DELIVERING, 0);
  return 0;
}

/** Delivers an external interrupt before the instruction at rip. */
export function deliverInterrupt(env: u32, vector: u32): void {
  store<i32>(env + ENV_EXC_VECTOR, -1);
  store<u32>(env + ENV_DELIVERING, BENIGN);
  deliver(env, vector, KIND_EVENT, 0, false, load<u64>(env + ENV_RIP), getEflags(env));
  store<u32>(env + ENV_DELIVERING, 0);
}

/** Delivers an NMI; further ones are held off until IRET. */
export function deliverNmi(env: u32): void {
  store<u32>(env + ENV_NMI_BLOCKED, 1);
  deliverInterrupt(env, 2);
}

/** IR: INT n, INT3, INTO and INT1: vector in bits 7..0 of imm, KIND_* above; `a` is the next instruction's offset. */
export function softwareInterrupt(env: u32, a: u64, _b: u64, imm: i32): u64 {
  deliver(env, <u32>imm & 0xff, imm >> 8, 0, false, a, getEflags(env));
  return 0;
}
