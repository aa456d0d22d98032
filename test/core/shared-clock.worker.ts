/** The other thread of shared-clock.test.ts: arms a timer of the first one again and again, each time once it has fired. */

import { workerData } from "node:worker_threads";
import { SharedClock } from "../../core/shared-clock.ts";
import { StateArena } from "../../core/state/state.ts";
import { Doorbell } from "../../core/thread/doorbell.ts";
import { Lock } from "../../core/thread/lock.ts";

/** Words of the buffer that both threads know. */
export const BELL = 0;
export const FIRED = 4;
export const ARENA = 64;

export interface ArmTask {
  readonly buffer: SharedArrayBuffer;
  readonly rounds: number;
}

export function shareClock(buffer: SharedArrayBuffer, home: number, fire: () => void) {
  const arena = new StateArena(buffer, ARENA);
  const bell = new Doorbell(buffer, BELL);
  const clock = new SharedClock({ arena, home, wake: () => bell.ring() });
  const lock = Lock.attach(arena, "device/lock");
  return { bell, clock, lock, timer: clock.timer("device.timer", fire, lock) };
}

if (workerData) {
  const { buffer, rounds } = workerData as ArmTask;
  const words = new Int32Array(buffer);
  const { clock, lock, timer } = shareClock(buffer, 1, () => {});
  for (let i = 0; i < rounds; i++) {
    // What is cancelled before the lock is free cannot fire, even though the other thread has found it due.
    lock.run(() => {
      timer.arm(clock.now());
      timer.cancel();
    });
    const before = Atomics.load(words, FIRED / 4);
    lock.run(() => timer.arm(clock.now() + (i % 3) * 100_000));
    while (Atomics.load(words, FIRED / 4) === before) Atomics.wait(words, FIRED / 4, before);
  }
}
