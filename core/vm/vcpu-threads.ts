/**
 * The threads of a machine's further vCPUs, as the machine's thread sees them. It starts them, does what they ask of the
 * devices that live here, and makes them stand at an instruction boundary whenever it changes or looks at the machine.
 */

import type { VcpuExit } from "../accel.ts";
import { startThread, type ThreadProgram } from "../assets.ts";
import type { Bus } from "../bus/io.ts";
import { messageOf, QemuError } from "../errors.ts";
import type { Doorbell } from "../thread/doorbell.ts";
import type { Json } from "../thread/mailbox.ts";
import type { ControlRequest } from "./control.ts";
import type { MachinePlan } from "./protocol.ts";
import type { VcpuLink } from "./vcpu-link.ts";

export const VCPU_THREAD: ThreadProgram = { name: "vcpu-thread", source: "bin/vcpu-thread.ts" };

/** What a vCPU's thread starts from. */
export interface VcpuPlan {
  readonly machine: MachinePlan;
  readonly index: number;
  /** What `AcceleratorVm.handle` of the machine's thread is. */
  readonly vm: Json;
  /** What the arena of the machine's thread holds. */
  readonly fingerprint: string;
}

/** What a vCPU tells the machine's thread while it runs. */
export type VcpuPost =
  /** A device has asked for something. */
  | { readonly kind: "control"; readonly request: ControlRequest }
  /** It stands, because it cannot go on. */
  | { readonly kind: "exit"; readonly exit: VcpuExit };

/** What a vCPU's thread tells while it starts. */
export type VcpuStart = { readonly error: string } | null;

export interface VcpuThreadsOptions {
  /** By index; the first one is the machine's thread's own and not used. */
  readonly links: readonly VcpuLink[];
  /** Rings for the machine's thread. */
  readonly bell: Doorbell;
  /** The machine's devices. */
  readonly ports: Bus;
  readonly memory: Bus;
  /** Fires what is due, before a write; see `Clock.poll`. */
  catchUp(): void;
  /** Does the writes that vCPUs have made before; see `VcpuThreading.settle`. */
  settle(): void;
  /** Gets a vCPU out of the guest. */
  wake(index: number): void;
  /** A vCPU has posted something. */
  onPost(index: number, post: VcpuPost): void;
}

/** A young generation of this size (MiB) does for a thread that has no translated code. */
const YOUNG_GENERATION = 8;
/** More would only compete for the host's CPUs. */
const STARTING_AT_ONCE = 4;

/** Starts the thread of one vCPU; resolves when it has assembled the machine. */
function startVcpu(plan: VcpuPlan): Promise<void> {
  const worker = startThread(VCPU_THREAD, {
    name: `CPU ${plan.index}`,
    workerData: plan,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION },
  });
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void =>
      reject(new QemuError("vcpu-thread", `cannot start the thread of CPU ${plan.index}: ${reason}`));
    worker.once("message", (start: VcpuStart) => (start ? fail(start.error) : resolve()));
    worker.once("error", (error) => fail(messageOf(error)));
    worker.once("exit", () => fail("it has ended"));
  });
}

export class VcpuThreads {
  readonly #options: VcpuThreadsOptions;
  readonly #links: readonly VcpuLink[];
  /** Those that cannot go on until the machine is reset. */
  readonly #stuck = new Set<VcpuLink>();
  #running = false;

  constructor(options: VcpuThreadsOptions) {
    this.#options = options;
    this.#links = options.links.slice(1);
  }

  /** Starts a thread for each vCPU but the first; resolves when all have assembled the machine. */
  async start(plan: Omit<VcpuPlan, "index">): Promise<void> {
    let next = 1;
    const startSome = async (): Promise<void> => {
      while (next < this.#options.links.length) await startVcpu({ ...plan, index: next++ });
    };
    await Promise.all(Array.from({ length: STARTING_AT_ONCE }, startSome));
  }

  /** Does what the vCPUs have asked for. */
  serve(): void {
    const { ports, memory, catchUp, settle, onPost } = this.#options;
    for (const [i, link] of this.#links.entries()) {
      const { call } = link;
      if (!call) continue;
      if (call.kind === "post") {
        const post = call.message as unknown as VcpuPost;
        if (post.kind === "exit") this.#stuck.add(link);
        onPost(i + 1, post);
        link.answer();
        continue;
      }
      settle();
      const bus = call.kind.startsWith("port") ? ports : memory;
      if ("value" in call) {
        catchUp();
        bus.write(call.address, call.value, call.size);
        link.answer();
      } else link.answer(bus.read(call.address, call.size));
    }
  }

  /** Makes all of them stand. What they ask for meanwhile is done, and so is what they have written. */
  stop(): void {
    if (!this.#running) return;
    this.#running = false;
    const { bell, settle } = this.#options;
    this.#want("stand");
    for (this.serve(); !this.#stand(); this.serve()) bell.wait();
    settle();
    // The ring may have been for something else.
    bell.ring();
  }

  /**
   * Does something while no vCPU is in the guest. One that waits for this thread is not, and goes on waiting: this is
   * called in the middle of an access, which may be one that is served while they are being stopped.
   */
  exclusively(change: () => void): void {
    const { bell } = this.#options;
    if (this.#running) this.#want("stand");
    while (!this.#links.every((link) => link.stands || link.calls)) bell.wait();
    change();
    if (this.#running) {
      for (const link of this.#links) {
        if (link.stands && !this.#stuck.has(link)) link.release();
        else link.unwant();
      }
    }
    bell.ring();
  }

  /** Whether the thread of a vCPU has failed; it has said why. */
  get failed(): boolean {
    return this.#links.some((link) => link.failed);
  }

  /** They have been reset: whatever they met, they can go on. */
  revive(): void {
    this.#stuck.clear();
  }

  /** Lets all of them run that can. */
  go(): void {
    if (this.#running) return;
    this.#running = true;
    this.#release();
  }

  /** Ends the threads. */
  end(): void {
    this.stop();
    for (const link of this.#links) link.want("end");
    this.revive();
    this.#release();
  }

  #want(wanted: "stand" | "end"): void {
    this.#links.forEach((link, i) => {
      link.want(wanted);
      this.#options.wake(i + 1);
    });
  }

  #release(): void {
    for (const link of this.#links) if (!this.#stuck.has(link)) link.release();
  }

  #stand(): boolean {
    return this.#links.every((link) => link.stands);
  }
}
