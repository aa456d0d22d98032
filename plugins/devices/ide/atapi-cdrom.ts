/**
 * An ATAPI CD-ROM or DVD-ROM drive: the PACKET command feature set of ATA/ATAPI-7 volume 1, with the commands of MMC-3.
 *
 * PACKET asks for twelve bytes, runs them, moves data in DRQ blocks of at most the host's byte count limit (or by DMA),
 * and ends with an interrupt whose reason is "command, input".
 *
 * DEVIATION: no unit attention after power-on; error-correction bytes of raw sectors are zero; a byte count limit of
 * zero means the largest one.
 */

import type { BlockError, BlockPort } from "../../../core/block/port.ts";
import type { Device } from "../../../core/device.ts";
import { array, bool, defineState, type State, type StateArena, u8, u16, u32 } from "../../../core/state/state.ts";
import { type AtaDevice, type AtaUnit, BUFFER_SIZE } from "./channel.ts";
import { type DriveIdentity, IdentifyWords, isTransferMode } from "./identify.ts";
import * as mmc from "./mmc.ts";
import * as R from "./regs.ts";

const PACKET_SIZE = 12;
const BYTE_COUNT_MAX = 0xfffe;
/** The header of the largest answer. */
const REPLY_MAX = 4096;

// What the channel's data is.
const DATA_NONE = 0;
const DATA_PACKET = 1;
const DATA_REPLY = 2;
const DATA_SECTORS = 3;
const DATA_PARAMETERS = 4;
/** IDENTIFY PACKET DEVICE: ends like an ATA command. */
const DATA_IDENTIFY = 5;

// How far the guest knows of a medium change.
const CHANGE_NONE = 0;
/** The tray was open meanwhile: one NOT READY comes first, since some guests only notice a change by that. */
const CHANGE_NOT_READY = 1;
const CHANGE_ATTENTION = 2;

// Media events of GET EVENT STATUS NOTIFICATION.
const EVENT_NONE = 0;
const EVENT_NEW_MEDIA = 2;
const EVENT_REMOVAL = 3;

// FEATURE of PACKET
const FEATURE_DMA = 0b01;
const FEATURE_OVERLAP = 0b10;

// READ CD, byte 9
const SELECT_SYNC = 0x80;
const SELECT_HEADERS = 0x60;
const SELECT_USER_DATA = 0x10;
const SELECT_EDC_ECC = 0x08;
const SELECT_RAW = SELECT_SYNC | 0x20 | SELECT_USER_DATA | SELECT_EDC_ECC;

const CDROM_STATE = defineState("atapi-cdrom", 1, {
  transferMode: u8,
  packet: array(u8, PACKET_SIZE),
  data: u8,
  dma: bool,
  byteLimit: u16,
  waiting: bool,
  /** Next sector, sectors left, sectors under way, bytes of each as the host gets it. */
  lba: u32,
  count: u32,
  chunk: u32,
  sectorSize: u16,
  senseKey: u8,
  asc: u8,
  ascq: u8,
  change: u8,
  event: u8,
  /** A medium was in when the guest last could see it. */
  hadMedium: bool,
  trayOpen: bool,
  locked: bool,
});

export interface AtapiCdromOptions {
  readonly name: string;
  readonly arena: StateArena;
  readonly unit: AtaUnit;
  readonly drive: BlockPort;
  readonly identity: DriveIdentity;
}

export class AtapiCdrom implements AtaDevice, Device {
  readonly packet = true;
  readonly #s: State<typeof CDROM_STATE>;
  readonly #unit: AtaUnit;
  readonly #drive: BlockPort;
  readonly #identity: DriveIdentity;

  constructor(options: AtapiCdromOptions) {
    this.#unit = options.unit;
    this.#drive = options.drive;
    this.#identity = options.identity;
    this.#s = options.arena.attach(options.name, CDROM_STATE);
    options.unit.attach(this);
    this.#drive.onMediumChange(() => this.#mediumChanged());
  }

  /** Power-on: the controller's reset sets the task file. */
  reset(): void {
    this.initialize(true);
  }

