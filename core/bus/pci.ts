/**
 * PCI as the PCI Local Bus Specification 3.0 describes it, chapter 6: configuration space with write masks, base
 * address registers that map regions, interrupt pins routed by the host bridge. Devices extend `PciDevice`; the host
 * bridge owns a `PciBus` and decodes configuration accesses into it.
 *
 * Invariants: the guest can only change configuration bits that `writable` allows; a base address register is always
 * aligned to its size; a region is mapped exactly while its decode bit in COMMAND is set.
 */

import { QemuError } from "../errors.ts";
import type { IrqLine } from "../irq.ts";
import { array, defineState, type State, type StateArena, u8 } from "../state/state.ts";
import type { AccessSize, IoRegion } from "./io.ts";

// Configuration header registers, type 0 (section 6.1).
export const PCI_VENDOR_ID = 0x00;
export const PCI_DEVICE_ID = 0x02;
export const PCI_COMMAND = 0x04;
export const PCI_STATUS = 0x06;
export const PCI_REVISION_ID = 0x08;
export const PCI_CLASS_PROG = 0x09;
export const PCI_CLASS_DEVICE = 0x0a;
export const PCI_HEADER_TYPE = 0x0e;
export const PCI_BASE_ADDRESS_0 = 0x10;
export const PCI_SUBSYSTEM_VENDOR_ID = 0x2c;
export const PCI_SUBSYSTEM_ID = 0x2e;
export const PCI_ROM_ADDRESS = 0x30;
export const PCI_INTERRUPT_LINE = 0x3c;
export const PCI_INTERRUPT_PIN = 0x3d;

export const PCI_COMMAND_IO = 0b0000_0001;
export const PCI_COMMAND_MEMORY = 0b0000_0010;
export const PCI_COMMAND_MASTER = 0b0000_0100;
export const PCI_COMMAND_SERR = 0b1_0000_0000;
export const PCI_COMMAND_INTX_DISABLE = 0b100_0000_0000;
export const PCI_STATUS_INTERRUPT = 0b1000;
export const PCI_HEADER_MULTIFUNCTION = 0x80;

const ROM_ENABLE = 1;
const ROM_SLOT = 6;

/** What a base address register can map: registers (`IoRegion`), or memory that the machine provides. */
export type BarTarget = { readonly region: IoRegion } | { readonly ram: MemoryBlock };

/** A piece of guest-visible memory outside main RAM: video RAM or an option ROM. */
export interface MemoryBlock {
  readonly name: string;
  /** Bytes, a multiple of 4096. */
  readonly size: number;
  readonly readOnly: boolean;
  /** The block's bytes, in the shared memory. */
  readonly bytes: Uint8Array;
}

export interface BarSpec {
  readonly kind: "io" | "mem";
  /** Bytes, a power of two. */
  readonly size: number;
  readonly prefetchable?: boolean;
  readonly target: BarTarget;
}

/** Where base address registers are mapped; given by the machine. */
export interface PciAddressSpaces {
  /** Maps a target until the returned function is called. */
  map(kind: "io" | "mem", base: number, size: number, target: BarTarget): () => void;
}

export interface PciIdentity {
  readonly vendorId: number;
  readonly deviceId: number;
  readonly revision?: number;
  /** Base class and subclass, e.g. 0x0300 for VGA. */
  readonly classCode: number;
  readonly progIf?: number;
  readonly subsystemVendorId?: number;
  readonly subsystemId?: number;
  /** 1 is INTA#, 0 is none. */
  readonly interruptPin?: number;
}

/** Red Hat's subsystem ids, which QEMU gives its devices. */
export const QEMU_SUBSYSTEM = { subsystemVendorId: 0x1af4, subsystemId: 0x1100 } as const;

export const PCI_STATE = defineState("pci-config", 1, { config: array(u8, 256), irqLevel: u8 });

interface Bar {
  readonly spec: BarSpec;
  readonly register: number;
  mappedAt: number | undefined;
  unmap: (() => void) | undefined;
}

export interface PciDeviceContext {
  readonly name: string;
  readonly arena: StateArena;
}

/** One PCI function. */
export class PciDevice {
  readonly name: string;
  readonly identity: PciIdentity;
  /** Configuration space; the guest's writes go through `configWrite`. */
  readonly config: Uint8Array;
  /** Bits of configuration space that the guest may change. */
  readonly writable = new Uint8Array(256);
  /** Bits of configuration space that the guest clears by writing ones. */
  readonly writeOneToClear = new Uint8Array(256);
  /** Device and function, `slot << 3 | function`; set when plugged in. */
  devfn = 0;
  readonly #pci: State<typeof PCI_STATE>;
  readonly #bars: (Bar | undefined)[] = [];
  #bus: PciBus | undefined;

