/** The controller's two drives: what they are, where their heads stand and what lies under them. */

import type { BlockPort } from "../../../core/block/port.ts";
import { type DriveType, type Geometry, geometryOf } from "./geometry.ts";
import * as R from "./regs.ts";
import type { FdcState } from "./state.ts";

export const LAST_TRACK = 84;

interface Drive {
  readonly port: BlockPort;
  readonly type: DriveType;
}

export class FloppyDrives {
  readonly #s: FdcState;
  readonly #drives: (Drive | undefined)[] = [undefined, undefined];

  constructor(state: FdcState) {
    this.#s = state;
  }

  /** Connects drive 0 (A) or 1 (B). The type follows the medium when it is "auto". */
  attach(index: 0 | 1, port: BlockPort, type: DriveType | "auto"): void {
    const chosen = type !== "auto" ? type : port.inserted ? geometryOf(port.length).drive : "288";
    this.#drives[index] = { port, type: chosen };
    this.#s.drives[index].changed = true;
    port.onMediumChange(() => {
      this.#s.drives[index].changed = true;
    });
  }

  type(index: number): DriveType | "none" {
    return this.#drives[index]?.type ?? "none";
  }

  port(index: number): BlockPort | undefined {
    return this.#drives[index]?.port;
  }

  /** The disk change line of a drive. */
  changed(index: number): boolean {
    return this.#drives[index] !== undefined && this.#s.drives[index].changed;
  }

  /** The track of the drive that a command's second byte selects. */
  track(select: number): number {
    return this.#s.drives[select & R.ST0_DRIVE]?.track ?? 0;
  }

  /** ST3. */
  status(select: number): number {
    const index = select & R.ST0_DRIVE;
    const port = this.port(index);
    const protect = port?.inserted && port.readOnly ? R.ST3_WP : 0;
    const track0 = port && this.track(index) === 0 ? R.ST3_T0 : 0;
    return R.ST3_FIXED | protect | track0 | (select & (R.ST3_HD | R.ST0_DRIVE));
  }

  /** Moves the heads; the first step with a medium in clears the disk change line. */
  step(index: number, track: number): void {
    const drive = this.#s.drives[index];
    const to = Math.min(track, LAST_TRACK);
    if (to !== drive.track && this.port(index)?.inserted) drive.changed = false;
    drive.track = to;
  }

  /** The selected drive's medium as the heads see it now; undefined when they find no address marks. */
  get medium(): Geometry | undefined {
    const { drive, head, rate, fifo } = this.#s;
    const port = this.port(drive);
    if (!port?.inserted) return undefined;
    const geometry = geometryOf(port.length);
    const readable = geometry.rates.includes(rate) && (fifo[0] & R.CMD_MFM) !== 0;
    return readable && this.track(drive) < geometry.tracks && head < geometry.heads ? geometry : undefined;
  }
}
