/**
 * The 8254 programmable interval timer at ports 0x40 to 0x43: three counters at 1193182 Hz. OUT of counter 0 drives an
 * interrupt line; GATE of counter 2 belongs to the speaker port, the other gates are tied high.
 *
 * Data sheet: Intel 231164 (82C54).
 *
 * Invariants:
 *  1. Edges of counter 0 lie on exact ticks of the clock: deadlines are computed from tick numbers, so nothing drifts.
 *  2. An edge whose timer comes late is made up for, one per timer callback, up to one second of them.
 *
 * DEVIATION: in the periodic modes OUT of counter 0 falls on the interrupt line only at the moment it rises again; what
 * the counters' status tells is exact.
 */

import type { IntervalTimer } from "../../../core/board.ts";
import type { IoRegion } from "../../../core/bus/io.ts";
import { I8254_STATE, PIT_FREQUENCY, ticksAt, timeOfTick } from "../../../core/chips/i8254.ts";
import type { Clock, Timer } from "../../../core/clock.ts";
import type { Device } from "../../../core/device.ts";
import type { IrqLine } from "../../../core/irq.ts";
import type { State, StateArena } from "../../../core/state/state.ts";
import { Counter } from "./counter.ts";

/** Ticks after which missed edges of counter 0 are given up. */
const MAX_LAG = PIT_FREQUENCY;

const READ_BACK_NO_COUNT = 0b0010_0000;
const READ_BACK_NO_STATUS = 0b0001_0000;

export interface I8254Options {
  readonly name: string;
  readonly arena: StateArena;
  readonly clock: Clock;
  /** OUT of counter 0. */
  readonly irq: IrqLine;
}

export class I8254 implements Device, IntervalTimer {
  readonly io: IoRegion;
  readonly #s: State<typeof I8254_STATE>;
  readonly #clock: Clock;
  readonly #irq: IrqLine;
  readonly #timer: Timer;
  readonly #counters: readonly Counter[];

  constructor({ name, arena, clock, irq }: I8254Options) {
    const state = arena.attach(name, I8254_STATE);
    this.#s = state;
    this.#clock = clock;
    this.#irq = irq;
    this.#timer = clock.timer(`${name}.counter0`, () => this.#fire());
    const now = (): number => ticksAt(clock.now());
    this.#counters = state.counter.map(
      (counter, i) => new Counter({ state: counter, now, changed: i === 0 ? () => this.#rearm(now()) : undefined }),
    );
    this.io = {
      name: "pit",
      length: 4,
      max: 1,
      handler: {
        read: (offset) => (offset < 3 ? this.#counters[offset].read() : 0xff),
        write: (offset, value) => {
          if (offset < 3) this.#counters[offset].write(value);
          else this.#control(value);
        },
      },
    };
  }

  channel(index: number): Counter {
    return this.#counters[index];
  }

  reset(): void {
    this.#counters.forEach((counter, i) => {
      counter.reset(i !== 2);
    });
  }

  loaded(): void {
    this.#irq.set(this.#counters[0].out);
    if (this.#s.edge > 0) this.#timer.arm(timeOfTick(this.#s.edge));
    else this.#timer.cancel();
  }

  #control(word: number): void {
    const select = word >> 6;
    if (select < 3) {
      if (word & 0x30) this.#counters[select].control(word & 0x3f);
      else this.#counters[select].latchCount();
      return;
    }
    for (let i = 0; i < 3; i++) {
      if (!(word & (2 << i))) continue;
      if (!(word & READ_BACK_NO_COUNT)) this.#counters[i].latchCount();
      if (!(word & READ_BACK_NO_STATUS)) this.#counters[i].latchStatus();
    }
  }

  #rearm(now: number): void {
    this.#irq.set(this.#counters[0].out);
    this.#armAfter(now);
  }

  #armAfter(tick: number): void {
    const edge = this.#counters[0].nextRise(tick);
    this.#s.edge = edge ?? 0;
    if (edge === undefined) this.#timer.cancel();
    else this.#timer.arm(timeOfTick(edge));
  }

  /** OUT of counter 0 rises. */
  #fire(): void {
    const { edge } = this.#s;
    const now = ticksAt(this.#clock.now());
    const counter = this.#counters[0];
    if (counter.mode !== 0) this.#irq.set(false);
    this.#irq.set(true);
    this.#armAfter(now - edge > MAX_LAG ? now : edge);
  }
}
