/**
 * Far transfers by instruction: JMP, CALL, RET and IRET, in all modes. Intel SDM volume 2 (those pages) and volume 3,
 * sections 5.8 and 6.12.
 *
 * Every function sets CS:RIP (and SS:RSP, EFLAGS) at its end, after all checks and memory accesses.
 */

import { EXC_GP, EXC_NP, raiseError } from "./fault";
import { getEflags, setCpl, setEflags, updateHflags } from "./flags";
import {
  ENV_EFLAGS,
  ENV_NMI_BLOCKED,
  ENV_REGS,
  ENV_RIP,
  ENV_SCRATCH,
  ENV_SEG_ATTR,
  ENV_SEG_LIMIT,
  ENV_SEG_SELECTOR,
  ENV_TR_BASE,
} from "./generated/env";
import { isCanonical, loadU16K } from "./mmu";
import {
  ATTR_CODE,
  ATTR_DB,
  ATTR_EC,
  ATTR_L,
  ATTR_P,
  ATTR_S,
  EFLAGS_IF,
  EFLAGS_IOPL,
  EFLAGS_NT,
  EFLAGS_VIF,
  EFLAGS_VIP,
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
  checkStackDescriptor,
  cplOf,
  descriptorAttr,
  descriptorLimit,
  fetchDescriptor,
  fetchDescriptorHigh,
  isCode64,
  isLongMode,
  isProtected,
  isVm86,
  markAccessed,
  setSegmentFrom,
  setSegmentNull,
  setSegmentReal,
  TYPE_CALL16,
  TYPE_CALL32,
  TYPE_TASK,
  TYPE_TSS16,
  TYPE_TSS32,
} from "./segments";
import {
  commitPointer,
  drop,
  innerDescriptor,
  innerSelector,
  openInnerStack,
  openStack,
  openStack64,
  peek,
  pop,
  push,
  setPointer,
  tss64Stack,
} from "./stack";
import { SWITCH_CALL, SWITCH_IRET, SWITCH_JMP, switchTask, switchThroughGate } from "./tasks";

const RSP: u32 = ENV_REGS + 4 * 8;

function csSelector(env: u32): u32 {
  return load<u32>(env + ENV_SEG_SELECTOR + SEG_CS * 4);
}

/** Cuts an instruction pointer to the operand size. */
function cut(offset: u64, size: u32): u64 {
  return size === 2 ? offset & 0xffff : size === 4 ? offset & 0xffffffff : offset;
}

/** Raises #GP(0) if a transfer to `offset` leaves the code segment `descriptor` (or the canonical range). */
function checkTarget(env: u32, descriptor: u64, offset: u64): void {
  if (isLongMode(env) && descriptorAttr(descriptor) & ATTR_L) {
    if (!isCanonical(offset)) raiseError(env, EXC_GP, 0);
  } else if (offset > descriptorLimit(descriptor)) raiseError(env, EXC_GP, 0);
}

/** Raises #GP if a code descriptor has both L and D in long mode. */
function checkLongAndDefault(env: u32, attr: u32, error: u32): void {
  if (isLongMode(env) && (attr & (ATTR_L | ATTR_DB)) === (ATTR_L | ATTR_DB)) raiseError(env, EXC_GP, error);
}

/** Loads CS at privilege `cpl` and sets RIP. */
export function enterCode(env: u32, selector: u32, descriptor: u64, cpl: u32, offset: u64): void {
  markAccessed(env, selector, descriptor);
  setSegmentFrom(env, SEG_CS, (selector & 0xfffc) | cpl, descriptor);
  store<u64>(env + ENV_RIP, offset);
  setCpl(env, cpl);
}

/** The checks on a code descriptor that is the direct target of a far JMP or CALL. */
function checkDirect(env: u32, selector: u32, attr: u32): void {
  const error = selector & 0xfffc;
  const cpl = cplOf(env);
  const dpl = attrDpl(attr);
  if (!(attr & ATTR_CODE)) raiseError(env, EXC_GP, error);
  if (attr & ATTR_EC ? dpl > cpl : dpl !== cpl || (selector & 3) > cpl) raiseError(env, EXC_GP, error);
  checkLongAndDefault(env, attr, error);
  if (!(attr & ATTR_P)) raiseError(env, EXC_NP, error);
}

