/**
 * The Bochs display interface (VBE DISPI, ids B0C0h to B0C5h): resolutions and depths beyond the standard VGA's, a linear
 * frame buffer, virtual screens with offsets, and 64 KiB banks at A0000h.
 *
 * Invariant: while enabled, resolution, virtual width and offsets describe a picture that lies inside video memory.
 */

import type { DirtyLog } from "../../../core/memory/dirty-log.ts";
import * as R from "./regs.ts";
import type { VgaState } from "./state.ts";

export class Vbe {
  readonly #state: VgaState;
  readonly #vram: Uint8Array;
  readonly #log: DirtyLog | undefined;

  constructor(state: VgaState, vram: Uint8Array, log?: DirtyLog) {
    this.#state = state;
    this.#vram = vram;
    this.#log = log;
  }

  get enabled(): boolean {
    return (this.#state.vbe[R.VBE_ENABLE] & R.VBE_ENABLED) !== 0;
  }

  /** The palette has 8 bits per component. */
  get wideDac(): boolean {
    return (this.#state.vbe[R.VBE_ENABLE] & R.VBE_8BIT_DAC) !== 0;
  }

  reset(): void {
    this.#state.vbe.fill(0);
    this.#state.vbe[R.VBE_ID] = R.VBE_ID5;
    this.#state.vbeIndex = 0;
  }

  read(index: number): number {
    const { vbe } = this.#state;
    if (vbe[R.VBE_ENABLE] & R.VBE_GETCAPS) {
      if (index === R.VBE_XRES) return R.VBE_MAX_XRES;
      if (index === R.VBE_YRES) return R.VBE_MAX_YRES;
      if (index === R.VBE_BPP) return R.VBE_MAX_BPP;
    }
    if (index === R.VBE_VIDEO_MEMORY_64K) return this.#vram.length >>> 16;
    return index < R.VBE_COUNT ? vbe[index] : 0;
  }

  write(index: number, value: number): void {
    const { vbe } = this.#state;
    switch (index) {
      case R.VBE_ID:
        if (value >= R.VBE_ID0 && value <= R.VBE_ID5) vbe[index] = value;
        break;
      case R.VBE_XRES:
      case R.VBE_YRES:
      case R.VBE_BPP:
      case R.VBE_VIRT_WIDTH:
      case R.VBE_X_OFFSET:
      case R.VBE_Y_OFFSET:
        vbe[index] = value;
        if (this.enabled) this.#fit();
        break;
      case R.VBE_BANK:
        vbe[index] = value & ((this.#vram.length >>> (vbe[R.VBE_BPP] === 4 ? 18 : 16)) - 1);
        break;
      case R.VBE_ENABLE:
        this.#enable(value);
        break;
    }
  }

  /** Bytes from one line to the next; in 4-bit modes, of each plane. */
  get stride(): number {
    const { vbe } = this.#state;
    return vbe[R.VBE_BPP] === 4 ? vbe[R.VBE_VIRT_WIDTH] >>> 3 : vbe[R.VBE_VIRT_WIDTH] * this.#bytesPerPixel;
  }

  get #bytesPerPixel(): number {
    return (this.#state.vbe[R.VBE_BPP] + 7) >> 3;
  }

  #enable(value: number): void {
    const { vbe } = this.#state;
    const was = this.enabled;
    vbe[R.VBE_ENABLE] = value;
    if (!this.enabled) {
      vbe[R.VBE_BANK] = 0;
      return;
    }
    if (was) return;
    vbe[R.VBE_VIRT_WIDTH] = 0;
    vbe[R.VBE_X_OFFSET] = 0;
    vbe[R.VBE_Y_OFFSET] = 0;
    vbe[R.VBE_BANK] = 0;
    this.#fit();
    this.#setUpVga();
    if (value & R.VBE_NOCLEARMEM) return;
    const lines = this.stride * vbe[R.VBE_YRES];
    const bytes = vbe[R.VBE_BPP] === 4 ? lines * 4 : lines;
    this.#vram.fill(0, 0, bytes);
    this.#log?.mark(0, bytes);
  }

  /** Corrects registers that make no sense together. */
  #fit(): void {
    const { vbe } = this.#state;
    const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);
    if (![4, 8, 15, 16, 24, 32].includes(vbe[R.VBE_BPP])) vbe[R.VBE_BPP] = 8;
    const planar = vbe[R.VBE_BPP] === 4;
    const memory = planar ? this.#vram.length >>> 2 : this.#vram.length;
    const bytes = (pixels: number): number => (planar ? pixels >>> 3 : pixels * this.#bytesPerPixel);
    vbe[R.VBE_XRES] = clamp(vbe[R.VBE_XRES] & ~7, 8, R.VBE_MAX_XRES);
    vbe[R.VBE_VIRT_WIDTH] = clamp(vbe[R.VBE_VIRT_WIDTH] & ~7, vbe[R.VBE_XRES], R.VBE_MAX_XRES);
    const lines = Math.floor(memory / bytes(vbe[R.VBE_VIRT_WIDTH]));
    vbe[R.VBE_YRES] = clamp(vbe[R.VBE_YRES], 1, Math.min(lines, R.VBE_MAX_YRES));
    vbe[R.VBE_VIRT_HEIGHT] = Math.min(lines, 0xffff);
    vbe[R.VBE_X_OFFSET] = Math.min(vbe[R.VBE_X_OFFSET], vbe[R.VBE_VIRT_WIDTH] - vbe[R.VBE_XRES]);
    vbe[R.VBE_Y_OFFSET] = Math.min(vbe[R.VBE_Y_OFFSET], lines - vbe[R.VBE_YRES]);
  }

  /** Standard registers follow, so that the bank window and drivers that never heard of this interface work. */
  #setUpVga(): void {
    const { sequencer, graphics, crtc, vbe } = this.#state;
    const lastLine = vbe[R.VBE_YRES] - 1;
    graphics[R.GC_MISCELLANEOUS] = (graphics[R.GC_MISCELLANEOUS] & ~0x0c) | 0x04 | R.MISC_GRAPHICS;
    crtc[R.CRTC_MODE_CONTROL] |= R.MODE_MA13 | R.MODE_MA14;
    crtc[R.CRTC_OFFSET] = this.stride >>> 3;
    crtc[R.CRTC_HORIZONTAL_DISPLAY_END] = (vbe[R.VBE_XRES] >>> 3) - 1;
    crtc[R.CRTC_VERTICAL_DISPLAY_END] = lastLine;
    crtc[R.CRTC_LINE_COMPARE] = 0xff;
    crtc[R.CRTC_OVERFLOW] =
      (crtc[R.CRTC_OVERFLOW] & ~0x42) | 0x10 | ((lastLine >> 7) & 0x02) | ((lastLine >> 3) & 0x40);
    crtc[R.CRTC_MAXIMUM_SCAN_LINE] = (crtc[R.CRTC_MAXIMUM_SCAN_LINE] & ~0x9f) | 0x40;
    graphics[R.GC_MODE] &= ~(R.MODE_SHIFT_256 | R.MODE_SHIFT_INTERLEAVE);
    if (vbe[R.VBE_BPP] === 4) {
      sequencer[R.SEQ_CLOCKING_MODE] &= ~R.CLOCKING_HALF;
      sequencer[R.SEQ_MEMORY_MODE] &= ~R.MEMORY_CHAIN_4;
    } else {
      graphics[R.GC_MODE] |= R.MODE_SHIFT_256;
      sequencer[R.SEQ_MEMORY_MODE] |= R.MEMORY_CHAIN_4;
      sequencer[R.SEQ_MAP_MASK] |= 0xf;
    }
  }
}
