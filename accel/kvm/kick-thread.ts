/**
 * The program of the thread that gets a vCPU out of KVM_RUN when its doorbell rings: the vCPU's thread is in the kernel
 * then and cannot wait for the bell itself.
 */

import { workerData } from "node:worker_threads";
import { KvmLibrary } from "./libc.ts";

export interface KickThreadData {
  /** The guest's memory and the index of the doorbell's word in it. */
  readonly bell: SharedArrayBuffer;
  readonly index: number;
  /** One word: 1 while the vCPU is in KVM_RUN, or about to be. */
  readonly inKernel: SharedArrayBuffer;
  readonly threadId: number;
}

/** A ring that nobody has taken is looked at again after this time (ms). */
const AGAIN_MS = 1;

const { bell, index, inKernel, threadId } = workerData as KickThreadData;
const word = new Int32Array(bell, 0, bell.byteLength >>> 2);
const running = new Int32Array(inKernel);

async function run(): Promise<never> {
  const kick = (await KvmLibrary.load()).signaller(threadId);
  for (;;) {
    Atomics.wait(word, index, 0);
    if (Atomics.load(running, 0) !== 0) kick();
    // Until the vCPU's thread has taken the ring.
    Atomics.wait(word, index, 1, AGAIN_MS);
  }
}

void run();
