/**
 * Disks across threads. The machine's thread has a `RemoteBlockPort` per drive, the I/O thread a `BlockServer` with the
 * drive's node; between them lies shared memory:
 *
 *     words    counters, medium flags, and two rings of slot numbers: submitted and completed
 *     slots    one record per request: operation, offset, and up to IOV_MAX pieces of memory
 *     bounce   BOUNCE bytes per slot, for buffers that are not in the machine's shared memory
 *
 * Buffers in the machine's memory are passed by address and never copied. A request larger than a slot takes is split;
 * what finds no free slot waits in the machine's thread.
 *
 * Invariants: a slot belongs to the I/O thread from the moment its number is in the submitted ring until it is in the
 * completed ring. Both rings have as many entries as there are slots, so neither overflows. Each side stores its own
 * counter after, and loads the other's before, it touches what the counter announces.
 */

import { Doorbell } from "../thread/doorbell.ts";
import { type BlockNode, deviceError } from "./node.ts";
import type { BlockDone, BlockError, BlockPort } from "./port.ts";

const SLOTS = 32;
const IOV_MAX = 32;
/** Bytes of bounce buffer per slot. */
const BOUNCE = 65536;
/** Bytes of a request that one slot carries without bouncing. */
const PIECE_MAX = 2 ** 20;

// Words of the control buffer.
const SUBMITTED = 0;
const COMPLETED = 1;
const MEDIUM_COUNT = 2;
const MEDIUM_FLAGS = 3;
const MEDIUM_LENGTH = 4; // 64 bits
const SUBMITTED_RING = 8;
const COMPLETED_RING = SUBMITTED_RING + SLOTS;
const SLOT_BASE = COMPLETED_RING + SLOTS;

// Words of a slot. OFFSET and LENGTH are doubles.
const SLOT_OP = 0;
const SLOT_PIECES = 1;
const SLOT_OFFSET = 2;
const SLOT_LENGTH = 4;
const SLOT_IOV = 6; // pairs of address and length
const SLOT_WORDS = SLOT_IOV + IOV_MAX * 2;

const CONTROL_BYTES = (SLOT_BASE + SLOTS * SLOT_WORDS) * 4;
/** Set in SLOT_PIECES when the data is in the slot's bounce buffer; SLOT_LENGTH says how much. */
const BOUNCED = -1;

const FLAG_INSERTED = 1;
const FLAG_READ_ONLY = 2;

const OP_READ = 1;
const OP_WRITE = 2;
const OP_FLUSH = 3;
const OP_DISCARD = 4;
const OP_TRAY = 5;
const OP_LOCK = 6;

const ERRORS: readonly BlockError[] = [undefined, "eio", "enospc"];

/** The shared memory of one drive: plain data, fit for workerData. */
export interface RemoteBlockPlan {
  readonly control: SharedArrayBuffer;
  readonly bounce: SharedArrayBuffer;
  readonly bell: SharedArrayBuffer;
}

export function createRemoteBlockPlan(): RemoteBlockPlan {
  return {
    control: new SharedArrayBuffer(CONTROL_BYTES),
    bounce: new SharedArrayBuffer(SLOTS * BOUNCE),
    bell: new Doorbell().buffer,
  };
}

class Shared {
  readonly words: Int32Array;
  readonly doubles: Float64Array;
  readonly length: BigInt64Array;
  readonly bounce: Uint8Array;
  readonly bell: Doorbell;

  constructor(plan: RemoteBlockPlan) {
    this.words = new Int32Array(plan.control);
    this.doubles = new Float64Array(plan.control);
    this.length = new BigInt64Array(plan.control, MEDIUM_LENGTH * 4, 1);
    this.bounce = new Uint8Array(plan.bounce);
    this.bell = new Doorbell(plan.bell);
  }

  slot(index: number): number {
    return SLOT_BASE + index * SLOT_WORDS;
  }

  bounceOf(index: number, length: number): Uint8Array {
    return this.bounce.subarray(index * BOUNCE, index * BOUNCE + length);
  }
}

/** A request of a device, of which several parts may be under way. */
interface Request {
  parts: number;
  error: BlockError;
  readonly done: BlockDone | undefined;
}

/** What goes into one slot. */
interface Part {
  readonly request: Request;
  readonly op: number;
  readonly offset: number;
  readonly length: number;
  readonly iov: readonly Uint8Array[];
  readonly bounced: boolean;
}

/** The machine's side. `poll` has to be called after the I/O side's `wake`; callbacks run only inside it. */
export class RemoteBlockPort implements BlockPort {
  length = 0;
  readOnly = false;
  inserted = false;
  readonly #shared: Shared;
  readonly #memory: SharedArrayBuffer;
  readonly #parts: (Part | undefined)[] = new Array(SLOTS).fill(undefined);
  readonly #free = Array.from({ length: SLOTS }, (_, i) => i);
  readonly #queue: Part[] = [];
  readonly #changed: (() => void)[] = [];
  #submitted = 0;
  #reaped = 0;
  #medium = 0;

