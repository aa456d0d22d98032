/**
 * Our side of the oracle: runs bytes of user code through decoder, translator, optimiser and interpreter, at the same
 * virtual addresses as on the host, mapped by page tables of its own. 16-bit code runs on a 16-bit stack. Or, in place
 * of the interpreter, each block is compiled as a region of its own.
 */

import { BlockTranslator } from "../../accel/tcg/engine/block-translator.ts";
import { CodeCache, insnPointAt, type TranslationBlock } from "../../accel/tcg/engine/code-cache.ts";
import { type Helpers, loadHelpers } from "../../accel/tcg/engine/helpers.ts";
import { refineFault } from "../../accel/tcg/engine/instruction-fault.ts";
import type { CodeSource } from "../../accel/tcg/engine/ir-translator.ts";
import {
  CC_DYNAMIC,
  CPU_SECTION_SIZE,
  CPU_STATE,
  HF_CS32,
  HF_CS64,
  HF_INHIBIT,
  HF_SEGCHECK,
} from "../../accel/tcg/env.ts";
import { EXIT_FAULT, generateInterpreter, LOOKUP_SECTION_SIZE } from "../../accel/tcg/interp/generate.ts";
import type { RegionBackend } from "../../accel/tcg/jit/backend.ts";
import { connect, makeReducible } from "../../accel/tcg/jit/region.ts";
import { OPCODE_ROWS } from "../../accel/tcg/x86/rows.ts";
import { PAGE_READ, PAGE_WRITE } from "../../core/memory/address-space.ts";
import { GuestMemory } from "../../core/memory/guest-memory.ts";
import { type State, StateArena } from "../../core/state/state.ts";
import { descriptor, LINUX_SEGMENTS, type Segment } from "./descriptors.ts";
import { type Bits, type CpuImage, FLAT } from "./native.ts";

const CS = 1;
const CODE_SIZE = 4 * 2 ** 20;
const PAGE = 4096;
/** Where in a page of its own the fault handling sees an instruction. */
const CODE_AT = 16;
const RAM_PAGES = 64;
const PTE_FLAGS = 7n;
const PTE_WRITABLE = 2n;
const PTE_USER = 4n;
/** Where the local descriptor table is, in the page of the global one, and what LDTR holds. */
const LDT_AT = 0x800;
const LDT_ATTRIBUTES = 0x8200;
const LDT_SELECTOR = 0x50;
const GDT_LIMIT = 127;
/** Where in the data an FXSAVE image is passed to and from the helpers. */
const FX_IMAGE = 0x100;
const REX_W = 1;
/** Attributes of flat user code segments. */
const CS64 = 0x00a0fb00;
const CS32 = 0x00c0fb00;
const CS16 = 0x0080fb00;
const SS16 = 0x0080f300;
const MAX_BLOCKS = 1000;
const PAGE_FAULT = 14;
const EFLAGS_AC = 0x40000n;
const GUEST_FAULT = { guestFault: true };

/** The instruction that a fault belongs to. */
interface Point {
  /** Bytes from the block's start. */
  readonly offset: number;
  readonly ccOp: number;
}

interface Compiled {
  readonly run: (env: number) => number;
  readonly points: Int32Array;
}

const pointOf = (points: Int32Array, index: number): Point => ({
  offset: points[index * 2],
  ccOp: points[index * 2 + 1],
});

export interface EngineOptions {
  /** Offsets of pages in the data that are absent or read-only. */
  readonly absent?: number;
  readonly readOnly?: number;
  /** The local descriptor table. */
  readonly descriptors?: readonly Segment[];
  /** Makes the back end that compiles blocks, where the mode allows it. */
  readonly backend?: MakeBackend;
}

/** `regions` is the table for functions, `lookup` an address that they may return. */
export type MakeBackend = (
  memory: WebAssembly.Memory,
  helpers: Helpers,
  regions: WebAssembly.Table,
  lookup: number,
  env: number,
) => RegionBackend;

