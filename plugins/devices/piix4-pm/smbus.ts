/**
 * The PIIX4's SMBus host controller (Intel 290562, section 7.3.4): every transaction ends with "no device", because
 * nothing is on the bus.
 */

import type { IoRegion } from "../../../core/bus/io.ts";
import { array, defineState, type State, type StateArena, u8 } from "../../../core/state/state.ts";
import { SMBBLKDAT, SMBHSTCNT, SMBHSTCNT_START, SMBHSTSTS, SMBHSTSTS_BITS, SMBHSTSTS_DEV_ERR } from "./regs.ts";

export const SMBUS_STATE = defineState("piix4-smbus", 1, {
  registers: array(u8, 16),
  block: array(u8, 32),
  blockIndex: u8,
});

export class SmbusHost {
  readonly io: IoRegion;
  readonly #state: State<typeof SMBUS_STATE>;

  constructor(name: string, arena: StateArena) {
    this.#state = arena.attach(name, SMBUS_STATE);
    this.io = {
      name: "piix4-smbus",
      length: 16,
      max: 1,
      handler: { read: (at) => this.#read(at), write: (at, value) => this.#write(at, value) },
    };
  }

  reset(): void {
    this.#state.registers.fill(0);
    this.#state.block.fill(0);
    this.#state.blockIndex = 0;
  }

  #read(at: number): number {
    const { registers, block } = this.#state;
    // Reading the control register rewinds the block data buffer.
    if (at === SMBHSTCNT) this.#state.blockIndex = 0;
    if (at !== SMBBLKDAT) return registers[at];
    return block[this.#nextBlockIndex()];
  }

  #write(at: number, value: number): void {
    const { registers, block } = this.#state;
    switch (at) {
      case SMBHSTSTS:
        registers[at] &= ~(value & SMBHSTSTS_BITS);
        break;
      case SMBHSTCNT:
        registers[at] = value & ~SMBHSTCNT_START;
        if (value & SMBHSTCNT_START) registers[SMBHSTSTS] |= SMBHSTSTS_DEV_ERR;
        break;
      case SMBBLKDAT:
        block[this.#nextBlockIndex()] = value;
        break;
      default:
        registers[at] = value;
    }
  }

  #nextBlockIndex(): number {
    const index = this.#state.blockIndex & 31;
    this.#state.blockIndex = (index + 1) & 31;
    return index;
  }
}
