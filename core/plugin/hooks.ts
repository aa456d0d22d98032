/**
 * The hooks that plugins tap. Registries are HookMaps keyed by the name a user writes (`-device e1000` looks up
 * `hooks.device.for("e1000")`); the others are moments in a machine's life. Hooks are called when a machine is
 * assembled, never per instruction, port access or packet.
 */

import { HookMap, SyncBailHook, SyncHook } from "tapable";
import type { Accelerator } from "../accel.ts";
import type { DeviceType } from "../device.ts";
import type { MachineType } from "../machine.ts";

/** One registry: the tap answers with the thing itself. */
export type Registry<T> = HookMap<SyncBailHook<[], T>>;

export interface Hooks {
  readonly accelerator: Registry<Accelerator>;
  readonly machine: Registry<MachineType>;
  readonly device: Registry<DeviceType>;
  readonly chardev: Registry<unknown>;
  readonly blockDriver: Registry<unknown>;
  readonly display: Registry<unknown>;
  /** After the command line was read, before anything is made. */
  readonly cmdline: SyncHook<[readonly string[]]>;
  /** The process is about to end. */
  readonly shutdown: SyncHook<[]>;
}

const registry = <T>(): Registry<T> => new HookMap(() => new SyncBailHook<[], T>());

export function createHooks(): Hooks {
  return Object.freeze({
    accelerator: registry<Accelerator>(),
    machine: registry<MachineType>(),
    device: registry<DeviceType>(),
    chardev: registry<unknown>(),
    blockDriver: registry<unknown>(),
    display: registry<unknown>(),
    cmdline: new SyncHook<[readonly string[]]>(["args"]),
    shutdown: new SyncHook<[]>(),
  });
}
