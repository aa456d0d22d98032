/**
 * One counter of the 8254: modes 0 to 5, binary and BCD, GATE, latches. Nothing counts while time passes: the counting
 * element and OUT are computed from the tick at which the count was loaded.
 *
 * Data sheet: Intel 231164 (82C54), "Mode Definitions" and "Operation Common to All Modes".
 *
 * Invariants:
 *  1. All times are CLK ticks since the start of the clock, whole numbers below 2^53.
 *  2. A write at tick t is seen by the counting element at tick t + 1.
 *  3. While GATE stops the counter, `paused` is its age in ticks; otherwise its age is `now - start`.
 */

import type { TimerChannel } from "../../../core/board.ts";
import type { CounterState } from "../../../core/chips/i8254.ts";

const NEVER = Number.MAX_SAFE_INTEGER;

const STATUS_OUT = 0b1000_0000;
const STATUS_NULL_COUNT = 0b0100_0000;

export interface CounterOptions {
  /** The counter's part of the arena. */
  readonly state: CounterState;
  /** The present tick. */
  readonly now: () => number;
  /** OUT may have changed, and the ticks at which it will change. */
  readonly changed?: () => void;
}

export class Counter implements TimerChannel {
  readonly #s: CounterOptions["state"];
  readonly #now: () => number;
  readonly #changed: () => void;

  constructor({ state, now, changed = () => {} }: CounterOptions) {
    this.#s = state;
    this.#now = now;
    this.#changed = changed;
  }

  get out(): boolean {
    const now = this.#now();
    this.#sync(now);
    return this.#outAt(now);
  }

  get mode(): number {
    return this.#s.mode;
  }

  /** A control word for this counter: mode, byte order and number base, without the counter select bits. */
  control(word: number): void {
    const s = this.#s;
    const now = this.#now();
    s.held = this.#elementAt(now);
    const mode = (word >> 1) & 7;
    s.mode = mode > 5 ? mode & 3 : mode;
    s.bcd = (word & 1) !== 0;
    s.rw = (word >> 4) & 3;
    s.heldOut = s.mode !== 0;
    s.counting = false;
    s.armed = false;
    s.switchAt = 0;
    s.nullUntil = NEVER;
    s.writeHigh = false;
    s.readHigh = false;
    s.countLatched = 0;
    s.statusLatched = false;
    this.#changed();
  }

  write(value: number): void {
    const s = this.#s;
    if (s.rw === 1) this.#load(value);
    else if (s.rw === 2) this.#load(value << 8);
    else if (s.writeHigh) {
      s.writeHigh = false;
      this.#load((value << 8) | s.low);
    } else {
      s.writeHigh = true;
      s.low = value;
      if (s.mode === 0) this.#stop();
    }
  }

  read(): number {
    const s = this.#s;
    if (s.statusLatched) {
      s.statusLatched = false;
      return s.statusLatch;
    }
    if (s.countLatched > 0) {
      const high = s.rw === 2 || (s.rw === 3 && s.countLatched === 1);
      s.countLatched--;
      return high ? s.countLatch >> 8 : s.countLatch & 0xff;
    }
    const count = this.#count();
    if (s.rw === 1) return count & 0xff;
    if (s.rw === 2) return count >> 8;
    s.readHigh = !s.readHigh;
    return s.readHigh ? count & 0xff : count >> 8;
  }

  /** Holds the count for reading; a count already held stays. */
  latchCount(): void {
    const s = this.#s;
    if (s.countLatched > 0) return;
    s.countLatch = this.#count();
    s.countLatched = s.rw === 3 ? 2 : 1;
  }

