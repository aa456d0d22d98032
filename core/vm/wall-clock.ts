/** The clock that the guest's real-time clock follows, as -rtc says. */

import { type Clock, NS_PER_MS, type WallClock } from "../clock.ts";
import type { MachineOptions } from "../options/machine-options.ts";

/** The moment a machine started, for all its threads: wall clock and monotonic clock of the host, in milliseconds. */
export interface StartTime {
  readonly wall: number;
  readonly monotonic: number;
}

export function startTime(): StartTime {
  return { wall: Date.now(), monotonic: monotonicMs() };
}

/** The same in all threads, unlike performance.now(). */
function monotonicMs(): number {
  const [seconds, ns] = process.hrtime();
  return seconds * 1000 + Math.floor(ns / NS_PER_MS);
}

/**
 * base=utc and localtime start from the host's time, a date from that date (milliseconds since 1970). clock=host follows
 * the host's clock even while the machine is stopped; rt does so from the moment of the start, vm stands still with the
 * machine.
 */
export function wallClock(
  { base, clock }: MachineOptions["rtc"],
  virtual: Clock,
  { wall: started, monotonic }: StartTime,
  now = Date.now,
): WallClock {
  const offset =
    base === "utc" ? 0 : base === "localtime" ? -new Date(started).getTimezoneOffset() * 60_000 : base - started;
  if (clock === "vm") return { nowMs: () => started + offset + Math.floor(virtual.now() / NS_PER_MS) };
  if (clock === "rt") return { nowMs: () => started + offset + monotonicMs() - monotonic };
  return { nowMs: () => now() + offset };
}
