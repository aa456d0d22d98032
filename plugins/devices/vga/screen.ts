/**
 * The picture that was drawn last, and what of it has to be drawn anew: all of it after a change of a register that
 * matters or a blink, else the rows whose memory was written to.
 *
 * Invariant: `draw` returns what drawing everything would.
 */

import type { Surface } from "../../../core/display/surface.ts";
import type { DirtyLog } from "../../../core/memory/dirty-log.ts";
import { PLANE_SIZE } from "./memory.ts";
import { blinkPhase, renderVga, type Vram } from "./render.ts";
import { drawVbeRows, renderVbe, visibleBytes } from "./render-vbe.ts";
import type { VgaState } from "./state.ts";
import type { Vbe } from "./vbe.ts";

/** All that the standard modes show. */
const PLANES = { start: 0, end: PLANE_SIZE * 4 };

export class Screen {
  readonly #state: VgaState;
  readonly #vram: Vram;
  readonly #vbe: Vbe;
  readonly #log: DirtyLog | undefined;
  #picture: Surface | undefined;
  /** The registers that the picture was drawn with. */
  #registers = new Uint16Array(0);

  /** Without a log of the writes to video memory everything is drawn each time. */
  constructor(state: VgaState, vram: Vram, vbe: Vbe, log?: DirtyLog) {
    this.#state = state;
    this.#vram = vram;
    this.#vbe = vbe;
    this.#log = log;
  }

  /** The picture at `now` (ns). The next call may change it. */
  draw(now: number): Surface {
    const known = this.#isDrawnWith(now) && this.#log !== undefined;
    this.#picture = this.#vbe.enabled ? this.#drawVbe(known) : this.#drawVga(known, now);
    return this.#picture;
  }

  #isDrawnWith(now: number): boolean {
    const { sequencer, graphics, crtc, attribute, palette, vbe } = this.#state;
    const { attributeIndex, miscellaneous, pelMask, bigEndian } = this.#state;
    const single = [attributeIndex, miscellaneous, pelMask, bigEndian ? 1 : 0, blinkPhase(this.#state, now)];
    const registers = Uint16Array.from([
      ...sequencer,
      ...graphics,
      ...crtc,
      ...attribute,
      ...palette,
      ...vbe,
      ...single,
    ]);
    const before = this.#registers;
    this.#registers = registers;
    return before.length > 0 && registers.every((value, i) => value === before[i]);
  }

  #drawVga(known: boolean, now: number): Surface {
    const dirty = this.#log?.take(PLANES.start, PLANES.end);
    if (known && this.#picture && dirty?.length === 0) return this.#picture;
    return renderVga(this.#state, this.#vram, this.#vbe.wideDac, now);
  }

  #drawVbe(known: boolean): Surface {
    const bytes = visibleBytes(this.#state, this.#vram, this.#vbe);
    const dirty = bytes && this.#log?.take(bytes.start, bytes.end - bytes.start);
    const picture = this.#picture;
    if (!known || !picture || !bytes || !dirty) return renderVbe(this.#state, this.#vram, this.#vbe);
    let drawn = 0;
    for (const { start, end } of dirty) {
      const first = Math.max(Math.floor((start - bytes.start) / bytes.stride), drawn);
      drawn = Math.min(Math.ceil((end - bytes.start) / bytes.stride), picture.height);
      drawVbeRows(this.#state, this.#vram, this.#vbe, picture, first, drawn);
    }
    return picture;
  }
}
