/** What Linux tells about a process: its CPU time and its memory. */

import { readFileSync } from "node:fs";

const TICKS_PER_SECOND = 100;

/** CPU seconds a process has used, in user and kernel mode, all its threads. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

interface Mapping {
  readonly sizeKib: number;
  readonly residentKib: number;
}

/** The mappings of a `/proc/PID/smaps`. */
export function parseMappings(text: string): Mapping[] {
  return [...text.matchAll(/^Size:\s+(\d+) kB\n(?:.*\n)*?Rss:\s+(\d+) kB$/gm)].map(([, size, resident]) => ({
    sizeKib: Number(size),
    residentKib: Number(resident),
  }));
}

/**
 * MiB of memory that a process keeps above the guest's RAM, all of which the guest should have touched before. RAM is
 * the fullest mapping that could hold it, and what that one keeps beyond RAM counts.
 */
export function memoryAbove(mappings: readonly Mapping[], ramMib: number): number {
  const resident = mappings.reduce((sum, { residentKib }) => sum + residentKib, 0);
  const ram = Math.max(0, ...mappings.filter(({ sizeKib }) => sizeKib >= ramMib * 1024).map((m) => m.residentKib));
  return (resident - Math.min(ram, ramMib * 1024)) / 1024;
}

export function memoryOf(pid: number, ramMib: number): number {
  return memoryAbove(parseMappings(readFileSync(`/proc/${pid}/smaps`, "utf8")), ramMib);
}
