/**
 * The hooks that plugins tap. Registries are HookMaps keyed by the name a user writes (`-device e1000` looks up
 * `hooks.device.for("e1000")`); the others are moments in a machine's life. Hooks are called when a machine is
 * assembled, never per instruction, port access or packet.
 */

import { HookMap, SyncBailHook, SyncHook } from "tapable";
import type { Accelerator } from "../accel.ts";
import type { BlockFormat, BlockProtocol } from "../block/driver.ts";
import type { ChardevType } from "../char/chardev.ts";
import type { DeviceType } from "../device.ts";
import type { MachineType } from "../machine.ts";

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
  readonly display: unknown;
}

export type RegistryName = keyof Registrations;

export interface Hooks extends Readonly<{ [K in RegistryName]: Registry<Registrations[K]> }> {
  /** After the command line was read, before anything is made. */
  readonly cmdline: SyncHook<[readonly string[]]>;
  /** The process is about to end. */
  readonly shutdown: SyncHook<[]>;
}

export const REGISTRY_NAMES: readonly RegistryName[] = [
  "accelerator",
  "machine",
  "device",
  "chardev",
  "blockDriver",
  "blockProtocol",
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
    display: registry<unknown>(),
    cmdline: new SyncHook<[readonly string[]]>(["args"]),
    shutdown: new SyncHook<[]>(),
  });
}
