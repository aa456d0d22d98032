/**
 * The I/O APIC in the kernel.
 *
 * Invariant: the levels of the pins are in the arena, as the kernel tells only part of them; a pin's line in the kernel
 * is driven when its level changes. All other registers are in the kernel; the arena has them while it is saved.
 */

import type { IoApic } from "../../../core/board.ts";
import {
  describeIoApic,
  IOAPIC_ENTRY,
  IOAPIC_PINS,
  IOAPIC_STATE,
  type IoApicState,
} from "../../../core/chips/ioapic.ts";
import type { Device } from "../../../core/device.ts";
import { type IrqLine, irqLine } from "../../../core/irq.ts";
import type { StateArena } from "../../../core/state/state.ts";
import { IRQCHIP, IRQCHIP_REGISTERS, IOAPIC_STATE as LAYOUT } from "../abi.ts";
import type { KernelIrqchip } from "../irqchip.ts";

const BASE = 0xfec0_0000n;
const entryAt = (pin: number): number => IRQCHIP_REGISTERS + LAYOUT.redirtbl + pin * 8;

/** Registers as struct kvm_ioapic_state. Pins that are level triggered and asserted are served at once. */
export function encodeIoApic({ id, ioregsel, levels, low, high }: IoApicState, view: DataView): void {
  let asserted = 0;
  for (let pin = 0; pin < IOAPIC_PINS; pin++) {
    view.setUint32(entryAt(pin), low[pin], true);
    view.setUint32(entryAt(pin) + 4, high[pin], true);
    if (low[pin] & IOAPIC_ENTRY.TRIGGER_LEVEL) asserted |= levels & (1 << pin);
  }
  view.setBigUint64(IRQCHIP_REGISTERS + LAYOUT.base_address, BASE, true);
  view.setUint32(IRQCHIP_REGISTERS + LAYOUT.ioregsel, ioregsel, true);
  view.setUint32(IRQCHIP_REGISTERS + LAYOUT.id, id, true);
  view.setUint32(IRQCHIP_REGISTERS + LAYOUT.irr, asserted >>> 0, true);
}

/** The reverse, but for the levels. */
export function decodeIoApic(view: DataView, state: IoApicState): void {
  for (let pin = 0; pin < IOAPIC_PINS; pin++) {
    state.low[pin] = view.getUint32(entryAt(pin), true);
    state.high[pin] = view.getUint32(entryAt(pin) + 4, true);
  }
  state.ioregsel = view.getUint32(IRQCHIP_REGISTERS + LAYOUT.ioregsel, true) & 0xff;
  state.id = view.getUint32(IRQCHIP_REGISTERS + LAYOUT.id, true) & 0xf;
}

export class KvmIoApic implements Device, IoApic {
  readonly #irqchip: KernelIrqchip;
  readonly #state: IoApicState;
  readonly #pins: readonly IrqLine[];

  constructor(irqchip: KernelIrqchip, name: string, arena: StateArena) {
    this.#irqchip = irqchip;
    this.#state = arena.attach(name, IOAPIC_STATE);
    this.#pins = Array.from({ length: IOAPIC_PINS }, (_, pin) => irqLine((level) => this.#setPin(pin, level)));
  }

  pin(index: number): IrqLine {
    return this.#pins[index];
  }

  #setPin(pin: number, level: boolean): void {
    const bit = 1 << pin;
    if (((this.#state.levels & bit) !== 0) === level) return;
    this.#state.levels ^= bit;
    this.#irqchip.setPin(pin, level);
  }

  describe(): string {
    this.saving();
    return describeIoApic(this.#state);
  }

  reset(): void {
    const state = this.#state;
    for (const pin of this.#pins) pin.set(false);
    state.id = state.ioregsel = 0;
    state.low.fill(IOAPIC_ENTRY.MASKED);
    state.high.fill(0);
    this.loaded();
  }

  saving(): void {
    decodeIoApic(this.#irqchip.readChip(IRQCHIP.IOAPIC), this.#state);
  }

  loaded(): void {
    const chip = this.#irqchip.readChip(IRQCHIP.IOAPIC);
    encodeIoApic(this.#state, chip);
    this.#irqchip.writeChip(chip);
  }
}