export class OracleEngine {
  readonly memory = GuestMemory.create({
    reserved: CPU_SECTION_SIZE + LOOKUP_SECTION_SIZE + CODE_SIZE + 8 * 2 ** 20,
    ram: RAM_PAGES * PAGE,
  });
  readonly state: State<typeof CPU_STATE>;
  /** The memory mapped at `dataAddress`. */
  readonly data: Uint8Array;
  readonly #env: number;
  readonly #fxAddress: bigint;
  readonly #cache: CodeCache;
  #mode: unknown[] = [];
  #helpers!: Helpers;
  #translator!: BlockTranslator;
  #run!: (env: number, pc: number) => number;
  readonly #makeBackend: MakeBackend | undefined;
  readonly #regions = new WebAssembly.Table({ element: "anyfunc", initial: 1, maximum: 1 });
  /** Interpreter code as regions refer to it: never run. */
  readonly #exits: number;
  #backend: RegionBackend | undefined;

  /** `dataSize` bytes of memory appear at virtual address `dataAddress`, a multiple of the page size. */
  private constructor(dataAddress: bigint, dataSize: number, options: EngineOptions) {
    const { absent, readOnly, descriptors = [], backend } = options;
    const { memory } = this;
    this.#makeBackend = backend;
    this.#exits = memory.reserve("exits", LOOKUP_SECTION_SIZE, PAGE);
    this.#fxAddress = dataAddress + BigInt(FX_IMAGE);
    this.#env = memory.reserve("env", CPU_SECTION_SIZE, PAGE);
    const code = memory.reserve("code", CODE_SIZE, PAGE);
    const pageMap = memory.reserve("page-map", 4 * 2 ** 20, PAGE);
    const ram = memory.reserve("ram", RAM_PAGES * PAGE, PAGE);
    const map = new Uint32Array(memory.buffer, pageMap, 2 ** 20);
    for (let page = 0; page < RAM_PAGES; page++) map[page] = (ram + page * PAGE) | PAGE_READ | PAGE_WRITE;
    this.state = new StateArena(memory.buffer, this.#env, CPU_SECTION_SIZE).attach("cpu", CPU_STATE);
    this.#cache = new CodeCache(memory.buffer, this.#exits, code, CODE_SIZE, () => {});
    const { state } = this;
    state.excVector = -1;
    state.a20Mask = 0xffffffff;
    state.pageMap = pageMap;
    state.dr[7] = 0x400n;
    // PE MP NE WP AM PG; PAE OSFXSR OSXMMEXCPT OSXSAVE; LME LMA.
    state.cr0 = 0x80050023n;
    state.cr4 = 0x40620n;
    state.xcr0 = 3n;
    state.efer = 0x501n;
    state.features.fill(0xffffffff);
    state.hflags = 3;
    // Page tables in the first pages of RAM, data after them.
    const firstData = 4 + Math.ceil((dataSize / PAGE + 1) / 512);
    this.data = memory.u8.subarray(ram + firstData * PAGE, ram + firstData * PAGE + dataSize);
    const entry = (table: number, index: bigint, page: number, flags = PTE_FLAGS): void => {
      memory.view.setBigUint64(ram + table * PAGE + Number(index & 511n) * 8, BigInt(page * PAGE) | flags, true);
    };
    entry(0, dataAddress >> 39n, 1);
    entry(1, dataAddress >> 30n, 2);
    const tables = dataSize / PAGE;
    for (let page = 0; page <= tables; page++) {
      const address = dataAddress + BigInt(page * PAGE);
      const table = 3 + Number((address >> 21n) - (dataAddress >> 21n));
      if (table >= firstData) throw new RangeError("data spans too many page tables");
      entry(2, address >> 21n, table);
      if (page * PAGE === absent) continue;
      const missing = page * PAGE === readOnly ? PTE_WRITABLE : page === tables ? PTE_USER : 0n;
      entry(table, address >> 12n, firstData + page, PTE_FLAGS & ~missing);
    }
    state.cr3 = 0n;
    // The descriptor tables are in the page after the data.
    const table = ram + (firstData + tables) * PAGE;
    const put = (offset: number, list: readonly Segment[]): void =>
      list.forEach((segment, index) => {
        memory.view.setBigUint64(table + offset + 8 * index, descriptor(segment), true);
      });
    put(8, LINUX_SEGMENTS);
    put(LDT_AT, descriptors);
    state.gdtBase = dataAddress + BigInt(dataSize);
    state.gdtLimit = GDT_LIMIT;
    state.ldtBase = state.gdtBase + BigInt(LDT_AT);
    state.ldtLimit = descriptors.length * 8 - 1;
    state.ldtAttr = descriptors.length > 0 ? LDT_ATTRIBUTES : 0;
    state.ldtSelector = LDT_SELECTOR;
  }

  static async create(dataAddress: bigint, dataSize: number, options: EngineOptions = {}): Promise<OracleEngine> {
    const engine = new OracleEngine(dataAddress, dataSize, options);
    await engine.#load();
    return engine;
  }

  async #load(): Promise<void> {
    const { memory } = this;
    const absent = (): never => {
      throw new Error("user code reached the machine");
    };
    this.#helpers = await loadHelpers(memory.memory, {
      throwFault() {
        throw GUEST_FAULT;
      },
      mmioRead: absent,
      mmioWrite: absent,
      notifyWrite: absent,
      runsCode: () => 0,
      portIn: absent,
      portOut: absent,
      readTpr: absent,
      writeTpr: absent,
      readTsc: absent,
      random: absent,
      readMsr: absent,
      writeMsr: absent,
      cpuid: absent,
      ferr: () => {},
      smmChanged: () => {},
    });
    const { table, numbers, exports } = this.#helpers;
    const module = new WebAssembly.Module(
      generateInterpreter(memory.buffer.byteLength / 65536, table.length, this.#exits),
    );
    const instance = new WebAssembly.Instance(module, {
      host: {
        memory: memory.memory,
        helpers: table,
        regions: this.#regions,
      },
      helpers: exports as unknown as WebAssembly.ModuleImports,
    });
    this.#run = instance.exports.run as never;
    this.#translator = new BlockTranslator(memory.buffer, this.#cache, OPCODE_ROWS, numbers, () => true);
    this.#backend = this.#makeBackend?.(memory.memory, this.#helpers, this.#regions, this.#exits, this.#env);
    this.#call("resetTlb");
    this.#call("updateHflags");
  }

  #helper(name: string, a: bigint, b: bigint, imm: number): void {
    (this.#helpers.exports[name] as unknown as (env: number, a: bigint, b: bigint, imm: number) => bigint)(
      this.#env,
      a,
      b,
      imm,
    );
  }

  #call(name: string, ...args: number[]): number {
    return (this.#helpers.exports[name] as (...args: number[]) => number)(this.#env, ...args);
  }

  /** Puts the CPU into the mode of a case; what follows from it is computed only when it changes. */
  #enter(bits: Bits, loaded: readonly Segment[], alignment: boolean): void {
    const mode = [bits, loaded, alignment];
    if (mode.every((value, index) => value === this.#mode[index])) return;
    this.#mode = mode;
    const { state } = this;
    for (const [index, { selector, base, limit, attributes }] of loaded.entries()) {
      state.segSelector[index] = selector;
      state.segBase[index] = base;
      state.segLimit[index] = limit;
      state.segAttr[index] = attributes;
    }
    state.segSelector[1] = bits === 64 ? 0x33 : bits === 32 ? 0x23 : 0x07;
    state.segAttr[1] = bits === 64 ? CS64 : bits === 32 ? CS32 : CS16;
    if (bits === 16 && loaded === FLAT) state.segAttr[2] = SS16;
    state.eflags = alignment ? EFLAGS_AC : 0n;
    state.inhibit = 0;
    state.shadowOver = 0;
    this.#call("updateHflags");
  }

  /**
   * Runs `code` at offset `address` from the registers in `image` until it falls off its end or faults, and stores the
   * registers back; x87 and SSE state only if `float`. Returns undefined, or what went wrong.
   */
  run(
    code: Uint8Array,
    address: bigint,
    image: CpuImage,
    float: boolean,
    bits: Bits = 64,
    loaded: readonly Segment[] = FLAT,
  ): string | undefined {
    const { state } = this;
    if (float) {
      this.#enter(64, FLAT, false);
      this.data.set(image.fx, FX_IMAGE);
      this.#helper("fxrstor", this.#fxAddress, 0n, REX_W);
    }
    this.#enter(bits, loaded, (image.rflags & EFLAGS_AC) !== 0n);
    for (let index = 0; index < 16; index++) state.regs[index] = image.gpr[index];
    state.rip = address;
    state.ccOp = 0n;
    state.ccSrc = image.rflags & 0x8d5n;
    state.df = image.rflags & 0x400n ? -1n : 1n;
    state.eflags = (image.rflags & 0x244000n) | 0x202n;
    const problem = this.#blocks(code, address, image);
    state.excVector = -1;
    const direction = BigInt.asIntN(64, state.df) < 0n ? 0x400n : 0n;
    image.rflags = BigInt(this.#call("getFlags") >>> 0) | direction | state.eflags | 2n;
    image.selectors = loaded.map(({ selector }, index) => (index === CS ? selector : state.segSelector[index]));
    // The code may have changed EFLAGS.AC and segments.
    this.#mode = [];
    if (float) {
      this.#enter(64, FLAT, false);
      this.#helper("fxsave", this.#fxAddress, 0n, REX_W);
      image.fx.set(this.data.subarray(FX_IMAGE, FX_IMAGE + 512));
    }
    for (let index = 0; index < 16; index++)
      image.gpr[index] = BigInt.asUintN(bits === 64 ? 64 : 32, state.regs[index]);
    return problem;
  }

  #blocks(code: Uint8Array, address: bigint, image: CpuImage): string | undefined {
    const { state } = this;
    for (let count = 0; count < MAX_BLOCKS; count++) {
      const offset = Number(state.rip - address);
      if (offset === code.length) return undefined;
      if (offset < 0 || offset > code.length) return `rip is ${offset} bytes into the code`;
      const source = { phys: 0, bytes: code, offset, available: code.length - offset, nextPage: () => 0 };
      const block = this.#translator.translate(source, state.hflags);
      if (!block) return "instruction is cut off";
      // A look-up of code that is in no page has left a fault.
      state.excVector = -1;
      state.budget = 1000;
      state.exitRequest = 0;
      const shadowed = (state.hflags & HF_INHIBIT) !== 0;
      const compiled = shadowed ? undefined : this.#compile(source, block);
      if (shadowed) this.#call("beforeInstruction");
      try {
        if ((compiled ? compiled.run(this.#env) : this.#run(this.#env, block.code)) !== EXIT_FAULT) {
          if (shadowed) this.#call("afterInstruction");
          continue;
        }
      } catch (error) {
        if (error !== GUEST_FAULT) throw error;
      }
      const point = compiled ? pointOf(compiled.points, state.opPointer) : insnPointAt(block, state.opPointer);
      this.#faulted(point, image, code.subarray(offset));
      return `exception ${state.excVector}`;
    }
    return "endless";
  }

  /** The block as a compiled region, if there is a back end and the mode is one that it takes. */
  #compile(source: CodeSource, { hflags, insns, length }: TranslationBlock): Compiled | undefined {
    const { state } = this;
    const suits = (hflags & HF_CS64) !== 0 || (hflags & (HF_CS32 | HF_SEGCHECK)) === HF_CS32;
    const ir = this.#backend && suits ? this.#translator.intermediate(source, hflags, insns) : undefined;
    if (!this.#backend || !ir) return undefined;
    const region = connect(0, hflags, [{ phys: 0, length, insns, delta: 0, ir }], [[]]);
    makeReducible(region);
    const batch = this.#backend.compile([region]);
    batch.install([{ place: 0, cells: this.#exits }]);
    const [{ points }] = batch.regions;
    state.region = 1;
    state.regionRip = state.rip;
    return { points, run: this.#regions.get(0) as (env: number) => number };
  }

  /** As the run loop does: registers as they were before the faulting instruction. */
  #faulted(point: Point, image: CpuImage, code: Uint8Array): void {
    const { state } = this;
    if (point.ccOp !== CC_DYNAMIC) state.ccOp = BigInt(point.ccOp);
    state.rip += BigInt(point.offset);
    const bytes = new Uint8Array(PAGE);
    bytes.set(code.subarray(point.offset), CODE_AT);
    refineFault(state, bytes, (offset) => CODE_AT + offset);
    image.fault = {
      vector: state.excVector,
      error: state.excHasError ? state.excError : 0,
      rip: state.rip,
      address: state.excVector === PAGE_FAULT ? state.cr2 : 0n,
    };
  }
}
