/**
 * A PC parallel port with a printer on the other end of a character channel: data, status and control registers as on
 * the AT, with the direction bit of the PS/2.
 *
 * Specification: IBM PC/AT Technical Reference, "Parallel Printer Adapter"; IEEE 1284-1994, compatibility mode.
 *
 * Invariant: a strobed byte is held in `data` with BUSY until the channel has taken it; nACK pulses then.
 *
 * DEVIATION: no nibble, byte, EPP or ECP transfers from the peripheral: with the direction bit set the data pins float.
 */

import type { IoRegion } from "../../../core/bus/io.ts";
import type { CharPort } from "../../../core/char/port.ts";
import type { Device } from "../../../core/device.ts";
import type { IrqLine } from "../../../core/irq.ts";
import { bool, defineState, type State, type StateArena, u8 } from "../../../core/state/state.ts";

export const PARALLEL_STATE = defineState("parallel", 1, {
  data: u8,
  control: u8,
  /** The byte on its way to the printer. */
  strobed: u8,
  busy: bool,
  /** Level of the interrupt line. */
  interrupt: bool,
});

export const STATUS_NERROR = 0b0000_1000;
export const STATUS_SELECT = 0b0001_0000;
export const STATUS_PAPER_END = 0b0010_0000;
export const STATUS_NACK = 0b0100_0000;
/** BUSY, inverted: 1 is ready. */
export const STATUS_READY = 0b1000_0000;
/** Bits without a meaning read as ones. */
const STATUS_UNUSED = 0b0000_0111;

export const CONTROL_STROBE = 0b00_0001;
export const CONTROL_AUTO_FEED = 0b00_0010;
/** nINIT: 0 resets the printer. */
export const CONTROL_NINIT = 0b00_0100;
export const CONTROL_SELECT_IN = 0b00_1000;
export const CONTROL_INTEN = 0b01_0000;
export const CONTROL_DIRECTION = 0b10_0000;
const CONTROL_UNUSED = 0b1100_0000;

export interface ParallelOptions {
  readonly name: string;
  readonly arena: StateArena;
  readonly irq: IrqLine;
  readonly chardev: CharPort;
}

export class Parallel implements Device {
  readonly io: IoRegion;
  readonly #s: State<typeof PARALLEL_STATE>;
  readonly #irq: IrqLine;
  readonly #chardev: CharPort;
  readonly #byte = new Uint8Array(1);

  constructor({ name, arena, irq, chardev }: ParallelOptions) {
    this.#s = arena.attach(name, PARALLEL_STATE);
    this.#irq = irq;
    this.#chardev = chardev;
    this.io = {
      name: "parallel",
      length: 4,
      max: 1,
      handler: { read: (offset) => this.#read(offset), write: (offset, value) => this.#write(offset, value) },
    };
    chardev.onWritable(() => {
      if (this.#s.busy) this.#send();
    });
  }

  reset(): void {
    const s = this.#s;
    s.data = 0;
    s.control = CONTROL_NINIT | CONTROL_SELECT_IN;
    s.busy = false;
    this.#interrupt(false);
  }

  loaded(): void {
    this.#irq.set(this.#s.interrupt);
    if (this.#s.busy) this.#send();
  }

  #read(offset: number): number {
    const s = this.#s;
    switch (offset) {
      case 0:
        return s.control & CONTROL_DIRECTION ? 0xff : s.data;
      case 1: {
        const fixed = STATUS_UNUSED | STATUS_NERROR | STATUS_SELECT | STATUS_NACK;
        this.#interrupt(false);
        return fixed | (s.busy ? 0 : STATUS_READY);
      }
      case 2:
        return s.control | CONTROL_UNUSED;
      default:
        return 0xff;
    }
  }

  #write(offset: number, value: number): void {
    const s = this.#s;
    if (offset === 0) s.data = value;
    if (offset !== 2) return;
    const before = s.control;
    s.control = value & ~CONTROL_UNUSED;
    if (!(value & CONTROL_INTEN)) this.#interrupt(false);
    if (!(value & CONTROL_NINIT)) s.busy = false;
    else if (value & ~before & CONTROL_STROBE && value & CONTROL_SELECT_IN && !s.busy) {
      s.strobed = s.data;
      s.busy = true;
      this.#send();
    }
  }

  /** Offers the strobed byte to the channel; once it is taken, nACK pulses. */
  #send(): void {
    this.#byte[0] = this.#s.strobed;
    if (this.#chardev.write(this.#byte) === 0) return;
    this.#s.busy = false;
    if (this.#s.control & CONTROL_INTEN) this.#interrupt(true);
  }

  #interrupt(level: boolean): void {
    if (this.#s.interrupt === level) return;
    this.#s.interrupt = level;
    this.#irq.set(level);
  }
}
