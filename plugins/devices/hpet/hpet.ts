/**
 * HPET (IA-PC HPET Specification 1.0a): a 64-bit main counter at 100 MHz and three timers, the first of which is
 * periodic. The counter is computed from the clock when it is read. FSB (message) interrupts are not offered.
 *
 * Invariant: a timer's next comparison is armed on the clock exactly while the counter runs and the timer's interrupt is
 * enabled.
 */

import type { IoRegion } from "../../../core/bus/io.ts";
import type { Clock, Timer } from "../../../core/clock.ts";
import type { Device } from "../../../core/device.ts";
import { type IrqLine, pulse } from "../../../core/irq.ts";
import { defineState, f64, group, type State, type StateArena, u32, u64 } from "../../../core/state/state.ts";

export const HPET_STATE = defineState("hpet", 1, {
  config: u32,
  status: u32,
  /** The main counter while it stands, and what it counted from while it runs. */
  counter: u64,
  /** When the counter was started, ns. */
  startedAt: f64,
  timers: group(3, {
    config: u32,
    comparator: u64,
    /** What is added to the comparator of a periodic timer. */
    period: u64,
  }),
});

// Registers (section 2.3), by 32-bit halves.
const CAP_LOW = 0x000;
const CAP_PERIOD = 0x004;
const CONFIG = 0x010;
const STATUS = 0x020;
const COUNTER_LOW = 0x0f0;
const COUNTER_HIGH = 0x0f4;
const TIMER_BASE = 0x100;
const TIMER_STRIDE = 0x20;

// General configuration.
const ENABLE_CNF = 0b01;
const LEG_RT_CNF = 0b10;

// Timer configuration and capabilities.
const INT_TYPE_LEVEL = 1 << 1;
const INT_ENB = 1 << 2;
const TYPE_PERIODIC = 1 << 3;
const PER_INT_CAP = 1 << 4;
const SIZE_CAP = 1 << 5;
const VAL_SET = 1 << 6;
const MODE_32 = 1 << 8;
const ROUTE = 0x1f << 9;
const TIMER_WRITABLE = INT_TYPE_LEVEL | INT_ENB | VAL_SET | MODE_32 | ROUTE;

const TIMERS = 3;
const PERIOD_FS = 10_000_000;
const NS_PER_TICK = 10;
/** Vendor 8086h, legacy replacement, 64 bits, three timers, revision 1. */
const CAPABILITIES = 0x8086a001 | ((TIMERS - 1) << 8);
/** The PC's timers can be routed to input 2 of the I/O APIC. */
export const HPET_DEFAULT_ROUTES = 0x4;
const MASK_64 = 0xffff_ffff_ffff_ffffn;
/**
 * DEVIATION: a periodic timer interrupts at most once in this many ns, so that a guest cannot keep the host busy with
 * timer events alone.
 */
const MIN_PERIOD = 20_000;

export interface HpetOptions {
  readonly name: string;
  readonly arena: StateArena;
  readonly clock: Clock;
  /** Interrupt 0 and 8 of the board, for timers 0 and 1 in legacy replacement mode. */
  readonly legacyIrqs: readonly [IrqLine, IrqLine];
  /** Inputs of the I/O APIC. */
  readonly ioapicPin: (pin: number) => IrqLine;
  /** Which of them a timer can be routed to, one bit each. */
  readonly routes?: number;
  /** True while interrupts 0 and 8 belong to the HPET, not to the interval timer and the RTC. */
  readonly legacyReplacement?: IrqLine;
}

export class Hpet implements Device {
  /** 1 KiB at FED00000h. */
  readonly io: IoRegion;
  readonly #options: HpetOptions;
  readonly #state: State<typeof HPET_STATE>;
  readonly #clock: Clock;
  readonly #routes: number;
  readonly #timers: readonly Timer[];

  constructor(options: HpetOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#routes = options.routes ?? HPET_DEFAULT_ROUTES;
    this.#state = options.arena.attach(options.name, HPET_STATE);
    this.#timers = Array.from({ length: TIMERS }, (_, i) =>
      options.clock.timer(`${options.name}.timer${i}`, () => this.#expired(i)),
    );
    this.io = {
      name: "hpet",
      length: 0x400,
      min: 4,
      max: 4,
      handler: {
        read: (offset) => this.#read(offset & ~3),
        write: (offset, value) => {
          if ((offset & 3) === 0) this.#write(offset, value);
        },
      },
    };
  }

