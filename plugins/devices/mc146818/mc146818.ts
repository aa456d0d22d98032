/**
 * MC146818 real-time clock with 128 bytes of CMOS memory, at ports 0x70 (index) and 0x71 (data).
 *
 * Data sheet: Motorola ADI-856 (MC146818); the century byte 0x32 as PC boards have it.
 *
 * Invariants:
 *  1. Time is a chain of ticks of 32768 Hz since `chainStart`, which a divider reset restarts: seconds are multiples of
 *     32768 ticks, periodic interrupts of their period. Nothing runs while time passes.
 *  2. While the clock ticks (divider on, SET off) the time is `epoch` + whole seconds of the chain, and the time
 *     registers are written from it when read; while it does not, the time registers themselves are the time.
 *  3. Flags are up to date to tick `synced`.
 *  4. The chain runs with the machine's clock. Where the wall clock has gone elsewhere, because the machine was stopped or
 *     saved, or because somebody set it, the time follows by whole seconds when the guest next looks.
 *
 * DEVIATION: the day of the week follows from the date, daylight saving (DSE) has no effect, and there is no square wave.
 */

import type { Cmos } from "../../../core/board.ts";
import type { IoRegion } from "../../../core/bus/io.ts";
import { type Clock, NS_PER_MS, NS_PER_SECOND, type Timer, type WallClock } from "../../../core/clock.ts";
import type { Device } from "../../../core/device.ts";
import type { IrqLine } from "../../../core/irq.ts";
import { array, bool, defineState, f64, type State, type StateArena, u8 } from "../../../core/state/state.ts";
import { loadTime, secondsToAlarm, storeTime } from "./calendar.ts";
import {
  A_DV,
  A_DV_32KHZ,
  A_RS,
  A_UIP,
  B_AIE,
  B_PIE,
  B_SET,
  B_SQWE,
  B_UIE,
  C_AF,
  C_IRQF,
  C_PF,
  C_UF,
  CENTURY,
  CENTURY_PS2,
  D_VRT,
  HOURS_ALARM,
  MINUTES_ALARM,
  REGISTER_A,
  REGISTER_B,
  REGISTER_C,
  REGISTER_D,
  SECONDS_ALARM,
  YEAR,
} from "./regs.ts";

export const MC146818_STATE = defineState(
  "mc146818rtc",
  1,
  {
    cmos: array(u8, 128),
    index: u8,
    /** Bit 7 of the index port. */
    nmiMasked: bool,
    /** The battery has been put in: set by the first reset. */
    powered: bool,
    /** Clock time (ns) of tick 0 of the chain. */
    chainStart: f64,
    /** Time (s) at tick 0 of the chain. */
    epoch: f64,
    /** The tick up to which register C was brought up to date. */
    synced: f64,
    /** What the wall clock is ahead of the machine's clock (ms), as far as the time has followed it. */
    wallLead: f64,
  },
  { unsaved: { /** The time registers hold second `shown` - 1 of the chain. */ shown: f64 } },
);

const CHAIN_HZ = 32_768;
/** UIP goes high tBUC = 244 us before an update that takes tUC = 1984 us: in ticks. */
const UPDATE_TICKS = 73;
const ENABLES = B_PIE | B_AIE | B_UIE;

export interface Mc146818Options {
  readonly name: string;
  readonly arena: StateArena;
  readonly clock: Clock;
  readonly irq: IrqLine;
  /** The time that the guest is to see, UTC or local. */
  readonly wallClock: WallClock;
  /** An enabled alarm went off. */
  readonly alarm?: () => void;
}

export class Mc146818 implements Device, Cmos {
  readonly io: IoRegion;
  readonly #s: State<typeof MC146818_STATE>;
  readonly #cmos: Uint8Array;
  readonly #clock: Clock;
  readonly #irq: IrqLine;
  readonly #timer: Timer;
  readonly #wallClock: WallClock;
  readonly #alarm: () => void;

