/**
 * The interrupt message bus between local APICs, I/O APICs and message-signalled interrupts (Intel SDM volume 3, chapter
 * 12). A message finds its targets here; what a target does with it is the local APIC's business.
 */

import type { IoRegion } from "./io.ts";

// Delivery modes.
export const DELIVERY_FIXED = 0b000;
export const DELIVERY_LOWEST = 0b001;
export const DELIVERY_SMI = 0b010;
export const DELIVERY_NMI = 0b100;
export const DELIVERY_INIT = 0b101;
export const DELIVERY_STARTUP = 0b110;
export const DELIVERY_EXTINT = 0b111;

/** Every local APIC. */
export const APIC_BROADCAST = 0xffff_ffff;

export interface InterruptMessage {
  /** Physical APIC ID, or a logical destination. */
  readonly destination: number;
  readonly logical: boolean;
  readonly deliveryMode: number;
  readonly vector: number;
  /** Level triggered: the end of interrupt is told to the I/O APICs. */
  readonly level: boolean;
}

/** A local APIC as the bus sees it. */
export interface ApicAgent {
  /** Whether the message's destination field means this APIC. */
  isDestination(message: InterruptMessage): boolean;
  /** The lower, the rather it gets a lowest-priority message. */
  readonly arbitrationPriority: number;
  receive(message: InterruptMessage): void;
  /** Registers in its 4 KiB page, 32 bits wide, at multiples of 16. */
  readRegister(offset: number): number;
  writeRegister(offset: number, value: number): void;
}

/** Told of the messages that the inputs of an I/O APIC lead to, when a level-triggered one changes. */
export type RouteListener = (messages: readonly InterruptMessage[]) => void;

export class ApicBus {
  /** Index of the local APIC whose CPU is running: the one its memory-mapped registers belong to. */
  current = 0;
  /** 1 MiB at FEE00000h: the running CPU's local APIC, and the target of message-signalled interrupts. */
  readonly io: IoRegion;
  readonly #agents: ApicAgent[] = [];
  readonly #eoiListeners: ((vector: number) => void)[] = [];
  readonly #routeListeners: RouteListener[] = [];

  constructor() {
    this.io = {
      name: "apic-msi",
      length: 0x10_0000,
      min: 4,
      max: 4,
      handler: {
        read: (offset) => (offset < 0x1000 ? (this.#agents[this.current]?.readRegister(offset) ?? 0) : 0xffffffff),
        write: (offset, value) => {
          // No register lies in the first 16 bytes: they are where messages for APIC 0 go.
          if (offset < 0x10 || offset >= 0x1000) this.deliver(msiMessage(0xfee00000 + offset, value));
          else this.#agents[this.current]?.writeRegister(offset, value);
        },
      },
    };
  }

  /** Adds a local APIC; the order is that of the CPUs. */
  add(agent: ApicAgent): void {
    this.#agents.push(agent);
  }

  /** Called for every end of interrupt of a level-triggered vector. */
  onEoi(listener: (vector: number) => void): void {
    this.#eoiListeners.push(listener);
  }

  /** Sends to the message's destination, but for `except`. True when a target was found. */
  deliver(message: InterruptMessage, except?: ApicAgent): boolean {
    let best: ApicAgent | undefined;
    let found = false;
    for (const agent of this.#agents) {
      if (agent === except || !agent.isDestination(message)) continue;
      found = true;
      if (message.deliveryMode !== DELIVERY_LOWEST) agent.receive(message);
      else if (!best || agent.arbitrationPriority < best.arbitrationPriority) best = agent;
    }
    best?.receive(message);
    return found;
  }

  eoi(vector: number): void {
    for (const listener of this.#eoiListeners) listener(vector);
  }

  /** For local APICs that have to know which vectors' ends somebody waits for. */
  onRoute(listener: RouteListener): void {
    this.#routeListeners.push(listener);
  }

  route(messages: readonly InterruptMessage[]): void {
    for (const listener of this.#routeListeners) listener(messages);
  }
}

/** The message that a write of `data` to `address` means (SDM volume 3, section 12.11). */
export function msiMessage(address: number, data: number): InterruptMessage {
  const logical = (address & 0b100) !== 0;
  const destination = (address >>> 12) & 0xff;
  return {
    destination: !logical && destination === 0xff ? APIC_BROADCAST : destination,
    logical,
    deliveryMode: (data >>> 8) & 7,
    vector: data & 0xff,
    level: (data & 0x8000) !== 0,
  };
}
