/**
 * The guest's address map as KVM's memory slots: RAM and ROM are slots over the shared memory, everything else comes
 * back as an MMIO exit. A write to a ROM slot comes back, too.
 *
 * Invariant: while a vCPU is in the guest the slots show the address space as it is.
 */

import { QemuError } from "../../core/errors.ts";
import type { AddressSpace } from "../../core/memory/address-space.ts";
import { PAGE_SIZE } from "../../core/memory/guest-memory.ts";
import { KVM_MEM_READONLY, KVM_SET_USER_MEMORY_REGION, SIZES } from "./abi.ts";
import type { KvmLibrary } from "./libc.ts";

interface Slot {
  readonly number: number;
  readonly start: number;
}

interface WantedSlot {
  readonly start: number;
  readonly size: number;
  /** Where it is in the shared memory. */
  readonly offset: number;
  readonly readOnly: boolean;
}

const keyOf = ({ start, size, offset, readOnly }: WantedSlot): string => `${start} ${size} ${offset} ${readOnly}`;

/** What of an address space can be slots, by a key that says all about one. */
export function wantedSlots(space: AddressSpace): Map<string, WantedSlot> {
  const wanted = new Map<string, WantedSlot>();
  for (const { start, end, region } of space.flatten()) {
    const { target, base } = region;
    if (target.kind === "io") continue;
    const first = Math.ceil(start / PAGE_SIZE) * PAGE_SIZE;
    const size = Math.floor(end / PAGE_SIZE) * PAGE_SIZE - first;
    const offset = target.block.address + (target.offset ?? 0) + first - base;
    if (size <= 0 || offset % PAGE_SIZE !== 0) continue;
    const slot = { start: first, size, offset, readOnly: target.kind !== "ram" };
    wanted.set(keyOf(slot), slot);
  }
  return wanted;
}

export class MemorySlots {
  readonly #library: KvmLibrary;
  readonly #vm: number;
  readonly #space: AddressSpace;
  /** Address of the shared memory in this process. */
  readonly #base: number;
  readonly #limit: number;
  readonly #slots = new Map<string, Slot>();
  readonly #free: number[] = [];
  #next = 0;

  /** `limit` is the number of slots that the kernel has. */
  constructor(
    library: KvmLibrary,
    vm: number,
    space: AddressSpace,
    limit: number,
    exclusively: (change: () => void) => void = (change) => change(),
  ) {
    this.#library = library;
    this.#vm = vm;
    this.#space = space;
    this.#limit = limit;
    // SAFETY: a WebAssembly.Memory that is shared never moves, and this one never grows; `space` keeps it alive.
    this.#base = library.addressOf(space.memory.u8);
    if (this.#base % PAGE_SIZE !== 0) throw new QemuError("kvm", "guest memory is not page aligned");
    space.onMapChange(() => this.#update(exclusively));
    this.#update((change) => change());
  }

  #update(exclusively: (change: () => void) => void): void {
    const wanted = wantedSlots(this.#space);
    if (wanted.size === this.#slots.size && [...wanted.keys()].every((key) => this.#slots.has(key))) return;
    // A vCPU that fetches instructions from a slot that is being replaced would fail.
    exclusively(() => this.#change(wanted));
  }

  #change(wanted: ReadonlyMap<string, WantedSlot>): void {
    for (const [key, { number, start }] of this.#slots) {
      if (wanted.has(key)) continue;
      this.#set(number, { start, size: 0, offset: 0, readOnly: false });
      this.#slots.delete(key);
      this.#free.push(number);
    }
    for (const [key, slot] of wanted) {
      if (this.#slots.has(key)) continue;
      const number = this.#free.pop() ?? this.#next++;
      if (number >= this.#limit) throw new QemuError("kvm", `the host's KVM has ${this.#limit} memory slots only`);
      this.#set(number, slot);
      this.#slots.set(key, { number, start: slot.start });
    }
  }

  /** Sets struct kvm_userspace_memory_region; a size of 0 deletes the slot. */
  #set(number: number, { start, size, offset, readOnly }: WantedSlot): void {
    const region = new DataView(new ArrayBuffer(SIZES.kvm_userspace_memory_region));
    region.setUint32(0, number, true);
    region.setUint32(4, readOnly ? KVM_MEM_READONLY : 0, true);
    region.setBigUint64(8, BigInt(start), true);
    region.setBigUint64(16, BigInt(size), true);
    region.setBigUint64(24, BigInt(this.#base + offset), true);
    const what = `KVM_SET_USER_MEMORY_REGION (0x${start.toString(16)}, ${size} bytes)`;
    this.#library.check(what, this.#library.ioctlWith(this.#vm, KVM_SET_USER_MEMORY_REGION, region));
  }
}
