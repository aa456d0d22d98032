/**
 * What an MMC CD-ROM drive answers with: operation codes, sense codes, and the data of commands that only depend on the
 * size of the disc. MMC-3 (T10 1363-D), SPC-3 for INQUIRY and sense data. A disc has one session with one data track.
 *
 * Each builder fills `data` from its start (already cleared) and returns the length of what it built.
 */

export const CD_SECTOR = 2048;
export const RAW_SECTOR = 2352;
/** More sectors than this do not fit on a CD of 80 minutes: the disc is a DVD. */
const CD_SECTORS_MAX = 80 * 60 * 75;
/** Sectors before logical block 0: two seconds. */
const MSF_OFFSET = 150;

export const OP_TEST_UNIT_READY = 0x00;
export const OP_REQUEST_SENSE = 0x03;
export const OP_INQUIRY = 0x12;
export const OP_START_STOP_UNIT = 0x1b;
export const OP_PREVENT_ALLOW = 0x1e;
export const OP_READ_CAPACITY = 0x25;
export const OP_READ_10 = 0x28;
export const OP_SEEK_10 = 0x2b;
export const OP_READ_SUB_CHANNEL = 0x42;
export const OP_READ_TOC = 0x43;
export const OP_GET_CONFIGURATION = 0x46;
export const OP_GET_EVENT_STATUS = 0x4a;
export const OP_STOP_PLAY = 0x4e;
export const OP_READ_DISC_INFORMATION = 0x51;
export const OP_READ_TRACK_INFORMATION = 0x52;
export const OP_MODE_SELECT_10 = 0x55;
export const OP_MODE_SENSE_10 = 0x5a;
export const OP_READ_12 = 0xa8;
export const OP_READ_DVD_STRUCTURE = 0xad;
export const OP_READ_CD_MSF = 0xb9;
export const OP_SET_CD_SPEED = 0xbb;
export const OP_MECHANISM_STATUS = 0xbd;
export const OP_READ_CD = 0xbe;

/** Sense key, additional sense code, qualifier. */
export type Sense = readonly [key: number, asc: number, ascq: number];

export const NO_SENSE: Sense = [0x0, 0x00, 0x00];
export const NOT_READY_NO_MEDIUM: Sense = [0x2, 0x3a, 0x00];
export const NOT_READY_TRAY_OPEN: Sense = [0x2, 0x3a, 0x02];
export const MEDIUM_ERROR: Sense = [0x3, 0x11, 0x00]; // unrecovered read error
export const INVALID_OPCODE: Sense = [0x5, 0x20, 0x00];
export const LBA_OUT_OF_RANGE: Sense = [0x5, 0x21, 0x00];
export const INVALID_FIELD: Sense = [0x5, 0x24, 0x00];
export const INCOMPATIBLE_MEDIUM: Sense = [0x5, 0x30, 0x02];
export const SAVING_NOT_SUPPORTED: Sense = [0x5, 0x39, 0x00];
export const REMOVAL_PREVENTED: Sense = [0x5, 0x53, 0x02];
export const ILLEGAL_MODE: Sense = [0x5, 0x64, 0x00]; // illegal mode for this track
export const MEDIUM_CHANGED: Sense = [0x6, 0x28, 0x00];

export function be16(data: Uint8Array, at: number): number {
  return (data[at] << 8) | data[at + 1];
}

export function be32(data: Uint8Array, at: number): number {
  return ((be16(data, at) << 16) | be16(data, at + 2)) >>> 0;
}

export function putBe16(data: Uint8Array, at: number, value: number): void {
  data[at] = value >>> 8;
  data[at + 1] = value;
}

export function putBe32(data: Uint8Array, at: number, value: number): void {
  putBe16(data, at, value >>> 16);
  putBe16(data, at + 2, value);
}

/** Minute, second and frame of a logical block. */
export function msf(lba: number): [number, number, number] {
  const frame = lba + MSF_OFFSET;
  return [Math.floor(frame / (60 * 75)), Math.floor(frame / 75) % 60, frame % 75];
}

