/** The program of the thread that compiles regions for a CPU: plans in, modules out. */

import { type MessagePort, workerData } from "node:worker_threads";
import { IrTranslator } from "../engine/ir-translator.ts";
import type { CompiledRegion } from "../jit/backend.ts";
import { buildRegion } from "../jit/build.ts";
import { decodePlans, type NumberedPlan } from "../jit/plan-codec.ts";
import { parseModel } from "../x86/cpu-model.ts";
import { OPCODE_ROWS } from "../x86/rows.ts";
import { WasmCompiler, type WasmCompilerOptions } from "./compiler.ts";

export interface CompileThreadData {
  readonly port: MessagePort;
  readonly options: WasmCompilerOptions;
  /** CPU model and features as -cpu gave them. */
  readonly model: string;
  readonly severalCpus: boolean;
  /** Modules come with their bytes. */
  readonly wantsBytes: boolean;
}

export type ModuleMessage =
  | {
      readonly ids: readonly number[];
      readonly refused: readonly number[];
      readonly module: WebAssembly.Module;
      readonly regions: readonly CompiledRegion[];
      readonly bytes: Uint8Array | undefined;
      /** Time (ms) it took. */
      readonly time: number;
    }
  | { readonly failed: unknown };

/** Regions compiled at once. */
const BATCH = 8;

const { port, options, model, severalCpus, wantsBytes } = workerData as CompileThreadData;
const features = parseModel(model);
const numbers = new Map(options.helperNames.map((name, number) => [name, number]));
const translator = new IrTranslator(OPCODE_ROWS, numbers, (feature) => features.has(feature));
translator.severalCpus = severalCpus;
const compiler = new WasmCompiler(options);

function compile(plans: readonly NumberedPlan[]): ModuleMessage {
  const started = performance.now();
  const taken = plans.map(({ id, plan }) => ({ id, region: buildRegion(plan, translator) }));
  const built = taken.filter(({ region }) => region !== undefined);
  const { bytes, regions } = compiler.encode(built.map(({ region }) => region!));
  const module = new WebAssembly.Module(bytes);
  return {
    ids: built.map(({ id }) => id),
    refused: taken.filter(({ region }) => region === undefined).map(({ id }) => id),
    module,
    regions,
    bytes: wantsBytes ? bytes : undefined,
    time: performance.now() - started,
  };
}

port.on("message", (words: Int32Array) => {
  const plans = decodePlans(words);
  try {
    for (let at = 0; at < plans.length; at += BATCH) port.postMessage(compile(plans.slice(at, at + BATCH)));
  } catch (failed) {
    port.postMessage({ failed });
  }
});
