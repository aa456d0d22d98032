/**
 * Two threads of a machine for the stress tests: this one plays the machine's thread (role 0), a Worker the one of a further
 * CPU (role 1). Both perform the same scenario over one buffer, each with its own instances of the devices, as a machine of
 * several threads makes them.
 */

import { once } from "node:events";
import { parentPort, threadId, Worker, workerData } from "node:worker_threads";
import type { BoardPorts } from "../../../../core/board.ts";
import { PortSpace } from "../../../../core/bus/io.ts";
import type { CharPort } from "../../../../core/char/port.ts";
import {
  createRemoteCharPlan,
  type RemoteCharPlan,
  RemoteCharPort,
  RemoteCharSender,
} from "../../../../core/char/remote.ts";
import { NS_PER_MS } from "../../../../core/clock.ts";
import type { Device, DeviceContext, DeviceType, MachineControl, Properties } from "../../../../core/device.ts";
import { type IrqLine, irqLine } from "../../../../core/irq.ts";
import { AddressSpace } from "../../../../core/memory/address-space.ts";
import { GuestMemory } from "../../../../core/memory/guest-memory.ts";
import { type HostTime, SharedClock } from "../../../../core/shared-clock.ts";
import { StateArena } from "../../../../core/state/state.ts";
import { Doorbell } from "../../../../core/thread/doorbell.ts";
import { Lock } from "../../../../core/thread/lock.ts";
import { lockDevice } from "../../../../core/thread/shared-device.ts";
import { withTimeout } from "../../../tools/with-timeout.ts";

/** What both threads of one run start from. */
export interface Plan {
  readonly buffer: SharedArrayBuffer;
  readonly char: RemoteCharPlan;
  /** Of the I/O thread, which nobody plays. */
  readonly mainBell: SharedArrayBuffer;
}

export function createPlan(): Plan {
  return {
    buffer: new SharedArrayBuffer(SIZE),
    char: createRemoteCharPlan("char"),
    mainBell: new SharedArrayBuffer(4),
  };
}

// The buffer: words that both know, a lock of the guest's own, the machine's state.
const BELLS = 0;
const READY = 8;
const GUEST_LOCK = 16;
const COUNTS = 64;
const ARENA = 1024;
const SIZE = 1 << 20;

const PATIENCE_MS = 20_000;
const SPINS = 200;

export class Thread {
  readonly role: 0 | 1;
  readonly arena: StateArena;
  readonly clock: SharedClock;
  readonly ports = new PortSpace();
  readonly memory = new AddressSpace(GuestMemory.create({ reserved: 8 << 20, ram: 0 }));
  /** The driver's own lock, around what takes it several accesses. */
  readonly guest: Lock;
  /** Words for a scenario's own use, which start as 0. */
  readonly counts: Int32Array;
  readonly plan: Plan;
  readonly char: RemoteCharPort | RemoteCharSender;
  readonly #words: Int32Array;

  /** `hostTime` is that of the clock. */
  constructor(plan: Plan, role: 0 | 1, hostTime?: HostTime) {
    const { buffer, char, mainBell } = plan;
    this.plan = plan;
    this.role = role;
    this.arena = new StateArena(buffer, ARENA);
    this.guest = new Lock(buffer, GUEST_LOCK);
    this.counts = new Int32Array(buffer, COUNTS, (ARENA - COUNTS) / 4);
    this.#words = new Int32Array(buffer, 0, COUNTS / 4);
    const bells = [0, 1].map((home) => new Doorbell(buffer, BELLS + home * 4));
    this.clock = new SharedClock({ arena: this.arena, home: role, wake: (home) => bells[home].ring(), hostTime });
    const main = new Doorbell(mainBell);
    this.char = role === 0 ? new RemoteCharPort(char, main) : new RemoteCharSender(char, main, bells[0]);
  }

