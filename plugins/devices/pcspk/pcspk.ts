/**
 * System control port B, 0x61: gate and output of timer counter 2 for the PC speaker, the speaker switch, and the refresh
 * request toggle that software uses to wait.
 *
 * Specification: IBM PC/AT Technical Reference, "Speaker"; Intel 290550 (PIIX3), NMI status and control register.
 *
 * DEVIATION: no sound comes out, and there are no parity and channel checks to enable (bits 2 and 3 are stored).
 */

import type { TimerChannel } from "../../../core/board.ts";
import type { IoRegion } from "../../../core/bus/io.ts";
import type { Clock } from "../../../core/clock.ts";
import type { Device } from "../../../core/device.ts";
import { defineState, type State, type StateArena, u8 } from "../../../core/state/state.ts";

export const PCSPK_STATE = defineState("pcspk", 1, { control: u8 });

const TIM2_GATE = 0b0000_0001;
/** Writable bits: gate, speaker data enable, parity and channel check enables. */
const WRITABLE = 0b0000_1111;
const REFRESH_TOGGLE = 0b0001_0000;
const TIM2_OUT = 0b0010_0000;

/** Counter 1 requests a refresh every 18 ticks of 1193182 Hz. */
const REFRESH_NS = 15_085;

export interface PcSpeakerOptions {
  readonly name: string;
  readonly arena: StateArena;
  readonly clock: Clock;
  /** Counter 2. */
  readonly timer: TimerChannel;
}

export class PcSpeaker implements Device {
  readonly io: IoRegion;
  readonly #s: State<typeof PCSPK_STATE>;
  readonly #timer: TimerChannel;

  constructor({ name, arena, clock, timer }: PcSpeakerOptions) {
    const state = arena.attach(name, PCSPK_STATE);
    this.#s = state;
    this.#timer = timer;
    this.io = {
      name: "pcspk",
      length: 1,
      max: 1,
      handler: {
        read: () => {
          const refresh = Math.floor(clock.now() / REFRESH_NS) % 2 === 1 ? REFRESH_TOGGLE : 0;
          return state.control | refresh | (timer.out ? TIM2_OUT : 0);
        },
        write: (_offset, value) => {
          state.control = value & WRITABLE;
          timer.setGate((value & TIM2_GATE) !== 0);
        },
      },
    };
  }

  reset(): void {
    this.#s.control = 0;
    this.#timer.setGate(false);
  }
}
