/**
 * The kernel's structures of a vCPU's registers in the form that all accelerators save, and back.
 *
 * DEVIATION: an exception whose delivery is under way has no place in that form: it is raised again by its instruction, but
 * a debug trap is lost on the way to another accelerator.
 */

import type { State } from "../../core/state/state.ts";
import {
  ARITHMETIC_FLAGS,
  INHIBIT_MOV_SS,
  INHIBIT_STI,
  PENDING_INTERRUPT,
  PENDING_INTERRUPT_VECTOR_SHIFT,
  PENDING_NMI,
  type SAVED_CPU,
} from "../x86/cpu-state.ts";
import type { ShownSegment } from "../x86/dump.ts";
import { DEBUGREGS, DTABLE, EVENTS, REGS, SEGMENT, SREGS, XSAVE } from "./abi.ts";

export type SavedCpu = State<typeof SAVED_CPU>;

/** Views of struct kvm_regs, kvm_sregs, kvm_xsave, kvm_debugregs, kvm_vcpu_events and, where there are some, kvm_xcrs. */
export interface KernelRegisters {
  readonly regs: DataView;
  readonly sregs: DataView;
  readonly xsave: DataView;
  readonly debug: DataView;
  readonly events: DataView;
  readonly xcrs: DataView | undefined;
}

const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"] as const;
const TABLES = ["gdt", "idt"] as const;
const CONTROL = ["cr0", "cr2", "cr3", "cr4", "efer"] as const;
/** By the field of the saved form; the counter is apart. */
export const SAVED_MSRS = {
  sysenterCs: 0x174,
  sysenterEsp: 0x175,
  sysenterEip: 0x176,
  star: 0xc0000081,
  lstar: 0xc0000082,
  cstar: 0xc0000083,
  sfmask: 0xc0000084,
  kernelGsBase: 0xc0000102,
  tscAux: 0xc0000103,
  pat: 0x277,
  miscEnable: 0x1a0,
  mcgStatus: 0x17a,
  mcgControl: 0x17b,
  mtrrDefType: 0x2ff,
} as const;
export const TSC = 0x10;
export const MTRR_VARIABLE = 0x200;
export const MTRR_FIXED = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f] as const;

const DIRECTION = 0x400;
const ALWAYS_SET = 2;
const TOP_SHIFT = 11;
const TOP = 7 << TOP_SHIFT;
const SHADOW_MOV_SS = 1;
const SHADOW_STI = 2;
/** Components of an XSAVE area that are in use. */
const XSTATE_BV = 512;
const X87_AND_SSE = 0b11n;
const YMM = 0b100n;
const YMM_HIGH = 576;
/** struct kvm_xcrs with XCR0 alone. */
const XCR_COUNT = 0;
const XCR_VALUE = 16;
const SMBASE = 0x30000;

/** Fills the saved form, but for MSRs and PAE's directory entries. `halted` is one of its values. */
export function describeCpu(from: KernelRegisters, s: SavedCpu, halted: number): void {
  const { regs, sregs, xsave, debug, events, xcrs } = from;
  const u64 = (view: DataView, at: number): bigint => view.getBigUint64(at, true);
  REGS.general.forEach((at, i) => {
    s.regs[i] = u64(regs, at);
  });
  s.rip = u64(regs, REGS.rip);
  const flags = Number(u64(regs, REGS.rflags));
  s.ccOp = s.ccDst = s.ccSrc2 = s.ccCarry = 0n;
  s.ccSrc = BigInt(flags & ARITHMETIC_FLAGS);
  s.df = flags & DIRECTION ? BigInt.asUintN(64, -1n) : 1n;
  s.eflags = BigInt(flags & ~(ARITHMETIC_FLAGS | DIRECTION | ALWAYS_SET));
  SEGMENTS.forEach((name, i) => {
    const { selector, base, limit, attributes } = getSegment(sregs, SREGS[name]);
    s.segSelector[i] = selector;
    s.segBase[i] = base;
    s.segLimit[i] = limit;
    s.segAttr[i] = attributes;
  });
  for (const name of ["ldt", "tr"] as const) {
    const { selector, base, limit, attributes } = getSegment(sregs, SREGS[name]);
    Object.assign(s, { [`${name}Selector`]: selector, [`${name}Limit`]: limit, [`${name}Attr`]: attributes });
    s[`${name}Base`] = base;
  }
  for (const name of TABLES) {
    s[`${name}Base`] = u64(sregs, SREGS[name] + DTABLE.base);
    s[`${name}Limit`] = sregs.getUint16(SREGS[name] + DTABLE.limit, true);
  }
  for (const name of CONTROL) s[name] = u64(sregs, SREGS[name]);
  for (let i = 0; i < 4; i++) s.dr[i] = u64(debug, DEBUGREGS.db + i * 8);
  s.dr[6] = u64(debug, DEBUGREGS.dr6);
  s.dr[7] = u64(debug, DEBUGREGS.dr7);
  s.xcr0 = xcrs ? u64(xcrs, XCR_VALUE) : 1n;
  s.smbase = SMBASE;
  s.hflags = (s.segAttr[2] >> 13) & 3;
  s.a20Mask = 0xffffffff;
  s.halted = halted;
  const nmiStarts = events.getUint8(EVENTS.nmi_injected) !== 0;
  s.nmiBlocked = events.getUint8(EVENTS.nmi_masked) && !nmiStarts ? 1 : 0;
  const shadow = events.getUint8(EVENTS.interrupt_shadow);
  s.inhibit = shadow & SHADOW_MOV_SS ? INHIBIT_MOV_SS : shadow & SHADOW_STI ? INHIBIT_STI : 0;
  describeFpu(xsave, s);
}

