/**
 * One ATA channel: command block, control block, two devices, INTRQ. ATA/ATAPI-7 volume 1, chapters 5 and 9, and volume
 * 2 for the parallel bus. The devices interpret commands; the channel moves data between its buffer and the host, by
 * PIO in DRQ blocks or through a bus master.
 *
 * Invariants:
 *  1. The selected device is not busy when a command block register is written (writes are ignored otherwise), so at
 *     most one device of a channel is executing a command, and the one buffer is its.
 *  2. The buffer belongs to the block backend while a request is under way, even when a reset has aborted the command:
 *     the channel stays busy until that request completes, and only then shows the signatures.
 *  3. INTRQ is pending per device; the line shows the selected device's unless nIEN is set. Reading STATUS clears it.
 */

import type { BlockDone, BlockError } from "../../../core/block/port.ts";
import { RequestGate } from "../../../core/block/requests.ts";
import type { AccessSize, IoRegion } from "../../../core/bus/io.ts";
import type { IrqLine } from "../../../core/irq.ts";
import {
  type Accessors,
  array,
  bool,
  defineState,
  group,
  type State,
  type StateArena,
  u8,
  u32,
} from "../../../core/state/state.ts";
import * as R from "./regs.ts";

/** Bytes; the most that one backend request moves. */
export const BUFFER_SIZE = 65536;

const NONE = 0;
const PIO_IN = 1;
const PIO_OUT = 2;
const DMA_IN = 3;
const DMA_OUT = 4;

const TASK_FILE = {
  feature: u8,
  sectorCount: u8,
  lbaLow: u8,
  lbaMid: u8,
  lbaHigh: u8,
  // The previous contents, for 48-bit commands.
  sectorCountHob: u8,
  lbaLowHob: u8,
  lbaMidHob: u8,
  lbaHighHob: u8,
  device: u8,
  status: u8,
  error: u8,
  intrq: bool,
};

export type TaskFile = Accessors<typeof TASK_FILE>;

const CHANNEL_STATE = defineState("ata-channel", 1, {
  selected: u8,
  control: u8,
  line: bool,
  /** A reset waits for a backend request to complete. */
  resetting: bool,
  /** DEVICE RESET of this unit waits likewise: unit + 1. */
  resettingUnit: u8,
  devices: group(2, TASK_FILE),
  transfer: u8,
  /** Bytes of the buffer: next to move, end of the DRQ block, size of a DRQ block, end of the data. */
  position: u32,
  blockEnd: u32,
  blockSize: u32,
  length: u32,
  buffer: array(u8, BUFFER_SIZE),
});

/** A disk or CD-ROM drive on a channel. */
export interface AtaDevice {
  readonly packet: boolean;
  /** Executes a command: BSY is set, ERROR is 0 and INTRQ clear. */
  command(code: number): void;
  /** The host took all that was offered. */
  drained(): void;
  /** The host delivered all that was asked for. */
  filled(): void;
  /** A DRQ block of `length` bytes starts. */
  blockStarts?(length: number): void;
  /** The command under way is gone. */
  abort(): void;
  /** Sets registers after power-on or hardware reset (`hard`), software reset or diagnostics. */
  initialize(hard: boolean): void;
  /** After loading state: takes up the backend request that was under way. */
  resume(): void;
}

/** Moves data between a device and memory, as the other end of DMARQ and DMACK. */
export interface BusMasterPort {
  /** Moves as much as the descriptors and the start bit allow; returns bytes moved. */
  toMemory(data: Uint8Array): number;
  fromMemory(into: Uint8Array): number;
  /** INTRQ has risen. */
  interrupt(): void;
}

const NO_BUS_MASTER: BusMasterPort = { toMemory: () => 0, fromMemory: () => 0, interrupt() {} };

export interface AtaChannelOptions {
  readonly name: string;
  readonly arena: StateArena;
  /** INTRQ. */
  readonly irq: IrqLine;
  readonly busMaster?: BusMasterPort;
}

export class AtaChannel {
  /** The eight registers at 1F0h or 170h. */
  readonly commandBlock: IoRegion;
  /** Alternate status and device control, at 3F6h or 376h. */
  readonly controlBlock: IoRegion;
  readonly units: readonly [AtaUnit, AtaUnit];
  readonly #s: State<typeof CHANNEL_STATE>;
  readonly #irq: IrqLine;
  readonly #busMaster: BusMasterPort;
  readonly #buffer: Uint8Array;
  readonly #requests = new RequestGate();