/** Checks a gate or TSS that a JMP or CALL names. */
function checkGate(env: u32, selector: u32, attr: u32): void {
  const dpl = attrDpl(attr);
  if (dpl < cplOf(env) || dpl < (selector & 3)) raiseError(env, EXC_GP, selector & 0xfffc);
  if (!(attr & ATTR_P)) raiseError(env, EXC_NP, selector & 0xfffc);
}

/** A code descriptor behind a call gate, checked but for privilege. */
function gateTarget(env: u32, selector: u32): u64 {
  if (!(selector & 0xfffc)) raiseError(env, EXC_GP, 0);
  const descriptor = fetchDescriptor(env, selector, EXC_GP, 0);
  const attr = descriptorAttr(descriptor);
  const error = selector & 0xfffc;
  if ((attr & (ATTR_S | ATTR_CODE)) !== (ATTR_S | ATTR_CODE) || attrDpl(attr) > cplOf(env)) {
    raiseError(env, EXC_GP, error);
  }
  if (isLongMode(env) && (attr & (ATTR_L | ATTR_DB)) !== ATTR_L) raiseError(env, EXC_GP, error);
  if (!(attr & ATTR_P)) raiseError(env, EXC_NP, error);
  return descriptor;
}

function gateOffset(env: u32, selector: u32, gate: u64, type: u32): u64 {
  if (type === TYPE_CALL16) return gate & 0xffff;
  const low = (gate & 0xffff) | ((gate >> 32) & 0xffff0000);
  return isLongMode(env) ? low | (fetchDescriptorHigh(env, selector, EXC_GP, 0) << 32) : low;
}

function farReal(env: u32, selector: u32, offset: u64): void {
  setSegmentReal(env, SEG_CS, selector, isVm86(env));
  store<u64>(env + ENV_RIP, offset);
  updateHflags(env);
}

/**
 * IR: far JMP to selector `a`, offset `b` with operand size `imm`. scratch[0] holds the next instruction's offset.
 */
export function farJump(env: u32, a: u64, b: u64, imm: i32): u64 {
  const selector = <u32>a & 0xffff;
  const offset = cut(b, imm);
  if (!isProtected(env)) {
    if (offset > load<u32>(env + ENV_SEG_LIMIT + SEG_CS * 4)) raiseError(env, EXC_GP, 0);
    farReal(env, selector, offset);
    return 0;
  }
  if (!(selector & 0xfffc)) raiseError(env, EXC_GP, 0);
  const descriptor = fetchDescriptor(env, selector, EXC_GP, 0);
  const attr = descriptorAttr(descriptor);
  if (attr & ATTR_S) {
    checkDirect(env, selector, attr);
    checkTarget(env, descriptor, offset);
    enterCode(env, selector, descriptor, cplOf(env), offset);
    return 0;
  }
  const type = attrType(attr);
  const long = isLongMode(env);
  if (type === TYPE_CALL32 || (type === TYPE_CALL16 && !long)) {
    checkGate(env, selector, attr);
    const targetOffset = gateOffset(env, selector, descriptor, type);
    const target = <u32>(descriptor >> 16) & 0xffff;
    const code = gateTarget(env, target);
    const codeAttr = descriptorAttr(code);
    if (!(codeAttr & ATTR_EC) && attrDpl(codeAttr) !== cplOf(env)) raiseError(env, EXC_GP, target & 0xfffc);
    checkTarget(env, code, targetOffset);
    enterCode(env, target, code, cplOf(env), targetOffset);
  } else transferToTask(env, selector, descriptor, SWITCH_JMP);
  return 0;
}

/** Far JMP and CALL to what is no code and no call gate: a task, or an error. */
function transferToTask(env: u32, selector: u32, descriptor: u64, kind: u32): void {
  const attr = descriptorAttr(descriptor);
  const type = attrType(attr);
  const next = load<u64>(env + ENV_SCRATCH);
  const isTask = type === TYPE_TASK || type === TYPE_TSS16 || type === TYPE_TSS32;
  if (isLongMode(env) || !isTask) raiseError(env, EXC_GP, selector & 0xfffc);
  checkGate(env, selector, attr);
  if (type === TYPE_TASK) switchThroughGate(env, <u32>(descriptor >> 16) & 0xffff, kind, next, getEflags(env), 0);
  else {
    if (selector & 4) raiseError(env, EXC_GP, selector & 0xfffc);
    switchTask(env, selector, descriptor, kind, next, getEflags(env), 0);
  }
}

