/** The I/O APIC: its saved form, and how the monitor shows it. */

import { array, defineState, type State, u8, u32 } from "../state/state.ts";

export const IOAPIC_PINS = 24;

export const IOAPIC_STATE = defineState("ioapic", 1, {
  id: u8,
  ioregsel: u8,
  /** Levels on the pins, one bit each. */
  levels: u32,
  low: array(u32, IOAPIC_PINS),
  high: array(u32, IOAPIC_PINS),
});

export type IoApicState = State<typeof IOAPIC_STATE>;

export const IOAPIC_VERSION = 0x20;

// Redirection table entry, low half.
export const IOAPIC_ENTRY = {
  DESTMOD: 1 << 11,
  REMOTE_IRR: 1 << 14,
  TRIGGER_LEVEL: 1 << 15,
  MASKED: 1 << 16,
} as const;
const { DESTMOD, REMOTE_IRR, TRIGGER_LEVEL, MASKED } = IOAPIC_ENTRY;

/** `info pic`. */
export function describeIoApic({ id, ioregsel, low, high, levels }: IoApicState): string {
  const modes = ["fixed", "lowest", "SMI", "...", "NMI", "INIT", "...", "extINT"];
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");
  const lines = [`ioapic0: ver=0x${hex(IOAPIC_VERSION, 2)} id=0x${hex(id, 2)} sel=0x${hex(ioregsel, 2)}`];
  for (let pin = 0; pin < IOAPIC_PINS; pin++) {
    const entry = low[pin];
    lines.push(
      [
        `  pin ${String(pin).padEnd(2)} 0x${hex(high[pin], 8)}${hex(entry, 8)}`,
        `dest=${high[pin] >>> 24}`,
        `vec=${entry & 0xff}`,
        entry & 0x2000 ? "active-lo" : "active-hi",
        entry & TRIGGER_LEVEL ? "level" : "edge",
        entry & MASKED ? "masked" : "",
        modes[(entry >> 8) & 7],
        entry & DESTMOD ? "logical" : "physical",
        entry & REMOTE_IRR ? "remote" : "",
      ].join(" "),
    );
  }
  const bits = (set: number): string =>
    Array.from({ length: IOAPIC_PINS }, (_, i) => i)
      .filter((i) => (set >>> i) & 1)
      .join(" ") || "(none)";
  lines.push(`  levels   ${bits(levels)}`);
  return lines.join("\n");
}
