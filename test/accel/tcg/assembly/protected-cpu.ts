/** A CPU in flat 32-bit protected or 64-bit mode with a GDT, an IDT and a TSS, for tests of privileged helpers. */

import { TestCpu } from "./cpu-harness.ts";

export const GDT = 0x1000;
export const IDT = 0x2000;
export const TSS = 0x3000;
export const STACK0 = 0x9000;

export const CODE0 = 0x08;
export const DATA0 = 0x10;
export const CODE3 = 0x1b;
export const DATA3 = 0x23;
export const TR = 0x28;
export const CODE64 = 0x38;
export const FREE = 0x40;

/** A descriptor from base, limit and the attribute bits of the high word. */
export function descriptor(base: number, limit: number, attr: number): bigint {
  const high = ((base >>> 24) << 24) | (attr & 0x00f0ff00) | (limit & 0xf0000) | ((base >>> 16) & 0xff);
  return (BigInt(high >>> 0) << 32n) | BigInt((((base & 0xffff) << 16) | (limit & 0xffff)) >>> 0);
}

/** An interrupt, trap, call or task gate. */
export function gate(selector: number, offset: number, type: number, dpl = 0, low = 0): bigint {
  const high = ((offset & 0xffff0000) | 0x8000 | (dpl << 13) | (type << 8) | low) >>> 0;
  return (BigInt(high) << 32n) | BigInt(((selector << 16) | (offset & 0xffff)) >>> 0);
}

/** Flat segments at `cpl`, 32-bit code. */
export function protectedMode(cpu: TestCpu, cpl = 0): void {
  cpu.reset();
  const { state } = cpu;
  cpu.poke64(GDT + CODE0, descriptor(0, 0xfffff, 0xc09a00));
  cpu.poke64(GDT + DATA0, descriptor(0, 0xfffff, 0xc09200));
  cpu.poke64(GDT + (CODE3 & ~7), descriptor(0, 0xfffff, 0xc0fa00));
  cpu.poke64(GDT + (DATA3 & ~7), descriptor(0, 0xfffff, 0xc0f200));
  cpu.poke64(GDT + TR, descriptor(TSS, 0x2067, 0x8b00));
  cpu.poke64(GDT + CODE64, descriptor(0, 0xfffff, 0xa09a00));
  state.gdtBase = BigInt(GDT);
  state.gdtLimit = 0xff;
  state.idtBase = BigInt(IDT);
  state.idtLimit = 0x7ff;
  state.trBase = BigInt(TSS);
  state.trLimit = 0x2067;
  state.trSelector = TR;
  cpu.poke(TSS + 4, STACK0);
  cpu.poke(TSS + 8, DATA0);
  state.cr0 = 0x11n;
  for (let i = 0; i < 6; i++) {
    state.segSelector[i] = i === 1 ? (cpl ? CODE3 : CODE0) : cpl ? DATA3 : DATA0;
    state.segLimit[i] = 0xffffffff;
    state.segAttr[i] = (i === 1 ? 0xc09b00 : 0xc09300) | (cpl << 13);
    state.segBase[i] = 0n;
  }
  state.regs[4] = 0x8000n;
  state.rip = 0x5000n;
  cpu.call("setCpl", cpl);
}

/** 64-bit mode on identity-mapped 2 MiB pages. */
export function longMode(cpu: TestCpu, cpl = 0): void {
  protectedMode(cpu, cpl);
  const { state } = cpu;
  cpu.poke64(0x100000, 0x101007n);
  cpu.poke64(0x101000, 0x102007n);
  for (let i = 0; i < 2; i++) cpu.poke64(0x102000 + i * 8, BigInt(i * 0x200000) | 0x87n);
  state.cr3 = 0x100000n;
  state.cr4 = 0x20n;
  state.efer = 0x501n;
  state.cr0 = 0x80000011n;
  state.segAttr[1] = 0xa09b00 | (cpl << 13);
  if (!cpl) state.segSelector[1] = CODE64;
  state.idtLimit = 0xfff;
  cpu.poke64(TSS + 4, BigInt(STACK0));
  cpu.call("flushTlb", 1);
  cpu.call("setCpl", cpl);
}

export { TestCpu };
