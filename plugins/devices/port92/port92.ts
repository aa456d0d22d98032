/**
 * System control port A, 0x92: bit 0 resets the machine (fast reset) when it goes from 0 to 1, bit 1 is an A20 gate.
 *
 * Specification: IBM PS/2 Hardware Interface Technical Reference, "System Control Port A".
 *
 * DEVIATION: on boards A20 is let through while either gate, this or the keyboard controller's, does so. Here both drive
 * one line and the last write wins, so that either alone can also close it.
 */

import type { IoRegion } from "../../../core/bus/io.ts";
import type { Device } from "../../../core/device.ts";
import type { IrqLine } from "../../../core/irq.ts";
import { defineState, type State, type StateArena, u8 } from "../../../core/state/state.ts";

export const PORT92_STATE = defineState("port92", 1, { control: u8 });

const FAST_RESET = 0b01;
const ALT_A20 = 0b10;

export interface Port92Options {
  readonly name: string;
  readonly arena: StateArena;
  /** The A20 gate: true lets address line 20 through. */
  readonly a20: IrqLine;
  readonly resetMachine: () => void;
}

export class Port92 implements Device {
  readonly io: IoRegion;
  readonly #s: State<typeof PORT92_STATE>;

  constructor({ name, arena, a20, resetMachine }: Port92Options) {
    const state = arena.attach(name, PORT92_STATE);
    this.#s = state;
    this.io = {
      name: "port92",
      length: 1,
      max: 1,
      handler: {
        read: () => state.control,
        write: (_offset, value) => {
          const rising = value & ~state.control;
          state.control = value;
          a20.set((value & ALT_A20) !== 0);
          if (rising & FAST_RESET) resetMachine();
        },
      },
    };
  }

  /** The fast reset bit is over with the reset it caused; who lets A20 through at reset is the board. */
  reset(): void {
    this.#s.control = 0;
  }
}
