/** What a guest of the bench is: rows to measure, and one run of it on one emulator. */

import type { Progress } from "../tools/debian.ts";
import type { Emulator } from "./emulators.ts";
import type { Unit } from "./results.ts";
import { type Command, type Watched, type WatchOptions, watch } from "./watch.ts";

export interface Measured {
  readonly row: string;
  readonly unit: Unit;
  readonly value?: number;
  readonly check?: string;
  /** Why there is no value. */
  readonly error?: string;
}

export interface Context {
  /** A path for a file that goes when the bench ends. */
  readonly path: (name: string) => string;
  readonly progress: Progress;
}

export type Run = (emulator: Emulator) => Promise<Measured[]>;

export interface Guest {
  /** The letter that selects it. */
  readonly id: string;
  readonly title: string;
  /** It runs on v86 too. */
  readonly onV86: boolean;
  /** It runs on the executable too: what it measures is not the same there. */
  readonly onExecutable?: boolean;
  /** It runs under KVM too, where the host has it. */
  readonly onKvm?: boolean;
  /** Fetches and builds what the guest needs. */
  prepare(context: Context): Promise<Run>;
}

/** Why a guest did not get as far as it should. */
function reason({ problem, status, lastWord }: Watched): string {
  if (problem !== undefined) return problem;
  return `ended with status ${status}${lastWord ? `: ${lastWord}` : ""}`;
}

/** Times between the marks of a run: a row for each name, as far as the guest came. */
export function timesOf(watched: Watched, rows: readonly string[]): Measured[] {
  return rows.map((row): Measured => {
    const find = (kind: string) => watched.marks.find((mark) => mark.kind === kind && mark.name === row);
    const [at, begin, end] = [find("at"), find("begin"), find("end")];
    if (at) return { row, unit: "s", value: at.at };
    if (begin && end) return { row, unit: "s", value: end.at - begin.at, check: end.check };
    return { row, unit: "s", error: reason(watched) };
  });
}

/** The time of the whole run, if it ended by itself with this exit status. */
export function totalOf(watched: Watched, row: string, expected: number): Measured {
  const good = watched.problem === undefined && watched.status === expected;
  return good ? { row, unit: "s", value: watched.seconds } : { row, unit: "s", error: reason(watched) };
}

/** Runs a guest that measures nothing but times between marks. */
export async function timed(command: Command, rows: readonly string[], options: WatchOptions): Promise<Measured[]> {
  return timesOf(await watch(command, options), rows);
}
