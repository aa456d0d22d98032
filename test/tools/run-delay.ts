/** What Linux tells about waiting for a CPU: `/proc/PID/task/TID/schedstat`. */

import { readdirSync, readFileSync } from "node:fs";

const NS_PER_MS = 1e6;

/** Milliseconds that the threads of a process, those that live, have been ready to run without a CPU. */
export function runDelay(pid: number): number {
  const threads = `/proc/${pid}/task`;
  return readdirSync(threads).reduce((sum, thread) => {
    try {
      return sum + Number(readFileSync(`${threads}/${thread}/schedstat`, "utf8").split(" ")[1]) / NS_PER_MS;
    } catch {
      // The thread has ended, or the kernel does not count.
      return sum;
    }
  }, 0);
}