/** IR: far CALL to selector `a`, offset `b` with operand size `imm`. scratch[0] holds the next instruction's offset. */
export function farCall(env: u32, a: u64, b: u64, imm: i32): u64 {
  const selector = <u32>a & 0xffff;
  const size = <u32>imm;
  const offset = cut(b, size);
  const next = load<u64>(env + ENV_SCRATCH);
  if (!isProtected(env)) {
    openStack(env, 0, 0);
    push(env, size, csSelector(env));
    push(env, size, next);
    if (offset > load<u32>(env + ENV_SEG_LIMIT + SEG_CS * 4)) raiseError(env, EXC_GP, 0);
    commitPointer(env);
    farReal(env, selector, offset);
    return 0;
  }
  if (!(selector & 0xfffc)) raiseError(env, EXC_GP, 0);
  const descriptor = fetchDescriptor(env, selector, EXC_GP, 0);
  const attr = descriptorAttr(descriptor);
  if (attr & ATTR_S) {
    checkDirect(env, selector, attr);
    checkTarget(env, descriptor, offset);
    openStack(env, 0, 0);
    push(env, size, csSelector(env));
    push(env, size, next);
    commitPointer(env);
    enterCode(env, selector, descriptor, cplOf(env), offset);
    return 0;
  }
  const type = attrType(attr);
  if (type === TYPE_CALL32 || (type === TYPE_CALL16 && !isLongMode(env))) {
    checkGate(env, selector, attr);
    callThroughGate(env, selector, descriptor, type, next);
  } else transferToTask(env, selector, descriptor, SWITCH_CALL);
  return 0;
}

function callThroughGate(env: u32, selector: u32, gate: u64, type: u32, next: u64): void {
  const target = <u32>(gate >> 16) & 0xffff;
  const offset = gateOffset(env, selector, gate, type);
  const code = gateTarget(env, target);
  const attr = descriptorAttr(code);
  const dpl = attrDpl(attr);
  const cpl = cplOf(env);
  const isInner = !(attr & ATTR_EC) && dpl < cpl;
  checkTarget(env, code, offset);
  const oldSs = load<u32>(env + ENV_SEG_SELECTOR + SEG_SS * 4);
  const oldRsp = load<u64>(env + RSP);
  if (isLongMode(env)) {
    if (isInner) {
      openStack64(env, tss64Stack(env, dpl, 0), 0, 1);
      push(env, 8, oldSs);
      push(env, 8, oldRsp);
    } else openStack64(env, oldRsp, 0, 0);
    push(env, 8, csSelector(env));
    push(env, 8, next);
    commitPointer(env);
    if (isInner) setSegmentNull(env, SEG_SS, dpl);
    enterCode(env, target, code, isInner ? dpl : cpl, offset);
    return;
  }
  const size: u32 = type === TYPE_CALL16 ? 2 : 4;
  if (!isInner) {
    openStack(env, 0, 0);
    push(env, size, csSelector(env));
    push(env, size, next);
    commitPointer(env);
    enterCode(env, target, code, cpl, offset);
    return;
  }
  // Parameters move through scratch: two stacks cannot be open at once.
  const count = <u32>(gate >> 32) & 31;
  openStack(env, 0, 0);
  for (let i: u32 = 0; i < count; i++) store<u64>(env + ENV_SCRATCH + 640 + i * 8, peek(env, i * size, size));
  openInnerStack(env, dpl, 0);
  push(env, size, oldSs);
  push(env, size, oldRsp);
  for (let i = count; i > 0; i--) push(env, size, load<u64>(env + ENV_SCRATCH + 632 + i * 8));
  push(env, size, csSelector(env));
  push(env, size, next);
  commitPointer(env);
  setSegmentFrom(env, SEG_SS, innerSelector(env), innerDescriptor(env));
  enterCode(env, target, code, dpl, offset);
}

/** Checks the CS that RET or IRET returns to, and returns its descriptor. */
function returnTarget(env: u32, selector: u32): u64 {
  if (!(selector & 0xfffc)) raiseError(env, EXC_GP, 0);
  const descriptor = fetchDescriptor(env, selector, EXC_GP, 0);
  const attr = descriptorAttr(descriptor);
  const error = selector & 0xfffc;
  const rpl = selector & 3;
  if ((attr & (ATTR_S | ATTR_CODE)) !== (ATTR_S | ATTR_CODE) || rpl < cplOf(env)) raiseError(env, EXC_GP, error);
  if (attr & ATTR_EC ? attrDpl(attr) > rpl : attrDpl(attr) !== rpl) raiseError(env, EXC_GP, error);
  checkLongAndDefault(env, attr, error);
  if (!(attr & ATTR_P)) raiseError(env, EXC_NP, error);
  return descriptor;
}

