/**
 * I/O APIC, 82093AA (Intel 290566) with the EOI register of version 20h.
 *
 * Invariant: a level-triggered entry is delivered once, and again only after an end of interrupt found its pin still
 * asserted (remote IRR).
 */

import type { IoApic } from "../../../core/board.ts";
import { APIC_BROADCAST, type InterruptMessage } from "../../../core/bus/apic-bus.ts";
import type { IoRegion } from "../../../core/bus/io.ts";
import {
  describeIoApic,
  IOAPIC_ENTRY,
  IOAPIC_PINS,
  IOAPIC_STATE,
  IOAPIC_VERSION,
  type IoApicState,
} from "../../../core/chips/ioapic.ts";
import type { Device } from "../../../core/device.ts";
import { type IrqLine, irqLine } from "../../../core/irq.ts";
import type { StateArena } from "../../../core/state/state.ts";

// Memory-mapped registers.
const IOREGSEL = 0x00;
const IOWIN = 0x10;
const IOEOIR = 0x40;

// Indirect registers.
const IOAPICID = 0x00;
const IOAPICVER = 0x01;
const IOAPICARB = 0x02;
const IOREDTBL0 = 0x10;

// Redirection table entry, low half.
const { DESTMOD, REMOTE_IRR, TRIGGER_LEVEL, MASKED } = IOAPIC_ENTRY;
const READ_ONLY = (1 << 12) | REMOTE_IRR;
const WRITABLE = 0x1ffff & ~READ_ONLY;

export interface IoapicOptions {
  readonly name: string;
  readonly arena: StateArena;
  readonly deliver: (message: InterruptMessage) => void;
  /** Told what the pins lead to, when a level-triggered one changes. */
  readonly route?: (messages: readonly InterruptMessage[]) => void;
}

export class Ioapic implements Device, IoApic {
  /** 4 KiB at FEC00000h. */
  readonly io: IoRegion;
  readonly #state: IoApicState;
  readonly #deliver: (message: InterruptMessage) => void;
  readonly #route: IoapicOptions["route"];
  readonly #pins: readonly IrqLine[];

  constructor(options: IoapicOptions) {
    this.#state = options.arena.attach(options.name, IOAPIC_STATE);
    this.#deliver = options.deliver;
    this.#route = options.route;
    this.#pins = Array.from({ length: IOAPIC_PINS }, (_, pin) => irqLine((level) => this.#setPin(pin, level)));
    this.io = {
      name: "ioapic",
      length: 0x1000,
      min: 4,
      max: 4,
      handler: {
        read: (offset) => {
          if (offset === IOREGSEL) return this.#state.ioregsel;
          return offset === IOWIN ? this.#readIndirect(this.#state.ioregsel) : 0;
        },
        write: (offset, value) => {
          if (offset === IOREGSEL) this.#state.ioregsel = value;
          else if (offset === IOWIN) this.#writeIndirect(this.#state.ioregsel, value);
          else if (offset === IOEOIR) this.eoi(value & 0xff);
        },
      },
    };
  }

  reset(): void {
    const state = this.#state;
    state.id = state.ioregsel = state.levels = 0;
    state.low.fill(MASKED);
    state.high.fill(0);
    this.#tellRoutes();
  }

  loaded(): void {
    this.#tellRoutes();
  }

  /** Interrupt input 0 to 23. */
  pin(index: number): IrqLine {
    return this.#pins[index];
  }

  /** A local APIC finished serving a level-triggered vector. */
  eoi(vector: number): void {
    const { low } = this.#state;
    for (let pin = 0; pin < IOAPIC_PINS; pin++) {
      if ((low[pin] & 0xff) !== vector || (low[pin] & REMOTE_IRR) === 0) continue;
      low[pin] &= ~REMOTE_IRR;
      this.#service(pin);
    }
  }

  /** For `info pic`. */
  describe(): string {
    return describeIoApic(this.#state);
  }

  #setPin(pin: number, level: boolean): void {
    const state = this.#state;
    const bit = 1 << pin;
    const rises = level && (state.levels & bit) === 0;
    state.levels = level ? state.levels | bit : state.levels & ~bit;
    // An edge on a masked pin is lost (section 3.4.2); a level is found again when the pin is unmasked.
    if (rises) this.#service(pin);
  }

  #service(pin: number): void {
    const state = this.#state;
    const entry = state.low[pin];
    if (entry & MASKED) return;
    const level = (entry & TRIGGER_LEVEL) !== 0;
    if (level) {
      if ((state.levels & (1 << pin)) === 0 || entry & REMOTE_IRR) return;
      state.low[pin] |= REMOTE_IRR;
    }
    this.#deliver(this.#message(pin));
  }

  /** What the entry of a pin says. */
  #message(pin: number): InterruptMessage {
    const { low, high } = this.#state;
    const entry = low[pin];
    const logical = (entry & DESTMOD) !== 0;
    const destination = high[pin] >>> 24;
    return {
      destination: !logical && destination === 0xff ? APIC_BROADCAST : destination,
      logical,
      deliveryMode: (entry >> 8) & 7,
      vector: entry & 0xff,
      level: (entry & TRIGGER_LEVEL) !== 0,
    };
  }

  #readIndirect(index: number): number {
    const { id, low, high } = this.#state;
    if (index === IOAPICID || index === IOAPICARB) return id << 24;
    if (index === IOAPICVER) return ((IOAPIC_PINS - 1) << 16) | IOAPIC_VERSION;
    const pin = (index - IOREDTBL0) >> 1;
    if (pin < 0 || pin >= IOAPIC_PINS) return 0;
    return index & 1 ? high[pin] : low[pin];
  }

  #writeIndirect(index: number, value: number): void {
    const { low, high } = this.#state;
    if (index === IOAPICID) this.#state.id = (value >>> 24) & 0xf;
    const pin = (index - IOREDTBL0) >> 1;
    if (index < IOREDTBL0 || pin >= IOAPIC_PINS) return;
    if (index & 1) {
      high[pin] = value;
      if (low[pin] & TRIGGER_LEVEL) this.#tellRoutes();
      return;
    }
    const before = low[pin];
    const entry = (value & WRITABLE) | (before & READ_ONLY);
    // Changing to edge and back is how a stuck remote IRR is cleared.
    low[pin] = entry & TRIGGER_LEVEL ? entry : entry & ~REMOTE_IRR;
    if (((before ^ entry) & WRITABLE & ~MASKED) !== 0 && (before | entry) & TRIGGER_LEVEL) this.#tellRoutes();
    if (entry & TRIGGER_LEVEL) this.#service(pin);
  }

  #tellRoutes(): void {
    this.#route?.(this.#pins.map((_, pin) => this.#message(pin)));
  }
}
