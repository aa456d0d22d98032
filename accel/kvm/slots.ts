/**
 * The guest's address map as KVM's memory slots: RAM and ROM are slots over the shared memory, everything else comes
 * back as an MMIO exit. A write to a ROM slot comes back, too. Where writes to a block are logged, the kernel logs those to
 * its slots.
 *
 * Invariants:
 *  1. While a vCPU is in the guest the slots show the address space as it is.
 *  2. What the kernel has logged of a slot is in the block's log before the slot goes.
 */

import { QemuError } from "../../core/errors.ts";
import type { AddressSpace } from "../../core/memory/address-space.ts";
import type { DirtyLog } from "../../core/memory/dirty-log.ts";
import { PAGE_SIZE } from "../../core/memory/guest-memory.ts";
import * as abi from "./abi.ts";
import type { KvmLibrary } from "./libc.ts";

const { SIZES } = abi;

interface WantedSlot {
  readonly start: number;
  readonly size: number;
  /** Where it is in the shared memory. */
  readonly offset: number;
  readonly readOnly: boolean;
  /** Where writes to it are logged. */
  readonly log?: DirtyLog;
}

interface Slot extends WantedSlot {
  readonly number: number;
  /** What the kernel writes a bit per page to, when it is asked. */
  readonly bitmap?: Bitmap;
}

interface Bitmap {
  readonly words: Uint32Array;
  /** In this process. */
  readonly address: number;
}

const keyOf = ({ start, size, offset, readOnly, log }: WantedSlot): string =>
  `${start} ${size} ${offset} ${readOnly} ${log !== undefined}`;

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
    const log = target.kind === "ram" ? space.dirtyLog(target.block) : undefined;
    const slot = { start: first, size, offset, readOnly: target.kind !== "ram", log };
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
    space.onDirtyCollect((log) => {
      for (const slot of this.#slots.values()) if (slot.log === log) this.#collect(slot);
    });
    this.#update((change) => change());
  }

  #update(exclusively: (change: () => void) => void): void {
    const wanted = wantedSlots(this.#space);
    if (wanted.size === this.#slots.size && [...wanted.keys()].every((key) => this.#slots.has(key))) return;
    // A vCPU that fetches instructions from a slot that is being replaced would fail.
    exclusively(() => this.#change(wanted));
  }

  #change(wanted: ReadonlyMap<string, WantedSlot>): void {
    for (const [key, slot] of this.#slots) {
      if (wanted.has(key)) continue;
      this.#collect(slot);
      this.#set(slot.number, { ...slot, size: 0 });
      this.#slots.delete(key);
      this.#free.push(slot.number);
    }
    for (const [key, slot] of wanted) {
      if (this.#slots.has(key)) continue;
      const number = this.#free.pop() ?? this.#next++;
      if (number >= this.#limit) throw new QemuError("kvm", `the host's KVM has ${this.#limit} memory slots only`);
      this.#set(number, slot);
      this.#slots.set(key, { ...slot, number, bitmap: slot.log && this.#bitmap(slot.size / PAGE_SIZE) });
    }
  }

  /** Sets struct kvm_userspace_memory_region; a size of 0 deletes the slot. */
  #set(number: number, { start, size, offset, readOnly, log }: WantedSlot): void {
    const region = new DataView(new ArrayBuffer(SIZES.kvm_userspace_memory_region));
    region.setUint32(0, number, true);
    region.setUint32(4, (readOnly ? abi.KVM_MEM_READONLY : 0) | (log ? abi.KVM_MEM_LOG_DIRTY_PAGES : 0), true);
    region.setBigUint64(8, BigInt(start), true);
    region.setBigUint64(16, BigInt(size), true);
    region.setBigUint64(24, BigInt(this.#base + offset), true);
    const what = `KVM_SET_USER_MEMORY_REGION (0x${start.toString(16)}, ${size} bytes)`;
    this.#library.check(what, this.#library.ioctlWith(this.#vm, abi.KVM_SET_USER_MEMORY_REGION, region));
  }

  /** A bit for each of `pages`; shared memory stays where it is. */
  #bitmap(pages: number): Bitmap {
    const words = new Uint32Array(new SharedArrayBuffer(Math.ceil(pages / 64) * 8));
    return { words, address: this.#library.addressOf(new Uint8Array(words.buffer)) };
  }

  /** Moves what the kernel has logged of a slot into the block's log: struct kvm_dirty_log. */
  #collect({ number, offset, log, bitmap }: Slot): void {
    if (!log || !bitmap) return;
    const request = new DataView(new ArrayBuffer(SIZES.kvm_dirty_log));
    request.setUint32(0, number, true);
    request.setBigUint64(8, BigInt(bitmap.address), true);
    this.#library.check("KVM_GET_DIRTY_LOG", this.#library.ioctlWith(this.#vm, abi.KVM_GET_DIRTY_LOG, request));
    for (const [i, word] of bitmap.words.entries()) {
      for (let left = word; left !== 0; left &= left - 1) {
        log.written(offset + (i * 32 + 31 - Math.clz32(left & -left)) * PAGE_SIZE, PAGE_SIZE);
      }
    }
  }
}
