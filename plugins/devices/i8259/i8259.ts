/**
 * The two 8259A interrupt controllers of a PC: master at ports 0x20 and 0x21, slave at 0xa0 and 0xa1, cascaded on IR2,
 * with the edge/level control registers of the PCI chip sets at 0x4d0 and 0x4d1.
 *
 * Data sheets: Intel 231468 (8259A); 290550 (PIIX3) section 2.5 for ELCR, which replaces ICW1's LTIM bit.
 *
 * Invariants:
 *  1. `lines` holds the level of each input; IRR of a level-triggered input, and of the cascade, follows it.
 *  2. The master's IR2 is the slave's INT output; the INTR line is the master's.
 *
 * DEVIATION: an edge stays latched in IRR until it is acknowledged, even if the input falls before. The chip drops it and
 * answers with a default IR7; no software wants that, and devices may signal an edge as a pulse without a width.
 * DEVIATION: always 8086 mode (ICW4 bit 0); buffered mode has no meaning here. ICW3 is accepted and wired to IR2.
 */

import type { InterruptController } from "../../../core/board.ts";
import type { IoRegion } from "../../../core/bus/io.ts";
import { describePics, I8259_STATE, type PicState } from "../../../core/chips/i8259.ts";
import type { Device } from "../../../core/device.ts";
import { type IrqLine, irqLine } from "../../../core/irq.ts";
import type { StateArena } from "../../../core/state/state.ts";
import {
  ELCR_WRITABLE,
  ICW1_IC4,
  ICW1_SELECT,
  ICW1_SNGL,
  ICW4_AEOI,
  ICW4_SFNM,
  OCW2_EOI,
  OCW2_EOI_SPECIFIC,
  OCW2_ROTATE_AEOI_CLEAR,
  OCW2_ROTATE_AEOI_SET,
  OCW2_ROTATE_EOI,
  OCW2_ROTATE_EOI_SPECIFIC,
  OCW2_SET_PRIORITY,
  OCW3_ESMM,
  OCW3_P,
  OCW3_RIS,
  OCW3_RR,
  OCW3_SELECT,
  OCW3_SMM,
  POLL_INTERRUPT,
} from "./regs.ts";

type Chip = PicState;

const CASCADE = 2;
const CASCADE_BIT = 1 << CASCADE;
const DEFAULT_IR = 7;

export interface I8259Options {
  readonly name: string;
  readonly arena: StateArena;
  /** The CPU's INTR. */
  readonly intr: IrqLine;
}

export class I8259 implements Device, InterruptController {
  readonly masterIo: IoRegion;
  readonly slaveIo: IoRegion;
  /** ELCR1 and ELCR2. */
  readonly elcrIo: IoRegion;
  readonly #master: Chip;
  readonly #slave: Chip;
  readonly #intr: IrqLine;
  readonly #inputs: readonly IrqLine[];

