/**
 * The requests of a device that has one buffer and can be reset at any time. A request that a reset has overtaken keeps
 * the buffer until it completes, but its outcome is dropped; what must wait for the buffer is done then.
 */

import type { BlockDone, BlockError } from "./port.ts";

export class RequestGate {
  #pending = 0;
  #generation = 0;
  #idle: (() => void) | undefined;

  /** Starts a request; `then` is called when it completes, unless `cancel` was called before. */
  start(begin: (done: BlockDone) => void, then: (error: BlockError) => void): void {
    const generation = this.#generation;
    this.#pending++;
    begin((error) => {
      this.#pending--;
      if (generation === this.#generation) {
        then(error);
      } else if (this.#pending === 0) {
        const idle = this.#idle;
        this.#idle = undefined;
        idle?.();
      }
    });
  }

  /** Forgets the requests under way, and what waits for them. */
  cancel(): void {
    this.#generation++;
    this.#idle = undefined;
  }

  /** Calls `then` once nothing uses the buffer: at once, or when the cancelled requests have completed. */
  whenIdle(then: () => void): void {
    if (this.#pending === 0) then();
    else this.#idle = then;
  }
}
