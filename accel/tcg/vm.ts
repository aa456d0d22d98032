/**
 * What the CPUs of a machine share: translated code, compiled regions, the interpreter and the helpers.
 *
 * Invariants:
 *  1. All CPUs run in one thread, in turn. `current` is the one that runs or ran last; helpers work for it.
 *  2. Between two runs no CPU is inside a block, so code may come and go as one CPU likes.
 *  3. The page map, PAGE_CODE and PAGE_LOG in it and the TLBs of all CPUs agree: whatever changes one, changes all.
 */

import type { AcceleratorVm, VcpuEnvironment, VmEnvironment } from "../../core/accel.ts";
import type { AccessSize } from "../../core/bus/io.ts";
import type { Properties } from "../../core/device.ts";
import { PAGE_CODE } from "../../core/memory/address-space.ts";
import type { CpuModel } from "../x86/cpuid.ts";
import { startCompilation } from "./compilation.ts";
import { BlockTranslator } from "./engine/block-translator.ts";
import { CodeCache, nextInsnPoint, overlaps } from "./engine/code-cache.ts";
import { type HelperHost, type Helpers, loadHelpers } from "./engine/helpers.ts";
import { logIntermediateCode } from "./engine/translation-log.ts";
import { CPU_SECTION_SIZE, HF_CS64 } from "./env.ts";
import { generateInterpreter, LOOKUP_SECTION_SIZE } from "./interp/generate.ts";
import { Jit } from "./jit/jit.ts";
import { createSurroundings } from "./jit/surroundings.ts";
import { type TcgOptions, tcgOptions } from "./properties.ts";
import { GUEST_FAULT, TcgVcpu } from "./vcpu.ts";
import { parseModel } from "./x86/cpu-model.ts";
import { OPCODE_ROWS } from "./x86/rows.ts";

/** Code memory in bytes. */
const CODE_SIZE = 48 * 2 ** 20;
const PAGE_SIZE = 4096;
const REGION_PLACES = 16384;

export class TcgVm implements AcceleratorVm {
  readonly environment: VmEnvironment;
  readonly options: TcgOptions;
  readonly cache: CodeCache;
  /** -d exec or cpu: every block is logged before it runs. */
  readonly logBlocks: boolean;
  current!: TcgVcpu;
  /** The one whose turn has begun: `current`, but for a change from outside. */
  entered: TcgVcpu | undefined;
  helpers!: Helpers;
  model!: CpuModel;
  translator!: BlockTranslator;
  interpret!: (env: number, pc: number) => number;
  jit: Jit | undefined;
  /** Those that were made, in the order of their indices. */
  readonly #vcpus: TcgVcpu[] = [];
  /** Addresses of their sections. */
  readonly #sections: readonly number[];
  /** Address of interpreter code that finds the block at env.rip; the look-up cache follows it. */
  readonly #lookup: number;
  /** Address of the word that holds the address of the current CPU's section. */
  readonly #currentWord: number;
  readonly #words: Int32Array;
  readonly #regions = new WebAssembly.Table({ element: "anyfunc", initial: REGION_PLACES, maximum: REGION_PLACES });
  /** What the chipset knows. */
  #smm: boolean | undefined;

  private constructor(environment: VmEnvironment, options: TcgOptions) {
    const { log, vcpus } = environment;
    const { memory } = environment.memory;
    this.environment = environment;
    this.options = options;
    this.logBlocks = (log?.has("exec") || log?.has("cpu")) ?? false;
    this.#words = new Int32Array(memory.buffer);
    this.#sections = Array.from({ length: vcpus }, (_, i) => memory.reserve(`cpu${i}`, CPU_SECTION_SIZE, PAGE_SIZE));
    this.#currentWord = memory.reserve("tcg-current", PAGE_SIZE, PAGE_SIZE);
    this.#lookup = memory.reserve("tcg-lookup", LOOKUP_SECTION_SIZE, PAGE_SIZE);
    this.cache = new CodeCache(
      memory.buffer,
      this.#lookup,
      memory.reserve("tcg-code", CODE_SIZE, PAGE_SIZE),
      CODE_SIZE,
      (address, on) => environment.memory.setPageFlag(address, PAGE_CODE, on),
      (block, overwritten) => this.jit?.killed(block, overwritten),
    );
  }

