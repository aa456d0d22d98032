/**
 * `snapshot=on`: a writable layer over a base that is never written. What the guest writes goes to an unlinked sparse
 * temporary file, at the same offsets, and is gone when the node is closed.
 *
 * Invariants:
 *  1. A cluster is read from the file exactly when its bit is set, and its bit is set only after all of it was written.
 *  2. While a cluster's bit is clear, only the holder of the allocation lock writes it to the file.
 */

import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, QemuError } from "../errors.ts";
import { readFully, type VectorFile, vectorFile, writeFully } from "./file-io.ts";
import { BLOCK_OPEN, type BlockNode, blockFailure, checkRequest, sliceVector, vectorLength } from "./node.ts";

/** Bytes; the file system block size of most guests, so that most writes need nothing from the base. */
const CLUSTER = 4096;
/** Clusters per page of the bitmap. */
const PAGE_BITS = 2 ** 18;

/** One bit per cluster, made as it is needed. */
class Bitmap {
  readonly #pages = new Map<number, Uint8Array>();

  has(cluster: number): boolean {
    const page = this.#pages.get(Math.floor(cluster / PAGE_BITS));
    const bit = cluster % PAGE_BITS;
    return page !== undefined && (page[bit >> 3] & (1 << (bit & 7))) !== 0;
  }

  add(cluster: number): void {
    const index = Math.floor(cluster / PAGE_BITS);
    let page = this.#pages.get(index);
    if (!page) this.#pages.set(index, (page = new Uint8Array(PAGE_BITS / 8)));
    const bit = cluster % PAGE_BITS;
    page[bit >> 3] |= 1 << (bit & 7);
  }

  /** The end (exclusive, at most `end`) of the run of equal bits that starts at `cluster`. */
  runEnd(cluster: number, end: number): number {
    const value = this.has(cluster);
    while (cluster < end && this.has(cluster) === value) cluster++;
    return cluster;
  }
}

export class SnapshotNode implements BlockNode {
  readonly name: string;
  readonly readOnly = false;
  readonly length: number;
  readonly #base: BlockNode;
  readonly #handle: FileHandle;
  readonly #file: VectorFile;
  readonly #allocated = new Bitmap();
  /** The tail of the queue for the allocation lock. */
  #lock: Promise<unknown> = Promise.resolve();

  private constructor(base: BlockNode, file: FileHandle) {
    this.#base = base;
    this.#handle = file;
    this.#file = vectorFile(file.fd);
    this.length = base.length;
    this.name = `snapshot:${base.name}`;
  }

  /** Lays a snapshot over `base`, which it closes in the end. The file is made in `folder` ($TMPDIR or /var/tmp). */
  static async create(base: BlockNode, folder = process.env["TMPDIR"] || "/var/tmp"): Promise<SnapshotNode> {
    const path = join(folder, `qemu-next-snapshot-${process.pid}-${Math.random().toString(36).slice(2)}`);
    let file: FileHandle;
    try {
      file = await open(path, "wx+", 0o600);
    } catch (cause) {
      throw new QemuError(BLOCK_OPEN, `Could not create temporary overlay '${path}': ${messageOf(cause)}`, {
        context: { path },
        cause,
        hint: "set TMPDIR to a folder with room for the writes of the guest",
      });
    }
    await unlink(path);
    return new SnapshotNode(base, file);
  }

  async read(offset: number, into: readonly Uint8Array[]): Promise<void> {
    const length = vectorLength(into);
    checkRequest(this, offset, length);
    const end = offset + length;
    for (let at = offset; at < end; ) {
      const cluster = Math.floor(at / CLUSTER);
      const to = Math.min(end, this.#allocated.runEnd(cluster, Math.ceil(end / CLUSTER)) * CLUSTER);
      const part = sliceVector(into, at - offset, to - at);
      if (this.#allocated.has(cluster)) await this.#readFile(at, part);
      else await this.#base.read(at, part);
      at = to;
    }
  }

  async write(offset: number, from: readonly Uint8Array[]): Promise<void> {
    const length = vectorLength(from);
    checkRequest(this, offset, length, true);
    if (length === 0) return;
    const first = Math.floor(offset / CLUSTER);
    const last = Math.floor((offset + length - 1) / CLUSTER);
    if (this.#allocated.has(first) && this.#allocated.runEnd(first, last + 1) > last) {
      await this.#writeFile(offset, from);
      return;
    }
    const turn = this.#lock.then(() => this.#allocate(offset, from, length, first, last));
    this.#lock = turn.catch(() => {});
    await turn;
  }

  /** Nothing to do: a snapshot need not survive the process. */
  async flush(): Promise<void> {}

  async discard(offset: number, length: number): Promise<void> {
    checkRequest(this, offset, length, true);
  }

  async close(): Promise<void> {
    await this.#lock;
    await this.#handle.close();
    await this.#base.close();
  }

  /** Writes clusters of which some are not in the file yet: fills up the two at the ends from the base. */
  async #allocate(
    offset: number,
    from: readonly Uint8Array[],
    length: number,
    first: number,
    last: number,
  ): Promise<void> {
    const end = offset + length;
    const head = this.#allocated.has(first) ? 0 : offset - first * CLUSTER;
    const clusterEnd = Math.min((last + 1) * CLUSTER, this.length);
    const tail = this.#allocated.has(last) ? 0 : clusterEnd - end;
    const before = new Uint8Array(head);
    const after = new Uint8Array(tail);
    if (head > 0) await this.#base.read(offset - head, [before]);
    if (tail > 0) await this.#base.read(end, [after]);
    await this.#writeFile(offset - head, [before, ...from, after]);
    for (let cluster = first; cluster <= last; cluster++) this.#allocated.add(cluster);
  }

  async #readFile(offset: number, into: readonly Uint8Array[]): Promise<void> {
    try {
      await readFully(this.#file, offset, into);
    } catch (cause) {
      throw blockFailure(this.name, "read", offset, cause);
    }
  }

  async #writeFile(offset: number, from: readonly Uint8Array[]): Promise<void> {
    try {
      await writeFully(this.#file, offset, from);
    } catch (cause) {
      throw blockFailure(this.name, "write", offset, cause);
    }
  }
}
