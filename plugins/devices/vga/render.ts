/**
 * Drawing: what the CRT controller fetches, what the graphics and attribute controllers make of it, line by line, as a
 * monitor would show it: a line that is scanned twice is drawn twice, a dot of half clock is two pixels wide.
 *
 * Invariant: whatever the registers say, every fetch is masked into video memory and every size is bounded (4608 by
 * 1024 pixels in standard modes).
 */

import type { Surface } from "../../../core/display/surface.ts";
import { PLANE_SIZE } from "./memory.ts";
import { attributeColors, BLACK, dacColors } from "./palette.ts";
import * as R from "./regs.ts";
import type { VgaState } from "./state.ts";
import { displayedLines, lineCompare } from "./timing.ts";

/** Video memory, both ways. */
export interface Vram {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
}

/** A frame at 70 Hz; the cursor blinks every 8 frames, characters every 16. */
const FRAME_NS = 1e9 / 70;
const CURSOR_FRAMES = 8;
const CHARACTER_FRAMES = 16;

/** Start of the character maps in plane 2. */
const FONT_OFFSETS = [0x0000, 0x4000, 0x8000, 0xc000, 0x2000, 0x6000, 0xa000, 0xe000];

export function isGraphics(state: VgaState): boolean {
  return (state.graphics[R.GC_MISCELLANEOUS] & R.MISC_GRAPHICS) !== 0;
}

/** Changes when the cursor or blinking characters of a text mode appear or vanish. */
export function blinkPhase(state: VgaState, now: number): number {
  return isGraphics(state) ? 0 : Math.floor(now / FRAME_NS) & (CURSOR_FRAMES | CHARACTER_FRAMES);
}

export function surfaceOf(pixels: Uint32Array, width: number, height: number): Surface {
  return { width, height, data: new Uint8Array(pixels.buffer) };
}

/** Columns on the screen. */
export function characterColumns(state: VgaState): number {
  return state.crtc[R.CRTC_HORIZONTAL_DISPLAY_END] + 1;
}

/** Counter value at the top left of the screen. */
export function startAddress(state: VgaState): number {
  const { crtc } = state;
  const start = (crtc[R.CRTC_START_ADDRESS_HIGH] << 8) | crtc[R.CRTC_START_ADDRESS_HIGH + 1];
  return start + ((crtc[R.CRTC_PRESET_ROW_SCAN] >> 5) & 3);
}

/** From the address counter and the row scan counter to a plane address (CRTC_UNDERLINE_LOCATION, CRTC_MODE_CONTROL). */
export function planeAddress(state: VgaState, counter: number, rowScan: number): number {
  const { crtc } = state;
  const mode = crtc[R.CRTC_MODE_CONTROL];
  let address = counter;
  if (crtc[R.CRTC_UNDERLINE_LOCATION] & 0x40) address = (counter << 2) | ((counter >> 14) & 3);
  else if ((mode & R.MODE_BYTE_ADDRESSES) === 0) {
    address = (counter << 1) | ((counter >> (mode & R.MODE_ADDRESS_WRAP ? 15 : 13)) & 1);
  }
  if ((mode & R.MODE_MA13) === 0) address = (address & ~0x2000) | ((rowScan & 1) << 13);
  if ((mode & R.MODE_MA14) === 0) address = (address & ~0x4000) | ((rowScan & 2) << 13);
  return address & (PLANE_SIZE - 1);
}

/** One scan line's worth of fetches: where it starts and which row of a character it shows. */
type LineDrawer = (dots: Uint32Array, counter: number, rowScan: number, panning: number) => void;

/** Draws the standard VGA modes. */
export function renderVga(state: VgaState, vram: Vram, wideDac: boolean, now: number): Surface {
  const { crtc, sequencer } = state;
  const dotsPerCharacter = isGraphics(state) || sequencer[R.SEQ_CLOCKING_MODE] & R.CLOCKING_8_DOTS ? 8 : 9;
  const scale = sequencer[R.SEQ_CLOCKING_MODE] & R.CLOCKING_HALF ? 2 : 1;
  const dotsPerLine = characterColumns(state) * dotsPerCharacter;
  const width = dotsPerLine * scale;
  const height = displayedLines(state);
  const pixels = new Uint32Array(width * height).fill(BLACK);
  if (isBlanked(state)) return surfaceOf(pixels, width, height);

  const draw = (isGraphics(state) ? graphicsDrawer : textDrawer)(state, vram, wideDac, now, dotsPerCharacter);
  // Room for the character that panning brings in at the right.
  const dots = new Uint32Array(dotsPerLine + 2 * dotsPerCharacter);
  const lastRowScan = crtc[R.CRTC_MAXIMUM_SCAN_LINE] & 0x1f;
  const doubled = (crtc[R.CRTC_MAXIMUM_SCAN_LINE] & 0x80) !== 0;
  const compare = lineCompare(state);
  let row = startAddress(state);
  let rowScan = crtc[R.CRTC_PRESET_ROW_SCAN] & 0x1f;
  let panning = pixelPanning(state, dotsPerCharacter);
  let second = false;
  for (let y = 0; y < height; y++) {
    if (y === compare + 1) {
      row = 0;
      rowScan = 0;
      second = false;
      if (state.attribute[R.ATTR_MODE_CONTROL] & R.ATTR_PANNING_COMPATIBLE) panning = 0;
    }
    draw(dots, row, rowScan, panning);
    const at = y * width;
    if (scale === 1) pixels.set(dots.subarray(panning, panning + width), at);
    else for (let x = 0; x < width; x++) pixels[at + x] = dots[panning + (x >> 1)];
    if (doubled && !second) {
      second = true;
      continue;
    }
    second = false;
    if (rowScan === lastRowScan) {
      rowScan = 0;
      row += crtc[R.CRTC_OFFSET] * 2;
    } else rowScan = (rowScan + 1) & 0x1f;
  }
  return surfaceOf(pixels, width, height);
}

