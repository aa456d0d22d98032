/**
 * kvmclock's time, which stands still while the machine does: the kernel's own goes on for ever, so it is read at a stop
 * and set at the next start. Linux's Documentation/virt/kvm/x86/timekeeping.rst.
 */

import * as abi from "./abi.ts";
import type { KvmLibrary } from "./libc.ts";

export class KvmClock {
  readonly #library: KvmLibrary;
  readonly #vm: number;
  /** The time (ns) at which it stands; undefined while it runs, and before it has been stopped. */
  #stopped: bigint | undefined;

  constructor(library: KvmLibrary, vm: number) {
    this.#library = library;
    this.#vm = vm;
  }

  stop(): void {
    this.#stopped ??= this.#read();
  }

  /** `vcpus`: descriptors; their guests learn that they were stopped, and do not take the gap for a lockup. */
  start(vcpus: readonly number[]): void {
    if (this.#stopped === undefined) return;
    this.#write(this.#stopped);
    this.#stopped = undefined;
    // Fails for a CPU that has no kvmclock.
    for (const vcpu of vcpus) this.#library.ioctl(vcpu, abi.KVM_KVMCLOCK_CTRL);
  }

  /** The time in ns. */
  get now(): bigint {
    return this.#stopped ?? this.#read();
  }

  set now(ns: bigint) {
    if (this.#stopped === undefined) this.#write(ns);
    else this.#stopped = ns;
  }

  #read(): bigint {
    const view = new DataView(new ArrayBuffer(abi.SIZES.kvm_clock_data));
    this.#library.check("KVM_GET_CLOCK", this.#library.ioctlWith(this.#vm, abi.KVM_GET_CLOCK, view));
    return view.getBigUint64(abi.CLOCK.clock, true);
  }

  #write(ns: bigint): void {
    const view = new DataView(new ArrayBuffer(abi.SIZES.kvm_clock_data));
    view.setBigUint64(abi.CLOCK.clock, ns, true);
    this.#library.check("KVM_SET_CLOCK", this.#library.ioctlWith(this.#vm, abi.KVM_SET_CLOCK, view));
  }
}
