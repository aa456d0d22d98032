/**
 * A machine of three CPUs with a thread each, whose threads fail: the property `act` says how. CPU 2, where it has nothing
 * else to do, asks for a port of the machine's thread again and again.
 */

import { writeSync } from "node:fs";
import type { AcceleratorVm, VcpuExit } from "../../../core/accel.ts";
import { PortSpace } from "../../../core/bus/io.ts";
import { ONE_CPU } from "../../../core/cpu-topology.ts";
import type { Machine, MachineRuntime } from "../../../core/machine.ts";
import { AddressSpace } from "../../../core/memory/address-space.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { array, defineState, i32 } from "../../../core/state/state.ts";
import { Lock } from "../../../core/thread/lock.ts";
import { FakeVcpu, fakeAccelerator, fakeMachineType } from "./fake-machine.ts";

const SHARED = defineState("shared", 1, { locked: array(i32, 1) });

interface Shared {
  readonly ports: PortSpace;
  readonly lock: Lock;
  /** 1 when CPU 1 has the lock, for good. */
  readonly locked: Int32Array;
}

function allocate(): never {
  writeSync(1, "allocating\n");
  for (const all: unknown[] = []; ; ) all.push(new Array(1000).fill(all.length));
}

function spin(): never {
  for (;;);
}

/** V8 cannot end this when it is optimized. */
function spinWithoutEnd(): void {
  writeSync(1, "spinning\n");
  let last: unknown[] = [];
  for (;;) last = new Array(1000).fill(last.length);
}

function fail(): never {
  throw new Error("bug in a device");
}

const leave = (): never => process.exit(0);
const rest = (): void => {};
const ask = ({ ports }: Shared): void => void ports.read(0x80, 1);

/** What CPUs do when they run. */
const ACTS: Readonly<Record<string, readonly ((shared: Shared) => void)[]>> = {
  "cpu-throws": [rest, fail, ask],
  "cpu-leaves": [rest, leave, ask],
  "cpu-exhausts": [rest, allocate, ask],
  "cpu-exhausts-locked": [
    ({ locked, lock }) => {
      Atomics.wait(locked, 0, 0);
      lock.run(rest);
    },
    ({ locked, lock }) => {
      lock.acquire();
      Atomics.store(locked, 0, 1);
      Atomics.notify(locked, 0);
      allocate();
    },
    ask,
  ],
  "cpu-spins": [rest, spinWithoutEnd, ask],
  leaves: [leave, spin, ask],
  exhausts: [allocate, spin, ask],
};

class FailingVcpu extends FakeVcpu {
  shared: Shared | undefined;
  act: (shared: Shared) => void = rest;

  override run(): VcpuExit {
    this.act(this.shared!);
    return this.act === rest ? "halted" : "slice";
  }
}

async function assemble(runtime: MachineRuntime): Promise<Machine> {
  const { options, services, memory, wake, threads } = runtime;
  const { act = "" } = options.machineProperties as Record<string, string>;
  if (act === "cannot-start" && threads?.self === 2) fail();
  if (act === "differs" && threads?.self === 2) services.arena.attach("more", SHARED);
  const space = new AddressSpace(memory);
  const ports = new PortSpace(threads?.remote?.ports);
  const lock = Lock.attach(services.arena, "lock");
  const shared = Object.assign(services.arena.attach("shared", SHARED), { ports, lock });
  const { bells = [wake], self = 0 } = threads ?? {};
  const environment = { memory: space, vcpus: bells.length, topology: ONE_CPU, bells, ports, wake, model: "qemu64" };
  const { clock } = services;
  const cpu = (index: number): FailingVcpu => {
    const none = { clock, interrupts: { acknowledge: () => -1 }, apic: undefined };
    const vcpu = new FailingVcpu({ ...environment, ...none, index }, "");
    vcpu.shared = shared;
    vcpu.act = ACTS[act]?.[index] ?? rest;
    return vcpu;
  };
  const vcpus = threads?.remote ? [cpu(self)] : bells.map((_, index) => cpu(index));
  const nothing = { reset() {}, setRunning() {}, saving() {}, loaded() {}, wake() {}, powerButton() {} };
  return {
    ...nothing,
    vcpus,
    threading: { handle: null, pins: (index) => vcpus[index], wake: (index) => bells[index].ring(), settle() {} },
    memory: space,
    ports,
    pci: undefined,
    devices: [],
    suspended: false,
  };
}

const vm = async (): Promise<AcceleratorVm> => ({ createVcpu: () => Promise.reject(new Error("nobody asks")) });

export const failingCpus: Plugin = {
  name: "failing-cpus",
  api: 1,
  apply({ hooks }) {
    const accelerator = { ...fakeAccelerator, name: "failing", createVm: vm, attachVm: vm };
    const machine = { ...fakeMachineType, name: "failing", isDefault: false, maxCpus: 3, assemble };
    hooks.accelerator.for("failing").tap("failing-cpus", () => accelerator);
    hooks.machine.for("failing").tap("failing-cpus", () => machine);
  },
};
