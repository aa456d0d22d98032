/**
 * The hooks that plugins tap. Registries are HookMaps keyed by the name a user writes (`-device e1000` looks up
 * `hooks.device.for("e1000")`); the others are moments in a machine's life. Hooks are called when a machine is
 * assembled, never per instruction, port access or packet.
 */

import { HookMap, SyncBailHook, SyncHook } from "tapable";
import type { Accelerator } from "../accel.ts";
import type { BlockFormat, BlockProtocol } from "../block/driver.ts";
import type { ChardevType } from "../char/chardev.ts";
import type { DeviceType, ShutdownCause } from "../device.ts";
import type { MachineType } from "../machine.ts";
import type { Disassembler } from "../monitor/disassembly.ts";
import type { MachineOptions } from "../options/machine-options.ts";
import type { RunState } from "../vm/protocol.ts";

/** One registry: the tap answers with the thing itself. */
export type Registry<T> = HookMap<SyncBailHook<[], T>>;

/** What each registry holds. */
export interface Registrations {
  readonly accelerator: Accelerator;
  readonly machine: MachineType;
  readonly device: DeviceType;
  readonly chardev: ChardevType;
  readonly blockDriver: BlockFormat;
  readonly blockProtocol: BlockProtocol;
  readonly disassembler: Disassembler;
  readonly display: unknown;
}

export type RegistryName = keyof Registrations;

/** What each moment tells. They happen in the I/O thread. */
export interface Moments {
  /** The command line was read (its words), and nothing is made yet. */
  readonly cmdline: [words: readonly string[]];
  /** The machine is assembled, and does not run yet. */
  readonly machineInit: [options: MachineOptions];
  /** It starts to run, is paused, suspended, has powered off. */
  readonly vmStateChange: [state: RunState];
  /** It was reset, and why. */
  readonly reset: [cause: ShutdownCause];
  /** The program is about to end; everything is written out and closed. */
  readonly shutdown: [];
}

export type MomentName = keyof Moments;

export const MOMENT_NAMES: readonly MomentName[] = ["cmdline", "machineInit", "vmStateChange", "reset", "shutdown"];

export type Hooks = Readonly<{ [K in RegistryName]: Registry<Registrations[K]> }> &
  Readonly<{ [K in MomentName]: SyncHook<Moments[K]> }>;

export const REGISTRY_NAMES: readonly RegistryName[] = [
  "accelerator",
  "machine",
  "device",
  "chardev",
  "blockDriver",
  "blockProtocol",
  "disassembler",
  "display",
];

/** What a user calls a thing of each registry, for messages. */
export const REGISTRY_LABELS: Readonly<Record<RegistryName, string>> = {
  accelerator: "accelerator",
  machine: "machine type",
  device: "device model",
  chardev: "character device backend",
  blockDriver: "block driver",
  blockProtocol: "block protocol",
  disassembler: "disassembler",
  display: "display",
};

const registry = <T>(): Registry<T> => new HookMap(() => new SyncBailHook<[], T>());

export function createHooks(): Hooks {
  return Object.freeze({
    accelerator: registry<Accelerator>(),
    machine: registry<MachineType>(),
    device: registry<DeviceType>(),
    chardev: registry<ChardevType>(),
    blockDriver: registry<BlockFormat>(),
    blockProtocol: registry<BlockProtocol>(),
    disassembler: registry<Disassembler>(),
    display: registry<unknown>(),
    cmdline: new SyncHook<Moments["cmdline"]>(["words"]),
    machineInit: new SyncHook<Moments["machineInit"]>(["options"]),
    vmStateChange: new SyncHook<Moments["vmStateChange"]>(["state"]),
    reset: new SyncHook<Moments["reset"]>(["cause"]),
    shutdown: new SyncHook<Moments["shutdown"]>(),
  });
}