/** PENDING_* of what waits for delivery in the kernel. What software asked for, its instruction asks for again. */
export function describePending(events: DataView): number {
  const get = (field: keyof typeof EVENTS): number => events.getUint8(EVENTS[field]);
  const interrupt = get("interrupt_injected") !== 0 && get("interrupt_soft") === 0;
  return (
    (get("nmi_injected") || get("nmi_pending") ? PENDING_NMI : 0) |
    (interrupt ? PENDING_INTERRUPT | (get("interrupt_nr") << PENDING_INTERRUPT_VECTOR_SHIFT) : 0)
  );
}

/** The interrupt of it, into a structure as it is after power-up. */
export function restoreInterrupt(pending: number, events: DataView): void {
  if ((pending & PENDING_INTERRUPT) === 0) return;
  events.setUint8(EVENTS.interrupt_injected, 1);
  events.setUint8(EVENTS.interrupt_nr, (pending >> PENDING_INTERRUPT_VECTOR_SHIFT) & 0xff);
}

/** An FXSAVE area keeps the x87's registers from the top of the stack on; the saved form has them in their places. */
function describeFpu(xsave: DataView, s: SavedCpu): void {
  const u64 = (at: number): bigint => xsave.getBigUint64(at, true);
  const status = xsave.getUint16(XSAVE.fsw, true);
  s.fpTop = (status & TOP) >> TOP_SHIFT;
  s.fpStatus = status & ~TOP;
  s.fpControl = xsave.getUint16(XSAVE.fcw, true);
  const tags = xsave.getUint8(XSAVE.ftw);
  for (let i = 0; i < 8; i++) {
    const at = XSAVE.st + ((i - s.fpTop) & 7) * 16;
    s.fpEmpty[i] = (tags >> i) & 1 ? 0 : 1;
    s.fpr[i * 2] = u64(at);
    s.fpr[i * 2 + 1] = u64(at + 8) & 0xffffn;
  }
  s.fpOpcode = xsave.getUint16(XSAVE.fop, true);
  s.fpIp = u64(XSAVE.fip);
  s.fpDp = u64(XSAVE.fdp);
  s.mxcsr = xsave.getUint32(XSAVE.mxcsr, true);
  for (let i = 0; i < 32; i++) s.xmm[i] = u64(XSAVE.xmm + i * 8);
  const wide = (u64(XSTATE_BV) & YMM) !== 0n;
  for (let i = 0; i < 32; i++) s.ymmHigh[i] = wide ? u64(YMM_HIGH + i * 8) : 0n;
}