  initialize(hard: boolean): void {
    const s = this.#s;
    this.abort();
    this.#setSense(mmc.NO_SENSE);
    if (!hard) return;
    s.transferMode = 0;
    s.change = CHANGE_NONE;
    s.event = EVENT_NONE;
    s.hadMedium = this.#drive.inserted;
    if (s.trayOpen) this.#setTray(false);
    if (s.locked) this.#setLocked(false);
  }

  abort(): void {
    this.#s.data = DATA_NONE;
    this.#s.waiting = false;
  }

  resume(): void {
    if (this.#s.waiting) this.#fetch();
  }

  command(code: number): void {
    const s = this.#s;
    const { tf } = this.#unit;
    s.dma = false;
    switch (R.OLD_POWER_COMMANDS[code] ?? code) {
      case R.CMD_PACKET:
        this.#startPacket();
        break;
      case R.CMD_DEVICE_RESET:
        this.#unit.deviceReset();
        break;
      case R.CMD_IDENTIFY_PACKET_DEVICE:
        this.#identify();
        break;
      case R.CMD_SET_FEATURES:
        if (tf.feature === R.FEATURE_SET_TRANSFER_MODE && isTransferMode(tf.sectorCount)) {
          s.transferMode = tf.sectorCount;
          this.#unit.complete();
        } else if (tf.feature === R.FEATURE_ENABLE_REVERTING || tf.feature === R.FEATURE_DISABLE_REVERTING) {
          this.#unit.complete();
        } else {
          this.#unit.fail(R.ERROR_ABRT);
        }
        break;
      case R.CMD_FLUSH_CACHE:
      case R.CMD_IDLE:
      case R.CMD_IDLE_IMMEDIATE:
      case R.CMD_STANDBY:
      case R.CMD_STANDBY_IMMEDIATE:
      case R.CMD_SLEEP:
        this.#unit.complete();
        break;
      case R.CMD_CHECK_POWER_MODE:
        tf.sectorCount = 0xff;
        this.#unit.complete();
        break;
      case R.CMD_IDENTIFY_DEVICE:
      case R.CMD_READ_SECTORS:
        // Both abort with the signature, so that ATA-only software learns what this is.
        this.#unit.sign(false);
        this.#unit.fail(R.ERROR_ABRT, R.STATUS_DRDY | R.STATUS_ERR);
        break;
      default:
        this.#unit.fail(R.ERROR_ABRT, R.STATUS_DRDY | R.STATUS_ERR);
    }
  }

  /** The interrupt reason and the byte count of a DRQ block: section 6.24. */
  blockStarts(length: number): void {
    const { data } = this.#s;
    if (data === DATA_IDENTIFY) return;
    const { tf } = this.#unit;
    const input = data === DATA_REPLY || data === DATA_SECTORS;
    tf.sectorCount = data === DATA_PACKET ? R.REASON_CD : input ? R.REASON_IO : 0;
    if (data === DATA_PACKET) return;
    tf.lbaMid = length;
    tf.lbaHigh = length >>> 8;
  }

  filled(): void {
    if (this.#s.data === DATA_PACKET) {
      this.#s.packet.set(this.#unit.buffer.subarray(0, PACKET_SIZE));
      this.#execute();
    } else {
      this.#succeed();
    }
  }

  drained(): void {
    const s = this.#s;
    if (s.data === DATA_IDENTIFY) {
      s.data = DATA_NONE;
      this.#unit.complete(false);
      return;
    }
    if (s.data === DATA_SECTORS) {
      s.lba += s.chunk;
      s.count -= s.chunk;
      if (s.count > 0) {
        this.#fetch();
        return;
      }
    }
    this.#succeed();
  }

  // --- medium ----------------------------------------------------------------------------------------------------------

  /** Blocks of 2048 bytes on the disc that can be read now; 0 when there is none. */
  get #sectors(): number {
    return this.#drive.inserted && !this.#s.trayOpen ? Math.floor(this.#drive.length / mmc.CD_SECTOR) : 0;
  }

