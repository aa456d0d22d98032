/**
 * The VGA's ports: 3C0h to 3CFh, and the CRT controller and status at 3B0h or 3D0h, as the miscellaneous output register
 * says. Indexed registers keep only the bits that exist.
 */

import type { Clock } from "../../../core/clock.ts";
import * as R from "./regs.ts";
import type { VgaState } from "./state.ts";
import { inputStatus1 } from "./timing.ts";

/** 3C0h and 3C1h mask; entry 0 to 15 is the palette. */
function attributeMask(index: number): number {
  if (index < 16 || index === R.ATTR_COLOR_PLANE_ENABLE) return 0x3f;
  if (index === R.ATTR_MODE_CONTROL) return 0xef;
  return index === R.ATTR_OVERSCAN ? 0xff : 0x0f;
}

export class VgaPorts {
  readonly #state: VgaState;
  readonly #clock: Clock;
  /** Registers changed that decide about memory accesses. */
  readonly #changed: () => void;
  readonly #wideDac: () => boolean;

  constructor(state: VgaState, clock: Clock, changed: () => void, wideDac: () => boolean) {
    this.#state = state;
    this.#clock = clock;
    this.#changed = changed;
    this.#wideDac = wideDac;
  }

  reset(): void {
    const state = this.#state;
    state.sequencerIndex = state.graphicsIndex = state.crtcIndex = state.attributeIndex = 0;
    state.attributeData = false;
    for (const registers of [state.sequencer, state.graphics, state.crtc, state.attribute, state.palette]) {
      registers.fill(0);
    }
    state.miscellaneous = state.featureControl = 0;
    state.latch = 0;
    state.pelMask = 0xff;
    state.dacReadIndex = state.dacWriteIndex = state.dacComponent = state.dacState = 0;
    state.dacPending.fill(0);
    state.bigEndian = false;
  }

  /** Reads port 3B0h to 3DFh. */
  read(port: number): number {
    const state = this.#state;
    if (this.#absent(port)) return 0xff;
    switch (port) {
      case 0x3c0:
        return state.attributeData ? 0 : state.attributeIndex;
      case 0x3c1:
        return state.attribute[state.attributeIndex & 0x1f] ?? 0;
      case 0x3c2:
        return 0x10; // switch sense: a colour monitor
      case 0x3c4:
        return state.sequencerIndex;
      case 0x3c5:
        return state.sequencer[state.sequencerIndex] ?? 0;
      case 0x3c6:
        return state.pelMask;
      case 0x3c7:
        return state.dacState;
      case 0x3c8:
        return state.dacWriteIndex;
      case 0x3c9:
        return this.#readDac();
      case 0x3ca:
        return state.featureControl;
      case 0x3cc:
        return state.miscellaneous;
      case 0x3ce:
        return state.graphicsIndex;
      case 0x3cf:
        return state.graphics[state.graphicsIndex] ?? 0;
      case 0x3b4:
      case 0x3d4:
        return state.crtcIndex;
      case 0x3b5:
      case 0x3d5:
        return state.crtc[state.crtcIndex] ?? 0;
      case 0x3ba:
      case 0x3da:
        state.attributeData = false;
        return inputStatus1(state, this.#clock.now());
      default:
        return 0xff;
    }
  }

  write(port: number, value: number): void {
    const state = this.#state;
    if (this.#absent(port)) return;
    switch (port) {
      case 0x3c0:
        if (state.attributeData) this.#writeAttribute(value);
        else state.attributeIndex = value & 0x3f;
        state.attributeData = !state.attributeData;
        break;
      case 0x3c2:
        state.miscellaneous = value & 0xef;
        this.#changed();
        break;
      case 0x3c4:
        state.sequencerIndex = value & 7;
        break;
      case 0x3c5:
        if (state.sequencerIndex >= R.SEQ_WRITABLE.length) break;
        state.sequencer[state.sequencerIndex] = value & R.SEQ_WRITABLE[state.sequencerIndex];
        this.#changed();
        break;
      case 0x3c6:
        state.pelMask = value;
        break;
      case 0x3c7:
        state.dacReadIndex = value;
        state.dacComponent = 0;
        state.dacState = 3;
        break;
      case 0x3c8:
        state.dacWriteIndex = value;
        state.dacComponent = 0;
        state.dacState = 0;
        break;
      case 0x3c9:
        this.#writeDac(value);
        break;
      case 0x3ce:
        state.graphicsIndex = value & 0x0f;
        break;
      case 0x3cf:
        if (state.graphicsIndex >= R.GC_WRITABLE.length) break;
        state.graphics[state.graphicsIndex] = value & R.GC_WRITABLE[state.graphicsIndex];
        this.#changed();
        break;
      case 0x3b4:
      case 0x3d4:
        state.crtcIndex = value;
        break;
      case 0x3b5:
      case 0x3d5:
        this.#writeCrtc(value);
        break;
      case 0x3ba:
      case 0x3da:
        state.featureControl = value & 0x10;
        break;
    }
  }

  /** The CRT controller answers at 3Bxh or 3Dxh, never at both. */
  #absent(port: number): boolean {
    const color = (this.#state.miscellaneous & R.MISC_COLOR_ADDRESSES) !== 0;
    return port < 0x3c0 ? color : port >= 0x3d0 && !color;
  }

  #writeAttribute(value: number): void {
    const { attribute, attributeIndex } = this.#state;
    const index = attributeIndex & 0x1f;
    if (index < R.ATTR_COUNT) attribute[index] = value & attributeMask(index);
  }

  #writeCrtc(value: number): void {
    const { crtc, crtcIndex } = this.#state;
    if (crtcIndex >= R.CRTC_COUNT) return;
    const isProtected = (crtc[R.CRTC_VERTICAL_RETRACE_END] & 0x80) !== 0;
    if (isProtected && crtcIndex <= R.CRTC_OVERFLOW) {
      // Protection leaves out the line compare bit.
      if (crtcIndex === R.CRTC_OVERFLOW) crtc[crtcIndex] = (crtc[crtcIndex] & ~0x10) | (value & 0x10);
      return;
    }
    crtc[crtcIndex] = value;
  }

  #readDac(): number {
    const state = this.#state;
    const value = state.palette[state.dacReadIndex * 3 + state.dacComponent];
    state.dacComponent = (state.dacComponent + 1) % 3;
    if (state.dacComponent === 0) state.dacReadIndex++;
    return value;
  }

  #writeDac(value: number): void {
    const state = this.#state;
    state.dacPending[state.dacComponent] = this.#wideDac() ? value : value & 0x3f;
    state.dacComponent = (state.dacComponent + 1) % 3;
    if (state.dacComponent !== 0) return;
    state.palette.set(state.dacPending, state.dacWriteIndex * 3);
    state.dacWriteIndex++;
  }
}
