/** What compiles regions, as the options say. Only that is loaded: code generators are a good part of the program. */

import type { Log } from "../../core/log.ts";
import type { Helpers } from "./engine/helpers.ts";
import type { IrTranslator } from "./engine/ir-translator.ts";
import { moduleLogger, sourceLogger } from "./engine/translation-log.ts";
import type { CompileQueue, RegionTable } from "./jit/backend.ts";
import type { EnvPlace } from "./js/adapters.ts";
import type { TcgOptions } from "./properties.ts";

export interface CompilationEnvironment {
  readonly memory: WebAssembly.Memory;
  readonly helpers: Helpers;
  /** Takes the functions. */
  readonly regions: WebAssembly.Table;
  /** Address of interpreter code that finds the block at env.rip. */
  readonly lookup: number;
  /** Where the state of the CPU that runs is. */
  readonly env: EnvPlace;
  /** Makes IR in this thread. */
  readonly translator: IrTranslator;
  /** CPU model and features as -cpu gave them. */
  readonly model: string;
  readonly severalCpus: boolean;
  readonly log: Log | undefined;
}

export interface Compilation {
  readonly table: RegionTable;
  readonly queue: CompileQueue;
}

export async function startCompilation(
  { backend: name, compileThread }: TcgOptions,
  { memory, helpers, regions, lookup, env, translator, model, severalCpus, log }: CompilationEnvironment,
): Promise<Compilation> {
  if (name === "wasm" && compileThread) {
    const [{ WasmLinker }, { ThreadQueue }] = await Promise.all([
      import("./wasm/linker.ts"),
      import("./wasm/thread-queue.ts"),
    ]);
    const table = new WasmLinker(memory, helpers, regions, lookup);
    return { table, queue: new ThreadQueue(table, { model, severalCpus }, moduleLogger(log)) };
  }
  const { LocalQueue } = await import("./jit/local-queue.ts");
  if (name === "wasm") {
    const { WasmBackend } = await import("./wasm/backend.ts");
    const backend = new WasmBackend(memory, helpers, regions, lookup, moduleLogger(log));
    return { table: backend, queue: new LocalQueue(backend, translator) };
  }
  const { JsBackend } = await import("./js/backend.ts");
  const backend = new JsBackend(memory, helpers, regions, lookup, env, sourceLogger(log));
  return { table: backend, queue: new LocalQueue(backend, translator) };
}
