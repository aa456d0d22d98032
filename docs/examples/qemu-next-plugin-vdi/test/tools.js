/** Images for the tests: an empty one, and a file in memory that notes what is done to it. */

import { HEADER_SIZE, SECTOR, SIGNATURE, TYPE_DYNAMIC, UNALLOCATED, VERSION } from "../header.js";

/**
 * An empty image: header and block map.
 *
 * @param {number} diskSize bytes, a multiple of 512
 * @param {number} [blockSize] bytes
 */
export function emptyImage(diskSize, blockSize = 1 << 20) {
  const blocks = Math.ceil(diskSize / blockSize);
  const dataOffset = HEADER_SIZE + Math.ceil((blocks * 4) / SECTOR) * SECTOR;
  const image = new Uint8Array(dataOffset);
  image.set(new TextEncoder().encode("<<< qemu-next virtual disk image >>>\n"));
  const view = new DataView(image.buffer);
  const put = (offset, value) => view.setUint32(offset, value, true);
  put(0x40, SIGNATURE);
  put(0x44, VERSION);
  put(0x48, 0x190);
  put(0x4c, TYPE_DYNAMIC);
  put(0x154, HEADER_SIZE);
  put(0x158, dataOffset);
  put(0x168, SECTOR);
  view.setBigUint64(0x170, BigInt(diskSize), true);
  put(0x178, blockSize);
  put(0x180, blocks);
  image.set(crypto.getRandomValues(new Uint8Array(16)), 0x188);
  for (let block = 0; block < blocks; block++) put(HEADER_SIZE + block * 4, UNALLOCATED);
  return image;
}

/** A file in memory, as a block driver sees it. Each change is a step of `journal`. */
export class MemoryFile {
  name = "file:memory";
  readOnly = false;
  journal = [];

  constructor(bytes) {
    this.bytes = bytes;
  }

  get length() {
    return this.bytes.length;
  }

  async read(offset, into) {
    for (const part of into) {
      part.set(this.bytes.subarray(offset, offset + part.length));
      offset += part.length;
    }
  }

  async write(offset, from) {
    const data = Buffer.concat(from);
    if (offset + data.length > this.length) throw new Error("write behind the end");
    this.#step({ kind: "write", offset, data });
  }

  async truncate(length) {
    this.#step({ kind: "truncate", length });
  }

  async flush() {
    this.journal.push({ kind: "flush" });
  }

  async close() {}

  /** What the file was before, with the first `steps` of the journal done to it. */
  static replay(before, journal, steps) {
    const file = new MemoryFile(Uint8Array.from(before));
    for (const step of journal.slice(0, steps)) file.#step(step);
    return file;
  }

  #step(step) {
    this.journal.push(step);
    if (step.kind === "write") this.bytes.set(step.data, step.offset);
    if (step.kind === "truncate") {
      const bytes = new Uint8Array(step.length);
      bytes.set(this.bytes.subarray(0, step.length));
      this.bytes = bytes;
    }
  }
}
