/**
 * Time as devices see it. The virtual clock counts nanoseconds of guest time as a JavaScript number (exact to 2^53 ns,
 * 104 days) and stands still while the machine is stopped. Timers fire in the thread that runs the machine.
 *
 * Deadlines are kept in whole nanoseconds. A timer callback may arm its own timer again.
 */

import type { Lock } from "./thread/lock.ts";

export const NS_PER_SECOND = 1_000_000_000;
export const NS_PER_MS = 1_000_000;
export const NS_PER_US = 1_000;

export interface Timer {
  /** Fires once at `deadline` (ns on the clock). A deadline in the past fires at the next opportunity. */
  arm(deadline: number): void;
  cancel(): void;
  /** The pending deadline in ns, or undefined. */
  readonly deadline: number | undefined;
}

export interface Clock {
  /** Nanoseconds since the machine was started. */
  now(): number;
  /**
   * Fires what is due. Timers otherwise fire between two slices of guest code; whoever passes a guest's write on to a
   * device calls this first, so that a device never sees a register change before the expiry that came earlier.
   */
  poll(): void;
  /** The earliest pending deadline in ns, or undefined. */
  nextDeadline(): number | undefined;
  /**
   * Makes a timer; `name` appears in diagnostics and in saved state ("i8254.channel0"). Where other threads may arm or
   * cancel it, they hold `lock` meanwhile; it is held too while it is found due and fires.
   */
  timer(name: string, fire: () => void, lock?: Lock): Timer;
}

/** A clock as the machine's thread drives it. */
export interface MachineClock extends Clock {
  readonly running: boolean;
  start(): void;
  /** Time stands still until `start`. */
  stop(): void;
  /** Sets the clock, after loading a saved machine. */
  set(ns: number): void;
  /** Name and deadline of each pending timer, for diagnostics. */
  pending(): { name: string; deadline: number }[];
}

/** The host's wall clock, for the RTC: milliseconds since 1970-01-01 UTC. */
export interface WallClock {
  nowMs(): number;
}

class QueueTimer implements Timer {
  deadline: number | undefined;
  readonly name: string;
  readonly fire: () => void;
  readonly #changed: () => void;

  constructor(name: string, fire: () => void, changed: () => void) {
    this.name = name;
    this.fire = fire;
    this.#changed = changed;
  }

  arm(deadline: number): void {
    this.deadline = deadline;
    this.#changed();
  }

  cancel(): void {
    this.deadline = undefined;
    this.#changed();
  }
}

/** The timers of one clock. A machine has a few dozen of them, so a scan beats a heap. */
export abstract class TimerQueue implements Clock {
  readonly #timers: QueueTimer[] = [];
  #next: number | undefined;
  #stale = false;

  abstract now(): number;

  timer(name: string, fire: () => void): Timer {
    const timer = new QueueTimer(name, fire, () => {
      this.#stale = true;
    });
    this.#timers.push(timer);
    return timer;
  }

  /** The earliest pending deadline in ns, or undefined. */
  nextDeadline(): number | undefined {
    if (this.#stale) {
      this.#stale = false;
      this.#next = undefined;
      for (const { deadline } of this.#timers) {
        if (deadline !== undefined && (this.#next === undefined || deadline < this.#next)) this.#next = deadline;
      }
    }
    return this.#next;
  }

  poll(): void {
    const next = this.nextDeadline();
    if (next === undefined) return;
    const now = this.now();
    if (next <= now) this.fireDue(now);
  }

  /** Fires every timer due at `now`, earliest first; one that keeps arming itself in the past fires once per call. */
  fireDue(now: number): void {
    let due: QueueTimer[] | undefined;
    for (const timer of this.#timers) {
      if (timer.deadline !== undefined && timer.deadline <= now) (due ??= []).push(timer);
    }
    if (!due) return;
    due.sort((a, b) => a.deadline! - b.deadline!);
    for (const timer of due) {
      if (timer.deadline === undefined || timer.deadline > now) continue;
      timer.cancel();
      timer.fire();
    }
  }

  pending(): { name: string; deadline: number }[] {
    return this.#timers.flatMap(({ name, deadline }) => (deadline === undefined ? [] : [{ name, deadline }]));
  }
}

/** A clock that moves only when told to: unit tests, and machines without a running vCPU. */
export class ManualClock extends TimerQueue {
  #now = 0;

  now(): number {
    return this.#now;
  }

  /** Moves on by `ns`, firing each timer at its own deadline on the way. */
  advance(ns: number): void {
    const target = this.#now + ns;
    for (let next = this.nextDeadline(); next !== undefined && next <= target; next = this.nextDeadline()) {
      this.#now = Math.max(this.#now, next);
      this.fireDue(this.#now);
    }
    this.#now = target;
  }
}

/** The virtual clock of a running machine: follows the host's monotonic clock, and stops with the machine. */
export class HostClock extends TimerQueue implements MachineClock {
  #base = 0;
  #startedAt: number | undefined;

  /** Nanoseconds, whole. */
  now(): number {
    return this.#startedAt === undefined ? this.#base : this.#base + hostNs() - this.#startedAt;
  }

  get running(): boolean {
    return this.#startedAt !== undefined;
  }

  start(): void {
    this.#startedAt ??= hostNs();
  }

  stop(): void {
    this.#base = this.now();
    this.#startedAt = undefined;
  }

  set(ns: number): void {
    this.#base = ns;
    if (this.#startedAt !== undefined) this.#startedAt = hostNs();
  }
}

/** Read once: the global is a getter of Node's, which takes nearly as long as reading the time. */
const { performance } = globalThis;

function hostNs(): number {
  return Math.floor(performance.now() * NS_PER_MS);
}