  /** `memory` is the machine's shared memory; the server gets the same one. Make the server first. */
  constructor(plan: RemoteBlockPlan, memory: SharedArrayBuffer) {
    this.#shared = new Shared(plan);
    this.#memory = memory;
    this.#readMedium();
  }

  /** Requests that have not completed yet, in parts. */
  get pending(): number {
    return SLOTS - this.#free.length + this.#queue.length;
  }

  read(offset: number, into: readonly Uint8Array[], done: BlockDone): void {
    this.#transfer(OP_READ, offset, into, done);
  }

  write(offset: number, from: readonly Uint8Array[], done: BlockDone): void {
    this.#transfer(OP_WRITE, offset, from, done);
  }

  flush(done: BlockDone): void {
    this.#simple(OP_FLUSH, 0, 0, done);
  }

  discard(offset: number, length: number, done: BlockDone): void {
    this.#simple(OP_DISCARD, offset, length, done);
  }

  setTray(open: boolean): void {
    this.#simple(OP_TRAY, 0, open ? 1 : 0, undefined);
  }

  setLocked(locked: boolean): void {
    this.#simple(OP_LOCK, 0, locked ? 1 : 0, undefined);
  }

  onMediumChange(changed: () => void): void {
    this.#changed.push(changed);
  }

  /** Runs the callbacks of what has completed, and sends what waited for a slot. */
  poll(): void {
    const { words } = this.#shared;
    while (this.#reaped !== Atomics.load(words, COMPLETED)) {
      const entry = words[COMPLETED_RING + ((this.#reaped >>> 0) % SLOTS)];
      this.#reaped = (this.#reaped + 1) | 0;
      this.#complete(entry & 0xffff, ERRORS[entry >>> 16]);
    }
    if (this.#medium !== Atomics.load(words, MEDIUM_COUNT)) {
      this.#readMedium();
      for (const changed of this.#changed) changed();
    }
    this.#submit();
  }

  #complete(index: number, error: BlockError): void {
    const { request, op, iov, length, bounced } = this.#parts[index]!;
    this.#parts[index] = undefined;
    if (op === OP_READ && bounced && !error) {
      let at = 0;
      const data = this.#shared.bounceOf(index, length);
      for (const part of iov) {
        part.set(data.subarray(at, at + part.length));
        at += part.length;
      }
    }
    this.#free.push(index);
    request.error ??= error;
    if (--request.parts === 0) request.done?.(request.error);
  }

  #readMedium(): void {
    this.#medium = Atomics.load(this.#shared.words, MEDIUM_COUNT);
    const flags = Atomics.load(this.#shared.words, MEDIUM_FLAGS);
    this.inserted = (flags & FLAG_INSERTED) !== 0;
    this.readOnly = (flags & FLAG_READ_ONLY) !== 0;
    this.length = Number(Atomics.load(this.#shared.length, 0));
  }

  #simple(op: number, offset: number, length: number, done: BlockDone | undefined): void {
    const request: Request = { parts: 1, error: undefined, done };
    this.#queue.push({ request, op, offset, length, iov: [], bounced: false });
    this.#submit();
  }

  /** Cuts a request into parts of one slot each; a part is either all in the machine's memory or all bounced. */
  #transfer(op: number, offset: number, iov: readonly Uint8Array[], done: BlockDone): void {
    const request: Request = { parts: 0, error: undefined, done };
    let pieces: Uint8Array[] = [];
    let length = 0;
    let bounced = false;
    const send = (): void => {
      this.#queue.push({ request, op, offset, length, iov: pieces, bounced });
      request.parts++;
      offset += length;
      pieces = [];
      length = 0;
    };
    for (let part of iov) {
      const foreign = part.buffer !== this.#memory;
      if (pieces.length > 0 && foreign !== bounced) send();
      bounced = foreign;
      const limit = bounced ? BOUNCE : PIECE_MAX;
      while (part.length > 0) {
        const piece = part.subarray(0, limit - length);
        pieces.push(piece);
        length += piece.length;
        part = part.subarray(piece.length);
        if (length === limit || pieces.length === IOV_MAX) send();
      }
    }
    if (pieces.length > 0 || request.parts === 0) send();
    this.#submit();
  }

  #submit(): void {
    const { words, bell } = this.#shared;
    const before = this.#submitted;
    while (this.#queue.length > 0 && this.#free.length > 0) {
      const index = this.#free.pop()!;
      this.#fill(index, this.#queue.shift()!);
      words[SUBMITTED_RING + ((this.#submitted >>> 0) % SLOTS)] = index;
      this.#submitted = (this.#submitted + 1) | 0;
    }
    if (this.#submitted === before) return;
    Atomics.store(words, SUBMITTED, this.#submitted);
    bell.ring();
  }

  #fill(index: number, part: Part): void {
    const { words, doubles } = this.#shared;
    const slot = this.#shared.slot(index);
    this.#parts[index] = part;
    words[slot + SLOT_OP] = part.op;
    words[slot + SLOT_PIECES] = part.bounced ? BOUNCED : part.iov.length;
    doubles[(slot + SLOT_OFFSET) >>> 1] = part.offset;
    doubles[(slot + SLOT_LENGTH) >>> 1] = part.length;
    if (!part.bounced) {
      part.iov.forEach(({ byteOffset, length }, i) => {
        words[slot + SLOT_IOV + i * 2] = byteOffset;
        words[slot + SLOT_IOV + i * 2 + 1] = length;
      });
    } else if (part.op === OP_WRITE) {
      let at = 0;
      const data = this.#shared.bounceOf(index, part.length);
      for (const piece of part.iov) {
        data.set(piece, at);
        at += piece.length;
      }
    }
  }
}

export interface BlockServerOptions {
  readonly plan: RemoteBlockPlan;
  /** The machine's shared memory. */
  readonly memory: SharedArrayBuffer;
  /** The medium; undefined for an empty drive. */
  readonly node: BlockNode | undefined;
  /** Called after completions and medium changes: makes the machine's thread poll. */
  readonly wake: () => void;
  /** The guest opened or closed the tray, or locked or unlocked it. */
  readonly onTray?: (open: boolean) => void;
  readonly onLocked?: (locked: boolean) => void;
}

/** The I/O thread's side: performs requests as they come, several at a time. */
export class BlockServer {
  readonly #shared: Shared;
  readonly #options: BlockServerOptions;
  readonly #running = new Set<Promise<void>>();
  #node: BlockNode | undefined;
  #taken = 0;
  #completed = 0;
  #closed = false;
  readonly #loop: Promise<void>;

  constructor(options: BlockServerOptions) {
    this.#options = options;
    this.#shared = new Shared(options.plan);
    this.#publish(options.node);
    this.#loop = this.#serve();
  }

  get node(): BlockNode | undefined {
    return this.#node;
  }

  /**
   * Puts another medium in (undefined: ejects) and tells the device. Resolves when nothing uses the old one any more;
   * the caller then closes it.
   */
  async setNode(node: BlockNode | undefined): Promise<void> {
    this.#publish(node);
    this.#options.wake();
    await this.drain();
  }

  /** Resolves when all requests taken so far have completed. */
  async drain(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** Stops taking requests and waits for those under way. The node stays open. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#shared.bell.ring();
    await this.#loop;
    await this.drain();
  }

  #publish(node: BlockNode | undefined): void {
    const { words, length } = this.#shared;
    this.#node = node;
    Atomics.store(length, 0, BigInt(node?.length ?? 0));
    Atomics.store(words, MEDIUM_FLAGS, node ? FLAG_INSERTED | (node.readOnly ? FLAG_READ_ONLY : 0) : 0);
    Atomics.add(words, MEDIUM_COUNT, 1);
  }

  async #serve(): Promise<void> {
    const { words, bell } = this.#shared;
    while (!this.#closed) {
      while (this.#taken !== Atomics.load(words, SUBMITTED)) {
        const index = words[SUBMITTED_RING + ((this.#taken >>> 0) % SLOTS)];
        this.#taken = (this.#taken + 1) | 0;
        const run: Promise<void> = this.#run(index).finally(() => this.#running.delete(run));
        this.#running.add(run);
      }
      await bell.waitAsync();
    }
  }

  async #run(index: number): Promise<void> {
    let error: BlockError;
    try {
      await this.#perform(index);
    } catch (cause) {
      error = deviceError(cause);
    }
    const { words } = this.#shared;
    words[COMPLETED_RING + ((this.#completed >>> 0) % SLOTS)] = index | (ERRORS.indexOf(error) << 16);
    this.#completed = (this.#completed + 1) | 0;
    Atomics.store(words, COMPLETED, this.#completed);
    this.#options.wake();
  }

  async #perform(index: number): Promise<void> {
    const { words, doubles } = this.#shared;
    const slot = this.#shared.slot(index);
    const op = words[slot + SLOT_OP];
    const offset = doubles[(slot + SLOT_OFFSET) >>> 1];
    const length = doubles[(slot + SLOT_LENGTH) >>> 1];
    if (op === OP_TRAY) return this.#options.onTray?.(length !== 0);
    if (op === OP_LOCK) return this.#options.onLocked?.(length !== 0);
    const node = this.#node;
    if (!node) throw new Error("no medium");
    if (op === OP_FLUSH) return node.flush();
    if (op === OP_DISCARD) return node.discard(offset, length);
    const iov = this.#vector(index, slot, length);
    return op === OP_READ ? node.read(offset, iov) : node.write(offset, iov);
  }

  #vector(index: number, slot: number, length: number): Uint8Array[] {
    const { words } = this.#shared;
    const pieces = words[slot + SLOT_PIECES];
    if (pieces === BOUNCED) return [this.#shared.bounceOf(index, length)];
    return Array.from({ length: pieces }, (_, i) => {
      const at = slot + SLOT_IOV + i * 2;
      return new Uint8Array(this.#options.memory, words[at] >>> 0, words[at + 1]);
    });
  }
}
