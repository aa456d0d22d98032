/** Puts regions that were compiled to wasm, here or in another thread, into the table of regions. */

import type { Helpers } from "../engine/helpers.ts";
import type { CompiledBatch, CompiledRegion, RegionTable } from "../jit/backend.ts";
import type { WasmCompilerOptions } from "./compiler.ts";

export class WasmLinker implements RegionTable {
  /** What compilation needs to know of the machine. */
  readonly options: WasmCompilerOptions;
  readonly #host: WebAssembly.ModuleImports;
  readonly #helpers: WebAssembly.ModuleImports;
  readonly #table: WebAssembly.Table;

  /**
   * `table` holds the functions of compiled regions; `lookup` is the address of interpreter code that finds the block
   * at env.rip.
   */
  constructor(memory: WebAssembly.Memory, { exports, numbers }: Helpers, table: WebAssembly.Table, lookup: number) {
    const helperNames: string[] = [];
    for (const [name, number] of numbers) helperNames[number] = name;
    this.options = { pages: memory.buffer.byteLength / 65536, helperNames, lookup };
    this.#host = { memory, regions: table };
    this.#helpers = exports as unknown as WebAssembly.ModuleImports;
    this.#table = table;
  }

  /** The batch that a module makes. */
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
