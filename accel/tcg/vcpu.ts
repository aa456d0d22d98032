/**
 * One x86 CPU run by translation: finds or makes blocks, runs them in the interpreter, delivers exceptions and
 * interrupts between them.
 *
 * Invariants:
 *  1. While generated code runs, env is the only copy of the guest's registers.
 *  2. A guest exception travels as excVector in env: returned by the interpreter (EXIT_FAULT), or thrown through it as
 *     GUEST_FAULT by a helper. Nothing else a guest does throws.
 *  3. Interrupts are looked at between blocks only; whoever raises one sets exitRequest, so that is soon.
 */

import type { Vcpu, VcpuEnvironment, VcpuExit } from "../../core/accel.ts";
import type { CpuRegisters } from "../../core/cpu-registers.ts";
import { apicIdOf } from "../../core/cpu-topology.ts";
import type { CodeSize } from "../../core/monitor/disassembly.ts";
import { type SavedState, type State, StateArena, saveState } from "../../core/state/state.ts";
import { ARITHMETIC_FLAGS } from "../x86/cpu-state.ts";
import { describeMappings, describeTlb } from "../x86/page-tables.ts";
import type { BlockTranslator } from "./engine/block-translator.ts";
import { type CodeCache, insnPointAt, type TranslationBlock } from "./engine/code-cache.ts";
import type { Helpers } from "./engine/helpers.ts";
import { refineFault } from "./engine/instruction-fault.ts";
import type { CodeSource } from "./engine/ir-translator.ts";
import {
  ACKNOWLEDGED_VECTOR_SHIFT,
  CC_DYNAMIC,
  CPU_STATE,
  ENV_SIZE,
  EXIT_REQUESTED,
  HALTED_WAIT_FOR_SIPI,
  HF_CPL,
  HF_CS32,
  HF_CS64,
  HF_DEBUG,
  HF_INHIBIT,
  HF_RF,
  HF_TF,
  IRQ_ACKNOWLEDGED,
  IRQ_INIT,
  IRQ_INTR,
  IRQ_NMI,
  IRQ_SIPI,
  IRQ_SMI,
  SHARING_EVER,
  SHARING_NOW,
  SIPI_VECTOR_SHIFT,
} from "./env.ts";
import { EXIT_FAULT, EXIT_HOT, EXIT_LINK, EXIT_LOOKUP } from "./interp/generate.ts";
import type { Jit } from "./jit/jit.ts";
import type { TcgVm } from "./vm.ts";
import { applyModel, cpuid } from "./x86/cpu-model.ts";
import { dumpState } from "./x86/dump.ts";
import { Msrs } from "./x86/msr.ts";
import { initState, loadRegisters, resetState } from "./x86/reset.ts";

/** `run` comes back after about this time (ns), so that timers can fire; limits of a slice in instructions. */
const SLICE_NS = 200_000;
const SHORTEST_SLICE = 10_000;
const LONGEST_SLICE = 200_000;
const PAGE_SIZE = 4096;
const FETCH_FAULT = 0;
const FETCH_MMIO = 1;
const STEP_FLAGS = HF_TF | HF_DEBUG | HF_RF | HF_INHIBIT;
const EFLAGS_IF = 0x200;
const CS = 1;
/** IA32_APIC_BASE: this is the bootstrap processor. */
const APIC_BASE_BSP = 0x100;
const SIPI_BITS = IRQ_SIPI | (0xff << SIPI_VECTOR_SHIFT);
const ACKNOWLEDGED_BITS = IRQ_ACKNOWLEDGED | (0xff << ACKNOWLEDGED_VECTOR_SHIFT);
/** See assembly/fetch.ts. */
const EXC_STALE_BLOCK = 256;
/** See assembly/compiled.ts. */
const EXC_OWN_CODE = 257;
const MAX_INSN_LENGTH = 15;

/** Thrown through wasm frames when a helper raises a guest exception. */
export const GUEST_FAULT = { guestFault: true };

