/**
 * Writes to registers that the kernel collects instead of coming back for each: those of regions that allow it (`coalesced`
 * of `IoRegion`). They are done when the vCPU comes back for anything else. Linux's Documentation/virt/kvm/api.rst,
 * KVM_REGISTER_COALESCED_MMIO.
 *
 * Invariants:
 *  1. The ring is empty whenever other code than the guest's runs.
 *  2. The machine has one CPU: the ring is the virtual machine's, and who empties it would have to lock out the others.
 */

import type { AccessSize } from "../../core/bus/io.ts";
import type { AddressSpace } from "../../core/memory/address-space.ts";
import * as abi from "./abi.ts";
import type { KvmLibrary } from "./libc.ts";

const { RING, SIZES } = abi;
const PAGE_SIZE = 4096;
const ENTRIES = Math.floor((PAGE_SIZE - RING.entries) / SIZES.kvm_coalesced_mmio);

export class CoalescedWrites {
  readonly #library: KvmLibrary;
  readonly #vm: number;
  readonly #space: AddressSpace;
  readonly #ring: DataView;
  #zones = new Map<string, readonly [start: number, size: number]>();

  /** `ring`: the page behind a vCPU's struct kvm_run that KVM_CAP_COALESCED_MMIO tells of. */
  constructor(library: KvmLibrary, vm: number, space: AddressSpace, ring: DataView) {
    this.#library = library;
    this.#vm = vm;
    this.#space = space;
    this.#ring = ring;
    space.onMapChange(() => this.#update());
    this.#update();
  }

  /** Whether there is anything to do. */
  get pending(): boolean {
    return this.#ring.getUint32(RING.first, true) !== this.#ring.getUint32(RING.last, true);
  }

  /** Does the writes. */
  flush(): void {
    const ring = this.#ring;
    for (let first = ring.getUint32(RING.first, true); first !== ring.getUint32(RING.last, true); ) {
      const at = RING.entries + (first % ENTRIES) * SIZES.kvm_coalesced_mmio;
      const address = Number(ring.getBigUint64(at + RING.phys_addr, true));
      const length = Math.min(ring.getUint32(at + RING.len, true), 8);
      for (let done = 0; done < length; ) {
        const left = length - done;
        const size: AccessSize = left >= 4 ? 4 : left >= 2 ? 2 : 1;
        const data = at + RING.data + done;
        const value =
          size === 4 ? ring.getUint32(data, true) : size === 2 ? ring.getUint16(data, true) : ring.getUint8(data);
        this.#space.write(address + done, value, size);
        done += size;
      }
      first = (first + 1) % ENTRIES;
      ring.setUint32(RING.first, first, true);
    }
  }

  #update(): void {
    const wanted = new Map<string, readonly [number, number]>();
    for (const { start, end, region } of this.#space.flatten()) {
      if (region.target.kind !== "io" || !region.target.region.coalesced) continue;
      wanted.set(`${start} ${end}`, [start, end - start]);
    }
    for (const [key, [start, size]] of this.#zones) {
      if (!wanted.has(key)) this.#call(abi.KVM_UNREGISTER_COALESCED_MMIO, start, size);
    }
    for (const [key, [start, size]] of wanted) {
      if (!this.#zones.has(key)) this.#call(abi.KVM_REGISTER_COALESCED_MMIO, start, size);
    }
    this.#zones = wanted;
  }

  /** struct kvm_coalesced_mmio_zone. */
  #call(request: number, start: number, size: number): void {
    const zone = new DataView(new ArrayBuffer(SIZES.kvm_coalesced_mmio_zone));
    zone.setBigUint64(0, BigInt(start), true);
    zone.setUint32(8, size, true);
    this.#library.check("coalesced MMIO", this.#library.ioctlWith(this.#vm, request, zone));
  }
}
