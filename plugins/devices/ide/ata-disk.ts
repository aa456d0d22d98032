/**
 * An ATA hard disk: ATA/ATAPI-7 volume 1 (T13 1532D), general feature set with 48-bit addresses, write cache, SMART and
 * (from ATA8-ACS) the TRIM function of DATA SET MANAGEMENT.
 *
 * A command is an operation over a run of sectors, done in chunks of at most a buffer: fetch a chunk and offer it to
 * the host, or accept a chunk and commit it. Operation, next sector and remaining count are state, so that a saved
 * command goes on after loading.
 *
 * DEVIATION: mechanical delays do not exist; a sleeping disk wakes up on any command, not only on a reset.
 */

import type { BlockError, BlockPort } from "../../../core/block/port.ts";
import type { FixedDisk } from "../../../core/board.ts";
import type { Device } from "../../../core/device.ts";
import { bool, defineState, f64, type State, type StateArena, u8, u32 } from "../../../core/state/state.ts";
import { ADDRESS_CHS, ADDRESS_LBA28, ADDRESS_LBA48, putAddress, takeAddress } from "./address.ts";
import { type AtaDevice, type AtaUnit, BUFFER_SIZE } from "./channel.ts";
import { type DriveIdentity, IdentifyWords, isTransferMode } from "./identify.ts";
import * as R from "./regs.ts";
import * as smart from "./smart.ts";

const SECTOR = 512;
const CHUNK_MAX = BUFFER_SIZE / SECTOR;
const MULTIPLE_MAX = 16;
const LBA28_MAX = 0x0fff_ffff;
const TRIM_BLOCKS_MAX = 8;
const POWER_ACTIVE = 0xff;
const POWER_IDLE = 0x80;
const POWER_STANDBY = 0x00;

// Operations.
const OP_NONE = 0;
const OP_READ = 1;
const OP_WRITE = 2;
const OP_VERIFY = 3;
/** Data that is in the buffer already. */
const OP_DATA_IN = 4;
const OP_TRIM = 5;
const OP_FLUSH = 6;

const DISK_STATE = defineState("ata-disk", 1, {
  /** The translation that INITIALIZE DEVICE PARAMETERS chose. */
  heads: u8,
  sectors: u8,
  /** Sectors per DRQ block of READ and WRITE MULTIPLE; 0 when disabled. */
  multiple: u8,
  transferMode: u8,
  power: u8,
  writeCache: bool,
  lookAhead: bool,
  smart: bool,
  operation: u8,
  /** A backend request is under way. */
  waiting: bool,
  dma: bool,
  /** Forces the data out before the command ends. */
  fua: bool,
  addressing: u8,
  /** Bytes of a DRQ block. */
  blockSize: u32,
  lba: f64,
  /** Sectors left from `lba` on (TRIM: entries left), and how many of them are under way. */
  count: u32,
  chunk: u32,
});

export interface AtaDiskOptions {
  readonly name: string;
  readonly arena: StateArena;
  readonly unit: AtaUnit;
  readonly drive: BlockPort;
  readonly position: number;
  readonly identity: DriveIdentity;
  /** Physical geometry; made from the size when unset. */
  readonly geometry?: { readonly cylinders: number; readonly heads: number; readonly sectors: number };
  readonly writeCache?: boolean;
  /** World wide name, 64 bits. */
  readonly wwn?: bigint;
  /** In revolutions per minute; 1 means that nothing rotates. */
  readonly rotationRate?: number;
}

export class AtaDisk implements AtaDevice, Device, FixedDisk {
  readonly packet = false;
  readonly position: number;
  readonly #s: State<typeof DISK_STATE>;
  readonly #unit: AtaUnit;
  readonly #drive: BlockPort;
  readonly #options: AtaDiskOptions;
  /** Capacity in sectors. */
  readonly #capacity: number;
  readonly #geometry: { readonly cylinders: number; readonly heads: number; readonly sectors: number };