/** The logical block at a minute, second and frame; negative in the lead-in. */
export function lbaOfMsf(minute: number, second: number, frame: number): number {
  return (minute * 60 + second) * 75 + frame - MSF_OFFSET;
}

/** A block address in four bytes, as blocks or as 0, M, S, F. */
function putAddress(data: Uint8Array, at: number, lba: number, asMsf: boolean): void {
  if (asMsf) data.set([0, ...msf(lba)], at);
  else putBe32(data, at, lba);
}

export function senseData(data: Uint8Array, [key, asc, ascq]: Sense): number {
  data[0] = 0x70; // current, fixed format
  data[2] = key;
  data[7] = 10;
  data[12] = asc;
  data[13] = ascq;
  return 18;
}

export function inquiry(data: Uint8Array, product: string, revision: string): number {
  const text = (at: number, value: string, length: number): void => {
    for (let i = 0; i < length; i++) data[at + i] = i < value.length ? value.charCodeAt(i) : 0x20;
  };
  data[0] = 0x05; // CD-ROM
  data[1] = 0x80; // removable
  data[2] = 0x00;
  data[3] = 0x21; // ATAPI-2, response format 1
  data[4] = 31;
  text(8, "QEMU", 8);
  text(16, product, 16);
  text(32, revision, 4);
  return 36;
}

/** READ TOC format 0: the track and the lead-out. `start` is the first track wanted; undefined when there is none. */
export function toc(data: Uint8Array, sectors: number, asMsf: boolean, start: number): number | undefined {
  if (start > 1 && start !== 0xaa) return undefined;
  let at = 4;
  data[2] = data[3] = 1; // first and last track
  for (const [track, lba] of [
    [1, 0],
    [0xaa, sectors],
  ]) {
    if (track < start) continue;
    data[at + 1] = 0x14; // current position, data track
    data[at + 2] = track;
    putAddress(data, at + 4, lba, asMsf);
    at += 8;
  }
  putBe16(data, 0, at - 2);
  return at;
}

/** READ TOC format 1: the first track of the last session. */
export function sessionInfo(data: Uint8Array, asMsf: boolean): number {
  putBe16(data, 0, 10);
  data[2] = data[3] = 1;
  data[5] = 0x14;
  data[6] = 1;
  putAddress(data, 8, 0, asMsf);
  return 12;
}

/** READ TOC format 2: the Q sub-channel of the lead-in. */
export function fullToc(data: Uint8Array, sectors: number): number {
  const points: [number, number, number, number][] = [
    [0xa0, 1, 0, 0],
    [0xa1, 1, 0, 0],
    [0xa2, ...msf(sectors)],
    [1, ...msf(0)],
  ];
  data[2] = data[3] = 1;
  points.forEach(([point, minute, second, frame], i) => {
    data.set([1, 0x14, 0, point, 0, 0, 0, 0, minute, second, frame], 4 + i * 11);
  });
  putBe16(data, 0, 2 + points.length * 11);
  return 4 + points.length * 11;
}

const PROFILE_CD_ROM = 0x0008;
const PROFILE_DVD_ROM = 0x0010;

/** GET CONFIGURATION: `type` 0 all features from `first` on, 1 the current ones, 2 only `first`. */
export function configuration(data: Uint8Array, sectors: number, type: number, first: number): number {
  const profile = sectors === 0 ? 0 : sectors > CD_SECTORS_MAX ? PROFILE_DVD_ROM : PROFILE_CD_ROM;
  const cd = profile === PROFILE_CD_ROM;
  const dvd = profile === PROFILE_DVD_ROM;
  const features: readonly (readonly [code: number, version: number, current: boolean, payload: readonly number[]])[] =
    [
      [0x0000, 0, true, [0x00, 0x10, dvd ? 1 : 0, 0, 0x00, 0x08, cd ? 1 : 0, 0]], // profile list
      [0x0001, 2, true, [0, 0, 0, 2, 1, 0, 0, 0]], // core: ATAPI
      [0x0003, 0, true, [0x29, 0, 0, 0]], // removable medium: tray, eject, lock
      [0x0010, 0, sectors > 0, [0, 0, 0x08, 0, 0, 1, 0, 0]], // random readable: blocks of 2048
      [0x001e, 2, cd, [0, 0, 0, 0]], // CD read
      [0x001f, 0, dvd, []], // DVD read
    ];
  let at = 8;
  for (const [code, version, current, payload] of features) {
    if (code < first || (type === 2 && code !== first) || (type === 1 && !current)) continue;
    putBe16(data, at, code);
    data[at + 2] = (version << 2) | (code <= 3 ? 2 : 0) | (current ? 1 : 0);
    data[at + 3] = payload.length;
    data.set(payload, at + 4);
    at += 4 + payload.length;
  }
  putBe32(data, 0, at - 4);
  putBe16(data, 6, profile);
  return at;
}

