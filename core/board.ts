/**
 * What the chips soldered to a PC board offer to each other and to the machine that wires them. A machine creates them
 * by name like any device, hands them these ports in `DeviceContext.board`, and uses them through these interfaces.
 */

import type { IsaDmaChannel } from "./bus/isa-dma.ts";
import type { IrqLine } from "./irq.ts";

/** Lines and chips that only a board can wire; each board device says which of them it needs. */
export interface BoardPorts {
  /** INTR of the CPU, driven by the interrupt controllers. */
  readonly intr?: IrqLine;
  /** The address line 20 gate: true lets A20 through. Its writers share it; the last one wins. */
  readonly a20?: IrqLine;
  /** Channel 2 of the interval timer, for port 0x61. */
  readonly speakerTimer?: TimerChannel;
}

/** The pair of 8259A, as the machine uses it. */
export interface InterruptController {
  /** Interrupt request input 0 to 15 (2 is the cascade, and is not for use). */
  irq(line: number): IrqLine;
  /** The interrupt acknowledge cycle: returns the vector. */
  acknowledge(): number;
  /** For `info pic`. */
  describe(): string;
}

/** One counter of the 8254, as the chips around it see it. */
export interface TimerChannel {
  setGate(level: boolean): void;
  /** Level of the OUT pin now. */
  readonly out: boolean;
}

export interface IntervalTimer {
  /** Counter 0 to 2. */
  channel(index: number): TimerChannel;
}

export interface IsaDmaController {
  /** Channel 0 to 3 (bytes) and 5 to 7 (words). */
  channel(index: number): IsaDmaChannel;
}

/** The battery-backed memory of the real-time clock, where boards leave their configuration. */
export interface Cmos {
  /** Sets byte 0 to 127. */
  setCmos(index: number, value: number): void;
  cmos(index: number): number;
}
