/**
 * What every thread of a machine attaches to before it assembles the machine: the sections at the head of the guest's
 * memory, in the same order.
 */

import type { Accelerator } from "../accel.ts";
import { GuestMemory } from "../memory/guest-memory.ts";
import { StateArena } from "../state/state.ts";
import { Doorbell } from "../thread/doorbell.ts";
import { type MachinePlan, STATE_ARENA_SIZE, WAKE_SECTION_SIZE } from "./protocol.ts";
import { VCPU_LINK_SIZE, VcpuLink } from "./vcpu-link.ts";

/** The guest's memory and the doorbell of the machine's thread. */
export function attachMemory(plan: MachinePlan): { memory: GuestMemory; wake: Doorbell } {
  const memory = GuestMemory.attach(plan.memory);
  return { memory, wake: new Doorbell(memory.buffer, memory.reserve("wake", WAKE_SECTION_SIZE)) };
}

/** Where the state of devices lies. */
export function attachArena(memory: GuestMemory): StateArena {
  return new StateArena(memory.buffer, memory.reserve("state", STATE_ARENA_SIZE), STATE_ARENA_SIZE);
}

/** Whether further vCPUs have threads of their own. */
export function hasVcpuThreads({ options }: MachinePlan, accelerator: Accelerator): boolean {
  return options.smp.cpus > 1 && accelerator.attachVm !== undefined;
}

/** The links to the threads of vCPUs, by index; the first one is not used. `ring` wakes the machine's thread. */
export function attachLinks(memory: GuestMemory, count: number, ring: () => void): VcpuLink[] {
  const base = memory.reserve("vcpu-links", count * VCPU_LINK_SIZE);
  return Array.from({ length: count }, (_, i) => new VcpuLink(memory.buffer, base + i * VCPU_LINK_SIZE, ring));
}