  /** The host changed or ejected the medium. */
  #mediumChanged(): void {
    const s = this.#s;
    s.trayOpen = false;
    this.#noticeMedium();
  }

  #noticeMedium(): void {
    const s = this.#s;
    const inserted = this.#drive.inserted && !s.trayOpen;
    if (inserted) s.change = s.hadMedium ? CHANGE_NOT_READY : CHANGE_ATTENTION;
    else s.change = CHANGE_NONE;
    s.event = inserted ? EVENT_NEW_MEDIA : EVENT_REMOVAL;
    s.hadMedium = inserted;
  }

  #setTray(open: boolean): void {
    this.#s.trayOpen = open;
    this.#drive.setTray?.(open);
  }

  #setLocked(locked: boolean): void {
    this.#s.locked = locked;
    this.#drive.setLocked?.(locked);
  }

  // --- protocol --------------------------------------------------------------------------------------------------------

  #startPacket(): void {
    const s = this.#s;
    const { tf } = this.#unit;
    if (tf.feature & FEATURE_OVERLAP) {
      this.#unit.fail(R.ERROR_ABRT, R.STATUS_DRDY | R.STATUS_ERR);
      return;
    }
    s.dma = (tf.feature & FEATURE_DMA) !== 0;
    s.byteLimit = Math.min(tf.lbaMid | (tf.lbaHigh << 8) || BYTE_COUNT_MAX, BYTE_COUNT_MAX);
    s.data = DATA_PACKET;
    this.#unit.acceptPio(PACKET_SIZE, PACKET_SIZE, false);
  }

  #setSense([key, asc, ascq]: mmc.Sense): void {
    this.#s.senseKey = key;
    this.#s.asc = asc;
    this.#s.ascq = ascq;
  }

  #succeed(): void {
    this.#s.data = DATA_NONE;
    this.#unit.tf.sectorCount = R.REASON_CD | R.REASON_IO;
    this.#unit.complete();
  }

  #check(sense: mmc.Sense): void {
    this.#s.data = DATA_NONE;
    this.#setSense(sense);
    this.#unit.tf.sectorCount = R.REASON_CD | R.REASON_IO;
    this.#unit.fail(sense[0] << 4, R.STATUS_READY | R.STATUS_ERR);
  }

  /** Sends `length` bytes of the buffer. */
  #offer(length: number): void {
    const { dma, byteLimit } = this.#s;
    if (dma) this.#unit.offerDma(length);
    // Every block but the last has an even length.
    else this.#unit.offerPio(length, length <= byteLimit ? length : Math.max(2, byteLimit & ~1));
  }

  /** Builds an answer in the buffer and sends at most `allocation` bytes of it. */
  #reply(allocation: number, build: (data: Uint8Array) => number | undefined, refusal = mmc.INVALID_FIELD): void {
    const data = this.#unit.buffer.subarray(0, REPLY_MAX).fill(0);
    const length = build(data);
    if (length === undefined) {
      this.#check(refusal);
    } else if (length === 0 || allocation === 0) {
      this.#succeed();
    } else {
      this.#s.data = DATA_REPLY;
      this.#offer(Math.min(length, allocation));
    }
  }

  // --- commands --------------------------------------------------------------------------------------------------------

  #execute(): void {
    const s = this.#s;
    const { packet } = s;
    const opcode = packet[0];
    // These answer whatever the state of the medium is, and leave a unit attention pending.
    switch (opcode) {
      case mmc.OP_REQUEST_SENSE:
        this.#requestSense();
        return;
      case mmc.OP_INQUIRY:
        this.#setSense(mmc.NO_SENSE);
        this.#reply(mmc.be16(packet, 3), (data) =>
          packet[1] & 1 || packet[2] ? undefined : mmc.inquiry(data, this.#identity.model, this.#identity.version),
        );
        return;
      case mmc.OP_GET_CONFIGURATION:
        this.#setSense(mmc.NO_SENSE);
        this.#reply(mmc.be16(packet, 7), (data) =>
          (packet[1] & 3) === 3
            ? undefined
            : mmc.configuration(data, this.#sectors, packet[1] & 3, mmc.be16(packet, 2)),
        );
        return;
      case mmc.OP_GET_EVENT_STATUS:
        this.#setSense(mmc.NO_SENSE);
        this.#reply(mmc.be16(packet, 7), (data) => this.#eventStatus(data));
        return;
    }
    if (s.change === CHANGE_NOT_READY) {
      s.change = CHANGE_ATTENTION;
      this.#check(mmc.NOT_READY_NO_MEDIUM);
      return;
    }
    if (s.change === CHANGE_ATTENTION) {
      s.change = CHANGE_NONE;
      this.#check(mmc.MEDIUM_CHANGED);
      return;
    }
    this.#setSense(mmc.NO_SENSE);
    this.#executeAny(opcode);
  }

  /** Commands that work without a disc. */
  #executeAny(opcode: number): void {
    const s = this.#s;
    const { packet } = s;
    switch (opcode) {
      case mmc.OP_START_STOP_UNIT:
        this.#startStop();
        break;
      case mmc.OP_PREVENT_ALLOW:
        this.#setLocked((packet[4] & 1) !== 0);
        this.#succeed();
        break;
      case mmc.OP_MODE_SENSE_10:
        this.#modeSense();
        break;
      case mmc.OP_MODE_SELECT_10: {
        const length = mmc.be16(packet, 7);
        if (length === 0) {
          this.#succeed();
          break;
        }
        s.data = DATA_PARAMETERS;
        if (s.dma) this.#unit.acceptDma(length);
        else this.#unit.acceptPio(length, length <= s.byteLimit ? length : Math.max(2, s.byteLimit & ~1), true);
        break;
      }
      case mmc.OP_MECHANISM_STATUS:
        this.#reply(mmc.be16(packet, 8), (data) => {
          data[1] = s.trayOpen ? 0x10 : 0;
          data[5] = 1; // slots
          return 8;
        });
        break;
      case mmc.OP_SET_CD_SPEED:
      case mmc.OP_STOP_PLAY:
        this.#succeed();
        break;
      default:
        if (s.trayOpen || !this.#drive.inserted) {
          const known = MEDIUM_COMMANDS.has(opcode);
          const reason = s.trayOpen ? mmc.NOT_READY_TRAY_OPEN : mmc.NOT_READY_NO_MEDIUM;
          this.#check(known ? reason : mmc.INVALID_OPCODE);
        } else {
          this.#executeMedium(opcode);
        }
    }
  }

  /** Commands that need a disc. */
  #executeMedium(opcode: number): void {
    const { packet } = this.#s;
    const sectors = this.#sectors;
    switch (opcode) {
      case mmc.OP_TEST_UNIT_READY:
        this.#succeed();
        break;
      case mmc.OP_READ_CAPACITY:
        this.#reply(8, (data) => {
          mmc.putBe32(data, 0, sectors - 1);
          mmc.putBe32(data, 4, mmc.CD_SECTOR);
          return 8;
        });
        break;
      case mmc.OP_READ_10:
        this.#read(mmc.be32(packet, 2), mmc.be16(packet, 7), mmc.CD_SECTOR);
        break;
      case mmc.OP_READ_12:
        this.#read(mmc.be32(packet, 2), mmc.be32(packet, 6), mmc.CD_SECTOR);
        break;
      case mmc.OP_READ_CD:
        this.#readCd(mmc.be32(packet, 2), (packet[6] << 16) | mmc.be16(packet, 7));
        break;
      case mmc.OP_READ_CD_MSF: {
        const start = mmc.lbaOfMsf(packet[3], packet[4], packet[5]);
        const end = mmc.lbaOfMsf(packet[6], packet[7], packet[8]);
        if (start < 0 || end < start) this.#check(mmc.LBA_OUT_OF_RANGE);
        else this.#readCd(start, end - start);
        break;
      }
      case mmc.OP_SEEK_10:
        if (mmc.be32(packet, 2) < sectors) this.#succeed();
        else this.#check(mmc.LBA_OUT_OF_RANGE);
        break;
      case mmc.OP_READ_TOC:
        this.#reply(mmc.be16(packet, 7), (data) => this.#readToc(data, sectors));
        break;
      case mmc.OP_READ_DISC_INFORMATION:
        this.#reply(mmc.be16(packet, 7), (data) => mmc.discInformation(data));
        break;
      case mmc.OP_READ_TRACK_INFORMATION:
        this.#reply(mmc.be16(packet, 7), (data) => mmc.trackInformation(data, sectors));
        break;
      case mmc.OP_READ_SUB_CHANNEL:
        this.#reply(mmc.be16(packet, 7), (data) => {
          data[1] = 0x15; // no audio status
          return packet[2] & 0x40 ? undefined : 4;
        });
        break;
      case mmc.OP_READ_DVD_STRUCTURE:
        this.#reply(
          mmc.be16(packet, 8),
          (data) => (packet[7] === 0 ? mmc.dvdPhysicalFormat(data, sectors) : undefined),
          packet[7] === 0 ? mmc.INCOMPATIBLE_MEDIUM : mmc.INVALID_FIELD,
        );
        break;
      default:
        this.#check(mmc.INVALID_OPCODE);
    }
  }

  #requestSense(): void {
    const s = this.#s;
    let sense: mmc.Sense = [s.senseKey, s.asc, s.ascq];
    if (s.senseKey === 0 && s.change !== CHANGE_NONE) {
      s.change = CHANGE_NONE;
      sense = mmc.MEDIUM_CHANGED;
    }
    this.#setSense(mmc.NO_SENSE);
    this.#reply(s.packet[4], (data) => mmc.senseData(data, sense));
  }

  #eventStatus(data: Uint8Array): number | undefined {
    const s = this.#s;
    if ((s.packet[1] & 1) === 0) return undefined; // only polling
    const length = mmc.eventStatus(data, s.packet[4], s.event, s.trayOpen, this.#drive.inserted && !s.trayOpen);
    if (length === 8) s.event = EVENT_NONE;
    return length;
  }

  #startStop(): void {
    const s = this.#s;
    const start = (s.packet[4] & 1) !== 0;
    const loadEject = (s.packet[4] & 2) !== 0;
    if (loadEject && !start && s.locked) {
      this.#check(mmc.REMOVAL_PREVENTED);
      return;
    }
    if (loadEject && s.trayOpen === start) {
      this.#setTray(!start);
      this.#noticeMedium();
    }
    this.#succeed();
  }

  #modeSense(): void {
    const { packet, locked } = this.#s;
    const control = packet[2] >> 6;
    this.#reply(
      mmc.be16(packet, 7),
      (data) =>
        control === 3 ? undefined : mmc.modeSense(data, packet[2] & 0x3f, control === 1, this.#sectors, locked),
      control === 3 ? mmc.SAVING_NOT_SUPPORTED : mmc.INVALID_FIELD,
    );
  }

  #readToc(data: Uint8Array, sectors: number): number | undefined {
    const { packet } = this.#s;
    const asMsf = (packet[1] & 2) !== 0;
    // Before MMC-1 the format was in the two highest bits of the control byte.
    switch (packet[2] & 0xf || packet[9] >> 6) {
      case 0:
        return mmc.toc(data, sectors, asMsf, packet[6]);
      case 1:
        return mmc.sessionInfo(data, asMsf);
      case 2:
        return mmc.fullToc(data, sectors);
      default:
        return undefined;
    }
  }

  // --- reading ---------------------------------------------------------------------------------------------------------

  #readCd(lba: number, count: number): void {
    const { packet } = this.#s;
    const type = (packet[1] >> 2) & 7; // expected sector type: any or mode 1
    const selection = packet[9] & 0xf8;
    if (type !== 0 && type !== 2) this.#check(mmc.ILLEGAL_MODE);
    else if (packet[10] !== 0) this.#check(mmc.INVALID_FIELD);
    else if (selection === 0) this.#succeed();
    else if (selection === SELECT_USER_DATA) this.#read(lba, count, mmc.CD_SECTOR);
    else if ((selection & ~(SELECT_HEADERS ^ 0x20)) === SELECT_RAW) this.#read(lba, count, mmc.RAW_SECTOR);
    else this.#check(mmc.INVALID_FIELD);
  }

  #read(lba: number, count: number, sectorSize: number): void {
    const s = this.#s;
    if (lba + count > this.#sectors) {
      this.#check(mmc.LBA_OUT_OF_RANGE);
      return;
    }
    if (count === 0) {
      this.#succeed();
      return;
    }
    s.data = DATA_SECTORS;
    s.lba = lba;
    s.count = count;
    s.sectorSize = sectorSize;
    this.#fetch();
  }

  #fetch(): void {
    const s = this.#s;
    const { buffer } = this.#unit;
    const { sectorSize } = s;
    s.chunk = Math.min(s.count, Math.floor(BUFFER_SIZE / sectorSize));
    const into =
      sectorSize === mmc.CD_SECTOR
        ? [buffer.subarray(0, s.chunk * mmc.CD_SECTOR)]
        : Array.from({ length: s.chunk }, (_, i) =>
            buffer.subarray(i * sectorSize + 16, i * sectorSize + 16 + mmc.CD_SECTOR),
          );
    s.waiting = true;
    this.#unit.request(
      (done) => this.#drive.read(s.lba * mmc.CD_SECTOR, into, done),
      (error) => this.#fetched(error),
    );
  }

  #fetched(error: BlockError): void {
    const s = this.#s;
    s.waiting = false;
    if (error) {
      this.#check(this.#sectors === 0 ? mmc.NOT_READY_NO_MEDIUM : mmc.MEDIUM_ERROR);
      return;
    }
    if (s.sectorSize === mmc.RAW_SECTOR) for (let i = 0; i < s.chunk; i++) this.#frame(i);
    this.#offer(s.chunk * s.sectorSize);
  }

  /** Puts sync pattern and header before, and zeros behind, the user data of raw sector `i` in the buffer. */
  #frame(i: number): void {
    const sector = this.#unit.buffer.subarray(i * mmc.RAW_SECTOR, (i + 1) * mmc.RAW_SECTOR);
    sector[0] = sector[11] = 0;
    sector.fill(0xff, 1, 11);
    const bcd = mmc.msf(this.#s.lba + i).map((value) => (Math.floor(value / 10) << 4) | (value % 10));
    sector.set([...bcd, 1], 12);
    sector.fill(0, 16 + mmc.CD_SECTOR);
  }

  /** IDENTIFY PACKET DEVICE: section 6.18, table 27. */
  #identify(): void {
    const s = this.#s;
    const words = new IdentifyWords(this.#unit.buffer);
    words.set(0, 0x85c0); // ATAPI, CD-ROM, removable, DRQ within 50 us, 12-byte packets
    words.setIdentity(this.#identity);
    words.set(48, 1); // 32-bit PIO
    words.set(49, 0x0b00); // IORDY, LBA, DMA
    words.set(51, 0x0200);
    words.set(53, 0x0006); // words 64 to 70 and 88 are valid
    words.setTransferModes(s.transferMode);
    words.set(71, 30); // ns from PACKET to bus release, from SERVICE to BSY clear
    words.set(72, 30);
    words.set(80, 0x00f0); // ATA/ATAPI-4 to -7
    words.set(81, 0x001d);
    words.set(82, 0x4218); // NOP, DEVICE RESET, PACKET, power management
    words.set(83, 0x4000);
    words.set(84, 0x4000);
    words.set(85, 0x4218);
    words.set(87, 0x4000);
    words.setResetResult(this.#unit.index);
    words.seal();
    s.data = DATA_IDENTIFY;
    this.#unit.offerPio(512, 512);
  }
}

/** The commands of `#executeMedium`: without a disc they are not ready rather than unknown. */
const MEDIUM_COMMANDS: ReadonlySet<number> = new Set([
  mmc.OP_TEST_UNIT_READY,
  mmc.OP_READ_CAPACITY,
  mmc.OP_READ_10,
  mmc.OP_READ_12,
  mmc.OP_READ_CD,
  mmc.OP_READ_CD_MSF,
  mmc.OP_SEEK_10,
  mmc.OP_READ_TOC,
  mmc.OP_READ_DISC_INFORMATION,
  mmc.OP_READ_TRACK_INFORMATION,
  mmc.OP_READ_SUB_CHANNEL,
  mmc.OP_READ_DVD_STRUCTURE,
]);
