/** The local APIC: its saved form, and how the monitor shows it. */

import { array, bool, defineState, f64, type State, u8, u32, u64 } from "../state/state.ts";
import { hasVector, highestVector, type VectorSet } from "./vectors.ts";

/** Entries of the local vector table, in register order from 320h on. */
const LVT_COUNT = 6;
const BASE_EXTD = 1 << 10;
const BASE_ENABLE = 1 << 11;
const LVT_MASKED = 1 << 16;
const SVR_ENABLE = 0x100;

export const APIC_STATE = defineState(
  "apic",
  1,
  {
    /** IA32_APIC_BASE. */
    base: f64,
    /** The ID register in xAPIC mode, bits 31 to 24 of it. */
    id: u8,
    tpr: u8,
    ldr: u8,
    dfr: u8,
    svr: u32,
    esr: u8,
    /** Errors since ESR was last written. */
    errors: u8,
    icrLow: u32,
    icrHigh: u32,
    lvt: array(u32, LVT_COUNT),
    irr: array(u32, 8),
    isr: array(u32, 8),
    tmr: array(u32, 8),
    /** Levels on LINT0 and LINT1. */
    lint: array(u8, 2),
    /** An ExtINT message arrived; the 8259 has the vector. */
    extInt: bool,
  },
  { unsaved: { intr: bool } },
);

export type ApicState = State<typeof APIC_STATE>;

export const APIC_TIMER_STATE = defineState("apic-timer", 1, {
  initialCount: u32,
  divideConfig: u8,
  /** When the initial count was loaded, in ns. */
  loadedAt: f64,
  /** The next interrupt, in ns; 0 when none is pending. */
  deadline: f64,
  tscDeadline: u64,
});

export type ApicTimerState = State<typeof APIC_TIMER_STATE>;

export interface ApicTimerCounts {
  readonly divideConfig: number;
  readonly initialCount: number;
  readonly currentCount: number;
}

/** The processor priority register: the higher of TPR and the class in service. */
export function processorPriority({ tpr, isr }: ApicState): number {
  const serving = highestVector(isr);
  return serving >> 4 > tpr >> 4 ? serving & 0xf0 : tpr;
}

/** `info lapic`. */
export function describeLocalApic(id: number, s: ApicState, timer: ApicTimerCounts): string {
  const hex = (value: number, digits = 8): string => `0x${value.toString(16).padStart(digits, "0")}`;
  const vectors = (set: VectorSet): string => {
    const list = Array.from({ length: 256 }, (_, v) => v).filter((v) => hasVector(set, v));
    return list.length === 0 ? "(none)" : list.join(" ");
  };
  const names = ["LVTT", "LVTTHMR", "LVTPC", "LVT0", "LVT1", "LVTERR"];
  const mode = s.base & BASE_ENABLE ? (s.base & BASE_EXTD ? "x2APIC" : "xAPIC") : "disabled";
  const { divideConfig, initialCount, currentCount } = timer;
  const priority = hex(processorPriority(s), 2);
  return [
    `dumping local APIC state for CPU ${id}`,
    "",
    `BASE\t ${hex(s.base)} ${mode}`,
    ...names.map((name, i) => `${name}\t ${hex(s.lvt[i])}${s.lvt[i] & LVT_MASKED ? " masked" : ""}`),
    `Timer\t DCR=${hex(divideConfig, 1)} initial_count = ${initialCount} current_count = ${currentCount}`,
    `SPIV\t ${hex(s.svr)} APIC ${s.svr & SVR_ENABLE ? "enabled" : "disabled"}, spurious vec ${s.svr & 0xff}`,
    `ICR\t ${hex(s.icrLow)}`,
    `ICR2\t ${hex(s.icrHigh)}`,
    `ESR\t ${hex(s.esr)}`,
    `ISR\t ${vectors(s.isr)}`,
    `IRR\t ${vectors(s.irr)}`,
    "",
    `APR ${priority} TPR ${hex(s.tpr, 2)} DFR ${hex(s.dfr >> 4, 1)} LDR ${hex(s.ldr, 2)} PPR ${priority}`,
    "",
  ].join("\n");
}
