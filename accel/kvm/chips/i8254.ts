/**
 * The 8254 in the kernel. Counter 0 interrupts by itself; port 61h is the machine's, and sets the gate of counter 2.
 *
 * Invariant: its registers are in the kernel only; the arena has them while it is saved.
 *
 * DEVIATION: the kernel does not tell how far counter 0 has come, and starts all counters anew when one of them is set
 * from outside: a period that was under way at a load, at a stop or at a change of the gate begins again.
 */

import type { IntervalTimer, TimerChannel } from "../../../core/board.ts";
import { type CounterState, I8254_STATE, ticksAt } from "../../../core/chips/i8254.ts";
import type { Clock } from "../../../core/clock.ts";
import type { Device } from "../../../core/device.ts";
import { type IrqLine, irqLine } from "../../../core/irq.ts";
import type { State, StateArena } from "../../../core/state/state.ts";
import { PIT_CHANNEL, PIT_FLAGS, PIT_FLAGS_HPET_LEGACY, SIZES } from "../abi.ts";
import type { KernelIrqchip } from "../irqchip.ts";

const COUNTERS = 3;
const SPEAKER = 2;
const RW_BOTH = 3;
/** What the kernel calls the second byte of two. */
const SECOND_BYTE = 4;
const LONGEST = 0x10000;
const POWER_ON_MODE = 3;
const LAST_MODE = 5;

const isPeriodic = (mode: number): boolean => mode === 2 || mode === 3;
const at = (counter: number, field: keyof typeof PIT_CHANNEL): number =>
  counter * SIZES.kvm_pit_channel_state + PIT_CHANNEL[field];

/** Ticks since a counter of struct kvm_pit_state2 was loaded; the kernel's clock is the host's monotonic one. */
function age(pit: DataView, counter: number): number {
  const loaded = pit.getBigInt64(at(counter, "count_load_time"), true);
  return loaded === 0n ? 0 : Math.max(0, ticksAt(Number(process.hrtime.bigint() - loaded)));
}

/** The OUT pin of a counter (Intel 231164, "Mode Definitions"). */
export function counterOutput(mode: number, count: number, ticks: number): boolean {
  switch (mode) {
    case 2:
      return ticks % count !== count - 1;
    case 3:
      return ticks % count < Math.ceil(count / 2);
    case 4:
    case 5:
      return ticks !== count;
    default:
      return ticks >= count;
  }
}

/** A counter as struct kvm_pit_channel_state; the kernel finds its age itself. */
export function encodeCounter(s: Omit<CounterState, "start">, counter: number, pit: DataView): void {
  const byte = (name: keyof typeof PIT_CHANNEL, value: number | boolean): void =>
    pit.setUint8(at(counter, name), Number(value));
  const state = (second: boolean): number => (s.rw === RW_BOTH && second ? SECOND_BYTE : s.rw);
  pit.setUint32(at(counter, "count"), s.reload, true);
  pit.setUint16(at(counter, "latched_count"), s.countLatch, true);
  byte("count_latched", s.countLatched === 1 && s.rw === RW_BOTH ? 2 : s.countLatched === 0 ? 0 : s.rw);
  byte("status_latched", s.statusLatched);
  byte("status", s.statusLatch);
  byte("read_state", state(s.readHigh));
  byte("write_state", state(s.writeHigh));
  byte("write_latch", s.low);
  byte("rw_mode", s.rw);
  byte("mode", s.mode);
  byte("bcd", s.bcd);
  byte("gate", s.gate);
}