const SEGMENT_NAMES = ["es", "cs", "ss", "ds", "fs", "gs"] as const;
const REGISTER_NAMES = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"] as const;

const { offsets } = CPU_STATE;
const word = (offset: number): number => offset >>> 2;

export class TcgVcpu implements Vcpu {
  readonly state: State<typeof CPU_STATE>;
  /** Address of env. */
  readonly env: number;
  readonly environment: VcpuEnvironment;
  readonly #vm: TcgVm;
  readonly #i32: Int32Array;
  readonly #base: number;
  readonly #u8: Uint8Array;
  readonly #cache: CodeCache;
  readonly #jit: Jit | undefined;
  readonly #apicId: number;
  readonly #msrs: Msrs;
  readonly #helpers: Helpers;
  readonly #translator: BlockTranslator;
  readonly #interpret: (env: number, pc: number) => number;
  readonly #logInterrupts: boolean;
  /** SHARING_EVER, if so. */
  readonly #sharing: number;
  #kicked = false;
  #budget = SHORTEST_SLICE;
  #translated = 0;
  #guestBytes = 0;
  readonly #exits = { main: 0, link: 0, lookup: 0, fault: 0, hot: 0 };
  #interrupts = 0;

  /** `env` is the address of its section. */
  constructor(environment: VcpuEnvironment, vm: TcgVm, env: number) {
    const { index, log, topology, apic } = environment;
    const { memory } = environment.memory;
    this.environment = environment;
    this.env = env;
    this.#vm = vm;
    this.#logInterrupts = log?.has("int") ?? false;
    this.state = new StateArena(memory.buffer, env, ENV_SIZE).attach(`cpu${index}`, CPU_STATE);
    this.#i32 = new Int32Array(memory.buffer);
    this.#base = env >>> 2;
    this.#u8 = memory.u8;
    this.#cache = vm.cache;
    this.#jit = vm.jit;
    this.#helpers = vm.helpers;
    this.#translator = vm.translator;
    this.#interpret = vm.interpret;
    this.#sharing = environment.vcpus > 1 ? SHARING_EVER : 0;
    this.#apicId = apicIdOf(topology, index);
    this.#msrs = new Msrs(this.state, apic, vm.model);
    this.state.pageMap = environment.memory.pageMapAddress;
  }

  // ---- what helpers ask for

  readTsc(): bigint {
    return this.#msrs.tsc(this.environment.clock.now());
  }

  readMsr(index: number): number {
    return this.#noteMsr(index, this.#msrs.read(index, this.environment.clock.now()));
  }

  writeMsr(index: number): number {
    return this.#noteMsr(index, this.#msrs.write(index, this.environment.clock.now()));
  }

  cpuid(leaf: number, subleaf: number): void {
    cpuid(this.#vm.model, this.state, leaf, subleaf, this.#apicId, this.environment.apic);
  }

  #noteMsr(index: number, known: number): number {
    if (known === 0) this.environment.log?.line("unimp", `no MSR 0x${index.toString(16)}`);
    return known;
  }

  /** Calls a helper that takes env and small numbers. */
  call(name: string, ...args: number[]): number {
    return (this.#helpers.exports[name] as (...args: number[]) => number)(this.env, ...args);
  }

  #field(name: keyof typeof offsets): number {
    return this.#i32[this.#base + word(offsets[name])];
  }

