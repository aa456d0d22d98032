/**
 * Drawing of Bochs display modes: rows of pixels in video memory, without a CRT controller's tricks.
 *
 * Invariant: every fetch is masked into video memory, which is a power of two.
 */

import type { Surface } from "../../../core/display/surface.ts";
import { attributeColors, BLACK, dacColors, rgba } from "./palette.ts";
import * as R from "./regs.ts";
import { isBlanked, planarPixel, surfaceOf, type Vram } from "./render.ts";
import type { VgaState } from "./state.ts";
import type { Vbe } from "./vbe.ts";

/** Draws the row that starts at byte `line`, from pixel `left` on. */
type RowDrawer = (row: Uint32Array, line: number, left: number) => void;

export function renderVbe(state: VgaState, vram: Vram, vbe: Vbe): Surface {
  const width = state.vbe[R.VBE_XRES];
  const height = state.vbe[R.VBE_YRES];
  const surface = surfaceOf(new Uint32Array(width * height).fill(BLACK), width, height);
  drawVbeRows(state, vram, vbe, surface, 0, height);
  return surface;
}

/** Draws rows `first` to `end` (exclusive) of a picture of the same registers anew. */
export function drawVbeRows(
  state: VgaState,
  vram: Vram,
  vbe: Vbe,
  { width, data }: Surface,
  first: number,
  end: number,
): void {
  if (isBlanked(state)) return;
  const pixels = new Uint32Array(data.buffer, data.byteOffset);
  const draw = rowDrawer(state, vram, dacColors(state, vbe.wideDac));
  for (let y = first; y < end; y++) {
    const line = (state.vbe[R.VBE_Y_OFFSET] + y) * vbe.stride;
    draw(pixels.subarray(y * width, (y + 1) * width), line, state.vbe[R.VBE_X_OFFSET]);
  }
}

/**
 * Where in video memory the picture lies, and the bytes from the start of a row to that of the next. Undefined when it is
 * in planes, or not in one piece.
 */
export function visibleBytes(
  { vbe }: VgaState,
  { bytes }: Vram,
  { stride }: Vbe,
): { readonly start: number; readonly end: number; readonly stride: number } | undefined {
  const start = vbe[R.VBE_Y_OFFSET] * stride;
  const end = start + vbe[R.VBE_YRES] * stride;
  const fits = end <= bytes.length && vbe[R.VBE_X_OFFSET] + vbe[R.VBE_XRES] <= vbe[R.VBE_VIRT_WIDTH];
  return vbe[R.VBE_BPP] !== 4 && stride > 0 && fits ? { start, end, stride } : undefined;
}

function rowDrawer(state: VgaState, vram: Vram, dac: Uint32Array): RowDrawer {
  const { bytes, words } = vram;
  const byteMask = bytes.length - 1;
  const wordMask = words.length - 1;
  switch (state.vbe[R.VBE_BPP]) {
    case 4: {
      const colors = attributeColors(state, dac);
      return (row, line, left) => {
        for (let i = 0, x = left; i < row.length; i++, x++) {
          row[i] = colors[planarPixel(words[(line + (x >> 3)) & wordMask], 7 - (x & 7))];
        }
      };
    }
    case 15:
    case 16: {
      const convert = state.vbe[R.VBE_BPP] === 15 ? from555 : from565;
      const high = state.bigEndian ? 0 : 1;
      return (row, line, left) => {
        for (let i = 0, at = line + left * 2; i < row.length; i++, at += 2) {
          row[i] = convert((bytes[(at + high) & byteMask] << 8) | bytes[(at + 1 - high) & byteMask]);
        }
      };
    }
    case 24: {
      const red = state.bigEndian ? 0 : 2;
      return (row, line, left) => {
        for (let i = 0, at = line + left * 3; i < row.length; i++, at += 3) {
          row[i] = rgba(bytes[(at + red) & byteMask], bytes[(at + 1) & byteMask], bytes[(at + 2 - red) & byteMask]);
        }
      };
    }
    case 32: {
      const [red, green, blue] = state.bigEndian ? [8, 16, 24] : [16, 8, 0];
      return (row, line, left) => {
        for (let i = 0, at = (line >>> 2) + left; i < row.length; i++, at++) {
          const value = words[at & wordMask];
          row[i] = rgba((value >>> red) & 0xff, (value >>> green) & 0xff, (value >>> blue) & 0xff);
        }
      };
    }
    default:
      return (row, line, left) => {
        for (let i = 0, at = line + left; i < row.length; i++, at++) row[i] = dac[bytes[at & byteMask]];
      };
  }
}

function from555(value: number): number {
  return rgba(five(value >> 10), five(value >> 5), five(value));
}

function from565(value: number): number {
  const green = (value >> 5) & 63;
  return rgba(five(value >> 11), (green << 2) | (green >> 4), five(value));
}

/** The low five bits, widened to eight. */
function five(value: number): number {
  return ((value & 31) << 3) | ((value & 31) >> 2);
}
