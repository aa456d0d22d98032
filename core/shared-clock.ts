/**
 * The virtual clock of a machine with several threads. Each thread has a `SharedClock` over one table in the arena, and
 * creates the same timers in the same order. A timer has a home: the thread that it fires in (0 is the machine's thread, i
 * that of CPU i). Any thread may arm and cancel it; when that makes a deadline earlier than what its home thread knows of,
 * that thread is woken.
 *
 * Invariants:
 *  1. Deadlines are read and written under the table's lock, which is the last one that any thread takes.
 *  2. A timer with a device's lock is armed, cancelled, found due and fired under that, so that none fires after it was
 *     cancelled.
 *  3. Whether the clock runs, and from where, is written by the machine's thread alone, between an odd and an even sequence
 *     number.
 */

import { type Clock, type MachineClock, NS_PER_SECOND, type Timer } from "./clock.ts";
import { QemuError } from "./errors.ts";
import { array, bool, defineState, f64, i32, type State, type StateArena, u8 } from "./state/state.ts";
import { Lock } from "./thread/lock.ts";

const MAX_TIMERS = 1024;
/** The machine's thread, and one for each CPU from 1 on. */
const MAX_HOMES = 256;

const SHARED_CLOCK_STATE = defineState(
  "clock",
  1,
  {},
  {
    unsaved: {
      sequence: array(i32, 1),
      running: bool,
      /** Time while it stands, and what it is counted from while it runs. */
      base: f64,
      /** The host's time when it was started: seconds and nanoseconds. */
      startedSeconds: f64,
      startedNs: f64,
      armed: array(u8, MAX_TIMERS),
      deadlines: array(f64, MAX_TIMERS),
      /** By home: changes to its timers so far, and the deadline that its thread knows of or is being woken for. */
      changes: array(i32, MAX_HOMES),
      known: array(f64, MAX_HOMES),
    },
  },
);

/** The host's monotonic time, the same in all threads: [seconds, nanoseconds]. */
export type HostTime = () => readonly [number, number];

export interface SharedClockOptions {
  readonly arena: StateArena;
  /** The thread this is: 0 for the machine's. */
  readonly home: number;
  /** Makes another thread look at its timers: rings its doorbell. */
  wake(home: number): void;
  readonly hostTime?: HostTime;
}

interface Slot {
  readonly name: string;
  readonly home: number;
  readonly fire: () => void;
  readonly lock: Lock | undefined;
}

export class SharedClock implements MachineClock {
  readonly #home: number;
  readonly #wake: (home: number) => void;
  readonly #hostTime: HostTime;
  readonly #s: State<typeof SHARED_CLOCK_STATE>;
  readonly #lock: Lock;
  readonly #slots: Slot[] = [];
  /** What this thread has read at `#sequence`. */
  #sequence = -1;
  #running = false;
  #base = 0;
  #startedSeconds = 0;
  #startedNs = 0;
  #changes = -1;
  #next: number | undefined;

  constructor({ arena, home, wake, hostTime = process.hrtime }: SharedClockOptions) {
    this.#home = home;
    this.#wake = wake;
    this.#hostTime = hostTime;
    this.#s = arena.attach("clock", SHARED_CLOCK_STATE);
    this.#lock = Lock.attach(arena, "clock/lock");
  }