/** The pages of MODE SENSE, with their headers. */
const MODE_PAGES: readonly (readonly number[])[] = [
  [0x01, 6, 0, 5, 0, 0, 0, 0], // error recovery: 5 retries
  [0x0e, 14, 4, 0, 0, 0, 0, 75, 1, 0xff, 2, 0xff, 0, 0, 0, 0], // audio control
  // Capabilities: reads CD-R, CD-RW, DVD-ROM, DVD-R; mode 2 forms, multi-session; locks, ejects, tray; 706 KB/s, 512 KB.
  [0x2a, 18, 0x3b, 0, 0x70, 0, 0x29, 0, 0x02, 0xc2, 0, 2, 2, 0, 0x02, 0xc2, 0, 0, 0, 0],
];

/** MODE SENSE(10) of one page or (0x3f) all; undefined when there is no such page. */
export function modeSense(
  data: Uint8Array,
  page: number,
  changeable: boolean,
  sectors: number,
  locked: boolean,
): number | undefined {
  const pages = MODE_PAGES.filter(([code]) => page === 0x3f || page === code);
  if (pages.length === 0) return undefined;
  let at = 8;
  for (const bytes of pages) {
    data.set(changeable ? bytes.slice(0, 2) : bytes, at);
    if (bytes[0] === 0x2a && !changeable && locked) data[at + 6] |= 0x02;
    at += bytes.length;
  }
  putBe16(data, 0, at - 2);
  data[2] = sectors > 0 ? 0x01 : 0x70; // 120 mm data disc, or no disc
  return at;
}

export function discInformation(data: Uint8Array): number {
  putBe16(data, 0, 32);
  data[2] = 0x0e; // complete, last session complete
  data[3] = data[4] = data[5] = data[6] = 1; // first track, sessions, first and last track of the last session
  data[7] = 0x20; // unrestricted use
  return 34;
}

export function trackInformation(data: Uint8Array, sectors: number): number {
  putBe16(data, 0, 34);
  data[2] = data[3] = 1; // track, session
  data[5] = 0x04; // data track
  data[6] = 0x01; // mode 1
  putBe32(data, 24, sectors);
  return 36;
}

/** READ DVD STRUCTURE format 0: physical format information of a single-layer DVD-ROM. Undefined for a CD. */
export function dvdPhysicalFormat(data: Uint8Array, sectors: number): number | undefined {
  if (sectors <= CD_SECTORS_MAX) return undefined;
  const start = 0x30000;
  putBe16(data, 0, 2048 + 2);
  data[4] = 0x01; // DVD-ROM, version 1
  data[5] = 0x0f; // 120 mm, no maximum rate
  data[6] = 0x01; // one layer, embossed
  putBe32(data, 8, start);
  putBe32(data, 12, start + sectors - 1);
  return 2048 + 4;
}

/** GET EVENT STATUS NOTIFICATION: the media class, or a header that says which classes there are. */
export function eventStatus(
  data: Uint8Array,
  classes: number,
  event: number,
  trayOpen: boolean,
  medium: boolean,
): number {
  data[3] = 0x10; // supported: media
  if ((classes & 0x10) === 0) {
    data[1] = 2;
    data[2] = 0x80; // no event available
    return 4;
  }
  data[1] = 6;
  data[2] = 4; // media
  data[4] = event;
  data[5] = (trayOpen ? 1 : 0) | (medium ? 2 : 0);
  return 8;
}
