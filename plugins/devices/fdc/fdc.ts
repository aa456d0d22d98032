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

import type { BlockError, BlockPort } from "../../../core/block/port.ts";
import { RequestGate } from "../../../core/block/requests.ts";
import type { FloppyController } from "../../../core/board.ts";
import type { IoRegion } from "../../../core/bus/io.ts";
import type { IsaDmaChannel } from "../../../core/bus/isa-dma.ts";
import { type Clock, NS_PER_MS, type Timer } from "../../../core/clock.ts";
import type { Device } from "../../../core/device.ts";
import type { IrqLine } from "../../../core/irq.ts";
import { array, bool, defineState, group, type State, type StateArena, u8, u16 } from "../../../core/state/state.ts";
import { type CommandName, commandOf } from "./commands.ts";
import { type DriveType, type Geometry, geometryOf } from "./geometry.ts";
import * as R from "./regs.ts";

const SECTOR = 512;
const SIZE_CODE = 2; // N: 128 << 2 bytes
const LAST_TRACK = 84;
const FIFO_SIZE = 32;
const VERSION_82078 = 0x90;
const PART_82078 = 0x41;
/** How long a transfer waits for its DMA channel to be unmasked: 200 times 1 ms, a turn of the disk. */
const DMA_RETRIES = 200;
const DMA_RETRY_NS = NS_PER_MS;

// Phases.
const PHASE_RESET = 0;
const PHASE_COMMAND = 1;
const PHASE_PARAMETERS = 2;
const PHASE_EXECUTION = 3;
/** Non-DMA execution: the host reads or writes the buffer. */
const PHASE_HOST_READS = 4;
const PHASE_HOST_WRITES = 5;
const PHASE_RESULT = 6;

// What execution waits for.
const STAGE_NONE = 0;
const STAGE_FETCH = 1;
const STAGE_COMMIT = 2;
const STAGE_DMA = 3;

// Operations on sectors.
const OP_READ = 1;
const OP_WRITE = 2;
const OP_VERIFY = 3;
const OP_READ_TRACK = 4;
const OP_READ_DELETED = 5;
const OP_FORMAT = 6;

const FDC_STATE = defineState("isa-fdc", 1, {
  dor: u8,
  tdr: u8,
  /** DSR without the reset bit, and the data rate that CCR shares with it. */
  dsr: u8,
  rate: u8,
  phase: u8,
  stage: u8,
  irq: bool,
  /** A reset waits for a backend request to complete. */
  resetting: bool,
  /** Parameter or result bytes, how many there are, and the next one. */
  fifo: array(u8, FIFO_SIZE),
  length: u8,
  position: u8,
  // What the configuration commands set.
  stepRate: u8,
  headLoad: u8,
  config: u8,
  precompensation: u8,
  locked: bool,
  perpendicular: u8,
  powerdown: u8,
  /** ST0 that SENSE INTERRUPT STATUS delivers for each drive; 0 is none. */
  sense: array(u8, 4),
  // The transfer under way.
  operation: u8,
  drive: u8,
  head: u8,
  multiTrack: bool,
  seeked: bool,
  cylinder: u8,
  idHead: u8,
  sector: u8,
  sizeCode: u8,
  endOfTrack: u8,
  /** Sectors left: FORMAT's SC, VERIFY's SC with EC set. */
  left: u16,
  filler: u8,
  terminalCount: bool,
  marks: u8,
  dmaRetries: u8,
  /** Bytes of the buffer that the host has moved, and how many it has to. */
  moved: u16,
  wanted: u16,
  drives: group(2, { track: u8, changed: bool }),
  buffer: array(u8, SECTOR),
});

