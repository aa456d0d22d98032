/**
 * A byte ring over shared memory for one writing and one reading thread, without locks.
 *
 *     word 0   bytes written so far, modulo 2^32 (only the writer stores it)
 *     word 1   bytes read so far, modulo 2^32 (only the reader stores it)
 *     word 2   1 while the writer waits for room (set by the writer, taken by the reader)
 *     byte 16  the bytes, a power of two of them
 *
 * Invariant: 0 <= written - read <= capacity. Each side loads the other's counter with Atomics before it touches
 * bytes and stores its own after, so that bytes are visible before the counter that announces them.
 */

const WRITTEN = 0;
const READ = 1;
const STARVED = 2;
const HEADER = 16;

export class ByteRing {
  readonly buffer: SharedArrayBuffer;
  readonly capacity: number;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  /** Attaches to a ring that `create` made, in this or another thread. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.capacity = buffer.byteLength - HEADER;
    if (this.capacity < 1 || (this.capacity & (this.capacity - 1)) !== 0) {
      throw new RangeError(`ring of ${this.capacity} bytes: not a power of two`);
    }
    this.#words = new Int32Array(buffer, 0, 4);
    this.#bytes = new Uint8Array(buffer, HEADER);
  }

  /** `capacity` is a power of two, at most 2^30. */
  static create(capacity: number): ByteRing {
    return new ByteRing(new SharedArrayBuffer(HEADER + capacity));
  }

  /** Bytes waiting to be read. */
  get readable(): number {
    return (Atomics.load(this.#words, WRITTEN) - Atomics.load(this.#words, READ)) >>> 0;
  }

  /** Room for writing. */
  get writable(): number {
    return this.capacity - this.readable;
  }

  /** Writes as much as fits; returns how many bytes that were. */
  write(data: Uint8Array): number {
    const count = Math.min(data.length, this.writable);
    const written = this.#words[WRITTEN];
    const at = written & (this.capacity - 1);
    const first = Math.min(count, this.capacity - at);
    this.#bytes.set(data.subarray(0, first), at);
    this.#bytes.set(data.subarray(first, count), 0);
    Atomics.store(this.#words, WRITTEN, (written + count) | 0);
    return count;
  }

  /** Reads at most `into.length` bytes; returns how many. */
  read(into: Uint8Array): number {
    const count = this.peek(into);
    this.skip(count);
    return count;
  }

  /** Like `read`, but leaves the bytes in the ring. */
  peek(into: Uint8Array): number {
    const count = Math.min(into.length, this.readable);
    const at = this.#words[READ] & (this.capacity - 1);
    const first = Math.min(count, this.capacity - at);
    into.set(this.#bytes.subarray(at, at + first));
    into.set(this.#bytes.subarray(0, count - first), first);
    return count;
  }

  /** Drops bytes that `peek` showed. */
  skip(count: number): void {
    Atomics.store(this.#words, READ, (this.#words[READ] + count) | 0);
  }

  /** Writer: asks the reader to ring once it has made room. Look at `writable` once more after this. */
  requestRoom(): void {
    Atomics.store(this.#words, STARVED, 1);
  }

  /** Reader, after reading: whether the writer asked for room. Answers true once per request. */
  takeRoomRequest(): boolean {
    return Atomics.load(this.#words, STARVED) !== 0 && Atomics.exchange(this.#words, STARVED, 0) !== 0;
  }
}