  constructor(context: PciDeviceContext, identity: PciIdentity) {
    this.name = context.name;
    this.identity = identity;
    this.#pci = context.arena.attach(`${context.name}/pci`, PCI_STATE);
    this.config = this.#pci.config;
    this.#initWritable();
    this.resetConfig();
  }

  /** The bus, once plugged in. */
  get bus(): PciBus | undefined {
    return this.#bus;
  }

  /** @internal Called by the bus. */
  plugged(bus: PciBus, devfn: number): void {
    this.#bus = bus;
    this.devfn = devfn;
  }

  /** Declares base address register `index` (0 to 5, 6 for the expansion ROM). */
  registerBar(index: number, spec: BarSpec): void {
    if (spec.size < 4 || (spec.size & (spec.size - 1)) !== 0) throw new RangeError(`BAR size ${spec.size}`);
    const register = index === ROM_SLOT ? PCI_ROM_ADDRESS : PCI_BASE_ADDRESS_0 + index * 4;
    this.#bars[index] = { spec, register, mappedAt: undefined, unmap: undefined };
    const mask = ~(spec.size - 1) >>> 0;
    for (let i = 0; i < 4; i++) this.writable[register + i] = (mask >>> (i * 8)) & 0xff;
    if (index === ROM_SLOT) this.writable[register] |= ROM_ENABLE;
    this.#putBarFlags(index);
  }

  /** The address a base address register is mapped at, or undefined. */
  barAddress(index: number): number | undefined {
    return this.#bars[index]?.mappedAt;
  }

  /** What base address register `index` maps, or undefined when it is not there. */
  barSpec(index: number): BarSpec | undefined {
    return this.#bars[index]?.spec;
  }

  /** Drives this function's interrupt pin. */
  setIrq(level: boolean): void {
    this.#pci.irqLevel = level ? 1 : 0;
    this.config[PCI_STATUS] = level
      ? this.config[PCI_STATUS] | PCI_STATUS_INTERRUPT
      : this.config[PCI_STATUS] & ~PCI_STATUS_INTERRUPT;
    this.#bus?.routeIrq(this);
  }

  /** The level on the pin, after INTx disable. */
  get irqAsserted(): boolean {
    return this.#pci.irqLevel !== 0 && (this.config16(PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE) === 0;
  }

  get busMaster(): boolean {
    return (this.config[PCI_COMMAND] & PCI_COMMAND_MASTER) !== 0;
  }

  config16(offset: number): number {
    return this.config[offset] | (this.config[offset + 1] << 8);
  }

  config32(offset: number): number {
    return (this.config16(offset) | (this.config16(offset + 2) << 16)) >>> 0;
  }

  setConfig16(offset: number, value: number): void {
    this.config[offset] = value;
    this.config[offset + 1] = value >>> 8;
  }

  setConfig32(offset: number, value: number): void {
    this.setConfig16(offset, value);
    this.setConfig16(offset + 2, value >>> 16);
  }

