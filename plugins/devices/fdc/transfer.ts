/**
 * The floppy controller's commands that move sectors (82078, section 6.1): one sector after the other between the image,
 * the sector buffer and the host.
 */

import type { BlockError } from "../../../core/block/port.ts";
import { RequestGate } from "../../../core/block/requests.ts";
import type { IsaDmaChannel } from "../../../core/bus/isa-dma.ts";
import { type Clock, NS_PER_MS, type Timer } from "../../../core/clock.ts";
import type { FloppyDrives } from "./drives.ts";
import type { Geometry } from "./geometry.ts";
import * as R from "./regs.ts";
import {
  type FdcState,
  OP_FORMAT,
  OP_READ_DELETED,
  OP_READ_TRACK,
  OP_VERIFY,
  OP_WRITE,
  PHASE_EXECUTION,
  PHASE_HOST_READS,
  PHASE_HOST_WRITES,
  SECTOR,
  SIZE_CODE,
  STAGE_COMMIT,
  STAGE_DMA,
  STAGE_FETCH,
  STAGE_NONE,
} from "./state.ts";

/** How long a transfer waits for its DMA channel to be unmasked: 200 times 1 ms, a turn of the disk. */
const DMA_RETRIES = 200;
const DMA_RETRY_NS = NS_PER_MS;

/** Data goes by DMA; else the host moves it through the FIFO. */
export const usesDma = ({ headLoad }: FdcState): boolean => (headLoad & 1) === 0;

/** What the controller around it offers. */
export interface TransferHost {
  setIrq(on: boolean): void;
  /** Enters the result phase with these bytes. */
  result(...bytes: number[]): void;
}

export interface TransferOptions {
  readonly name: string;
  readonly state: FdcState;
  readonly drives: FloppyDrives;
  readonly clock: Clock;
  readonly dma: IsaDmaChannel;
  readonly host: TransferHost;
}

export class Transfer {
  readonly #s: FdcState;
  readonly #drives: FloppyDrives;
  readonly #clock: Clock;
  readonly #dma: IsaDmaChannel;
  readonly #host: TransferHost;
  readonly #dmaRetry: Timer;
  readonly #requests = new RequestGate();

  constructor({ name, state, drives, clock, dma, host }: TransferOptions) {
    this.#s = state;
    this.#drives = drives;
    this.#clock = clock;
    this.#dma = dma;
    this.#host = host;
    this.#dmaRetry = clock.timer(`${name}.dma`, () => this.#moveDma());
  }

  /** Forgets the transfer under way. */
  cancel(): void {
    this.#requests.cancel();
    this.#dmaRetry.cancel();
  }

  /** Calls back once the backend has let go of the buffer. */
  whenIdle(then: () => void): void {
    this.#requests.whenIdle(then);
  }

  /** After loading state: starts again what execution waited for. */
  resume(): void {
    switch (this.#s.stage) {
      case STAGE_FETCH:
        this.#fetch();
        break;
      case STAGE_COMMIT:
        this.#commit();
        break;
      case STAGE_DMA:
        this.#retryDma();
        break;
    }
  }

