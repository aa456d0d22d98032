/** The 8259A pair: its saved form, and how the monitor shows it. */

import { bool, defineState, group, type State, u8 } from "../state/state.ts";

export const I8259_STATE = defineState("i8259", 1, {
  chip: group(2, {
    irr: u8,
    imr: u8,
    isr: u8,
    /** Levels of the inputs. */
    lines: u8,
    elcr: u8,
    /** ICW2: vector of IR0. */
    base: u8,
    /** Level of the INT output. */
    int: bool,
    /** The next ICW that a write to A0 = 1 is (2 to 4), or 0 for OCW1. */
    icw: u8,
    icw1: u8,
    icw4: u8,
    /** The input of highest priority, 0 to 7. */
    top: u8,
    rotateOnAeoi: bool,
    specialMask: bool,
    readIsr: bool,
    poll: bool,
  }),
});

/** One of the two, the master first. */
export type PicState = State<typeof I8259_STATE>["chip"][number];

const ICW4_SFNM = 0b1_0000;

/** `info pic`. */
export function describePics(chips: readonly PicState[]): string {
  const hex = (value: number): string => value.toString(16).padStart(2, "0");
  const line = (chip: PicState, i: number): string =>
    `pic${i}: irr=${hex(chip.irr)} imr=${hex(chip.imr)} isr=${hex(chip.isr)} hprio=${chip.top} ` +
    `irq_base=${hex(chip.base)} rr_sel=${Number(chip.readIsr)} elcr=${hex(chip.elcr)} ` +
    `fnm=${chip.icw4 & ICW4_SFNM ? 1 : 0}\n`;
  return chips.map(line).join("");
}
