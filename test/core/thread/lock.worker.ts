/**
 * A thread of lock.test.ts. `count`: adds to a plain word under the lock. `ring`: takes its own lock, waits until everybody
 * has one, then wants the next one's; posts whether it got it.
 */

import { parentPort, workerData } from "node:worker_threads";
import { Lock } from "../../../core/thread/lock.ts";

export type LockTask =
  | { readonly kind: "count"; readonly rounds: number }
  | { readonly kind: "ring"; readonly index: number; readonly count: number }
  | { readonly kind: "release" };

/** Words of the buffer after the locks: the counter, and how many have their first lock. */
export const COUNTER = 64;
export const READY = 65;

export function perform(buffer: SharedArrayBuffer, task: LockTask): unknown {
  const words = new Int32Array(buffer);
  const lock = (index: number): Lock => new Lock(buffer, index * Lock.LOCK_SIZE);
  const meet = (count: number): void => {
    Atomics.add(words, READY, 1);
    Atomics.notify(words, READY);
    for (let ready = Atomics.load(words, READY); ready < count; ready = Atomics.load(words, READY)) {
      Atomics.wait(words, READY, ready);
    }
  };
  switch (task.kind) {
    case "count": {
      const one = lock(0);
      meet(2);
      for (let i = 0; i < task.rounds; i++) {
        one.run(() => {
          const before = words[COUNTER];
          one.run(() => {});
          words[COUNTER] = before + 1;
        });
      }
      return undefined;
    }
    case "ring": {
      const own = lock(task.index);
      const next = lock((task.index + 1) % task.count);
      own.acquire();
      meet(task.count);
      const got = next.acquire();
      if (got) next.release();
      own.release();
      return got;
    }
    case "release":
      try {
        lock(0).release();
        return "released";
      } catch (error) {
        return (error as Error).message;
      }
  }
}

if (parentPort) {
  const { buffer, task } = workerData as { buffer: SharedArrayBuffer; task: LockTask };
  parentPort.postMessage(perform(buffer, task));
}
