/**
 * The interrupt controllers that the kernel brings: all of them (`on`), or the local APICs alone (`split`), with the
 * machine's own 8259 pair, I/O APIC and 8254 around them. Linux's Documentation/virt/kvm/api.rst.
 *
 * The inputs of its chips are lines with numbers (GSI), routed so that both chips can be driven on their own:
 *
 *     0 to 15     input of the 8259 pair; 0 also goes to pin 2 of the I/O APIC, for that is where the kernel's 8254 is
 *     32 to 55    pin 0 to 23 of the I/O APIC
 *
 * Split, lines 0 to 23 are messages: what the entries of the machine's I/O APIC say. The kernel reports the end of an
 * interrupt for vectors that are level triggered there.
 *
 * Invariant: the chips are made before the first vCPU.
 */

import { APIC_BROADCAST, DELIVERY_LOWEST, type InterruptMessage } from "../../core/bus/apic-bus.ts";
import { IOAPIC_PINS } from "../../core/chips/ioapic.ts";
import type { Properties } from "../../core/device.ts";
import { QemuError } from "../../core/errors.ts";
import * as abi from "./abi.ts";
import type { KvmLibrary } from "./libc.ts";
import { emulatesGuests, type KvmSystem } from "./system.ts";

const { IRQCHIP, ROUTE, SIZES } = abi;
const PIC_LINES = 16;
const CASCADE = 2;
const PIN_OF_TIMER = 2;
const FIRST_PIN = 32;
/** The kernel's -1 for a message that nobody takes. */
const NOT_DELIVERED = "EPERM";

/** Which of the interrupt controllers are the kernel's. */
export type IrqchipMode = "on" | "split" | "off";

/**
 * What -accel's kernel-irqchip stands for on this host; without one, `on` where the host has them and runs guest code on
 * its hardware. A kernel that emulates it sees a window for interrupts of a few instructions too late, often for seconds.
 * @throws QemuError when the host lacks what is asked for.
 */
export function irqchipMode(system: KvmSystem, properties: Properties): IrqchipMode {
  const wanted = properties["kernel-irqchip"];
  if (wanted === "off") return "off";
  const missing = Object.entries(abi.IRQCHIP_CAPABILITIES).find(([, number]) => system.capability(number) <= 0);
  if (wanted === undefined) return missing || emulatesGuests() ? "off" : "on";
  if (missing) {
    throw new QemuError("no-irqchip", `Create kernel irqchip failed: kvm does not support ${missing[0]}`, {
      hint: "use kernel-irqchip=off",
    });
  }
  if (wanted === "on") return "on";
  if (system.capability(abi.KVM_CAP_SPLIT_IRQCHIP) > 0) return "split";
  throw new QemuError("no-irqchip", "Split IRQ chip mode not supported.", { hint: "use kernel-irqchip=on or off" });
}

/** A routed line: an input of a chip, or a message. */
type Route = { readonly gsi: number } & (
  | { readonly chip: number; readonly pin: number }
  | { readonly message: InterruptMessage }
);

export class KernelIrqchip {
  readonly mode: "on" | "split";
  readonly library: KvmLibrary;
  readonly #vm: number;
  readonly #level = new Uint32Array(2);

  /** `vm`: the descriptor of the virtual machine. */
  constructor(library: KvmLibrary, vm: number, mode: "on" | "split") {
    this.mode = mode;
    this.library = library;
    this.#vm = vm;
  }

  /** Makes the chips, in a virtual machine that has no vCPU yet. */
  create(): void {
    if (this.mode === "split") this.#createLocalApics();
    else this.#createAll();
  }

