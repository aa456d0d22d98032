/**
 * What the machine's thread and the thread of one further vCPU tell each other: a block of words in the guest's memory.
 *
 * The machine's thread says whether the vCPU is to run (WANTED) and lets those that stand go on (EPOCH). The vCPU's thread
 * says in which epoch it stands (STANDS) or that it has ended (OVER), and makes calls: accesses to devices that live in the
 * machine's thread, and requests about the machine. A call waits for its answer; whoever makes one holds no lock.
 *
 * Invariants:
 *  1. A thread stands while STANDS is EPOCH + 1: it touches no guest register until EPOCH changes. So one that is let go
 *     while it is about to stand is not taken for one that stands.
 *  2. The words of a call belong to the vCPU's thread while CALL is 0, to the machine's thread while it is 1.
 */

import type { AccessSize, Bus } from "../bus/io.ts";
import { Doorbell } from "../thread/doorbell.ts";
import type { Json } from "../thread/mailbox.ts";

// Words of the block.
const BELL = 0;
const WANTED = 1;
/** The epoch that it stands in, plus 1. */
const STANDS = 2;
const EPOCH = 3;
const CALL = 4;
const KIND = 5;
const SIZE = 6;
const VALUE = 7;
/** Two words: an address of up to 2^52. */
const ADDRESS = 8;
const TEXT_LENGTH = 10;
/** Not 0 when the thread has ended; the I/O thread says so of one that could not. */
const OVER = 11;
const TEXT = 64;

/** Bytes of one block. */
export const VCPU_LINK_SIZE = 1024;

const RUN = 0;
const STAND = 1;
const END = 2;

const ENDED = 1;
const FAILED = 2;

const KINDS = ["port-read", "port-write", "memory-read", "memory-write", "post"] as const;

/** A call as the machine's thread sees it. */
export type VcpuCall =
  | { readonly kind: "port-read" | "memory-read"; readonly address: number; readonly size: AccessSize }
  | {
      readonly kind: "port-write" | "memory-write";
      readonly address: number;
      readonly size: AccessSize;
      readonly value: number;
    }
  | { readonly kind: "post"; readonly message: Json };

export class VcpuLink {
  readonly bell: Doorbell;
  /** The devices of the machine's thread, for the vCPU's thread. */
  readonly ports: Bus = this.#bus("port");
  readonly memory: Bus = this.#bus("memory");
  readonly #words: Int32Array;
  readonly #address: Float64Array;
  readonly #text: Uint8Array;
  /** Wakes the machine's thread. */
  readonly #ring: () => void;

  /** `address` is that of `VCPU_LINK_SIZE` bytes of zeros, a multiple of 64. */
  constructor(buffer: SharedArrayBuffer, address: number, ring: () => void) {
    this.bell = new Doorbell(buffer, address + BELL * 4);
    this.#words = new Int32Array(buffer, address, TEXT / 4);
    this.#address = new Float64Array(buffer, address + ADDRESS * 4, 1);
    this.#text = new Uint8Array(buffer, address + TEXT, VCPU_LINK_SIZE - TEXT);
    this.#ring = ring;
  }

  // ---- the vCPU's thread

  get wanted(): "run" | "stand" | "end" {
    const wanted = Atomics.load(this.#words, WANTED);
    return wanted === RUN ? "run" : wanted === STAND ? "stand" : "end";
  }

  /** To be read before what decides to stand. */
  get epoch(): number {
    return Atomics.load(this.#words, EPOCH);
  }

  /** Stands until the machine's thread lets it go on, at once if it has since `epoch`. */
  stand(epoch: number): void {
    Atomics.store(this.#words, STANDS, epoch + 1);
    this.#ring();
    Atomics.wait(this.#words, EPOCH, epoch);
  }

  /** The thread ends, or has. */
  leave(how: "failed" | "ended"): void {
    Atomics.store(this.#words, OVER, how === "failed" ? FAILED : ENDED);
    this.#ring();
  }

  /** Tells the machine's thread something and waits until it has heard it. */
  post(message: Json): void {
    const { written } = new TextEncoder().encodeInto(JSON.stringify(message), this.#text);
    this.#words[TEXT_LENGTH] = written;
    this.#call("post", 0, 1, 0);
  }

  #bus(what: "port" | "memory"): Bus {
    return {
      read: (address, size) => this.#call(`${what}-read`, address, size, 0),
      write: (address, value, size) => void this.#call(`${what}-write`, address, size, value),
    };
  }

  #call(kind: VcpuCall["kind"], address: number, size: AccessSize, value: number): number {
    const words = this.#words;
    words[KIND] = KINDS.indexOf(kind);
    words[SIZE] = size;
    words[VALUE] = value;
    this.#address[0] = address;
    Atomics.store(words, CALL, 1);
    this.#ring();
    while (Atomics.load(words, CALL) !== 0) Atomics.wait(words, CALL, 1);
    return words[VALUE] >>> 0;
  }

  // ---- the machine's thread

  /** What it asks for, if it does; `answer` follows. */
  get call(): VcpuCall | undefined {
    const words = this.#words;
    if (Atomics.load(words, CALL) === 0) return undefined;
    const kind = KINDS[words[KIND]];
    if (kind === "post") {
      const text = this.#text.slice(0, words[TEXT_LENGTH]);
      return { kind, message: JSON.parse(new TextDecoder().decode(text)) as Json };
    }
    const access = { address: this.#address[0], size: words[SIZE] as AccessSize };
    return kind === "port-read" || kind === "memory-read"
      ? { kind, ...access }
      : { kind, ...access, value: words[VALUE] >>> 0 };
  }

  /** The call is done. */
  answer(value = 0): void {
    this.#words[VALUE] = value;
    Atomics.store(this.#words, CALL, 0);
    Atomics.notify(this.#words, CALL);
  }

  /** Asks the vCPU to stand, or its thread to end; somebody has to get it out of the guest. */
  want(wanted: "stand" | "end"): void {
    Atomics.store(this.#words, WANTED, wanted === "stand" ? STAND : END);
  }

  /** Whether it waits for the answer to a call. */
  get calls(): boolean {
    return Atomics.load(this.#words, CALL) !== 0;
  }

  /** Whether it touches no register any more. */
  get stands(): boolean {
    const words = this.#words;
    return Atomics.load(words, OVER) !== 0 || Atomics.load(words, STANDS) === ((this.epoch + 1) | 0);
  }

  /** Whether its thread has done all it had to do. */
  get ended(): boolean {
    return Atomics.load(this.#words, OVER) === ENDED;
  }

  /** Whether its thread has failed. */
  get failed(): boolean {
    return Atomics.load(this.#words, OVER) === FAILED;
  }

  /** Takes back that it is to stand; one that stands already goes on doing so. */
  unwant(): void {
    if (this.wanted === "stand") Atomics.store(this.#words, WANTED, RUN);
  }

  /** Lets a vCPU that stands look what it is to do. */
  release(): void {
    this.unwant();
    Atomics.add(this.#words, EPOCH, 1);
    Atomics.notify(this.#words, EPOCH);
  }
}
