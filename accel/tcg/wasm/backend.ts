/** The wasm back end: compiles regions as functions of a module and puts them into the table of regions. */

import type { Helpers } from "../engine/helpers.ts";
import type { CompileRequest, RegionBackend } from "../jit/jit.ts";
import { I32, I64, ModuleBuilder } from "./encoder.ts";
import { compileRegion } from "./region.ts";

const REGION_TYPE = { params: [I32], results: [I32] } as const;
const HELPER_TYPE = { params: [I32, I64, I64, I32], results: [I64] } as const;

export class WasmBackend implements RegionBackend {
  readonly name = "wasm";
  readonly #memory: WebAssembly.Memory;
  readonly #helpers: Helpers;
  readonly #table: WebAssembly.Table;
  readonly #lookup: number;
  readonly #helperNames: string[] = [];
  readonly #onModule: ((bytes: Uint8Array) => void) | undefined;

  /**
   * `table` holds the functions of compiled regions; `lookup` is the address of interpreter code that finds the block
   * at env.rip; `onModule` sees every module.
   */
  constructor(
    memory: WebAssembly.Memory,
    helpers: Helpers,
    table: WebAssembly.Table,
    lookup: number,
    onModule?: (bytes: Uint8Array) => void,
  ) {
    this.#memory = memory;
    this.#helpers = helpers;
    this.#table = table;
    this.#lookup = lookup;
    this.#onModule = onModule;
    for (const [name, number] of helpers.numbers) this.#helperNames[number] = name;
  }

  compile(requests: readonly CompileRequest[]): Int32Array[] {
    const bytes = this.#module(requests);
    this.#onModule?.(bytes.bytes);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes.bytes), {
      host: { memory: this.#memory, regions: this.#table },
      helpers: this.#helpers.exports as unknown as WebAssembly.ModuleImports,
    });
    requests.forEach(({ place }, index) => {
      this.#table.set(place, instance.exports[`r${index}`] as () => number);
    });
    return bytes.points;
  }

  release(place: number): void {
    this.#table.set(place, null);
  }

  #module(requests: readonly CompileRequest[]): { bytes: Uint8Array; points: Int32Array[] } {
    const module = new ModuleBuilder();
    const pages = this.#memory.buffer.byteLength / 65536;
    module.importMemory("host", "memory", pages, pages);
    module.importTable("host", "regions", 1);
    const imported = new Map<number, number>();
    const slow = (name: string, params: (typeof I32 | typeof I64)[], results: (typeof I64)[]): number =>
      module.importFunction("helpers", name, { params, results });
    const slowLoad = slow("compiledLoad", [I32, I64, I32], [I64]);
    const slowStore = slow("compiledStore", [I32, I64, I32, I64], []);
    const slowLoad128 = slow("compiledLoad128", [I32, I64, I32], []);
    const slowStore128 = slow("compiledStore128", [I32, I64, I32], []);
    const helper = (number: number): number => {
      let index = imported.get(number);
      if (index === undefined) {
        index = module.importFunction("helpers", this.#helperNames[number], HELPER_TYPE);
        imported.set(number, index);
      }
      return index;
    };
    const points = requests.map(({ region, cell }, index) => {
      const compiled = compileRegion(region, {
        helper,
        helperName: (number) => this.#helperNames[number],
        regionType: module.type(REGION_TYPE),
        slowLoad,
        slowStore,
        slowLoad128,
        slowStore128,
        lookup: this.#lookup,
        cell,
      });
      module.function(REGION_TYPE, compiled.code, `r${index}`);
      return compiled.points;
    });
    return { bytes: module.encode(), points };
  }
}
