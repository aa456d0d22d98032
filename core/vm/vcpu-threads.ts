/**
 * The threads of a machine's further vCPUs, as the machine's thread sees them. It does what they ask of the devices that
 * live here, and makes them stand at an instruction boundary whenever it changes or looks at the machine. For one whose
 * thread has failed nothing waits; the I/O thread, which started it (vcpu-workers.ts), ends the program then.
 */

import type { VcpuExit } from "../accel.ts";
import type { Bus } from "../bus/io.ts";
import { QemuError } from "../errors.ts";
import type { Doorbell } from "../thread/doorbell.ts";
import type { ControlRequest } from "./control.ts";
import type { VcpuLink } from "./vcpu-link.ts";

/** What a vCPU tells the machine's thread while it runs. */
export type VcpuPost =
  /** A device has asked for something. */
  | { readonly kind: "control"; readonly request: ControlRequest }
  /** It stands, because it cannot go on. */
  | { readonly kind: "exit"; readonly exit: VcpuExit };

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

  /**
   * Waits until all threads have assembled the machine.
   * @throws QemuError when one cannot; the I/O thread knows why.
   */
  waitForStart(): void {
    const { bell } = this.#options;
    while (!this.failed && !this.#stand()) bell.wait();
    bell.ring();
    if (this.failed) throw this.failure;
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

  /** Whether the thread of a vCPU has failed: what its vCPU and its devices hold is not to be relied upon. */
  get failed(): boolean {
    return this.#links.some((link) => link.failed);
  }

  get failure(): QemuError {
    return new QemuError("vcpu-thread", "The thread of a CPU has failed");
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

  /** Ends the threads' work. */
  end(): void {
    const { bell } = this.#options;
    this.stop();
    for (const link of this.#links) link.want("end");
    this.revive();
    this.#release();
    while (!this.#links.every((link) => link.failed || link.ended)) bell.wait();
    bell.ring();
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