  constructor({ name, arena, intr }: I8259Options) {
    const state = arena.attach(name, I8259_STATE);
    [this.#master, this.#slave] = state.chip;
    this.#intr = intr;
    this.#inputs = Array.from({ length: 16 }, (_, line) => irqLine((level) => this.#input(line, level)));
    this.masterIo = this.#ports("pic", this.#master);
    this.slaveIo = this.#ports("pic", this.#slave);
    this.elcrIo = {
      name: "elcr",
      length: 2,
      max: 1,
      handler: {
        read: (offset) => state.chip[offset].elcr,
        write: (offset, value) => this.#writeElcr(state.chip[offset], value & ELCR_WRITABLE[offset]),
      },
    };
  }

  irq(line: number): IrqLine {
    return this.#inputs[line];
  }

  /** Both INTA cycles. Without a request the master answers with its default IR7, the slave with its own. */
  acknowledge(): number {
    const master = this.#master;
    const request = pending(master);
    let vector = master.base + (request < 0 ? DEFAULT_IR : request);
    if (request >= 0) accept(master, request);
    if (request === CASCADE && !(master.icw1 & ICW1_SNGL)) {
      const slave = this.#slave;
      const second = pending(slave);
      vector = slave.base + (second < 0 ? DEFAULT_IR : second);
      if (second >= 0) accept(slave, second);
      // INT falls with INTA, so that a further request of the slave makes a new edge on IR2.
      this.#setCascade(false);
      this.#update(slave);
    }
    this.#update(master);
    return vector & 0xff;
  }

  describe(): string {
    return describePics([this.#master, this.#slave]);
  }

  /** The inputs keep their levels: they belong to the devices that drive them. */
  reset(): void {
    for (const chip of [this.#slave, this.#master]) {
      chip.elcr = 0;
      chip.base = 0;
      this.#initialize(chip, 0);
      chip.icw = 0;
    }
  }

  loaded(): void {
    for (const chip of [this.#slave, this.#master]) chip.int = pending(chip) >= 0;
    this.#intr.set(this.#master.int);
  }

  #ports(name: string, chip: Chip): IoRegion {
    return {
      name,
      length: 2,
      max: 1,
      handler: {
        read: (offset) => this.#read(chip, offset),
        write: (offset, value) => {
          if (offset === 1) this.#writeData(chip, value);
          else if (value & ICW1_SELECT) this.#initialize(chip, value);
          else if (value & OCW3_SELECT) this.#writeOcw3(chip, value);
          else this.#writeOcw2(chip, value);
        },
      },
    };
  }

  #read(chip: Chip, offset: number): number {
    if (chip.poll) {
      chip.poll = false;
      const request = pending(chip);
      if (request < 0) return 0;
      accept(chip, request);
      if (chip === this.#slave) this.#setCascade(false);
      this.#update(chip);
      return POLL_INTERRUPT | request;
    }
    if (offset === 1) return chip.imr;
    return chip.readIsr ? chip.isr : chip.irr;
  }

  /** ICW1: clears the edge sense, the mask, the priorities and the modes; ICW2 to ICW4 follow at A0 = 1. */
  #initialize(chip: Chip, icw1: number): void {
    chip.icw1 = icw1;
    chip.icw = 2;
    chip.icw4 = 0;
    chip.irr = chip.lines & followers(chip, chip === this.#master);
    chip.isr = 0;
    chip.imr = 0;
    chip.top = 0;
    chip.rotateOnAeoi = false;
    chip.specialMask = false;
    chip.readIsr = false;
    chip.poll = false;
    this.#update(chip);
  }

  #writeData(chip: Chip, value: number): void {
    switch (chip.icw) {
      case 2:
        chip.base = value & 0xf8;
        chip.icw = chip.icw1 & ICW1_SNGL ? (chip.icw1 & ICW1_IC4 ? 4 : 0) : 3;
        return;
      case 3:
        chip.icw = chip.icw1 & ICW1_IC4 ? 4 : 0;
        return;
      case 4:
        chip.icw4 = value;
        chip.icw = 0;
        return;
      default:
        chip.imr = value;
        this.#update(chip);
    }
  }

  #writeOcw2(chip: Chip, value: number): void {
    const level = value & 7;
    switch (value >> 5) {
      case OCW2_ROTATE_AEOI_CLEAR:
        chip.rotateOnAeoi = false;
        return;
      case OCW2_ROTATE_AEOI_SET:
        chip.rotateOnAeoi = true;
        return;
      case OCW2_EOI:
        this.#endOfInterrupt(chip, highest(chip.top, inService(chip)), false);
        return;
      case OCW2_ROTATE_EOI:
        this.#endOfInterrupt(chip, highest(chip.top, inService(chip)), true);
        return;
      case OCW2_EOI_SPECIFIC:
        this.#endOfInterrupt(chip, level, false);
        return;
      case OCW2_ROTATE_EOI_SPECIFIC:
        this.#endOfInterrupt(chip, level, true);
        return;
      case OCW2_SET_PRIORITY:
        chip.top = (level + 1) & 7;
        this.#update(chip);
    }
  }

  #endOfInterrupt(chip: Chip, level: number, rotate: boolean): void {
    if (level < 0) return;
    chip.isr &= ~(1 << level);
    if (rotate) chip.top = (level + 1) & 7;
    this.#update(chip);
  }

  #writeOcw3(chip: Chip, value: number): void {
    if (value & OCW3_P) chip.poll = true;
    if (value & OCW3_RR) chip.readIsr = (value & OCW3_RIS) !== 0;
    if (value & OCW3_ESMM) {
      chip.specialMask = (value & OCW3_SMM) !== 0;
      this.#update(chip);
    }
  }

  #writeElcr(chip: Chip, value: number): void {
    const changed = chip.elcr ^ value;
    chip.elcr = value;
    chip.irr = (chip.irr & ~(changed & value)) | (chip.lines & changed & value);
    this.#update(chip);
  }

