/** What Linux tells about waiting for a CPU: `/proc/PID/task/TID/schedstat`, and `/proc/stat` of a virtual machine's. */

import { readdirSync, readFileSync } from "node:fs";

const NS_PER_MS = 1e6;
/** Of the times in /proc/stat. */
const MS_PER_TICK = 10;
const STEAL_FIELD = 8;

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

/** Milliseconds that this host's CPUs, where it is a virtual machine, have been ready to run without a CPU of its host. */
export function stolenTime(): number {
  const [total] = readFileSync("/proc/stat", "utf8").split("\n", 1);
  return Number(total.split(/\s+/)[STEAL_FIELD]) * MS_PER_TICK;
}