/** Checks the SS that an outer return loads. Returns its descriptor, or 0 for a null selector in 64-bit code. */
function returnStack(env: u32, selector: u32, codeAttr: u32, rpl: u32): u64 {
  if (!(selector & 0xfffc)) {
    if (isLongMode(env) && codeAttr & ATTR_L && rpl !== 3 && (selector & 3) === rpl) return 0;
    raiseError(env, EXC_GP, 0);
  }
  const descriptor = fetchDescriptor(env, selector, EXC_GP, 0);
  checkStackDescriptor(env, selector, descriptor, rpl, EXC_GP, 0);
  return descriptor;
}

/** Nulls data segments that the new, outer CPL may not use. A null FS or GS keeps the base that 64-bit code gave it. */
function dropDataSegments(env: u32, cpl: u32): void {
  for (let i: u32 = 0; i < 6; i++) {
    if (i === SEG_CS || i === SEG_SS || !(load<u32>(env + ENV_SEG_SELECTOR + i * 4) & 0xfffc)) continue;
    const attr = load<u32>(env + ENV_SEG_ATTR + i * 4);
    const conforming = (attr & (ATTR_CODE | ATTR_EC)) === (ATTR_CODE | ATTR_EC);
    if (!conforming && attrDpl(attr) < cpl) setSegmentNull(env, i, 0);
  }
}

/** Loads SS on the way to an outer ring and sets RSP to `pointer`. */
function loadOuterStack(env: u32, selector: u32, descriptor: u64, pointer: u64, codeAttr: u32): void {
  if (descriptor) {
    markAccessed(env, selector, descriptor);
    setSegmentFrom(env, SEG_SS, selector, descriptor);
  } else setSegmentNull(env, SEG_SS, selector);
  if (isLongMode(env) && codeAttr & ATTR_L) setPointer(env, pointer, ~0);
  else setPointer(env, pointer, descriptorAttr(descriptor) & ATTR_DB ? 0xffffffff : 0xffff);
}

/** IR: far RET with operand size `imm`, releasing `a` bytes of parameters. */
export function farReturn(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const size = <u32>imm;
  const released = <u32>a;
  openStack(env, 0, 0);
  if (!isProtected(env)) {
    const offset = pop(env, size);
    const selector = <u32>pop(env, size) & 0xffff;
    if (offset > load<u32>(env + ENV_SEG_LIMIT + SEG_CS * 4)) raiseError(env, EXC_GP, 0);
    drop(env, released);
    commitPointer(env);
    farReal(env, selector, offset);
    return 0;
  }
  const offset = pop(env, size);
  const selector = <u32>pop(env, size) & 0xffff;
  const descriptor = returnTarget(env, selector);
  const attr = descriptorAttr(descriptor);
  const rpl = selector & 3;
  if (rpl === cplOf(env)) {
    checkTarget(env, descriptor, offset);
    drop(env, released);
    commitPointer(env);
    enterCode(env, selector, descriptor, rpl, offset);
    return 0;
  }
  drop(env, released);
  const pointer = pop(env, size);
  const stack = <u32>pop(env, size) & 0xffff;
  const stackDescriptor = returnStack(env, stack, attr, rpl);
  checkTarget(env, descriptor, offset);
  loadOuterStack(env, stack, stackDescriptor, pointer, attr);
  const long64 = isLongMode(env) && attr & ATTR_L;
  const mask: u64 = long64 ? ~0 : descriptorAttr(stackDescriptor) & ATTR_DB ? 0xffffffff : 0xffff;
  setPointer(env, load<u64>(env + RSP) + released, mask);
  enterCode(env, selector, descriptor, rpl, offset);
  dropDataSegments(env, rpl);
  updateHflags(env);
  return 0;
}

/** The EFLAGS bits that IRET at `cpl` and operand size `size` may change. */
function iretMask(env: u32, cpl: u32, size: u32): u64 {
  // CF PF AF ZF SF TF DF OF NT, and RF AC ID.
  let mask: u64 = 0x4dd5 | 0x250000;
  const iopl = <u32>(load<u64>(env + ENV_EFLAGS) >> 12) & 3;
  if (cpl <= iopl) mask |= EFLAGS_IF;
  if (cpl === 0) mask |= EFLAGS_IOPL | EFLAGS_VIF | EFLAGS_VIP;
  return size === 2 ? mask & 0xffff : mask;
}

