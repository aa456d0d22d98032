/**
 * The debug console of Bochs and QEMU: one port; what is written to it goes to a character channel, what is read from it
 * tells firmware that it is there.
 *
 * Invariant: the port has no way to make a guest wait, so up to BACKLOG bytes wait here for a slow channel; beyond that
 * the newest are dropped.
 */

import type { IoRegion } from "../../../core/bus/io.ts";
import type { CharPort } from "../../../core/char/port.ts";
import type { Device } from "../../../core/device.ts";

const BACKLOG = 65_536;

export interface DebugconOptions {
  readonly chardev: CharPort;
  /** What the port reads. */
  readonly readback: number;
}

export class Debugcon implements Device {
  readonly io: IoRegion;
  readonly #chardev: CharPort;
  readonly #backlog = new Uint8Array(BACKLOG);
  readonly #byte = new Uint8Array(1);
  #waiting = 0;

  constructor({ chardev, readback }: DebugconOptions) {
    this.#chardev = chardev;
    this.io = {
      name: "isa-debugcon",
      length: 1,
      max: 1,
      handler: { read: () => readback, write: (_offset, value) => this.#put(value) },
    };
    chardev.onWritable(() => this.#drain());
  }

  reset(): void {}

  #put(value: number): void {
    if (this.#waiting === 0) {
      this.#byte[0] = value;
      if (this.#chardev.write(this.#byte) === 1) return;
    }
    if (this.#waiting < BACKLOG) this.#backlog[this.#waiting++] = value;
  }

  #drain(): void {
    if (this.#waiting === 0) return;
    const taken = this.#chardev.write(this.#backlog.subarray(0, this.#waiting));
    this.#backlog.copyWithin(0, taken, this.#waiting);
    this.#waiting -= taken;
  }
}
