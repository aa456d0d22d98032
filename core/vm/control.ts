/** What devices have asked of the machine while the guest ran, until the machine's thread gets to it. */

import type { WakeReason } from "../board.ts";
import type { MachineControl, ShutdownCause } from "../device.ts";

export type ControlRequest =
  | { readonly kind: "reset"; readonly cause: ShutdownCause }
  | { readonly kind: "shutdown"; readonly cause: ShutdownCause }
  | { readonly kind: "exit"; readonly status: number }
  | { readonly kind: "suspend" }
  | { readonly kind: "wake"; readonly reason: WakeReason }
  | { readonly kind: "panic" }
  /** A vCPU of another thread cannot go on. */
  | { readonly kind: "fail" };

/** What ends the machine beats what resets it; of equals the last one counts. */
const RANK = { suspend: 0, wake: 0, panic: 1, fail: 1, reset: 2, shutdown: 3, exit: 4 } as const;

export class ControlPanel implements MachineControl {
  /** Makes the running vCPU return. */
  kick: () => void = () => {};
  #pending: ControlRequest | undefined;

  reset(cause: ShutdownCause): void {
    this.ask({ kind: "reset", cause });
  }

  shutdown(cause: ShutdownCause): void {
    this.ask({ kind: "shutdown", cause });
  }

  suspend(): void {
    this.ask({ kind: "suspend" });
  }

  wakeUp(reason: WakeReason): void {
    this.ask({ kind: "wake", reason });
  }

  exit(status: number): void {
    this.ask({ kind: "exit", status });
  }

  panic(): void {
    this.ask({ kind: "panic" });
  }

  fail(): void {
    this.ask({ kind: "fail" });
  }

  /** The request, taken. */
  take(): ControlRequest | undefined {
    const request = this.#pending;
    this.#pending = undefined;
    return request;
  }

  /** The machine has been reset: what would have changed no more than that is void. */
  forget(): void {
    const pending = this.#pending;
    if (pending && pending.kind !== "panic" && RANK[pending.kind] <= RANK.reset) this.#pending = undefined;
  }

  get pending(): boolean {
    return this.#pending !== undefined;
  }

  /** As a device of another thread has asked. */
  ask(request: ControlRequest): void {
    if (!this.#pending || RANK[request.kind] >= RANK[this.#pending.kind]) this.#pending = request;
    this.kick();
  }
}
