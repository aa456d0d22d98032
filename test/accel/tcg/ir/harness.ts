/** Runs IR blocks in the interpreter over a memory of their own, with real helpers and one mapped page of guest memory. */

import { loadHelpers } from "../../../../accel/tcg/engine/helpers.ts";
import { CPU_SECTION_SIZE, CPU_STATE, ENV, ENV_SIZE, HF_CS64, TLB_OFFSET } from "../../../../accel/tcg/env.ts";
import { generateInterpreter, LOOKUP_ENTRIES, LOOKUP_ENTRY_SIZE } from "../../../../accel/tcg/interp/generate.ts";
import { Lowerer } from "../../../../accel/tcg/interp/lower.ts";
import { IrBuilder } from "../../../../accel/tcg/ir/builder.ts";
import { GuestMemory } from "../../../../core/memory/guest-memory.ts";
import { type State, StateArena } from "../../../../core/state/state.ts";

const PAGE = 4096;
const MIB = 2 ** 20;
const TAG_WRITE = 8;
const ADDEND = 24;

/** Guest address of the one page that loads and stores reach. */
export const DATA_PAGE = 0x5000;

export interface IrMachine {
  readonly ir: IrBuilder;
  readonly state: State<typeof CPU_STATE>;
  /** The bytes of the data page. */
  readonly data: Uint8Array;
  /** Lowers what `ir` holds and runs it; returns the interpreter's exit reason. */
  run(): number;
}

export async function createIrMachine(): Promise<IrMachine> {
  const memory = GuestMemory.create({ reserved: 4 * MIB, ram: MIB });
  const env = memory.reserve("env", CPU_SECTION_SIZE + LOOKUP_ENTRIES * LOOKUP_ENTRY_SIZE, PAGE);
  const code = memory.reserve("code", MIB, PAGE);
  const block = memory.allocateBlock("data", PAGE);
  const state = new StateArena(memory.buffer, env, ENV_SIZE).attach("cpu", CPU_STATE);
  const never = (): never => {
    throw new Error("a helper left the machine");
  };
  const helpers = await loadHelpers(memory.memory, {
    throwFault: never,
    mmioRead: never,
    mmioWrite: never,
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
  const { exports } = new WebAssembly.Instance(
    new WebAssembly.Module(generateInterpreter(pages, helpers.table.length)),
    {
      host: {
        memory: memory.memory,
        helpers: helpers.table,
        regions: new WebAssembly.Table({ element: "anyfunc", initial: 1 }),
      },
      helpers: helpers.exports as unknown as WebAssembly.ModuleImports,
    },
  );
  const interpret = exports.run as (env: number, pc: number) => number;
  const resetTlb = helpers.exports.resetTlb as unknown as (env: number) => void;
  resetTlb(env);
  const entry = env + TLB_OFFSET + (DATA_PAGE / PAGE) * 32;
  memory.view.setBigUint64(entry, BigInt(DATA_PAGE), true);
  memory.view.setBigUint64(entry + TAG_WRITE, BigInt(DATA_PAGE), true);
  memory.view.setUint32(entry + ADDEND, block.address - DATA_PAGE, true);
  const lowerer = new Lowerer(memory.buffer);
  const ir = new IrBuilder(helpers.numbers);
  return {
    ir,
    state,
    data: block.bytes,
    run() {
      lowerer.lower(ir, code, [], 1);
      memory.view.setUint32(env + ENV.tlb, env + TLB_OFFSET, true);
      state.hflags = HF_CS64;
      state.budget = 1000;
      state.exitRequest = 0;
      state.excVector = -1;
      return interpret(env, code);
    },
  };
}
