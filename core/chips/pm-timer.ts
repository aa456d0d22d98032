/** The ACPI power management timer: 24 bits at 3.579545 MHz, computed from the clock when it is read. */

import type { AccessSize, Bus } from "../bus/io.ts";
import type { Clock } from "../clock.ts";

const TICKS_PER_NS = 3_579_545 / 1e9;
/** TMROF_STS is set whenever bit 23 changes. */
const HALF = 2 ** 23;

/** Ticks since the clock started, not truncated. */
export function pmTicks(clock: Clock): number {
  return Math.floor(clock.now() * TICKS_PER_NS);
}

/** The register: 24 bits. */
export function readPmTimer(clock: Clock): number {
  return pmTicks(clock) % 2 ** 24;
}

/**
 * The ports of another thread, but for the PM timer's, which only needs the clock. `port` is where it is now, or 0; the
 * guest moves it with the rest of the power management function, which is not shared.
 */
export function withPmTimer(bus: Bus, clock: Clock, port: () => number): Bus {
  const isTimer = (address: number, size: AccessSize): boolean => size === 4 && address !== 0 && address === port();
  return {
    read: (address, size) => (isTimer(address, size) ? readPmTimer(clock) : bus.read(address, size)),
    write: (address, value, size) => bus.write(address, value, size),
  };
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