  #select(byte: number): void {
    const s = this.#s;
    s.drive = byte & R.ST0_DRIVE;
    s.head = (byte & R.ST0_H) >> 2;
    s.phase = PHASE_EXECUTION;
    s.terminalCount = false;
    s.seeked = false;
    s.marks = 0;
    s.multiTrack = false;
    s.moved = s.wanted = 0;
  }

  start(operation: number): void {
    const s = this.#s;
    const { fifo } = s;
    this.#select(fifo[1]);
    s.operation = operation;
    s.multiTrack = operation !== OP_READ_TRACK && (fifo[0] & R.CMD_MT) !== 0;
    [s.cylinder, s.idHead, s.sector, s.sizeCode, s.endOfTrack] = fifo.subarray(2, 7);
    s.left = operation === OP_VERIFY && fifo[1] & R.VERIFY_EC ? fifo[8] || 256 : 0;
    if (operation === OP_READ_TRACK) s.sector = 1;
    if (s.config & R.CONFIG_EIS && this.#drives.port(s.drive) && this.#drives.track(s.drive) !== s.cylinder) {
      this.#drives.step(s.drive, s.cylinder);
      s.seeked = true;
    }
    if (operation === OP_WRITE && this.#writeProtected()) return;
    this.#nextSector();
  }

  #writeProtected(): boolean {
    const port = this.#drives.port(this.#s.drive);
    if (!port?.inserted || !port.readOnly) return false;
    this.#finish(R.ST1_NW, 0);
    return true;
  }

  /** Looks for the sector's address mark, and moves its data. */
  #nextSector(): void {
    const s = this.#s;
    const medium = this.#drives.medium;
    if (!medium) {
      this.#finish(R.ST1_MA | R.ST1_ND, 0);
      return;
    }
    const track = this.#drives.track(s.drive);
    if (s.cylinder !== track || s.idHead !== s.head || s.sizeCode !== SIZE_CODE) {
      this.#finish(R.ST1_ND, s.cylinder !== track ? R.ST2_WC : 0);
    } else if (s.sector === 0 || s.sector > medium.sectors || this.#offset(medium) + SECTOR > this.#imageLength) {
      this.#finish(R.ST1_ND, 0);
    } else if (s.operation === OP_WRITE) {
      this.#askHost(SECTOR);
    } else {
      this.#fetch();
    }
  }

  get #imageLength(): number {
    return this.#drives.port(this.#s.drive)?.length ?? 0;
  }

  #offset({ heads, sectors }: Geometry): number {
    const s = this.#s;
    return ((this.#drives.track(s.drive) * heads + s.head) * sectors + s.sector - 1) * SECTOR;
  }

  #fetch(): void {
    const s = this.#s;
    const port = this.#drives.port(s.drive);
    const medium = this.#drives.medium;
    if (!port || !medium) {
      this.#finish(R.ST1_MA | R.ST1_ND, 0);
      return;
    }
    s.phase = PHASE_EXECUTION;
    s.stage = STAGE_FETCH;
    this.#requests.start(
      (done) => port.read(this.#offset(medium), [s.buffer], done),
      (error) => this.#fetched(error),
    );
  }

  #fetched(error: BlockError): void {
    const s = this.#s;
    s.stage = STAGE_NONE;
    if (error) this.#finish(R.ST1_DE, R.ST2_DD);
    else if (s.operation === OP_VERIFY) this.#sectorDone();
    else this.#askHost(SECTOR);
  }

  #commit(): void {
    const s = this.#s;
    const port = this.#drives.port(s.drive);
    const medium = this.#drives.medium;
    if (!port || !medium) {
      this.#finish(R.ST1_MA | R.ST1_ND, 0);
      return;
    }
    s.phase = PHASE_EXECUTION;
    s.stage = STAGE_COMMIT;
    this.#requests.start(
      (done) => port.write(this.#offset(medium), [s.buffer], done),
      (error) => {
        s.stage = STAGE_NONE;
        if (error) this.#finish(R.ST1_DE, R.ST2_DD);
        else this.#sectorDone();
      },
    );
  }

  /** Moves `length` bytes between the buffer and the host. */
  #askHost(length: number): void {
    const s = this.#s;
    const out = s.operation === OP_WRITE || s.operation === OP_FORMAT;
    s.moved = 0;
    s.wanted = length;
    if (usesDma(s)) {
      s.phase = PHASE_EXECUTION;
      s.dmaRetries = DMA_RETRIES;
      this.#dma.setRequest(true);
      this.#moveDma();
    } else {
      s.phase = out ? PHASE_HOST_WRITES : PHASE_HOST_READS;
      this.#host.setIrq(true);
    }
  }

  #moveDma(): void {
    const s = this.#s;
    s.stage = STAGE_NONE;
    const part = s.buffer.subarray(s.moved, s.wanted);
    const out = s.operation === OP_WRITE || s.operation === OP_FORMAT;
    const { count, terminal } = out ? this.#dma.fromMemory(part) : this.#dma.toMemory(part);
    s.moved += count;
    s.terminalCount = terminal;
    if (terminal || s.moved === s.wanted) this.hostMoved();
    else if (s.dmaRetries === 0) this.#finish(R.ST1_OR, 0);
    else this.#retryDma();
  }

  /** The channel is masked: software has until the disk has turned once to set it up. */
  #retryDma(): void {
    const s = this.#s;
    s.stage = STAGE_DMA;
    s.dmaRetries--;
    this.#dmaRetry.arm(this.#clock.now() + DMA_RETRY_NS);
  }

  /** The host moved all it wanted of this sector (or of this address mark). */
  hostMoved(): void {
    const s = this.#s;
    if (s.phase !== PHASE_EXECUTION) {
      s.phase = PHASE_EXECUTION;
      this.#host.setIrq(false);
    }
    if (s.operation === OP_FORMAT) {
      this.#formatSector();
    } else if (s.operation === OP_WRITE) {
      s.buffer.fill(0, s.moved); // after a terminal count inside the sector
      this.#commit();
    } else {
      this.#sectorDone();
    }
  }

  /** A sector is finished: ends the command, or goes on with the next one. Table 5-2 gives the address that remains. */
  #sectorDone(): void {
    const s = this.#s;
    if (s.operation === OP_FORMAT) {
      this.#nextMark();
      return;
    }
    const counted = s.left > 0 && --s.left === 0;
    const last = s.sector === s.endOfTrack;
    // Data that is not marked as deleted ends READ DELETED DATA.
    if (s.operation === OP_READ_DELETED) s.marks = R.ST2_CM;
    const ended = s.terminalCount || counted || s.operation === OP_READ_DELETED;
    if (!last) s.sector++;
    else if (s.multiTrack && s.head === 0) {
      s.sector = 1;
      s.head = s.idHead = 1;
    } else if (ended || s.operation === OP_VERIFY || s.operation === OP_READ_TRACK) {
      s.sector = 1;
      s.cylinder++;
      if (s.multiTrack) s.idHead = 0;
      this.#finish(0, s.marks);
      return;
    } else {
      this.#finish(R.ST1_EN, s.marks);
      return;
    }
    if (ended) this.#finish(0, s.marks);
    else this.#nextSector();
  }

  /** The result phase of commands with addresses; any bit in ST1 makes it abnormal. */
  #finish(st1: number, st2: number): void {
    const s = this.#s;
    s.stage = STAGE_NONE;
    s.operation = 0;
    this.#dma.setRequest(false);
    const st0 = (st1 ? R.ST0_ABNORMAL : 0) | (s.seeked ? R.ST0_SE : 0) | (s.head << 2) | s.drive;
    this.#host.result(st0, st1, st2, s.cylinder, s.idHead, s.sector, s.sizeCode);
    this.#host.setIrq(true);
  }

  readId(): void {
    const s = this.#s;
    this.#select(s.fifo[1]);
    s.cylinder = this.#drives.track(s.drive);
    s.idHead = s.head;
    s.sector = 1;
    s.sizeCode = SIZE_CODE;
    this.#finish(this.#drives.medium ? 0 : R.ST1_MA | R.ST1_ND, 0);
  }

  format(): void {
    const s = this.#s;
    const { fifo } = s;
    this.#select(fifo[1]);
    s.operation = OP_FORMAT;
    s.sizeCode = fifo[2];
    s.left = fifo[3];
    s.filler = fifo[5];
    s.cylinder = this.#drives.track(s.drive);
    s.idHead = s.head;
    s.sector = 1;
    if (this.#writeProtected()) return;
    if (!this.#drives.medium || s.sizeCode !== SIZE_CODE) this.#finish(R.ST1_MA | R.ST1_ND, 0);
    else this.#nextMark();
  }

  /** Asks for the next sector's C, H, R and N. */
  #nextMark(): void {
    const s = this.#s;
    if (s.left === 0 || s.terminalCount) this.#finish(0, 0);
    else this.#askHost(4);
  }

  /** Fills the sector whose address the host gave. One that the image has no place for is not written. */
  #formatSector(): void {
    const s = this.#s;
    const [cylinder, head, sector, size] = s.buffer;
    const medium = this.#drives.medium;
    s.left--;
    s.sector = sector;
    const inside = medium !== undefined && sector >= 1 && sector <= medium.sectors;
    const here = cylinder === this.#drives.track(s.drive) && head === s.head && size === SIZE_CODE;
    if (s.moved < 4 || !inside || !here || this.#offset(medium) + SECTOR > this.#imageLength) {
      this.#nextMark();
      return;
    }
    s.buffer.fill(s.filler);
    this.#commit();
  }
}
