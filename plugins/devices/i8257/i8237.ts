/**
 * One 8237A DMA controller with the page registers of its channels.
 *
 * Data sheet: Intel 231466 (8237A); page registers: IBM PC/AT Technical Reference, "DMA page registers"; 290550 (PIIX3)
 * for the high pages.
 *
 * Invariants:
 *  1. A transfer stays within its 64 KiB (bytes) or 128 KiB (words) page: the current address wraps, the page does not
 *     change.
 *  2. A transfer moves at most current count + 1 units; at terminal count the channel masks itself or reloads.
 */

import type { AccessSize, IoHandler } from "../../../core/bus/io.ts";
import type { IsaDmaChannel, IsaDmaResult } from "../../../core/bus/isa-dma.ts";
import type { Dma } from "../../../core/memory/dma.ts";
import { array, bool, group, type State, type StateSchema, u8, u16 } from "../../../core/state/state.ts";

export const CONTROLLER_FIELDS = {
  command: u8,
  /** TC bits, cleared by reading the status. */
  terminal: u8,
  /** DREQ as the devices drive it. */
  dreq: u8,
  /** Requests made by software. */
  request: u8,
  mask: u8,
  /** The byte pointer flip-flop: the next access is to the high byte. */
  highByte: bool,
  mode: array(u8, 4),
  channel: group(4, { baseAddress: u16, baseCount: u16, address: u16, count: u16 }),
};

type ControllerState = Omit<State<StateSchema<typeof CONTROLLER_FIELDS, Record<never, never>>>, "$views" | "$base">;

const COMMAND_DISABLE = 0b0000_0100;

const MODE_TYPE = 0b0000_1100;
const MODE_VERIFY = 0b0000_0000;
/** Device to memory. */
const MODE_WRITE = 0b0000_0100;
/** Memory to device. */
const MODE_READ = 0b0000_1000;
const MODE_AUTOINIT = 0b0001_0000;
const MODE_DECREMENT = 0b0010_0000;
const MODE_CASCADE = 0b1100_0000;

const NOTHING: IsaDmaResult = { count: 0, terminal: false };

/** The registers after the address and count registers. */
const COMMAND = 8;
const REQUEST = 9;
const SINGLE_MASK = 10;
const MODE = 11;
const CLEAR_FLIP_FLOP = 12;
const MASTER_CLEAR = 13;
const CLEAR_MASK = 14;
const ALL_MASK = 15;

export interface ControllerOptions {
  readonly state: ControllerState;
  readonly dma: Dma;
  /** 0 moves bytes, 1 moves words. */
  readonly wordShift: 0 | 1;
  /** Bits 31 to 16 of the address of channel `index`. */
  readonly page: (index: number) => number;
}

export class I8237 implements IoHandler {
  readonly channels: readonly IsaDmaChannel[];
  readonly #s: ControllerState;
  readonly #dma: Dma;
  readonly #shift: 0 | 1;
  readonly #page: (index: number) => number;

  constructor({ state, dma, wordShift, page }: ControllerOptions) {
    this.#s = state;
    this.#dma = dma;
    this.#shift = wordShift;
    this.#page = page;
    this.channels = [0, 1, 2, 3].map((index) => ({
      toMemory: (data) => this.#transfer(index, MODE_WRITE, data),
      fromMemory: (into) => this.#transfer(index, MODE_READ, into),
      setRequest: (on) => {
        if (on) state.dreq |= 1 << index;
        else state.dreq &= ~(1 << index);
      },
    }));
  }

  read(offset: number, _size: AccessSize): number {
    const s = this.#s;
    const register = offset >> this.#shift;
    if (register < COMMAND) {
      const channel = s.channel[register >> 1];
      const value = register & 1 ? channel.count : channel.address;
      return this.#flip() ? value >> 8 : value & 0xff;
    }
    if (register === COMMAND) {
      const status = s.terminal | ((s.dreq | s.request) << 4);
      s.terminal = 0;
      return status & 0xff;
    }
    if (register === ALL_MASK) return 0xf0 | s.mask;
    return 0;
  }