/** The reverse, at tick `now`. */
export function decodeCounter(pit: DataView, counter: number, s: CounterState, now: number): void {
  const byte = (name: keyof typeof PIT_CHANNEL): number => pit.getUint8(at(counter, name));
  const ticks = age(pit, counter);
  const mode = byte("mode");
  const latched = byte("count_latched");
  s.mode = mode > LAST_MODE ? 0 : mode;
  s.bcd = byte("bcd") !== 0;
  s.rw = byte("rw_mode") || RW_BOTH;
  s.gate = byte("gate") !== 0;
  s.low = byte("write_latch");
  s.writeHigh = byte("write_state") === SECOND_BYTE;
  s.readHigh = byte("read_state") === SECOND_BYTE;
  s.reload = pit.getUint32(at(counter, "count"), true) || LONGEST;
  s.armed = s.counting = mode <= LAST_MODE;
  s.start = now - ticks;
  s.period = s.reload;
  s.paused = s.gate ? 0 : ticks;
  s.switchAt = 0;
  s.held = 0;
  s.heldOut = s.mode !== 0;
  s.nullUntil = s.start;
  s.countLatch = pit.getUint16(at(counter, "latched_count"), true);
  s.countLatched = latched === 0 ? 0 : latched === RW_BOTH ? 2 : 1;
  s.statusLatch = byte("status");
  s.statusLatched = byte("status_latched") !== 0;
}

export interface KvmI8254Options {
  readonly irqchip: KernelIrqchip;
  readonly name: string;
  readonly arena: StateArena;
  readonly clock: Clock;
  /** Ticks that the guest missed are made up for. */
  readonly reinjection: boolean;
}

export class KvmI8254 implements Device, IntervalTimer {
  readonly hpetLegacy: IrqLine;
  readonly #irqchip: KernelIrqchip;
  readonly #clock: Clock;
  readonly #reinjection: boolean;
  readonly #state: State<typeof I8254_STATE>;

  constructor({ irqchip, name, arena, clock, reinjection }: KvmI8254Options) {
    this.#irqchip = irqchip;
    this.#clock = clock;
    this.#reinjection = reinjection;
    this.#state = arena.attach(name, I8254_STATE);
    this.hpetLegacy = irqLine((on) => this.#setHpetLegacy(on));
  }

  channel(index: number): TimerChannel {
    const irqchip = this.#irqchip;
    return {
      get out() {
        const pit = irqchip.readPit();
        const count = pit.getUint32(at(index, "count"), true) || LONGEST;
        return counterOutput(pit.getUint8(at(index, "mode")), count, age(pit, index));
      },
      setGate(level) {
        const pit = irqchip.readPit();
        if ((pit.getUint8(at(index, "gate")) !== 0) === level) return;
        pit.setUint8(at(index, "gate"), level ? 1 : 0);
        irqchip.writePit(pit);
      },
    };
  }

  reset(): void {
    this.#irqchip.setReinjection(this.#reinjection);
    const pit = this.#irqchip.readPit();
    for (let counter = 0; counter < COUNTERS; counter++) {
      const start = at(counter, "count");
      new Uint8Array(pit.buffer, start, SIZES.kvm_pit_channel_state).fill(0);
      pit.setUint32(at(counter, "count"), LONGEST, true);
      for (const name of ["rw_mode", "read_state", "write_state"] as const) pit.setUint8(at(counter, name), RW_BOTH);
      pit.setUint8(at(counter, "mode"), POWER_ON_MODE);
      pit.setUint8(at(counter, "gate"), counter === SPEAKER ? 0 : 1);
    }
    this.#irqchip.writePit(pit);
  }

  saving(): void {
    const pit = this.#irqchip.readPit();
    const now = ticksAt(this.#clock.now());
    for (const [i, counter] of this.#state.counter.entries()) decodeCounter(pit, i, counter, now);
    const [{ mode, start, period }] = this.#state.counter;
    this.#state.edge = isPeriodic(mode) || start + period > now ? start + period : 0;
  }

  loaded(): void {
    const pit = this.#irqchip.readPit();
    for (const [i, counter] of this.#state.counter.entries()) encodeCounter(counter, i, pit);
    this.#irqchip.writePit(pit);
  }

  #setHpetLegacy(on: boolean): void {
    const pit = this.#irqchip.readPit();
    const flags = pit.getUint32(PIT_FLAGS, true);
    const next = on ? flags | PIT_FLAGS_HPET_LEGACY : flags & ~PIT_FLAGS_HPET_LEGACY;
    if (next === flags) return;
    pit.setUint32(PIT_FLAGS, next, true);
    this.#irqchip.writePit(pit);
  }
}
