/**
 * A doorbell: one 32-bit word of shared memory that is 0 while quiet and 1 after somebody rang. Ringing twice before
 * the other side looks is one ring. There is one taker and any number of ringers; whoever else waits on
 * the word wakes with the taker.
 *
 * The vCPU thread's doorbell lies in the guest's memory, so that compiled guest code can poll the word; the main
 * thread's lies in a small buffer of its own.
 */

export class Doorbell {
  readonly buffer: SharedArrayBuffer;
  /** Byte offset of the word in the buffer. */
  readonly address: number;
  readonly #cell: Int32Array;
  readonly #index: number;

  /** `address` is a multiple of 4. */
  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(4), address = 0) {
    this.buffer = buffer;
    this.address = address;
    this.#cell = new Int32Array(buffer, 0, buffer.byteLength >>> 2);
    this.#index = address >>> 2;
  }

  ring(): void {
    if (Atomics.exchange(this.#cell, this.#index, 1) === 0) Atomics.notify(this.#cell, this.#index);
  }

  /** Rings without waking a thread that waits. False when it has rung before. */
  set(): boolean {
    return Atomics.exchange(this.#cell, this.#index, 1) === 0;
  }

  /** Wakes all that wait on the word, to look at it again. */
  wakeWaiters(): void {
    Atomics.notify(this.#cell, this.#index);
  }

  /** Whether it rang and nobody has taken it. */
  get rung(): boolean {
    return Atomics.load(this.#cell, this.#index) !== 0;
  }

  /** Whether it rang since the last `take` or `wait`; quiets it. */
  take(): boolean {
    return this.rung && Atomics.exchange(this.#cell, this.#index, 0) !== 0;
  }

  /** Blocks this thread until it rings or `timeoutMs` have passed; true when it rang. */
  wait(timeoutMs = Number.POSITIVE_INFINITY): boolean {
    this.sleep(timeoutMs);
    return this.take();
  }

  /** Blocks this thread until it rings or `timeoutMs` have passed; the ring stays. */
  sleep(timeoutMs: number): void {
    Atomics.wait(this.#cell, this.#index, 0, timeoutMs);
  }

  /** Resolves when it rings (at once when it already has), and quiets it. Never blocks the event loop. */
  async waitAsync(): Promise<void> {
    while (!this.take()) {
      const { async, value } = Atomics.waitAsync(this.#cell, this.#index, 0);
      if (async) await value;
    }
  }
}
