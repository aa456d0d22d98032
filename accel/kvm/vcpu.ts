/**
 * One x86 CPU run by the kernel's KVM, with our interrupt controllers or its own: enters the guest, does the port and memory
 * accesses that it comes back with, and hands interrupts over.
 *
 * Invariants:
 *  1. Outside `run` the registers are the kernel's and complete: an access that came back is finished before `run` ends.
 *  2. An interrupt is acknowledged only when the CPU takes it at once (ready_for_interrupt_injection).
 *  3. Whoever wants the CPU out of the guest rings the doorbell; device code inside `run` calls `kick`.
 *  4. What threads have to agree on lies in its words (words.ts). A further vCPU has an instance in the machine's thread,
 *     too, which reads and sets its registers while it stands.
 */

import type { Vcpu, VcpuEnvironment, VcpuExit } from "../../core/accel.ts";
import type { AccessSize } from "../../core/bus/io.ts";
import type { CpuRegisters } from "../../core/cpu-registers.ts";
import { apicIdOf } from "../../core/cpu-topology.ts";
import type { CodeSize } from "../../core/monitor/disassembly.ts";
import { isFields, loadState, type SavedState, StateArena, saveState } from "../../core/state/state.ts";
import {
  HALTED_HLT,
  HALTED_WAIT_FOR_SIPI,
  PENDING_INIT,
  PENDING_INTERRUPT,
  PENDING_NMI,
  PENDING_SIPI,
  PENDING_SIPI_VECTOR_SHIFT,
  SAVED_CPU,
} from "../x86/cpu-state.ts";
import { dumpRegisters } from "../x86/dump.ts";
import { describeMappings, describeTlb } from "../x86/page-tables.ts";
import * as abi from "./abi.ts";
import type { KvmClock } from "./clock.ts";
import { CoalescedWrites } from "./coalesced.ts";
import { encodeCpuid, supportedCpuid, type VcpuCpuid, vcpuCpuid } from "./cpuid.ts";
import { explainExit, showCode } from "./exits.ts";
import type { KvmLibrary } from "./libc.ts";
import { KernelLocalApic } from "./local-apic.ts";
import { VcpuRegisters } from "./registers.ts";
import type { KvmVm } from "./vm.ts";
import { Waker } from "./waker.ts";
import { HALTED, INIT, INTR, NMI, STARTUP, type VcpuWords, WAITING } from "./words.ts";

const { RUN, EXIT, KVM_RUN } = abi;
const EFLAGS_IF = 0x200n;
const CR0_PE = 1n;
const CR0_PG = 0x80000000n;
const CR4_PAE = 0x20n;
const APIC_BASE_BSP = 0x100n;
const EFER_LMA = 0x400n;
const SEGMENT_L = 1 << 21;
const SEGMENT_DB = 1 << 22;
const MMIO_MAX = 8;
/** What user code makes the kernel fail at is told this many times. */
const SHOWN_FAILURES = 8;

export class KvmVcpu implements Vcpu {
  readonly #environment: VcpuEnvironment;
  readonly #library: KvmLibrary;
  readonly #fd: number;
  readonly #run: DataView;
  readonly #cpuid: VcpuCpuid;
  readonly #registers: VcpuRegisters;
  readonly #words: VcpuWords;
  /** In the thread that runs it. */
  readonly #waker: Waker | undefined;
  readonly #clock: KvmClock;
  /** Of all vCPUs; the first one's thread, the machine's, does them. */
  readonly #coalesced: CoalescedWrites | undefined;
  /** Its local APIC, where that is in the kernel. */
  readonly #localApic: KernelLocalApic | undefined;
  readonly #interrupt = new DataView(new ArrayBuffer(abi.SIZES.kvm_interrupt));
  readonly #counts = { port: 0, mmio: 0, coalesced: 0, window: 0, halt: 0, signal: 0, other: 0 };
  #interrupts = 0;
  #kicked = false;
  #survived = 0;
  /** A port or memory access has been done, but the kernel has not taken its result yet. */
  #unfinished = false;
  #tpr = 0;
  #apicBase: bigint;