  latchStatus(): void {
    const s = this.#s;
    if (s.statusLatched) return;
    const now = this.#now();
    this.#sync(now);
    s.statusLatched = true;
    s.statusLatch =
      (this.#outAt(now) ? STATUS_OUT : 0) |
      (now < s.nullUntil ? STATUS_NULL_COUNT : 0) |
      (s.rw << 4) |
      (s.mode << 1) |
      (s.bcd ? 1 : 0);
  }

  setGate(level: boolean): void {
    const s = this.#s;
    if (s.gate === level) return;
    const now = this.#now();
    this.#sync(now);
    const hardwareTriggered = s.mode === 1 || s.mode === 5;
    if (!level) {
      if (!hardwareTriggered) s.paused = Math.max(0, now - s.start);
    } else if (s.mode === 0 || s.mode === 4) {
      s.start = now - s.paused;
    } else if (hardwareTriggered ? s.armed : s.counting) {
      s.held = this.#elementAt(now);
      s.heldOut = this.#outAt(now);
      this.#begin(now + 1);
    }
    s.gate = level;
    this.#changed();
  }

  /** The first tick after `after` at which OUT rises, or undefined. */
  nextRise(after: number): number | undefined {
    const s = this.#s;
    if (!s.counting || this.#stopped) return undefined;
    if (s.mode === 2 || s.mode === 3) {
      const rise = nextMultiple(s.start, s.period, after);
      if (s.switchAt === 0 || rise <= s.switchAt) return s.period > 1 ? rise : undefined;
      return s.reload > 1 ? nextMultiple(this.#startAfterSwitch(), s.reload, after) : undefined;
    }
    const rise = s.start + s.period + (s.mode >= 4 ? 1 : 0);
    return rise > after ? rise : undefined;
  }

  /** Power-on: mode 3 with the longest period, as boards' firmware expects to find it. */
  reset(gate: boolean): void {
    this.#s.gate = gate;
    this.control(0b11_011_0);
    this.#load(0);
  }

  get #stopped(): boolean {
    const { gate, mode } = this.#s;
    return !gate && mode !== 1 && mode !== 5;
  }

  #age(now: number): number {
    return this.#stopped ? this.#s.paused : now - this.#s.start;
  }

  /** Lets a count that was written during a period take over. */
  #sync(now: number): void {
    const s = this.#s;
    if (s.switchAt === 0 || now < s.switchAt || this.#stopped) return;
    s.start = this.#startAfterSwitch();
    s.period = s.reload;
    s.switchAt = 0;
  }

  /** The start of the new period; in mode 3 it may take over with the low half. */
  #startAfterSwitch(): number {
    const s = this.#s;
    const endsHigh = s.mode === 3 && (s.switchAt - s.start) % s.period !== 0;
    return endsHigh ? s.switchAt - Math.ceil(s.reload / 2) : s.switchAt;
  }

  /** The first byte of a count in mode 0: counting ends, OUT falls. */
  #stop(): void {
    const s = this.#s;
    s.held = this.#elementAt(this.#now());
    s.counting = false;
    s.heldOut = false;
    this.#changed();
  }

  #load(value: number): void {
    const s = this.#s;
    const now = this.#now();
    this.#sync(now);
    s.reload = (s.bcd ? fromBcd(value) : value) || modulus(s.bcd);
    s.armed = true;
    if (s.mode === 1 || s.mode === 5) {
      s.nullUntil = NEVER;
      return;
    }
    const periodic = s.mode === 2 || s.mode === 3;
    if (periodic && s.counting && now >= s.start && !this.#stopped) {
      s.switchAt ||= this.#endOfPart(now);
      s.nullUntil = s.switchAt;
    } else {
      s.held = this.#elementAt(now);
      s.heldOut = s.mode !== 0;
      s.paused = 0;
      this.#begin(now + 1);
    }
    this.#changed();
  }

  #begin(start: number): void {
    const s = this.#s;
    s.counting = true;
    s.start = start;
    s.period = s.reload;
    s.switchAt = 0;
    s.nullUntil = start;
  }

  /** The end of the running period (mode 2) or half period (mode 3). */
  #endOfPart(now: number): number {
    const { start, period, mode } = this.#s;
    const age = now - start;
    const half = Math.ceil(period / 2);
    const begin = start + age - (age % period);
    return mode === 3 && age % period < half && half < period ? begin + half : begin + period;
  }

  #outAt(now: number): boolean {
    const s = this.#s;
    const age = this.#age(now);
    if (!s.counting || age < 0) return s.heldOut;
    switch (s.mode) {
      case 2:
        return !s.gate || age % s.period !== s.period - 1;
      case 3:
        return !s.gate || age % s.period < Math.ceil(s.period / 2);
      case 4:
      case 5:
        return age !== s.period;
      default:
        return age >= s.period;
    }
  }

  /** The counting element, 0 to 65536. */
  #elementAt(now: number): number {
    const s = this.#s;
    const age = this.#age(now);
    if (!s.counting || age < 0) return s.held;
    if (s.mode === 2) return s.period - (age % s.period);
    if (s.mode === 3) {
      const high = Math.ceil(s.period / 2);
      const position = age % s.period;
      const even = s.period - (s.period & 1);
      return even - 2 * (position < high ? position : position - high);
    }
    const wrap = modulus(s.bcd);
    return (((s.period - age) % wrap) + wrap) % wrap;
  }

  /** The counting element as it reads: 16 bits, binary or BCD. */
  #count(): number {
    const now = this.#now();
    this.#sync(now);
    const element = this.#elementAt(now);
    return this.#s.bcd ? toBcd(element) : element & 0xffff;
  }
}

const modulus = (bcd: boolean): number => (bcd ? 10_000 : 0x1_0000);

/** The first of start + period, start + 2 * period, ... after `after`. */
function nextMultiple(start: number, period: number, after: number): number {
  return start + Math.max(1, Math.floor((after - start) / period) + 1) * period;
}

function fromBcd(value: number): number {
  return (value >> 12) * 1000 + ((value >> 8) & 15) * 100 + ((value >> 4) & 15) * 10 + (value & 15);
}

function toBcd(value: number): number {
  const digit = (unit: number): number => Math.floor(value / unit) % 10;
  return (digit(1000) << 12) | (digit(100) << 8) | (digit(10) << 4) | digit(1);
}
