/** The local APIC: its saved form, and how the monitor shows it. */

import { array, bool, defineState, f64, type State, u8, u32, u64 } from "../state/state.ts";
import { hasVector, highestVector, type VectorSet } from "./vectors.ts";

/** Entries of the local vector table, in register order from 320h on. */
const LVT_COUNT = 6;
const BASE_EXTD = 1 << 10;
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

const DELIVERY_NAMES = ["Fixed", "LowPri", "SMI", "...", "NMI", "INIT", "SIPI", "ExtINT"];
const SHORTHANDS = ["no-shorthand", "self", "all-self", "all"];
const TIMER_MODES = ["one-shot", "periodic", "tsc-deadline", "..."];
/** Delivery modes that come with a vector. */
const WITH_VECTOR = [0, 1, 7];

const hex = (value: number, digits = 8): string => `0x${value.toString(16).padStart(digits, "0")}`;

function describeLvt(name: string, entry: number): string {
  const bit = (at: number): boolean => ((entry >>> at) & 1) !== 0;
  const mode = (entry >> 8) & 7;
  const words = [
    bit(13) ? "active-lo" : "active-hi",
    (bit(15) ? "level" : "edge").padEnd(5),
    (bit(16) ? "masked" : "").padEnd(6),
    (bit(12) ? "pending" : "").padEnd(7),
    (name === "LVTT" ? TIMER_MODES[(entry >> 17) & 3] : "").padEnd(12),
    DELIVERY_NAMES[mode].padEnd(6),
  ];
  const vector = WITH_VECTOR.includes(mode) ? ` (vec ${entry & 0xff})` : "";
  return `${name}\t ${hex(entry)} ${words.join(" ")}${vector}`;
}

function describeIcr({ base, dfr, icrLow, icrHigh }: ApicState): string[] {
  const bit = (at: number): boolean => ((icrLow >>> at) & 1) !== 0;
  const shorthand = (icrLow >> 18) & 3;
  const words = [bit(11) ? "logical" : "physical", bit(15) ? "level" : "edge", bit(14) ? "assert" : "de-assert"];
  const to = icrHigh >>> 24;
  let destination = "";
  if (shorthand === 0) {
    if (base & BASE_EXTD) destination = ` ${hex(icrHigh).slice(2)} (x2APIC ID)`;
    else if (!bit(11)) destination = ` cpu ${to} (APIC ID)`;
    else if (dfr >> 4 === 0xf) destination = ` mask ${hex(to).slice(2)} (APIC ID)`;
    else destination = ` cluster ${to >> 4} mask ${hex(to & 0xf, 2)} (APIC ID)`;
  }
  return [`ICR\t ${hex(icrLow)} ${words.join(" ")} ${SHORTHANDS[shorthand]}`, `ICR2\t ${hex(icrHigh)}${destination}`];
}

function describeVectors(name: string, set: VectorSet, tmr: VectorSet): string {
  const vectors = Array.from({ length: 256 }, (_, v) => v).filter((v) => hasVector(set, v));
  const shown = vectors.map((v) => `${v} ${hasVector(tmr, v) ? "(level) " : ""}`).join("");
  return `${name}\t ${shown === "" ? "(none)" : shown}`;
}

/** `info lapic`, as QEMU prints it. */
export function describeLocalApic(id: number, s: ApicState, timer: ApicTimerCounts): string {
  const [lvtt, thermal, counters, lint0, lint1, error] = s.lvt;
  const { divideConfig, initialCount, currentCount } = timer;
  const divisor = 1 << (((((divideConfig >> 1) & 4) | (divideConfig & 3)) + 1) & 7);
  const enabled = s.svr & SVR_ENABLE ? "enabled" : "disabled";
  return [
    `dumping local APIC state for CPU ${id} `,
    "",
    describeLvt("LVT0", lint0),
    describeLvt("LVT1", lint1),
    describeLvt("LVTPC", counters),
    describeLvt("LVTERR", error),
    describeLvt("LVTTHMR", thermal),
    describeLvt("LVTT", lvtt),
    `Timer\t DCR=${hex(divideConfig, 1)} (divide by ${divisor}) initial_count = ${initialCount} current_count = ${currentCount}`,
    `SPIV\t ${hex(s.svr)} APIC ${enabled}, focus=${s.svr & 0x200 ? "on" : "off"}, spurious vec ${s.svr & 0xff}`,
    ...describeIcr(s),
    `ESR\t ${hex(s.esr)}`,
    describeVectors("ISR", s.isr, s.tmr),
    describeVectors("IRR", s.irr, s.tmr),
    "",
    `APR ${hex(id, 2)} TPR ${hex(s.tpr, 2)} DFR ${hex(s.dfr >> 4, 2)} LDR ${hex(s.ldr, 2)} PPR ${hex(processorPriority(s), 2)}`,
    "",
  ].join("\n");
}
