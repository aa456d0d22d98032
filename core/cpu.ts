/** What interrupt controllers and a CPU know of each other, whatever accelerator runs the CPU. */

/** The pins of a CPU. Every call may come from any device, at any time, and takes effect at an instruction boundary. */
export interface CpuPins {
  /** INTR: an interrupt is waiting; the CPU asks its `InterruptSource` for the vector when it takes it. */
  setIntr(level: boolean): void;
  nmi(): void;
  smi(): void;
  /** INIT#: registers as after INIT, caches and FPU kept. */
  init(): void;
  /** Startup IPI: starts a CPU that waits after INIT, at `vector << 12`. */
  sipi(vector: number): void;
  /** The A20 gate: false forces address bit 20 to zero. */
  setA20(enabled: boolean): void;
}

/** Who answers the interrupt-acknowledge cycle. */
export interface InterruptSource {
  /** The vector to take, or -1 when the request has gone. */
  acknowledge(): number;
}

/** The local APIC as its CPU reaches it. */
export interface LocalApicPort extends InterruptSource {
  /** IA32_APIC_BASE (MSR 0x1b), as a number below 2^53. */
  readonly base: number;
  /** False when the write must raise #GP. */
  setBase(value: number): boolean;
  /** IA32_TSC_DEADLINE. */
  tscDeadline: bigint;
  /** CR8: the upper four bits of TPR. */
  tpr: number;
  /** x2APIC MSR 0x800 + index; undefined raises #GP. */
  readMsr(index: number): { lo: number; hi: number } | undefined;
  writeMsr(index: number, lo: number, hi: number): boolean;
}