  /** Nanoseconds, whole. */
  now(): number {
    if (Atomics.load(this.#s.sequence, 0) !== this.#sequence) this.#read();
    if (!this.#running) return this.#base;
    const [seconds, ns] = this.#hostTime();
    return this.#base + (seconds - this.#startedSeconds) * NS_PER_SECOND + (ns - this.#startedNs);
  }

  get running(): boolean {
    return this.#s.running;
  }

  start(): void {
    if (!this.running) this.#write(true, this.now());
  }

  stop(): void {
    if (this.running) this.#write(false, this.now());
  }

  set(ns: number): void {
    this.#write(this.running, ns);
  }

  timer(name: string, fire: () => void, lock?: Lock): Timer {
    return this.#timer(this.#slots.length, { name, home: 0, fire, lock });
  }

  /** The same clock, but for its timers: they fire in the thread of CPU `home`. */
  at(home: number): Clock {
    return {
      now: () => this.now(),
      poll: () => this.poll(),
      nextDeadline: () => this.nextDeadline(),
      timer: (name, fire, lock) => this.#timer(this.#slots.length, { name, home, fire, lock }),
    };
  }

  /** The earliest deadline of this thread's timers. */
  nextDeadline(): number | undefined {
    if (Atomics.load(this.#s.changes, this.#home) !== this.#changes) this.#lock.run(() => this.#scan());
    return this.#next;
  }

  /** Fires those of this thread's timers that are due. */
  poll(): void {
    const next = this.nextDeadline();
    if (next === undefined) return;
    const now = this.now();
    if (next > now) return;
    const { armed, deadlines } = this.#s;
    const due = this.#lock.run(() =>
      this.#slots.flatMap(({ home }, slot) =>
        home === this.#home && armed[slot] && deadlines[slot] <= now ? [{ slot, deadline: deadlines[slot] }] : [],
      ),
    );
    due.sort((a, b) => a.deadline - b.deadline);
    for (const { slot } of due) this.#fire(slot, now);
  }

  pending(): { name: string; deadline: number }[] {
    const { armed, deadlines } = this.#s;
    return this.#lock.run(() =>
      this.#slots.flatMap(({ name }, slot) => (armed[slot] ? [{ name, deadline: deadlines[slot] }] : [])),
    );
  }

  #timer(slot: number, options: Slot): Timer {
    if (slot >= MAX_TIMERS) throw new QemuError("clock-timers", `more than ${MAX_TIMERS} timers: '${options.name}'`);
    this.#slots.push(options);
    const { armed, deadlines } = this.#s;
    const { home } = options;
    return {
      arm: (deadline) => this.#arm(slot, home, deadline),
      cancel: () => {
        if (armed[slot]) this.#lock.run(() => this.#disarm(slot, home));
      },
      // Nobody else changes it while the device's lock is held.
      get deadline() {
        return armed[slot] ? deadlines[slot] : undefined;
      },
    };
  }

  #arm(slot: number, home: number, deadline: number): void {
    const { armed, deadlines, changes, known } = this.#s;
    const wakes = this.#lock.run(() => {
      armed[slot] = 1;
      deadlines[slot] = deadline;
      Atomics.add(changes, home, 1);
      if (home === this.#home || deadline >= known[home]) return false;
      known[home] = deadline;
      return true;
    });
    if (wakes) this.#wake(home);
  }

  #disarm(slot: number, home: number): void {
    this.#s.armed[slot] = 0;
    Atomics.add(this.#s.changes, home, 1);
  }

  /** Fires a timer, unless somebody has cancelled it or put it off meanwhile. */
  #fire(slot: number, now: number): void {
    const { home, fire, lock } = this.#slots[slot];
    if (lock && !lock.acquire()) return;
    try {
      const due = this.#lock.run(() => {
        if (!this.#s.armed[slot] || this.#s.deadlines[slot] > now) return false;
        this.#disarm(slot, home);
        return true;
      });
      if (due) fire();
    } finally {
      lock?.release();
    }
  }

  #scan(): void {
    const { armed, deadlines, changes, known } = this.#s;
    this.#changes = Atomics.load(changes, this.#home);
    let next = Number.POSITIVE_INFINITY;
    this.#slots.forEach(({ home }, slot) => {
      if (home === this.#home && armed[slot] && deadlines[slot] < next) next = deadlines[slot];
    });
    known[this.#home] = next;
    this.#next = next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  #read(): void {
    const { sequence } = this.#s;
    do {
      do this.#sequence = Atomics.load(sequence, 0);
      while (this.#sequence & 1);
      this.#running = this.#s.running;
      this.#base = this.#s.base;
      this.#startedSeconds = this.#s.startedSeconds;
      this.#startedNs = this.#s.startedNs;
    } while (Atomics.load(sequence, 0) !== this.#sequence);
  }

  #write(running: boolean, base: number): void {
    const state = this.#s;
    const [seconds, ns] = this.#hostTime();
    Atomics.add(state.sequence, 0, 1);
    state.running = running;
    state.base = base;
    state.startedSeconds = seconds;
    state.startedNs = ns;
    Atomics.add(state.sequence, 0, 1);
  }
}
