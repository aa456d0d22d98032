/**
 * The 82078 floppy disk controller in AT mode (Intel 290475) with two drives: DMA and non-DMA transfers, implied seek,
 * multi-track.
 *
 * Invariants:
 *  1. The FIFO takes and gives bytes only while MSR.RQM is set, and in the direction that DIO says.
 *  2. The sector buffer belongs to the block backend while a request is under way; a reset in between shows its
 *     interrupt only after that request has completed.
 *  3. Every transfer ends: the sector number only grows up to EOT or the track's last sector, at most twice (two heads).
 *
 * DEVIATION: nothing takes time and motors need not turn; sectors have 512 bytes and MFM marks; deleted-data marks are
 * not kept; a drive without a medium reports missing address marks at once, where hardware waits for an index pulse.
 */

import type { BlockPort } from "../../../core/block/port.ts";
import type { FloppyController } from "../../../core/board.ts";
import type { IoRegion } from "../../../core/bus/io.ts";
import type { IsaDmaChannel } from "../../../core/bus/isa-dma.ts";
import type { Clock } from "../../../core/clock.ts";
import type { Device } from "../../../core/device.ts";
import type { IrqLine } from "../../../core/irq.ts";
import type { StateArena } from "../../../core/state/state.ts";
import { type CommandName, commandOf } from "./commands.ts";
import { FloppyDrives, LAST_TRACK } from "./drives.ts";
import type { DriveType } from "./geometry.ts";
import * as R from "./regs.ts";
import {
  FDC_STATE,
  type FdcState,
  OP_READ,
  OP_READ_DELETED,
  OP_READ_TRACK,
  OP_VERIFY,
  OP_WRITE,
  PHASE_COMMAND,
  PHASE_EXECUTION,
  PHASE_HOST_READS,
  PHASE_HOST_WRITES,
  PHASE_PARAMETERS,
  PHASE_RESET,
  PHASE_RESULT,
  STAGE_NONE,
} from "./state.ts";
import { Transfer, usesDma } from "./transfer.ts";

const VERSION_82078 = 0x90;
const PART_82078 = 0x41;

export interface FdcOptions {
  readonly name: string;
  readonly arena: StateArena;
  readonly clock: Clock;
  /** ISA interrupt 6. */
  readonly irq: IrqLine;
  /** ISA DMA channel 2. */
  readonly dma: IsaDmaChannel;
}

export class Fdc implements Device, FloppyController {
  /** SRA to FIFO, at 3F0h. */
  readonly io: IoRegion;
  /** DIR and CCR, at 3F7h. */
  readonly rateIo: IoRegion;
  readonly #s: FdcState;
  readonly #irq: IrqLine;
  readonly #dma: IsaDmaChannel;
  readonly #drives: FloppyDrives;
  readonly #transfer: Transfer;

  constructor(options: FdcOptions) {
    this.#s = options.arena.attach(options.name, FDC_STATE);
    this.#irq = options.irq;
    this.#dma = options.dma;
    this.#drives = new FloppyDrives(this.#s);
    const { name, clock, dma } = options;
    const host = {
      setIrq: (on: boolean) => this.#setIrq(on),
      result: (...bytes: number[]) => this.#result(...bytes),
    };
    this.#transfer = new Transfer({ name, state: this.#s, drives: this.#drives, clock, dma, host });
    this.io = {
      name: "fdc",
      length: 6,
      max: 1,
      handler: { read: (offset) => this.#read(offset), write: (offset, value) => this.#write(offset, value) },
    };
    this.rateIo = {
      name: "fdc-rate",
      length: 1,
      max: 1,
      handler: { read: () => this.#directory(), write: (_offset, value) => this.#setRate(value) },
    };
    this.reset();
  }

  /** Connects drive 0 (A) or 1 (B). The type follows the medium when it is "auto". */
  attach(index: 0 | 1, port: BlockPort, type: DriveType | "auto" = "auto"): void {
    this.#drives.attach(index, port, type);
  }

  driveType(index: number): DriveType | "none" {
    return this.#drives.type(index);
  }

  /** Power-on: DOR holds the controller in reset until software releases it. */
  reset(): void {
    const s = this.#s;
    s.dor = s.tdr = s.dsr = 0;
    s.rate = R.RATE_250K;
    s.locked = false;
    s.stepRate = s.headLoad = s.perpendicular = s.powerdown = 0;
    this.#enterReset();
    for (const drive of s.drives) {
      drive.track = 0;
      drive.changed = true;
    }
  }

  loaded(): void {
    const s = this.#s;
    this.#setIrq(s.irq);
    this.#transfer.cancel();
    this.#transfer.whenIdle(() => {
      if (s.resetting) this.#finishReset();
      else this.#transfer.resume();
    });
  }