  constructor(options: AtaDiskOptions) {
    this.#options = options;
    this.position = options.position;
    this.#unit = options.unit;
    this.#drive = options.drive;
    this.#capacity = Math.floor(options.drive.length / SECTOR);
    this.#geometry = options.geometry ?? {
      cylinders: Math.max(1, Math.min(16383, Math.floor(this.#capacity / (16 * 63)))),
      heads: 16,
      sectors: 63,
    };
    this.#s = options.arena.attach(options.name, DISK_STATE);
    options.unit.attach(this);
  }

  /** Power-on: the controller's reset sets the task file. */
  reset(): void {
    this.initialize(true);
  }

  initialize(hard: boolean): void {
    const s = this.#s;
    s.multiple = MULTIPLE_MAX;
    s.power = POWER_ACTIVE;
    this.abort();
    if (!hard) return;
    s.heads = this.#geometry.heads;
    s.sectors = this.#geometry.sectors;
    s.transferMode = 0;
    s.writeCache = this.#options.writeCache ?? true;
    s.lookAhead = true;
    s.smart = true;
  }

  abort(): void {
    this.#s.operation = OP_NONE;
    this.#s.waiting = false;
  }

  resume(): void {
    if (!this.#s.waiting) return;
    if (this.#s.operation === OP_WRITE) this.#commit();
    else if (this.#s.operation === OP_TRIM) this.#trim();
    else if (this.#s.operation === OP_FLUSH) this.#flush();
    else this.#fetch();
  }

  command(code: number): void {
    const s = this.#s;
    const { tf } = this.#unit;
    s.dma = s.fua = false;
    s.blockSize = SECTOR;
    if (code >= R.CMD_RECALIBRATE && code <= R.CMD_RECALIBRATE + 0xf) {
      this.#complete();
      return;
    }
    if (code >= R.CMD_SEEK && code <= R.CMD_SEEK + 0xf) {
      if (this.#decode(false) && this.#inRange(1)) this.#complete();
      return;
    }
    switch (R.OLD_POWER_COMMANDS[code] ?? code) {
      case R.CMD_READ_SECTORS:
      case R.CMD_READ_SECTORS_NORETRY:
        this.#start(OP_READ, false);
        break;
      case R.CMD_READ_SECTORS_EXT:
        this.#start(OP_READ, true);
        break;
      case R.CMD_READ_MULTIPLE:
      case R.CMD_READ_MULTIPLE_EXT:
        if (this.#useMultiple()) this.#start(OP_READ, code === R.CMD_READ_MULTIPLE_EXT);
        break;
      case R.CMD_READ_DMA:
      case R.CMD_READ_DMA_NORETRY:
      case R.CMD_READ_DMA_EXT:
        s.dma = true;
        this.#start(OP_READ, code === R.CMD_READ_DMA_EXT);
        break;
      case R.CMD_WRITE_SECTORS:
      case R.CMD_WRITE_SECTORS_NORETRY:
        this.#start(OP_WRITE, false);
        break;
      case R.CMD_WRITE_SECTORS_EXT:
        this.#start(OP_WRITE, true);
        break;
      case R.CMD_WRITE_MULTIPLE_FUA_EXT:
      case R.CMD_WRITE_MULTIPLE:
      case R.CMD_WRITE_MULTIPLE_EXT:
        s.fua = code === R.CMD_WRITE_MULTIPLE_FUA_EXT;
        if (this.#useMultiple()) this.#start(OP_WRITE, code !== R.CMD_WRITE_MULTIPLE);
        break;
      case R.CMD_WRITE_DMA_FUA_EXT:
      case R.CMD_WRITE_DMA:
      case R.CMD_WRITE_DMA_NORETRY:
      case R.CMD_WRITE_DMA_EXT:
        s.fua = code === R.CMD_WRITE_DMA_FUA_EXT;
        s.dma = true;
        this.#start(OP_WRITE, s.fua || code === R.CMD_WRITE_DMA_EXT);
        break;
      case R.CMD_READ_VERIFY:
      case R.CMD_READ_VERIFY_NORETRY:
        this.#start(OP_VERIFY, false);
        break;
      case R.CMD_READ_VERIFY_EXT:
        this.#start(OP_VERIFY, true);
        break;
      case R.CMD_FLUSH_CACHE:
      case R.CMD_FLUSH_CACHE_EXT:
        this.#flush();
        break;
      case R.CMD_IDENTIFY_DEVICE:
        this.#identify();
        break;
      case R.CMD_SET_FEATURES:
        this.#setFeatures();
        break;
      case R.CMD_SET_MULTIPLE_MODE:
        this.#setMultiple(tf.sectorCount);
        break;
      case R.CMD_INITIALIZE_DEVICE_PARAMETERS:
        this.#initializeParameters();
        break;
      case R.CMD_READ_NATIVE_MAX:
        s.addressing = tf.device & R.DEVICE_LBA ? ADDRESS_LBA28 : ADDRESS_CHS;
        this.#putAddress(Math.min(this.#capacity - 1, LBA28_MAX));
        this.#complete();
        break;
      case R.CMD_READ_NATIVE_MAX_EXT:
        s.addressing = ADDRESS_LBA48;
        this.#putAddress(this.#capacity - 1);
        this.#complete();
        break;
      case R.CMD_SMART:
        this.#smart();
        break;
      case R.CMD_DATA_SET_MANAGEMENT:
        this.#startTrim();
        break;
      case R.CMD_IDLE:
      case R.CMD_IDLE_IMMEDIATE:
        this.#setPower(POWER_IDLE);
        break;
      case R.CMD_STANDBY:
      case R.CMD_STANDBY_IMMEDIATE:
      case R.CMD_SLEEP:
        this.#setPower(POWER_STANDBY);
        break;
      case R.CMD_CHECK_POWER_MODE:
        tf.sectorCount = s.power;
        this.#complete();
        break;
      default:
        this.#fail(R.ERROR_ABRT);
    }
  }

  drained(): void {
    const s = this.#s;
    if (s.operation === OP_READ) {
      this.#advance();
      if (s.count > 0) {
        this.#fetch();
        return;
      }
      this.#putAddress(s.lba - 1);
      this.#unit.tf.sectorCount = 0;
    }
    s.operation = OP_NONE;
    this.#unit.complete(s.dma);
  }

  filled(): void {
    if (this.#s.operation === OP_TRIM) this.#checkTrim();
    else this.#commit();
  }

  #complete(): void {
    this.#s.operation = OP_NONE;
    this.#unit.complete();
  }

  #fail(error: number): void {
    this.#s.operation = OP_NONE;
    this.#unit.fail(error);
  }

  // --- addresses -----------------------------------------------------------------------------------------------------

  /** Reads address and count from the registers; false when the command ended with an error. */
  #decode(lba48: boolean): boolean {
    const error = takeAddress(this.#unit.tf, this.#s, lba48);
    if (error !== 0) this.#fail(error);
    return error === 0;
  }

  /** Checks `count` sectors from `lba` on; names the first one outside. */
  #inRange(count: number): boolean {
    const s = this.#s;
    if (s.lba + count <= this.#capacity) return true;
    this.#putAddress(Math.max(s.lba, this.#capacity));
    this.#fail(R.ERROR_IDNF);
    return false;
  }

  #putAddress(lba: number): void {
    putAddress(this.#unit.tf, this.#s, lba);
  }

  // --- media access --------------------------------------------------------------------------------------------------

  #useMultiple(): boolean {
    const { multiple } = this.#s;
    this.#s.blockSize = multiple * SECTOR;
    if (multiple === 0) this.#fail(R.ERROR_ABRT);
    return multiple !== 0;
  }

  #start(operation: number, lba48: boolean): void {
    const s = this.#s;
    s.power = POWER_ACTIVE;
    if (!this.#decode(lba48) || !this.#inRange(s.count)) return;
    if (operation === OP_WRITE && this.#drive.readOnly) {
      this.#fail(R.ERROR_ABRT);
      return;
    }
    s.operation = operation;
    if (operation === OP_WRITE) this.#accept(false);
    else this.#fetch();
  }

  /** Reads the next chunk from the backend. */
  #fetch(): void {
    const s = this.#s;
    s.chunk = Math.min(s.count, CHUNK_MAX);
    const into = this.#unit.buffer.subarray(0, s.chunk * SECTOR);
    s.waiting = true;
    this.#unit.request(
      (done) => this.#drive.read(s.lba * SECTOR, [into], done),
      (error) => this.#fetched(error),
    );
  }

  #fetched(error: BlockError): void {
    const s = this.#s;
    s.waiting = false;
    if (error) {
      this.#putAddress(s.lba);
      this.#fail(R.ERROR_UNC);
    } else if (s.operation === OP_VERIFY) {
      this.#advance();
      if (s.count > 0) this.#fetch();
      else this.#complete();
    } else if (s.dma) {
      this.#unit.offerDma(s.chunk * SECTOR);
    } else {
      this.#unit.offerPio(s.chunk * SECTOR, s.blockSize);
    }
  }

  /** Takes the next chunk from the host. */
  #accept(interrupt: boolean): void {
    const s = this.#s;
    s.chunk = Math.min(s.count, CHUNK_MAX);
    if (s.dma) this.#unit.acceptDma(s.chunk * SECTOR);
    else this.#unit.acceptPio(s.chunk * SECTOR, s.blockSize, interrupt);
  }

  /** Writes the chunk to the backend. */
  #commit(): void {
    const s = this.#s;
    const from = this.#unit.buffer.subarray(0, s.chunk * SECTOR);
    s.waiting = true;
    this.#unit.request(
      (done) => this.#drive.write(s.lba * SECTOR, [from], done),
      (error) => this.#committed(error),
    );
  }

  #committed(error: BlockError): void {
    const s = this.#s;
    s.waiting = false;
    if (error) {
      this.#putAddress(s.lba);
      this.#fail(R.ERROR_ABRT);
      return;
    }
    this.#advance();
    if (s.count > 0) {
      this.#accept(true);
      return;
    }
    this.#putAddress(s.lba - 1);
    this.#unit.tf.sectorCount = 0;
    if (s.fua || !s.writeCache) this.#flush();
    else this.#complete();
  }

