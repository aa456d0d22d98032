/**
 * One channel of a bus master IDE controller: "Programming Interface for Bus Master IDE Controller", revision 1.0.
 * Walks physical region descriptors as the device moves data.
 *
 * Invariants: every descriptor moves at least two bytes, so a transfer of n bytes reads at most n / 2 of them, however
 * the table is made; the table never leaves its 64 KiB.
 *
 * DEVIATION: the direction is the device's; the read/write bit of the command register is kept but not looked at.
 */

import type { Dma } from "../../../core/memory/dma.ts";
import { bool, defineState, type State, type StateArena, u8, u32 } from "../../../core/state/state.ts";
import type { BusMasterPort } from "./channel.ts";
import * as R from "./regs.ts";

const BUS_MASTER_STATE = defineState("ide-bus-master", 1, {
  command: u8,
  status: u8,
  prdAddress: u32,
  /** The descriptor to read next. */
  next: u32,
  /** What is left of the present one. */
  base: u32,
  left: u32,
  /** The present descriptor is the last. */
  last: bool,
});

export interface BusMasterOptions {
  readonly name: string;
  readonly arena: StateArena;
  readonly dma: Dma;
  /** Whether the function may master the bus (PCI COMMAND). */
  readonly enabled: () => boolean;
  /** The start bit was set. */
  readonly started: () => void;
}

export class BusMaster implements BusMasterPort {
  readonly #s: State<typeof BUS_MASTER_STATE>;
  readonly #options: BusMasterOptions;

  constructor(options: BusMasterOptions) {
    this.#options = options;
    this.#s = options.arena.attach(options.name, BUS_MASTER_STATE);
    this.reset();
  }

  reset(): void {
    const s = this.#s;
    s.command = s.status = s.prdAddress = s.next = s.base = s.left = 0;
    s.last = false;
  }

  /** The IDE interrupt line rose. */
  interrupt(): void {
    this.#s.status |= R.BM_STATUS_INTERRUPT;
  }

  /** A byte of the eight registers. */
  read(register: number): number {
    const s = this.#s;
    if (register === R.BM_COMMAND) return s.command;
    if (register === R.BM_STATUS) return s.status;
    return register >= R.BM_PRD_ADDRESS ? (s.prdAddress >>> ((register - R.BM_PRD_ADDRESS) * 8)) & 0xff : 0;
  }

  write(register: number, value: number): void {
    const s = this.#s;
    if (register === R.BM_COMMAND) this.#writeCommand(value);
    else if (register === R.BM_STATUS) {
      const cleared = s.status & ~(value & (R.BM_STATUS_ERROR | R.BM_STATUS_INTERRUPT));
      s.status = (cleared & ~R.BM_STATUS_DRIVES) | (value & R.BM_STATUS_DRIVES);
    } else if (register >= R.BM_PRD_ADDRESS) {
      const shift = (register - R.BM_PRD_ADDRESS) * 8;
      s.prdAddress = ((s.prdAddress & ~(0xff << shift)) | (value << shift)) & ~3;
    }
  }

  toMemory(data: Uint8Array): number {
    return this.#move(data, true);
  }

  fromMemory(into: Uint8Array): number {
    return this.#move(into, false);
  }

  #writeCommand(value: number): void {
    const s = this.#s;
    const before = s.command;
    s.command = value & (R.BM_COMMAND_START | R.BM_COMMAND_WRITE);
    if ((value & R.BM_COMMAND_START) === 0) {
      s.status &= ~R.BM_STATUS_ACTIVE;
    } else if ((before & R.BM_COMMAND_START) === 0) {
      s.status |= R.BM_STATUS_ACTIVE;
      s.next = s.prdAddress;
      s.left = 0;
      s.last = false;
      this.#options.started();
    }
  }

  #move(data: Uint8Array, toMemory: boolean): number {
    const s = this.#s;
    const { dma } = this.#options;
    if (!this.#options.enabled()) return 0;
    let done = 0;
    while (done < data.length && s.status & R.BM_STATUS_ACTIVE) {
      if (s.left === 0) this.#nextDescriptor();
      const count = Math.min(s.left, data.length - done);
      const part = data.subarray(done, done + count);
      if (toMemory) dma.write(s.base, part);
      else dma.read(s.base, part);
      s.base += count;
      s.left -= count;
      done += count;
      if (s.left === 0 && s.last) s.status &= ~R.BM_STATUS_ACTIVE;
    }
    return done;
  }

  #nextDescriptor(): void {
    const s = this.#s;
    const { dma } = this.#options;
    s.base = dma.read32(s.next) & ~1;
    const control = dma.read32(s.next + 4);
    s.left = control & 0xfffe || 0x10000;
    s.last = control >>> 31 !== 0;
    s.next = (s.next & 0xffff_0000) | ((s.next + 8) & 0xffff);
  }
}
