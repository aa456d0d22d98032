/**
 * The program of the thread that gets a vCPU out of KVM_RUN when its doorbell rings: the vCPU's thread is in the kernel
 * then and cannot wait for the bell itself.
 */

import { parentPort, workerData } from "node:worker_threads";
import { KvmLibrary } from "./libc.ts";
import { FAILED, IN_KERNEL, KICKED, WORDS_SIZE } from "./words.ts";

export interface KickThreadData {
  /** The guest's memory, and the addresses of the doorbell and the vCPU's words (words.ts) in it. */
  readonly memory: SharedArrayBuffer;
  readonly bell: number;
  readonly words: number;
  readonly threadId: number;
}

/** A ring that nobody has taken is looked at again after this time (ms). */
const AGAIN_MS = 1;

const { memory, bell, words, threadId } = workerData as KickThreadData;
const rung = new Int32Array(memory, bell, 1);
const state = new Int32Array(memory, words, WORDS_SIZE / 4);

async function run(): Promise<never> {
  const kick = (await KvmLibrary.load()).signaller(threadId);
  parentPort!.postMessage("loaded");
  for (;;) {
    Atomics.wait(rung, 0, 0);
    // The vCPU's thread may have taken it on another way out of the kernel, and be back there.
    if (Atomics.load(rung, 0) === 0) continue;
    if (Atomics.load(state, IN_KERNEL) !== 0) kick();
    // Until the vCPU's thread has taken the ring.
    Atomics.store(state, KICKED, 1);
    Atomics.wait(rung, 0, 1, AGAIN_MS);
    Atomics.store(state, KICKED, 0);
  }
}

run().catch(() => Atomics.store(state, FAILED, 1));
