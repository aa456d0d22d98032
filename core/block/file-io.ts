/** Positioned, vectored file access that finishes what the system call left over. Buffers may be shared memory. */

import { read, readv, write, writev } from "node:fs";
import { sliceVector, vectorLength } from "./node.ts";

/** Linux' limit on the parts of one readv or writev. */
const IOV_MAX = 1024;

/** Positioned access to a file. Both answer how many bytes they moved, which may be less than was asked for. */
export interface VectorFile {
  read(parts: Uint8Array[], position: number): Promise<number>;
  write(parts: Uint8Array[], position: number): Promise<number>;
}

/** A file by its descriptor. The callback functions for one buffer take half as long as a FileHandle's readv. */
export function vectorFile(fd: number): VectorFile {
  return {
    read: (parts, position) =>
      new Promise((resolve, reject) => {
        const done = (error: Error | null, count: number): void => (error ? reject(error) : resolve(count));
        if (parts.length === 1) read(fd, parts[0], 0, parts[0].length, position, done);
        else readv(fd, parts, position, done);
      }),
    write: (parts, position) =>
      new Promise((resolve, reject) => {
        const done = (error: Error | null, count: number): void => (error ? reject(error) : resolve(count));
        if (parts.length === 1) write(fd, parts[0], 0, parts[0].length, position, done);
        else writev(fd, parts, position, done);
      }),
  };
}

/** Fills all of `into`; past the end of the file it reads zeros. */
export async function readFully(file: VectorFile, offset: number, into: readonly Uint8Array[]): Promise<void> {
  await transfer(into, async (rest, done) => {
    const count = await file.read(rest, offset + done);
    if (count > 0) return count;
    for (const part of rest) part.fill(0);
    return vectorLength(rest);
  });
}

/** Writes all of `from`. */
export async function writeFully(file: VectorFile, offset: number, from: readonly Uint8Array[]): Promise<void> {
  await transfer(from, async (rest, done) => {
    const count = await file.write(rest, offset + done);
    if (count === 0) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    return count;
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