  /** Makes a shared device; `lock` is one that it shares with others. */
  create<T = Device>(type: DeviceType, options: DeviceOptions = {}): T {
    const { arena, ports, memory, clock } = this;
    const name = options.name ?? type.name;
    const context = {
      name,
      arena,
      ports,
      memory,
      clock,
      wallClock: { nowMs: () => Math.floor(clock.now() / NS_PER_MS) },
      machine: options.machine,
      board: options.board,
      isaIrq: options.isaIrq ?? (() => this.line(0)),
      chardev: () => options.chardev ?? this.char,
    } as unknown as DeviceContext;
    const lock = options.lock ?? Lock.attach(arena, `${name}/lock`);
    return type.create(lockDevice(context, lock), options.properties ?? {}) as T & Device;
  }

  /** A line whose level is word `at` of `counts`, and whose rising edges word `at` + 1 counts. */
  line(at: number): IrqLine {
    return irqLine((level) => {
      if (level && this.counts[at] === 0) this.count(at + 1);
      Atomics.store(this.counts, at, level ? 1 : 0);
    });
  }

  get(at: number): number {
    return Atomics.load(this.counts, at);
  }

  count(at: number): void {
    Atomics.add(this.counts, at, 1);
  }

  /** Waits for the other thread, while timers fire and characters pass. */
  until(what: string, condition: () => boolean): void {
    const limit = performance.now() + PATIENCE_MS;
    for (let spins = 0; !condition(); spins++) {
      this.clock.poll();
      if (this.char instanceof RemoteCharPort) this.char.poll();
      if (spins < SPINS) continue;
      Atomics.wait(this.#words, READY + 1, 0, 0.05);
      if (performance.now() > limit) throw new Error(`${this.role === 0 ? "machine" : "CPU"}: ${what} never came`);
    }
  }

  /** Both start from here together. */
  meet(): void {
    const ready = READY / 4;
    const round = Math.ceil((Atomics.add(this.#words, ready, 1) + 1) / 2) * 2;
    this.until("the other thread", () => Atomics.load(this.#words, ready) >= round);
  }
}

export interface DeviceOptions {
  readonly name?: string;
  readonly lock?: Lock;
  readonly board?: BoardPorts;
  readonly machine?: Partial<MachineControl>;
  readonly properties?: Properties;
  readonly isaIrq?: (line: number) => IrqLine;
  readonly chardev?: CharPort;
}

/** What a thread does; the answer goes to the test. */
export type Scenario = (thread: Thread) => unknown;

interface Task {
  readonly plan: Plan;
  readonly name: string;
}

type Outcome = { readonly answer: unknown } | { readonly error: string };

/** In the Worker: performs the scenarios that it is asked for. */
export function serveScenarios(scenarios: Readonly<Record<string, Scenario>>): void {
  if (workerData !== STRESS || !parentPort) return;
  parentPort.on("message", ({ plan, name }: Task) => parentPort!.postMessage(perform(scenarios[name], plan, 1)));
}

const STRESS = "stress";

function perform(scenario: Scenario, plan: Plan, role: 0 | 1): Outcome {
  try {
    return { answer: scenario(new Thread(plan, role)) };
  } catch (error) {
    return { error: `thread ${threadId}: ${(error as Error).stack}` };
  }
}

/** A second thread for any number of runs. `module` calls `serveScenarios`. */
export class TwoThreads {
  readonly #worker: Worker;

  constructor(module: URL) {
    this.#worker = new Worker(module, { workerData: STRESS });
  }

  /** Performs a scenario in both threads; answers what each of them made of it. */
  async run(name: string, scenario: Scenario): Promise<[machine: unknown, cpu: unknown]> {
    const plan = createPlan();
    const message = once(this.#worker, "message");
    this.#worker.postMessage({ plan, name } satisfies Task);
    const outcomes = [perform(scenario, plan, 0), ...(await withTimeout(name, 2 * PATIENCE_MS, message))] as Outcome[];
    const errors = outcomes.flatMap((outcome) => ("error" in outcome ? [outcome.error] : []));
    if (errors.length > 0) throw new Error(errors.join("\n"));
    return outcomes.map((outcome) => (outcome as { answer: unknown }).answer) as [unknown, unknown];
  }

  end(): Promise<number> {
    return this.#worker.terminate();
  }
}
