/**
 * The state of one x86 CPU ("env"), laid out in the shared memory. Everything that runs guest code addresses it by
 * offset: IR slots, the interpreter, compiled code, the helpers in `assembly/` (which get these offsets as constants
 * from a generated file).
 *
 * Conventions:
 *  - A register that IR can name is a 64-bit slot below offset 65536.
 *  - Outside long mode the upper halves of general registers and rip are kept as they are (zero after reset).
 *  - Arithmetic flags are lazy: `ccOp` says how to compute them from `ccDst`, `ccSrc`, `ccSrc2` and `ccCarry`; `eflags` holds the
 *    others (TF IF IOPL NT RF VM AC VIF VIP ID) and never the arithmetic flags or DF; `df` is +1 or -1.
 *  - Segment registers in the order ES CS SS DS FS GS; `segAttr` is the descriptor's high word masked with 0x00f0ff00.
 */

import { array, defineState, i32, u32, u64 } from "../../core/state/state.ts";
import {
  CPU_FIELDS,
  CPU_STATE_NAME,
  CPU_STATE_VERSION,
  PENDING_INIT,
  PENDING_INTERRUPT,
  PENDING_INTERRUPT_VECTOR_SHIFT,
  PENDING_NMI,
  PENDING_SIPI,
  PENDING_SIPI_VECTOR_SHIFT,
} from "../x86/cpu-state.ts";

export const CPU_STATE = defineState(CPU_STATE_NAME, CPU_STATE_VERSION, CPU_FIELDS, {
  unsaved: {
    /** IRQ_* bits: what waits for delivery, and the vector of a SIPI. Written by any thread with Atomics. */
    interruptRequest: i32,
    /** EXIT_REQUESTED: leave compiled code at the next block end. Written by any thread with Atomics. */
    exitRequest: i32,
    /** A pending exception: vector (-1 none), error code, whether it has one. */
    excVector: i32,
    excError: u32,
    excHasError: u32,
    /** Address of the op that runs or that faulted, in the shared memory. */
    opPointer: u32,
    /** Number of the compiled region that runs (see jit/), 0 outside. Then opPointer is one of its fault points. */
    region: u32,
    /** Set when the running region's guest code was overwritten: it is left at the next instruction. */
    regionStale: u32,
    /** rip at the entry of the region. */
    regionRip: u64,
    /** Instructions left in this slice. */
    budget: i32,
    /** What long work of a helper counts for besides, in instructions. */
    charge: u32,
    /** Address of the TLB in use (it follows the privilege). */
    tlb: u32,
    /** EFLAGS.TF was set when the present instruction began. */
    stepping: u32,
    /** The present instruction began in the shadow of STI or MOV SS. */
    shadowOver: u32,
    /** A fault is on its way whose rip (and ccOp) stand in env already: it belongs to a task that was just entered. */
    exactRip: u32,
    /** Vector of the exception whose delivery is under way, plus one. */
    delivering: u32,
    /** SHARING_*: whether there are other CPUs in this thread. */
    sharing: u32,
    /** Set by what waits for other CPUs: the slice is over. */
    yielded: u32,
    /** Address of the page map of core/memory/address-space.ts. */
    pageMap: u32,
    /** CPUID feature words, for checks at run time: see x86/cpu-model.ts. */
    features: array(u32, 16),
    /** Counters for -d stats. */
    tlbMisses: u64,
    pageFaults: u64,
    instructions: u64,
    tlbFlushes: u64,
    /** IR temporaries. */
    temps: array(u64, 256),
    /** IR vector temporaries, 16 bytes each. */
    vtemps: array(u64, 64),
    /** Scratch for helpers, 1 KiB. */
    scratch: array(u64, 128),
  },
});

const { offsets } = CPU_STATE;

/** Byte offset of a general register's slot. */
export const regOffset = (index: number): number => offsets.regs + index * 8;
export const segBaseOffset = (index: number): number => offsets.segBase + index * 8;
export const xmmOffset = (index: number): number => offsets.xmm + index * 16;
export const ENV = offsets;

