/**
 * Runs IR blocks over a memory of their own, with real helpers, in the interpreter and compiled as regions. Guest memory
 * has two pages of RAM without paging; what lies beside them is a device that answers every read with its address.
 */

import { loadHelpers } from "../../../../accel/tcg/engine/helpers.ts";
import {
  CC_DYNAMIC,
  CPU_SECTION_SIZE,
  CPU_STATE,
  ENV,
  ENV_SIZE,
  HF_CS64,
  TLB_ENTRY_SIZE,
  TLB_INVALID,
  TLB_OFFSET,
} from "../../../../accel/tcg/env.ts";
import {
  EXIT_FAULT,
  EXIT_LINK,
  EXIT_LOOKUP,
  generateInterpreter,
  LOOKUP_SECTION_SIZE,
} from "../../../../accel/tcg/interp/generate.ts";
import { Lowerer } from "../../../../accel/tcg/interp/lower.ts";
import { IrBuilder, type IrCode } from "../../../../accel/tcg/ir/builder.ts";
import type { RegionBackend } from "../../../../accel/tcg/jit/backend.ts";
import { connect, makeReducible, type Region } from "../../../../accel/tcg/jit/region.ts";
import { JsBackend } from "../../../../accel/tcg/js/backend.ts";
import { WasmBackend } from "../../../../accel/tcg/wasm/backend.ts";
import { PAGE_READ, PAGE_WRITE } from "../../../../core/memory/address-space.ts";
import { GuestMemory } from "../../../../core/memory/guest-memory.ts";
import { type State, StateArena } from "../../../../core/state/state.ts";

const PAGE = 4096;
const MIB = 2 ** 20;
const TAG_READ = 0;
const TAG_WRITE = 8;
const TAG_FETCH = 16;
const ADDEND = 24;
const PLACES = 3;
/** Of the code memory, for each region. */
const REGION_ROOM = 65536;
/** Addresses are checked for being canonical. */
const EFER_LMA = 0x400n;
const MAX_BLOCKS = 100_000;
const BUDGET = 0x7ffffff0;

/** Guest address of the data. */
export const DATA_PAGE = 0x5000;
export const DATA_SIZE = 2 * PAGE;
/** Guest address of the code; a block at `delta` from it lies in one of two pages that are not neighbours in memory. */
export const CODE_PAGE = 0x10000;
const CS_BASE = 0x3000;

export const BACKENDS = ["interp", "wasm", "js"] as const;
export type Backend = (typeof BACKENDS)[number];
export type CompilingBackend = Exclude<Backend, "interp">;

/** A block, `delta` bytes after CODE_PAGE, of one guest instruction for each entry of `ir.insnOp`. */
export interface IrBlock {
  readonly delta: number;
  readonly ir: IrCode;
  /** Where its computed exit may lead. */
  readonly targets?: readonly number[];
}

/** How a program ended. */
export interface Outcome {
  readonly exit: number;
  /** Of a fault: where its instruction is from CODE_PAGE, and ccOp there. */
  readonly faultAt: number | undefined;
}

export interface IrMachine {
  readonly ir: IrBuilder;
  readonly state: State<typeof CPU_STATE>;
  readonly data: Uint8Array;
  /** Writes that reached the device: address, size, value. */
  readonly deviceWrites: number[][];
  /** Runs what `ir` holds in the interpreter; returns the exit reason. */
  run(): number;
  /**
   * Runs blocks from the first one until one goes to the main loop or faults. With a compiling back end they are one
   * region; what that leaves to others is interpreted.
   */
  runBlocks(backend: Backend, blocks: readonly IrBlock[]): Outcome;
  /** The region that the blocks make. */
  region(blocks: readonly IrBlock[]): Region;
  /** Compiles blocks as the region with a number below PLACES. */
  compile(backend: CompilingBackend, blocks: readonly IrBlock[], number?: number): CompiledBlocks;
  /** Writes a block as interpreter code and returns its address. */
  lower(ir: IrCode): number;
  /** Makes the state that of a start at CODE_PAGE. */
  start(): void;
  /** Runs the interpreter from a code address; returns the exit reason. */
  interpret(pc: number): number;
  /** The memory as words. */
  readonly words: Int32Array;
  /** Makes a page of code seem to be mapped elsewhere. */
  moveCode(delta: number): void;
}

