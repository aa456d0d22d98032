/**
 * VirtualBox disk images: a header, a block map, and blocks (usually of 1 MiB) in the order they were first written.
 *
 * Invariants:
 *  1. A number in the map on disk is of a block that was on stable storage before: the map is written by `flush`, after
 *     the data. A power cut leaves at worst blocks in the file that nobody refers to.
 *  2. No two entries of the map have the same number.
 */

import { BLOCK_NO_SPACE, BLOCK_OPEN, checkRequest, QemuError, sliceVector, vectorLength } from "qemu-next";
import { BLOCKS_IN_FILE, HEADER_SIZE, readHeader, SECTOR, ZERO } from "./header.js";

/** The map is written in whole sectors. */
const ENTRIES = SECTOR / 4;
const ZEROS = new Uint8Array(65536);

/** @implements {import("qemu-next").BlockNode} */
export class VdiNode {
  #file;
  #header;
  /** The block map, little-endian as on disk. */
  #map;
  /** The numbers that are taken, and the first that is not. */
  #used;
  #free = 0;
  /** Sectors of the map that differ from those on disk. */
  #dirty = new Set();
  /** New blocks are made one after the other. */
  #turn = Promise.resolve();
  /** Flushes, too: of two at a time the second one must not end before the first one's map is written. */
  #flushing = Promise.resolve();

  /** Use `open`. */
  constructor(file, header, map, used, readOnly) {
    this.#file = file;
    this.#header = header;
    this.#map = new DataView(map.buffer);
    this.#used = used;
    this.name = `vdi:${file.name.replace(/^file:/, "")}`;
    this.length = header.diskSize;
    this.readOnly = readOnly || file.readOnly;
  }

  static async open(file, readOnly) {
    const start = new Uint8Array(HEADER_SIZE);
    if (file.length < HEADER_SIZE) throw new QemuError(BLOCK_OPEN, `${file.name}: too short for a VDI image`);
    await file.read(0, [start]);
    const header = readHeader(start, file.name);
    const map = new Uint8Array(Math.ceil((header.blocks * 4) / SECTOR) * SECTOR);
    if (header.mapOffset + header.blocks * 4 > file.length) {
      throw new QemuError(BLOCK_OPEN, `${file.name}: the block map lies outside of the file`);
    }
    await file.read(header.mapOffset, [map.subarray(0, header.blocks * 4)]);
    const used = checkMap(new DataView(map.buffer), header.blocks, file.name);
    return new VdiNode(file, header, map, used, readOnly);
  }

  async read(offset, into) {
    const length = vectorLength(into);
    checkRequest(this, offset, length);
    for (const { block, at, size, done } of this.#pieces(offset, length)) {
      const part = sliceVector(into, done, size);
      const entry = this.#entry(block);
      const place = this.#place(entry) + at;
      // What lies behind the end of a file that was cut off is lost, and reads as zeros like a block that never was.
      const inside = entry >= ZERO ? 0 : Math.max(0, Math.min(size, this.#file.length - place));
      if (inside > 0) await this.#file.read(place, sliceVector(part, 0, inside));
      for (const rest of sliceVector(part, inside, size - inside)) rest.fill(0);
    }
  }

  async write(offset, from) {
    const length = vectorLength(from);
    checkRequest(this, offset, length, true);
    for (const { block, at, size, done } of this.#pieces(offset, length)) {
      const part = sliceVector(from, done, size);
      const entry = this.#entry(block);
      if (entry < ZERO && this.#place(entry + 1) <= this.#file.length) {
        await this.#file.write(this.#place(entry) + at, part);
      } else {
        await this.#inTurn(() => this.#writeGrowing(block, at, part));
      }
    }
  }

  flush() {
    this.#flushing = this.#flushing.catch(() => {}).then(() => this.#writeMap());
    return this.#flushing;
  }

  async #writeMap() {
    const dirty = [...this.#dirty];
    // Those blocks are complete: their entries were set after they were written.
    const sectors = dirty.map(
      (sector) => new Uint8Array(this.#map.buffer.slice(sector * SECTOR, (sector + 1) * SECTOR)),
    );
    const count = new Uint8Array(4);
    new DataView(count.buffer).setUint32(0, this.#used.lastIndexOf(1) + 1, true);
    this.#dirty.clear();
    try {
      await this.#file.flush();
      if (dirty.length === 0) return;
      for (const [i, sector] of dirty.entries()) {
        await this.#file.write(this.#header.mapOffset + sector * SECTOR, [sectors[i]]);
      }
      await this.#file.write(BLOCKS_IN_FILE, [count]);
      await this.#file.flush();
    } catch (error) {
      for (const sector of dirty) this.#dirty.add(sector);
      throw error;
    }
  }

  /** Blocks stay where they are. */
  async discard(offset, length) {
    checkRequest(this, offset, length, true);
  }

  async close() {
    try {
      if (!this.readOnly) await this.flush();
    } finally {
      await this.#file.close();
    }
  }

  /** The part of a request that falls into each block. */
  *#pieces(offset, length) {
    const { blockSize } = this.#header;
    for (let done = 0; done < length; ) {
      const block = Math.floor((offset + done) / blockSize);
      const at = (offset + done) % blockSize;
      const size = Math.min(blockSize - at, length - done);
      yield { block, at, size, done };
      done += size;
    }
  }

  #entry(block) {
    return this.#map.getUint32(block * 4, true);
  }

  #place(entry) {
    return this.#header.dataOffset + entry * this.#header.blockSize;
  }

  #inTurn(action) {
    const turn = this.#turn.then(action);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** Makes a block, or what is missing of a file that was cut off. The rest of a new block is zeros. */
  async #writeGrowing(block, at, part) {
    const before = this.#entry(block);
    if (before < ZERO) {
      await this.#growTo(this.#place(before + 1));
      await this.#file.write(this.#place(before) + at, part);
      return;
    }
    while (this.#used[this.#free]) this.#free++;
    const entry = this.#free;
    const [start, end] = [this.#place(entry), this.#place(entry + 1)];
    // What a power cut or a failure has left there; where the file grows there are zeros anyway.
    const old = Math.min(this.#file.length, end);
    for (let zero = start; zero < old; zero += ZEROS.length) {
      await this.#file.write(zero, [ZEROS.subarray(0, Math.min(ZEROS.length, old - zero))]);
    }
    await this.#growTo(end);
    await this.#file.write(start + at, part);
    this.#used[entry] = 1;
    this.#map.setUint32(block * 4, entry, true);
    this.#dirty.add(Math.floor(block / ENTRIES));
  }

  async #growTo(length) {
    if (this.#file.length >= length) return;
    if (!this.#file.truncate) throw new QemuError(BLOCK_NO_SPACE, `${this.name}: the file cannot grow`);
    await this.#file.truncate(length);
  }
}

/** Refuses a map in which blocks overlap; returns which numbers are taken. */
function checkMap(map, blocks, name) {
  const used = new Uint8Array(blocks);
  for (let block = 0; block < blocks; block++) {
    const entry = map.getUint32(block * 4, true);
    if (entry >= ZERO) continue;
    if (entry >= blocks || used[entry]) {
      throw new QemuError(BLOCK_OPEN, `${name}: the block map is corrupt (entry ${block})`);
    }
    used[entry] = 1;
  }
  return used;
}

/** @type {import("qemu-next").BlockFormat} */
export const VDI_FORMAT = {
  name: "vdi",
  open: (file, { readOnly }) => VdiNode.open(file, readOnly),
};