  #setField(name: keyof typeof offsets, value: number): void {
    this.#i32[this.#base + word(offsets[name])] = value;
  }

  // ---- pins

  #request(bit: number): void {
    Atomics.or(this.#i32, this.#base + word(offsets.interruptRequest), bit);
    Atomics.store(this.#i32, this.#base + word(offsets.exitRequest), EXIT_REQUESTED);
  }

  #withdraw(bit: number): void {
    Atomics.and(this.#i32, this.#base + word(offsets.interruptRequest), ~bit);
  }

  setIntr(level: boolean): void {
    if (level) this.#request(IRQ_INTR);
    else this.#withdraw(IRQ_INTR);
  }

  nmi(): void {
    // Nobody has given it a handler yet.
    if (this.#field("halted") === HALTED_WAIT_FOR_SIPI) return;
    this.#request(IRQ_NMI);
  }

  smi(): void {
    this.#request(IRQ_SMI);
  }

  init(): void {
    this.#withdraw(SIPI_BITS);
    this.#request(IRQ_INIT);
  }

  sipi(vector: number): void {
    const waits = this.#field("halted") === HALTED_WAIT_FOR_SIPI || (this.#field("interruptRequest") & IRQ_INIT) !== 0;
    if (!waits) return;
    this.#withdraw(SIPI_BITS);
    this.#request(IRQ_SIPI | (vector << SIPI_VECTOR_SHIFT));
  }

  setA20(enabled: boolean): void {
    this.call("setA20", enabled ? 1 : 0);
  }

  kick(): void {
    this.#kicked = true;
    Atomics.store(this.#i32, this.#base + word(offsets.exitRequest), EXIT_REQUESTED);
  }

  hasWork(): boolean {
    const halted = this.#field("halted");
    if (halted === 0) return true;
    const pending = this.#field("interruptRequest");
    if (pending & IRQ_ACKNOWLEDGED) return true;
    if (halted === HALTED_WAIT_FOR_SIPI) return (pending & (IRQ_INIT | IRQ_SIPI)) !== 0;
    if (pending & (IRQ_SMI | IRQ_INIT) && this.#field("smm") === 0) return true;
    if (pending & IRQ_NMI && this.#field("nmiBlocked") === 0) return true;
    return (pending & IRQ_INTR) !== 0 && (Number(this.state.eflags) & EFLAGS_IF) !== 0;
  }

  reset(): void {
    resetState(this.state, this.#vm.model.signature);
    applyModel(this.#vm.model, this.state);
    this.call("resetTlb");
    this.call("updateHflags");
    if (!this.#isBootstrap) this.state.halted = HALTED_WAIT_FOR_SIPI;
    this.#vm.forget();
  }

  get #isBootstrap(): boolean {
    const { apic, index } = this.environment;
    return apic ? (apic.base & APIC_BASE_BSP) !== 0 : index === 0;
  }

  setRegisters(registers: CpuRegisters): void {
    const { state } = this;
    SEGMENT_NAMES.forEach((name, i) => {
      const { selector, base, limit, attributes } = registers[name];
      state.segSelector[i] = selector;
      state.segBase[i] = BigInt(base);
      state.segLimit[i] = limit;
      state.segAttr[i] = attributes << 8;
    });
    REGISTER_NAMES.forEach((name, i) => {
      state.regs[i] = BigInt(registers[name]);
    });
    state.gdtBase = BigInt(registers.gdt.base);
    state.gdtLimit = registers.gdt.limit;
    state.idtBase = BigInt(registers.idt.base);
    state.idtLimit = registers.idt.limit;
    state.cr0 = BigInt(registers.cr0);
    state.cr3 = BigInt(registers.cr3);
    state.cr4 = BigInt(registers.cr4);
    state.efer = BigInt(registers.efer);
    state.rip = BigInt(registers.rip);
    state.eflags = BigInt(registers.rflags);
    this.call("setCpl", 0);
    this.flushTlb();
  }

  save(): SavedState {
    const { fields, ...state } = saveState(CPU_STATE, this.state);
    const ccSrc = `0x${(this.call("getFlags") & ARITHMETIC_FLAGS).toString(16)}`;
    const flags = { ccOp: "0x0", ccDst: "0x0", ccSrc, ccSrc2: "0x0", ccCarry: "0x0" };
    return { ...state, fields: { ...fields, ...flags, pending: this.#field("interruptRequest") & ~IRQ_INTR } };
  }

  load(saved: SavedState): void {
    loadRegisters(this.state, saved);
    this.#cache.flush();
    this.call("resetTlb");
    this.call("updateHflags");
    this.#vm.forget();
    this.#request(Number(saved.fields.pending));
  }

  tscToNs(tsc: bigint): number {
    return this.#msrs.timeOfTsc(tsc);
  }

  // ---- running

  run(sharing = false): VcpuExit {
    const { clock } = this.environment;
    if (this.#vm.entered !== this) this.#vm.enter(this);
    this.#setField("sharing", this.#sharing | (sharing ? SHARING_NOW : 0));
    this.#jit?.tick();
    const budget = this.#budget;
    const started = clock.now();
    this.#setField("budget", budget);
    const exit = this.#slice();
    const left = this.#field("budget");
    this.state.instructions += BigInt(budget - left);
    if (left <= 0) this.#adaptBudget(clock.now() - started);
    return exit;
  }

  /** Sets the size of the next slice by the time (ns) that a whole one took. */
  #adaptBudget(elapsed: number): void {
    const wanted = this.#budget * Math.min(SLICE_NS / Math.max(elapsed, 1), 2);
    this.#budget = Math.round(Math.min(Math.max(wanted, SHORTEST_SLICE), LONGEST_SLICE));
  }

  #slice(): VcpuExit {
    for (;;) {
      Atomics.store(this.#i32, this.#base + word(offsets.exitRequest), 0);
      if (this.#field("interruptRequest") !== 0 && this.#takeInterrupt() === "triple-fault") return "triple-fault";
      if (this.#kicked) {
        this.#kicked = false;
        return "slice";
      }
      if (this.#field("halted") !== 0) {
        if (!this.hasWork()) return "halted";
        continue;
      }
      if (this.#field("yielded") !== 0) {
        this.#setField("yielded", 0);
        return "slice";
      }
      const charge = this.#field("charge");
      if (charge !== 0) {
        this.#setField("charge", 0);
        this.#setField("budget", this.#field("budget") - charge);
      }
      if (this.#field("budget") <= 0) return "slice";
      const stepping = (this.#field("hflags") & STEP_FLAGS) !== 0;
      if (!(stepping ? this.#step() : this.#runBlocks())) return "triple-fault";
    }
  }

  /** Runs blocks until something needs the main loop. False on a triple fault. */
  #runBlocks(): boolean {
    let block = this.#findBlock();
    if (!block) return this.#deliverFault();
    if (this.#vm.logBlocks) this.#logExecution(block);
    let pc = block.code;
    for (;;) {
      switch (this.#execute(pc)) {
        case EXIT_LINK: {
          this.#exits.link++;
          const exit = this.#field("opPointer");
          const from = this.#cache.blockAt(exit);
          block = this.#findBlock();
          if (!block) return this.#deliverFault();
          if (from && !from.dead) this.#cache.link(exit, block);
          pc = block.code;
          continue;
        }
        case EXIT_LOOKUP:
          this.#exits.lookup++;
          if (this.#field("hflags") & STEP_FLAGS) return true;
          block = this.#findBlock();
          if (!block) return this.#deliverFault();
          pc = block.code;
          continue;
        case EXIT_FAULT:
          this.#exits.fault++;
          return this.#blockFaulted();
        case EXIT_HOT:
          this.#exits.hot++;
          block = this.#findBlock();
          if (!block) return this.#deliverFault();
          this.#jit?.hot(block);
          block = this.#findBlock();
          if (!block) return this.#deliverFault();
          pc = block.code;
          continue;
        default:
          this.#exits.main++;
          if (this.#field("pendingDebug") !== 0 && this.call("afterInstruction") !== 0) return this.#deliverFault();
          return true;
      }
    }
  }

  /** Runs one instruction with the checks that breakpoints, single step and interrupt shadows want. */
  #step(): boolean {
    if (this.call("beforeInstruction") !== 0) return this.#deliverFault();
    const block = this.#findBlock(1);
    if (!block) return this.#deliverFault();
    if (this.#execute(block.code) === EXIT_FAULT) return this.#blockFaulted();
    return this.call("afterInstruction") === 0 || this.#deliverFault();
  }

  #execute(pc: number): number {
    try {
      const exit = this.#interpret(this.env, pc);
      if (exit !== EXIT_FAULT) this.#setField("region", 0);
      return exit;
    } catch (error) {
      if (error !== GUEST_FAULT) throw error;
      return EXIT_FAULT;
    }
  }

  /** After a fault inside a block: rip and ccOp of the faulting instruction, then delivery. */
  #blockFaulted(): boolean {
    if (this.#field("exactRip") !== 0) return this.#deliverFault();
    if (this.#field("region") !== 0) return this.#regionFaulted();
    const address = this.#field("opPointer");
    const block = this.#cache.blockAt(address) ?? this.#transient;
    if (block && this.#field("excVector") === EXC_STALE_BLOCK) {
      this.#setField("excVector", -1);
      if (!block.dead) this.#cache.kill(block);
      return true;
    }
    if (block) {
      if (address < block.code + block.points[0] && block.insns > 1) return this.#runSingle();
      const point = insnPointAt(block, address);
      if (point.ccOp !== CC_DYNAMIC) this.state.ccOp = BigInt(point.ccOp);
      const rip = this.state.rip + BigInt(point.offset);
      this.state.rip = block.hflags & HF_CS64 ? rip : BigInt.asUintN(32, rip);
    }
    return this.#deliverInstructionFault();
  }

  /** Delivers the exception that the instruction at rip met. */
  #deliverInstructionFault(): boolean {
    refineFault(this.state, this.#u8, (offset) => this.call("locateCode", offset) >>> 0);
    return this.#deliverFault();
  }

  /** After a fault inside a compiled region: its rip and ccOp, then delivery. */
  #regionFaulted(): boolean {
    const { state } = this;
    const region = this.#jit!.region(state.region)!;
    state.region = 0;
    const { points } = region.region!;
    const point = state.opPointer * 2;
    const ccOp = points[point + 1];
    if (ccOp !== CC_DYNAMIC) state.ccOp = BigInt(ccOp);
    const rip = state.regionRip + BigInt(points[point]);
    state.rip = region.hflags & HF_CS64 ? BigInt.asUintN(64, rip) : BigInt.asUintN(32, rip);
    if (state.excVector !== EXC_OWN_CODE) return this.#deliverInstructionFault();
    state.excVector = -1;
    if (!region.dead) this.#cache.kill(region);
    return true;
  }

  /** The code limit check of a whole block failed: it may fail for a later instruction only. */
  #runSingle(): boolean {
    this.#setField("excVector", -1);
    const block = this.#translate(this.call("locateCode", 0), 1);
    if (!block) return this.#deliverFault();
    return this.#execute(block.code) === EXIT_FAULT ? this.#blockFaulted() : true;
  }

  /** Delivers the exception in env. False on a triple fault. */
  #deliverFault(): boolean {
    for (;;) {
      if (this.#logInterrupts) this.#logException();
      try {
        return this.call("deliverException") === 0;
      } catch (error) {
        if (error !== GUEST_FAULT) throw error;
      }
    }
  }

  #logException(): void {
    const { state } = this;
    const hex = (value: number | bigint): string => value.toString(16).padStart(4, "0");
    const error = state.excHasError ? ` e=${hex(state.excError)}` : "";
    const where = `cpl=${state.hflags & HF_CPL} IP=${hex(state.segSelector[1])}:${hex(state.rip)}`;
    const stack = `SP=${hex(state.segSelector[2])}:${hex(state.regs[4])}`;
    this.environment.log?.line("int", `v=${hex(state.excVector)}${error} ${where} ${stack} CR2=${hex(state.cr2)}`);
  }

  #takeInterrupt(): "taken" | "none" | "triple-fault" {
    const pending = this.#field("interruptRequest");
    if (pending & IRQ_ACKNOWLEDGED) {
      this.#withdraw(ACKNOWLEDGED_BITS);
      return this.#deliverInterrupt((pending >> ACKNOWLEDGED_VECTOR_SHIFT) & 0xff);
    }
    // SMM holds INIT off until RSM.
    if (pending & IRQ_INIT && this.#field("smm") === 0) {
      this.#withdraw(IRQ_INIT);
      initState(this.state, this.#vm.model.signature);
      this.call("updateHflags");
      this.flushTlb();
      if (!this.#isBootstrap) this.state.halted = HALTED_WAIT_FOR_SIPI;
      return "taken";
    }
    if (this.#field("halted") === HALTED_WAIT_FOR_SIPI) {
      if (pending & IRQ_SIPI) this.#startAt((pending >> SIPI_VECTOR_SHIFT) & 0xff);
      return "taken";
    }
    if (pending & IRQ_SMI && this.#field("smm") === 0) {
      this.#withdraw(IRQ_SMI);
      return this.#guarded("enterSmm") ? "taken" : "triple-fault";
    }
    if (this.#field("inhibit") !== 0) return "none";
    if (pending & IRQ_NMI && this.#field("nmiBlocked") === 0) {
      this.#withdraw(IRQ_NMI);
      this.#setField("halted", 0);
      this.#interrupts++;
      return this.#guarded("deliverNmi") ? "taken" : "triple-fault";
    }
    if (pending & IRQ_INTR && Number(this.state.eflags) & EFLAGS_IF) {
      const vector = this.environment.interrupts.acknowledge();
      return vector < 0 ? "none" : this.#deliverInterrupt(vector);
    }
    return "none";
  }

  #deliverInterrupt(vector: number): "taken" | "triple-fault" {
    this.#setField("halted", 0);
    this.#interrupts++;
    if (this.#logInterrupts) this.environment.log?.line("int", `Servicing hardware INT=0x${vector.toString(16)}`);
    return this.#guarded("deliverInterrupt", vector) ? "taken" : "triple-fault";
  }

  /** The Startup IPI: real mode at `vector << 12`. */
  #startAt(vector: number): void {
    const { state } = this;
    this.#withdraw(SIPI_BITS);
    state.segSelector[CS] = vector << 8;
    state.segBase[CS] = BigInt(vector << 12);
    state.rip = 0n;
    state.halted = 0;
    this.call("updateHflags");
  }

  /** Runs a helper that may raise an exception, and delivers that. */
  #guarded(name: string, ...args: number[]): boolean {
    try {
      this.call(name, ...args);
      return true;
    } catch (error) {
      if (error !== GUEST_FAULT) throw error;
      return this.#deliverFault();
    }
  }

  // ---- blocks

  /** A block that is in no cache (code outside plain memory), for the fault handler. */
  #transient: TranslationBlock | undefined;

  /** The block at CS:rip, translated if need be. Undefined when the fetch faulted. */
  #findBlock(maxInsns = this.#vm.options.oneInsn ? 1 : undefined): TranslationBlock | undefined {
    const phys = this.call("locateCode", 0) >>> 0;
    if (phys === FETCH_FAULT) return undefined;
    if (phys === FETCH_MMIO) return this.#translateOutsideMemory();
    const block = this.#cache.find(phys, this.#field("hflags"));
    if (!block) return this.#translate(phys, maxInsns);
    this.#cache.publish(block);
    return block;
  }

  #nextPage(phys: number): number {
    return this.call("locateCode", PAGE_SIZE - (phys % PAGE_SIZE)) >>> 0;
  }

  #source(phys: number): CodeSource {
    const available = PAGE_SIZE - (phys % PAGE_SIZE);
    return { phys, bytes: this.#u8, offset: phys, available, nextPage: () => this.#nextPage(phys) };
  }

  #translate(phys: number, maxInsns?: number): TranslationBlock | undefined {
    const source = this.#source(phys);
    const block = this.#translator.translate(source, this.#field("hflags"), maxInsns);
    if (!block) return undefined;
    if (this.environment.log?.has("in_asm")) this.#logBlock(source, block.length);
    this.#translated++;
    this.#guestBytes += block.length;
    if (maxInsns === undefined) this.#cache.publish(block);
    return block;
  }

  #logBlock(source: CodeSource, length: number): void {
    const { state } = this;
    const base = state.rip + state.segBase[1];
    const lines = this.#translator.disassemble(source, state.hflags, length, base);
    this.environment.log?.line("in_asm", `----------------\nIN:\n${lines.join("\n")}\n`);
  }

  #logExecution({ code, hflags }: TranslationBlock): void {
    const { log } = this.environment;
    const { segBase, rip } = this.state;
    const hex = (value: number | bigint): string => value.toString(16).padStart(8, "0");
    log?.line(
      "exec",
      `Trace ${this.environment.index}: 0x${hex(code)} [${hex(segBase[1])}/${hex(rip)}/${hex(hflags)}]`,
    );
    if (log?.has("cpu")) log.line("cpu", this.dumpRegisters());
  }

  /** Code in device memory is read byte by byte and runs one instruction at a time, without being kept. */
  #translateOutsideMemory(): TranslationBlock | undefined {
    const { memory } = this.environment;
    const start = Number(this.state.scratch[0]);
    const bytes = Uint8Array.from({ length: MAX_INSN_LENGTH }, (_, i) => memory.read(start + i, 1));
    const source: CodeSource = { phys: 0, bytes, offset: 0, available: bytes.length, nextPage: () => 0 };
    this.#transient = this.#translator.translate(source, this.#field("hflags"), 1);
    return this.#transient;
  }

  /** What memory is where has changed. */
  flushTlb(): void {
    this.call("flushTlb", 1);
  }

  // ---- monitor

  get instructionPointer(): bigint {
    return BigInt.asUintN(64, this.state.rip + this.state.segBase[1]);
  }

  get codeSize(): CodeSize {
    const { hflags } = this.state;
    return hflags & HF_CS64 ? 64 : hflags & HF_CS32 ? 32 : 16;
  }

  dumpRegisters(): string {
    return dumpState(this.state, this.call("getFlags"));
  }

  dumpTlb(): string {
    return describeTlb(this.environment.memory, this.state);
  }

  dumpMemoryMap(): string {
    return describeMappings(this.environment.memory, this.state);
  }

  translate(virtual: bigint): number | undefined {
    const debugTranslate = this.#helpers.exports.debugTranslate as unknown as (env: number, address: bigint) => bigint;
    const physical = debugTranslate(this.env, virtual);
    return physical < 0n ? undefined : Number(physical);
  }

  statistics(): [string, string][] {
    const { state } = this;
    const { main, link, lookup, fault, hot } = this.#exits;
    return [
      ["instructions", String(state.instructions)],
      ["blocks translated", String(this.#translated)],
      ["blocks live", String(this.#cache.count)],
      ["guest bytes per block", (this.#guestBytes / Math.max(1, this.#translated)).toFixed(1)],
      ["TLB misses", String(state.tlbMisses)],
      ["TLB flushes", String(state.tlbFlushes)],
      ["page faults", String(state.pageFaults)],
      ["interrupts", String(this.#interrupts)],
      ["exits", `main ${main}, link ${link}, lookup ${lookup}, fault ${fault}, hot ${hot}`],
      ...(this.#jit?.describe() ?? []),
    ];
  }

  dumpTranslation(): string {
    const { backend, threshold } = this.#vm.options;
    const rows: [string, string][] = [["back end", backend], ["threshold", String(threshold)], ...this.statistics()];
    return `Translation state:\n${rows.map(([name, value]) => `${name.padEnd(24)} ${value}\n`).join("")}`;
  }
}
