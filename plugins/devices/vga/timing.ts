/** Where the beam is: the CRT controller's counters, computed from the clock. */

import * as R from "./regs.ts";
import type { VgaState } from "./state.ts";

const DOT_CLOCKS = [25_175_000, 28_322_000];

/** The vertical counters' bits beyond the first eight: [bit 8, bit 9] in CRTC_OVERFLOW. */
function vertical(state: VgaState, register: number, bit8: number, bit9: number): number {
  const { crtc } = state;
  const overflow = crtc[R.CRTC_OVERFLOW];
  return crtc[register] | (((overflow >> bit8) & 1) << 8) | (((overflow >> bit9) & 1) << 9);
}

/** Scan lines on the screen. */
export function displayedLines(state: VgaState): number {
  return vertical(state, R.CRTC_VERTICAL_DISPLAY_END, 1, 6) + 1;
}

/** The scan line after which the address counter starts at zero again. */
export function lineCompare(state: VgaState): number {
  const { crtc } = state;
  const low = crtc[R.CRTC_LINE_COMPARE] | ((crtc[R.CRTC_OVERFLOW] & 0x10) << 4);
  return low | ((crtc[R.CRTC_MAXIMUM_SCAN_LINE] & 0x40) << 3);
}

/** Nanoseconds per frame and per line, and what the counters compare with. */
function frame(state: VgaState): { lineNs: number; lines: number; retrace: number; characters: number } {
  const { crtc, sequencer, miscellaneous } = state;
  const characters = crtc[R.CRTC_HORIZONTAL_TOTAL] + 5;
  const dots = characters * (sequencer[R.SEQ_CLOCKING_MODE] & R.CLOCKING_8_DOTS ? 8 : 9);
  const clock = DOT_CLOCKS[(miscellaneous >> 2) & 1] / (sequencer[R.SEQ_CLOCKING_MODE] & R.CLOCKING_HALF ? 2 : 1);
  const lines = vertical(state, R.CRTC_VERTICAL_TOTAL, 0, 5) + 2;
  const lineNs = (dots * 1e9) / clock;
  // Before a mode is set, or with nonsense in the registers, the frame is that of 80 by 25 text.
  if (characters < 20 || lines < 100) return { lineNs: 31777, lines: 449, retrace: 412, characters: 100 };
  return { lineNs, lines, retrace: vertical(state, R.CRTC_VERTICAL_RETRACE_START, 2, 7), characters };
}

/** Input status 1: whether the display is blanked, and the vertical retrace. */
export function inputStatus1(state: VgaState, now: number): number {
  const { crtc } = state;
  const { lineNs, lines, retrace, characters } = frame(state);
  const at = (now % (lineNs * lines)) / lineNs;
  const line = Math.floor(at);
  const character = (at - line) * characters;
  const blanked = line >= displayedLines(state) || character >= crtc[R.CRTC_HORIZONTAL_DISPLAY_END] + 1;
  const inRetrace = ((line - retrace) & 0x3ff) < ((crtc[R.CRTC_VERTICAL_RETRACE_END] - retrace) & 0xf || 2);
  return (
    (blanked ? R.STATUS_DISPLAY_DISABLED : 0) | (inRetrace ? R.STATUS_VERTICAL_RETRACE | R.STATUS_DISPLAY_DISABLED : 0)
  );
}
