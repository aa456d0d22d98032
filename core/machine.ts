/** What a machine plugin says about itself. The machine assembles devices; the runtime gives it threads and options. */

import type { Accelerator, Vcpu, VcpuThreading } from "./accel.ts";
import type { WakeReason } from "./board.ts";
import type { Bus, PortSpace } from "./bus/io.ts";
import type { PciBus } from "./bus/pci.ts";
import type { Clock } from "./clock.ts";
import type { Device, DeviceContext, DeviceType, Properties, PropertySpecs } from "./device.ts";
import type { Log } from "./log.ts";
import type { AddressSpace } from "./memory/address-space.ts";
import type { GuestMemory } from "./memory/guest-memory.ts";
import type { InfoRegistry } from "./monitor/info.ts";
import type { FirmwareOptions, FirmwareRequest, MachineOptions } from "./options/machine-options.ts";
import type { Doorbell } from "./thread/doorbell.ts";
import type { Json } from "./thread/mailbox.ts";

/**
 * The threads of a machine whose vCPUs have one each. All assemble the same machine over the same memory. The machine's
 * thread, which runs the first vCPU, resets it and owns its devices; a further vCPU's thread runs the shared ones.
 */
export interface MachineThreads {
  /** The vCPU that this thread runs; 0 in the machine's thread. */
  readonly self: number;
  /** The doorbells of the vCPUs' threads. */
  readonly bells: readonly Doorbell[];
  /** The clock for devices whose timers fire in the thread of a vCPU. */
  clockOf(vcpu: number): Clock;
  /** Does something while no further vCPU is in the guest. */
  exclusively(change: () => void): void;
  /** In the thread of a further vCPU: what the machine's thread has. */
  readonly remote?: {
    /** `VcpuThreading.handle`. */
    readonly vm: Json;
    readonly ports: Bus;
    readonly memory: Bus;
  };
}

/** Everything a machine is given to assemble itself. Devices come from the registry, by name. */
export interface MachineRuntime {
  readonly memory: GuestMemory;
  readonly options: MachineOptions;
  /** What all devices of this machine get, but for their names. */
  readonly services: Omit<DeviceContext, "name" | "ports" | "memory" | "dma" | "pci" | "isaIrq" | "isaDma">;
  /** The device type of that name; loads the plugin that brings it, and lists near matches when there is none. */
  deviceType(name: string): Promise<DeviceType>;
  /** The accelerator of `options.accelerator`. */
  readonly accelerator: Accelerator;
  /** Wakes the vCPU thread; goes into `VcpuEnvironment.wake`. */
  readonly wake: Doorbell;
  /** Undefined when one thread runs everything. */
  readonly threads?: MachineThreads;
  /** The log of -d; goes into `VcpuEnvironment.log`. */
  readonly log: Log;
  /** Where the machine and its devices register texts for the monitor's `info`. */
  readonly info: InfoRegistry;
}

/** A device in its place, for `info qtree`. */
export interface DeviceNode {
  readonly type: DeviceType;
  /** The id the user gave, or undefined. */
  readonly id: string | undefined;
  /** Instance name, under which its state is attached. */
  readonly name: string;
  readonly properties: Properties;
  readonly device: Device;
}

/** An assembled machine. */
export interface Machine {
  /** Resets every device and CPU, as the reset button does. */
  reset(): void;
  /** The clock has been stopped, or is about to be started. */
  setRunning(running: boolean): void;
  /** Before its state is saved. */
  saving(): void;
  /** After all state was loaded: rebuilds what is derived, in the devices and between them. */
  loaded(): void;
  readonly vcpus: readonly Vcpu[];
  /** For the threads of further vCPUs. */
  readonly threading?: VcpuThreading;
  readonly memory: AddressSpace;
  readonly ports: PortSpace;
  readonly pci: PciBus | undefined;
  readonly devices: readonly DeviceNode[];
  /** Presses the power button (ACPI). */
  powerButton(): void;
  /** In S3: memory is kept, nothing runs. */
  readonly suspended: boolean;
  /** Ends S3: resets what lost its power and starts the CPU. */
  wake(reason: WakeReason): void;
}

export interface MachineType {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly description: string;
  readonly isDefault?: boolean;
  /** How many CPUs it takes at most; one when it does not say. */
  readonly maxCpus?: number;
  /** The properties of -machine, besides type and accel. */
  readonly properties: PropertySpecs;
  /** Finds and checks the files the machine starts from; called on the I/O thread before the machine's thread starts. */
  findFirmware(request: FirmwareRequest): FirmwareOptions;
  /** In the thread of a further vCPU the machine has that one only, and is as far as its shared devices need it. */
  assemble(runtime: MachineRuntime): Promise<Machine>;
}
