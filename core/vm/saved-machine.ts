/**
 * A machine's state as plain data: its clock, its devices and its CPUs. The guest's memory is not in it; whoever saves a
 * machine saves the blocks of `GuestMemory` beside it.
 *
 * A machine is saved between two slices of guest code, and loaded into one that was assembled from the same options, in
 * the same process or another one.
 */

import type { Clock } from "../clock.ts";
import { QemuError } from "../errors.ts";
import type { Machine } from "../machine.ts";
import type { SavedState, StateArena } from "../state/state.ts";

export interface SavedMachine {
  /** Nanoseconds on the virtual clock. */
  readonly clock: number;
  /** By instance name. */
  readonly devices: Readonly<Record<string, SavedState>>;
  readonly cpus: readonly SavedState[];
}

export interface MachineParts {
  readonly machine: Machine;
  /** Where the devices' state lies. */
  readonly arena: StateArena;
  readonly clock: Clock & { set(ns: number): void };
}

export function saveMachine({ machine, arena, clock }: MachineParts): SavedMachine {
  // CPUs before devices: one may have its local APIC inside, whose registers are saved as a device's.
  const cpus = machine.vcpus.map((vcpu) => vcpu.save());
  machine.saving();
  return { clock: clock.now(), devices: arena.save(), cpus };
}

/** Loads what `saveMachine` has saved; the memory blocks hold their contents already. */
export function loadMachine({ machine, arena, clock }: MachineParts, saved: SavedMachine): void {
  if (saved.cpus.length !== machine.vcpus.length) {
    throw new QemuError("state-cpus", `the saved machine has ${saved.cpus.length} CPUs, not ${machine.vcpus.length}`);
  }
  clock.set(saved.clock);
  arena.load(saved.devices);
  // CPUs before devices: what these find out anew, interrupt lines among it, reaches the loaded CPU.
  machine.vcpus.forEach((vcpu, i) => {
    vcpu.load(saved.cpus[i]);
  });
  machine.loaded();
}
