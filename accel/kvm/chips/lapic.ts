/**
 * The registers of a local APIC in the kernel (struct kvm_lapic_state: its page of registers), in the saved form of ours.
 *
 * DEVIATION: the kernel has no error status of its own, and interrupts by the LINT pins only from its own 8259 pair.
 */

import type { ApicState, ApicTimerState } from "../../../core/chips/apic.ts";

// Intel SDM volume 3, section 12.4, as byte offsets in the page.
const ID = 0x020;
const VERSION = 0x030;
const TPR = 0x080;
const LDR = 0x0d0;
const DFR = 0x0e0;
const SVR = 0x0f0;
const ISR = 0x100;
const TMR = 0x180;
const IRR = 0x200;
const ESR = 0x280;
const ICR_LOW = 0x300;
const ICR_HIGH = 0x310;
const LVT_TIMER = 0x320;
const INITIAL_COUNT = 0x380;
const CURRENT_COUNT = 0x390;
const DIVIDE = 0x3e0;
const STRIDE = 16;
const VERSION_VALUE = 0x0005_0014;
const BASE_EXTD = 1 << 10;
const TIMER_MODE = 0b11 << 17;
const TIMER_PERIODIC = 0b01 << 17;

const SETS = [
  ["isr", ISR],
  ["tmr", TMR],
  ["irr", IRR],
] as const;

/** Bus clocks of 1 ns for each count, by the divide configuration register. */
const divisorOf = (divide: number): number => 1 << (((((divide >> 1) & 4) | (divide & 3)) + 1) & 7);

/** The page for a local APIC at time `now` (ns); `id` is its APIC ID. */
export function encodeLocalApic(id: number, s: ApicState, timer: ApicTimerState, now: number): DataView<ArrayBuffer> {
  const page = new DataView(new ArrayBuffer(1024));
  const set = (at: number, value: number): void => page.setUint32(at, value, true);
  const x2 = (s.base & BASE_EXTD) !== 0;
  set(ID, (x2 ? id : s.id) << 24);
  set(VERSION, VERSION_VALUE);
  set(TPR, s.tpr);
  set(LDR, x2 ? ((id & 0xffff0) << 12) | (1 << (id & 0xf)) : s.ldr << 24);
  set(DFR, (s.dfr << 24) | 0x0fffffff);
  set(SVR, s.svr);
  set(ESR, s.esr);
  set(ICR_LOW, s.icrLow);
  set(ICR_HIGH, s.icrHigh);
  for (const [name, at] of SETS) for (let i = 0; i < 8; i++) set(at + i * STRIDE, s[name][i]);
  for (let i = 0; i < s.lvt.length; i++) set(LVT_TIMER + i * STRIDE, s.lvt[i]);
  set(DIVIDE, timer.divideConfig);
  const left = Math.ceil((timer.deadline - now) / divisorOf(timer.divideConfig));
  const counting = timer.initialCount !== 0 && timer.deadline !== 0;
  // A count that has run out would interrupt again.
  set(INITIAL_COUNT, counting ? timer.initialCount : 0);
  set(CURRENT_COUNT, counting ? Math.min(Math.max(left, 1), timer.initialCount) : 0);
  return page;
}

/** The reverse, but for IA32_APIC_BASE and IA32_TSC_DEADLINE. Returns the current count. */
export function decodeLocalApic(page: DataView, s: ApicState, timer: ApicTimerState, now: number): number {
  const get = (at: number): number => page.getUint32(at, true);
  s.id = get(ID) >>> 24;
  s.tpr = get(TPR) & 0xff;
  s.ldr = get(LDR) >>> 24;
  s.dfr = (get(DFR) >>> 24) | 0x0f;
  s.svr = get(SVR);
  s.esr = get(ESR) & 0xff;
  s.errors = 0;
  s.icrLow = get(ICR_LOW);
  s.icrHigh = get(ICR_HIGH);
  for (const [name, at] of SETS) for (let i = 0; i < 8; i++) s[name][i] = get(at + i * STRIDE);
  for (let i = 0; i < s.lvt.length; i++) s.lvt[i] = get(LVT_TIMER + i * STRIDE);
  s.lint.fill(0);
  s.extInt = false;
  timer.divideConfig = get(DIVIDE) & 0b1011;
  const initial = get(INITIAL_COUNT);
  const current = get(CURRENT_COUNT);
  const divisor = divisorOf(timer.divideConfig);
  timer.initialCount = initial;
  timer.loadedAt = now - (initial - current) * divisor;
  const periodic = (s.lvt[0] & TIMER_MODE) === TIMER_PERIODIC;
  const running = initial !== 0 && (periodic || current !== 0);
  timer.deadline = running ? now + current * divisor : 0;
  return current;
}
