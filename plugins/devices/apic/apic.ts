/**
 * The local APIC: Intel SDM volume 3, chapter 12, in xAPIC and x2APIC mode.
 *
 * Invariants:
 *  1. INTR to the CPU is asserted exactly while `acknowledge` would return a vector: after every change of a register
 *     that decides about it, `#update` runs.
 *  2. Vectors 0 to 15 never enter IRR.
 */

import type { LocalApic as LocalApicChip } from "../../../core/board.ts";
import {
  APIC_BROADCAST,
  type ApicAgent,
  type ApicBus,
  DELIVERY_EXTINT,
  DELIVERY_FIXED,
  DELIVERY_INIT,
  DELIVERY_LOWEST,
  DELIVERY_NMI,
  DELIVERY_SMI,
  DELIVERY_STARTUP,
  type InterruptMessage,
} from "../../../core/bus/apic-bus.ts";
import { APIC_STATE, type ApicState, describeLocalApic, processorPriority } from "../../../core/chips/apic.ts";
import { hasVector, highestVector, setVector } from "../../../core/chips/vectors.ts";
import type { Clock } from "../../../core/clock.ts";
import type { CpuPins, InterruptSource, LocalApicPort } from "../../../core/cpu.ts";
import type { Device } from "../../../core/device.ts";
import { type IrqLine, irqLine } from "../../../core/irq.ts";
import type { StateArena } from "../../../core/state/state.ts";
import { ApicTimer, timerMode } from "./apic-timer.ts";
import * as R from "./regs.ts";

export interface LocalApicOptions {
  readonly name: string;
  readonly arena: StateArena;
  readonly clock: Clock;
  readonly bus: ApicBus;
  /** APIC ID, below 255. ID 0 is the bootstrap processor. */
  readonly id: number;
  /** Whether the CPU model has x2APIC mode. */
  readonly x2apic?: boolean;
  /** Bits of a physical address, for the check of IA32_APIC_BASE (default 40). */
  readonly addressBits?: number;
  /** The clock's time at which the TSC reaches a value; absent means there is no TSC deadline mode. */
  readonly tscToNs?: (tsc: bigint) => number;
}

const NO_PINS: CpuPins = { setIntr() {}, nmi() {}, smi() {}, init() {}, sipi() {}, setA20() {} };

export class LocalApic implements Device, LocalApicChip, LocalApicPort, ApicAgent {
  readonly port = this;
  readonly id: number;
  /** The local interrupt pins. LINT0 carries the 8259's INTR, LINT1 carries NMI. */
  readonly lint: readonly [IrqLine, IrqLine];
  readonly #options: LocalApicOptions;
  readonly #state: ApicState;
  readonly #timer: ApicTimer;
  readonly #bus: ApicBus;
  #cpu: CpuPins = NO_PINS;
  #pic: InterruptSource = { acknowledge: () => -1 };

