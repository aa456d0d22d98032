/** The 8254: its saved form and its clock. All times are CLK ticks since the start of the virtual clock. */

import { NS_PER_SECOND } from "../clock.ts";
import { bool, defineState, f64, group, type State, u8, u16, u32 } from "../state/state.ts";

const COUNTER_FIELDS = {
  mode: u8,
  bcd: bool,
  /** RW1 and RW0 of the control word: 1 least significant byte, 2 most significant byte, 3 both. */
  rw: u8,
  gate: bool,
  /** First byte of a two-byte count, and whether the second is awaited. */
  low: u8,
  writeHigh: bool,
  readHigh: bool,
  /** The count register: 1 to 65536. */
  reload: u32,
  /** A count was written since the control word. */
  armed: bool,
  /** A count was loaded into the counting element, or will be at `start`. */
  counting: bool,
  start: f64,
  /** The count that was loaded at `start`. */
  period: u32,
  paused: f64,
  /** Modes 2 and 3: a new count takes over at this tick; 0 is none. */
  switchAt: f64,
  /** Counting element and OUT before anything is loaded. */
  held: u32,
  heldOut: bool,
  /** The null count flag of the status byte is set before this tick. */
  nullUntil: f64,
  countLatch: u16,
  /** Bytes of the latched count still to be read. */
  countLatched: u8,
  statusLatch: u8,
  statusLatched: bool,
};

/** CLK of the counters in Hz. */
export const PIT_FREQUENCY = 1_193_182;

export const I8254_STATE = defineState("i8254", 1, {
  counter: group(3, COUNTER_FIELDS),
  /** Tick of the next rising edge of counter 0, or 0. */
  edge: f64,
});

export type CounterState = State<typeof I8254_STATE>["counter"][number];

/** Ticks of CLK that are over after `ns` nanoseconds; exact. */
export function ticksAt(ns: number): number {
  const seconds = Math.floor(ns / NS_PER_SECOND);
  return seconds * PIT_FREQUENCY + Math.floor(((ns - seconds * NS_PER_SECOND) * PIT_FREQUENCY) / NS_PER_SECOND);
}

/** The first whole nanosecond at which `ticks` ticks are over. */
export function timeOfTick(ticks: number): number {
  const seconds = Math.floor(ticks / PIT_FREQUENCY);
  return seconds * NS_PER_SECOND + Math.ceil(((ticks - seconds * PIT_FREQUENCY) * NS_PER_SECOND) / PIT_FREQUENCY);
}
