/**
 * Runs the vCPUs of a thread in turn: a slice of one, then of the next that has something to do. A CPU that halts, or that
 * waits for another one (PAUSE), gives its turn away at once.
 */

import type { Vcpu, VcpuExit } from "../accel.ts";

export class RoundRobin {
  readonly #vcpus: readonly Vcpu[];
  /** Whose turn it is. */
  #turn = 0;
  #current: Vcpu | undefined;

  constructor(vcpus: readonly Vcpu[]) {
    this.#vcpus = vcpus;
    [this.#current] = vcpus;
  }

  /** The one that runs, or ran last. */
  get current(): Vcpu | undefined {
    return this.#current;
  }

  /** One slice. "halted" when none has anything to do. */
  run(): VcpuExit {
    const vcpus = this.#vcpus;
    if (vcpus.length === 1) {
      const exit = vcpus[0].run();
      return exit === "halted" && vcpus[0].hasWork() ? "slice" : exit;
    }
    for (const _ of vcpus) {
      const index = this.#turn;
      this.#turn = (index + 1) % vcpus.length;
      if (!vcpus[index].hasWork()) continue;
      const vcpu = vcpus[index];
      this.#current = vcpu;
      const exit = vcpu.run(this.#anyOther(index));
      return exit === "halted" ? "slice" : exit;
    }
    return "halted";
  }

  #anyOther(index: number): boolean {
    return this.#vcpus.some((vcpu, other) => other !== index && vcpu.hasWork());
  }
}