  constructor(options: AtaChannelOptions) {
    const { name } = options;
    this.#s = options.arena.attach(name, CHANNEL_STATE);
    this.#irq = options.irq;
    this.#busMaster = options.busMaster ?? NO_BUS_MASTER;
    this.#buffer = this.#s.buffer;
    this.units = [new AtaUnit(this, 0, this.#s.devices[0]), new AtaUnit(this, 1, this.#s.devices[1])];
    this.commandBlock = {
      name: `${name}-command`,
      length: 8,
      handler: {
        read: (offset, size) => (offset === R.REG_DATA ? this.#readData(size) : this.#readBytes(offset, size)),
        write: (offset, value, size) => {
          if (offset === R.REG_DATA) this.#writeData(value, size);
          else for (let i = 0; i < size; i++) this.#write(offset + i, (value >>> (i * 8)) & 0xff);
        },
      },
    };
    this.controlBlock = {
      name: `${name}-control`,
      length: 1,
      max: 1,
      handler: { read: () => this.#status(), write: (_offset, value) => this.#writeControl(value) },
    };
    this.reset();
  }

  /** The one sector buffer of the channel. */
  get buffer(): Uint8Array {
    return this.#buffer;
  }

  /** Power-on or hardware reset. */
  reset(): void {
    const s = this.#s;
    s.control = 0;
    this.#abort();
    this.#setLine();
    s.resetting = true;
    this.#requests.whenIdle(() => this.#finishReset(true));
  }

  /** After loading state. */
  loaded(): void {
    this.#irq.set(this.#s.line);
    this.#requests.cancel();
    this.#requests.whenIdle(() => {
      if (this.#s.resetting) this.#finishReset(false);
      else if (this.#s.resettingUnit) this.#finishDeviceReset();
      for (const { device } of this.units) device?.resume();
    });
  }

  /** The bus master was started: DMARQ may be answered now. */
  busMasterStarted(): void {
    this.#moveDma();
  }

  /** @internal Runs a backend request; `then` is not called when a reset came between. */
  request(start: (done: BlockDone) => void, then: (error: BlockError) => void): void {
    this.#requests.start(start, then);
  }

  /** @internal */
  transferPio(out: boolean, length: number, blockSize: number, interrupt: boolean): void {
    const s = this.#s;
    s.transfer = out ? PIO_OUT : PIO_IN;
    s.position = 0;
    s.length = length;
    s.blockSize = blockSize;
    this.#startBlock(interrupt);
  }

  /** @internal */
  transferDma(out: boolean, length: number): void {
    const s = this.#s;
    s.transfer = out ? DMA_OUT : DMA_IN;
    s.position = 0;
    s.length = length;
    this.#moveDma();
  }

  /** @internal */
  updateInterrupt(): void {
    this.#setLine();
  }

  /** @internal DEVICE RESET: ATA/ATAPI-7 section 6.11. */
  deviceReset(unit: number): void {
    this.#abortTransfer();
    const { tf } = this.units[unit];
    tf.status = R.STATUS_BSY;
    this.#s.resettingUnit = unit + 1;
    this.#requests.whenIdle(() => this.#finishDeviceReset());
  }

  get #device(): AtaDevice | undefined {
    return this.units[this.#s.selected & 1].device;
  }

  get #tf(): TaskFile {
    return this.units[this.#s.selected & 1].tf;
  }

  #readBytes(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.#read(offset + i) << (i * 8);
    return value;
  }

  #read(register: number): number {
    const { device0: only, tf } = this.#view();
    if (!tf) return 0;
    const hob = (this.#s.control & R.CONTROL_HOB) !== 0;
    switch (register) {
      case R.REG_ERROR:
        return only ? 0 : tf.error;
      case R.REG_SECTOR_COUNT:
        return hob ? tf.sectorCountHob : tf.sectorCount;
      case R.REG_LBA_LOW:
        return hob ? tf.lbaLowHob : tf.lbaLow;
      case R.REG_LBA_MID:
        return hob ? tf.lbaMidHob : tf.lbaMid;
      case R.REG_LBA_HIGH:
        return hob ? tf.lbaHighHob : tf.lbaHigh;
      case R.REG_DEVICE:
        return (tf.device & ~R.DEVICE_DEV) | (this.#s.selected << 4) | R.DEVICE_OBSOLETE;
      default: {
        const status = this.#status();
        if (tf.intrq) {
          tf.intrq = false;
          this.#setLine();
        }
        return status;
      }
    }
  }

  /**
   * Whose registers answer. DEVIATION: an empty channel reads as zeros where an open cable floats; software takes both
   * for "no drive", but waits less for zeros.
   */
  #view(): { tf: TaskFile | undefined; device0: boolean } {
    if (!this.units[0].device && !this.units[1].device) return { tf: undefined, device0: false };
    return { tf: this.#tf, device0: !this.#device };
  }

  /** Device 0 answers with zero for an absent device 1. */
  #status(): number {
    return this.#device ? this.#tf.status : 0;
  }

  #write(register: number, value: number): void {
    const s = this.#s;
    if (s.control & R.CONTROL_SRST) return;
    s.control &= ~R.CONTROL_HOB;
    const busy = (this.#status() & (R.STATUS_BSY | R.STATUS_DRQ)) !== 0;
    if (register === R.REG_STATUS) {
      this.#command(value, busy);
      return;
    }
    if (busy) return;
    for (const { tf } of this.units) {
      switch (register) {
        case R.REG_ERROR:
          tf.feature = value;
          break;
        case R.REG_SECTOR_COUNT:
          tf.sectorCountHob = tf.sectorCount;
          tf.sectorCount = value;
          break;
        case R.REG_LBA_LOW:
          tf.lbaLowHob = tf.lbaLow;
          tf.lbaLow = value;
          break;
        case R.REG_LBA_MID:
          tf.lbaMidHob = tf.lbaMid;
          tf.lbaMid = value;
          break;
        case R.REG_LBA_HIGH:
          tf.lbaHighHob = tf.lbaHigh;
          tf.lbaHigh = value;
          break;
        case R.REG_DEVICE:
          tf.device = value;
          s.selected = value & R.DEVICE_DEV ? 1 : 0;
      }
    }
    if (register === R.REG_DEVICE) this.#setLine();
  }

  #command(code: number, busy: boolean): void {
    if (this.#s.resetting || this.#s.resettingUnit) return;
    if (code === R.CMD_EXECUTE_DEVICE_DIAGNOSTIC && !busy) {
      this.#diagnose();
      return;
    }
    const device = this.#device;
    if (!device || (busy && !(device.packet && code === R.CMD_DEVICE_RESET))) return;
    const tf = this.#tf;
    tf.intrq = false;
    this.#setLine();
    tf.status = R.STATUS_BSY;
    tf.error = 0;
    device.command(code);
  }

  /** EXECUTE DEVICE DIAGNOSTIC, section 6.13: both devices, whichever is selected; device 0 interrupts. */
  #diagnose(): void {
    this.#finishReset(false);
    const first = this.units.find(({ device }) => device);
    first?.interrupt();
  }

  #writeControl(value: number): void {
    const s = this.#s;
    const before = s.control;
    s.control = value & (R.CONTROL_NIEN | R.CONTROL_SRST | R.CONTROL_HOB);
    if (~before & value & R.CONTROL_SRST) this.#abort();
    if (before & ~value & R.CONTROL_SRST) {
      s.resetting = true;
      this.#requests.whenIdle(() => this.#finishReset(false));
    }
    this.#setLine();
  }

  /** Drops all commands: the devices are busy until the reset is finished. */
  #abort(): void {
    this.#abortTransfer();
    for (const { device, tf } of this.units) {
      tf.intrq = false;
      tf.status = device ? R.STATUS_BSY : 0;
      device?.abort();
    }
  }

