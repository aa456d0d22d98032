/**
 * Gets a vCPU's thread out of KVM_RUN: for its next timer, and when its doorbell rings. Both send a signal that is
 * blocked everywhere but inside KVM_RUN (KVM_SET_SIGNAL_MASK), so none is lost and no handler ever runs: one that comes
 * too early makes the next KVM_RUN return at once.
 *
 *     timer       a timer of the kernel signals the thread
 *     doorbell    a thread of its own (kick-thread.ts) waits for it and signals the thread
 *
 * Invariant: whoever rings after `enter` has looked at the bell sees that the vCPU is in the kernel.
 */

import { startThread } from "../../core/assets.ts";
import type { Clock } from "../../core/clock.ts";
import { QemuError } from "../../core/errors.ts";
import type { Doorbell } from "../../core/thread/doorbell.ts";
import { KVM_SET_SIGNAL_MASK, SIZES } from "./abi.ts";
import type { KickThreadData } from "./kick-thread.ts";
import type { KvmLibrary } from "./libc.ts";
import { FAILED, IN_KERNEL, KICK_THREAD } from "./threads.ts";

/** A timer that is due is given at least this time (ns), or a guest that is always late would never run. */
const SHORTEST_NS = 50_000;
/** A timer is looked at again after this time (ns) at the latest. */
const LONGEST_NS = 1e15;
const THREAD_OPTIONS = { name: "kick", resourceLimits: { maxYoungGenerationSizeMb: 4 } };

export class Waker {
  readonly #library: KvmLibrary;
  readonly #clock: Clock;
  readonly #bell: Int32Array;
  readonly #index: number;
  readonly #shared = new Int32Array(new SharedArrayBuffer(8));
  readonly #timer: number;
  /** The deadline that the timer is set to. */
  #armed: number | undefined;

  /** To be called in the thread that runs the vCPU `vcpu`. */
  constructor(library: KvmLibrary, vcpu: number, clock: Clock, bell: Doorbell) {
    this.#library = library;
    this.#clock = clock;
    this.#bell = new Int32Array(bell.buffer, 0, bell.buffer.byteLength >>> 2);
    this.#index = bell.address >>> 2;
    const { open } = library.blockSignal();
    const mask = new Uint8Array(SIZES.kvm_signal_mask + open.length);
    mask[0] = open.length;
    mask.set(open, SIZES.kvm_signal_mask);
    library.check("KVM_SET_SIGNAL_MASK", library.ioctlWith(vcpu, KVM_SET_SIGNAL_MASK, mask));
    this.#timer = library.createTimer();
    const workerData: KickThreadData = {
      bell: bell.buffer,
      index: this.#index,
      shared: this.#shared.buffer as SharedArrayBuffer,
      threadId: library.threadId(),
    };
    startThread(KICK_THREAD, { ...THREAD_OPTIONS, workerData }).unref();
  }

  /** The ring has been taken, if there was one. */
  taken(): void {
    Atomics.notify(this.#bell, this.#index);
  }

  /** Before KVM_RUN. False when the bell has rung: the vCPU is not to run. */
  enter(): boolean {
    if (Atomics.load(this.#shared, FAILED) !== 0)
      throw new QemuError("kvm", "the thread that wakes the CPU has failed");
    const deadline = this.#clock.nextDeadline();
    if (deadline !== this.#armed) {
      this.#armed = deadline;
      if (deadline !== undefined)
        this.#library.setTimer(this.#timer, Math.min(Math.max(deadline - this.#clock.now(), SHORTEST_NS), LONGEST_NS));
    }
    Atomics.store(this.#shared, IN_KERNEL, 1);
    if (Atomics.load(this.#bell, this.#index) === 0) return true;
    this.leave();
    return false;
  }

  /** After KVM_RUN. */
  leave(): void {
    Atomics.store(this.#shared, IN_KERNEL, 0);
  }

  /** After a KVM_RUN that a signal ended. */
  drain(): void {
    this.#library.drainSignals();
    this.#armed = undefined;
  }
}
