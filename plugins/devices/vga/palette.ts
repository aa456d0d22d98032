/** From attribute and palette registers to colours. A colour is a word of RGBA bytes, red lowest. */

import * as R from "./regs.ts";
import type { VgaState } from "./state.ts";

export const BLACK = 0xff00_0000;

export function rgba(red: number, green: number, blue: number): number {
  return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
}

/** The 256 entries of the DAC. `wide`: 8 bits per component, otherwise 6. */
export function dacColors(state: VgaState, wide: boolean): Uint32Array {
  const { palette, pelMask } = state;
  const colors = new Uint32Array(256);
  const widen = (value: number): number => (wide ? value : ((value << 2) | (value >> 4)) & 0xff);
  for (let i = 0; i < 256; i++) {
    const at = (i & pelMask) * 3;
    colors[i] = rgba(widen(palette[at]), widen(palette[at + 1]), widen(palette[at + 2]));
  }
  return colors;
}

/** The colours of the attribute controller's 16 values, after the plane mask. */
export function attributeColors(state: VgaState, dac: Uint32Array): Uint32Array {
  const { attribute } = state;
  const colors = new Uint32Array(16);
  const select = attribute[R.ATTR_COLOR_SELECT];
  for (let i = 0; i < 16; i++) {
    const entry = attribute[i & attribute[R.ATTR_COLOR_PLANE_ENABLE] & 0xf];
    const low =
      attribute[R.ATTR_MODE_CONTROL] & R.ATTR_P54_SELECT ? (entry & 0x0f) | ((select & 3) << 4) : entry & 0x3f;
    colors[i] = dac[low | ((select & 0x0c) << 4)];
  }
  return colors;
}
