/**
 * Writes to registers that the kernel collects instead of coming back for each: those of regions that allow it (`coalesced`
 * of `IoRegion`), in memory and, where the host has KVM_CAP_COALESCED_PIO, among the ports. All vCPUs' lie in one ring, in
 * their order. Linux's Documentation/virt/kvm/api.rst, KVM_REGISTER_COALESCED_MMIO.
 *
 * Invariants:
 *  1. Only the machine's thread empties the ring: after each exit of its own vCPU, before it does another one's access, and
 *     when all stand. So what a CPU has written is done before its next access that is not collected.
 *  2. Only registers that live in the machine's thread are collected: nobody else sees them before that.
 */

import type { AccessSize, PortSpace } from "../../core/bus/io.ts";
import type { Clock } from "../../core/clock.ts";
import type { AddressSpace } from "../../core/memory/address-space.ts";
import * as abi from "./abi.ts";
import type { KvmLibrary } from "./libc.ts";
import type { KvmSystem } from "./system.ts";

const { RING, SIZES, ZONE } = abi;
const PAGE_SIZE = 4096;
const ENTRIES = Math.floor((PAGE_SIZE - RING.entries) / SIZES.kvm_coalesced_mmio);
const FIRST = RING.first / 4;
const LAST = RING.last / 4;

const MEMORY = 0;
const PORTS = 1;

interface Zone {
  readonly start: number;
  readonly size: number;
}

/** The registers of the machine's thread. */
export interface CoalescedTarget {
  readonly memory: AddressSpace;
  readonly ports: PortSpace;
  readonly clock: Clock;
}

/** What of an address space may be collected. */
const lateMemory = (space: AddressSpace): Zone[] =>
  space
    .flatten()
    .filter(({ region: { target } }) => target.kind === "io" && target.region.coalesced)
    .map(({ start, end }) => ({ start, size: end - start }));

export class CoalescedWrites {
  readonly #library: KvmLibrary;
  readonly #vm: number;
  readonly #target: CoalescedTarget;
  readonly #ring: DataView;
  readonly #words: Int32Array;

  /** `page`: what KVM_CAP_COALESCED_MMIO tells, the page of the ring in the mapping of any vCPU. */
  constructor(system: KvmSystem, vm: number, target: CoalescedTarget, mapping: ArrayBuffer, page: number) {
    this.#library = system.library;
    this.#vm = vm;
    this.#target = target;
    this.#ring = new DataView(mapping, page * PAGE_SIZE);
    // SAFETY: the kernel fills an entry before it moves `last`, and takes an entry as free once `first` is past it.
    this.#words = new Int32Array(mapping, page * PAGE_SIZE, RING.entries / 4);
    const { memory, ports } = target;
    memory.onMapChange(this.#follow(MEMORY, () => lateMemory(memory)));
    if (system.capability(abi.KVM_CAP_COALESCED_PIO) > 0) ports.onMapChange(this.#follow(PORTS, () => ports.late()));
  }

  /** Does the writes that were there when it was called. False when there were none. */
  flush(): boolean {
    const words = this.#words;
    let first = Atomics.load(words, FIRST);
    const last = Atomics.load(words, LAST);
    if (first === last) return false;
    this.#target.clock.poll();
    while (first !== last) {
      this.#write(RING.entries + (first % ENTRIES) * SIZES.kvm_coalesced_mmio);
      first = (first + 1) % ENTRIES;
      Atomics.store(words, FIRST, first);
    }
    return true;
  }

  #write(at: number): void {
    const { memory, ports } = this.#target;
    const ring = this.#ring;
    const bus = ring.getUint32(at + RING.pio, true) === PORTS ? ports : memory;
    const address = Number(ring.getBigUint64(at + RING.phys_addr, true));
    const length = Math.min(ring.getUint32(at + RING.len, true), 8);
    for (let done = 0; done < length; ) {
      const left = length - done;
      const size: AccessSize = left >= 4 ? 4 : left >= 2 ? 2 : 1;
      const data = at + RING.data + done;
      const value =
        size === 4 ? ring.getUint32(data, true) : size === 2 ? ring.getUint16(data, true) : ring.getUint8(data);
      bus.write(address + done, value, size);
      done += size;
    }
  }

  /** Tells the kernel of the zones that `find` finds, now and whenever the function that it returns is called. */
  #follow(kind: number, find: () => readonly Zone[]): () => void {
    let zones = new Map<string, Zone>();
    const update = (): void => {
      const wanted = new Map(find().map((zone) => [`${zone.start} ${zone.size}`, zone]));
      for (const [key, zone] of zones) if (!wanted.has(key)) this.#call(abi.KVM_UNREGISTER_COALESCED_MMIO, kind, zone);
      for (const [key, zone] of wanted) if (!zones.has(key)) this.#call(abi.KVM_REGISTER_COALESCED_MMIO, kind, zone);
      zones = wanted;
    };
    update();
    return update;
  }

  #call(request: number, kind: number, { start, size }: Zone): void {
    const zone = new DataView(new ArrayBuffer(SIZES.kvm_coalesced_mmio_zone));
    zone.setBigUint64(ZONE.addr, BigInt(start), true);
    zone.setUint32(ZONE.size, size, true);
    zone.setUint32(ZONE.pio, kind, true);
    this.#library.check("coalesced writes", this.#library.ioctlWith(this.#vm, request, zone));
  }
}
