/**
 * A disk as a device sees it: asynchronous, vectored requests in bytes. The callback runs later, in the device's own
 * thread, never inside the call. Buffers stay the caller's and must not be touched until the callback.
 */

export interface BlockPort {
  /** Bytes; 0 when no medium is in. */
  readonly length: number;
  readonly readOnly: boolean;
  /** Whether a medium is in (always true for hard disks). */
  readonly inserted: boolean;
  read(offset: number, into: readonly Uint8Array[], done: BlockDone): void;
  write(offset: number, from: readonly Uint8Array[], done: BlockDone): void;
  flush(done: BlockDone): void;
  discard(offset: number, length: number, done: BlockDone): void;
  /** Medium changed or ejected from the host side. */
  onMediumChange(changed: () => void): void;
  /** The guest opens the tray (eject) or locks it. */
  setTray?(open: boolean): void;
  setLocked?(locked: boolean): void;
}

/** undefined on success; "enospc" when the host is out of space, "eio" otherwise. */
export type BlockError = "eio" | "enospc" | undefined;
export type BlockDone = (error: BlockError) => void;

/** A disk in memory, for unit tests: requests complete when the test calls `complete()`. */
export class MemoryBlockPort implements BlockPort {
  bytes: Uint8Array;
  readOnly = false;
  inserted = true;
  /** The next request fails with this. */
  nextError: BlockError;
  readonly #pending: (() => void)[] = [];
  #changed: () => void = () => {};

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get length(): number {
    return this.inserted ? this.bytes.length : 0;
  }

  read(offset: number, into: readonly Uint8Array[], done: BlockDone): void {
    this.#complete(done, () => {
      for (const part of into) {
        part.set(this.bytes.subarray(offset, offset + part.length));
        offset += part.length;
      }
    });
  }

  write(offset: number, from: readonly Uint8Array[], done: BlockDone): void {
    this.#complete(done, () => {
      for (const part of from) {
        this.bytes.set(part, offset);
        offset += part.length;
      }
    });
  }

  flush(done: BlockDone): void {
    this.#complete(done, () => {});
  }

  discard(offset: number, length: number, done: BlockDone): void {
    this.#complete(done, () => this.bytes.fill(0, offset, offset + length));
  }

  onMediumChange(changed: () => void): void {
    this.#changed = changed;
  }

  /** Puts another medium in (undefined: ejects). */
  change(bytes: Uint8Array | undefined): void {
    this.inserted = bytes !== undefined;
    if (bytes) this.bytes = bytes;
    this.#changed();
  }

  /** Completes what is pending, including what the callbacks start. */
  complete(): void {
    for (let next = this.#pending.shift(); next; next = this.#pending.shift()) next();
  }

  #complete(done: BlockDone, act: () => void): void {
    const error = this.nextError;
    this.nextError = undefined;
    this.#pending.push(() => {
      if (!error) act();
      done(error);
    });
  }
}
