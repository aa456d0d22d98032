/**
 * The program of the thread that gets a vCPU out of KVM_RUN when its doorbell rings: the vCPU's thread is in the kernel
 * then and cannot wait for the bell itself.
 */

import { workerData } from "node:worker_threads";
import { KvmLibrary } from "./libc.ts";
import { FAILED, IN_KERNEL } from "./threads.ts";

export interface KickThreadData {
  /** The guest's memory and the index of the doorbell's word in it. */
  readonly bell: SharedArrayBuffer;
  readonly index: number;
  /** Two words: see threads.ts. */
  readonly shared: SharedArrayBuffer;
  readonly threadId: number;
}

/** A ring that nobody has taken is looked at again after this time (ms). */
const AGAIN_MS = 1;

const { bell, index, shared, threadId } = workerData as KickThreadData;
const word = new Int32Array(bell, 0, bell.byteLength >>> 2);
const state = new Int32Array(shared);

async function run(): Promise<never> {
  const kick = (await KvmLibrary.load()).signaller(threadId);
  for (;;) {
    Atomics.wait(word, index, 0);
    if (Atomics.load(state, IN_KERNEL) !== 0) kick();
    // Until the vCPU's thread has taken the ring.
    Atomics.wait(word, index, 1, AGAIN_MS);
  }
}

run().catch(() => Atomics.store(state, FAILED, 1));
