/**
 * What an accelerator is to the core: something that runs vCPUs over a machine's memory, ports and interrupt
 * controllers. A vCPU runs in its own thread together with the device models.
 */

import type { PortSpace } from "./bus/io.ts";
import type { Clock } from "./clock.ts";
import type { CpuPins, InterruptSource, LocalApicPort } from "./cpu.ts";
import type { CpuRegisters } from "./cpu-registers.ts";
import type { CpuTopology } from "./cpu-topology.ts";
import type { DeviceType, Properties, PropertySpecs } from "./device.ts";
import type { Log } from "./log.ts";
import type { AddressSpace } from "./memory/address-space.ts";
import type { CodeSize } from "./monitor/disassembly.ts";
import type { SavedState } from "./state/state.ts";
import type { Doorbell } from "./thread/doorbell.ts";
import type { Json } from "./thread/mailbox.ts";

/** Why `Vcpu.run` came back. */
export type VcpuExit =
  /** The time slice is over or somebody called `kick`. */
  | "slice"
  /** HLT: nothing to do until an interrupt. */
  | "halted"
  /** Triple fault. */
  | "triple-fault"
  /** The accelerator cannot go on, and has said why. */
  | "internal-error"
  /** Stopped by a breakpoint or a single step of the monitor. */
  | "debug";

export interface VcpuEnvironment extends VmEnvironment {
  readonly ports: PortSpace;
  readonly clock: Clock;
  /** Answers interrupt-acknowledge cycles. */
  readonly interrupts: InterruptSource;
  /** The CPU's local APIC, where it is not inside the accelerator. */
  readonly apic: LocalApicPort | undefined;
  /** CPU model and features as -cpu gave them, e.g. "qemu64,+aes". */
  readonly model: string;
  readonly index: number;
  /** The end of a level-triggered interrupt, from a local APIC inside the accelerator to an I/O APIC outside. */
  eoi?(vector: number): void;
  /** FERR#: an x87 exception of a CPU without CR0.NE. */
  ferr?(level: boolean): void;
  /** The CPU's turn begins, after another one in the same thread had run. */
  scheduled?(): void;
  /** The CPU enters or leaves system management mode; also when the turn changes between CPUs inside and outside. */
  smmChanged?(active: boolean): void;
  /**
   * The thread's doorbell, a word in the guest's memory at `wake.address`. While it is not zero, `run` returns "slice"
   * within about 100,000 instructions; the caller takes the ring.
   */
  readonly wake: Doorbell;
}

export interface Vcpu extends CpuPins {
  /**
   * Runs guest code until something needs the outside. `sharing`: another CPU of this thread could run, so a guest that
   * waits in a loop (PAUSE) ends the slice.
   */
  run(sharing?: boolean): VcpuExit;
  /** Makes `run` return soon; may be called from device code inside `run`. */
  kick(): void;
  /** Power-on reset. */
  reset(): void;
  /** In a thread of its own, before `run`: the machine's thread may have changed the vCPU. */
  refresh?(): void;
  /** The time (ns on the machine's clock) at which the time-stamp counter reaches a value. */
  tscToNs(tsc: bigint): number;
  /** Registers that a boot loader leaves; everything else is as after reset. */
  setRegisters(registers: CpuRegisters): void;
  /** Whether a halted CPU has a reason to run again; where several share a thread, also true of one that is not halted. */
  hasWork(): boolean;
  /** Its registers, and what waits for delivery, between two calls of `run`. */
  save(): SavedState;
  /**
   * Loads what `save` has saved, after the guest's memory; what was made of memory (TLB, translated code) is made anew.
   * INTR is low until whoever drives it does so again.
   */
  load(saved: SavedState): void;
  /** What the host calls the thread that runs it, where that is not the process's first one. */
  readonly threadId?: number;
  /** `info registers`. */
  dumpRegisters(): string;
  /** `info tlb` and `info mem`. */
  dumpTlb(): string;
  dumpMemoryMap(): string;
  /** The guest-physical address behind a virtual one, or undefined when it is not mapped. */
  translate(virtual: bigint): number | undefined;
  /** The linear address of the instruction it stands at. */
  readonly instructionPointer: bigint;
  /** How it reads instructions in its present mode. */
  readonly codeSize: CodeSize;
  /** `info jit`: the state of code translation, if there is any. */
  dumpTranslation?(): string;
  /** Counters for -d stats: name and value. */
  statistics(): [string, string][];
}

/** What all vCPUs of a machine share. */
export interface VmEnvironment {
  readonly memory: AddressSpace;
  /** How many vCPUs will be made, in the order of their indices. */
  readonly vcpus: number;
  readonly topology: CpuTopology;
  /** The doorbell of each vCPU's thread; the same one for those that share a thread. See `VcpuEnvironment.wake`. */
  readonly bells: readonly Doorbell[];
  /** Does something while no further vCPU is in the guest; at once when all run in one thread. */
  readonly exclusively?: (change: () => void) => void;
  /** The log of -d. */
  readonly log?: Log;
}

/** One virtual machine of an accelerator, as one thread of the machine has it. */
export interface AcceleratorVm {
  /** Interrupt controllers and timer that it brings itself, by the name of the board's device that each stands for. */
  readonly chips?: Readonly<Record<string, DeviceType>>;
  /** The virtual clock has been stopped, or is about to be started; called in the machine's thread. */
  setRunning?(running: boolean): void;
  /** Makes a vCPU, in the thread that runs it or (`VcpuThreading.handle`) in the machine's thread. */
  createVcpu(environment: VcpuEnvironment): Promise<Vcpu>;
  /** Where further vCPUs have threads of their own: what their threads need. */
  readonly threading?: VcpuThreading;
}

export interface VcpuThreading {
  /** What `Accelerator.attachVm` of another thread makes this virtual machine of, once all vCPUs have been made. */
  readonly handle: Json;
  /** The pins of any vCPU, to be used in any thread. */
  pins(index: number): CpuPins;
  /** Gets a vCPU out of `Vcpu.run`, as ringing its doorbell does, but faster. */
  wake(index: number): void;
  /** In the machine's thread: does the writes of vCPUs that have been kept back; see `IoRegion.coalesced`. */
  settle?(): void;
}

export interface Accelerator {
  readonly name: string;
  readonly description: string;
  /** Sections of guest memory that the accelerator reserves for so many vCPUs, in bytes. */
  reservedMemory(vcpus: number): number;
  /** Whether its CPUs have system management mode; true when it does not say. */
  readonly smm?: boolean;
  /** What `-accel name,property=value` may set. */
  readonly properties: PropertySpecs;
  /**
   * Looks whether it can run here, before a machine is made.
   * @throws QemuError that says why not.
   */
  checkHost?(properties: Properties): Promise<void>;
  /** Makes a virtual machine, in the thread that its first vCPU runs in. */
  createVm(environment: VmEnvironment, properties: Properties): Promise<AcceleratorVm>;
  /**
   * The virtual machine that the machine's thread has made, in the thread of a further vCPU. An accelerator that has this
   * runs each vCPU in a thread of its own; with one that lacks it all take turns in the machine's thread.
   */
  attachVm?(environment: VmEnvironment, handle: Json): Promise<AcceleratorVm>;
  /** Lines of `-cpu help`. */
  cpuModels(): { name: string; description: string }[];
}
