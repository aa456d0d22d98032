/**
 * System instructions: segment loads, far transfers, interrupts, flags, control registers, descriptor tables. Nearly all
 * the work is in assembly/; here operands are read, and blocks end where modes or the interrupt state may change.
 */

import { ENV, regOffset, segBaseOffset } from "../env.ts";
import { NONE, type Value } from "../ir/builder.ts";
import { OP } from "../ir/ops.ts";
import type { Insn, OpcodeRow } from "../x86/insn.ts";
import { CS, FS, GS, RAX, RCX, RDX, SS, type Translator } from "./translator.ts";

type Emit = OpcodeRow["emit"];

const EXC_UD = 6;
const EXC_GP = 13;
const EFLAGS_IF = 0x200;
const CASTS_SHADOW = 0x100;
/** Kinds of `softwareInterrupt`. */
const KIND_INT = 0;
const KIND_TRAP = 1 << 8;
const KIND_EVENT = 2 << 8;
const TABLE_IDT = 16;

/** Goes on with the next instruction; modes may have changed, but interrupts need not be looked at. */
function goOn(t: Translator): void {
  t.setRip(t.nextRip());
  t.endLookup();
}

// ---- segment registers

function selectorOf(t: Translator, segment: number): Value {
  return t.ir.envLoad(OP.envld32u, ENV.segSelector + 4 * segment);
}

/** Loads a segment register other than CS. MOV and POP of SS cast a shadow. */
function loadSegment(t: Translator, segment: number, selector: Value, shadow: boolean): void {
  t.ir.callVoid("loadSegment", selector, NONE, segment | (shadow ? CASTS_SHADOW : 0));
}

/** Blocks know whether segments are flat: they end after a load that can change it. */
function endAfterLoad(t: Translator, segment: number, shadow: boolean): void {
  if (shadow) t.endMain();
  else if (segment < FS && !t.code64) goOn(t);
}

/** REX.R has no meaning for segment registers. */
const segmentField = (i: Insn): number => i.reg & 7;

export const movFromSegment: Emit = (t, i) => {
  const segment = segmentField(i);
  if (segment > GS) t.raise(EXC_UD);
  else t.writeE(i, selectorOf(t, segment), t.isReg(i) ? i.opSize : 2);
};

export const movToSegment: Emit = (t, i) => {
  const segment = segmentField(i);
  if (segment > GS || segment === CS) {
    t.raise(EXC_UD);
    return;
  }
  const shadow = segment === SS;
  loadSegment(t, segment, t.readE(i, 2), shadow);
  endAfterLoad(t, segment, shadow);
};

/** With a 32-bit operand only 16 bits are written, as Intel's processors do. */
export const pushSegment =
  (segment: number): Emit =>
  (t, i) => {
    const offset = t.stackOffset(-i.opSize);
    const size = i.opSize === 4 ? 2 : i.opSize;
    t.store(t.segAddress(SS, offset, size, true), selectorOf(t, segment), size);
    t.setStack(offset);
  };

export const popSegment =
  (segment: number): Emit =>
  (t, i) => {
    const shadow = segment === SS;
    const selector = t.load(t.segAddress(SS, t.stackOffset(0), i.opSize, false), 2);
    loadSegment(t, segment, selector, shadow);
    t.release(i.opSize);
    endAfterLoad(t, segment, shadow);
  };

/** The offset and selector of a far pointer in memory. */
function farPointer(t: Translator, i: Insn): { offset: Value; selector: Value } {
  const address = t.linear(i, i.opSize + 2, false);
  const offset = t.load(address, i.opSize);
  const selector = t.load(t.ir.lea(t.code64 ? 64 : 32, address, NONE, 0, i.opSize), 2);
  return { offset, selector };
}

/** LES, LDS, LSS, LFS, LGS */
export const loadFarPointer =
  (segment: number): Emit =>
  (t, i) => {
    const { offset, selector } = farPointer(t, i);
    loadSegment(t, segment, selector, false);
    t.writeG(i, offset);
    endAfterLoad(t, segment, false);
  };

// ---- far transfers

