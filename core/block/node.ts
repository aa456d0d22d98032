/**
 * A node of the block graph: an image, or a layer over one, on the I/O thread. Requests are asynchronous, vectored and
 * in bytes; several may be under way at once and complete in any order. Buffers may be views of shared memory.
 *
 * Requests inside [0, length) succeed or reject with a `QemuError` of one of the codes below. Callers keep offsets and
 * lengths whole and inside; nodes reject what is not with BLOCK_RANGE rather than touch anything.
 */

import { messageOf, QemuError } from "../errors.ts";
import type { BlockError } from "./port.ts";

export interface BlockNode {
  /** Driver and file, for messages: "raw:disk.img". */
  readonly name: string;
  /** Bytes. */
  readonly length: number;
  readonly readOnly: boolean;
  /** Fills all of `into` from `offset` on. */
  read(offset: number, into: readonly Uint8Array[]): Promise<void>;
  /** Writes all of `from` at `offset`. */
  write(offset: number, from: readonly Uint8Array[]): Promise<void>;
  /** Resolves when everything written before is on stable storage. */
  flush(): Promise<void>;
  /** The range's contents are no longer needed. It then reads as zeros or as before. */
  discard(offset: number, length: number): Promise<void>;
  truncate?(length: number): Promise<void>;
  close(): Promise<void>;
}

export const BLOCK_IO = "block-io";
export const BLOCK_NO_SPACE = "block-no-space";
export const BLOCK_READ_ONLY = "block-read-only";
export const BLOCK_RANGE = "block-range";
export const BLOCK_OPEN = "block-open";

/** Total length of a vector. */
export function vectorLength(iov: readonly Uint8Array[]): number {
  let length = 0;
  for (const part of iov) length += part.length;
  return length;
}

/** The part of a vector from `start` on, `length` bytes of it, as views of the same memory. */
export function sliceVector(iov: readonly Uint8Array[], start: number, length: number): Uint8Array[] {
  const slice: Uint8Array[] = [];
  for (const part of iov) {
    if (length === 0) break;
    if (start >= part.length) {
      start -= part.length;
      continue;
    }
    const count = Math.min(part.length - start, length);
    slice.push(part.subarray(start, start + count));
    length -= count;
    start = 0;
  }
  return slice;
}

/** Throws unless [offset, offset + length) lies in `node`, and (for `write`) the node can be written. */
export function checkRequest(node: BlockNode, offset: number, length: number, write = false): void {
  if (!(offset >= 0 && length >= 0 && offset + length <= node.length)) {
    throw new QemuError(BLOCK_RANGE, `${node.name}: request outside the image`, { context: { offset, length } });
  }
  if (write && node.readOnly) throw new QemuError(BLOCK_READ_ONLY, `${node.name}: image is read-only`);
}

/** Wraps what the operating system threw: the errno decides the code. */
export function blockFailure(node: string, operation: string, offset: number, cause: unknown): QemuError {
  if (cause instanceof QemuError) return cause;
  const errno = (cause as { code?: string } | null)?.code;
  const code =
    errno === "ENOSPC" || errno === "EDQUOT" || errno === "EFBIG"
      ? BLOCK_NO_SPACE
      : errno === "EROFS" || errno === "EPERM"
        ? BLOCK_READ_ONLY
        : BLOCK_IO;
  return new QemuError(code, `${node}: ${operation} at ${offset}: ${messageOf(cause)}`, {
    context: { operation, offset },
    cause,
  });
}

/** What a device is told of a failed request. */
export function deviceError(error: unknown): Exclude<BlockError, undefined> {
  return error instanceof QemuError && error.code === BLOCK_NO_SPACE ? "enospc" : "eio";
}
