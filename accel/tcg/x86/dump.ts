/** The registers in env as `info registers` shows them. */

import type { State } from "../../../core/state/state.ts";
import { dumpRegisters, type ShownSegment } from "../../x86/dump.ts";
import { type CPU_STATE, HF_CPL, HF_SMM } from "../env.ts";

const SEGMENTS = [0, 1, 2, 3, 4, 5];
const DIRECTION = 0x400n;
const ALWAYS_SET = 2n;
const TOP_SHIFT = 11;
const TOP = 7 << TOP_SHIFT;
const A20 = 0x100000;

/** `arithmeticFlags` are the computed CF PF AF ZF SF OF. */
export function dumpState(s: State<typeof CPU_STATE>, arithmeticFlags: number): string {
  const direction = BigInt.asIntN(64, s.df) < 0n ? DIRECTION : 0n;
  const segments = SEGMENTS.map(
    (i): ShownSegment => ({
      selector: s.segSelector[i],
      base: s.segBase[i],
      limit: s.segLimit[i],
      attributes: s.segAttr[i],
    }),
  );
  const { regs, rip, cr0, cr2, cr3, cr4, dr, efer, mxcsr, fpr, xmm } = s;
  return dumpRegisters({
    ...{ regs, rip, cr0, cr2, cr3, cr4, dr, efer, mxcsr, fpr, xmm, segments },
    rflags: s.eflags | BigInt(arithmeticFlags >>> 0) | direction | ALWAYS_SET,
    cpl: s.hflags & HF_CPL,
    inhibit: s.inhibit !== 0,
    a20: (s.a20Mask & A20) !== 0,
    smm: (s.hflags & HF_SMM) !== 0,
    halted: s.halted !== 0,
    ldt: { selector: s.ldtSelector, base: s.ldtBase, limit: s.ldtLimit, attributes: s.ldtAttr },
    tr: { selector: s.trSelector, base: s.trBase, limit: s.trLimit, attributes: s.trAttr },
    gdt: { base: s.gdtBase, limit: s.gdtLimit },
    idt: { base: s.idtBase, limit: s.idtLimit },
    fpControl: s.fpControl,
    fpStatus: (s.fpStatus & ~TOP) | (s.fpTop << TOP_SHIFT),
    fpTags: s.fpEmpty.reduce((bits, empty, i) => bits | (empty ? 0 : 1 << i), 0),
  });
}
