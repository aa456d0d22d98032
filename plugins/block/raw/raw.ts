/**
 * The `raw` format: the guest's sectors as they are. The size is rounded up to whole sectors; what lies between the end
 * of the file and the end of the last sector reads as zeros, and the file grows to the full sector when that is written.
 */

import type { BlockFormat } from "../../../core/block/driver.ts";
import { type BlockNode, checkRequest, sliceVector, vectorLength } from "../../../core/block/node.ts";

const SECTOR = 512;
const ZEROS = new Uint8Array(65536);

export class RawNode implements BlockNode {
  readonly name: string;
  readonly readOnly: boolean;
  readonly #file: BlockNode;
  #length: number;

  constructor(file: BlockNode, readOnly: boolean) {
    this.name = `raw:${file.name.replace(/^file:/, "")}`;
    this.#file = file;
    this.readOnly = readOnly || file.readOnly;
    this.#length = roundUp(file.length);
  }

  get length(): number {
    return this.#length;
  }

  async read(offset: number, into: readonly Uint8Array[]): Promise<void> {
    const length = vectorLength(into);
    checkRequest(this, offset, length);
    const inside = Math.max(0, Math.min(length, this.#file.length - offset));
    if (inside > 0) await this.#file.read(offset, inside === length ? into : sliceVector(into, 0, inside));
    if (inside < length) for (const part of sliceVector(into, inside, length - inside)) part.fill(0);
  }

  async write(offset: number, from: readonly Uint8Array[]): Promise<void> {
    const length = vectorLength(from);
    checkRequest(this, offset, length, true);
    if (offset + length > this.#file.length) await this.#file.truncate?.(this.#length);
    await this.#file.write(offset, from);
  }

  flush(): Promise<void> {
    return this.#file.flush();
  }

  /** Whole pieces are handed to the protocol; nothing else happens, so the range keeps its contents. */
  async discard(offset: number, length: number): Promise<void> {
    checkRequest(this, offset, length, true);
    const inside = Math.min(length, this.#file.length - offset);
    if (inside > 0) await this.#file.discard(offset, inside);
  }

  /** Changes the size in bytes, a multiple of 512. New space reads as zeros. */
  async truncate(length: number): Promise<void> {
    checkRequest(this, 0, 0, true);
    const size = roundUp(length);
    if (this.#file.truncate) await this.#file.truncate(size);
    else for (let at = this.#length; at < size; at += ZEROS.length) await this.#file.write(at, [ZEROS]);
    this.#length = size;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

export const RAW_FORMAT: BlockFormat = {
  name: "raw",
  open: async (file, { readOnly }) => new RawNode(file, readOnly),
};

function roundUp(length: number): number {
  return Math.ceil(length / SECTOR) * SECTOR;
}
