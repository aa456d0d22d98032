/**
 * How a device reaches guest memory: by guest-physical address, in bytes, as a bus master. Addresses are numbers up to
 * 2^53. Accesses may cross regions; what hits no memory reads as ones and is dropped on writes; registers of other
 * devices are reached too, but for one that waits, in another thread, for the device that does this.
 */
export interface Dma {
  read(address: number, into: Uint8Array): void;
  write(address: number, from: Uint8Array): void;
  read16(address: number): number;
  read32(address: number): number;
  write16(address: number, value: number): void;
  write32(address: number, value: number): void;
}

/** Dma over a plain array, for unit tests. */
export class ArrayDma implements Dma {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.#view = new DataView(this.bytes.buffer);
  }

  read(address: number, into: Uint8Array): void {
    for (let i = 0; i < into.length; i++) into[i] = this.bytes[address + i] ?? 0xff;
  }

  write(address: number, from: Uint8Array): void {
    for (let i = 0; i < from.length && address + i < this.bytes.length; i++) this.bytes[address + i] = from[i];
  }

  read16(address: number): number {
    return this.#inside(address, 2) ? this.#view.getUint16(address, true) : 0xffff;
  }

  read32(address: number): number {
    return this.#inside(address, 4) ? this.#view.getUint32(address, true) : 0xffffffff;
  }

  write16(address: number, value: number): void {
    if (this.#inside(address, 2)) this.#view.setUint16(address, value, true);
  }

  write32(address: number, value: number): void {
    if (this.#inside(address, 4)) this.#view.setUint32(address, value, true);
  }

  #inside(address: number, size: number): boolean {
    return address >= 0 && address + size <= this.bytes.length;
  }
}
