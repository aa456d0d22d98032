/** Positioned, vectored file access that finishes what the system call left over. Buffers may be shared memory. */

import type { FileHandle } from "node:fs/promises";
import { sliceVector, vectorLength } from "./node.ts";

/** Linux' limit on the parts of one readv or writev. */
const IOV_MAX = 1024;

/** The part of a file handle that is used here. */
export type VectorFile = Pick<FileHandle, "readv" | "writev">;

/** Fills all of `into`; past the end of the file it reads zeros. */
export async function readFully(file: VectorFile, offset: number, into: readonly Uint8Array[]): Promise<void> {
  await transfer(into, async (rest, done) => {
    const { bytesRead } = await file.readv(rest, offset + done);
    if (bytesRead > 0) return bytesRead;
    for (const part of rest) part.fill(0);
    return vectorLength(rest);
  });
}

/** Writes all of `from`. */
export async function writeFully(file: VectorFile, offset: number, from: readonly Uint8Array[]): Promise<void> {
  await transfer(from, async (rest, done) => {
    const { bytesWritten } = await file.writev(rest, offset + done);
    if (bytesWritten === 0) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    return bytesWritten;
  });
}

async function transfer(
  iov: readonly Uint8Array[],
  step: (rest: Uint8Array[], done: number) => Promise<number>,
): Promise<void> {
  const parts = iov.filter((part) => part.length > 0);
  const length = vectorLength(parts);
  for (let done = 0; done < length; ) {
    const rest = done === 0 ? parts : sliceVector(parts, done, length - done);
    done += await step(rest.length > IOV_MAX ? rest.slice(0, IOV_MAX) : rest, done);
  }
}