export interface CompiledBlocks {
  /** Address of the interpreter code that runs the region. */
  readonly code: number;
  /** Address of its exit number `index`. */
  cell(index: number): number;
  readonly points: Int32Array;
}

/** `hflags` is the mode that regions are compiled for. In 32-bit code CS has a base. */
export async function createIrMachine(hflags = HF_CS64): Promise<IrMachine> {
  const wide = (hflags & HF_CS64) !== 0;
  const codeBase = CODE_PAGE + (wide ? 0 : CS_BASE);
  const memory = GuestMemory.create({ reserved: CPU_SECTION_SIZE + LOOKUP_SECTION_SIZE + 8 * MIB, ram: MIB });
  const env = memory.reserve("env", CPU_SECTION_SIZE, PAGE);
  const code = memory.reserve("code", MIB, PAGE);
  const lookup = memory.reserve("lookup", LOOKUP_SECTION_SIZE, PAGE);
  const pageMap = memory.reserve("page-map", 4 * MIB, PAGE);
  const block = memory.allocateBlock("data", 5 * PAGE);
  const data = block.bytes.subarray(0, DATA_SIZE);
  const map = new Uint32Array(memory.buffer, pageMap, MIB);
  for (let page = 0; page < DATA_SIZE / PAGE; page++) {
    map[DATA_PAGE / PAGE + page] = (block.address + page * PAGE) | PAGE_READ | PAGE_WRITE;
  }
  const codeAt = (delta: number): number => block.address + (2 + 2 * Math.floor(delta / PAGE)) * PAGE + (delta % PAGE);
  const state = new StateArena(memory.buffer, env, ENV_SIZE).attach("cpu", CPU_STATE);
  const deviceWrites: number[][] = [];
  const never = (): never => {
    throw new Error("a helper left the machine");
  };
  const helpers = await loadHelpers(memory.memory, {
    throwFault: never,
    mmioRead: (low, _high, size) => low & (size === 4 ? -1 : (1 << (size * 8)) - 1),
    mmioWrite: (low, _high, size, value) => deviceWrites.push([low, size, value]),
    notifyWrite: never,
    runsCode: () => 0,
    portIn: never,
    portOut: never,
    readTpr: never,
    writeTpr: never,
    readTsc: never,
    readMsr: never,
    writeMsr: never,
    cpuid: never,
    ferr: never,
    smmChanged: never,
    random: never,
  });
  const pages = memory.buffer.byteLength / 65536;
  const regions = new WebAssembly.Table({ element: "anyfunc", initial: PLACES });
  const { exports } = new WebAssembly.Instance(
    new WebAssembly.Module(generateInterpreter(pages, helpers.table.length, lookup)),
    {
      host: { memory: memory.memory, helpers: helpers.table, regions },
      helpers: helpers.exports as unknown as WebAssembly.ModuleImports,
    },
  );
  const interpret = exports.run as (env: number, pc: number) => number;
  const resetTlb = helpers.exports.resetTlb as unknown as (env: number) => void;
  const lowerer = new Lowerer(memory.buffer);
  lowerer.lowerLookup(lookup);
  const ir = new IrBuilder(helpers.numbers);
  const backends: Record<CompilingBackend, RegionBackend> = {
    wasm: new WasmBackend(memory.memory, helpers, regions, lookup),
    js: new JsBackend(memory.memory, helpers, regions, lookup, { fixed: env }),
  };

  resetTlb(env);
  const entryOf = (address: number): number => env + TLB_OFFSET + (address / PAGE) * TLB_ENTRY_SIZE;
  /** Maps the code pages for the checks of compiled code, as the first fetch would, and forgets where the data is. */
  const enter = (): void => {
    for (let at = 0; at < DATA_SIZE; at += PAGE) {
      for (const tag of [TAG_READ, TAG_WRITE]) {
        memory.view.setBigUint64(entryOf(DATA_PAGE + at) + tag, BigInt(TLB_INVALID), true);
      }
    }
    for (const delta of [0, PAGE]) {
      const entry = entryOf(codeBase + delta);
      memory.view.setBigUint64(entry + TAG_FETCH, BigInt(codeBase + delta), true);
      memory.view.setUint32(entry + ADDEND, codeAt(delta) - codeBase - delta, true);
    }
    memory.view.setUint32(env + ENV.tlb, env + TLB_OFFSET, true);
    state.pageMap = pageMap;
    state.a20Mask = 0xffffffff;
    state.hflags = hflags;
    state.efer = wide ? EFER_LMA : 0n;
    state.segBase[1] = BigInt(codeBase - CODE_PAGE);
    state.budget = BUDGET;
    state.exitRequest = 0;
    state.excVector = -1;
    state.rip = BigInt(CODE_PAGE);
    deviceWrites.length = 0;
  };

  const region = (blocks: readonly IrBlock[]): Region => {
    const members = blocks.map(({ delta, ir }) => ({
      phys: codeAt(delta),
      length: 8,
      insns: ir.insns,
      delta,
      ir,
    }));
    const result = connect(
      codeAt(0),
      hflags,
      members,
      blocks.map(({ targets }) => targets ?? []),
    );
    makeReducible(result);
    return result;
  };

  const interpretBlock = ({ delta, ir }: IrBlock): Outcome => {
    const opAddress: number[] = [];
    lowerer.lower(ir as IrBuilder, code, opAddress, ir.insns);
    const exit = interpret(env, code);
    if (exit !== EXIT_FAULT) return { exit, faultAt: undefined };
    let insn = 0;
    while (insn + 1 < ir.insns && opAddress[ir.insnOp[insn + 1]] <= state.opPointer) insn++;
    return faulted(delta + ir.insnOffset[insn], ir.insnCcOp[insn]);
  };
  const faulted = (faultAt: number, ccOp: number): Outcome => {
    if (ccOp !== CC_DYNAMIC) state.ccOp = BigInt(ccOp);
    state.rip = BigInt(CODE_PAGE + faultAt);
    return { exit: EXIT_FAULT, faultAt };
  };

  const compile = (backend: CompilingBackend, blocks: readonly IrBlock[], number = 1): CompiledBlocks => {
    const made = region(blocks);
    const at = code + MIB / 2 + number * REGION_ROOM;
    const cell = (index: number): number => at + 16 * (index + 1);
    const batch = backends[backend].compile([made]);
    const [{ points, cells }] = batch.regions;
    batch.install([{ place: number, cells: cell(0) }]);
    lowerer.lowerRegion(at, number, number);
    for (let index = 0; index < cells; index++) lowerer.clearCell(cell(index));
    return { code: at, cell, points };
  };

  return {
    ir,
    state,
    data,
    deviceWrites,
    region,
    compile,
    start: enter,
    words: new Int32Array(memory.buffer),
    lower(of) {
      lowerer.lower(of as IrBuilder, code, [], of.insns);
      return code;
    },
    interpret: (pc) => interpret(env, pc),
    moveCode(delta) {
      memory.view.setUint32(entryOf(codeBase + delta) + ADDEND, block.address - codeBase - delta, true);
    },
    run() {
      enter();
      lowerer.lower(ir, code, [], 1);
      return interpret(env, code);
    },
    runBlocks(backend, blocks) {
      const byDelta = new Map(blocks.map((entry) => [entry.delta, entry]));
      const compiled = backend === "interp" ? undefined : compile(backend, blocks);
      enter();
      for (let count = 0; count < MAX_BLOCKS; count++) {
        const delta = Number(state.rip) - CODE_PAGE;
        const next = byDelta.get(delta);
        if (!next) throw new RangeError(`no block at ${delta}`);
        let outcome: Outcome;
        if (delta === 0 && compiled) {
          const exit = interpret(env, compiled.code);
          const point = state.opPointer * 2;
          const { points } = compiled;
          outcome = exit === EXIT_FAULT ? faulted(points[point], points[point + 1]) : { exit, faultAt: undefined };
        } else outcome = interpretBlock(next);
        if (outcome.exit !== EXIT_LINK && outcome.exit !== EXIT_LOOKUP) return outcome;
      }
      throw new Error("the program does not end");
    },
  };
}
