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
import { array, defineState, type State, type StateArena, u8, u32 } from "../../../core/state/state.ts";

const BACKLOG = 65_536;

const DEBUGCON_STATE = defineState("isa-debugcon", 1, {}, { unsaved: { backlog: array(u8, BACKLOG), waiting: u32 } });

export interface DebugconOptions {
  readonly name: string;
  readonly arena: StateArena;
  readonly chardev: CharPort;
  /** What the port reads. */
  readonly readback: number;
}

export class Debugcon implements Device {
  readonly io: IoRegion;
  readonly #chardev: CharPort;
  readonly #s: State<typeof DEBUGCON_STATE>;
  readonly #byte = new Uint8Array(1);

  constructor({ name, arena, chardev, readback }: DebugconOptions) {
    this.#s = arena.attach(name, DEBUGCON_STATE);
    this.#chardev = chardev;
    this.io = {
      name: "isa-debugcon",
      length: 1,
      max: 1,
      coalesced: true,
      handler: { read: () => readback, write: (_offset, value) => this.#put(value) },
    };
    chardev.onWritable(() => this.#drain());
  }

  reset(): void {}

  #put(value: number): void {
    const s = this.#s;
    if (s.waiting === 0) {
      this.#byte[0] = value;
      if (this.#chardev.write(this.#byte) === 1) return;
    }
    if (s.waiting < BACKLOG) s.backlog[s.waiting++] = value;
  }

  #drain(): void {
    const { backlog, waiting } = this.#s;
    if (waiting === 0) return;
    const taken = this.#chardev.write(backlog.subarray(0, waiting));
    backlog.copyWithin(0, taken, waiting);
    this.#s.waiting = waiting - taken;
  }
}
