/**
 * PIIX3 ISA bridge (82371SB function 0, Intel 290550): PCI interrupt routing and the reset control register. The ISA
 * devices behind it are devices of their own; ELCR belongs to the interrupt controllers.
 *
 * Invariant: an ISA interrupt line is driven here only while a PIRQ is, or was, routed to it; its level is the OR of all
 * PIRQs routed to it.
 */

import type { InterruptRouter } from "../../../core/board.ts";
import type { AccessSize, IoRegion } from "../../../core/bus/io.ts";
import {
  PCI_COMMAND,
  PCI_HEADER_TYPE,
  PCI_STATUS,
  PciDevice,
  type PciIrqRouting,
  QEMU_SUBSYSTEM,
} from "../../../core/bus/pci.ts";
import type { Device } from "../../../core/device.ts";
import { type IrqLine, irqLine } from "../../../core/irq.ts";
import { defineState, type State, type StateArena, u8, u16 } from "../../../core/state/state.ts";

export const PIIX3_STATE = defineState("PIIX3", 1, {
  /** Levels on PIRQA# to PIRQD#, one bit each. */
  pirq: u8,
  /** Levels driven on the ISA interrupt lines. */
  driven: u16,
  rcr: u8,
});

/** PIRQRC[A:D]: PIRQx route control. */
const PIRQRCA = 0x60;
const PIRQRCD = 0x63;
const PIRQ_DISABLE = 0x80;
/** IRQ 0, 1, 2, 8 and 13 are reserved. */
const ROUTABLE = 0b1101_1110_1111_1000;

const RCR_SRST = 0b010;
const RCR_RCPU = 0b100;

/** Defaults after reset of the registers that have one other than zero (section 2.2). */
const DEFAULTS: readonly (readonly [register: number, value: number])[] = [
  [0x4c, 0x4d],
  [0x4e, 0x03],
  [0x60, PIRQ_DISABLE],
  [0x61, PIRQ_DISABLE],
  [0x62, PIRQ_DISABLE],
  [0x63, PIRQ_DISABLE],
  [0x69, 0x02],
  [0x70, 0x80],
  [0x76, 0x0c],
  [0x77, 0x0c],
  [0x78, 0x02],
  [0xa0, 0x08],
];

/** Registers that hold what is written to them and do nothing else here: [register, writable bits]. */
const STORED: readonly (readonly [register: number, mask: number])[] = [
  [0x4c, 0xff],
  [0x4e, 0xff],
  [0x4f, 0x01],
  [0x69, 0xfe],
  [0x6a, 0xff],
  [0x70, 0xff],
  [0x76, 0x8f],
  [0x77, 0x8f],
  [0x78, 0xff],
  [0x79, 0xff],
  [0x80, 0x7f],
  [0x82, 0x0f],
  [0xa0, 0xff],
  [0xa2, 0xff],
];

export interface Piix3Options {
  readonly name: string;
  readonly arena: StateArena;
  /** ISA interrupt request line 0 to 15. */
  readonly isaIrq: (line: number) => IrqLine;
  /** The guest asked for a reset through port CF9h. */
  readonly reset: () => void;
}

/** Which PIRQ (0 is PIRQA#) pin 1 to 4 of a slot on the main board is wired to. */
export function pirqOfPin(devfn: number, pin: number): number {
  return ((devfn >> 3) + pin - 2) & 3;
}

export class Piix3 extends PciDevice implements Device, InterruptRouter {
  /** Reset control register, port CF9h. */
  readonly resetControl: IoRegion;
  /** How this bridge wires the slots of its bus. */
  readonly routing: PciIrqRouting;
  readonly #state: State<typeof PIIX3_STATE>;
  readonly #lines: readonly IrqLine[];

  constructor(options: Piix3Options) {
    super(options, { vendorId: 0x8086, deviceId: 0x7000, classCode: 0x0601, ...QEMU_SUBSYSTEM });
    this.#state = options.arena.attach(options.name, PIIX3_STATE);
    this.#lines = Array.from({ length: 16 }, (_, line) => options.isaIrq(line));
    this.routing = {
      input: pirqOfPin,
      inputs: [0, 1, 2, 3].map((index) => irqLine((level) => this.#setPirq(index, level))),
    };
    this.resetControl = {
      name: "piix3-reset-control",
      length: 1,
      handler: {
        read: () => this.#state.rcr,
        write: (_offset, value) => {
          this.#state.rcr = value & RCR_SRST;
          if (value & RCR_RCPU) options.reset();
        },
      },
    };
    for (const [register, mask] of STORED) this.writable[register] = mask;
    for (let i = PIRQRCA; i <= PIRQRCD; i++) this.writable[i] = 0x8f;
    this.writable[PCI_COMMAND] = 0;
    this.#initRegisters();
  }

  reset(): void {
    this.resetConfig();
    this.#initRegisters();
    this.#state.pirq = 0;
    this.#state.rcr = 0;
    this.#route();
  }

  loaded(): void {
    this.updateMappings();
    for (const [line, irq] of this.#lines.entries()) irq.set(((this.#state.driven >> line) & 1) !== 0);
  }

  override configWrite(offset: number, value: number, size: AccessSize): void {
    super.configWrite(offset, value, size);
    if (offset <= PIRQRCD && offset + size > PIRQRCA) this.#route();
  }

  /** The ISA interrupt that PIRQ `index` leads to, or undefined. */
  irqOfPirq(index: number): number | undefined {
    const control = this.config[PIRQRCA + (index & 3)];
    const line = control & 0xf;
    return control & PIRQ_DISABLE || ((ROUTABLE >> line) & 1) === 0 ? undefined : line;
  }

  #initRegisters(): void {
    this.config[PCI_HEADER_TYPE] = 0x80;
    this.setConfig16(PCI_COMMAND, 0x0007);
    this.setConfig16(PCI_STATUS, 0x0200);
    for (const [register, value] of DEFAULTS) this.config[register] = value;
  }

  #setPirq(index: number, level: boolean): void {
    const { pirq } = this.#state;
    this.#state.pirq = level ? pirq | (1 << index) : pirq & ~(1 << index);
    this.#route();
  }

  #route(): void {
    const { pirq, driven } = this.#state;
    let levels = 0;
    for (let index = 0; index < 4; index++) {
      const line = this.irqOfPirq(index);
      if (line !== undefined && (pirq >> index) & 1) levels |= 1 << line;
    }
    this.#state.driven = levels;
    for (let line = 0, changed = levels ^ driven; changed !== 0; line++, changed >>= 1) {
      if (changed & 1) this.#lines[line].set(((levels >> line) & 1) !== 0);
    }
  }
}