  /** A configuration read of the guest. */
  configRead(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = 0; i < size; i++) value |= (this.config[offset + i] ?? 0xff) << (i * 8);
    return value >>> 0;
  }

  /** A configuration write of the guest. Overrides call this first, then look at what changed. */
  configWrite(offset: number, value: number, size: AccessSize): void {
    for (let i = 0; i < size && offset + i < 256; i++) {
      const at = offset + i;
      const byte = (value >>> (i * 8)) & 0xff;
      const mask = this.writable[at];
      this.config[at] = ((this.config[at] & ~mask) | (byte & mask)) & ~(byte & this.writeOneToClear[at]);
    }
    this.updateMappings();
    this.#bus?.routeIrq(this);
  }

  /** Puts configuration space into its state after reset and unmaps everything. Registered BARs keep their kind. */
  resetConfig(): void {
    const { identity } = this;
    for (let i = 0; i < 256; i++) if (this.writable[i] !== 0) this.config[i] = 0;
    this.setConfig16(PCI_VENDOR_ID, identity.vendorId);
    this.setConfig16(PCI_DEVICE_ID, identity.deviceId);
    this.config[PCI_REVISION_ID] = identity.revision ?? 0;
    this.config[PCI_CLASS_PROG] = identity.progIf ?? 0;
    this.setConfig16(PCI_CLASS_DEVICE, identity.classCode);
    this.setConfig16(PCI_SUBSYSTEM_VENDOR_ID, identity.subsystemVendorId ?? 0);
    this.setConfig16(PCI_SUBSYSTEM_ID, identity.subsystemId ?? 0);
    this.config[PCI_INTERRUPT_PIN] = identity.interruptPin ?? 0;
    this.#pci.irqLevel = 0;
    this.#bars.forEach((bar, index) => {
      if (bar) this.#putBarFlags(index);
    });
    this.updateMappings();
  }

  /** Maps and unmaps base address registers as COMMAND and their contents say; also called after loading state. */
  updateMappings(): void {
    for (const bar of this.#bars) {
      if (!bar) continue;
      const wanted = this.#wantedAddress(bar);
      if (wanted === bar.mappedAt) continue;
      bar.unmap?.();
      bar.unmap =
        wanted === undefined ? undefined : this.#bus?.spaces.map(bar.spec.kind, wanted, bar.spec.size, bar.spec.target);
      bar.mappedAt = wanted;
    }
  }

  #wantedAddress(bar: Bar): number | undefined {
    const raw = this.config32(bar.register);
    const address = (raw & ~(bar.spec.size - 1)) >>> 0;
    const decode = bar.spec.kind === "io" ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
    if ((this.config[PCI_COMMAND] & decode) === 0 || address === 0 || !this.#bus) return undefined;
    if (bar.register === PCI_ROM_ADDRESS && (raw & ROM_ENABLE) === 0) return undefined;
    const end = address + bar.spec.size;
    if (end > (bar.spec.kind === "io" ? 0x10000 : 0xffffffff)) return undefined;
    return address;
  }

  #putBarFlags(index: number): void {
    const { spec, register } = this.#bars[index]!;
    if (index === ROM_SLOT) return;
    this.config[register] = (this.config[register] & ~0xf) | (spec.kind === "io" ? 1 : spec.prefetchable ? 8 : 0);
  }

  #initWritable(): void {
    this.writable[PCI_COMMAND] = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
    this.writable[PCI_COMMAND + 1] = (PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE) >> 8;
    this.writeOneToClear[PCI_STATUS + 1] = 0xf9;
    this.writable[0x0c] = 0xff; // cache line size
    this.writable[PCI_INTERRUPT_LINE] = 0xff;
  }
}

/** Routes a slot's pin to one of the host bridge's interrupt inputs. */
export interface PciIrqRouting {
  /** The input (0 to 3) that pin 1 to 4 of the device at `devfn` is wired to. */
  input(devfn: number, pin: number): number;
  readonly inputs: readonly IrqLine[];
}

/** One PCI bus of up to 256 functions. */
export class PciBus {
  readonly number: number;
  readonly spaces: PciAddressSpaces;
  readonly #routing: PciIrqRouting;
  readonly #devices: (PciDevice | undefined)[] = new Array(256).fill(undefined);

  constructor(spaces: PciAddressSpaces, routing: PciIrqRouting, number = 0) {
    this.spaces = spaces;
    this.#routing = routing;
    this.number = number;
  }

  /** Plugs a device in at `devfn`, or at the first free slot from 3 on. */
  plug(device: PciDevice, devfn?: number): void {
    const at = devfn ?? this.#freeSlot();
    const present = this.#devices[at];
    if (present) {
      throw new QemuError(
        "pci-slot-taken",
        `PCI: slot ${at >> 3} function ${at & 7} already occupied by ${present.name}`,
      );
    }
    this.#devices[at] = device;
    device.plugged(this, at);
  }

  device(devfn: number): PciDevice | undefined {
    return this.#devices[devfn];
  }

  devices(): PciDevice[] {
    return this.#devices.filter((device) => device !== undefined);
  }

  /** A configuration read; a missing function reads all ones. */
  configRead(devfn: number, offset: number, size: AccessSize): number {
    const device = this.#devices[devfn];
    return device ? device.configRead(offset, size) : size === 4 ? 0xffffffff : (1 << (size * 8)) - 1;
  }

  configWrite(devfn: number, offset: number, value: number, size: AccessSize): void {
    this.#devices[devfn]?.configWrite(offset, value, size);
  }

  /** Recomputes the interrupt input that `device`'s pin leads to: an input is asserted while any pin wired to it is. */
  routeIrq(device: PciDevice): void {
    const pin = device.config[PCI_INTERRUPT_PIN];
    if (pin === 0) return;
    const input = this.#routing.input(device.devfn, pin);
    const level = this.#devices.some(
      (other) =>
        other?.irqAsserted &&
        other.config[PCI_INTERRUPT_PIN] !== 0 &&
        this.#routing.input(other.devfn, other.config[PCI_INTERRUPT_PIN]) === input,
    );
    this.#routing.inputs[input]?.set(level);
  }

  #freeSlot(): number {
    for (let slot = 3; slot < 32; slot++) {
      const functions = this.#devices.slice(slot * 8, slot * 8 + 8);
      if (functions.every((device) => device === undefined)) return slot << 3;
    }
    throw new QemuError("pci-bus-full", "PCI: no slot/function available, all in use or reserved");
  }
}
