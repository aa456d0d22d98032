/**
 * What a plugin says about a device it brings, and what a machine gives to a device it creates. Devices themselves take
 * narrow ports in their constructors; a device type's `create` picks them out of the context.
 */

import type { BlockPort } from "./block/port.ts";
import type { BoardPorts, WakeReason } from "./board.ts";
import type { PortSpace } from "./bus/io.ts";
import type { IsaDmaChannel } from "./bus/isa-dma.ts";
import type { MemoryBlock, PciBus } from "./bus/pci.ts";
import type { CharPort } from "./char/port.ts";
import type { Clock, WallClock } from "./clock.ts";
import type { DisplaySource } from "./display/surface.ts";
import type { InputHub } from "./input/input.ts";
import type { IrqLine } from "./irq.ts";
import type { AddressSpace } from "./memory/address-space.ts";
import type { Dma } from "./memory/dma.ts";
import type { StateArena } from "./state/state.ts";

/** The type of one property, as `-device X,help` names it. */
export type PropertyType =
  | "bool"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "int32"
  | "size"
  | "str"
  | "on-off-auto"
  | "macaddr"
  | "chardev"
  | "drive"
  | "netdev";

export interface PropertySpec {
  readonly type: PropertyType;
  readonly description?: string;
  readonly default?: string | number | boolean;
  /** The permitted values, for enumerations. */
  readonly values?: readonly string[];
}

export type PropertySpecs = Readonly<Record<string, PropertySpec>>;
export type PropertyValue = string | number | boolean | undefined;
export type Properties = Readonly<Record<string, PropertyValue>>;

/** The sections of `-device help`. */
export type DeviceCategory =
  | "Controller/Bridge/Hub"
  | "USB"
  | "Storage"
  | "Network"
  | "Input"
  | "Display"
  | "Sound"
  | "Misc"
  | "CPU"
  | "Watchdog"
  | "Uncategorized";

export interface DeviceType {
  readonly name: string;
  readonly alias?: string;
  /** The bus it plugs into, as QEMU names it: "ISA", "PCI", "IDE", "System", "floppy-bus". */
  readonly bus: string;
  readonly category: DeviceCategory;
  readonly description?: string;
  readonly properties: PropertySpecs;
  /** False for devices that only the board may create. */
  readonly userCreatable: boolean;
  /**
   * Which threads of a machine with several run the device's code. "owned" (the default): the machine's thread alone, and
   * a CPU in another thread waits for it. "shared": whichever thread touches it, one at a time, each through an instance of
   * its own. For that all state that changes is in the arena, `create` changes none of it (`reset` does, in the
   * machine's thread), mappings stay where `create` put them, and the device's work is done in what it maps, its timers
   * and what it connects to its channel.
   */
  readonly placement?: "shared" | "owned";
  create(context: DeviceContext, properties: Properties): Device;
}

/** A device in a machine. */
export interface Device {
  /** Puts all registers into their state after power-on reset. */
  reset(): void;
  /** The reset at the end of S3, where it is another one: what stays powered keeps its state. */
  wakeReset?(): void;
  /** Before its state is saved: takes over what lies elsewhere. */
  saving?(): void;
  /** After its state was loaded: rebuild what is derived. */
  loaded?(): void;
}

/** Why a machine stops or resets: QEMU's ShutdownCause names. */
export type ShutdownCause =
  | "host-qmp-quit"
  | "host-qmp-system-reset"
  | "host-signal"
  | "host-ui"
  | "guest-shutdown"
  | "guest-reset"
  | "guest-panic";

/** What a device can ask of the machine around it. */
export interface MachineControl {
  /** Resets the whole machine at the next instruction boundary. */
  reset(cause: ShutdownCause): void;
  shutdown(cause: ShutdownCause): void;
  /** Suspends to RAM (ACPI S3) until somebody calls `wakeUp`. */
  suspend(): void;
  /** Something happened that ends S3; nothing happens to a machine that is awake. */
  wakeUp(reason: WakeReason): void;
  /** Ends the process with this status (isa-debug-exit). */
  exit(status: number): void;
  /** Pauses the machine after a guest panic, or as -action panic= says. */
  panic(): void;
}

export interface DeviceContext {
  /** Instance name: unique, the same in every thread; the state is attached under it. */
  readonly name: string;
  readonly arena: StateArena;
  readonly clock: Clock;
  readonly wallClock: WallClock;
  readonly ports: PortSpace;
  readonly memory: AddressSpace;
  readonly dma: Dma;
  readonly machine: MachineControl;
  readonly input: InputHub;
  /** ISA interrupt request line 0 to 15. */
  isaIrq(line: number): IrqLine;
  isaDma(channel: number): IsaDmaChannel;
  readonly pci: PciBus | undefined;
  /** What the board wires to its own chips; devices a user creates get none of it. */
  readonly board?: BoardPorts;
  /** The channel a "chardev" property names; the null channel when it is unset. */
  chardev(id: string | undefined): CharPort;
  /** The disk a "drive" property names. */
  drive(id: string): BlockPort;
  addDisplay(source: DisplaySource): void;
  /** An expansion ROM image from the firmware search path ("vgabios-stdvga.bin"), padded to a power of two. */
  optionRom?(file: string): MemoryBlock | undefined;
  /**
   * A place that firmware may boot from: its bootindex (negative or absent: not in the order), and its OpenFirmware path
   * below the bus.
   */
  bootEntry?(index: number | undefined, bus: "PCI" | "ISA", path: string): void;
  /** A message for -d guest_errors: the guest did something invalid. */
  guestError(message: string): void;
}
