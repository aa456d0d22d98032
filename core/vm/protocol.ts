/**
 * What the I/O thread and the machine's thread say to each other: the plan that the machine's thread starts from, the
 * requests it answers and the notes it sends.
 */

import type { RemoteBlockPlan } from "../block/remote.ts";
import type { RemoteCharPlan } from "../char/remote.ts";
import type { ShutdownCause } from "../device.ts";
import type { ErrorContext } from "../errors.ts";
import type { LogPlan } from "../log.ts";
import type { MachineOptions } from "../options/machine-options.ts";
import type { ForeignPlan } from "../plugin/foreign.ts";
import type { Json, MailboxPlan } from "../thread/mailbox.ts";
import type { StartTime } from "./wall-clock.ts";

/** Everything the machine's thread starts from: plain data and shared memory, fit for another thread. */
export interface MachinePlan {
  readonly options: MachineOptions;
  readonly memory: WebAssembly.Memory;
  readonly mailbox: MailboxPlan;
  readonly chars: readonly RemoteCharPlan[];
  readonly blocks: readonly { readonly id: string; readonly plan: RemoteBlockPlan }[];
  readonly log: LogPlan;
  readonly started: StartTime;
  readonly plugins: readonly ForeignPlan[];
}

/** QEMU's run states, as far as they occur. */
export type RunState =
  | "prelaunch"
  | "running"
  | "paused"
  | "suspended"
  | "shutdown"
  | "guest-panicked"
  | "internal-error";

/** What `info status` prints. */
export function describeState(state: RunState): string {
  if (state === "running" || state === "paused") return state;
  return `paused (${state})`;
}

/** Notes of the machine's thread, by name. */
export interface MachineNotes {
  /** The vCPUs have been made, and those that shall have threads of their own need them. */
  readonly vcpus: {
    /** What `AcceleratorVm.handle` of the machine's thread is. */
    readonly vm: Json;
    /** What the arena of the machine's thread holds. */
    readonly fingerprint: string;
  };
  /** Assembled; waits for "cont". */
  readonly ready: { readonly fingerprint: string };
  /** Could not be assembled. */
  readonly failed: {
    readonly code: string;
    readonly message: string;
    readonly hint?: string;
    readonly context: ErrorContext;
    readonly stack?: string;
  };
  readonly state: { readonly state: RunState };
  readonly reset: { readonly cause: ShutdownCause };
  /** The guest has powered off, or rebooted with -no-reboot; the machine stands still. */
  readonly shutdown: { readonly cause: ShutdownCause };
  readonly panic: null;
  /** isa-debug-exit. */
  readonly exit: { readonly status: number };
  /** Answer to the request "quit": nothing follows. */
  readonly ended: null;
}

/** Bytes of the shared memory for everything but guest RAM and the accelerator: state, page map, video RAM, ROMs. */
export const RESERVED_MEMORY = 96 << 20;
/** Bytes for the devices' state. */
export const STATE_ARENA_SIZE = 2 << 20;
/** The vCPU thread's doorbell is the first section of the memory. */
export const WAKE_SECTION_SIZE = 64;
