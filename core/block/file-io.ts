/** Positioned, vectored file access that finishes what the system call left over. Buffers may be shared memory. */

import { read, readSync, readv, readvSync, write, writeSync, writev, writevSync } from "node:fs";
import { sliceVector, vectorLength } from "./node.ts";

/** Linux' limit on the parts of one readv or writev. */
const IOV_MAX = 1024;

/** Positioned access to a file. Both answer how many bytes they moved, which may be less than was asked for. */
export interface VectorFile {
  read(parts: Uint8Array[], position: number): Promise<number>;
  write(parts: Uint8Array[], position: number): Promise<number>;
}

/** Requests up to this size may be done at once, in the caller's thread. */
const DIRECT_MAX = 131072;
/** A direct request that takes longer than this was not served by the page cache. */
const SLOW_MS = 1;
/** So many requests then go through the thread pool, before another one is tried directly. */
const QUEUED_AFTER_SLOW = 256;

/**
 * Chooses how to do a request. What the page cache serves takes 1 to 20 us directly and 40 to 120 us through the thread
 * pool; what it does not serve must not hold up the event loop.
 */
export class Pacer {
  readonly #now: () => number;
  #queued = 0;

  /** `now` in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  async run<T>(length: number, direct: () => T, queued: () => Promise<T>): Promise<T> {
    if (length > DIRECT_MAX) return queued();
    if (this.#queued > 0) {
      this.#queued--;
      return queued();
    }
    const start = this.#now();
    try {
      return direct();
    } finally {
      if (this.#now() - start > SLOW_MS) this.#queued = QUEUED_AFTER_SLOW;
    }
  }
}

/** A file by its descriptor. */
export function vectorFile(fd: number): VectorFile {
  const pacer = new Pacer();
  return {
    read: (parts, position) => {
      const [first] = parts;
      const single = parts.length === 1;
      return pacer.run(
        vectorLength(parts),
        () => (single ? readSync(fd, first, 0, first.length, position) : readvSync(fd, parts, position)),
        () =>
          settled((done) => {
            if (single) read(fd, first, 0, first.length, position, done);
            else readv(fd, parts, position, done);
          }),
      );
    },
    write: (parts, position) => {
      const [first] = parts;
      const single = parts.length === 1;
      return pacer.run(
        vectorLength(parts),
        () => (single ? writeSync(fd, first, 0, first.length, position) : writevSync(fd, parts, position)),
        () =>
          settled((done) => {
            if (single) write(fd, first, 0, first.length, position, done);
            else writev(fd, parts, position, done);
          }),
      );
    },
  };
}

/** A callback function as a promise: promisify would lose the overloads. */
function settled(begin: (done: (error: Error | null, count: number) => void) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    begin((error, count) => (error ? reject(error) : resolve(count)));
  });
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