  #abortTransfer(): void {
    this.#requests.cancel();
    this.#s.transfer = NONE;
    this.#s.resetting = false;
    this.#s.resettingUnit = 0;
  }

  #finishReset(hard: boolean): void {
    this.#s.resetting = false;
    this.#s.selected = 0;
    for (const unit of this.units) unit.sign(hard);
    this.#setLine();
  }

  #finishDeviceReset(): void {
    const unit = this.units[this.#s.resettingUnit - 1];
    this.#s.resettingUnit = 0;
    unit.device?.abort();
    unit.sign(false);
    unit.tf.device = unit.index << 4;
  }

  #setLine(): void {
    const s = this.#s;
    const level = this.#device !== undefined && this.#tf.intrq && (s.control & R.CONTROL_NIEN) === 0;
    if (level === s.line) return;
    s.line = level;
    if (level) this.#busMaster.interrupt();
    this.#irq.set(level);
  }

  #startBlock(interrupt: boolean): void {
    const s = this.#s;
    const unit = this.units[s.selected & 1];
    const length = Math.min(s.blockSize, s.length - s.position);
    s.blockEnd = s.position + length;
    unit.device?.blockStarts?.(length);
    unit.tf.status = R.STATUS_READY | R.STATUS_DRQ;
    if (interrupt) unit.interrupt();
  }

  /** The last word of a DRQ block has passed. */
  #endBlock(): void {
    const s = this.#s;
    if (s.position < s.length) {
      this.#startBlock(true);
      return;
    }
    const out = s.transfer === PIO_OUT;
    s.transfer = NONE;
    this.#tf.status = R.STATUS_BSY;
    if (out) this.#device?.filled();
    else this.#device?.drained();
  }

  /** The data register is 16 bits wide; a byte access moves a word. What lies behind the block reads as zeros. */
  #readData(size: AccessSize): number {
    const s = this.#s;
    if (s.transfer !== PIO_IN) return size === 4 ? 0xffffffff : 0xffff;
    const buffer = this.#buffer;
    const at = s.position;
    const left = s.blockEnd - at;
    const step = size === 4 ? 4 : 2;
    if (left <= step) return this.#readLast(at, left);
    s.position = at + step;
    const word = buffer[at] | (buffer[at + 1] << 8);
    return step === 2 ? word : (word | (buffer[at + 2] << 16) | (buffer[at + 3] << 24)) >>> 0;
  }

  /** The last access of a DRQ block: `left` bytes, 1 to 4. */
  #readLast(at: number, left: number): number {
    let value = 0;
    for (let i = 0; i < left; i++) value |= this.#buffer[at + i] << (i * 8);
    this.#s.position = at + left;
    this.#endBlock();
    return value >>> 0;
  }

  #writeData(value: number, size: AccessSize): void {
    const s = this.#s;
    if (s.transfer !== PIO_OUT) return;
    const at = s.position;
    const left = s.blockEnd - at;
    const step = size === 4 ? 4 : 2;
    for (let i = 0; i < step && i < left; i++) this.#buffer[at + i] = value >>> (i * 8);
    s.position = at + Math.min(step, left);
    if (left <= step) this.#endBlock();
  }

  #moveDma(): void {
    const s = this.#s;
    const { transfer } = s;
    if (transfer !== DMA_IN && transfer !== DMA_OUT) return;
    const rest = this.#buffer.subarray(s.position, s.length);
    s.position += transfer === DMA_IN ? this.#busMaster.toMemory(rest) : this.#busMaster.fromMemory(rest);
    if (s.position < s.length) return;
    s.transfer = NONE;
    if (transfer === DMA_IN) this.#device?.drained();
    else this.#device?.filled();
  }
}

