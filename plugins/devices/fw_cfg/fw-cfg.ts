/**
 * The firmware configuration device in its x86 form, as QEMU's docs/specs/fw_cfg describes it: a selector and a data
 * port at 0x510, and a DMA address register at 0x514 through which a descriptor in guest memory is executed.
 *
 * Invariants:
 *  1. Reading past the end of an item gives zeros; nothing of another item is ever seen.
 *  2. Files lie in the directory in the order of their names, and file n has the key 0x20 + n.
 *  3. One descriptor moves at most the item's bytes plus ZERO_FILL_MAX zeros.
 *
 * DEVIATION: the specification sets no limit to the zeros that a DMA read past an item's end stores; here such a
 * descriptor stops after ZERO_FILL_MAX of them with the error bit, so that none can keep the machine busy for minutes.
 */

import type { AccessSize, IoRegion } from "../../../core/bus/io.ts";
import type { Device } from "../../../core/device.ts";
import { QemuError } from "../../../core/errors.ts";
import { type FirmwareConfig, type FirmwareFileOptions, FW_CFG, littleEndian } from "../../../core/firmware-config.ts";
import type { Dma } from "../../../core/memory/dma.ts";
import { defineState, type State, type StateArena, u16, u32 } from "../../../core/state/state.ts";

export const FW_CFG_IO_BASE = 0x510;
export const FW_CFG_DMA_BASE = 0x514;

// Bits of the selector.
const WRITE_CHANNEL = 0x4000;
const ARCH_LOCAL = 0x8000;
/** Files the directory has room for. */
const FILE_SLOTS = 0x20;
const NAME_SIZE = 56;
const DIRECTORY_ENTRY_SIZE = 64;

// The ID item.
const VERSION_TRADITIONAL = 0b01;
const VERSION_DMA = 0b10;

// The control field of a DMA descriptor.
const DMA_ERROR = 0b0_0001;
const DMA_READ = 0b0_0010;
const DMA_SKIP = 0b0_0100;
const DMA_SELECT = 0b0_1000;
const DMA_WRITE = 0b1_0000;
const DESCRIPTOR_SIZE = 16;

export const ZERO_FILL_MAX = 1 << 20;
const ZEROS = new Uint8Array(65536);
const EMPTY = new Uint8Array(0);

const SIGNATURE = new TextEncoder().encode("QEMU");
const DMA_SIGNATURE = new TextEncoder().encode("QEMU CFG");

const STATE = defineState("fw_cfg", 1, { selected: u16, offset: u32, dmaHigh: u32 });

interface Item {
  readonly data: Uint8Array;
  readonly options: FirmwareFileOptions;
}

interface NamedFile extends Item {
  readonly name: string;
  readonly encodedName: Uint8Array;
}

export interface FwCfgOptions {
  readonly name: string;
  readonly arena: StateArena;
  /** Absent: the device has no DMA interface. */
  readonly dma: Dma | undefined;
}

const swap32 = (value: number): number =>
  ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;

export class FwCfg implements Device, FirmwareConfig {
  /** Selector (16-bit, write) and data (8-bit). */
  readonly io: IoRegion;
  /** The DMA address register; high half first, a write of the low half starts the operation. */
  readonly dmaIo: IoRegion;
  readonly #state: State<typeof STATE>;
  readonly #dma: Dma | undefined;
  readonly #items = new Map<number, Item>();
  readonly #files: NamedFile[] = [];
  #current: Item | undefined;

  constructor({ name, arena, dma }: FwCfgOptions) {
    this.#state = arena.attach(name, STATE);
    this.#dma = dma;
    this.io = {
      name: "fwcfg",
      length: 2,
      max: 2,
      handler: {
        read: (_offset, size) => (size === 1 ? this.#readByte() : 0xffff),
        write: (offset, value, size) => {
          // The data port has not been writable since files can be written by DMA.
          if (size === 2 && offset === 0) this.#select(value);
        },
      },
    };
    this.dmaIo = {
      name: "fwcfg.dma",
      length: 8,
      handler: {
        read: (offset, size) => readSignature(offset, size),
        write: (offset, value, size) => this.#writeDmaAddress(offset, value, size),
      },
    };
    this.addBytes(FW_CFG.SIGNATURE, SIGNATURE);
    this.addBytes(FW_CFG.ID, littleEndian(VERSION_TRADITIONAL | (dma ? VERSION_DMA : 0), 4));
    this.#updateDirectory();
    this.reset();
  }

  addBytes(key: number, data: Uint8Array): void {
    const index = key & ~ARCH_LOCAL;
    if (index >= FW_CFG.FILE_FIRST || this.#items.has(key)) {
      throw new QemuError("fw-cfg-key", `fw_cfg item 0x${key.toString(16)} is out of range or already there`);
    }
    this.#items.set(key, { data, options: {} });
  }

  addFile(name: string, data: Uint8Array, options: FirmwareFileOptions = {}): void {
    const encodedName = new TextEncoder().encode(name);
    if (encodedName.length === 0 || encodedName.length >= NAME_SIZE || encodedName.includes(0)) {
      throw new QemuError("fw-cfg-name", `fw_cfg file name '${name}' must have 1 to ${NAME_SIZE - 1} bytes`);
    }
    if (this.#files.some((file) => file.name === name)) {
      throw new QemuError("fw-cfg-duplicate", `duplicate fw_cfg file name: ${name}`);
    }
    if (this.#files.length >= FILE_SLOTS) {
      throw new QemuError("fw-cfg-full", `no room for fw_cfg file '${name}': all ${FILE_SLOTS} slots are in use`);
    }
    this.#files.push({ name, encodedName, data, options });
    this.#files.sort((a, b) => Buffer.compare(a.encodedName, b.encodedName));
    this.#updateDirectory();
  }

  /** Names, keys and sizes of the files, in the directory's order. */
  files(): { name: string; key: number; size: number }[] {
    return this.#files.map(({ name, data }, i) => ({ name, key: FW_CFG.FILE_FIRST + i, size: data.length }));
  }

  reset(): void {
    this.#state.selected = 0;
    this.#state.offset = 0;
    this.#state.dmaHigh = 0;
    this.loaded();
  }

  loaded(): void {
    this.#current = this.#find(this.#state.selected);
  }

  #find(key: number): Item | undefined {
    const index = key & ~(WRITE_CHANNEL | ARCH_LOCAL);
    if (index >= FW_CFG.FILE_FIRST && (key & ARCH_LOCAL) === 0) {
      return this.#files[index - FW_CFG.FILE_FIRST];
    }
    return this.#items.get(key & ~WRITE_CHANNEL);
  }