  #createAll(): void {
    const { library } = this;
    library.check("Create kernel irqchip failed: KVM_CREATE_IRQCHIP", library.ioctl(this.#vm, abi.KVM_CREATE_IRQCHIP));
    this.#call("KVM_CREATE_PIT2", abi.KVM_CREATE_PIT2, new Uint8Array(SIZES.kvm_pit_config));
    const lines = Array.from({ length: PIC_LINES }, (_, gsi) => gsi).filter((gsi) => gsi !== CASCADE);
    const pins = Array.from({ length: IOAPIC_PINS }, (_, pin) => pin);
    this.#setRoutes([
      ...lines.map((gsi) => ({ gsi, chip: gsi < 8 ? IRQCHIP.PIC_MASTER : IRQCHIP.PIC_SLAVE, pin: gsi & 7 })),
      ...pins.map((pin) => ({ gsi: FIRST_PIN + pin, chip: IRQCHIP.IOAPIC, pin })),
      // The last one that leads to a pin is told of the end of its interrupts: the kernel's 8254 waits for that.
      { gsi: 0, chip: IRQCHIP.IOAPIC, pin: PIN_OF_TIMER },
    ]);
  }

  #createLocalApics(): void {
    const request = new DataView(new ArrayBuffer(SIZES.kvm_enable_cap));
    request.setUint32(0, abi.KVM_CAP_SPLIT_IRQCHIP, true);
    request.setBigUint64(8, BigInt(IOAPIC_PINS), true);
    this.#call("Could not enable split irqchip mode: KVM_ENABLE_CAP", abi.KVM_ENABLE_CAP, request);
  }

  #call(what: string, request: number, structure: ArrayBufferView): void {
    this.library.check(what, this.library.ioctlWith(this.#vm, request, structure));
  }

  /** Drives input 0 to 15 of the 8259 pair. */
  setPicLine(line: number, level: boolean): void {
    this.#setLine(line, level);
  }

  /** Drives pin 0 to 23 of the I/O APIC. */
  setPin(pin: number, level: boolean): void {
    this.#setLine(FIRST_PIN + pin, level);
  }

  #setLine(gsi: number, level: boolean): void {
    this.#level[0] = gsi;
    this.#level[1] = level ? 1 : 0;
    this.#call("KVM_IRQ_LINE", abi.KVM_IRQ_LINE, this.#level);
  }

  /** Sends a message to local APICs. One that none of them takes is lost: the guest may have disabled them all. */
  signal(message: InterruptMessage): void {
    const { address, data } = encodeMessage(message);
    const view = new DataView(new ArrayBuffer(SIZES.kvm_msi));
    view.setUint32(0, address, true);
    view.setUint32(8, data, true);
    const result = this.library.ioctlWith(this.#vm, abi.KVM_SIGNAL_MSI, view);
    if (result < 0 && this.library.errorName() !== NOT_DELIVERED) this.library.check("KVM_SIGNAL_MSI", result);
  }

  /** Split: what the pins of the machine's I/O APIC lead to. */
  setMessages(messages: readonly InterruptMessage[]): void {
    this.#setRoutes(messages.map((message, gsi) => ({ gsi, message })));
  }

  #setRoutes(routes: readonly Route[]): void {
    const { kvm_irq_routing: HEAD, kvm_irq_routing_entry: SIZE } = SIZES;
    const view = new DataView(new ArrayBuffer(HEAD + routes.length * SIZE));
    view.setUint32(0, routes.length, true);
    for (const [i, route] of routes.entries()) {
      const set = (at: number, value: number): void => view.setUint32(HEAD + i * SIZE + at, value, true);
      set(ROUTE.gsi, route.gsi);
      if ("chip" in route) {
        set(ROUTE.type, abi.ROUTE_IRQCHIP);
        set(ROUTE.irqchip, route.chip);
        set(ROUTE.pin, route.pin);
      } else {
        const { address, data } = encodeMessage(route.message);
        set(ROUTE.type, abi.ROUTE_MSI);
        set(ROUTE.address_lo, address);
        set(ROUTE.data, data);
      }
    }
    this.#call("KVM_SET_GSI_ROUTING", abi.KVM_SET_GSI_ROUTING, view);
  }

  /** struct kvm_irqchip of a chip; its registers are from IRQCHIP_REGISTERS on. */
  readChip(chip: number): DataView<ArrayBuffer> {
    const view = new DataView(new ArrayBuffer(SIZES.kvm_irqchip));
    view.setUint32(0, chip, true);
    this.#call("KVM_GET_IRQCHIP", abi.KVM_GET_IRQCHIP, view);
    return view;
  }

  writeChip(chip: DataView): void {
    this.#call("KVM_SET_IRQCHIP", abi.KVM_SET_IRQCHIP, chip);
  }

  /** struct kvm_pit_state2. */
  readPit(): DataView<ArrayBuffer> {
    const view = new DataView(new ArrayBuffer(SIZES.kvm_pit_state2));
    this.#call("KVM_GET_PIT2", abi.KVM_GET_PIT2, view);
    return view;
  }

  writePit(pit: DataView): void {
    this.#call("KVM_SET_PIT2", abi.KVM_SET_PIT2, pit);
  }

  /** Forgets the ticks that have come while the machine was stopped. */
  restartPit(): void {
    if (this.mode === "on") this.writePit(this.readPit());
  }

  /** Whether ticks of the 8254 that the guest has missed are made up for. */
  setReinjection(on: boolean): void {
    const control = new Uint8Array(SIZES.kvm_reinject_control);
    control[0] = on ? 1 : 0;
    this.#call("KVM_REINJECT_CONTROL", abi.KVM_REINJECT_CONTROL, control);
  }
}

/** The address and data of the write that means `message` (Intel SDM volume 3, section 12.11). */
export function encodeMessage(message: InterruptMessage): { address: number; data: number } {
  const { destination, logical, deliveryMode, vector, level } = message;
  const id = destination === APIC_BROADCAST ? 0xff : destination & 0xff;
  const hint = deliveryMode === DELIVERY_LOWEST ? 0b1000 : 0;
  return {
    address: (0xfee00000 | (id << 12) | hint | (logical ? 0b100 : 0)) >>> 0,
    data: vector | (deliveryMode << 8) | (level ? 0xc000 : 0),
  };
}
