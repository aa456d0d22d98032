/**
 * Gets a vCPU's thread out of KVM_RUN: for its next timer, and when its doorbell rings. Both send a signal that is
 * blocked everywhere but inside KVM_RUN (KVM_SET_SIGNAL_MASK), so none is lost and no handler ever runs: one that comes
 * too early makes the next KVM_RUN return at once.
 *
 *     timer       a timer of the kernel signals the thread
 *     doorbell    threads that can call foreign functions signal the thread themselves (words.ts); for the machine's
 *                 thread, which others ring as well, a thread of its own (kick-thread.ts) waits and does
 */

import { startThread } from "../../core/assets.ts";
import type { Clock } from "../../core/clock.ts";
import { QemuError } from "../../core/errors.ts";
import { KVM_SET_SIGNAL_MASK, SIZES } from "./abi.ts";
import type { KickThreadData } from "./kick-thread.ts";
import type { KvmLibrary } from "./libc.ts";
import { KICK_THREAD } from "./threads.ts";
import { FAILED, KICKED, type VcpuWords } from "./words.ts";

/** A timer that is due is given at least this time (ns), or a guest that is always late would never run. */
const SHORTEST_NS = 50_000;
/** The thread comes out of the kernel after this time (ns) at the latest, or nobody could end it when all others fail. */
const LONGEST_NS = 1e9;
/** The machine's thread does what the kernel has collected (coalesced.ts) after this time (ns) at the latest. */
const LATE_NS = 1e8;
const THREAD_OPTIONS = { name: "kick", resourceLimits: { maxYoungGenerationSizeMb: 4 } };

export class Waker {
  readonly #library: KvmLibrary;
  readonly #clock: Clock;
  readonly #vcpu: VcpuWords;
  readonly #timer: number;
  readonly #longest: number;
  /** The deadline that the timer is set to, Infinity for none. */
  #armed: number | undefined;

  /** To be called in the thread that runs the vCPU of descriptor `fd`; `watched`: the machine's thread, for which others ring, too. */
  constructor(library: KvmLibrary, fd: number, vcpu: VcpuWords, clock: Clock, watched: boolean) {
    this.#library = library;
    this.#clock = clock;
    this.#vcpu = vcpu;
    const { open } = library.blockSignal();
    const mask = new Uint8Array(SIZES.kvm_signal_mask + open.length);
    mask[0] = open.length;
    mask.set(open, SIZES.kvm_signal_mask);
    library.check("KVM_SET_SIGNAL_MASK", library.ioctlWith(fd, KVM_SET_SIGNAL_MASK, mask));
    this.#timer = library.createTimer();
    this.#longest = watched ? LATE_NS : LONGEST_NS;
    vcpu.claim();
    if (!watched) return;
    const { bell, words } = vcpu;
    const workerData: KickThreadData = {
      memory: bell.buffer,
      bell: bell.address,
      words: words.byteOffset,
      threadId: library.threadId(),
    };
    const thread = startThread(KICK_THREAD, { ...THREAD_OPTIONS, workerData });
    // Node aborts when a thread is ended while it loads a native addon: until it has, this one does not end.
    thread.once("message", () => thread.unref());
  }

  /** The ring has been taken, if there was one. */
  taken(): void {
    if (Atomics.load(this.#vcpu.words, KICKED) !== 0) this.#vcpu.bell.wakeWaiters();
  }

  /** Before KVM_RUN. False when the bell has rung: the vCPU is not to run. */
  enter(): boolean {
    if (Atomics.load(this.#vcpu.words, FAILED) !== 0)
      throw new QemuError("kvm", "the thread that wakes the CPU has failed");
    const deadline = this.#clock.nextDeadline() ?? Number.POSITIVE_INFINITY;
    if (deadline !== this.#armed) {
      this.#armed = deadline;
      const wait = Math.max(deadline - this.#clock.now(), SHORTEST_NS);
      this.#library.setTimer(this.#timer, Math.min(wait, this.#longest));
    }
    return this.#vcpu.entering();
  }

  /** After a KVM_RUN that a signal ended. */
  drain(): void {
    this.#library.drainSignals();
    this.#armed = undefined;
  }
}
