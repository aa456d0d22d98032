/** A `BlockNode` in memory, for tests: counts what was asked of it, and fails when told to. */

import { type BlockNode, checkRequest, vectorLength } from "../../../core/block/node.ts";

export class MemoryNode implements BlockNode {
  readonly name = "memory";
  readOnly = false;
  bytes: Uint8Array;
  reads = 0;
  writes = 0;
  flushes = 0;
  closed = false;
  /** The next request fails with this. */
  failure: unknown;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** A disk whose bytes tell their places. */
  static pattern(length: number): MemoryNode {
    return new MemoryNode(Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 9) * 13) & 0xff));
  }

  get length(): number {
    return this.bytes.length;
  }

  async read(offset: number, into: readonly Uint8Array[]): Promise<void> {
    checkRequest(this, offset, vectorLength(into));
    this.#fail();
    this.reads++;
    await Promise.resolve();
    for (const part of into) {
      part.set(this.bytes.subarray(offset, offset + part.length));
      offset += part.length;
    }
  }

  async write(offset: number, from: readonly Uint8Array[]): Promise<void> {
    checkRequest(this, offset, vectorLength(from), true);
    this.#fail();
    this.writes++;
    await Promise.resolve();
    for (const part of from) {
      this.bytes.set(part, offset);
      offset += part.length;
    }
  }

  async flush(): Promise<void> {
    this.#fail();
    this.flushes++;
  }

  async discard(offset: number, length: number): Promise<void> {
    checkRequest(this, offset, length, true);
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  #fail(): void {
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
  }
}