/** IR: IRET with operand size `imm`. scratch[0] holds the next instruction's offset. */
export function interruptReturn(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const size = <u32>imm;
  // Even if it faults.
  store<u32>(env + ENV_NMI_BLOCKED, 0);
  if (!isProtected(env)) iretReal(env, size);
  else if (load<u64>(env + ENV_EFLAGS) & EFLAGS_NT) {
    if (isLongMode(env)) raiseError(env, EXC_GP, 0);
    returnToTask(env);
  } else iretProtected(env, size);
  return 0;
}

function iretReal(env: u32, size: u32): void {
  const vm = isVm86(env);
  const eflags = load<u64>(env + ENV_EFLAGS);
  if (vm && (eflags & EFLAGS_IOPL) !== EFLAGS_IOPL) raiseError(env, EXC_GP, 0);
  openStack(env, 0, 0);
  const offset = pop(env, size);
  const selector = <u32>pop(env, size) & 0xffff;
  const flags = pop(env, size);
  if (offset > load<u32>(env + ENV_SEG_LIMIT + SEG_CS * 4)) raiseError(env, EXC_GP, 0);
  commitPointer(env);
  setSegmentReal(env, SEG_CS, selector, vm);
  store<u64>(env + ENV_RIP, offset);
  let mask: u64 = 0x4fd5 | 0x250000;
  if (!vm) mask |= EFLAGS_IOPL;
  setEflags(env, flags, size === 2 ? mask & 0xffff : mask);
}

/** IRET with NT set: back to the task that the TSS's back link names. */
function returnToTask(env: u32): void {
  const link = <u32>loadU16K(env, load<u64>(env + ENV_TR_BASE));
  switchThroughGate(env, link, SWITCH_IRET, load<u64>(env + ENV_SCRATCH), getEflags(env), 0);
}

function iretProtected(env: u32, size: u32): void {
  const cpl = cplOf(env);
  const wide = isCode64(env);
  openStack(env, 0, 0);
  const offset = pop(env, size);
  const selector = <u32>pop(env, size) & 0xffff;
  const flags = pop(env, size);
  if (flags & EFLAGS_VM && size === 4 && cpl === 0 && !isLongMode(env)) {
    iretToVm86(env, offset, selector, flags);
    return;
  }
  const descriptor = returnTarget(env, selector);
  const attr = descriptorAttr(descriptor);
  const rpl = selector & 3;
  const mask = iretMask(env, cpl, size);
  if (rpl === cpl && !wide) {
    checkTarget(env, descriptor, offset);
    commitPointer(env);
    enterCode(env, selector, descriptor, rpl, offset);
    setEflags(env, flags, mask);
    return;
  }
  // To an outer ring, and always in 64-bit mode: SS:RSP too.
  const pointer = pop(env, size);
  const stack = <u32>pop(env, size) & 0xffff;
  const stackDescriptor = returnStack(env, stack, attr, rpl);
  checkTarget(env, descriptor, offset);
  loadOuterStack(env, stack, stackDescriptor, pointer, attr);
  enterCode(env, selector, descriptor, rpl, offset);
  if (rpl !== cpl) dropDataSegments(env, rpl);
  setEflags(env, flags, mask);
}

function iretToVm86(env: u32, offset: u64, selector: u32, flags: u64): void {
  const pointer = pop(env, 4);
  const ss = <u32>pop(env, 4) & 0xffff;
  const es = <u32>pop(env, 4) & 0xffff;
  const ds = <u32>pop(env, 4) & 0xffff;
  const fs = <u32>pop(env, 4) & 0xffff;
  const gs = <u32>pop(env, 4) & 0xffff;
  if (offset > 0xffff) raiseError(env, EXC_GP, 0);
  setSegmentReal(env, SEG_CS, selector, true);
  setSegmentReal(env, SEG_SS, ss, true);
  setSegmentReal(env, SEG_ES, es, true);
  setSegmentReal(env, SEG_DS, ds, true);
  setSegmentReal(env, SEG_FS, fs, true);
  setSegmentReal(env, SEG_GS, gs, true);
  store<u64>(env + ENV_RIP, offset);
  store<u64>(env + RSP, pointer);
  setEflags(env, flags, 0x3f7fd5);
}
