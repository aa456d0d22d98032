/**
 * The functions of the C library that KVM takes: descriptors, mapping, timers and signals of threads (ioctl(2), mmap(2),
 * timer_create(2), tgkill(2), sigtimedwait(2)). The only file of this accelerator that calls foreign functions.
 */

import { closeSync, openSync } from "node:fs";
import { QemuError } from "../../core/errors.ts";
import { type CFunction, type CLibrary, loadCLibrary } from "../../core/ffi.ts";

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const CLOCK_MONOTONIC = 1;
const SIGEV_THREAD_ID = 4;
const SIGEVENT_SIZE = 64;
const SIG_BLOCK = 0;
/** glibc's sigset_t; the kernel's is the first eight bytes of it. */
const SIGSET_SIZE = 128;
const KERNEL_SIGSET_SIZE = 8;
const ITIMERSPEC_SIZE = 32;
const TIMESPEC_SIZE = 16;
const NS_PER_SECOND = 1_000_000_000;
/** A real-time signal that neither Node nor the C library uses; its default action is never taken: it stays blocked. */
const SIGNAL = 40;

export interface SignalMask {
  /** The thread's mask while KVM_RUN runs, as the kernel's sigset_t: all that it had, less the signal. */
  readonly open: Uint8Array;
}

export class KvmLibrary {
  readonly #c: CLibrary;
  readonly #ioctl: CFunction;
  readonly #ioctlWith: CFunction;
  readonly #mmap: CFunction;
  readonly #locate: CFunction;
  readonly #setTime: CFunction;
  readonly #takeSignal: CFunction;
  readonly #signalSet = new Uint8Array(SIGSET_SIZE);
  readonly #noTime = new Uint8Array(TIMESPEC_SIZE);
  readonly #time = new DataView(new ArrayBuffer(ITIMERSPEC_SIZE));

  private constructor(c: CLibrary) {
    this.#c = c;
    this.#ioctl = c.function("int ioctl(int fd, unsigned long request, long value)");
    this.#ioctlWith = c.function("int ioctl(int fd, unsigned long request, void *structure)");
    this.#mmap = c.function("intptr_t mmap(void *at, size_t size, int prot, int flags, int fd, long offset)");
    this.#locate = c.function("uintptr_t memchr(void *bytes, int byte, size_t size)");
    this.#setTime = c.function("int timer_settime(uintptr_t timer, int flags, void *time, void *old)");
    this.#takeSignal = c.function("int sigtimedwait(void *set, void *info, void *timeout)");
    this.#signalSet[(SIGNAL - 1) >> 3] = 1 << ((SIGNAL - 1) & 7);
  }

  static async load(): Promise<KvmLibrary> {
    return new KvmLibrary(await loadCLibrary());
  }

  open(path: string): number {
    return openSync(path, "r+");
  }

  close(fd: number): void {
    closeSync(fd);
  }

  /** A request with a number or without an argument; negative when it failed. */
  ioctl(fd: number, request: number, value = 0): number {
    return this.#ioctl(fd, request, value);
  }

  /** A request with a structure. SAFETY: the kernel writes as much as the request says, so it has to be that long. */
  ioctlWith(fd: number, request: number, structure: ArrayBufferView): number {
    return this.#ioctlWith(fd, request, structure);
  }

  /** The name of the last failure in this thread: "EINTR". */
  errorName(): string {
    return this.#c.errorName();
  }

  /** @throws QemuError when `result` says that `what` failed. */
  check(what: string, result: number): number {
    if (result >= 0) return result;
    throw new QemuError("kvm", `${what} failed: ${this.errorName()}`);
  }

  /** Maps `size` bytes of a descriptor. SAFETY: the mapping stays until the process ends, and so does the view. */
  map(fd: number, size: number): ArrayBuffer {
    const address = this.#mmap(null, size, PROT_READ_WRITE, MAP_SHARED, fd, 0);
    if (address === -1) this.check("mmap", -1);
    return this.#c.view(address, size);
  }

  /** The address of a memory's first byte. SAFETY: valid as long as the memory is referenced; it must never grow. */
  addressOf(bytes: Uint8Array): number {
    return this.#locate(bytes.subarray(0, 1), bytes[0], 1);
  }

  threadId(): number {
    return this.#c.function("int gettid(void)")();
  }

  /** Blocks the signal in this thread, for good. */
  blockSignal(): SignalMask {
    const mask = new Uint8Array(SIGSET_SIZE);
    const block = this.#c.function("int pthread_sigmask(int how, void *set, void *old)");
    if (block(SIG_BLOCK, this.#signalSet, mask) !== 0) throw new QemuError("kvm", "pthread_sigmask failed");
    const open = mask.slice(0, KERNEL_SIGSET_SIZE);
    for (let i = 0; i < open.length; i++) open[i] &= ~this.#signalSet[i];
    return { open };
  }

  /** Takes the blocked signals that have come to this thread. */
  drainSignals(): void {
    while (this.#takeSignal(this.#signalSet, null, this.#noTime) > 0);
  }

  /** A function that sends the signal to a thread of this process. */
  signaller(threadId: number): () => void {
    const kill = this.#c.function("int tgkill(int process, int thread, int signal)");
    return () => void kill(process.pid, threadId, SIGNAL);
  }

  /** A timer that sends the signal to this thread. */
  createTimer(): number {
    const event = new DataView(new ArrayBuffer(SIGEVENT_SIZE));
    event.setInt32(8, SIGNAL, true);
    event.setInt32(12, SIGEV_THREAD_ID, true);
    event.setInt32(16, this.threadId(), true);
    const id = new BigUint64Array(1);
    const create = this.#c.function("int timer_create(int clock, void *event, void *timer)");
    this.check("timer_create", create(CLOCK_MONOTONIC, event, id));
    return Number(id[0]);
  }

  /** Makes a timer go off once, after `ns`. */
  setTimer(timer: number, ns: number): void {
    const whole = Math.max(1, Math.ceil(ns));
    this.#time.setBigInt64(16, BigInt(Math.floor(whole / NS_PER_SECOND)), true);
    this.#time.setBigInt64(24, BigInt(whole % NS_PER_SECOND), true);
    this.#setTime(timer, 0, this.#time, null);
  }
}
