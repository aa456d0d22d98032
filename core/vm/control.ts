/** What devices have asked of the machine while the guest ran, until the machine's thread gets to it. */

import type { MachineControl, ShutdownCause } from "../device.ts";

export type ControlRequest =
  | { readonly kind: "reset"; readonly cause: ShutdownCause }
  | { readonly kind: "shutdown"; readonly cause: ShutdownCause }
  | { readonly kind: "exit"; readonly status: number }
  | { readonly kind: "panic" };

/** What ends the machine beats what resets it. */
const RANK = { panic: 0, reset: 1, shutdown: 2, exit: 3 } as const;

export class ControlPanel implements MachineControl {
  /** Makes the running vCPU return. */
  kick: () => void = () => {};
  #pending: ControlRequest | undefined;

  reset(cause: ShutdownCause): void {
    this.#ask({ kind: "reset", cause });
  }

  shutdown(cause: ShutdownCause): void {
    this.#ask({ kind: "shutdown", cause });
  }

  exit(status: number): void {
    this.#ask({ kind: "exit", status });
  }

  panic(): void {
    this.#ask({ kind: "panic" });
  }

  /** The request, taken. */
  take(): ControlRequest | undefined {
    const request = this.#pending;
    this.#pending = undefined;
    return request;
  }

  get pending(): boolean {
    return this.#pending !== undefined;
  }

  #ask(request: ControlRequest): void {
    if (!this.#pending || RANK[request.kind] >= RANK[this.#pending.kind]) this.#pending = request;
    this.kick();
  }
}
