/** The wasm back end: regions as functions of modules, in the table of regions. */

import type { Helpers } from "../engine/helpers.ts";
import type { CompiledBatch, CompiledRegion, RegionBackend } from "../jit/backend.ts";
import type { Region } from "../jit/region.ts";
import { WasmCompiler, type WasmCompilerOptions } from "./compiler.ts";

export class WasmBackend implements RegionBackend {
  readonly name = "wasm";
  readonly options: WasmCompilerOptions;
  readonly #host: WebAssembly.ModuleImports;
  readonly #helpers: WebAssembly.ModuleImports;
  readonly #table: WebAssembly.Table;
  readonly #compiler: WasmCompiler;
  readonly #onModule: ((bytes: Uint8Array) => void) | undefined;

  /**
   * `table` holds the functions of compiled regions; `lookup` is the address of interpreter code that finds the block
   * at env.rip; `onModule` sees every module.
   */
  constructor(
    memory: WebAssembly.Memory,
    { exports, numbers }: Helpers,
    table: WebAssembly.Table,
    lookup: number,
    onModule?: (bytes: Uint8Array) => void,
  ) {
    const helperNames: string[] = [];
    for (const [name, number] of numbers) helperNames[number] = name;
    this.options = { pages: memory.buffer.byteLength / 65536, helperNames, lookup };
    this.#compiler = new WasmCompiler(this.options);
    this.#host = { memory, regions: table };
    this.#helpers = exports as unknown as WebAssembly.ModuleImports;
    this.#table = table;
    this.#onModule = onModule;
  }

  compile(regions: readonly Region[]): CompiledBatch {
    const { bytes, regions: compiled } = this.#compiler.encode(regions);
    this.#onModule?.(bytes);
    return this.adopt(new WebAssembly.Module(bytes), compiled);
  }

  /** The batch whose module was made elsewhere. */
  adopt(module: WebAssembly.Module, regions: readonly CompiledRegion[]): CompiledBatch {
    return {
      regions,
      install: (destinations) => {
        if (destinations.every((destination) => !destination)) return;
        const cells = Object.fromEntries(destinations.map((to, index) => [`c${index}`, to?.cells ?? 0]));
        const instance = new WebAssembly.Instance(module, { host: this.#host, helpers: this.#helpers, cells });
        destinations.forEach((to, index) => {
          if (to) this.#table.set(to.place, instance.exports[`r${index}`] as () => number);
        });
      },
    };
  }

  release(place: number): void {
    this.#table.set(place, null);
  }
}
