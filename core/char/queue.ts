/**
 * The two halves every backend shares: input that waits until the front end takes it, and output that waits until the
 * host takes it.
 */

import type { Writable } from "node:stream";
import type { CharEvent, CharPort, CharReceiver } from "./port.ts";

/** How much input is held before the source is paused. */
const HIGH_WATER = 4096;
/** How much output is held before `write` takes no more. */
const OUTPUT_LIMIT = 65536;

/** Input on its way to a front end, in order with the line events. */
export class InputQueue {
  readonly #items: (Uint8Array | CharEvent)[] = [];
  readonly #setFlowing: (flowing: boolean) => void;
  #receiver: CharReceiver | undefined;
  #held = 0;
  #flowing = true;
  #pumping = false;

  /** `setFlowing` pauses and resumes the source. */
  constructor(setFlowing: (flowing: boolean) => void = () => {}) {
    this.#setFlowing = setFlowing;
  }

  connect(receiver: CharReceiver): void {
    this.#receiver = receiver;
    this.pump();
  }

  /** Room before the source should pause, in bytes. */
  get room(): number {
    return Math.max(0, HIGH_WATER - this.#held);
  }

  push(data: Uint8Array): void {
    if (data.length === 0) return;
    this.#items.push(data);
    this.#held += data.length;
    this.pump();
  }

  /** An event counts like a byte. */
  event(event: CharEvent): void {
    this.#items.push(event);
    this.#held++;
    this.pump();
  }

  /** Hands over what the front end can take now. */
  pump(): void {
    const receiver = this.#receiver;
    if (receiver && !this.#pumping) {
      this.#pumping = true;
      while (this.#items.length > 0 && this.#deliver(receiver));
      this.#pumping = false;
    }
    const flowing = this.#held < HIGH_WATER;
    if (flowing !== this.#flowing) {
      this.#flowing = flowing;
      this.#setFlowing(flowing);
    }
  }

  #deliver(receiver: CharReceiver): boolean {
    const item = this.#items[0];
    if (typeof item === "string") {
      this.#items.shift();
      this.#held--;
      receiver.event?.(item);
      return true;
    }
    const count = Math.min(item.length, receiver.canReceive());
    if (count <= 0) return false;
    if (count === item.length) this.#items.shift();
    else this.#items[0] = item.subarray(count);
    this.#held -= count;
    receiver.receive(item.subarray(0, count));
    return true;
  }
}

/** Text for a port, of any length: what the port does not take at once waits here. */
export class CharWriter {
  readonly #port: CharPort;
  readonly #waiting: Uint8Array[] = [];
  readonly #encoder = new TextEncoder();

  constructor(port: CharPort) {
    this.#port = port;
    port.onWritable(() => this.#flush());
  }

  write(text: string): void {
    this.#waiting.push(this.#encoder.encode(text));
    this.#flush();
  }

  get flushed(): boolean {
    return this.#waiting.length === 0;
  }

  #flush(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      const taken = this.#port.write(next);
      if (taken < next.length) {
        this.#waiting[0] = next.subarray(taken);
        return;
      }
      this.#waiting.shift();
    }
  }
}

/** Output into a Node stream: takes bytes until the stream's buffer is full, then waits for it to drain. */
export class StreamOutput {
  readonly #stream: Writable;
  readonly #encode: (data: Uint8Array) => Uint8Array;
  #pending = 0;
  #starved = false;
  #ready: () => void = () => {};

  /** `encode` makes of the bytes a copy as they go over the line. */
  constructor(stream: Writable, encode: (data: Uint8Array) => Uint8Array = (data) => data.slice()) {
    this.#stream = stream;
    this.#encode = encode;
  }

  /** Returns how many bytes it took. */
  write(data: Uint8Array): number {
    const count = Math.min(data.length, OUTPUT_LIMIT - this.#pending);
    this.#starved = count < data.length;
    if (count === 0) return 0;
    this.#pending += count;
    this.#stream.write(this.#encode(data.subarray(0, count)), () => {
      this.#pending -= count;
      if (!this.#starved) return;
      this.#starved = false;
      this.#ready();
    });
    return count;
  }

  onWritable(ready: () => void): void {
    this.#ready = ready;
  }

  /** Resolves when everything written so far has gone to the host. */
  flushed(): Promise<void> {
    if (this.#pending === 0 || this.#stream.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#stream.off("close", done);
        resolve();
      };
      this.#stream.once("close", done);
      this.#stream.write(new Uint8Array(0), done);
    });
  }
}
