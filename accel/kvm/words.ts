/**
 * What the threads of a machine have to agree on about one vCPU: a block of words in the guest's memory. Its own thread
 * runs the vCPU; any other one asserts its pins and gets it out of the kernel.
 *
 * Invariant: whoever rings the doorbell after `entering` sees that the vCPU is in the kernel, or the vCPU sees the ring.
 */

import type { CpuPins } from "../../core/cpu.ts";
import type { Doorbell } from "../../core/thread/doorbell.ts";
import type { KvmLibrary } from "./libc.ts";

// Words of the block.
export const PENDING = 0;
export const HALTED = 1;
/** After INIT, until a startup IPI comes. */
export const WAITING = 2;
const STARTUP_VECTOR = 3;
/** 1 while the vCPU is in KVM_RUN. */
export const IN_KERNEL = 4;
/** 1 after the thread that kicks it has failed. */
export const FAILED = 5;
const THREAD = 6;
/** 1 while the thread that kicks it waits for the ring to be taken. */
export const KICKED = 7;
/** Bytes of the block. */
export const WORDS_SIZE = 64;

// Bits of PENDING.
export const INTR = 1;
export const NMI = 2;
export const INIT = 4;
export const STARTUP = 8;

export class VcpuWords implements CpuPins {
  readonly words: Int32Array;
  /** What gets its thread to look at the words. */
  readonly bell: Doorbell;
  readonly #library: KvmLibrary;
  #signal: (() => void) | undefined;
  /** Whether this thread runs the vCPU. */
  #here = false;

  constructor(library: KvmLibrary, buffer: SharedArrayBuffer, address: number, bell: Doorbell) {
    this.#library = library;
    this.words = new Int32Array(buffer, address, WORDS_SIZE / 4);
    this.bell = bell;
  }

  /** This thread is the one that runs it. */
  claim(): void {
    this.#here = true;
    Atomics.store(this.words, THREAD, this.#library.threadId());
  }

  /** The host's number of the thread that runs it. */
  get threadId(): number {
    return Atomics.load(this.words, THREAD);
  }

  get pending(): number {
    return Atomics.load(this.words, PENDING);
  }

  /** Takes a request. */
  clear(bits: number): void {
    Atomics.and(this.words, PENDING, ~bits);
  }

  flag(word: typeof HALTED | typeof WAITING): boolean {
    return Atomics.load(this.words, word) !== 0;
  }

  setFlag(word: typeof HALTED | typeof WAITING, on: boolean): void {
    Atomics.store(this.words, word, on ? 1 : 0);
  }

  get startupVector(): number {
    return Atomics.load(this.words, STARTUP_VECTOR);
  }

  // ---- pins

  setIntr(level: boolean): void {
    if (level) this.#request(INTR);
    else this.clear(INTR);
  }

  nmi(): void {
    this.#request(NMI);
  }

  /** Machines have no SMM with this accelerator. */
  smi(): void {}

  init(): void {
    // A startup IPI that came before is not the one that ends the wait. What the vCPU sends to itself is from before.
    if (!this.#here) this.clear(STARTUP);
    this.#request(INIT);
  }

  sipi(vector: number): void {
    Atomics.store(this.words, STARTUP_VECTOR, vector);
    this.#request(STARTUP);
  }

  // DEVIATION: the A20 gate is always open, as with KVM everywhere.
  setA20(): void {}

  #request(bit: number): void {
    const before = Atomics.or(this.words, PENDING, bit);
    if (!this.#here && (before & bit) === 0) this.wake();
  }

  // ---- waking

  /** Gets the vCPU out of the guest, and its thread out of its sleep. */
  wake(): void {
    // In this order: a vCPU that enters the kernel meanwhile sees the ring, or is seen there.
    if (!this.bell.set()) return;
    if (Atomics.load(this.words, IN_KERNEL) === 0) {
      this.bell.wakeWaiters();
      return;
    }
    // Nobody sleeps on the bell but the thread that would send the same signal.
    this.#signal ??= this.#library.signaller(this.threadId);
    this.#signal();
  }

  /** Before KVM_RUN. False when the bell has rung: the vCPU is not to run. */
  entering(): boolean {
    Atomics.store(this.words, IN_KERNEL, 1);
    if (!this.bell.rung) return true;
    this.left();
    return false;
  }

  /** After KVM_RUN. */
  left(): void {
    Atomics.store(this.words, IN_KERNEL, 0);
  }
}
