/**
 * A machine as a boot loader leaves it, as plain data: what to write to RAM, what firmware would have programmed, and
 * the registers of the first CPU. Whoever starts a kernel without firmware carries it out after the machine's reset.
 */

import type { CpuRegisters, SegmentRegister } from "../../../core/cpu-registers.ts";

/** Bytes at a guest-physical address of RAM. */
export interface MemoryWrite {
  readonly address: number;
  readonly data: Uint8Array;
}

/** A write to configuration space of bus 0. */
export interface PciConfigWrite {
  /** Slot << 3 | function. */
  readonly devfn: number;
  readonly register: number;
  readonly value: number;
  readonly size: 1 | 2 | 4;
}

export interface PortWrite {
  readonly port: number;
  readonly value: number;
  readonly size: 1 | 2 | 4;
}

export interface BootState {
  readonly memory: readonly MemoryWrite[];
  readonly registers: CpuRegisters;
}

/** What firmware programs into the chips, and what a kernel that is started without one needs: in this order. */
export interface ChipSetup {
  readonly pci: readonly PciConfigWrite[];
  readonly ports: readonly PortWrite[];
}

// Attributes of flat segments: present, DPL 0, granularity 4 KiB.
export const FLAT_CODE32 = 0xc09b;
export const FLAT_CODE64 = 0xa09b;
export const FLAT_DATA = 0xc093;

const REAL_CODE = 0x009b;
const REAL_DATA = 0x0093;
const REAL_VECTORS = { base: 0, limit: 0x3ff };

export const CR0_PE = 1 << 0;
export const CR0_ET = 1 << 4;
export const CR0_PG = 0x8000_0000;
export const CR4_PAE = 1 << 5;
export const EFER_LME = 1 << 8;
export const EFER_LMA = 1 << 10;
/** The bit of RFLAGS that always reads as one; interrupts are off. */
export const RFLAGS_FIXED = 1 << 1;

export const flatSegment = (selector: number, attributes: number): SegmentRegister => ({
  selector,
  base: 0,
  limit: 0xffff_ffff,
  attributes,
});

/** The descriptor table entry of a flat segment with these attributes. */
export function flatDescriptor(attributes: number): Uint8Array {
  return Uint8Array.of(0xff, 0xff, 0, 0, 0, attributes & 0xff, ((attributes >> 8) & 0xf0) | 0xf, 0);
}

/** The CPU in real mode at the paragraph of a physical address below 1 MiB, interrupts off. */
export function realModeEntry(address: number): CpuRegisters {
  const paragraph = (address >>> 4) & 0xffff;
  const segment = (selector: number, attributes: number): SegmentRegister => ({
    selector,
    base: selector << 4,
    limit: 0xffff,
    attributes,
  });
  const data = segment(0, REAL_DATA);
  const general = { rax: 0, rbx: 0, rcx: 0, rdx: 0, rsi: 0, rdi: 0, rbp: 0, rsp: 0 };
  const segments = { cs: segment(paragraph, REAL_CODE), ds: data, es: data, fs: data, gs: data, ss: data };
  const control = { cr0: CR0_ET, cr3: 0, cr4: 0, efer: 0, gdt: { base: 0, limit: 0xffff }, idt: REAL_VECTORS };
  return { ...general, ...segments, ...control, rip: address & 0xf, rflags: RFLAGS_FIXED };
}
