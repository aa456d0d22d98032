/** The registers a CPU starts a kernel with when no firmware ran, as plain data for any accelerator. */

/** A segment register with its hidden part. */
export interface SegmentRegister {
  readonly selector: number;
  readonly base: number;
  /** In bytes, after granularity. */
  readonly limit: number;
  /** Bits 8 to 23 of the descriptor's second word: type, S, DPL and P in bits 0 to 7; AVL, L, D/B and G in 12 to 15. */
  readonly attributes: number;
}

export interface TableRegister {
  readonly base: number;
  readonly limit: number;
}

export interface CpuRegisters {
  readonly cs: SegmentRegister;
  readonly ds: SegmentRegister;
  readonly es: SegmentRegister;
  readonly fs: SegmentRegister;
  readonly gs: SegmentRegister;
  readonly ss: SegmentRegister;
  readonly gdt: TableRegister;
  readonly idt: TableRegister;
  readonly cr0: number;
  readonly cr3: number;
  readonly cr4: number;
  readonly efer: number;
  readonly rflags: number;
  readonly rip: number;
  readonly rax: number;
  readonly rbx: number;
  readonly rcx: number;
  readonly rdx: number;
  readonly rsi: number;
  readonly rdi: number;
  readonly rbp: number;
  readonly rsp: number;
}
