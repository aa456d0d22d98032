/**
 * Bus master access to an address space. Plain memory is copied, pages at a time. Registers are accessed four bytes at a
 * time where address and length allow, and two or one where not; what nobody claims costs nothing, however long it is.
 */

import { type AccessSize, type IoRegion, readRegion, writeRegion } from "../bus/io.ts";
import type { AddressRegion, AddressSpace } from "./address-space.ts";
import type { Dma } from "./dma.ts";
import { PAGE_SIZE } from "./guest-memory.ts";

/** What answers in a run of addresses: memory at an address of the shared memory, or a region, or nobody. */
type Target = number | AddressRegion | undefined;

export class MemoryDma implements Dma {
  readonly #space: AddressSpace;

  constructor(space: AddressSpace) {
    this.#space = space;
  }

  read(address: number, into: Uint8Array): void {
    this.#runs(address, into.length, false, (target, at, offset, length) => {
      const part = into.subarray(offset, offset + length);
      if (target === undefined) part.fill(0xff);
      else if (typeof target === "number") part.set(this.#space.memory.u8.subarray(target, target + length));
      else if (target.target.kind === "io") readRegisters(target.target.region, at - target.base, part);
      else {
        const from = target.target.block.address + (target.target.offset ?? 0) + at - target.base;
        part.set(this.#space.memory.u8.subarray(from, from + length));
      }
    });
  }

  write(address: number, from: Uint8Array): void {
    this.#runs(address, from.length, true, (target, at, offset, length) => {
      const part = from.subarray(offset, offset + length);
      if (typeof target === "number") this.#store(target, part);
      else if (target?.target.kind === "io") writeRegisters(target.target.region, at - target.base, part);
      else if (target?.target.kind === "romd") writeRegisters(target.target.write, at - target.base, part);
      else if (target?.target.kind === "ram") {
        this.#store(target.target.block.address + (target.target.offset ?? 0) + at - target.base, part);
      }
    });
  }

  read16(address: number): number {
    return this.#space.read(address, 2);
  }

  read32(address: number): number {
    return this.#space.read(address, 4);
  }

  write16(address: number, value: number): void {
    this.#space.write(address, value, 2);
  }

  write32(address: number, value: number): void {
    this.#space.write(address, value, 4);
  }

  #store(to: number, bytes: Uint8Array): void {
    this.#space.memory.u8.set(bytes, to);
    this.#space.notifyWrite(to, bytes.length);
  }

  #runs(
    address: number,
    length: number,
    forWrite: boolean,
    move: (target: Target, at: number, offset: number, length: number) => void,
  ): void {
    for (let offset = 0; offset < length; ) {
      const at = address + offset;
      const target = this.#space.direct(at, forWrite) ?? this.#space.find(at);
      const end = typeof target === "number" ? at + PAGE_SIZE - (at % PAGE_SIZE) : this.#endOf(target, at);
      const count = Math.min(end - at, length - offset);
      move(target, at, offset, count);
      offset += count;
    }
  }

  /** Where what answers at `at` ends: at its own end, or where another region may begin to cover it. */
  #endOf(region: AddressRegion | undefined, at: number): number {
    let end = region ? region.base + region.size : Number.POSITIVE_INFINITY;
    for (const { base, enabled } of this.#space.regions()) if (enabled && base > at && base < end) end = base;
    return end;
  }
}

/** The widest access that is aligned and does not go past the end. */
function widest(offset: number, left: number): AccessSize {
  if ((offset & 3) === 0 && left >= 4) return 4;
  return (offset & 1) === 0 && left >= 2 ? 2 : 1;
}

function readRegisters(region: IoRegion, start: number, into: Uint8Array): void {
  for (let done = 0; done < into.length; ) {
    const size = widest(start + done, into.length - done);
    const value = readRegion(region, start + done, size);
    for (let i = 0; i < size; i++) into[done + i] = value >>> (i * 8);
    done += size;
  }
}

function writeRegisters(region: IoRegion, start: number, from: Uint8Array): void {
  for (let done = 0; done < from.length; ) {
    const size = widest(start + done, from.length - done);
    let value = 0;
    for (let i = 0; i < size; i++) value |= from[done + i] << (i * 8);
    writeRegion(region, start + done, value >>> 0, size);
    done += size;
  }
}