// Layout of one CPU's section in the shared memory, relative to env.
export const TLB_ENTRIES = 4096;
/** tagRead i64, tagWrite i64, tagFetch i64, addend u32, log u32: see assembly/tlb.ts */
export const TLB_ENTRY_SIZE = 32;
export const TLB_SIZE = TLB_ENTRIES * TLB_ENTRY_SIZE;
export const ENV_SIZE = 16384;
/** One TLB per MMU index. */
export const MMU_KERNEL = 0;
export const MMU_USER = 1;
/** Supervisor while SMAP does not apply (EFLAGS.AC, or CR4.SMAP off). */
export const MMU_KERNEL_NOSMAP = 2;
/** User while alignment is checked (CR0.AM, EFLAGS.AC): every access takes the slow path. */
export const MMU_USER_ALIGN = 3;
export const MMU_COUNT = 4;
export const TLB_OFFSET = ENV_SIZE;
/** For each TLB: a count, then the indices filled since the last flush (u16 each). */
export const TLB_LOG_OFFSET = TLB_OFFSET + MMU_COUNT * TLB_SIZE;
export const TLB_LOG_SIZE = 16 + TLB_ENTRIES * 2;
export const CPU_SECTION_SIZE = 1 << 20;
if (ENV.xmm % 16 !== 0) throw new RangeError("XMM registers are not aligned");
if (CPU_STATE.size > ENV_SIZE) throw new RangeError(`CPU state is ${CPU_STATE.size} bytes`);
if (TLB_LOG_OFFSET + MMU_COUNT * TLB_LOG_SIZE > CPU_SECTION_SIZE) throw new RangeError("the TLBs do not fit");

// Low bits of a TLB tag: any set bit makes the inline comparison fail and sends the access to the slow path.
export const TLB_INVALID = 0x800;
/** No plain memory behind the page: go through the address space. */
export const TLB_MMIO = 0x400;
/** Writes must be told: translated code or logging. */
export const TLB_NOTIFY = 0x200;
/** A data breakpoint lies in the page. */
export const TLB_WATCH = 0x100;
/** Accesses must be checked for alignment. */
export const TLB_ALIGN = 0x80;

// hflags: the mode a block is translated for.
export const HF_CPL = 0b11;
/** CS.D */
export const HF_CS32 = 1 << 2;
/** CS.L in long mode */
export const HF_CS64 = 1 << 3;
/** SS.B */
export const HF_SS32 = 1 << 4;
/** Some of DS, ES, SS has a base other than zero. */
export const HF_ADDSEG = 1 << 5;
export const HF_PE = 1 << 6;
export const HF_VM = 1 << 7;
/** EFER.LMA */
export const HF_LMA = 1 << 8;
/** Some of CS, DS, ES, SS has a limit or type that accesses must be checked against. */
export const HF_SEGCHECK = 1 << 9;
export const HF_TF = 1 << 10;
/** CR0.MP, EM, TS */
export const HF_MP = 1 << 11;
export const HF_EM = 1 << 12;
export const HF_TS = 1 << 13;
/** CR4.OSFXSR */
export const HF_OSFXSR = 1 << 14;
/** CR4.OSXSAVE */
export const HF_OSXSAVE = 1 << 15;
/** EFLAGS.IOPL, two bits */
export const HF_IOPL_SHIFT = 16;
export const HF_SMM = 1 << 18;
/** The next instruction's interrupts are held off (STI, MOV SS): a block of one instruction. */
export const HF_INHIBIT = 1 << 19;
/** Debug registers hold an enabled breakpoint: blocks of one instruction, checked. */
export const HF_DEBUG = 1 << 20;
/** EFLAGS.RF is set: instruction breakpoints do not fire, and it is cleared after one instruction. */
export const HF_RF = 1 << 21;
/** CR4.UMIP, CR4.TSD, CR4.PCE... are looked at by helpers at run time. */

