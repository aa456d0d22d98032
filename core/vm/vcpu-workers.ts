/**
 * The threads of a machine's further vCPUs, as the I/O thread sees them. They load their program while the machine's thread
 * assembles the machine, and do the same when that has made the vCPUs. The I/O thread is who hears of one that fails: the
 * machine's thread never gets to its event loop. It says so in the vCPU's link, so that nobody waits for that vCPU any more.
 */

import type { Worker } from "node:worker_threads";
import { startThread, type ThreadProgram } from "../assets.ts";
import { messageOf, QemuError } from "../errors.ts";
import type { Doorbell } from "../thread/doorbell.ts";
import { endThread } from "./end-thread.ts";
import type { MachineNotes, MachinePlan } from "./protocol.ts";
import { attachArena, attachLinks, attachMemory } from "./thread-parts.ts";
import type { VcpuLink } from "./vcpu-link.ts";

/** What a vCPU's thread starts from. */
export interface VcpuPlan {
  readonly machine: MachinePlan;
  readonly index: number;
}

/** What it gets when the machine's thread has made the vCPUs. */
export type VcpuHandover = MachineNotes["vcpus"];

/** What a vCPU's thread tells when it has assembled the machine: null, or why it could not. */
export type VcpuStart = { readonly message: string; readonly hint: string | undefined } | null;

export interface VcpuWorkersOptions {
  readonly program: ThreadProgram;
  readonly machine: MachinePlan;
  /** That of the machine's thread. */
  readonly bell: Doorbell;
  /** The thread of a vCPU has failed; the machine cannot go on. */
  onFailure(error: QemuError): void;
}

/** A young generation of this size does for a thread that has no translated code. */
const THREAD_OPTIONS = { resourceLimits: { maxYoungGenerationSizeMb: 8 } };
/** More would only compete for the host's CPUs. */
const STARTING_AT_ONCE = 4;

export class VcpuWorkers {
  readonly #options: VcpuWorkersOptions;
  readonly #links: readonly VcpuLink[];
  /** By index; the first vCPU has none. */
  readonly #workers: (Worker | undefined)[] = [];
  #handover: VcpuHandover | undefined;
  /** The next one that is to assemble the machine. */
  #next = 1;
  #ending = false;

  constructor(options: VcpuWorkersOptions) {
    const { machine, bell } = options;
    this.#options = options;
    const { memory } = attachMemory(machine);
    attachArena(memory);
    this.#links = attachLinks(memory, machine.options.smp.cpus, () => bell.ring());
    for (let index = 1; index <= STARTING_AT_ONCE && index < this.#links.length; index++) this.#start(index);
  }

  /** All vCPUs have been made: the threads go on, a few at a time. */
  handOver(handover: VcpuHandover): void {
    this.#handover = handover;
    for (let i = 0; i < STARTING_AT_ONCE; i++) this.#assembleNext();
  }

  /** Ends those that have not ended by themselves. */
  async end(): Promise<void> {
    this.#ending = true;
    await Promise.all(this.#workers.map((worker) => worker && endThread(worker)));
  }

  #assembleNext(): void {
    if (this.#ending || this.#next === this.#links.length) return;
    const index = this.#next++;
    if (!this.#workers[index]) this.#start(index);
    this.#workers[index]?.postMessage(this.#handover);
  }

  #start(index: number): void {
    const link = this.#links[index];
    let over = false;
    const fail = (error: QemuError): void => {
      if (over) return;
      over = true;
      link.leave("failed");
      if (!this.#ending) this.#options.onFailure(error);
    };
    const cannotStart = (message: string, hint?: string): void =>
      fail(new QemuError("vcpu-thread", `cannot start the thread of CPU ${index}: ${message}`, { hint }));
    const failed = (why: string, cause?: unknown): void =>
      fail(new QemuError("internal", `the thread of CPU ${index} failed: ${why}`, { cause }));
    const workerData: VcpuPlan = { machine: this.#options.machine, index };
    try {
      const worker = startThread(this.#options.program, { ...THREAD_OPTIONS, name: `CPU ${index}`, workerData });
      this.#workers[index] = worker;
      worker.once("message", (start: VcpuStart) => {
        if (start) cannotStart(start.message, start.hint);
        else this.#assembleNext();
      });
      worker.once("error", (error) => failed(messageOf(error), error));
      worker.once("exit", () => {
        if (!link.ended) failed("it has ended");
      });
    } catch (error) {
      cannotStart(messageOf(error));
    }
  }
}
