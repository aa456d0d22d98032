/**
 * ISA DMA of a PC: two 8237A controllers, channels 0 to 3 for bytes at ports 0x00 to 0x0f, 4 to 7 for words at 0xc0 to
 * 0xdf, page registers at 0x80 to 0x8f and their high bytes at 0x480 to 0x48f.
 *
 * Page registers that belong to no channel are memory, as in the chip sets. One of them, 0x80, is the POST code, whose
 * writes may come late.
 *
 * DEVIATION: channel 4 always cascades, whether the guest programs it so or not; memory-to-memory transfers, which no
 * PC offers, do nothing.
 */

import type { IsaDmaController } from "../../../core/board.ts";
import type { IoRegion, PortSpace } from "../../../core/bus/io.ts";
import type { IsaDmaChannel } from "../../../core/bus/isa-dma.ts";
import type { Device } from "../../../core/device.ts";
import type { Dma } from "../../../core/memory/dma.ts";
import { array, defineState, group, type State, type StateArena, u8 } from "../../../core/state/state.ts";
import { CONTROLLER_FIELDS, I8237 } from "./i8237.ts";

export const I8257_STATE = defineState("i8257", 1, {
  controller: group(2, CONTROLLER_FIELDS),
  pages: array(u8, 16),
  highPages: array(u8, 16),
});

/** Offset of each channel's page register. Channel 4's is that of the refresh address. */
const PAGE_REGISTER = [0x7, 0x3, 0x1, 0x2, 0xf, 0xb, 0x9, 0xa] as const;

export interface I8257Options {
  readonly name: string;
  readonly arena: StateArena;
  readonly dma: Dma;
}

export class I8257 implements Device, IsaDmaController {
  /** Channels 0 to 3. */
  readonly byteIo: IoRegion;
  /** Channels 4 to 7. */
  readonly wordIo: IoRegion;
  readonly pageIo: IoRegion;
  readonly highPageIo: IoRegion;
  /** Lies over its page register. */
  readonly postIo: IoRegion;
  readonly #s: State<typeof I8257_STATE>;
  readonly #controllers: readonly I8237[];

  constructor({ name, arena, dma }: I8257Options) {
    const state = arena.attach(name, I8257_STATE);
    this.#s = state;
    const page = (channel: number): number => {
      const register = PAGE_REGISTER[channel];
      return (state.highPages[register] << 8) | state.pages[register];
    };
    this.#controllers = [
      new I8237({ state: state.controller[0], dma, wordShift: 0, page }),
      new I8237({ state: state.controller[1], dma, wordShift: 1, page: (index) => page(4 + index) }),
    ];
    this.byteIo = { name: "dma-chan", length: 16, max: 1, handler: this.#controllers[0] };
    this.wordIo = { name: "dma-cont", length: 32, max: 1, handler: this.#controllers[1] };
    this.pageIo = { name: "dma-page", length: 16, max: 1, handler: registerFile(state.pages) };
    this.postIo = { ...this.pageIo, name: "post", length: 1, coalesced: true };
    this.highPageIo = { name: "dma-pageh", length: 16, max: 1, handler: registerFile(state.highPages) };
  }

  channel(index: number): IsaDmaChannel {
    return this.#controllers[index >> 2].channels[index & 3];
  }

  map(ports: PortSpace): void {
    ports.map(0x00, this.byteIo);
    ports.map(0xc0, this.wordIo);
    ports.map(0x80, this.pageIo);
    ports.map(0x80, this.postIo);
    ports.map(0x480, this.highPageIo);
  }

  /** DREQ stays as the devices drive it. */
  reset(): void {
    for (const controller of this.#controllers) controller.reset();
    this.#s.pages.fill(0);
    this.#s.highPages.fill(0);
  }
}

function registerFile(registers: Uint8Array): IoRegion["handler"] {
  return {
    read: (offset) => registers[offset],
    write: (offset, value) => {
      registers[offset] = value;
    },
  };
}