// sharing bits: another CPU could run now; there are others at all.
export const SHARING_NOW = 1;
export const SHARING_EVER = 2;

// halted values. Whoever waits for a SIPI takes no interrupt.
export { HALTED_HLT, HALTED_WAIT_FOR_SIPI } from "../x86/cpu-state.ts";

// interruptRequest bits.
export const IRQ_INTR = 1;
export const IRQ_NMI = PENDING_NMI;
export const IRQ_SMI = 4;
export const IRQ_INIT = PENDING_INIT;
export const IRQ_SIPI = PENDING_SIPI;
export const IRQ_RESET = 32;
/** Eight bits. */
export const SIPI_VECTOR_SHIFT = PENDING_SIPI_VECTOR_SHIFT;
/** An interrupt that another accelerator has acknowledged. */
export const IRQ_ACKNOWLEDGED = PENDING_INTERRUPT;
/** Eight bits. */
export const ACKNOWLEDGED_VECTOR_SHIFT = PENDING_INTERRUPT_VECTOR_SHIFT;

/** Value of exitRequest: larger than any budget, so that one comparison serves both. */
export const EXIT_REQUESTED = 0x7fffffff;

// inhibit values.
export { INHIBIT_MOV_SS, INHIBIT_STI } from "../x86/cpu-state.ts";

// ccOp: how to compute the arithmetic flags. The low two bits of sized ops give the size (0 = 8, 1 = 16, 2 = 32, 3 = 64).
/** ccSrc holds the flags themselves. */
export const CC_EFLAGS = 0;
/** ccDst = result, ccSrc = second operand. */
export const CC_ADD = 4;
/** ccDst = result, ccSrc = second operand, ccSrc2 = carry in. */
export const CC_ADC = 8;
/** ccDst = result, ccSrc = subtrahend. */
export const CC_SUB = 12;
/** ccDst = result, ccSrc = subtrahend, ccSrc2 = borrow in. */
export const CC_SBB = 16;
/** ccDst = result; CF = OF = 0. */
export const CC_LOGIC = 20;
/** ccDst = result, ccSrc = CF before. */
export const CC_INC = 24;
export const CC_DEC = 28;
/** ccDst = result, ccSrc = operand shifted by count - 1: CF is its top bit. */
export const CC_SHL = 32;
/** ccDst = result, ccSrc = operand shifted by count - 1: CF is its bit 0 (SHR and SAR). */
export const CC_SAR = 36;
/** ccDst = low result, ccSrc = nonzero if the result did not fit: CF = OF = (ccSrc !== 0). */
export const CC_MUL = 40;
/** ccDst = result; CF = (ccSrc !== 0), OF = 0 (BLSR, BLSMSK, BLSI, BZHI, BEXTR). */
export const CC_BMI = 44;
/** ccSrc holds the flags except CF, ccDst holds CF (ADCX); except OF, ccSrc2 holds OF (ADOX); both (ADCOX). */
export const CC_ADCX = 48;
export const CC_ADOX = 49;
export const CC_ADCOX = 50;
/** ccDst = 0 or not: ZF; all others zero (POPCNT). */
export const CC_POPCNT = 51;
/** ccDst = low result, ccSrc and ccSrc2 = the signed factors: CF = OF = (the product did not fit). */
export const CC_IMUL = 52;
/** Added to any of them: CF and OF are apart, in ccCarry: bit 1 is CF, bit 0 is CF xor OF (rotates, bit tests). */
export const CC_CARRY = 64;
/** Unknown while translating: the value in env counts. */
export const CC_DYNAMIC = 63;

export const CC_C = 0x001;
export const CC_P = 0x004;
export const CC_A = 0x010;
export const CC_Z = 0x040;
export const CC_S = 0x080;
export const CC_O = 0x800;