  #select(key: number): void {
    this.#state.selected = key;
    this.#state.offset = 0;
    this.#current = this.#find(key);
    this.#current?.options.onSelect?.();
  }

  #readByte(): number {
    const data = this.#current?.data;
    const { offset } = this.#state;
    if (data === undefined || offset >= data.length) return 0;
    this.#state.offset = offset + 1;
    return data[offset];
  }

  #writeDmaAddress(offset: number, value: number, size: AccessSize): void {
    if (!this.#dma || size !== 4) return;
    if (offset === 0) this.#state.dmaHigh = swap32(value);
    if (offset !== 4) return;
    const address = this.#state.dmaHigh * 2 ** 32 + swap32(value);
    this.#state.dmaHigh = 0;
    // Beyond what a PC can address; and not exact as a number.
    if (address + DESCRIPTOR_SIZE < 2 ** 52) this.#execute(this.#dma, address);
  }

  #execute(dma: Dma, address: number): void {
    const descriptor = new Uint8Array(DESCRIPTOR_SIZE);
    dma.read(address, descriptor);
    const view = new DataView(descriptor.buffer);
    const control = view.getUint32(0);
    const length = view.getUint32(4);
    const target = view.getUint32(8) * 2 ** 32 + view.getUint32(12);
    if (control & DMA_SELECT) this.#select(control >>> 16);
    let ok = true;
    if (control & (DMA_READ | DMA_WRITE) && target + length > 2 ** 52) ok = false;
    else if (control & DMA_READ) ok = this.#readToMemory(dma, target, length);
    else if (control & DMA_WRITE) ok = this.#writeFromMemory(dma, target, length);
    else if (control & DMA_SKIP) this.#advance(length);
    const status = new Uint8Array(4);
    new DataView(status.buffer).setUint32(0, ok ? 0 : DMA_ERROR);
    dma.write(address, status);
  }

  /** Moves on by at most `length` within the item; returns the bytes passed over. */
  #advance(length: number): Uint8Array {
    const data = this.#current?.data ?? EMPTY;
    const { offset } = this.#state;
    const passed = data.subarray(offset, Math.min(offset + length, data.length));
    this.#state.offset = offset + passed.length;
    return passed;
  }

  #readToMemory(dma: Dma, target: number, length: number): boolean {
    const bytes = this.#advance(length);
    dma.write(target, bytes);
    const missing = length - bytes.length;
    const zeros = Math.min(missing, ZERO_FILL_MAX);
    for (let done = 0; done < zeros; done += ZEROS.length) {
      dma.write(target + bytes.length + done, ZEROS.subarray(0, Math.min(ZEROS.length, zeros - done)));
    }
    return zeros === missing;
  }

  #writeFromMemory(dma: Dma, target: number, length: number): boolean {
    const item = this.#current;
    const { offset } = this.#state;
    if (!item?.options.write || offset + length > item.data.length) return false;
    dma.read(target, this.#advance(length));
    item.options.write(offset, length);
    return true;
  }

  /** The directory: a count, then size, key and name of each file, all big-endian. */
  #updateDirectory(): void {
    const data = new Uint8Array(4 + this.#files.length * DIRECTORY_ENTRY_SIZE);
    const view = new DataView(data.buffer);
    view.setUint32(0, this.#files.length);
    this.#files.forEach(({ encodedName, data: contents }, i) => {
      const at = 4 + i * DIRECTORY_ENTRY_SIZE;
      view.setUint32(at, contents.length);
      view.setUint16(at + 4, FW_CFG.FILE_FIRST + i);
      data.set(encodedName, at + 8);
    });
    this.#items.set(FW_CFG.FILE_DIR, { data, options: {} });
    this.loaded();
  }
}

/** The DMA register reads as "QEMU CFG", byte by byte from the lowest port. */
function readSignature(offset: number, size: AccessSize): number {
  let value = 0;
  for (let i = 0; i < size; i++) value |= (DMA_SIGNATURE[offset + i] ?? 0) << (i * 8);
  return value >>> 0;
}
