/**
 * A vCPU's registers, as the kernel's structures. They are the vCPU's only while it is outside KVM_RUN and no port or
 * MMIO access waits for its end.
 */

import type { CpuRegisters } from "../../core/cpu-registers.ts";
import { QemuError } from "../../core/errors.ts";
import { isFields, type SavedFields, type SavedValue } from "../../core/state/state.ts";
import type { ShownRegisters } from "../x86/dump.ts";
import * as abi from "./abi.ts";
import type { KvmLibrary } from "./libc.ts";
import {
  describeCpu,
  describePending,
  getSegment,
  type KernelRegisters,
  MTRR_FIXED,
  MTRR_VARIABLE,
  putSegment,
  restoreCpu,
  restoreInterrupt,
  SAVED_MSRS,
  type SavedCpu,
  TSC,
} from "./saved-cpu.ts";

const { SIZES, REGS, SREGS, SEGMENT, DTABLE, EVENTS, DEBUGREGS, XSAVE, KVM_GET_MSRS, KVM_SET_MSRS } = abi;

/** Model-specific registers that are part of a CPU's state, those of them that a host has. Intel SDM volume 4; AMD APM. */
const MSRS: readonly number[] = [
  ...[0x174, 0x175, 0x176], // SYSENTER
  ...[0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084], // STAR, LSTAR, CSTAR, SFMASK
  0xc0000102, // KERNEL_GS_BASE
  0xc0000103, // TSC_AUX
  0x277, // PAT
  0x1a0, // MISC_ENABLE
  ...[0x17a, 0x17b], // machine checks
  ...[0x4b564d00, 0x4b564d01], // kvmclock
  0x2ff, // MTRRs
  ...Array.from({ length: 16 }, (_, i) => 0x200 + i),
  ...[0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f],
  0x10, // TSC
];

/** A structure and the requests that move it, in the order in which they have to be set. */
interface Block {
  readonly name: string;
  readonly get: number;
  readonly set: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const block = (name: string, get: number, set: number, size: number): Block => ({
  name,
  get,
  set,
  bytes: new Uint8Array(size),
});

const viewOf = ({ bytes }: Block): DataView<ArrayBuffer> => new DataView(bytes.buffer);
const u64 = (view: DataView, at: number): bigint => view.getBigUint64(at, true);
const keysOf = <T extends object>(object: T): (keyof T)[] => Object.keys(object) as (keyof T)[];
const RDX = 2;
const EFLAGS_ALWAYS = 2n;

export class VcpuRegisters {
  readonly #library: KvmLibrary;
  readonly #fd: number;
  readonly #sregs = block("sregs", abi.KVM_GET_SREGS, abi.KVM_SET_SREGS, SIZES.kvm_sregs);
  readonly #regs = block("regs", abi.KVM_GET_REGS, abi.KVM_SET_REGS, SIZES.kvm_regs);
  readonly #xsave = block("xsave", abi.KVM_GET_XSAVE, abi.KVM_SET_XSAVE, SIZES.kvm_xsave);
  readonly #debug = block("debugregs", abi.KVM_GET_DEBUGREGS, abi.KVM_SET_DEBUGREGS, SIZES.kvm_debugregs);
  readonly #events = block("events", abi.KVM_GET_VCPU_EVENTS, abi.KVM_SET_VCPU_EVENTS, SIZES.kvm_vcpu_events);
  readonly #xcrs: Block | undefined;
  readonly #blocks: readonly Block[];
  readonly #msrs: readonly number[];
  /** What the kernel gave the new vCPU: its registers after power-up. */
  readonly #powerUp: SavedFields;