/** Before a transfer: the flags and the return address are where helpers look for them. */
function prepare(t: Translator): void {
  t.syncCc();
  t.ir.mov(ENV.scratch, t.nextRip());
}

function transfer(t: Translator, helper: string, selector: Value, offset: Value, size: number): void {
  prepare(t);
  t.ir.callVoid(helper, selector, offset, size);
  t.endAfterHelper();
}

export const farImmediate =
  (helper: "farJump" | "farCall"): Emit =>
  (t, i) => {
    const offset = i.opSize === 2 ? i.imm & 0xffff : i.imm;
    transfer(t, helper, t.ir.constU(i.imm2), t.ir.constU(offset), i.opSize);
  };

export const farMemory =
  (helper: "farJump" | "farCall"): Emit =>
  (t, i) => {
    const { offset, selector } = farPointer(t, i);
    transfer(t, helper, selector, offset, i.opSize);
  };

export const farReturn: Emit = (t, i) => transfer(t, "farReturn", t.ir.constU(i.imm & 0xffff), NONE, i.opSize);

export const iret: Emit = (t, i) => transfer(t, "interruptReturn", NONE, NONE, i.opSize);

function interrupt(t: Translator, imm: number): void {
  t.syncCc();
  t.ir.callVoid("softwareInterrupt", t.nextRip(), NONE, imm);
}

export const int: Emit = (t, i) => {
  interrupt(t, (i.imm & 0xff) | KIND_INT);
  t.endAfterHelper();
};

export const int3: Emit = (t) => {
  interrupt(t, 3 | KIND_TRAP);
  t.endAfterHelper();
};

export const int1: Emit = (t) => {
  interrupt(t, 1 | KIND_EVENT);
  t.endAfterHelper();
};

export const into: Emit = (t) => {
  const { ir } = t;
  const flags = t.flags();
  const skip = ir.label();
  t.syncCc();
  ir.brIf(OP.br_tsteq32, flags, ir.constU(0x800), skip);
  interrupt(t, 4 | KIND_TRAP);
  ir.exitMain();
  ir.bind(skip);
};

export const bound: Emit = (t, i) => {
  const address = t.linear(i, i.opSize * 2, false);
  t.ir.callVoid("bound", t.reg(i.reg), address, i.opSize);
};

// ---- system calls

export const syscall: Emit = (t) => {
  t.syncCc();
  t.ir.callVoid("syscall", t.nextRip());
  t.endAfterHelperLookup();
};

export const sysenter: Emit = (t) => {
  t.syncCc();
  t.ir.callVoid("sysenter");
  t.endAfterHelperLookup();
};

export const systemReturn =
  (helper: "sysret" | "sysexit"): Emit =>
  (t, i) => {
    t.syncCc();
    t.ir.callVoid(helper, NONE, NONE, i.rexW ? 1 : 0);
    t.endAfterHelper();
  };

// ---- flags and the interrupt state

/** Whether CLI and STI are forbidden here. */
const maskingForbidden = (t: Translator): boolean => t.protectedMode && t.cpl > t.iopl;

export const cli: Emit = (t) => {
  if (maskingForbidden(t)) t.raiseZero(EXC_GP);
  else t.ir.binaryTo(ENV.eflags, OP.and64, ENV.eflags, t.ir.const(~EFLAGS_IF));
};

export const sti: Emit = (t) => {
  if (maskingForbidden(t)) {
    t.raiseZero(EXC_GP);
    return;
  }
  t.ir.callVoid("sti");
  t.endMain();
};

export const pushf: Emit = (t, i) => {
  t.syncCc();
  t.push(t.ir.call("pushfImage"), i.opSize);
};

export const popf: Emit = (t, i) => {
  const image = t.top(i.opSize);
  t.syncCc();
  t.ir.callVoid("popf", image, NONE, i.opSize);
  t.flagsFromHelper();
  t.release(i.opSize);
  t.endMain();
};

export const hlt: Emit = (t) => {
  t.ir.callVoid("halt");
  t.endMain();
};

/** MONITOR and MWAIT: #UD outside ring 0. */
export const monitor: Emit = (t) => {
  if (t.cpl !== 0) t.raise(EXC_UD);
  else t.ir.callVoid("monitor", t.zext(t.reg(RCX), 4));
};

