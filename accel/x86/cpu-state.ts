/**
 * The registers of an x86 CPU, as every accelerator saves them; what waits for delivery is beside them (`pending`).
 *
 * Arithmetic flags: `ccOp` is 0 in what is saved, and `ccSrc` has CF PF AF ZF SF OF; `eflags` has the others but DF, which is
 * `df`, +1 or -1. Segment registers are in the order ES CS SS DS FS GS; attributes are the descriptor's high word masked
 * with 0x00f0ff00. The CPU's privilege level is in the low bits of `hflags`.
 */

import { array, defineState, u8, u32, u64 } from "../../core/state/state.ts";

export const CPU_STATE_NAME = "x86-cpu";
export const CPU_STATE_VERSION = 1;

export const CPU_FIELDS = {
  /** RAX RCX RDX RBX RSP RBP RSI RDI R8..R15 */
  regs: array(u64, 16),
  rip: u64,
  ccOp: u64,
  ccDst: u64,
  ccSrc: u64,
  ccSrc2: u64,
  ccCarry: u64,
  df: u64,
  eflags: u64,
  segBase: array(u64, 6),
  segLimit: array(u32, 6),
  segAttr: array(u32, 6),
  segSelector: array(u32, 6),
  ldtBase: u64,
  trBase: u64,
  gdtBase: u64,
  idtBase: u64,
  ldtLimit: u32,
  ldtAttr: u32,
  ldtSelector: u32,
  trLimit: u32,
  trAttr: u32,
  trSelector: u32,
  gdtLimit: u32,
  idtLimit: u32,
  cr0: u64,
  cr2: u64,
  cr3: u64,
  cr4: u64,
  dr: array(u64, 8),
  efer: u64,
  star: u64,
  lstar: u64,
  cstar: u64,
  sfmask: u64,
  kernelGsBase: u64,
  sysenterCs: u64,
  sysenterEsp: u64,
  sysenterEip: u64,
  pat: u64,
  tscAux: u64,
  tscOffset: u64,
  miscEnable: u64,
  xcr0: u64,
  mtrrDefType: u64,
  mtrrFixed: array(u64, 11),
  mtrrVariable: array(u64, 16),
  mcgStatus: u64,
  mcgControl: u64,
  /** CTL, STATUS, ADDR and MISC of ten machine-check banks. */
  mceBanks: array(u64, 40),
  /** PAE: the page-directory-pointer entries as loaded by the last MOV CR3. */
  pdptes: array(u64, 4),
  microcode: u64,
  smbase: u32,
  /** The privilege level, and bits that an accelerator keeps for itself. */
  hflags: u32,
  /** All ones, or bit 20 clear while A20 is masked. */
  a20Mask: u32,
  /** HALTED_*, or 0 while it runs. */
  halted: u32,
  /** 1 while NMIs are held off until IRET. */
  nmiBlocked: u32,
  /** 1 inside SMM. */
  smm: u32,
  /** INHIBIT_*: interrupts are held off for one instruction. */
  inhibit: u32,
  /** DR6 bits of breakpoints that matched and wait for the end of the instruction. */
  pendingDebug: u32,
  /** x87: eight registers of 16 bytes: 64-bit significand, then sign and exponent in the low 16 bits. Physical order. */
  fpr: array(u64, 16),
  /** TOP */
  fpTop: u32,
  /** Status word without TOP. */
  fpStatus: u32,
  fpControl: u32,
  /** 1 = empty, by physical register. */
  fpEmpty: array(u8, 8),
  fpOpcode: u32,
  fpCs: u32,
  fpDs: u32,
  fpIp: u64,
  fpDp: u64,
  /** XMM0..XMM15, 16 bytes each. */
  xmm: array(u64, 32),
  /** Upper halves of YMM0..YMM15. */
  ymmHigh: array(u64, 32),
  mxcsr: u32,
} as const;

/** The registers alone. */
export const SAVED_CPU = defineState(CPU_STATE_NAME, CPU_STATE_VERSION, CPU_FIELDS);

/** The flags in `ccSrc`. */
export const ARITHMETIC_FLAGS = 0x8d5;

// Values of `halted`.
export const HALTED_HLT = 1;
export const HALTED_WAIT_FOR_SIPI = 2;

// Values of `inhibit`.
export const INHIBIT_STI = 1;
export const INHIBIT_MOV_SS = 2;

// Bits of `pending`.
export const PENDING_NMI = 2;
export const PENDING_INIT = 8;
export const PENDING_SIPI = 16;
/** Eight bits. */
export const PENDING_SIPI_VECTOR_SHIFT = 8;
/** An interrupt that is acknowledged already: it comes before anything else. */
export const PENDING_INTERRUPT = 1 << 16;
/** Eight bits. */
export const PENDING_INTERRUPT_VECTOR_SHIFT = 17;