  static async create(environment: VmEnvironment, properties: Properties): Promise<TcgVm> {
    const vm = new TcgVm(environment, tcgOptions(properties));
    const { memory } = environment;
    const wasm = memory.memory.memory;
    vm.helpers = await loadHelpers(wasm, vm.#helperHost());
    memory.onWrite((address, length) => vm.#written(address, length));
    memory.onMapChange(() => {
      for (const vcpu of vm.#vcpus) vcpu.flushTlb();
    });
    memory.onWatch((address, watched) => {
      for (const vcpu of vm.#vcpus) vcpu.call("tlbSetNotify", address, watched ? 1 : 0);
    });
    const { table, exports } = vm.helpers;
    const pages = wasm.buffer.byteLength / 65536;
    const module = new WebAssembly.Module(generateInterpreter(pages, table.length, vm.#lookup));
    const instance = new WebAssembly.Instance(module, {
      host: { memory: wasm, helpers: table, regions: vm.#regions },
      helpers: exports as unknown as WebAssembly.ModuleImports,
    });
    vm.interpret = instance.exports.run as never;
    return vm;
  }

  async createVcpu(environment: VcpuEnvironment): Promise<TcgVcpu> {
    const { index, model } = environment;
    if (index === 0) await this.#startTranslation(model);
    const vcpu = new TcgVcpu(environment, this, this.#sections[index]);
    this.#vcpus.push(vcpu);
    if (index === 0) this.current = vcpu;
    vcpu.reset();
    return vcpu;
  }

  get #severalCpus(): boolean {
    return this.environment.vcpus > 1;
  }

  /** All CPUs are of one model. */
  async #startTranslation(text: string): Promise<void> {
    const { log, memory, topology } = this.environment;
    this.model = parseModel(text, topology);
    for (const warning of this.model.warnings) log?.print(`qemu-next: warning: ${warning}`);
    const { buffer } = memory.memory;
    this.translator = new BlockTranslator(buffer, this.cache, OPCODE_ROWS, this.helpers.numbers, (feature) =>
      this.model.has(feature),
    );
    const { lowerer } = this.translator;
    lowerer.lowerLookup(this.#lookup);
    logIntermediateCode(this.translator, this.helpers, log);
    this.translator.leaveAlways = this.logBlocks;
    this.translator.severalCpus = this.#severalCpus;
    if (this.options.backend !== "interp" && !this.logBlocks) await this.#startJit(text);
  }

  async #startJit(model: string): Promise<void> {
    const { memory, log } = this.environment;
    const { translator, helpers } = this;
    const { threshold, regionInsns } = this.options;
    const { table, queue } = await startCompilation(this.options, {
      memory: memory.memory.memory,
      helpers,
      regions: this.#regions,
      lookup: this.#lookup,
      env: { fixed: this.#sections[0], current: this.#severalCpus ? this.#currentWord : undefined },
      translator,
      model,
      severalCpus: this.#severalCpus,
      log,
    });
    translator.lowerer.hotCount = threshold;
    this.cache.hotCount = threshold;
    const around = createSurroundings(memory.memory, () => this.current.state, this.cache);
    const options = { places: REGION_PLACES, insns: regionInsns, log };
    this.jit = new Jit(table, queue, this.cache, translator.lowerer, around, options);
  }

  /** From now on `vcpu` runs. */
  enter(vcpu: TcgVcpu): void {
    this.current = vcpu;
    this.entered = vcpu;
    this.#words[this.#currentWord >>> 2] = vcpu.env;
    vcpu.environment.scheduled?.();
    this.#showSmm(vcpu.state.smm !== 0);
  }

  /** A CPU was reset or loaded: the next turn begins with telling what is so now. */
  forget(): void {
    this.entered = undefined;
    this.#smm = undefined;
  }

  /** The chipset shows SMRAM to a CPU in system management mode, and to no other. */
  #showSmm(active: boolean): void {
    if (active === this.#smm) return;
    this.#smm = active;
    this.current.environment.smmChanged?.(active);
  }

  #helperHost(): HelperHost {
    const { memory } = this.environment;
    return {
      throwFault() {
        throw GUEST_FAULT;
      },
      mmioRead: (low, high, size) => memory.read((low >>> 0) + (high >>> 0) * 2 ** 32, size as AccessSize),
      mmioWrite: (low, high, size, value) => {
        this.current.environment.clock.poll();
        memory.write((low >>> 0) + (high >>> 0) * 2 ** 32, value >>> 0, size as AccessSize);
      },
      notifyWrite: (address, length) => memory.notifyWrite(address >>> 0, length >>> 0),
      runsCode: (address, length) => this.#runsCode(address >>> 0, length >>> 0),
      portIn: (port, size) => this.current.environment.ports.read(port, size as AccessSize),
      portOut: (port, size, value) => {
        const { clock, ports } = this.current.environment;
        clock.poll();
        ports.write(port, value >>> 0, size as AccessSize);
      },
      readTpr: () => this.current.environment.apic?.tpr ?? 0,
      writeTpr: (value) => {
        const { apic } = this.current.environment;
        if (apic) apic.tpr = value;
      },
      readTsc: () => this.current.readTsc(),
      // Loaded when a guest asks for random numbers: it takes a good part of the thread's start.
      random: () => process.getBuiltinModule("node:crypto").randomBytes(8).readBigUInt64LE(),
      readMsr: (index) => this.current.readMsr(index >>> 0),
      writeMsr: (index) => this.current.writeMsr(index >>> 0),
      cpuid: (leaf, subleaf) => this.current.cpuid(leaf >>> 0, subleaf >>> 0),
      ferr: () => this.current.environment.ferr?.(true),
      smmChanged: (active) => this.#showSmm(active !== 0),
    };
  }

  #runsCode(address: number, length: number): number {
    if (!this.cache.mayHold(address, length)) return 0;
    const region = this.jit?.region(this.current.state.region);
    return region && overlaps(region, address, length) ? 1 : 0;
  }

  /** Memory that holds code may have changed. A block that changed itself is left after the present instruction. */
  #written(address: number, length: number): void {
    const { cache, current } = this;
    if (!cache.mayHold(address, length)) return;
    const region = this.jit?.region(current.state.region);
    if (region) {
      cache.invalidate(address, length);
      if (region.dead) current.state.regionStale = 1;
      return;
    }
    const pointer = current.state.opPointer;
    const block = cache.blockAt(pointer);
    const wasLive = block !== undefined && !block.dead;
    cache.invalidate(address, length);
    if (!wasLive || !block.dead) return;
    const next = nextInsnPoint(block, pointer);
    if (next) this.translator.patchExit(next.code, next.offset, (block.hflags & HF_CS64) !== 0, next.ccOp);
  }
}