export const mwait: Emit = (t) => {
  if (t.cpl !== 0) {
    t.raise(EXC_UD);
    return;
  }
  t.ir.callVoid("mwait", t.zext(t.reg(RCX), 4));
  t.endMain();
};

export const alignmentCheck =
  (on: boolean): Emit =>
  (t) => {
    if (t.cpl !== 0) t.raise(EXC_UD);
    else t.ir.callVoid("setAlignmentCheck", NONE, NONE, on ? 1 : 0);
  };

// ---- control and debug registers

const CONTROL_SLOTS: Readonly<Record<number, Value>> = { 0: ENV.cr0, 2: ENV.cr2, 3: ENV.cr3, 4: ENV.cr4 };

const pointerSize = (t: Translator): number => (t.code64 ? 8 : 4);

/** #UD for a register that there is not, else #GP outside ring 0. True if it raises one. */
function refused(t: Translator, exists: boolean): boolean {
  if (!exists) t.raise(EXC_UD);
  else if (t.cpl !== 0) t.raiseZero(EXC_GP);
  else return false;
  return true;
}

const hasControl = (t: Translator, i: Insn): boolean => i.reg in CONTROL_SLOTS || (i.reg === 8 && t.code64);

export const movFromControl: Emit = (t, i) => {
  if (refused(t, hasControl(t, i))) return;
  t.writeReg(i.rm, pointerSize(t), i.reg === 8 ? t.ir.call("readCr8") : CONTROL_SLOTS[i.reg], true);
};

export const movToControl: Emit = (t, i) => {
  if (refused(t, hasControl(t, i))) return;
  t.ir.callVoid("writeControl", t.zext(t.reg(i.rm), pointerSize(t)), NONE, i.reg);
  t.endMain();
};

export const movFromDebug: Emit = (t, i) => {
  if (refused(t, i.reg < 8)) return;
  t.writeReg(i.rm, pointerSize(t), t.ir.call("readDebug", NONE, NONE, i.reg), true);
};

export const movToDebug: Emit = (t, i) => {
  if (refused(t, i.reg < 8)) return;
  t.ir.callVoid("writeDebug", t.zext(t.reg(i.rm), pointerSize(t)), NONE, i.reg);
  t.endMain();
};

export const lmsw: Emit = (t, i) => {
  t.ir.callVoid("lmsw", t.zext(t.readE(i, 2), 2));
  t.endMain();
};

export const clts: Emit = (t) => {
  t.ir.callVoid("clts");
  goOn(t);
};

export const invlpg: Emit = (t, i) => {
  const segment = t.segmentOf(i);
  const offset = t.ea(i);
  const based = t.code64 ? segment >= FS : true;
  t.ir.callVoid("invlpg", based ? t.ir.lea(t.code64 ? 64 : 32, segBaseOffset(segment), offset, 0, 0) : offset);
  goOn(t);
};

/** XGETBV */
export const xgetbv: Emit = (t) => {
  const { ir } = t;
  const value = ir.call("readXcr", t.zext(t.reg(RCX), 4));
  ir.emit(OP.ext32u, regOffset(RAX), value);
  ir.binaryTo(regOffset(RDX), OP.shr64, value, ir.const(32));
};

/** XSETBV */
export const xsetbv: Emit = (t) => {
  const { ir } = t;
  const high = ir.binary(OP.shl64, t.reg(RDX), ir.const(32));
  ir.callVoid("writeXcr", t.zext(t.reg(RCX), 4), ir.binary(OP.or64, high, t.zext(t.reg(RAX), 4)));
  goOn(t);
};

// ---- descriptor tables

const tableSize = (t: Translator, i: Insn): number => (t.code64 ? 8 : i.opSize === 2 ? 2 : 4);

/** LGDT, LIDT */
export const loadTable =
  (idt: boolean): Emit =>
  (t, i) => {
    const address = t.linear(i, t.code64 ? 10 : 6, false);
    t.ir.callVoid("loadTable", address, NONE, tableSize(t, i) | (idt ? TABLE_IDT : 0));
  };