  write(offset: number, value: number, _size: AccessSize): void {
    const s = this.#s;
    const register = offset >> this.#shift;
    const bit = 1 << (value & 3);
    switch (register) {
      case COMMAND:
        s.command = value;
        return;
      case REQUEST:
        s.request = value & 4 ? s.request | bit : s.request & ~bit;
        return;
      case SINGLE_MASK:
        s.mask = value & 4 ? s.mask | bit : s.mask & ~bit;
        return;
      case MODE:
        s.mode[value & 3] = value & ~3;
        return;
      case CLEAR_FLIP_FLOP:
        s.highByte = false;
        return;
      case MASTER_CLEAR:
        this.masterClear();
        return;
      case CLEAR_MASK:
        s.mask = 0;
        return;
      case ALL_MASK:
        s.mask = value & 15;
        return;
      default: {
        const channel = s.channel[register >> 1];
        const shift = this.#flip() ? 8 : 0;
        const base = register & 1 ? channel.baseCount : channel.baseAddress;
        const merged = (base & (0xff00 >> shift)) | (value << shift);
        if (register & 1) channel.baseCount = channel.count = merged;
        else channel.baseAddress = channel.address = merged;
      }
    }
  }

  masterClear(): void {
    const s = this.#s;
    s.command = 0;
    s.terminal = 0;
    s.request = 0;
    s.highByte = false;
    s.mask = 15;
  }

  reset(): void {
    const s = this.#s;
    this.masterClear();
    s.mode.fill(0);
    for (const channel of s.channel) {
      channel.baseAddress = channel.baseCount = channel.address = channel.count = 0;
    }
  }

  /** The flip-flop before this access. */
  #flip(): boolean {
    const was = this.#s.highByte;
    this.#s.highByte = !was;
    return was;
  }

  #transfer(index: number, type: number, data: Uint8Array): IsaDmaResult {
    const s = this.#s;
    const mode = s.mode[index];
    const bit = 1 << index;
    if (s.command & COMMAND_DISABLE || s.mask & bit || (mode & MODE_CASCADE) === MODE_CASCADE) return NOTHING;
    const kind = mode & MODE_TYPE;
    if (kind !== type && kind !== MODE_VERIFY) return NOTHING;
    const channel = s.channel[index];
    const units = Math.min(data.length >> this.#shift, channel.count + 1);
    if (units === 0) return NOTHING;
    const bytes = data.subarray(0, units << this.#shift);
    const down = (mode & MODE_DECREMENT) !== 0;
    const { address } = channel;
    // The registers go first: a transfer into the controller's own ports must not find them half way.
    const terminal = units > channel.count;
    channel.address = down ? address - units : address + units;
    channel.count -= units;
    if (terminal) this.#terminalCount(index);
    if (kind !== MODE_VERIFY) this.#move(type, this.#base(index), address, down, bytes);
    return { count: bytes.length, terminal };
  }

  #terminalCount(index: number): void {
    const s = this.#s;
    const channel = s.channel[index];
    s.terminal |= 1 << index;
    s.request &= ~(1 << index);
    if (s.mode[index] & MODE_AUTOINIT) {
      channel.address = channel.baseAddress;
      channel.count = channel.baseCount;
    } else {
      s.mask |= 1 << index;
    }
  }

  /** The page in bytes: address bit 16 of a word channel comes from its address register. */
  #base(index: number): number {
    const page = this.#page(index);
    return (this.#shift ? page & ~1 : page) * 0x1_0000;
  }

  #move(type: number, base: number, start: number, down: boolean, data: Uint8Array): void {
    const shift = this.#shift;
    const units = data.length >> shift;
    let address = start;
    for (let at = 0; at < units; ) {
      const chunk = Math.min(units - at, down ? address + 1 : 0x1_0000 - address);
      const first = down ? address - chunk + 1 : address;
      const part = data.subarray(at << shift, (at + chunk) << shift);
      const target = base + (first << shift);
      if (down) {
        const turned = new Uint8Array(part.length);
        if (type === MODE_WRITE) this.#dma.write(target, reverseUnits(part, turned, shift));
        else {
          this.#dma.read(target, turned);
          reverseUnits(turned, part, shift);
        }
      } else if (type === MODE_WRITE) this.#dma.write(target, part);
      else this.#dma.read(target, part);
      at += chunk;
      address = (down ? address - chunk : address + chunk) & 0xffff;
    }
  }
}

/** Copies bytes or words in reverse order. */
function reverseUnits(from: Uint8Array, into: Uint8Array, shift: 0 | 1): Uint8Array {
  const step = 1 << shift;
  for (let i = 0; i < from.length; i += step) {
    for (let b = 0; b < step; b++) into[from.length - step - i + b] = from[i + b];
  }
  return into;
}
