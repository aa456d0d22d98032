/** The wasm back end in the caller's thread: regions as functions of modules. */

import type { Helpers } from "../engine/helpers.ts";
import type { CompiledBatch, RegionBackend } from "../jit/backend.ts";
import type { Region } from "../jit/region.ts";
import { WasmCompiler } from "./compiler.ts";
import { WasmLinker } from "./linker.ts";

export class WasmBackend extends WasmLinker implements RegionBackend {
  readonly name = "wasm";
  readonly #compiler: WasmCompiler;
  readonly #onModule: ((bytes: Uint8Array) => void) | undefined;

  /** As WasmLinker; `onModule` sees every module. */
  constructor(
    memory: WebAssembly.Memory,
    helpers: Helpers,
    table: WebAssembly.Table,
    lookup: number,
    onModule?: (bytes: Uint8Array) => void,
  ) {
    super(memory, helpers, table, lookup);
    this.#compiler = new WasmCompiler(this.options);
    this.#onModule = onModule;
  }

  compile(regions: readonly Region[]): CompiledBatch {
    const { bytes, regions: compiled } = this.#compiler.encode(regions);
    this.#onModule?.(bytes);
    return this.adopt(new WebAssembly.Module(bytes), compiled);
  }
}