  #advance(): void {
    const s = this.#s;
    s.lba += s.chunk;
    s.count -= s.chunk;
  }

  #flush(): void {
    const s = this.#s;
    s.operation = OP_FLUSH;
    s.waiting = true;
    this.#unit.request(
      (done) => this.#drive.flush(done),
      (error) => {
        s.waiting = false;
        if (error) this.#fail(R.ERROR_ABRT);
        else this.#complete();
      },
    );
  }

  // --- DATA SET MANAGEMENT -------------------------------------------------------------------------------------------

  #startTrim(): void {
    const s = this.#s;
    const { tf } = this.#unit;
    const blocks = tf.sectorCount | (tf.sectorCountHob << 8);
    if (tf.feature !== 1 || blocks === 0 || blocks > TRIM_BLOCKS_MAX || this.#drive.readOnly) {
      this.#fail(R.ERROR_ABRT);
      return;
    }
    s.operation = OP_TRIM;
    s.dma = true;
    s.count = blocks * (SECTOR / 8);
    s.chunk = 0;
    this.#unit.acceptDma(blocks * SECTOR);
  }

  /** Entry `index`: 48 bits of address, 16 bits of sector count. */
  #trimEntry(index: number): { lba: number; sectors: number } {
    const at = index * 8;
    const b = this.#unit.buffer;
    const lba = ((b[at + 5] << 8) | b[at + 4]) * 2 ** 32 + ((b[at + 3] << 24) >>> 0) + (b[at + 2] << 16);
    return { lba: lba + (b[at + 1] << 8) + b[at], sectors: b[at + 6] | (b[at + 7] << 8) };
  }

  #checkTrim(): void {
    for (let i = 0; i < this.#s.count; i++) {
      const { lba, sectors } = this.#trimEntry(i);
      if (sectors > 0 && lba + sectors > this.#capacity) {
        this.#fail(R.ERROR_IDNF);
        return;
      }
    }
    this.#trim();
  }

  /** Discards the ranges from entry `chunk` on, one after the other. */
  #trim(): void {
    const s = this.#s;
    s.waiting = false;
    while (s.chunk < s.count) {
      const { lba, sectors } = this.#trimEntry(s.chunk);
      if (sectors > 0) {
        s.waiting = true;
        this.#unit.request(
          (done) => this.#drive.discard(lba * SECTOR, sectors * SECTOR, done),
          (error) => {
            s.waiting = false;
            s.chunk++;
            if (error) this.#fail(R.ERROR_ABRT);
            else this.#trim();
          },
        );
        return;
      }
      s.chunk++;
    }
    this.#complete();
  }

  // --- commands without media access -----------------------------------------------------------------------------------

  #offer(): void {
    this.#s.operation = OP_DATA_IN;
    this.#unit.offerPio(SECTOR, SECTOR);
  }

  #setPower(power: number): void {
    this.#s.power = power;
    this.#complete();
  }

  #setMultiple(count: number): void {
    if (count > MULTIPLE_MAX || (count & (count - 1)) !== 0) {
      this.#fail(R.ERROR_ABRT);
      return;
    }
    this.#s.multiple = count;
    this.#complete();
  }

  #initializeParameters(): void {
    const { tf } = this.#unit;
    if (tf.sectorCount === 0) {
      this.#fail(R.ERROR_ABRT);
      return;
    }
    this.#s.sectors = tf.sectorCount;
    this.#s.heads = (tf.device & R.DEVICE_HEAD) + 1;
    this.#complete();
  }

  #setFeatures(): void {
    const s = this.#s;
    const { feature, sectorCount } = this.#unit.tf;
    switch (feature) {
      case R.FEATURE_ENABLE_WRITE_CACHE:
        s.writeCache = true;
        break;
      case R.FEATURE_DISABLE_WRITE_CACHE:
        s.writeCache = false;
        this.#flush();
        return;
      case R.FEATURE_ENABLE_LOOK_AHEAD:
      case R.FEATURE_DISABLE_LOOK_AHEAD:
        s.lookAhead = feature === R.FEATURE_ENABLE_LOOK_AHEAD;
        break;
      case R.FEATURE_ENABLE_REVERTING:
      case R.FEATURE_DISABLE_REVERTING:
        break;
      case R.FEATURE_SET_TRANSFER_MODE:
        if (isTransferMode(sectorCount)) {
          s.transferMode = sectorCount;
          break;
        }
        this.#fail(R.ERROR_ABRT);
        return;
      default:
        this.#fail(R.ERROR_ABRT);
        return;
    }
    this.#complete();
  }

  #smart(): void {
    const s = this.#s;
    const { tf, buffer } = this.#unit;
    const key = tf.lbaMid === 0x4f && tf.lbaHigh === 0xc2;
    if (!key || (!s.smart && tf.feature !== smart.SMART_ENABLE)) {
      this.#fail(R.ERROR_ABRT);
      return;
    }
    switch (tf.feature) {
      case smart.SMART_ENABLE:
      case smart.SMART_DISABLE:
        s.smart = tf.feature === smart.SMART_ENABLE;
        break;
      case smart.SMART_ATTRIBUTE_AUTOSAVE:
      case smart.SMART_EXECUTE_OFFLINE:
        break;
      case smart.SMART_RETURN_STATUS: // no threshold exceeded: the key stays
        break;
      case smart.SMART_READ_DATA:
        smart.smartData(buffer);
        this.#offer();
        return;
      case smart.SMART_READ_THRESHOLDS:
        smart.smartThresholds(buffer);
        this.#offer();
        return;
      case smart.SMART_READ_LOG:
        if (tf.sectorCount === 1 && smart.smartLog(tf.lbaLow, buffer)) {
          this.#offer();
          return;
        }
        this.#fail(R.ERROR_ABRT);
        return;
      default:
        this.#fail(R.ERROR_ABRT);
        return;
    }
    this.#complete();
  }

  /** IDENTIFY DEVICE: section 6.17, table 22. */
  #identify(): void {
    const s = this.#s;
    const { cylinders, heads, sectors } = this.#geometry;
    const { wwn, rotationRate } = this.#options;
    const words = new IdentifyWords(this.#unit.buffer);
    const chs = Math.min(this.#capacity, 65535 * s.heads * s.sectors);
    const currentCylinders = Math.min(65535, Math.floor(chs / (s.heads * s.sectors)));
    words.set(0, 0x0040); // fixed
    words.set(1, cylinders);
    words.set(2, 0xc837); // complete, needs no spin-up
    words.set(3, heads);
    words.set(4, sectors * SECTOR); // bytes per track and per sector, until ATA-2
    words.set(5, SECTOR);
    words.set(6, sectors);
    words.set(20, 3); // dual-ported buffer of 512 sectors, 4 ECC bytes, until ATA-2
    words.set(21, 512);
    words.set(22, 4);
    words.setIdentity(this.#options.identity);
    words.set(47, 0x8000 | MULTIPLE_MAX);
    words.set(48, 1); // 32-bit PIO
    words.set(49, 0x0b00); // IORDY, LBA, DMA
    words.set(50, 0x4000);
    words.set(51, 0x0200);
    words.set(52, 0x0200);
    words.set(53, 0x0007); // words 54 to 58, 64 to 70 and 88 are valid
    words.set(54, currentCylinders);
    words.set(55, s.heads);
    words.set(56, s.sectors);
    words.setLong(57, currentCylinders * s.heads * s.sectors, 2);
    words.set(59, s.multiple > 0 ? 0x0100 | s.multiple : 0);
    words.setLong(60, Math.min(this.#capacity, LBA28_MAX), 2);
    words.setTransferModes(s.transferMode);
    words.set(80, 0x00f0); // ATA/ATAPI-4 to -7
    words.set(81, 0x001d); // ATA/ATAPI-7 as published
    words.set(82, 0x4069); // NOP, look-ahead, write cache, power management, SMART
    words.set(83, 0x7400); // FLUSH CACHE EXT, FLUSH CACHE, 48-bit
    const log = 0x4043 | (wwn === undefined ? 0 : 0x0100); // WRITE FUA EXT, SMART self-test and error log
    words.set(84, log);
    words.set(85, 0x4008 | (s.lookAhead ? 0x40 : 0) | (s.writeCache ? 0x20 : 0) | (s.smart ? 1 : 0));
    words.set(86, 0x3400);
    words.set(87, log);
    words.setResetResult(this.#unit.index);
    words.setLong(100, this.#capacity, 4);
    words.set(105, TRIM_BLOCKS_MAX);
    words.set(106, 0x4000); // one logical sector per physical one
    if (wwn !== undefined)
      for (let i = 0; i < 4; i++) words.set(108 + i, Number((wwn >> BigInt(48 - 16 * i)) & 0xffffn));
    words.set(169, 1); // TRIM
    words.set(217, rotationRate ?? 0);
    words.seal();
    this.#offer();
  }
}
