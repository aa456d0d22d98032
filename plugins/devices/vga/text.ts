/** The characters on the screen in text modes. */

import { CP437 } from "./cp437.ts";
import * as R from "./regs.ts";
import { characterColumns, planeAddress, startAddress } from "./render.ts";
import type { VgaState } from "./state.ts";
import { displayedLines } from "./timing.ts";

/** Rows from top to bottom, without trailing blanks. */
export function textRows(state: VgaState, words: Uint32Array): string[] {
  const { crtc } = state;
  const scan = crtc[R.CRTC_MAXIMUM_SCAN_LINE];
  const rowLines = ((scan & 0x1f) + 1) * (scan & 0x80 ? 2 : 1);
  const columns = characterColumns(state);
  const rows: string[] = [];
  let start = startAddress(state);
  for (let line = 0; line + rowLines <= displayedLines(state); line += rowLines) {
    let row = "";
    for (let column = 0; column < columns; column++) {
      row += CP437[words[planeAddress(state, start + column, 0)] & 0xff];
    }
    rows.push(row.replace(/[ \u00a0]+$/, ""));
    start += crtc[R.CRTC_OFFSET] * 2;
  }
  return rows;
}