  reset(): void {
    const wasLegacy = this.#legacy;
    for (let i = 0; i < TIMERS; i++) this.#line(i)?.set(false);
    this.#clear();
    if (wasLegacy) this.#options.legacyReplacement?.set(false);
    for (const timer of this.#timers) timer.cancel();
  }

  loaded(): void {
    this.#options.legacyReplacement?.set(this.#legacy);
    for (let i = 0; i < TIMERS; i++) {
      this.#drive(i);
      this.#schedule(i, this.#counter);
    }
  }

  #clear(): void {
    const state = this.#state;
    state.config = state.status = state.startedAt = 0;
    state.counter = 0n;
    for (const [i, timer] of state.timers.entries()) {
      timer.config = SIZE_CAP | (i === 0 ? PER_INT_CAP : 0);
      timer.comparator = MASK_64;
      timer.period = 0n;
    }
  }

  get #enabled(): boolean {
    return (this.#state.config & ENABLE_CNF) !== 0;
  }

  get #legacy(): boolean {
    return (this.#state.config & LEG_RT_CNF) !== 0;
  }

  get #counter(): bigint {
    const { counter, startedAt } = this.#state;
    if (!this.#enabled) return counter;
    return (counter + BigInt(Math.floor((this.#clock.now() - startedAt) / NS_PER_TICK))) & MASK_64;
  }

  #read(offset: number): number {
    const state = this.#state;
    const half = (value: bigint): number => Number((offset & 4 ? value >> 32n : value) & 0xffffffffn);
    switch (offset) {
      case CAP_LOW:
        return CAPABILITIES >>> 0;
      case CAP_PERIOD:
        return PERIOD_FS;
      case CONFIG:
        return state.config;
      case STATUS:
        return state.status;
      case COUNTER_LOW:
      case COUNTER_HIGH:
        return half(this.#counter);
    }
    const timer = state.timers[Math.floor((offset - TIMER_BASE) / TIMER_STRIDE)];
    if (!timer) return 0;
    switch (offset & (TIMER_STRIDE - 1)) {
      case 0x00:
        return timer.config;
      case 0x04:
        return this.#routes;
      case 0x08:
      case 0x0c:
        return half(timer.comparator);
      default:
        return 0;
    }
  }

  #write(offset: number, value: number): void {
    const state = this.#state;
    switch (offset) {
      case CONFIG:
        this.#writeConfig(value);
        return;
      case STATUS:
        this.#clearStatus(value);
        return;
      case COUNTER_LOW:
      case COUNTER_HIGH:
        // Writing is defined while the counter stands.
        if (!this.#enabled) state.counter = withHalf(state.counter, offset, value);
        return;
    }
    const index = Math.floor((offset - TIMER_BASE) / TIMER_STRIDE);
    if (offset < TIMER_BASE || index >= TIMERS) return;
    switch (offset & (TIMER_STRIDE - 1)) {
      case 0x00:
        this.#writeTimerConfig(index, value);
        break;
      case 0x08:
      case 0x0c:
        this.#writeComparator(index, offset, value);
        break;
    }
  }

  #writeConfig(value: number): void {
    const state = this.#state;
    const now = this.#counter;
    const wasEnabled = this.#enabled;
    const wasLegacy = this.#legacy;
    // Lines that change their meaning are released first.
    const changed = (state.config ^ value) & (ENABLE_CNF | LEG_RT_CNF);
    if (changed) for (let i = 0; i < TIMERS; i++) this.#line(i)?.set(false);
    state.config = value & (ENABLE_CNF | LEG_RT_CNF);
    if (this.#enabled !== wasEnabled) {
      state.counter = now;
      state.startedAt = this.#clock.now();
    }
    if (this.#legacy !== wasLegacy) this.#options.legacyReplacement?.set(this.#legacy);
    for (let i = 0; i < TIMERS; i++) {
      this.#schedule(i, now);
      this.#drive(i);
    }
  }

  #clearStatus(value: number): void {
    for (let i = 0; i < TIMERS; i++) {
      if (((this.#state.status & value) >> i) & 1) {
        this.#state.status &= ~(1 << i);
        this.#drive(i);
      }
    }
  }

  #writeTimerConfig(index: number, value: number): void {
    const now = this.#counter;
    const timer = this.#state.timers[index];
    const before = timer.config;
    const writable = TIMER_WRITABLE | (before & PER_INT_CAP ? TYPE_PERIODIC : 0);
    const after = (before & ~writable) | (value & writable);
    if ((before ^ after) & (ROUTE | INT_TYPE_LEVEL | INT_ENB)) this.#line(index)?.set(false);
    timer.config = after;
    if (after & MODE_32) {
      timer.comparator &= 0xffffffffn;
      timer.period &= 0xffffffffn;
    }
    if (!(after & INT_TYPE_LEVEL)) this.#state.status &= ~(1 << index);
    this.#schedule(index, now);
    this.#drive(index);
  }

  /** A periodic timer's period is what is written; its next comparison too, when VAL_SET was set before. */
  #writeComparator(index: number, offset: number, value: number): void {
    const now = this.#counter;
    const timer = this.#state.timers[index];
    const narrow = (timer.config & MODE_32) !== 0;
    if (narrow && offset & 4) return;
    const periodic = (timer.config & TYPE_PERIODIC) !== 0;
    if (!periodic || timer.config & VAL_SET) timer.comparator = withHalf(timer.comparator, offset, value);
    if (periodic) timer.period = withHalf(timer.period, offset, value);
    if (narrow) timer.comparator &= 0xffffffffn;
    // A 64-bit value comes in two halves: VAL_SET holds for both.
    if (narrow || offset & 4) timer.config &= ~VAL_SET;
    this.#schedule(index, now);
  }

  /** Ticks from `now` until the counter reaches the comparator; a full turn when it is there already. */
  #ticksLeft(index: number, now: bigint): bigint {
    const { comparator, config } = this.#state.timers[index];
    const mask = config & MODE_32 ? 0xffffffffn : MASK_64;
    const left = (comparator - now) & mask;
    return left === 0n ? mask + 1n : left;
  }

  /**
   * Arms the clock for the next comparison after the counter was `now`: its value at the event that is being handled. The
   * counter goes on meanwhile, and may have passed the comparator when we get here.
   */
  #schedule(index: number, now: bigint): void {
    const { config } = this.#state.timers[index];
    if (!this.#enabled || !(config & INT_ENB)) {
      this.#timers[index].cancel();
      return;
    }
    const { counter, startedAt } = this.#state;
    const ticks = Number(((now - counter) & MASK_64) + this.#ticksLeft(index, now));
    const at = startedAt + ticks * NS_PER_TICK;
    if (at < Number.MAX_SAFE_INTEGER) this.#timers[index].arm(at);
    else this.#timers[index].cancel();
  }

  #expired(index: number): void {
    const now = this.#counter;
    const timer = this.#state.timers[index];
    if (timer.config & TYPE_PERIODIC && timer.period !== 0n) {
      const mask = timer.config & MODE_32 ? 0xffffffffn : MASK_64;
      const late = (now - timer.comparator) & mask;
      timer.comparator = (timer.comparator + timer.period * (late / timer.period + 1n)) & mask;
      this.#schedule(index, now);
      const earliest = this.#clock.now() + MIN_PERIOD;
      const { deadline } = this.#timers[index];
      if (deadline !== undefined && deadline < earliest) this.#timers[index].arm(earliest);
    } else {
      this.#schedule(index, now);
    }
    if (timer.config & INT_TYPE_LEVEL) {
      this.#state.status |= 1 << index;
      this.#drive(index);
    } else {
      const line = this.#line(index);
      if (line) pulse(line);
    }
  }

  /** Where a timer's interrupt goes; undefined where nothing is wired. */
  #line(index: number): IrqLine | undefined {
    if (this.#legacy && index < 2) return this.#options.legacyIrqs[index];
    const route = (this.#state.timers[index].config & ROUTE) >> 9;
    return (this.#routes >>> route) & 1 ? this.#options.ioapicPin(route) : undefined;
  }

  /** Puts the level of a level-triggered timer on its line. */
  #drive(index: number): void {
    const { config } = this.#state.timers[index];
    if ((config & INT_TYPE_LEVEL) === 0) return;
    const active = (this.#state.status >> index) & 1 && config & INT_ENB && this.#enabled;
    this.#line(index)?.set(Boolean(active));
  }
}

/** `whole` with the half that `offset` names replaced. */
function withHalf(whole: bigint, offset: number, value: number): bigint {
  return offset & 4 ? (whole & 0xffffffffn) | (BigInt(value) << 32n) : (whole & 0xffffffff00000000n) | BigInt(value);
}
