/** The ACPI power management timer: 24 bits at 3.579545 MHz, computed from the clock when it is read. */

import type { Clock } from "../../../core/clock.ts";

const TICKS_PER_NS = 3_579_545 / 1e9;
/** TMROF_STS is set whenever bit 23 changes. */
const HALF = 2 ** 23;

/** Ticks since the clock started, not truncated. */
export function pmTicks(clock: Clock): number {
  return Math.floor(clock.now() * TICKS_PER_NS);
}

/** The tick after `ticks` at which bit 23 changes next. */
export function nextOverflow(ticks: number): number {
  return (Math.floor(ticks / HALF) + 1) * HALF;
}

/** The first nanosecond at which `pmTicks` has reached `ticks`. */
export function nsOfTick(ticks: number): number {
  let ns = Math.ceil(ticks / TICKS_PER_NS);
  while (Math.floor(ns * TICKS_PER_NS) < ticks) ns++;
  return ns;
}
