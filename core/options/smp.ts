/** -smp: the number of CPUs and how they lie in sockets. What is left out is found as QEMU 7.2 does: cores before sockets. */

import { type CpuTopology, ONE_CPU } from "../cpu-topology.ts";
import { QemuError } from "../errors.ts";
import { didYouMean } from "./near.ts";

export interface SmpOptions extends CpuTopology {
  readonly cpus: number;
}

export const ONE_CPU_SMP: SmpOptions = { cpus: 1, ...ONE_CPU };

const KEYS = ["cpus", "maxcpus", "sockets", "dies", "clusters", "cores", "threads"] as const;
type Counts = Readonly<Record<(typeof KEYS)[number], number>>;

/** The text of `-smp help`. */
export function smpHelp(): string {
  return `smp-opts options:\n${[...KEYS]
    .sort()
    .map((key) => `  ${key}=<num>\n`)
    .join("")}`;
}

function readCounts(record: Readonly<Record<string, string>>): Counts {
  for (const key of Object.keys(record)) {
    if (KEYS.some((known) => known === key)) continue;
    throw new QemuError("bad-option", `Parameter 'smp.${key}' is unexpected`, { hint: didYouMean(key, KEYS) });
  }
  const counts = KEYS.map((key): [string, number] => {
    const text = record[key] ?? "0";
    if (!/^-?(0x[0-9a-f]+|\d+)$/i.test(text))
      throw new QemuError("bad-option", `Parameter 'smp.${key}' expects integer`);
    const size = text.replace("-", "");
    const value = /^0[0-7]+$/.test(size) ? Number.parseInt(size, 8) : Number(size);
    return [key, text.startsWith("-") ? -value : value];
  });
  return Object.fromEntries(counts) as Counts;
}

/** Finds what is left out. `maxcpus` is the number of CPUs that the hierarchy has room for. */
function complete(given: Counts): SmpOptions & { readonly maxcpus: number } {
  const dies = given.dies || 1;
  let { cpus, maxcpus, sockets, cores, threads } = given;
  maxcpus ||= cpus;
  if (maxcpus === 0) {
    sockets ||= 1;
    cores ||= 1;
    threads ||= 1;
  } else if (cores === 0) {
    sockets ||= 1;
    threads ||= 1;
    cores = Math.trunc(maxcpus / (sockets * dies * threads));
  } else if (sockets === 0) {
    threads ||= 1;
    sockets = Math.trunc(maxcpus / (dies * cores * threads));
  }
  threads ||= Math.trunc(maxcpus / (sockets * dies * cores));
  maxcpus ||= sockets * dies * cores * threads;
  cpus ||= maxcpus;
  return { cpus, maxcpus, sockets, dies, cores, threads };
}

/** Reads the argument of -smp for a machine that takes at most `limit` CPUs; `warn` is told what is out of use. */
export function readSmp(
  record: Readonly<Record<string, string>>,
  machine: string,
  limit: number,
  warn: (message: string) => void,
): SmpOptions {
  const given = readCounts(record);
  if (KEYS.some((key) => record[key] !== undefined && given[key] === 0)) {
    warn("Deprecated CPU topology (considered invalid): CPU topology parameters must be greater than zero");
  }
  if (given.clusters > 1) {
    throw new QemuError("bad-option", "clusters not supported by this machine's CPU topology");
  }
  const { maxcpus, ...smp } = complete(given);
  const { cpus, sockets, dies, cores, threads } = smp;
  const hierarchy = `sockets (${sockets}) * dies (${dies}) * cores (${cores}) * threads (${threads})`;
  if (sockets * dies * cores * threads !== maxcpus) {
    throw new QemuError(
      "bad-option",
      `Invalid CPU topology: product of the hierarchy must match maxcpus: ${hierarchy} != maxcpus (${maxcpus})`,
    );
  }
  if (maxcpus < cpus) {
    throw new QemuError(
      "bad-option",
      `Invalid CPU topology: maxcpus must be equal to or greater than smp: ${hierarchy} == maxcpus (${maxcpus}) < smp_cpus (${cpus})`,
    );
  }
  if (maxcpus < 1 || maxcpus > limit) {
    throw new QemuError(
      "bad-option",
      `Invalid SMP CPUs ${maxcpus}. The max CPUs supported by machine '${machine}' is ${limit}`,
    );
  }
  if (Object.values(smp).some((count) => count < 1)) {
    throw new QemuError("bad-option", `Invalid CPU topology: ${hierarchy}: each must be greater than zero`);
  }
  if (maxcpus > cpus) {
    throw new QemuError("unsupported", "this version of qemu-next has no CPU hotplug (maxcpus above cpus)");
  }
  return smp;
}
