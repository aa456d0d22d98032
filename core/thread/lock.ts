/**
 * A recursive lock between the threads of a machine, on four words of shared memory:
 *
 *     word 0   0 free, 1 held, 2 held and somebody may wait (Atomics.wait sleeps while it is 2)
 *     word 1   the owner: its worker_threads threadId + 1, or 0
 *     word 2   how often the owner has acquired it again
 *     word 3   the lock that the owner waits for itself: its first word's index + 1, or 0
 *
 * Word 3 is how a deadlock is found: a thread that is about to sleep writes the lock it waits for into every lock it
 * holds, then follows these words from the lock it wants. When they lead to a lock of its own, everybody on the way waits
 * for everybody else, and `acquire` answers false instead of waiting. A device that reaches another one's registers by DMA
 * can bring that about when a guest wants it to; who asked for the access then treats it as one that nobody answers.
 * Both of two threads may find the cycle and give up.
 *
 * Invariants:
 *  1. Only the owner writes words 1 to 3, and they are 0 while the lock is free. Word 0 orders them; that a thread reads
 *     its own number in word 1 without being the owner cannot happen.
 *  2. An edge is written before the walk that looks for a cycle, so the last thread to close one sees it; whoever waits
 *     looks again from time to time all the same.
 */

import { threadId } from "node:worker_threads";
import { QemuError } from "../errors.ts";
import { array, defineState, i32, type StateArena } from "../state/state.ts";

const STATE = 0;
const OWNER = 1;
const DEPTH = 2;
const WAITS_FOR = 3;

const FREE = 0;
const HELD = 1;
const CONTENDED = 2;

const ME = threadId + 1;
/** Device models hold a lock for less than a microsecond: looking again is cheaper than sleeping. */
const SPINS = 100;
const LOOK_AGAIN_MS = 10;
/** Locks on a way from thread to thread; a longer one goes round in circles that this thread has no part in. */
const MAX_PATH = 64;

/** What this thread holds, in the order of acquisition. */
const held: Lock[] = [];

/** The words of a lock in a machine's arena. Nothing of it is saved. */
const LOCK_STATE = defineState("lock", 1, {}, { unsaved: { words: array(i32, 4) } });

export class Lock {
  /** Bytes of a lock. Its address is a multiple of 4. */
  static readonly LOCK_SIZE = 16;
  readonly buffer: SharedArrayBuffer;
  readonly address: number;
  readonly #words: Int32Array;
  readonly #index: number;

  constructor(buffer: SharedArrayBuffer, address: number) {
    this.buffer = buffer;
    this.address = address;
    this.#words = new Int32Array(buffer, 0, Math.floor(buffer.byteLength / 4));
    this.#index = address >>> 2;
  }

  /** A lock in a machine's arena: the same one in every thread that attaches the same things in the same order. */
  static attach(arena: StateArena, name: string): Lock {
    const { words } = arena.attach(name, LOCK_STATE);
    return new Lock(words.buffer as SharedArrayBuffer, words.byteOffset);
  }

  /**
   * Waits until this thread holds the lock. False when that would never be: the owner waits, perhaps through others, for
   * a lock that this thread holds.
   */
  acquire(): boolean {
    const words = this.#words;
    const index = this.#index;
    if (Atomics.compareExchange(words, index + STATE, FREE, HELD) !== FREE) {
      if (words[index + OWNER] === ME) {
        words[index + DEPTH]++;
        return true;
      }
      if (!this.#spin() && !this.#wait()) return false;
    }
    words[index + OWNER] = ME;
    held.push(this);
    return true;
  }

  /** @throws QemuError when this thread does not hold it. */
  release(): void {
    const words = this.#words;
    const index = this.#index;
    if (words[index + OWNER] !== ME) {
      throw new QemuError("lock-owner", `a thread released the lock at ${this.address}, which it does not hold`);
    }
    if (words[index + DEPTH] > 0) {
      words[index + DEPTH]--;
      return;
    }
    if (held.at(-1) === this) held.pop();
    else this.#forget();
    words[index + OWNER] = 0;
    if (Atomics.exchange(words, index + STATE, FREE) === CONTENDED) Atomics.notify(words, index + STATE, 1);
  }

  /**
   * Calls `f` with the lock held.
   * @throws QemuError where waiting would be a deadlock.
   */
  run<T>(f: () => T): T {
    if (!this.acquire()) throw new QemuError("deadlock", `waiting for the lock at ${this.address} would never end`);
    try {
      return f();
    } finally {
      this.release();
    }
  }

  /** Whether this thread holds it. */
  get mine(): boolean {
    return Atomics.load(this.#words, this.#index + OWNER) === ME;
  }

  /** Takes a lock off the list that was not acquired last, or through another object. */
  #forget(): void {
    const at = held.findLastIndex(({ buffer, address }) => buffer === this.buffer && address === this.address);
    held.splice(at, 1);
  }

  #spin(): boolean {
    const at = this.#index + STATE;
    for (let i = 0; i < SPINS; i++) {
      if (Atomics.load(this.#words, at) === FREE && Atomics.compareExchange(this.#words, at, FREE, HELD) === FREE) {
        return true;
      }
    }
    return false;
  }

  #wait(): boolean {
    const words = this.#words;
    const at = this.#index + STATE;
    this.#announce(this.#index + 1);
    try {
      // Whoever sleeps marks the lock as contended again: the last sleeper is not known.
      while (Atomics.exchange(words, at, CONTENDED) !== FREE) {
        if (this.#wouldDeadlock()) return false;
        Atomics.wait(words, at, CONTENDED, LOOK_AGAIN_MS);
      }
      return true;
    } finally {
      this.#announce(0);
    }
  }

  /** Tells in all locks of this thread what it waits for. */
  #announce(waitsFor: number): void {
    for (const lock of held) {
      if (lock.buffer === this.buffer) Atomics.store(lock.#words, lock.#index + WAITS_FOR, waitsFor);
    }
  }

  /**
   * Follows who waits for what from here. While that is read, threads off the cycle go on; so what was found is read once
   * more from its end: a thread that waits for one that is known to stand still stands still as well.
   */
  #wouldDeadlock(): boolean {
    const words = this.#words;
    const path: number[] = [];
    let lock = this.#index;
    while (Atomics.load(words, lock + OWNER) !== ME) {
      path.push(lock);
      const next = Atomics.load(words, lock + WAITS_FOR);
      if (next === 0 || path.length === MAX_PATH) return false;
      lock = next - 1;
    }
    for (const before of path.reverse()) {
      if (Atomics.load(words, before + WAITS_FOR) !== lock + 1) return false;
      lock = before;
    }
    return path.length > 0;
  }
}