  #input(line: number, level: boolean): void {
    const chip = line < 8 ? this.#master : this.#slave;
    if (sense(chip, 1 << (line & 7), level, chip.elcr)) this.#update(chip);
  }

  #setCascade(level: boolean): void {
    this.#slave.int = level;
    sense(this.#master, CASCADE_BIT, level, CASCADE_BIT);
  }

  /** Drives INT of a chip from its registers, and through the cascade the master's. */
  #update(chip: Chip): void {
    const int = pending(chip) >= 0;
    if (int === chip.int) return;
    if (chip === this.#master) {
      chip.int = int;
      this.#intr.set(int);
    } else {
      this.#setCascade(int);
      this.#update(this.#master);
    }
  }
}

/** Inputs whose request lasts as long as their level. */
function followers(chip: Chip, isMaster: boolean): number {
  return isMaster ? chip.elcr | CASCADE_BIT : chip.elcr;
}

/** An input changes; `following` has its bit set when IRR follows the level. Returns whether anything changed. */
function sense(chip: Chip, bit: number, level: boolean, following: number): boolean {
  if (((chip.lines & bit) !== 0) === level) return false;
  if (level) {
    chip.lines |= bit;
    chip.irr |= bit;
  } else {
    chip.lines &= ~bit;
    if (following & bit) chip.irr &= ~bit;
  }
  return true;
}

/** The member of `set` with the highest priority when input `top` comes first, or -1. */
function highest(top: number, set: number): number {
  for (let i = 0; i < 8; i++) {
    const input = (top + i) & 7;
    if (set & (1 << input)) return input;
  }
  return -1;
}

/** Levels in service that count: in special mask mode a masked one neither blocks others nor is ended unnamed. */
function inService(chip: Chip): number {
  return chip.specialMask ? chip.isr & ~chip.imr : chip.isr;
}

/** The request that the chip would put through now, or -1: one of higher priority than all in service. */
function pending(chip: Chip): number {
  const requests = chip.irr & ~chip.imr;
  if (requests === 0) return -1;
  let service = inService(chip);
  const request = highest(chip.top, requests);
  if (chip.icw4 & ICW4_SFNM && request === CASCADE) service &= ~CASCADE_BIT;
  if (service === 0) return request;
  const current = highest(chip.top, service);
  return ((request - chip.top) & 7) < ((current - chip.top) & 7) ? request : -1;
}

/** INTA for `request`: it moves from IRR to ISR, or is ended at once in automatic EOI mode. */
function accept(chip: Chip, request: number): void {
  const bit = 1 << request;
  if (chip.icw4 & ICW4_AEOI) {
    if (chip.rotateOnAeoi) chip.top = (request + 1) & 7;
  } else {
    chip.isr |= bit;
  }
  if (!(chip.elcr & bit)) chip.irr &= ~bit;
}