  constructor(environment: VcpuEnvironment, vm: KvmVm) {
    const { index, topology } = environment;
    this.#environment = environment;
    const { library } = vm.system;
    const { system } = vm;
    this.#library = library;
    this.#words = vm.words[index];
    this.#fd = vm.vcpu(index);
    const size = library.check("KVM_GET_VCPU_MMAP_SIZE", library.ioctl(system.fd, abi.KVM_GET_VCPU_MMAP_SIZE));
    const mapping = library.map(this.#fd, size);
    this.#run = new DataView(mapping);
    if (index === 0) {
      const page = system.capability(abi.KVM_CAP_COALESCED_MMIO);
      if (page > 0) this.#coalesced = new CoalescedWrites(system, vm.fd, environment, mapping, page);
      vm.coalesced = this.#coalesced;
    }
    const tscDeadline = system.capability(abi.KVM_CAP_TSC_DEADLINE_TIMER) > 0;
    const apic = { kernelApic: vm.irqchip !== undefined, tscDeadline };
    this.#cpuid = vcpuCpuid(environment.model, supportedCpuid(system), apic, topology, index);
    if (!vm.attached) {
      if (index === 0) for (const text of this.#cpuid.warnings) environment.log?.print(`qemu-next: warning: ${text}`);
      const entries = encodeCpuid(this.#cpuid.entries);
      library.check("KVM_SET_CPUID2", library.ioctlWith(this.#fd, abi.KVM_SET_CPUID2, entries));
    }
    this.#registers = new VcpuRegisters(library, this.#fd, system.capability(abi.KVM_CAP_XCRS) > 0);
    this.#apicBase = this.#registers.apicBase;
    this.#clock = vm.clock;
    if (vm.irqchip) {
      const device = vm.apics[apicIdOf(topology, index)];
      this.#localApic = new KernelLocalApic(library, this.#fd, device, this.#registers, environment.clock);
    }
    const runsHere = vm.attached || index === 0;
    this.#waker = runsHere ? new Waker(library, this.#fd, this.#words, environment.clock, index === 0) : undefined;
  }

  // ---- pins

  setIntr(level: boolean): void {
    this.#words.setIntr(level);
  }

  nmi(): void {
    this.#words.nmi();
  }

  smi(): void {
    this.#words.smi();
  }

  init(): void {
    this.#words.init();
  }

  sipi(vector: number): void {
    this.#words.sipi(vector);
  }

  setA20(): void {
    this.#words.setA20();
  }

  kick(): void {
    this.#kicked = true;
  }

  hasWork(): boolean {
    // Waiting is a part of running then.
    if (this.#localApic) return true;
    const { pending } = this.#words;
    if (this.#words.flag(WAITING)) return (pending & (INIT | STARTUP)) !== 0;
    if ((pending & (NMI | INIT)) !== 0) return true;
    return (pending & INTR) !== 0 && this.#run.getUint8(RUN.if_flag) !== 0;
  }

  // ---- registers

  /** The bootstrap processor starts, the others wait for a startup IPI. */
  reset(): void {
    this.#words.clear(NMI | INIT | STARTUP);
    this.#words.setFlag(WAITING, this.#environment.index !== 0 && !this.#localApic);
    this.#registers.reset(this.#cpuid.signature);
    this.#localApic?.reset();
    this.#changed(false);
  }

  setRegisters(registers: CpuRegisters): void {
    this.#registers.setRegisters(registers);
    this.#changed(false);
  }

  /** In the form of all accelerators, and for this one in the kernel's own. */
  save(): SavedState {
    this.#localApic?.save();
    const { index, clock, memory } = this.#environment;
    const { pending } = this.#words;
    const saved = StateArena.create(SAVED_CPU.size).attach("cpu", SAVED_CPU);
    const halted = this.#waiting ? HALTED_WAIT_FOR_SIPI : this.#halted ? HALTED_HLT : 0;
    this.#registers.describe(saved, halted, clock.now());
    if (saved.cr0 & CR0_PG && saved.cr4 & CR4_PAE && !(saved.efer & EFER_LMA)) {
      const table = Number(saved.cr3 & 0xffffffe0n);
      const word = (i: number): bigint => BigInt(memory.read(table + i * 4, 4));
      for (let i = 0; i < 4; i++) saved.pdptes[i] = word(i * 2) | (word(i * 2 + 1) << 32n);
    }
    const { fields, ...state } = saveState(SAVED_CPU, saved);
    const kvm = {
      ...this.#registers.save(),
      // The time is the machine's; it is kept with the first CPU.
      ...(index === 0 && { kvmclock: `0x${this.#clock.now.toString(16)}` }),
    };
    const waits =
      this.#registers.pending |
      ((pending & NMI) !== 0 ? PENDING_NMI : 0) |
      ((pending & INIT) !== 0 ? PENDING_INIT : 0) |
      ((pending & STARTUP) !== 0 ? PENDING_SIPI | (this.#words.startupVector << PENDING_SIPI_VECTOR_SHIFT) : 0);
    return { ...state, fields: { ...fields, pending: waits, kvm } };
  }

  load(state: SavedState): void {
    const saved = StateArena.create(SAVED_CPU.size).attach("cpu", SAVED_CPU);
    loadState(SAVED_CPU, saved, state);
    const { kvm } = state.fields;
    const pending = Number(state.fields.pending);
    if (kvm !== undefined) this.#registers.load(kvm);
    else this.#registers.restore(saved, pending, this.#environment.clock.now());
    const { apic } = this.#environment;
    if (apic) this.#registers.setApicBase(apic.base);
    this.#words.clear(NMI | INIT | STARTUP);
    if (pending & ~this.#registers.pending & PENDING_NMI) this.#words.nmi();
    if (pending & PENDING_INIT) this.#words.init();
    if (pending & PENDING_SIPI) this.#words.sipi((pending >> PENDING_SIPI_VECTOR_SHIFT) & 0xff);
    const waiting = saved.halted === HALTED_WAIT_FOR_SIPI;
    const halted = saved.halted === HALTED_HLT && (pending & PENDING_INTERRUPT) === 0;
    this.#localApic?.load(halted, waiting);
    this.#words.setFlag(WAITING, waiting && !this.#localApic);
    this.#changed(halted && !this.#localApic);
    this.#waker?.drain();
    const kvmclock = isFields(kvm) ? kvm.kvmclock : undefined;
    if (typeof kvmclock === "string" && /^0x[0-9a-f]{1,16}$/.test(kvmclock)) this.#clock.now = BigInt(kvmclock);
  }

  get #halted(): boolean {
    return this.#localApic ? this.#localApic.halted : this.#words.flag(HALTED);
  }

  /** For a startup IPI. */
  get #waiting(): boolean {
    return this.#localApic ? this.#localApic.waiting : this.#words.flag(WAITING);
  }

  /** The registers have been set from outside: what was derived of them is found again. */
  #changed(halted: boolean): void {
    this.#words.setFlag(HALTED, halted);
    this.#run.setUint8(RUN.if_flag, this.#registers.rflags & EFLAGS_IF ? 1 : 0);
    this.#run.setUint8(RUN.ready_for_interrupt_injection, 0);
    this.refresh();
  }

  refresh(): void {
    this.#apicBase = this.#registers.apicBase;
    this.#tpr = this.#environment.apic?.tpr ?? 0;
  }

  /** There is no deadline mode: CPUID hides it, and the counter is the host's. */
  tscToNs(): number {
    return Number.POSITIVE_INFINITY;
  }

  // ---- running

  run(): VcpuExit {
    const words = this.#words;
    const waker = this.#waker;
    if (!waker) throw new Error(`CPU ${this.#environment.index} runs in another thread`);
    waker.taken();
    for (;;) {
      if (this.#kicked) {
        this.#kicked = false;
        return this.#leave("slice");
      }
      if ((words.pending & (INIT | STARTUP)) !== 0) this.#initialize();
      if (words.flag(WAITING)) return "halted";
      if (words.flag(HALTED)) {
        if (!this.hasWork()) return "halted";
        words.setFlag(HALTED, false);
      }
      if (!waker.enter()) return this.#leave("slice");
      // Now KVM_RUN has to follow: the kernel forgets what it has been offered when it is offered another one before that.
      this.#offerInterrupts();
      const result = this.#library.ioctl(this.#fd, KVM_RUN);
      words.left();
      this.#unfinished = false;
      this.#followRun();
      const name = result < 0 ? this.#library.errorName() : "";
      this.#doCoalesced();
      if (result < 0) {
        if (name !== "EINTR" && name !== "EAGAIN") return this.#fail(`error: kvm run failed ${name}\n`);
        this.#counts.signal++;
        waker.drain();
        return "slice";
      }
      const exit = this.#handle(this.#run.getUint32(RUN.exit_reason, true));
      if (exit) return exit;
    }
  }

  /** INIT, and the startup IPI that may follow it (SDM volume 3, section 9.4). */
  #initialize(): void {
    const words = this.#words;
    this.#leave("slice");
    if ((words.pending & INIT) !== 0) {
      words.clear(INIT);
      this.#registers.init(this.#cpuid.signature);
      this.#changed(false);
      words.setFlag(WAITING, (this.#apicBase & APIC_BASE_BSP) === 0n);
    }
    if ((words.pending & STARTUP) === 0) return;
    words.clear(STARTUP);
    if (!words.flag(WAITING)) return;
    this.#registers.startAt(words.startupVector);
    words.setFlag(WAITING, false);
  }

  /** Finishes an access under way, so that the registers are complete, without running the guest. */
  #leave(exit: VcpuExit): VcpuExit {
    if (!this.#unfinished) return exit;
    this.#run.setUint8(RUN.immediate_exit, 1);
    let more = true;
    while (more) {
      more = this.#library.ioctl(this.#fd, KVM_RUN) >= 0;
      this.#doCoalesced();
      more &&= this.#access(this.#run.getUint32(RUN.exit_reason, true));
    }
    this.#run.setUint8(RUN.immediate_exit, 0);
    this.#unfinished = false;
    this.#followRun();
    return exit;
  }

  /** Hands over what waits, or asks to be told when the CPU can take it. */
  #offerInterrupts(): void {
    const { apic, interrupts } = this.#environment;
    const run = this.#run;
    const { pending } = this.#words;
    if ((pending & NMI) !== 0) {
      this.#words.clear(NMI);
      this.#interrupts++;
      this.#library.check("KVM_NMI", this.#library.ioctl(this.#fd, abi.KVM_NMI));
    }
    if (
      (pending & INTR) !== 0 &&
      run.getUint8(RUN.ready_for_interrupt_injection) !== 0 &&
      run.getUint8(RUN.if_flag) !== 0
    ) {
      const vector = interrupts.acknowledge();
      if (vector >= 0) {
        this.#interrupt.setUint32(0, vector, true);
        this.#interrupts++;
        this.#library.check("KVM_INTERRUPT", this.#library.ioctlWith(this.#fd, abi.KVM_INTERRUPT, this.#interrupt));
      }
    }
    run.setUint8(RUN.request_interrupt_window, this.#words.pending & INTR);
    if (!apic) return;
    this.#tpr = apic.tpr;
    run.setBigUint64(RUN.cr8, BigInt(this.#tpr), true);
  }

  /** Takes over what the guest has done to the parts of its APIC that are in the CPU. */
  #followRun(): void {
    const { apic } = this.#environment;
    if (!apic) return;
    const tpr = this.#run.getUint8(RUN.cr8);
    if (tpr !== this.#tpr) {
      this.#tpr = tpr;
      apic.tpr = tpr;
    }
    const base = this.#run.getBigUint64(RUN.apic_base, true);
    if (base !== this.#apicBase) {
      this.#apicBase = base;
      apic.setBase(Number(base));
    }
  }

  #handle(reason: number): VcpuExit | undefined {
    if (this.#access(reason)) return undefined;
    switch (reason) {
      case EXIT.IRQ_WINDOW_OPEN:
        this.#counts.window++;
        return undefined;
      case EXIT.SET_TPR:
        this.#counts.other++;
        return undefined;
      case EXIT.IOAPIC_EOI:
        this.#counts.other++;
        this.#environment.eoi?.(this.#run.getUint8(RUN.eoi_vector));
        return undefined;
      case EXIT.HLT:
        this.#counts.halt++;
        this.#words.setFlag(HALTED, true);
        return undefined;
      case EXIT.SHUTDOWN:
        return "triple-fault";
      case EXIT.INTR:
        this.#counts.signal++;
        return "slice";
    }
    const survives = this.#survives(reason);
    if (survives && this.#survived++ >= SHOWN_FAILURES) return undefined;
    const failed = this.#fail(explainExit(reason, this.#run));
    return survives ? undefined : failed;
  }

  /** User code that the kernel could not emulate has met #UD instead: the guest deals with it. */
  #survives(reason: number): boolean {
    if (reason !== EXIT.INTERNAL_ERROR) return false;
    if (this.#run.getUint32(RUN.internal_suberror, true) !== abi.INTERNAL_ERROR_EMULATION) return false;
    const { cr0, cpl } = this.#registers.show(false);
    return (cr0 & CR0_PE) !== 0n && cpl === 3;
  }

  /** Does a port or memory access. False when the exit is none. */
  #access(reason: number): boolean {
    if (reason === EXIT.IO) this.#doPorts();
    else if (reason === EXIT.MMIO) this.#doMemory();
    else return false;
    this.#unfinished = true;
    return true;
  }

  /** Writes that the kernel has collected. */
  #doCoalesced(): void {
    if (this.#coalesced?.flush()) this.#counts.coalesced++;
  }

  #doPorts(): void {
    const { ports, clock } = this.#environment;
    const run = this.#run;
    this.#counts.port++;
    const write = run.getUint8(RUN.io_direction) !== 0;
    const size = run.getUint8(RUN.io_size) as AccessSize;
    const port = run.getUint16(RUN.io_port, true);
    const count = run.getUint32(RUN.io_count, true);
    let at = Number(run.getBigUint64(RUN.io_data_offset, true));
    if (write) clock.poll();
    for (let i = 0; i < count; i++, at += size) {
      if (write) ports.write(port, getValue(run, at, size), size);
      else setValue(run, at, size, ports.read(port, size));
    }
  }

  #doMemory(): void {
    const { memory, clock } = this.#environment;
    const run = this.#run;
    this.#counts.mmio++;
    const address = Number(run.getBigUint64(RUN.mmio_phys_addr, true));
    const length = Math.min(run.getUint32(RUN.mmio_len, true), MMIO_MAX);
    const write = run.getUint8(RUN.mmio_is_write) !== 0;
    if (write) clock.poll();
    for (let done = 0; done < length; ) {
      const left = length - done;
      const size: AccessSize = left >= 4 ? 4 : left >= 2 ? 2 : 1;
      const at = RUN.mmio_data + done;
      if (write) memory.write(address + done, getValue(run, at, size), size);
      else setValue(run, at, size, memory.read(address + done, size));
      done += size;
    }
  }

  /** The kernel cannot go on: says why, with the registers and the code. */
  #fail(text: string): VcpuExit {
    const { rip } = this.#registers.show(false);
    const code = showCode(this.instructionPointer, rip, (address) => this.#readByte(address));
    this.#environment.log?.print(`${text}${this.dumpRegisters()}${code}`);
    return "internal-error";
  }

  #readByte(virtual: bigint): number | undefined {
    const physical = this.translate(virtual);
    if (physical === undefined) return undefined;
    const at = this.#environment.memory.direct(physical, false);
    return at === undefined ? undefined : this.#environment.memory.memory.u8[at];
  }

  // ---- monitor

  get threadId(): number {
    return this.#words.threadId;
  }

  get instructionPointer(): bigint {
    const { rip, segments, cr0 } = this.#registers.show(false);
    const [, cs] = segments;
    const linear = BigInt.asUintN(64, rip + cs.base);
    return cr0 & CR0_PE ? linear : linear & 0xffffffffn;
  }

  get codeSize(): CodeSize {
    const { segments, efer } = this.#registers.show(false);
    const { attributes } = segments[1];
    if ((efer & EFER_LMA) !== 0n && (attributes & SEGMENT_L) !== 0) return 64;
    return (attributes & SEGMENT_DB) !== 0 ? 32 : 16;
  }

  dumpRegisters(): string {
    return dumpRegisters(this.#registers.show(this.#halted));
  }

  dumpTlb(): string {
    return describeTlb(this.#environment.memory, this.#registers.show(false));
  }

  dumpMemoryMap(): string {
    return describeMappings(this.#environment.memory, this.#registers.show(false));
  }

  translate(virtual: bigint): number | undefined {
    const view = new DataView(new ArrayBuffer(abi.SIZES.kvm_translation));
    view.setBigUint64(abi.TRANSLATION.linear_address, virtual, true);
    const result = this.#library.ioctlWith(this.#fd, abi.KVM_TRANSLATE, view);
    if (result < 0 || view.getUint8(abi.TRANSLATION.valid) === 0) return undefined;
    return Number(view.getBigUint64(abi.TRANSLATION.physical_address, true));
  }

  statistics(): [string, string][] {
    const exits = Object.entries(this.#counts).map(([name, count]) => `${name} ${count}`);
    return [
      ["exits", exits.join(", ")],
      ["interrupts", String(this.#interrupts)],
    ];
  }
}

function getValue(view: DataView, at: number, size: AccessSize): number {
  return size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
}

function setValue(view: DataView, at: number, size: AccessSize, value: number): void {
  if (size === 1) view.setUint8(at, value);
  else if (size === 2) view.setUint16(at, value, true);
  else view.setUint32(at, value, true);
}
