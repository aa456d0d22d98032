/** Register contents after power-up reset and after INIT. Intel SDM volume 3, section 10.1.1, table 10-1. */

import { clearState, loadState, type SavedState, type State } from "../../../core/state/state.ts";
import { CC_EFLAGS, CPU_STATE } from "../env.ts";

const CS = 1;
const ATTR_CODE = 0x9b00;
const ATTR_DATA = 0x9300;
const ATTR_LDT = 0x8200;
const ATTR_TSS_BUSY = 0x8b00;
const CR0_ET = 0x10n;
const CR0_CD_NW = 0x60000000n;
const DR6_RESET = 0xffff0ff0n;
const DR7_RESET = 0x400n;
const MXCSR_RESET = 0x1f80;
const PAT_RESET = 0x0007040600070406n;
const FPU_CONTROL_RESET = 0x40;
const MISC_ENABLE_FAST_STRINGS = 1n;
const SMBASE_RESET = 0x30000;
const XCR0_X87 = 1n;
const RDX = 2;

type CpuState = State<typeof CPU_STATE>;

/** Everything as after power-up. `signature` is CPUID(1).EAX, which EDX holds. TLBs and hflags are the caller's. */
export function resetState(s: CpuState, signature: number): void {
  keepSurroundings(s, () => clearState(CPU_STATE, s));
  s.cr0 = CR0_CD_NW | CR0_ET;
  s.mxcsr = MXCSR_RESET;
  s.fpControl = FPU_CONTROL_RESET;
  s.pat = PAT_RESET;
  s.smbase = SMBASE_RESET;
  s.miscEnable = MISC_ENABLE_FAST_STRINGS;
  s.a20Mask = 0xffffffff;
  s.xcr0 = XCR0_X87;
  resetCommon(s, signature);
}

/** Loads saved registers. No exception is on its way; TLBs are the caller's. */
export function loadRegisters(s: CpuState, saved: SavedState): void {
  keepSurroundings(s, () => loadState(CPU_STATE, s, saved));
  s.excVector = -1;
}

/** Keeps what is not the CPU's over a change: where the memory is, CPUID, and counters since the program started. */
function keepSurroundings(s: CpuState, change: () => void): void {
  const { pageMap, instructions, tlbMisses, tlbFlushes, pageFaults } = s;
  const features = Array.from(s.features);
  change();
  Object.assign(s, { pageMap, instructions, tlbMisses, tlbFlushes, pageFaults });
  s.features.set(features);
}

/** INIT: the FPU, vector registers, MSRs and caches keep their contents. */
export function initState(s: CpuState, signature: number): void {
  s.cr0 = (s.cr0 & CR0_CD_NW) | CR0_ET;
  s.cr2 = 0n;
  s.cr3 = 0n;
  s.cr4 = 0n;
  s.efer = 0n;
  s.regs.fill(0n);
  s.dr.fill(0n);
  s.halted = 0;
  s.nmiBlocked = 0;
  s.smm = 0;
  s.inhibit = 0;
  s.pendingDebug = 0;
  resetCommon(s, signature);
}

function resetCommon(s: CpuState, signature: number): void {
  s.regs[RDX] = BigInt(signature);
  s.rip = 0xfff0n;
  s.eflags = 0n;
  s.df = 1n;
  s.ccOp = BigInt(CC_EFLAGS);
  s.ccSrc = 0n;
  for (let i = 0; i < 6; i++) {
    s.segSelector[i] = i === CS ? 0xf000 : 0;
    s.segBase[i] = i === CS ? 0xffff0000n : 0n;
    s.segLimit[i] = 0xffff;
    s.segAttr[i] = i === CS ? ATTR_CODE : ATTR_DATA;
  }
  for (const table of ["gdt", "idt", "ldt", "tr"] as const) {
    s[`${table}Base`] = 0n;
    s[`${table}Limit`] = 0xffff;
  }
  s.ldtSelector = 0;
  s.ldtAttr = ATTR_LDT;
  s.trSelector = 0;
  s.trAttr = ATTR_TSS_BUSY;
  s.dr[6] = DR6_RESET;
  s.dr[7] = DR7_RESET;
  s.hflags = 0;
  s.excVector = -1;
}