/** SGDT, SIDT */
export const storeTable =
  (idt: boolean): Emit =>
  (t, i) => {
    const address = t.linear(i, t.code64 ? 10 : 6, true);
    t.ir.callVoid("storeTable", address, NONE, (t.code64 ? 8 : 4) | (idt ? TABLE_IDT : 0));
  };

/** SLDT (0), STR (1), SMSW (2): a register takes the operand size, memory a word. */
export const storeSystem =
  (which: 0 | 1 | 2): Emit =>
  (t, i) => {
    const value = t.ir.call("storeSystem", NONE, NONE, which);
    t.writeE(i, value, t.isReg(i) ? i.opSize : 2);
  };

/** LLDT, LTR: no operand is read where they are not allowed. */
export const loadSystem =
  (helper: "lldt" | "ltr"): Emit =>
  (t, i) => {
    if (!refused(t, t.protectedMode && !t.vm86)) t.ir.callVoid(helper, t.readE(i, 2));
  };

/** LAR, LSL: the destination stays when the selector is not visible. */
export const descriptorField =
  (helper: "lar" | "lsl"): Emit =>
  (t, i) => {
    const selector = t.readE(i, 2);
    t.syncCc();
    const value = t.ir.call(helper, selector, t.reg(i.reg));
    t.flagsFromHelper();
    t.writeReg(i.reg, i.opSize === 2 ? 2 : 8, value, true);
  };

/** VERR, VERW */
export const verify =
  (write: boolean): Emit =>
  (t, i) => {
    const selector = t.readE(i, 2);
    t.syncCc();
    t.ir.callVoid("verify", selector, NONE, write ? 1 : 0);
    t.flagsFromHelper();
  };

export const arpl: Emit = (t, i) => {
  if (!t.protectedMode || t.vm86) {
    t.raise(EXC_UD);
    return;
  }
  const { ir } = t;
  const before = ir.temp();
  ir.mov(before, t.readE(i, 2));
  const rpl = ir.binary(OP.and32, t.reg(i.reg), ir.const(3));
  const enough = ir.label();
  ir.brIf(OP.br_geu32, ir.binary(OP.and32, before, ir.const(3)), rpl, enough);
  t.writeE(i, ir.binary(OP.or32, ir.binary(OP.and32, before, ir.const(~3)), rpl), 2);
  ir.bind(enough);
  t.syncCc();
  ir.callVoid("arpl", before, t.reg(i.reg));
  t.flagsFromHelper();
};

// ---- the rest

/** An instruction that is one helper call and leaves the flags alone. */
export const helper =
  (name: string, imm = 0): Emit =>
  (t) =>
    t.ir.callVoid(name, NONE, NONE, imm);

/** One helper call, then the next block: what it changed may matter to the next instruction's translation. */
export const helperThenLookup =
  (name: string): Emit =>
  (t) => {
    t.ir.callVoid(name);
    goOn(t);
  };

export const rsm: Emit = (t) => {
  t.syncCc();
  t.ir.callVoid("rsm");
  t.endAfterHelper();
};

export const nothing: Emit = () => {};

export const raiseGeneral: Emit = (t) => t.raiseZero(EXC_GP);

export const swapgs: Emit = (t) => {
  const { ir } = t;
  const before = ir.temp();
  ir.mov(before, segBaseOffset(GS));
  ir.mov(segBaseOffset(GS), ENV.kernelGsBase);
  ir.mov(ENV.kernelGsBase, before);
};

/** RDFSBASE, RDGSBASE */
export const readBase =
  (segment: number): Emit =>
  (t, i) =>
    t.writeReg(i.rm, i.opSize, t.ir.call("readSegmentBase", NONE, NONE, segment), true);

/** WRFSBASE, WRGSBASE */
export const writeBase =
  (segment: number): Emit =>
  (t, i) =>
    t.ir.callVoid("writeSegmentBase", t.zext(t.reg(i.rm), i.opSize), NONE, segment);

export const rdpid: Emit = (t, i) => t.writeReg(i.rm, t.code64 ? 8 : 4, t.zext(ENV.tscAux, 4), true);