  constructor(options: LocalApicOptions) {
    this.#options = options;
    this.id = options.id;
    this.#bus = options.bus;
    this.#state = options.arena.attach(options.name, APIC_STATE);
    this.#timer = new ApicTimer(
      { ...options, name: `${options.name}/timer` },
      () => timerMode(this.#state.lvt[R.LVT_TIMER]),
      () => this.#local(R.LVT_TIMER),
    );
    this.lint = [irqLine((level) => this.#setLint(0, level)), irqLine((level) => this.#setLint(1, level))];
    options.bus.add(this);
  }

  /** Connects the CPU, and the 8259 pair that answers for external interrupts. */
  connect(cpu: CpuPins, pic: InterruptSource): void {
    this.#cpu = cpu;
    this.#pic = pic;
    this.#update(true);
  }

  reset(): void {
    this.#state.lint.fill(0);
    this.#resetBase();
    this.#resetRegisters();
  }

  loaded(): void {
    this.#timer.loaded();
    this.#update(true);
  }

  // The CPU's side.

  get base(): number {
    return this.#state.base;
  }

  setBase(value: number): boolean {
    const { addressBits = 40, x2apic } = this.#options;
    const low = value % 4096;
    const allowed = R.BASE_BSP | R.BASE_ENABLE | (x2apic ? R.BASE_EXTD : 0);
    if (value >= 2 ** addressBits || (low & ~allowed) !== 0) return false;
    const mode = low & (R.BASE_ENABLE | R.BASE_EXTD);
    const before = this.#state.base & (R.BASE_ENABLE | R.BASE_EXTD);
    if (mode === R.BASE_EXTD) return false;
    if (mode !== before) {
      if (before === (R.BASE_ENABLE | R.BASE_EXTD) && mode === R.BASE_ENABLE) return false;
      if (before === 0 && mode === (R.BASE_ENABLE | R.BASE_EXTD)) return false;
    }
    // DEVIATION: the registers stay at FEE00000h, wherever the base address points.
    this.#state.base = value;
    if (before !== 0 && mode === 0) this.#resetRegisters();
    this.#update();
    return true;
  }

  get tpr(): number {
    return this.#state.tpr >> 4;
  }

  set tpr(value: number) {
    this.#state.tpr = (value & 0xf) << 4;
    this.#update();
  }

  acknowledge(): number {
    const state = this.#state;
    const vector = this.#deliverable();
    if (vector >= 0) {
      setVector(state.irr, vector, false);
      setVector(state.isr, vector, true);
      this.#update();
      return vector;
    }
    if (!state.extInt && !this.#extIntOnLint0()) return -1;
    state.extInt = false;
    const external = this.#pic.acknowledge();
    this.#update();
    return external;
  }

  readMsr(index: number): { lo: number; hi: number } | undefined {
    const offset = index << 4;
    if (!this.#x2 || !isX2Readable(offset)) return undefined;
    if (offset === R.APIC_ICR_LOW) return { lo: this.#state.icrLow, hi: this.#state.icrHigh };
    return { lo: this.#read(offset), hi: 0 };
  }

  writeMsr(index: number, lo: number, hi: number): boolean {
    const offset = index << 4;
    if (!this.#x2) return false;
    if (offset === R.APIC_ICR_LOW) {
      if (lo & ~R.ICR_WRITABLE) return false;
      this.#state.icrHigh = hi;
      this.#write(offset, lo);
      return true;
    }
    const writable = x2Writable(offset);
    if (writable === undefined || hi !== 0 || (lo & ~writable) !== 0) return false;
    if (offset === R.APIC_SELF_IPI) this.#accept(lo & 0xff, false);
    else this.#write(offset, lo);
    return true;
  }

  /** IA32_TSC_DEADLINE. */
  get tscDeadline(): bigint {
    return this.#timer.tscDeadline;
  }

  set tscDeadline(value: bigint) {
    this.#timer.tscDeadline = value;
  }

  // The bus's side.

  readRegister(offset: number): number {
    if (!this.#enabled || this.#x2) return 0xffffffff;
    return (offset & 0xf) === 0 ? this.#read(offset) : 0;
  }

  writeRegister(offset: number, value: number): void {
    if (!this.#enabled || this.#x2 || (offset & 0xf) !== 0) return;
    if (offset === R.APIC_ICR_HIGH) this.#state.icrHigh = value & 0xff000000;
    else this.#write(offset, value);
  }

  isDestination({ destination, logical }: InterruptMessage): boolean {
    if (!this.#enabled) return false;
    if (destination === APIC_BROADCAST) return true;
    if (!logical) return destination === (this.#x2 ? this.id : this.#state.id);
    if (this.#x2) {
      const ldr = this.#x2Ldr;
      return destination >>> 16 === ldr >>> 16 && (destination & ldr & 0xffff) !== 0;
    }
    const { ldr, dfr } = this.#state;
    if (dfr >> 4 === 0xf) return (destination & ldr & 0xff) !== 0;
    const cluster = (destination >> 4) & 0xf;
    return (cluster === 0xf || cluster === ldr >> 4) && (destination & ldr & 0xf) !== 0;
  }

  get arbitrationPriority(): number {
    return this.#softwareEnabled ? this.#processorPriority : 0x100;
  }

  receive(message: InterruptMessage): void {
    switch (message.deliveryMode) {
      case DELIVERY_FIXED:
      case DELIVERY_LOWEST:
        this.#accept(message.vector, message.level);
        break;
      case DELIVERY_SMI:
        this.#cpu.smi();
        break;
      case DELIVERY_NMI:
        this.#cpu.nmi();
        break;
      case DELIVERY_INIT:
        this.#resetRegisters();
        this.#cpu.init();
        break;
      case DELIVERY_STARTUP:
        this.#cpu.sipi(message.vector);
        break;
      case DELIVERY_EXTINT:
        this.#state.extInt = true;
        this.#update();
        break;
    }
  }

  /** For `info lapic`. */
  describe(): string {
    const { divideConfig, initialCount, currentCount } = this.#timer;
    return describeLocalApic(this.id, this.#state, { divideConfig, initialCount, currentCount });
  }

  // Registers.

  #read(offset: number): number {
    const s = this.#state;
    if (offset >= R.APIC_LVT_TIMER && offset <= R.APIC_LVT_ERROR) return s.lvt[(offset - R.APIC_LVT_TIMER) >> 4];
    if (offset >= R.APIC_ISR && offset < R.APIC_ESR) {
      const set = offset < R.APIC_TMR ? s.isr : offset < R.APIC_IRR ? s.tmr : s.irr;
      return set[(offset >> 4) & 7];
    }
    switch (offset) {
      case R.APIC_ID:
        return this.#x2 ? this.id : (s.id << 24) >>> 0;
      case R.APIC_VERSION:
        return R.VERSION_VALUE;
      case R.APIC_TPR:
        return s.tpr;
      case R.APIC_APR:
      case R.APIC_PPR:
        return this.#processorPriority;
      case R.APIC_LDR:
        return this.#x2 ? this.#x2Ldr : (s.ldr << 24) >>> 0;
      case R.APIC_DFR:
        return ((s.dfr << 24) | 0x0fffffff) >>> 0;
      case R.APIC_SVR:
        return s.svr;
      case R.APIC_ESR:
        return s.esr;
      case R.APIC_ICR_LOW:
        return s.icrLow;
      case R.APIC_ICR_HIGH:
        return s.icrHigh;
      case R.APIC_INITIAL_COUNT:
        return this.#timer.initialCount;
      case R.APIC_CURRENT_COUNT:
        return this.#timer.currentCount;
      case R.APIC_DIVIDE:
        return this.#timer.divideConfig;
      case R.APIC_EOI:
        return 0;
      default:
        this.#error(R.ESR_ILLEGAL_REGISTER);
        return 0;
    }
  }

  #write(offset: number, value: number): void {
    const s = this.#state;
    if (offset >= R.APIC_LVT_TIMER && offset <= R.APIC_LVT_ERROR) {
      this.#writeLvt((offset - R.APIC_LVT_TIMER) >> 4, value);
      return;
    }
    switch (offset) {
      case R.APIC_ID:
        s.id = value >>> 24;
        break;
      case R.APIC_TPR:
        s.tpr = value;
        this.#update();
        break;
      case R.APIC_EOI:
        this.#endOfInterrupt();
        break;
      case R.APIC_LDR:
        s.ldr = value >>> 24;
        break;
      case R.APIC_DFR:
        s.dfr = (value >>> 24) | 0x0f;
        break;
      case R.APIC_SVR:
        s.svr = value & 0x1ff;
        if (!this.#softwareEnabled) for (let i = 0; i < R.LVT_COUNT; i++) s.lvt[i] |= R.LVT_MASKED;
        this.#update();
        break;
      case R.APIC_ESR:
        s.esr = s.errors;
        s.errors = 0;
        break;
      case R.APIC_ICR_LOW:
        s.icrLow = value & R.ICR_WRITABLE;
        this.#sendIpi();
        break;
      case R.APIC_INITIAL_COUNT:
        this.#timer.load(value);
        break;
      case R.APIC_DIVIDE:
        this.#timer.divideConfig = value;
        break;
      case R.APIC_VERSION:
      case R.APIC_APR:
      case R.APIC_PPR:
      case R.APIC_CURRENT_COUNT:
        break;
      default:
        if (offset < R.APIC_ISR || offset >= R.APIC_ESR) this.#error(R.ESR_ILLEGAL_REGISTER);
    }
  }

  #writeLvt(index: number, value: number): void {
    const { lvt } = this.#state;
    const before = lvt[index];
    let after = value & R.LVT_WRITABLE[index];
    if (index === R.LVT_TIMER && timerMode(after) >= R.LVT_TIMER_TSC_DEADLINE && !this.#options.tscToNs) {
      after &= ~R.LVT_TIMER_TSC_DEADLINE;
    }
    if (after & R.LVT_LEVEL) after |= before & R.LVT_REMOTE_IRR;
    if (!this.#softwareEnabled) after |= R.LVT_MASKED;
    lvt[index] = after;
    if (index === R.LVT_TIMER) this.#timer.modeChanged(timerMode(before));
    this.#update();
  }

  #sendIpi(): void {
    const { icrLow, icrHigh } = this.#state;
    const deliveryMode = (icrLow >> 8) & 7;
    const level = (icrLow & R.ICR_LEVEL) !== 0;
    // INIT level de-assert only sets arbitration IDs, which nothing depends on.
    if (deliveryMode === DELIVERY_INIT && level && (icrLow & R.ICR_ASSERT) === 0) return;
    const vector = icrLow & 0xff;
    if (vector < 16 && (deliveryMode === DELIVERY_FIXED || deliveryMode === DELIVERY_LOWEST)) {
      this.#error(R.ESR_SEND_ILLEGAL_VECTOR);
      return;
    }
    const shorthand = (icrLow >> 18) & 3;
    const wide = this.#x2 ? icrHigh : icrHigh >>> 24;
    const logical = (icrLow & R.ICR_LOGICAL) !== 0;
    const everybody = !this.#x2 && !logical && wide === 0xff;
    const message: InterruptMessage = {
      destination: shorthand !== 0 || everybody ? APIC_BROADCAST : wide,
      logical: shorthand === 0 && logical,
      deliveryMode,
      vector,
      level: false,
    };
    if (shorthand === 1) this.receive(message);
    else this.#bus.deliver(message, shorthand === 3 ? this : undefined);
  }

  #endOfInterrupt(): void {
    const { isr, tmr, lvt } = this.#state;
    const vector = highestVector(isr);
    if (vector < 0) return;
    setVector(isr, vector, false);
    if (hasVector(tmr, vector)) {
      for (const index of [R.LVT_LINT0, R.LVT_LINT1]) {
        if ((lvt[index] & 0xff) !== vector || (lvt[index] & R.LVT_REMOTE_IRR) === 0) continue;
        lvt[index] &= ~R.LVT_REMOTE_IRR;
        if (this.#state.lint[index - R.LVT_LINT0]) this.#lintActive(index);
      }
      this.#bus.eoi(vector);
    }
    this.#update();
  }

  // Interrupts.

  /** Puts a vector into IRR. */
  #accept(vector: number, level: boolean): void {
    if (vector < 16) {
      this.#error(R.ESR_RECEIVE_ILLEGAL_VECTOR);
      return;
    }
    if (!this.#softwareEnabled) return;
    setVector(this.#state.irr, vector, true);
    setVector(this.#state.tmr, vector, level);
    this.#update();
  }

  #setLint(pin: 0 | 1, level: boolean): void {
    const { lint, lvt } = this.#state;
    const rises = level && lint[pin] === 0;
    lint[pin] = level ? 1 : 0;
    const index = R.LVT_LINT0 + pin;
    if (!this.#enabled) {
      // Without the APIC the pins are INTR and NMI.
      if (pin === 1 && rises) this.#cpu.nmi();
    } else if (rises && ((lvt[index] >> 8) & 7) !== DELIVERY_EXTINT) {
      this.#lintActive(index);
    }
    this.#update();
  }

  #lintActive(index: number): void {
    const { lvt } = this.#state;
    const entry = lvt[index];
    const level = (entry & R.LVT_LEVEL) !== 0 && ((entry >> 8) & 7) === DELIVERY_FIXED;
    if (level && (entry & R.LVT_MASKED) === 0) {
      if (entry & R.LVT_REMOTE_IRR) return;
      lvt[index] |= R.LVT_REMOTE_IRR;
    }
    this.#local(index, level);
  }

  /** An event of the local vector table. */
  #local(index: number, level = false): void {
    const entry = this.#state.lvt[index];
    if (entry & R.LVT_MASKED) return;
    const mode = index === R.LVT_TIMER || index === R.LVT_ERROR ? DELIVERY_FIXED : (entry >> 8) & 7;
    if (mode === DELIVERY_FIXED) this.#accept(entry & 0xff, level);
    else if (mode === DELIVERY_NMI) this.#cpu.nmi();
    else if (mode === DELIVERY_SMI) this.#cpu.smi();
  }

  #error(bits: number): void {
    const before = this.#state.errors;
    this.#state.errors |= bits;
    const entry = this.#state.lvt[R.LVT_ERROR];
    // An illegal vector in the error entry itself must not recur.
    if (this.#state.errors !== before && (entry & 0xff) >= 16) this.#local(R.LVT_ERROR);
  }

  get #enabled(): boolean {
    return (this.#state.base & R.BASE_ENABLE) !== 0;
  }

  get #x2(): boolean {
    return (this.#state.base & R.BASE_EXTD) !== 0;
  }

  get #softwareEnabled(): boolean {
    return (this.#state.svr & R.SVR_ENABLE) !== 0;
  }

  get #x2Ldr(): number {
    return (((this.id & 0xffff0) << 12) | (1 << (this.id & 0xf))) >>> 0;
  }

  get #processorPriority(): number {
    return processorPriority(this.#state);
  }

  /** The vector in IRR whose class is above the processor's priority, or -1. */
  #deliverable(): number {
    const { irr } = this.#state;
    const vector = highestVector(irr);
    if (vector < 0 || !this.#enabled || !this.#softwareEnabled) return -1;
    return vector >> 4 > this.#processorPriority >> 4 ? vector : -1;
  }

  #extIntOnLint0(): boolean {
    const { lint, lvt } = this.#state;
    if (lint[0] === 0) return false;
    const entry = lvt[R.LVT_LINT0];
    return !this.#enabled || ((entry & R.LVT_MASKED) === 0 && ((entry >> 8) & 7) === DELIVERY_EXTINT);
  }

  #update(force = false): void {
    const intr = this.#state.extInt || this.#extIntOnLint0() || this.#deliverable() >= 0;
    if (intr === this.#state.intr && !force) return;
    this.#state.intr = intr;
    this.#cpu.setIntr(intr);
  }

  #resetBase(): void {
    this.#state.base = R.BASE_DEFAULT + R.BASE_ENABLE + (this.id === 0 ? R.BASE_BSP : 0);
    this.#state.id = this.id;
  }

  /** The state after INIT. */
  #resetRegisters(): void {
    const s = this.#state;
    s.tpr = s.ldr = s.esr = s.errors = 0;
    s.dfr = 0xff;
    s.svr = 0xff;
    s.icrLow = s.icrHigh = 0;
    s.lvt.fill(R.LVT_MASKED);
    // DEVIATION: the bootstrap processor starts in virtual wire mode, so that the 8259 works before firmware sets it up.
    if (this.id === 0) s.lvt[R.LVT_LINT0] = DELIVERY_EXTINT << 8;
    for (const set of [s.irr, s.isr, s.tmr]) set.fill(0);
    s.extInt = false;
    this.#timer.reset();
    this.#update(true);
  }
}

function isX2Readable(offset: number): boolean {
  if (offset >= R.APIC_ISR && offset <= R.APIC_ESR) return true;
  return (
    [R.APIC_ID, R.APIC_VERSION, R.APIC_TPR, R.APIC_PPR, R.APIC_LDR, R.APIC_SVR, R.APIC_ICR_LOW].includes(offset) ||
    (offset >= R.APIC_LVT_TIMER && offset <= R.APIC_CURRENT_COUNT) ||
    offset === R.APIC_DIVIDE
  );
}

/** Bits that a WRMSR may set, or undefined for registers that cannot be written. EOI and ESR take 0 only. */
function x2Writable(offset: number): number | undefined {
  if (offset >= R.APIC_LVT_TIMER && offset <= R.APIC_LVT_ERROR) {
    return R.LVT_WRITABLE[(offset - R.APIC_LVT_TIMER) >> 4] | R.LVT_DELIVERY_STATUS | R.LVT_REMOTE_IRR;
  }
  switch (offset) {
    case R.APIC_EOI:
    case R.APIC_ESR:
      return 0;
    case R.APIC_TPR:
    case R.APIC_SELF_IPI:
      return 0xff;
    case R.APIC_SVR:
      return 0x1ff;
    case R.APIC_INITIAL_COUNT:
      return 0xffffffff;
    case R.APIC_DIVIDE:
      return 0b1011;
    default:
      return undefined;
  }
}
