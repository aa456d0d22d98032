/**
 * Ends threads by force, and the process in spite of threads that nothing ends: V8 looks whether it is to stop where
 * functions begin and loops repeat, but optimized code leaves that out of a loop that calls nothing but V8's own functions.
 */

import type { Worker } from "node:worker_threads";
import { loadCLibrary } from "../ffi.ts";

/** A thread that is in the kernel comes out of it within a second. */
const PATIENCE_MS = 2000;

let stuck = false;

/** Resolves when the thread has ended, or cannot be ended. */
export async function endThread(worker: Worker): Promise<void> {
  const end = worker.terminate();
  if (stuck) return;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<true>((resolve) => {
    timer = setTimeout(() => resolve(true), PATIENCE_MS);
  });
  if (await Promise.race([end.then(() => false), late])) stuck = true;
  clearTimeout(timer);
}

/** Ends the process at once when a thread could not be ended: Node would wait for it. */
export async function leaveStuckThreads(status: number): Promise<void> {
  if (!stuck) return;
  try {
    (await loadCLibrary()).function("void _exit(int status)")(status);
  } catch {
    // An executable of few parts has no foreign functions.
    process.kill(process.pid, "SIGKILL");
  }
}