/** The reverse, over structures as they are after power-up. */
export function restoreCpu(s: SavedCpu, to: KernelRegisters): void {
  const { regs, sregs, xsave, debug, events, xcrs } = to;
  const set = (view: DataView, at: number, value: bigint): void => view.setBigUint64(at, value, true);
  REGS.general.forEach((at, i) => {
    set(regs, at, s.regs[i]);
  });
  set(regs, REGS.rip, s.rip);
  const down = BigInt.asIntN(64, s.df) < 0n ? DIRECTION : 0;
  set(regs, REGS.rflags, s.eflags | BigInt(down | ALWAYS_SET) | (s.ccSrc & BigInt(ARITHMETIC_FLAGS)));
  SEGMENTS.forEach((name, i) => {
    const segment = { selector: s.segSelector[i], base: s.segBase[i], limit: s.segLimit[i], attributes: s.segAttr[i] };
    putSegment(sregs, SREGS[name], segment);
  });
  const { ldtSelector, ldtBase, ldtLimit, ldtAttr, trSelector, trBase, trLimit, trAttr } = s;
  putSegment(sregs, SREGS.ldt, { selector: ldtSelector, base: ldtBase, limit: ldtLimit, attributes: ldtAttr });
  putSegment(sregs, SREGS.tr, { selector: trSelector, base: trBase, limit: trLimit, attributes: trAttr });
  for (const name of TABLES) {
    set(sregs, SREGS[name] + DTABLE.base, s[`${name}Base`]);
    sregs.setUint16(SREGS[name] + DTABLE.limit, s[`${name}Limit`], true);
  }
  for (const name of CONTROL) set(sregs, SREGS[name], s[name]);
  for (let i = 0; i < 4; i++) set(debug, DEBUGREGS.db + i * 8, s.dr[i]);
  set(debug, DEBUGREGS.dr6, s.dr[6]);
  set(debug, DEBUGREGS.dr7, s.dr[7]);
  if (xcrs && xcrs.getUint32(XCR_COUNT, true) > 0) set(xcrs, XCR_VALUE, s.xcr0);
  events.setUint8(EVENTS.nmi_masked, s.nmiBlocked);
  const shadow = s.inhibit === INHIBIT_MOV_SS ? SHADOW_MOV_SS : s.inhibit === INHIBIT_STI ? SHADOW_STI : 0;
  events.setUint8(EVENTS.interrupt_shadow, shadow);
  restoreFpu(s, xsave);
}

function restoreFpu(s: SavedCpu, xsave: DataView): void {
  const set = (at: number, value: bigint): void => xsave.setBigUint64(at, value, true);
  xsave.setUint16(XSAVE.fcw, s.fpControl, true);
  xsave.setUint16(XSAVE.fsw, s.fpStatus | (s.fpTop << TOP_SHIFT), true);
  let tags = 0;
  for (let i = 0; i < 8; i++) {
    const at = XSAVE.st + ((i - s.fpTop) & 7) * 16;
    if (s.fpEmpty[i] === 0) tags |= 1 << i;
    set(at, s.fpr[i * 2]);
    set(at + 8, s.fpr[i * 2 + 1] & 0xffffn);
  }
  xsave.setUint8(XSAVE.ftw, tags);
  xsave.setUint16(XSAVE.fop, s.fpOpcode, true);
  set(XSAVE.fip, s.fpIp);
  set(XSAVE.fdp, s.fpDp);
  xsave.setUint32(XSAVE.mxcsr, s.mxcsr, true);
  for (let i = 0; i < 32; i++) set(XSAVE.xmm + i * 8, s.xmm[i]);
  const wide = s.ymmHigh.some((half) => half !== 0n);
  if (wide) for (let i = 0; i < 32; i++) set(YMM_HIGH + i * 8, s.ymmHigh[i]);
  set(XSTATE_BV, xsave.getBigUint64(XSTATE_BV, true) | X87_AND_SSE | (wide ? YMM : 0n));
}

/** A segment of struct kvm_sregs; attributes as in a descriptor's high word. */
export function getSegment(view: DataView, at: number): ShownSegment {
  const byte = (field: keyof typeof SEGMENT, shift: number): number => view.getUint8(at + SEGMENT[field]) << shift;
  const low = byte("type", 8) | byte("s", 12) | byte("dpl", 13) | byte("present", 15);
  return {
    selector: view.getUint16(at + SEGMENT.selector, true),
    base: view.getBigUint64(at + SEGMENT.base, true),
    limit: view.getUint32(at + SEGMENT.limit, true),
    attributes: low | byte("avl", 20) | byte("l", 21) | byte("db", 22) | byte("g", 23),
  };
}

export function putSegment(view: DataView, at: number, { selector, base, limit, attributes }: ShownSegment): void {
  const byte = (field: keyof typeof SEGMENT, shift: number, mask: number): void =>
    view.setUint8(at + SEGMENT[field], (attributes >> shift) & mask);
  view.setBigUint64(at + SEGMENT.base, base, true);
  view.setUint32(at + SEGMENT.limit, limit, true);
  view.setUint16(at + SEGMENT.selector, selector, true);
  byte("type", 8, 15);
  byte("s", 12, 1);
  byte("dpl", 13, 3);
  byte("present", 15, 1);
  byte("avl", 20, 1);
  byte("l", 21, 1);
  byte("db", 22, 1);
  byte("g", 23, 1);
  view.setUint8(at + SEGMENT.unusable, (attributes >> 15) & 1 ? 0 : 1);
}