  constructor({ name, arena, clock, irq, wallClock, alarm = () => {} }: Mc146818Options) {
    this.#s = arena.attach(name, MC146818_STATE);
    this.#cmos = this.#s.cmos;
    this.#clock = clock;
    this.#irq = irq;
    this.#wallClock = wallClock;
    this.#alarm = alarm;
    this.#timer = clock.timer(name, () => {
      this.#sync();
      this.#arm();
    });
    this.io = {
      name: "rtc",
      length: 2,
      max: 1,
      handler: {
        read: (offset) => (offset === 1 ? this.#read(this.#s.index) : 0xff),
        write: (offset, value) => {
          if (offset === 1) this.#write(this.#s.index, value);
          else this.#select(value);
        },
      },
    };
  }

  setCmos(index: number, value: number): void {
    this.#cmos[index] = value;
  }

  cmos(index: number): number {
    return this.#cmos[index];
  }

  /** RESET clears the interrupt enables and flags; memory and time live on their battery. */
  reset(): void {
    if (this.#s.powered) this.#sync();
    else this.#powerOn();
    this.#cmos[REGISTER_B] &= ~(ENABLES | B_SQWE);
    this.#cmos[REGISTER_C] = 0;
    this.#s.index = 0;
    this.#s.nmiMasked = false;
    this.#irq.set(false);
    this.#timer.cancel();
  }

  loaded(): void {
    this.#s.shown = 0;
    this.#irq.set((this.#cmos[REGISTER_C] & C_IRQF) !== 0);
    this.#arm();
  }

  #powerOn(): void {
    const s = this.#s;
    s.powered = true;
    this.#cmos[REGISTER_A] = A_DV_32KHZ | 6;
    this.#cmos[REGISTER_B] = 0x02;
    this.#cmos[REGISTER_D] = D_VRT;
    const now = this.#wallClock.nowMs();
    s.epoch = Math.floor(now / 1000);
    s.chainStart = this.#clock.now() - (now - s.epoch * 1000) * NS_PER_MS;
    s.wallLead = this.#wallLead;
    s.synced = this.#tick();
    s.shown = 0;
    this.#show();
  }

  #select(value: number): void {
    const index = value & 0x7f;
    this.#s.index = index === CENTURY_PS2 ? CENTURY : index;
    this.#s.nmiMasked = (value & 0x80) !== 0;
  }

  get #dividing(): boolean {
    return (this.#cmos[REGISTER_A] & A_DV) <= A_DV_32KHZ;
  }

  get #ticking(): boolean {
    return this.#dividing && (this.#cmos[REGISTER_B] & B_SET) === 0;
  }

  /** Ticks of the periodic interrupt, or 0. */
  get #period(): number {
    const rate = this.#cmos[REGISTER_A] & A_RS;
    if (rate === 0 || !this.#dividing) return 0;
    return 1 << ((rate <= 2 ? rate + 7 : rate) - 1);
  }

  #tick(): number {
    const ns = this.#clock.now() - this.#s.chainStart;
    const seconds = Math.floor(ns / NS_PER_SECOND);
    return seconds * CHAIN_HZ + Math.floor(((ns - seconds * NS_PER_SECOND) * CHAIN_HZ) / NS_PER_SECOND);
  }

  #timeOfTick(tick: number): number {
    const seconds = Math.floor(tick / CHAIN_HZ);
    const rest = Math.ceil(((tick - seconds * CHAIN_HZ) * NS_PER_SECOND) / CHAIN_HZ);
    return Math.ceil(this.#s.chainStart) + seconds * NS_PER_SECOND + rest;
  }

  #read(index: number): number {
    if (isTime(index)) this.#show();
    else if (index === REGISTER_A) {
      const updating = this.#ticking && this.#tick() % CHAIN_HZ >= CHAIN_HZ - UPDATE_TICKS;
      return this.#cmos[REGISTER_A] | (updating ? A_UIP : 0);
    } else if (index === REGISTER_C) {
      this.#sync();
      const flags = this.#cmos[REGISTER_C];
      this.#cmos[REGISTER_C] = 0;
      this.#irq.set(false);
      if (this.#cmos[REGISTER_B] & ENABLES) this.#arm();
      return flags;
    }
    return this.#cmos[index];
  }

  #write(index: number, value: number): void {
    const cmos = this.#cmos;
    if (index === REGISTER_C || index === REGISTER_D) return;
    if (index === REGISTER_A) this.#change(REGISTER_A, value & ~A_UIP);
    else if (index === REGISTER_B) this.#change(REGISTER_B, value & B_SET ? value & ~B_UIE : value);
    else if (isTime(index)) {
      this.#sync();
      this.#show();
      cmos[index] = value;
      if (this.#ticking) this.#startAt(loadTime(cmos));
      this.#arm();
    } else if (index === SECONDS_ALARM || index === MINUTES_ALARM || index === HOURS_ALARM) {
      this.#sync();
      cmos[index] = value;
      this.#arm();
    } else cmos[index] = value;
  }

  /** Writes register A or B: the clock may stop or start, and change its number format. */
  #change(index: typeof REGISTER_A | typeof REGISTER_B, value: number): void {
    const cmos = this.#cmos;
    this.#sync();
    this.#show();
    const { seconds } = this;
    const wasDividing = this.#dividing;
    const wasTicking = this.#ticking;
    cmos[index] = value;
    if (this.#dividing && !wasDividing) {
      // The first update comes half a second after the divider was let go.
      this.#s.chainStart = this.#clock.now() - NS_PER_SECOND / 2;
      this.#s.synced = this.#tick();
    }
    if (this.#ticking) this.#startAt(wasTicking ? seconds : loadTime(cmos));
    this.#raise();
    this.#arm();
  }

  /** The time now, while the clock ticks. */
  get seconds(): number {
    return this.#s.epoch + Math.floor(this.#tick() / CHAIN_HZ);
  }

  #startAt(seconds: number): void {
    this.#s.epoch = seconds - Math.floor(this.#tick() / CHAIN_HZ);
    this.#s.shown = 0;
  }

  get #wallLead(): number {
    return this.#wallClock.nowMs() - this.#clock.now() / NS_PER_MS;
  }

  /** Follows the wall clock where it has left the machine's. */
  #follow(): void {
    const s = this.#s;
    const seconds = Math.trunc((this.#wallLead - s.wallLead) / 1000);
    if (seconds === 0) return;
    s.wallLead += seconds * 1000;
    if (!this.#ticking) return;
    s.epoch += seconds;
    s.shown = 0;
  }

  /** Brings the time registers up to date. */
  #show(): void {
    this.#follow();
    if (!this.#ticking) return;
    const second = Math.floor(this.#tick() / CHAIN_HZ) + 1;
    if (second === this.#s.shown) return;
    this.#s.shown = second;
    storeTime(this.#cmos, this.#s.epoch + second - 1);
  }

  /** Sets the flags for what happened since the last call. */
  #sync(): void {
    const s = this.#s;
    const tick = this.#tick();
    const period = this.#period;
    let flags = 0;
    if (period > 0 && Math.floor(tick / period) > Math.floor(s.synced / period)) flags |= C_PF;
    if (this.#ticking) {
      const before = Math.floor(s.synced / CHAIN_HZ);
      const passed = Math.floor(tick / CHAIN_HZ) - before;
      if (passed > 0) {
        flags |= C_UF;
        const alarm = secondsToAlarm(this.#cmos, s.epoch + before);
        if (alarm !== undefined && alarm <= passed) flags |= C_AF;
      }
    }
    s.synced = tick;
    if (flags === 0) return;
    this.#cmos[REGISTER_C] |= flags;
    this.#raise();
    if (flags & this.#cmos[REGISTER_B] & C_AF) this.#alarm();
  }

  #raise(): void {
    if ((this.#cmos[REGISTER_C] & this.#cmos[REGISTER_B] & ENABLES) === 0) return;
    this.#cmos[REGISTER_C] |= C_IRQF;
    this.#irq.set(true);
  }

  /** Sets the timer to the first event that is enabled and not flagged yet. */
  #arm(): void {
    this.#follow();
    const { epoch } = this.#s;
    const wanted = this.#cmos[REGISTER_B] & ~this.#cmos[REGISTER_C] & ENABLES;
    const tick = this.#tick();
    const second = Math.floor(tick / CHAIN_HZ);
    let next = Number.POSITIVE_INFINITY;
    const period = this.#period;
    if (wanted & B_PIE && period > 0) next = (Math.floor(tick / period) + 1) * period;
    if (this.#ticking) {
      if (wanted & B_UIE) next = Math.min(next, (second + 1) * CHAIN_HZ);
      if (wanted & B_AIE) {
        const alarm = secondsToAlarm(this.#cmos, epoch + second);
        if (alarm !== undefined) next = Math.min(next, (second + alarm) * CHAIN_HZ);
      }
    }
    if (next === Number.POSITIVE_INFINITY) this.#timer.cancel();
    else this.#timer.arm(this.#timeOfTick(next));
  }
}

function isTime(index: number): boolean {
  if (index === SECONDS_ALARM || index === MINUTES_ALARM || index === HOURS_ALARM) return false;
  return index <= YEAR || index === CENTURY;
}