export function isBlanked(state: VgaState): boolean {
  return (
    (state.attributeIndex & R.ATTR_PAS) === 0 || (state.sequencer[R.SEQ_CLOCKING_MODE] & R.CLOCKING_SCREEN_OFF) !== 0
  );
}

/** Dots that the picture is shifted to the left. */
function pixelPanning(state: VgaState, dotsPerCharacter: number): number {
  const value = state.attribute[R.ATTR_HORIZONTAL_PANNING] & 0xf;
  if (dotsPerCharacter === 9) return value >= 8 ? 0 : value + 1;
  // In 256-colour modes the register counts half pixels: two dots of a pixel are one step of two.
  return value & 7;
}

function graphicsDrawer(state: VgaState, vram: Vram, wideDac: boolean): LineDrawer {
  const { words } = vram;
  const { crtc, graphics } = state;
  const dac = dacColors(state, wideDac);
  const colors = attributeColors(state, dac);
  const mode = graphics[R.GC_MODE];
  const countShift = crtc[R.CRTC_UNDERLINE_LOCATION] & 0x20 ? 2 : crtc[R.CRTC_MODE_CONTROL] & R.MODE_COUNT_BY_2 ? 1 : 0;
  return (dots, row, rowScan) => {
    for (let i = 0; i * 8 + 8 <= dots.length; i++) {
      const data = words[planeAddress(state, row + (i >> countShift), rowScan)];
      const at = i * 8;
      if (mode & R.MODE_SHIFT_256) {
        for (let k = 0; k < 8; k++) dots[at + k] = dac[(data >>> ((k >> 1) * 8)) & 0xff];
      } else if (mode & R.MODE_SHIFT_INTERLEAVE) {
        for (let k = 0; k < 8; k++) {
          // Four pixels from planes 0 and 2, then four from planes 1 and 3.
          const pair = data >>> (k < 4 ? 0 : 8);
          const shift = 6 - (k & 3) * 2;
          dots[at + k] = colors[((pair >>> shift) & 3) | (((pair >>> (16 + shift)) & 3) << 2)];
        }
      } else {
        for (let k = 0; k < 8; k++) dots[at + k] = colors[planarPixel(data, 7 - k)];
      }
    }
  };
}

/** Bit `bit` of each of the four planes. */
export function planarPixel(data: number, bit: number): number {
  const bits = data >>> bit;
  return (bits & 1) | ((bits >>> 7) & 2) | ((bits >>> 14) & 4) | ((bits >>> 21) & 8);
}

function textDrawer(state: VgaState, vram: Vram, wideDac: boolean, now: number, dotsPerCharacter: number): LineDrawer {
  const { words } = vram;
  const { crtc, sequencer, attribute } = state;
  const colors = attributeColors(state, dacColors(state, wideDac));
  const mode = attribute[R.ATTR_MODE_CONTROL];
  const select = sequencer[R.SEQ_CHARACTER_MAP_SELECT];
  const fontA = FONT_OFFSETS[((select >> 3) & 4) | ((select >> 2) & 3)];
  const fontB = FONT_OFFSETS[((select >> 2) & 4) | (select & 3)];
  const phase = blinkPhase(state, now);
  const blinkedOut = (mode & R.ATTR_BLINK) !== 0 && (phase & CHARACTER_FRAMES) !== 0;
  const cursorStart = crtc[R.CRTC_CURSOR_START] & 0x1f;
  const cursorEnd = crtc[R.CRTC_CURSOR_END] & 0x1f;
  const cursorShown = (crtc[R.CRTC_CURSOR_START] & 0x20) === 0 && (phase & CURSOR_FRAMES) === 0;
  const cursorAt =
    ((crtc[R.CRTC_CURSOR_LOCATION_HIGH] << 8) | crtc[R.CRTC_CURSOR_LOCATION_HIGH + 1]) +
    ((crtc[R.CRTC_CURSOR_END] >> 5) & 3);
  const underline = crtc[R.CRTC_UNDERLINE_LOCATION] & 0x1f;
  return (dots, row, rowScan) => {
    for (let i = 0; (i + 1) * dotsPerCharacter <= dots.length; i++) {
      const data = words[planeAddress(state, row + i, rowScan)];
      const character = data & 0xff;
      const color = (data >>> 8) & 0xff;
      const font = color & 0x08 ? fontA : fontB;
      let bits = (words[(font + character * 32 + rowScan) & (PLANE_SIZE - 1)] >>> 16) & 0xff;
      if (blinkedOut && color & 0x80) bits = 0;
      if (mode & R.ATTR_MONOCHROME && rowScan === underline && (color & 0x07) === 0x01) bits = 0x1ff;
      if (cursorShown && row + i === cursorAt && rowScan >= cursorStart && rowScan <= cursorEnd) bits = 0x1ff;
      const foreground = colors[color & 0x0f];
      const background = colors[mode & R.ATTR_BLINK ? (color >> 4) & 7 : color >> 4];
      const at = i * dotsPerCharacter;
      for (let k = 0; k < 8; k++) dots[at + k] = (bits >> (7 - k)) & 1 ? foreground : background;
      if (dotsPerCharacter === 8) continue;
      const joined = mode & R.ATTR_LINE_GRAPHICS && character >= 0xc0 && character <= 0xdf;
      dots[at + 8] = bits > 0xff || (joined && bits & 1) ? foreground : background;
    }
  };
}