  // --- registers -------------------------------------------------------------------------------------------------------

  #read(offset: number): number {
    const s = this.#s;
    switch (offset) {
      case R.PORT_DOR:
        return s.dor;
      case R.PORT_TDR:
        return s.tdr;
      case R.PORT_MSR:
        return this.#mainStatus();
      case R.PORT_FIFO:
        return this.#readFifo();
      default:
        return 0xff; // SRA and SRB exist in PS/2 mode only
    }
  }

  #write(offset: number, value: number): void {
    const s = this.#s;
    switch (offset) {
      case R.PORT_DOR:
        this.#writeDor(value);
        break;
      case R.PORT_TDR:
        s.tdr = value & 3;
        break;
      case R.PORT_MSR:
        s.dsr = value & ~R.DSR_SW_RESET;
        s.rate = value & R.RATE_MASK;
        if (value & R.DSR_SW_RESET) {
          this.#enterReset();
          if (s.dor & R.DOR_RESET) this.#leaveReset();
        }
        break;
      case R.PORT_FIFO:
        this.#writeFifo(value);
    }
  }

  #writeDor(value: number): void {
    const s = this.#s;
    const before = s.dor;
    s.dor = value;
    if (before & ~value & R.DOR_RESET) this.#enterReset();
    if (~before & value & R.DOR_RESET) this.#leaveReset();
    this.#setIrq(s.irq);
  }

  /** DIR: the disk change line of the selected drive. */
  #directory(): number {
    const drive = this.#s.dor & R.DOR_DRIVE;
    return this.#drives.changed(drive) ? R.DIR_DSKCHG : 0;
  }

  /** CCR. */
  #setRate(value: number): void {
    this.#s.rate = value & R.RATE_MASK;
  }

  #mainStatus(): number {
    const s = this.#s;
    let seeking = 0;
    for (let i = 0; i < 4; i++) if (s.sense[i] & R.ST0_SE) seeking |= 1 << i;
    switch (s.phase) {
      case PHASE_RESET:
        return 0;
      case PHASE_COMMAND:
        return R.MSR_RQM | seeking;
      case PHASE_PARAMETERS:
        return R.MSR_RQM | R.MSR_CB | seeking;
      case PHASE_EXECUTION:
        return R.MSR_CB | (usesDma(s) ? 0 : R.MSR_NDM);
      case PHASE_HOST_READS:
        return R.MSR_RQM | R.MSR_DIO | R.MSR_NDM | R.MSR_CB;
      case PHASE_HOST_WRITES:
        return R.MSR_RQM | R.MSR_NDM | R.MSR_CB;
      default:
        return R.MSR_RQM | R.MSR_DIO | R.MSR_CB;
    }
  }

  #readFifo(): number {
    const s = this.#s;
    if (s.phase === PHASE_HOST_READS) {
      const value = s.buffer[s.moved];
      s.moved++;
      if (s.moved === s.wanted) this.#transfer.hostMoved();
      return value;
    }
    if (s.phase !== PHASE_RESULT) return 0;
    this.#setIrq(false);
    const value = s.fifo[s.position];
    s.position++;
    if (s.position === s.length) s.phase = PHASE_COMMAND;
    return value;
  }

  #writeFifo(value: number): void {
    const s = this.#s;
    if (s.phase === PHASE_HOST_WRITES) {
      s.buffer[s.moved] = value;
      s.moved++;
      if (s.moved === s.wanted) this.#transfer.hostMoved();
    } else if (s.phase === PHASE_COMMAND) {
      const command = commandOf(value);
      s.fifo[0] = value;
      s.position = 1;
      s.length = 1 + (command?.parameters ?? 0);
      if (!command) this.#result(R.ST0_INVALID);
      else if (command.parameters === 0) this.#execute(command.name);
      else s.phase = PHASE_PARAMETERS;
    } else if (s.phase === PHASE_PARAMETERS) {
      s.fifo[s.position] = value;
      s.position++;
      const command = commandOf(s.fifo[0]);
      // DRIVE SPECIFICATION ends with the byte that has bit 7 set.
      const ended = command?.name === "drive-specification" && value & 0x80;
      if (command && (ended || s.position === s.length)) this.#execute(command.name);
    }
  }

  #setIrq(on: boolean): void {
    const s = this.#s;
    s.irq = on;
    this.#irq.set(on && (s.dor & R.DOR_DMAGATE) !== 0);
  }

  // --- reset -----------------------------------------------------------------------------------------------------------

  #enterReset(): void {
    const s = this.#s;
    this.#transfer.cancel();
    this.#dma.setRequest(false);
    s.resetting = false;
    s.phase = PHASE_RESET;
    s.stage = STAGE_NONE;
    s.operation = 0;
    s.length = s.position = 0;
    s.sense.fill(0);
    if (!s.locked) {
      s.config = R.CONFIG_EFIFO;
      s.precompensation = 0;
    }
    this.#setIrq(false);
  }

  #leaveReset(): void {
    this.#s.resetting = true;
    this.#transfer.whenIdle(() => this.#finishReset());
  }

  /** Drive polling finds all four drives changed: section 6.4. */
  #finishReset(): void {
    const s = this.#s;
    s.resetting = false;
    s.phase = PHASE_COMMAND;
    if (s.config & R.CONFIG_POLL) return;
    for (let i = 0; i < 4; i++) s.sense[i] = R.ST0_POLLING | i;
    this.#setIrq(true);
  }

  // --- commands --------------------------------------------------------------------------------------------------------

  #result(...bytes: number[]): void {
    const s = this.#s;
    s.fifo.set(bytes);
    s.length = bytes.length;
    s.position = 0;
    s.phase = PHASE_RESULT;
  }

  #done(): void {
    this.#s.phase = PHASE_COMMAND;
  }

  #execute(name: CommandName): void {
    const s = this.#s;
    const { fifo } = s;
    switch (name) {
      case "read":
        this.#transfer.start(OP_READ);
        break;
      case "read-deleted":
        this.#transfer.start(OP_READ_DELETED);
        break;
      case "read-track":
        this.#transfer.start(OP_READ_TRACK);
        break;
      case "write":
        this.#transfer.start(OP_WRITE);
        break;
      case "verify":
        this.#transfer.start(OP_VERIFY);
        break;
      case "format":
        this.#transfer.format();
        break;
      case "read-id":
        this.#transfer.readId();
        break;
      case "specify":
        s.stepRate = fifo[1];
        s.headLoad = fifo[2];
        this.#done();
        break;
      case "sense-drive":
        this.#result(this.#drives.status(fifo[1]));
        break;
      case "sense-interrupt":
        this.#senseInterrupt();
        break;
      case "recalibrate":
        this.#seek(0, true);
        break;
      case "seek":
        this.#seek(fifo[2]);
        break;
      case "seek-out":
        this.#seek(Math.max(0, this.#drives.track(fifo[1]) - fifo[2]));
        break;
      case "seek-in":
        this.#seek(Math.min(255, this.#drives.track(fifo[1]) + fifo[2]));
        break;
      case "version":
        this.#result(VERSION_82078);
        break;
      case "part-id":
        this.#result(PART_82078);
        break;
      case "configure":
        s.config = fifo[2] & 0x7f;
        s.precompensation = fifo[3];
        this.#done();
        break;
      case "lock":
        s.locked = (fifo[0] & 0x80) !== 0;
        this.#result(s.locked ? 0x10 : 0);
        break;
      case "perpendicular":
        // OW enables writing D3 to D0; GAP and WGATE are always taken.
        s.perpendicular = fifo[1] & 0x80 ? fifo[1] & 0x3f : (s.perpendicular & 0x3c) | (fifo[1] & 3);
        this.#done();
        break;
      case "dump-registers":
        this.#dumpRegisters();
        break;
      case "powerdown":
        s.powerdown = fifo[1];
        this.#result(s.powerdown);
        break;
      case "option":
        this.#done();
        break;
      case "drive-specification":
        if (fifo[s.position - 1] & 0x40) this.#done();
        else this.#result(0, 0, 0, 0);
        break;
      case "save":
        this.#save();
        break;
      case "restore":
        this.#restore();
        break;
    }
  }

  #senseInterrupt(): void {
    const s = this.#s;
    const index = s.sense.findIndex((status) => status !== 0);
    this.#setIrq(false);
    if (index < 0) {
      this.#result(R.ST0_INVALID);
      return;
    }
    const status = s.sense[index];
    s.sense[index] = 0;
    this.#result(status, this.#drives.track(index));
  }

  #seek(to: number, recalibrate = false): void {
    const s = this.#s;
    const select = s.fifo[1] & (R.ST0_H | R.ST0_DRIVE);
    const index = select & R.ST0_DRIVE;
    // A seek ends the polling that follows a reset.
    for (let i = 0; i < 4; i++) if ((s.sense[i] & R.ST0_POLLING) === R.ST0_POLLING) s.sense[i] = 0;
    const present = this.#drives.type(index) !== "none";
    if (present) this.#drives.step(index, to);
    // Without a drive there is no track 0 signal.
    s.sense[index] = R.ST0_SE | select | (recalibrate && !present ? R.ST0_ABNORMAL | R.ST0_EC : 0);
    this.#done();
    this.#setIrq(true);
  }

  /** What DUMPREG and SAVE have in common. */
  get #configuration(): number[] {
    const { stepRate, headLoad, endOfTrack, locked, perpendicular, config, precompensation } = this.#s;
    return [stepRate, headLoad, endOfTrack, (locked ? 0x80 : 0) | perpendicular, config, precompensation];
  }

  #dumpRegisters(): void {
    const [a, b] = this.#s.drives;
    this.#result(a.track, b.track, 0, 0, ...this.#configuration);
  }

  #save(): void {
    const { dsr, drives, powerdown } = this.#s;
    this.#result(dsr, 0, 0, 0, drives[0].track, drives[1].track, 0, 0, ...this.#configuration, powerdown, 0);
  }

  #restore(): void {
    const s = this.#s;
    const bytes = s.fifo.subarray(1, 17);
    s.dsr = bytes[0] & ~R.DSR_SW_RESET;
    s.drives[0].track = Math.min(bytes[4], LAST_TRACK);
    s.drives[1].track = Math.min(bytes[5], LAST_TRACK);
    s.stepRate = bytes[8];
    s.headLoad = bytes[9];
    s.endOfTrack = bytes[10];
    s.locked = (bytes[11] & 0x80) !== 0;
    s.perpendicular = bytes[11] & 0x3f;
    s.config = bytes[12] & 0x7f;
    s.precompensation = bytes[13];
    s.powerdown = bytes[14];
    this.#done();
  }
}