  /** `xcrs`: the host has extended control registers. The vCPU is new, but for its CPUID. */
  constructor(library: KvmLibrary, fd: number, xcrs: boolean) {
    this.#library = library;
    this.#fd = fd;
    this.#xcrs = xcrs ? block("xcrs", abi.KVM_GET_XCRS, abi.KVM_SET_XCRS, SIZES.kvm_xcrs) : undefined;
    this.#blocks = [
      this.#sregs,
      this.#regs,
      ...(this.#xcrs ? [this.#xcrs] : []),
      this.#xsave,
      this.#debug,
      this.#events,
    ];
    this.#msrs = MSRS.filter((index) => this.readMsr(index) !== undefined);
    this.#powerUp = this.save();
  }

  /** As after power-up; EDX holds the CPU's signature. */
  reset(signature: number): void {
    this.load(this.#powerUp);
    viewOf(this.#regs).setBigUint64(REGS.general[RDX], BigInt(signature), true);
    this.#put(this.#regs);
  }

  /** As after INIT: FPU, vector registers and MSRs keep their contents, and so does what CR0 says of caches. */
  init(signature: number): void {
    const KEPT = 0x60000000n;
    const kept = u64(this.fetch(this.#sregs), SREGS.cr0) & KEPT;
    for (const part of [this.#sregs, this.#regs, this.#debug, this.#events]) {
      this.#read(part, this.#powerUp);
      if (part === this.#sregs) {
        const view = viewOf(part);
        view.setBigUint64(SREGS.cr0, (u64(view, SREGS.cr0) & ~KEPT) | kept, true);
      } else if (part === this.#regs) {
        viewOf(part).setBigUint64(REGS.general[RDX], BigInt(signature), true);
      }
      this.#put(part);
    }
  }

  save(): SavedFields {
    const blocks = this.#blocks.map((part) => {
      this.fetch(part);
      return [part.name, Buffer.from(part.bytes).toString("hex")] as const;
    });
    const msrs = this.#msrs.map((index) => [index, `0x${(this.readMsr(index) ?? 0n).toString(16)}`]);
    return { ...Object.fromEntries(blocks), msrs };
  }

  /** @throws QemuError when it is no such state, or the host does not take it. */
  load(fields: SavedValue): void {
    if (!isFields(fields)) throw new QemuError("state-field", "saved state kvm-cpu: want fields");
    const { msrs } = fields;
    if (!Array.isArray(msrs)) throw new QemuError("state-field", "saved state kvm-cpu.msrs: want a list");
    const values = msrs.map((row: unknown): [number, bigint] => {
      const [index, value] = Array.isArray(row) ? row : [];
      if (typeof index === "number" && typeof value === "string" && /^0x[0-9a-f]{1,16}$/.test(value)) {
        return [index, BigInt(value)];
      }
      throw new QemuError("state-field", `saved state kvm-cpu.msrs: bad row ${JSON.stringify(row)}`);
    });
    for (const part of this.#blocks) this.#read(part, fields);
    for (const part of this.#blocks) this.#put(part);
    for (const [index, value] of values) this.writeMsr(index, value);
  }

  /** Fills the form that all accelerators save, but for PAE's directory entries; `now` is the clock's time in ns. */
  describe(s: SavedCpu, halted: number, now: number): void {
    for (const part of this.#blocks) this.fetch(part);
    describeCpu(this.#views, s, halted);
    for (const name of keysOf(SAVED_MSRS)) s[name] = this.readMsr(SAVED_MSRS[name]) ?? 0n;
    MTRR_FIXED.forEach((index, i) => {
      s.mtrrFixed[i] = this.readMsr(index) ?? 0n;
    });
    for (let i = 0; i < 16; i++) s.mtrrVariable[i] = this.readMsr(MTRR_VARIABLE + i) ?? 0n;
    s.tscOffset = BigInt.asUintN(64, (this.readMsr(TSC) ?? 0n) - BigInt(Math.floor(now)));
  }

  /** The reverse, and the interrupt of `pending`. What the form does not have is as after power-up. */
  restore(s: SavedCpu, pending: number, now: number): void {
    this.load(this.#powerUp);
    restoreCpu(s, this.#views);
    restoreInterrupt(pending, viewOf(this.#events));
    for (const part of this.#blocks) this.#put(part);
    const write = (index: number, value: bigint): void => {
      if (this.#msrs.includes(index)) this.writeMsr(index, value);
    };
    for (const name of keysOf(SAVED_MSRS)) write(SAVED_MSRS[name], s[name]);
    MTRR_FIXED.forEach((index, i) => {
      write(index, s.mtrrFixed[i]);
    });
    for (let i = 0; i < 16; i++) write(MTRR_VARIABLE + i, s.mtrrVariable[i]);
    write(TSC, BigInt.asUintN(64, s.tscOffset + BigInt(Math.floor(now))));
  }

  get #views(): KernelRegisters {
    const [regs, sregs, xsave, debug, events] = [this.#regs, this.#sregs, this.#xsave, this.#debug, this.#events].map(
      viewOf,
    );
    return { regs, sregs, xsave, debug, events, xcrs: this.#xcrs && viewOf(this.#xcrs) };
  }

  setRegisters(registers: CpuRegisters): void {
    const view = this.fetch(this.#sregs);
    for (const name of ["cs", "ds", "es", "fs", "gs", "ss"] as const) {
      const { selector, base, limit, attributes } = registers[name];
      putSegment(view, SREGS[name], { selector, base: BigInt(base), limit, attributes: attributes << 8 });
    }
    for (const name of ["gdt", "idt"] as const) {
      view.setBigUint64(SREGS[name] + DTABLE.base, BigInt(registers[name].base), true);
      view.setUint16(SREGS[name] + DTABLE.limit, registers[name].limit, true);
    }
    for (const name of ["cr0", "cr3", "cr4", "efer"] as const) {
      view.setBigUint64(SREGS[name], BigInt(registers[name]), true);
    }
    this.#put(this.#sregs);
    const { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, rip, rflags } = registers;
    const general = viewOf(this.#regs);
    this.#regs.bytes.fill(0);
    [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi].forEach((value, i) => {
      general.setBigUint64(REGS.general[i], BigInt(value), true);
    });
    general.setBigUint64(REGS.rip, BigInt(rip), true);
    general.setBigUint64(REGS.rflags, BigInt(rflags) | EFLAGS_ALWAYS, true);
    this.#put(this.#regs);
  }

  /** Starts it in real mode at the page that a startup IPI names. */
  startAt(vector: number): void {
    const view = this.fetch(this.#sregs);
    view.setUint16(SREGS.cs + SEGMENT.selector, vector << 8, true);
    view.setBigUint64(SREGS.cs + SEGMENT.base, BigInt(vector << 12), true);
    this.#put(this.#sregs);
    this.fetch(this.#regs).setBigUint64(REGS.rip, 0n, true);
    this.#put(this.#regs);
  }

  /** PENDING_* of what waits for delivery in the kernel. */
  get pending(): number {
    return describePending(this.fetch(this.#events));
  }

  get rflags(): bigint {
    return u64(this.fetch(this.#regs), REGS.rflags);
  }

  get apicBase(): bigint {
    return u64(this.fetch(this.#sregs), SREGS.apic_base);
  }

  /** @throws QemuError when the value, which may come from a saved state, is none. */
  setApicBase(value: number): void {
    if (!Number.isSafeInteger(value)) throw new QemuError("state-field", `saved state apic.base: bad value ${value}`);
    this.fetch(this.#sregs).setBigUint64(SREGS.apic_base, BigInt(value), true);
    this.#put(this.#sregs);
  }

  /** All that `info registers` shows. */
  show(halted: boolean): ShownRegisters {
    const regs = this.fetch(this.#regs);
    const sregs = this.fetch(this.#sregs);
    const debug = this.fetch(this.#debug);
    const events = this.fetch(this.#events);
    const fpu = this.fetch(this.#xsave);
    const table = (at: number) => ({
      base: u64(sregs, at + DTABLE.base),
      limit: sregs.getUint16(at + DTABLE.limit, true),
    });
    const fpStatus = fpu.getUint16(XSAVE.fsw, true);
    const top = (fpStatus >> 11) & 7;
    const stackWord = (i: number): bigint => u64(fpu, XSAVE.st + (((i >> 1) - top) & 7) * 16 + (i & 1) * 8);
    const segments = (["es", "cs", "ss", "ds", "fs", "gs"] as const).map((name) => getSegment(sregs, SREGS[name]));
    return {
      regs: REGS.general.map((at) => u64(regs, at)),
      rip: u64(regs, REGS.rip),
      rflags: u64(regs, REGS.rflags),
      cpl: (segments[2].attributes >> 13) & 3,
      inhibit: events.getUint8(EVENTS.interrupt_shadow) !== 0,
      a20: true,
      smm: false,
      halted,
      segments,
      ldt: getSegment(sregs, SREGS.ldt),
      tr: getSegment(sregs, SREGS.tr),
      gdt: table(SREGS.gdt),
      idt: table(SREGS.idt),
      cr0: u64(sregs, SREGS.cr0),
      cr2: u64(sregs, SREGS.cr2),
      cr3: u64(sregs, SREGS.cr3),
      cr4: u64(sregs, SREGS.cr4),
      efer: u64(sregs, SREGS.efer),
      dr: [0, 8, 16, 24, 0, 0, DEBUGREGS.dr6, DEBUGREGS.dr7].map((at) => u64(debug, at)),
      fpControl: fpu.getUint16(XSAVE.fcw, true),
      fpStatus,
      fpTags: fpu.getUint8(XSAVE.ftw),
      mxcsr: fpu.getUint32(XSAVE.mxcsr, true),
      fpr: Array.from({ length: 16 }, (_, i) => stackWord(i)),
      xmm: Array.from({ length: 32 }, (_, i) => u64(fpu, XSAVE.xmm + i * 8)),
    };
  }

  /** Reads a structure from the kernel. */
  fetch(part: Block): DataView<ArrayBuffer> {
    this.#library.check(`KVM_GET_${part.name.toUpperCase()}`, this.#library.ioctlWith(this.#fd, part.get, part.bytes));
    return viewOf(part);
  }

  #put({ name, set, bytes }: Block): void {
    this.#library.check(`KVM_SET_${name.toUpperCase()}`, this.#library.ioctlWith(this.#fd, set, bytes));
  }

  /** Takes a structure's bytes from a saved state. */
  #read({ name, bytes }: Block, fields: SavedFields): void {
    const text = fields[name];
    const read = typeof text === "string" ? Buffer.from(text, "hex") : undefined;
    if (read?.length !== bytes.length) {
      throw new QemuError("state-field", `saved state kvm-cpu.${name}: want ${bytes.length} bytes`);
    }
    bytes.set(read);
  }

  /** struct kvm_msrs with one entry. */
  #msr(index: number, value: bigint): DataView {
    const view = new DataView(new ArrayBuffer(SIZES.kvm_msrs + SIZES.kvm_msr_entry));
    view.setUint32(0, 1, true);
    view.setUint32(SIZES.kvm_msrs, index, true);
    view.setBigUint64(SIZES.kvm_msrs + 8, value, true);
    return view;
  }

  readMsr(index: number): bigint | undefined {
    const view = this.#msr(index, 0n);
    return this.#library.ioctlWith(this.#fd, KVM_GET_MSRS, view) === 1 ? u64(view, SIZES.kvm_msrs + 8) : undefined;
  }

  writeMsr(index: number, value: bigint): void {
    if (this.#library.ioctlWith(this.#fd, KVM_SET_MSRS, this.#msr(index, value)) === 1) return;
    throw new QemuError("kvm", `error: failed to set MSR 0x${index.toString(16)} to 0x${value.toString(16)}`);
  }
}
