/**
 * The local APIC's timer (SDM volume 3, section 12.5.4): one-shot and periodic counting of the bus clock, and the TSC
 * deadline. The count is computed from the clock when it is read.
 *
 * The bus clock runs at 1 GHz, so that one undivided tick is one nanosecond.
 */

import { APIC_TIMER_STATE } from "../../../core/chips/apic.ts";
import type { Clock, Timer } from "../../../core/clock.ts";
import type { State, StateArena } from "../../../core/state/state.ts";
import { LVT_TIMER_MODE, LVT_TIMER_PERIODIC, LVT_TIMER_TSC_DEADLINE } from "./regs.ts";

/**
 * DEVIATION: a periodic timer interrupts at most once in this many ns, so that a guest cannot keep the host busy with
 * timer events alone.
 */
const MIN_PERIOD = 20_000;

export class ApicTimer {
  readonly #state: State<typeof APIC_TIMER_STATE>;
  readonly #clock: Clock;
  readonly #timer: Timer;
  readonly #fire: () => void;
  readonly #mode: () => number;
  readonly #tscToNs: ((tsc: bigint) => number) | undefined;

  /** `mode` gives the timer mode bits of the local vector table; `tscToNs` the time at which the TSC has a value. */
  constructor(
    options: { name: string; arena: StateArena; clock: Clock; tscToNs?: (tsc: bigint) => number },
    mode: () => number,
    fire: () => void,
  ) {
    this.#state = options.arena.attach(options.name, APIC_TIMER_STATE);
    this.#clock = options.clock;
    this.#tscToNs = options.tscToNs;
    this.#mode = mode;
    this.#fire = fire;
    this.#timer = options.clock.timer(options.name, () => this.#expired());
  }

  get initialCount(): number {
    return this.#state.initialCount;
  }

  /** Starts counting, or stops with 0. Has no effect in TSC deadline mode. */
  load(count: number): void {
    if (this.#mode() === LVT_TIMER_TSC_DEADLINE) return;
    this.#state.initialCount = count;
    this.#state.loadedAt = this.#clock.now();
    this.#schedule(count === 0 ? 0 : this.#state.loadedAt + count * this.#divisor);
  }

  get currentCount(): number {
    const { initialCount, loadedAt } = this.#state;
    if (initialCount === 0 || this.#mode() === LVT_TIMER_TSC_DEADLINE) return 0;
    const ticks = Math.floor((this.#clock.now() - loadedAt) / this.#divisor);
    if (this.#mode() === LVT_TIMER_PERIODIC) return initialCount - (ticks % initialCount);
    return Math.max(0, initialCount - ticks);
  }

  get divideConfig(): number {
    return this.#state.divideConfig;
  }

  /** Changes the divider; the count goes on from where it is. */
  set divideConfig(value: number) {
    const count = this.currentCount;
    const before = this.#divisor;
    this.#state.divideConfig = value & 0b1011;
    if (this.#divisor === before || count === 0) return;
    this.#state.loadedAt = this.#clock.now() - (this.#state.initialCount - count) * this.#divisor;
    if (this.#state.deadline !== 0) this.#schedule(this.#clock.now() + count * this.#divisor);
  }

  /** The mode in the local vector table changed: going to or from the TSC deadline stops the timer. */
  modeChanged(before: number): void {
    const after = this.#mode();
    if (before === after) return;
    if (before === LVT_TIMER_TSC_DEADLINE || after === LVT_TIMER_TSC_DEADLINE) {
      this.#state.initialCount = 0;
      this.#state.tscDeadline = 0n;
      this.#schedule(0);
    } else if (after === LVT_TIMER_PERIODIC && this.#state.deadline === 0 && this.#state.initialCount !== 0) {
      this.#schedule(this.#nextPeriod());
    }
  }

  get tscDeadline(): bigint {
    return this.#state.tscDeadline;
  }

  set tscDeadline(value: bigint) {
    if (this.#mode() !== LVT_TIMER_TSC_DEADLINE || !this.#tscToNs) return;
    this.#state.tscDeadline = value;
    const at = value === 0n ? 0 : Math.max(1, this.#tscToNs(value));
    this.#schedule(Math.min(at, Number.MAX_SAFE_INTEGER));
  }

  reset(): void {
    const state = this.#state;
    state.initialCount = state.divideConfig = state.loadedAt = 0;
    state.tscDeadline = 0n;
    this.#schedule(0);
  }

  loaded(): void {
    this.#schedule(this.#state.deadline);
  }

  get #divisor(): number {
    const { divideConfig } = this.#state;
    return 1 << (((((divideConfig >> 1) & 4) | (divideConfig & 3)) + 1) & 7);
  }

  #schedule(deadline: number): void {
    this.#state.deadline = deadline;
    if (deadline === 0) this.#timer.cancel();
    else this.#timer.arm(deadline);
  }

  #nextPeriod(): number {
    const { initialCount, loadedAt } = this.#state;
    const period = initialCount * this.#divisor;
    const now = this.#clock.now();
    const next = loadedAt + (Math.floor((now - loadedAt) / period) + 1) * period;
    return Math.max(next, now + MIN_PERIOD);
  }

  #expired(): void {
    const mode = this.#mode();
    if (mode === LVT_TIMER_PERIODIC && this.#state.initialCount !== 0) this.#schedule(this.#nextPeriod());
    else this.#schedule(0);
    if (mode === LVT_TIMER_TSC_DEADLINE) this.#state.tscDeadline = 0n;
    this.#fire();
  }
}

/** The mode bits of a timer entry. */
export function timerMode(lvt: number): number {
  return lvt & LVT_TIMER_MODE;
}
