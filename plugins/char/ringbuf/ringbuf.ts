/** The last output, kept in memory for the monitor's ringbuf_read; ringbuf_write puts input in. */

import type { Chardev, ChardevType } from "../../../core/char/chardev.ts";
import { InputQueue } from "../../../core/char/queue.ts";
import { QemuError } from "../../../core/errors.ts";

const DEFAULT_SIZE = 65536;
const MAX_SIZE = 1 << 28;

class RingBuffer implements Chardev {
  readonly description = "ringbuf";
  readonly #bytes: Uint8Array;
  readonly #input = new InputQueue();
  #written = 0;
  #read = 0;

  /** `size` is a power of two. */
  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
  }

  /** Takes everything; the oldest bytes give way. */
  write(data: Uint8Array): number {
    for (const byte of data) this.#bytes[this.#written++ & (this.#bytes.length - 1)] = byte;
    this.#read = Math.max(this.#read, this.#written - this.#bytes.length);
    return data.length;
  }

  takeOutput(maximum: number): Uint8Array {
    const count = Math.min(maximum, this.#written - this.#read);
    return Uint8Array.from({ length: count }, () => this.#bytes[this.#read++ & (this.#bytes.length - 1)]);
  }

  inject(data: Uint8Array): void {
    this.#input.push(data);
  }

  onWritable(): void {}

  connect(...[receiver]: Parameters<Chardev["connect"]>): void {
    this.#input.connect(receiver);
  }

  acceptInput(): void {
    this.#input.pump();
  }

  async close(): Promise<void> {}
}

export const RINGBUF: ChardevType = {
  name: "ringbuf",
  description: "the last output in memory",
  options: { size: { type: "size", default: DEFAULT_SIZE, description: "bytes, a power of two" } },
  async open(options) {
    const size = Number(options.size ?? DEFAULT_SIZE);
    if (!(size >= 1 && size <= MAX_SIZE) || (size & (size - 1)) !== 0) {
      throw new QemuError("chardev-ringbuf", "size of ringbuf chardev must be power of two");
    }
    return new RingBuffer(size);
  },
};