interface Drive {
  readonly port: BlockPort;
  readonly type: DriveType;
}

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
  readonly #s: State<typeof FDC_STATE>;
  readonly #irq: IrqLine;
  readonly #dma: IsaDmaChannel;
  readonly #clock: Clock;
  readonly #dmaRetry: Timer;
  readonly #drives: (Drive | undefined)[] = [undefined, undefined];
  readonly #requests = new RequestGate();

  constructor(options: FdcOptions) {
    this.#s = options.arena.attach(options.name, FDC_STATE);
    this.#irq = options.irq;
    this.#dma = options.dma;
    this.#clock = options.clock;
    this.#dmaRetry = options.clock.timer(`${options.name}.dma`, () => this.#moveDma());
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
    const chosen = type !== "auto" ? type : port.inserted ? geometryOf(port.length).drive : "288";
    this.#drives[index] = { port, type: chosen };
    this.#s.drives[index].changed = true;
    port.onMediumChange(() => {
      this.#s.drives[index].changed = true;
    });
  }

  driveType(index: number): DriveType | "none" {
    return this.#drives[index]?.type ?? "none";
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
    this.#requests.cancel();
    this.#dmaRetry.cancel();
    this.#requests.whenIdle(() => {
      if (s.resetting) this.#finishReset();
      else if (s.stage === STAGE_FETCH) this.#fetch();
      else if (s.stage === STAGE_COMMIT) this.#commit();
      else if (s.stage === STAGE_DMA) this.#retryDma();
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
    return this.#drives[drive] && this.#s.drives[drive].changed ? R.DIR_DSKCHG : 0;
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
        return R.MSR_CB | (this.#usesDma ? 0 : R.MSR_NDM);
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
      if (s.moved === s.wanted) this.#hostMoved();
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
      if (s.moved === s.wanted) this.#hostMoved();
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
    this.#requests.cancel();
    this.#dmaRetry.cancel();
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
    this.#requests.whenIdle(() => this.#finishReset());
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
        this.#startTransfer(OP_READ);
        break;
      case "read-deleted":
        this.#startTransfer(OP_READ_DELETED);
        break;
      case "read-track":
        this.#startTransfer(OP_READ_TRACK);
        break;
      case "write":
        this.#startTransfer(OP_WRITE);
        break;
      case "verify":
        this.#startTransfer(OP_VERIFY);
        break;
      case "format":
        this.#startFormat();
        break;
      case "read-id":
        this.#readId();
        break;
      case "specify":
        s.stepRate = fifo[1];
        s.headLoad = fifo[2];
        this.#done();
        break;
      case "sense-drive":
        this.#result(this.#driveStatus(fifo[1]));
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
        this.#seek(Math.max(0, this.#track(fifo[1]) - fifo[2]));
        break;
      case "seek-in":
        this.#seek(Math.min(255, this.#track(fifo[1]) + fifo[2]));
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

  #track(select: number): number {
    return this.#s.drives[select & R.ST0_DRIVE]?.track ?? 0;
  }

  #driveStatus(select: number): number {
    const index = select & R.ST0_DRIVE;
    const port = this.#drives[index]?.port;
    const protect = port?.inserted && port.readOnly ? R.ST3_WP : 0;
    const track0 = this.#drives[index] && this.#track(index) === 0 ? R.ST3_T0 : 0;
    return R.ST3_FIXED | protect | track0 | (select & (R.ST3_HD | R.ST0_DRIVE));
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
    this.#result(status, this.#track(index));
  }

  #seek(to: number, recalibrate = false): void {
    const s = this.#s;
    const select = s.fifo[1] & (R.ST0_H | R.ST0_DRIVE);
    const index = select & R.ST0_DRIVE;
    // A seek ends the polling that follows a reset.
    for (let i = 0; i < 4; i++) if ((s.sense[i] & R.ST0_POLLING) === R.ST0_POLLING) s.sense[i] = 0;
    const present = this.#drives[index] !== undefined;
    if (present) this.#step(index, to);
    // Without a drive there is no track 0 signal.
    s.sense[index] = R.ST0_SE | select | (recalibrate && !present ? R.ST0_ABNORMAL | R.ST0_EC : 0);
    this.#done();
    this.#setIrq(true);
  }

  /** Moves the heads; the first step with a medium in clears the disk change line. */
  #step(index: number, track: number): void {
    const drive = this.#s.drives[index];
    const to = Math.min(track, LAST_TRACK);
    if (to !== drive.track && this.#drives[index]?.port.inserted) drive.changed = false;
    drive.track = to;
  }

  #dumpRegisters(): void {
    const s = this.#s;
    const { drives, stepRate, headLoad, endOfTrack } = s;
    const lock = (s.locked ? 0x80 : 0) | s.perpendicular;
    const tracks = [drives[0].track, drives[1].track, 0, 0];
    this.#result(...tracks, stepRate, headLoad, endOfTrack, lock, s.config, s.precompensation);
  }

  #save(): void {
    const s = this.#s;
    const { drives } = s;
    const lock = (s.locked ? 0x80 : 0) | s.perpendicular;
    const first = [s.dsr, 0, 0, 0, drives[0].track, drives[1].track, 0, 0];
    this.#result(...first, s.stepRate, s.headLoad, s.endOfTrack, lock, s.config, s.precompensation, s.powerdown, 0);
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

  // --- transfers -------------------------------------------------------------------------------------------------------

  get #usesDma(): boolean {
    return (this.#s.headLoad & 1) === 0;
  }

  /** The selected drive's medium as the heads see it now; undefined when they find no address marks. */
  get #medium(): Geometry | undefined {
    const { drive, rate, fifo } = this.#s;
    const port = this.#drives[drive]?.port;
    if (!port?.inserted) return undefined;
    const geometry = geometryOf(port.length);
    const readable = geometry.rates.includes(rate) && (fifo[0] & R.CMD_MFM) !== 0;
    return readable && this.#track(drive) < geometry.tracks && this.#s.head < geometry.heads ? geometry : undefined;
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

  #startTransfer(operation: number): void {
    const s = this.#s;
    const { fifo } = s;
    this.#select(fifo[1]);
    s.operation = operation;
    s.multiTrack = operation !== OP_READ_TRACK && (fifo[0] & R.CMD_MT) !== 0;
    [s.cylinder, s.idHead, s.sector, s.sizeCode, s.endOfTrack] = fifo.subarray(2, 7);
    s.left = operation === OP_VERIFY && fifo[1] & R.VERIFY_EC ? fifo[8] || 256 : 0;
    if (operation === OP_READ_TRACK) s.sector = 1;
    if (s.config & R.CONFIG_EIS && this.#drives[s.drive] && this.#track(s.drive) !== s.cylinder) {
      this.#step(s.drive, s.cylinder);
      s.seeked = true;
    }
    if (operation === OP_WRITE && this.#writeProtected()) return;
    this.#nextSector();
  }

  #writeProtected(): boolean {
    const port = this.#drives[this.#s.drive]?.port;
    if (!port?.inserted || !port.readOnly) return false;
    this.#finish(R.ST1_NW, 0);
    return true;
  }

  /** Looks for the sector's address mark, and moves its data. */
  #nextSector(): void {
    const s = this.#s;
    const medium = this.#medium;
    if (!medium) {
      this.#finish(R.ST1_MA | R.ST1_ND, 0);
      return;
    }
    const track = this.#track(s.drive);
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
    return this.#drives[this.#s.drive]?.port.length ?? 0;
  }

  #offset({ heads, sectors }: Geometry): number {
    const s = this.#s;
    return ((this.#track(s.drive) * heads + s.head) * sectors + s.sector - 1) * SECTOR;
  }

  #fetch(): void {
    const s = this.#s;
    const port = this.#drives[s.drive]?.port;
    const medium = this.#medium;
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
    const port = this.#drives[s.drive]?.port;
    const medium = this.#medium;
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
    if (this.#usesDma) {
      s.phase = PHASE_EXECUTION;
      s.dmaRetries = DMA_RETRIES;
      this.#dma.setRequest(true);
      this.#moveDma();
    } else {
      s.phase = out ? PHASE_HOST_WRITES : PHASE_HOST_READS;
      this.#setIrq(true);
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
    if (terminal || s.moved === s.wanted) this.#hostMoved();
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
  #hostMoved(): void {
    const s = this.#s;
    if (s.phase !== PHASE_EXECUTION) {
      s.phase = PHASE_EXECUTION;
      this.#setIrq(false);
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
    this.#result(st0, st1, st2, s.cylinder, s.idHead, s.sector, s.sizeCode);
    this.#setIrq(true);
  }

  #readId(): void {
    const s = this.#s;
    this.#select(s.fifo[1]);
    s.cylinder = this.#track(s.drive);
    s.idHead = s.head;
    s.sector = 1;
    s.sizeCode = SIZE_CODE;
    this.#finish(this.#medium ? 0 : R.ST1_MA | R.ST1_ND, 0);
  }

  // --- FORMAT TRACK ----------------------------------------------------------------------------------------------------

  #startFormat(): void {
    const s = this.#s;
    const { fifo } = s;
    this.#select(fifo[1]);
    s.operation = OP_FORMAT;
    s.sizeCode = fifo[2];
    s.left = fifo[3];
    s.filler = fifo[5];
    s.cylinder = this.#track(s.drive);
    s.idHead = s.head;
    s.sector = 1;
    if (this.#writeProtected()) return;
    if (!this.#medium || s.sizeCode !== SIZE_CODE) this.#finish(R.ST1_MA | R.ST1_ND, 0);
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
    const medium = this.#medium;
    s.left--;
    s.sector = sector;
    const inside = medium !== undefined && sector >= 1 && sector <= medium.sectors;
    const here = cylinder === this.#track(s.drive) && head === s.head && size === SIZE_CODE;
    if (s.moved < 4 || !inside || !here || this.#offset(medium) + SECTOR > this.#imageLength) {
      this.#nextMark();
      return;
    }
    s.buffer.fill(s.filler);
    this.#commit();
  }
}
