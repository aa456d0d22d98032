/** The words of IDENTIFY (PACKET) DEVICE data that disks and CD-ROM drives share. ATA/ATAPI-7 sections 6.17 and 6.18. */

/** What a user can set about a drive's identity. */
export interface DriveIdentity {
  /** At most 20 characters. */
  readonly serial: string;
  /** At most 40 characters. */
  readonly model: string;
  /** Firmware revision, at most 8 characters. */
  readonly version: string;
}

export class IdentifyWords {
  readonly #view: DataView;

  /** Clears the first 512 bytes of `buffer`. */
  constructor(buffer: Uint8Array) {
    buffer.fill(0, 0, 512);
    this.#view = new DataView(buffer.buffer, buffer.byteOffset, 512);
  }

  set(word: number, value: number): void {
    this.#view.setUint16(word * 2, value, true);
  }

  /** A number of up to 48 bits in `count` words, low word first. */
  setLong(word: number, value: number, count: number): void {
    for (let i = 0; i < count; i++) this.set(word + i, Math.floor(value / 2 ** (16 * i)) % 65536);
  }

  /** An ATA string: the first character of each pair is in the high byte; padded with spaces. */
  setString(word: number, text: string, length: number): void {
    for (let i = 0; i < length; i++) {
      const code = i < text.length ? text.charCodeAt(i) : 0x20;
      this.#view.setUint8((word * 2 + i) ^ 1, code >= 0x20 && code < 0x7f ? code : 0x3f);
    }
  }

  setIdentity({ serial, version, model }: DriveIdentity): void {
    this.setString(10, serial, 20);
    this.setString(23, version, 8);
    this.setString(27, model, 40);
  }

  /** Words 63 to 68 and 88: PIO 4, multiword DMA 2 and Ultra DMA 5, with the mode that SET FEATURES chose. */
  setTransferModes(mode: number): void {
    this.set(63, 0x0007 | (mode >> 3 === 0x20 >> 3 ? 0x100 << (mode & 7) : 0));
    this.set(64, 0x0003);
    for (const word of [65, 66, 67, 68]) this.set(word, 120);
    this.set(88, 0x003f | (mode >> 3 === 0x40 >> 3 ? 0x100 << (mode & 7) : 0));
  }

  /** Word 93: 80-conductor cable, diagnostics passed. */
  setResetResult(unit: number): void {
    this.set(93, unit === 0 ? 0x600b : 0x6b00);
  }

  /** Word 255: the sum of all 512 bytes is zero. */
  seal(): void {
    this.#view.setUint8(510, 0xa5);
    let sum = 0;
    for (let i = 0; i < 511; i++) sum += this.#view.getUint8(i);
    this.#view.setUint8(511, -sum);
  }
}

/** Whether SET FEATURES can choose this transfer mode (sector count register): table 50. */
export function isTransferMode(mode: number): boolean {
  if (mode <= 0x01) return true; // PIO default
  const number = mode & 7;
  switch (mode >> 3) {
    case 0x08 >> 3:
      return number <= 4; // PIO flow control
    case 0x20 >> 3:
      return number <= 2; // multiword DMA
    case 0x40 >> 3:
      return number <= 5; // Ultra DMA
    default:
      return false;
  }
}
