/**
 * The 128 KiB at A0000h: four planes behind the sequencer's and the graphics controller's data paths.
 *
 * Video memory holds the four planes' bytes of one address side by side, plane 0 first, so that the four are one 32-bit
 * word. In Bochs display modes of 8 bits per pixel and more it is linear, and the window shows one 64 KiB bank of it.
 *
 * Invariant: what decides about an access is worked out in `configure` when a register changes, so that an access is a
 * few operations.
 */

import type { IoRegion } from "../../../core/bus/io.ts";
import type { MemoryBlock } from "../../../core/bus/pci.ts";
import type { DirtyLog } from "../../../core/memory/dirty-log.ts";
import * as R from "./regs.ts";
import type { VgaState } from "./state.ts";

/** Where in the window video memory shows, by bits 3:2 of GC_MISCELLANEOUS. */
const MAPS = [
  [0x00000, 0x20000],
  [0x00000, 0x10000],
  [0x10000, 0x08000],
  [0x18000, 0x08000],
] as const;

/** Bytes per plane of a standard VGA. */
export const PLANE_SIZE = 0x10000;

/** Spreads four bits to four bytes: bit 0 to plane 0. */
const PLANES = Uint32Array.from({ length: 16 }, (_, bits) => {
  let word = 0;
  for (let plane = 0; plane < 4; plane++) if ((bits >> plane) & 1) word |= 0xff << (plane * 8);
  return word >>> 0;
});

export function planeMask(bits: number): number {
  return PLANES[bits & 0xf];
}

export class VgaMemory {
  /** 128 KiB at A0000h. */
  readonly window: IoRegion;
  readonly bytes: Uint8Array;
  /** One word per plane address. */
  readonly words: Uint32Array;
  readonly #state: VgaState;
  readonly #log: DirtyLog | undefined;
  #base = 0;
  #size = 0;
  #bank = 0;
  #linear = false;
  #chain4 = false;
  #oddEvenWrites = false;
  #oddEvenReads = false;
  #addressMask = ~0;
  #wordMask = PLANE_SIZE - 1;
  #mapMask = 0;
  /** The write path has nothing to do but replicate the byte. */
  #plain = false;

  constructor(state: VgaState, vram: MemoryBlock, log?: DirtyLog) {
    this.#state = state;
    this.#log = log;
    this.bytes = vram.bytes;
    this.words = new Uint32Array(vram.bytes.buffer, vram.bytes.byteOffset, vram.size >>> 2);
    this.window = {
      name: "vga-lowmem",
      length: 0x20000,
      max: 1,
      coalesced: true,
      handler: { read: (offset) => this.#read(offset), write: (offset, value) => this.#write(offset, value) },
    };
    this.configure();
  }

  /** Works out the paths after a register changed. */
  configure(): void {
    const { sequencer, graphics, vbe, miscellaneous } = this.#state;
    const vbeEnabled = (vbe[R.VBE_ENABLE] & R.VBE_ENABLED) !== 0;
    const map = MAPS[(graphics[R.GC_MISCELLANEOUS] >> 2) & 3];
    this.#base = map[0];
    this.#size = miscellaneous & R.MISC_RAM_ENABLE || vbeEnabled ? map[1] : 0;
    this.#bank = vbeEnabled ? vbe[R.VBE_BANK] * 0x10000 : 0;
    this.#chain4 = (sequencer[R.SEQ_MEMORY_MODE] & R.MEMORY_CHAIN_4) !== 0;
    this.#linear = vbeEnabled && this.#chain4;
    this.#oddEvenWrites = !this.#chain4 && (sequencer[R.SEQ_MEMORY_MODE] & R.MEMORY_SEQUENTIAL) === 0;
    this.#oddEvenReads = !this.#chain4 && (graphics[R.GC_MODE] & R.MODE_HOST_ODD_EVEN) !== 0;
    this.#addressMask = this.#chain4 ? ~3 : graphics[R.GC_MISCELLANEOUS] & R.MISC_CHAIN_ODD_EVEN ? ~1 : ~0;
    this.#wordMask = (vbeEnabled ? this.words.length : PLANE_SIZE) - 1;
    this.#mapMask = sequencer[R.SEQ_MAP_MASK] & 0xf;
    this.#plain =
      (graphics[R.GC_MODE] & 3) === 0 &&
      graphics[R.GC_DATA_ROTATE] === 0 &&
      graphics[R.GC_ENABLE_SET_RESET] === 0 &&
      graphics[R.GC_BIT_MASK] === 0xff;
  }

  #read(offset: number): number {
    const at = offset - this.#base;
    if (at < 0 || at >= this.#size) return 0xff;
    const address = at + this.#bank;
    if (this.#linear) return this.bytes[address & (this.bytes.length - 1)];
    const latch = this.words[address & this.#addressMask & this.#wordMask];
    const state = this.#state;
    state.latch = latch;
    const { graphics } = state;
    if (graphics[R.GC_MODE] & R.MODE_READ_COMPARE) {
      const care = PLANES[graphics[R.GC_COLOR_DONT_CARE]];
      let differ = (latch ^ PLANES[graphics[R.GC_COLOR_COMPARE]]) & care;
      differ |= differ >>> 16;
      differ |= differ >>> 8;
      return ~differ & 0xff;
    }
    let plane = graphics[R.GC_READ_MAP_SELECT];
    if (this.#chain4) plane = address & 3;
    else if (this.#oddEvenReads) plane = (plane & 2) | (address & 1);
    return (latch >>> (plane * 8)) & 0xff;
  }

  #write(offset: number, value: number): void {
    const at = offset - this.#base;
    if (at < 0 || at >= this.#size) return;
    const address = at + this.#bank;
    let planes = this.#mapMask;
    if (this.#chain4) planes &= 1 << (address & 3);
    else if (this.#oddEvenWrites) planes &= address & 1 ? 0b1010 : 0b0101;
    if (this.#linear) {
      if (planes === 0) return;
      const index = address & (this.bytes.length - 1);
      this.bytes[index] = value;
      this.#log?.mark(index, 1);
      return;
    }
    const mask = PLANES[planes];
    const index = address & this.#addressMask & this.#wordMask;
    const data = this.#plain ? Math.imul(value, 0x01010101) : this.#transform(value);
    this.words[index] = (this.words[index] & ~mask) | (data & mask);
    this.#log?.mark(index * 4, 4);
  }

  /** Write modes 0 to 3: rotation, set/reset, the logical unit and the bit mask. */
  #transform(value: number): number {
    const { graphics, latch } = this.#state;
    const rotate = graphics[R.GC_DATA_ROTATE] & 7;
    const rotated = ((value >> rotate) | (value << (8 - rotate))) & 0xff;
    let bits = graphics[R.GC_BIT_MASK];
    let data: number;
    switch (graphics[R.GC_MODE] & 3) {
      case 0: {
        const enable = PLANES[graphics[R.GC_ENABLE_SET_RESET]];
        data = (Math.imul(rotated, 0x01010101) & ~enable) | (PLANES[graphics[R.GC_SET_RESET]] & enable);
        break;
      }
      case 1:
        return latch;
      case 2:
        data = PLANES[value & 0xf];
        break;
      default:
        bits &= rotated;
        data = PLANES[graphics[R.GC_SET_RESET]];
    }
    switch ((graphics[R.GC_DATA_ROTATE] >> 3) & 3) {
      case 1:
        data &= latch;
        break;
      case 2:
        data |= latch;
        break;
      case 3:
        data ^= latch;
        break;
    }
    const mask = Math.imul(bits, 0x01010101);
    return (data & mask) | (latch & ~mask);
  }
}