/** A device's end of the channel. */
export class AtaUnit {
  readonly index: 0 | 1;
  readonly tf: TaskFile;
  device: AtaDevice | undefined;
  readonly #channel: AtaChannel;

  /** @internal */
  constructor(channel: AtaChannel, index: 0 | 1, tf: TaskFile) {
    this.#channel = channel;
    this.index = index;
    this.tf = tf;
  }

  get buffer(): Uint8Array {
    return this.#channel.buffer;
  }

  /** Connects a device, which is then as after power-on. */
  attach(device: AtaDevice): void {
    this.device = device;
    this.#channel.reset();
  }

  interrupt(): void {
    this.tf.intrq = true;
    this.#channel.updateInterrupt();
  }

  /** Ends a command well. PIO data-in commands end without an interrupt. */
  complete(interrupt = true): void {
    this.tf.status = R.STATUS_READY;
    if (interrupt) this.interrupt();
  }

  /** Ends a command with bits of the ERROR register. */
  fail(error: number, status: number = R.STATUS_READY | R.STATUS_ERR): void {
    this.tf.error = error;
    this.tf.status = status;
    this.interrupt();
  }

  /** Offers the first `length` bytes of the buffer in DRQ blocks, each with an interrupt; then calls `drained`. */
  offerPio(length: number, blockSize: number): void {
    this.#channel.transferPio(false, length, blockSize, true);
  }

  /** Asks for `length` bytes in DRQ blocks; then calls `filled`. The first block's interrupt is optional. */
  acceptPio(length: number, blockSize: number, interruptFirst: boolean): void {
    this.#channel.transferPio(true, length, blockSize, interruptFirst);
  }

  offerDma(length: number): void {
    this.#channel.transferDma(false, length);
  }

  acceptDma(length: number): void {
    this.#channel.transferDma(true, length);
  }

  request(start: (done: BlockDone) => void, then: (error: BlockError) => void): void {
    this.#channel.request(start, then);
  }

  deviceReset(): void {
    this.#channel.deviceReset(this.index);
  }

  /** Puts the signature of section 5.2.2 into the registers. */
  sign(hard: boolean): void {
    const { tf, device } = this;
    const packet = device?.packet === true;
    tf.feature = 0;
    tf.error = R.DIAGNOSTIC_PASSED;
    tf.sectorCount = tf.lbaLow = 1;
    tf.lbaMid = packet ? 0x14 : 0;
    tf.lbaHigh = packet ? 0xeb : 0;
    tf.sectorCountHob = tf.lbaLowHob = tf.lbaMidHob = tf.lbaHighHob = 0;
    tf.device = 0;
    tf.status = device && !packet ? R.STATUS_READY : 0;
    tf.intrq = false;
    device?.initialize(hard);
  }
}
