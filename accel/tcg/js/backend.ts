/**
 * The JavaScript back end: compiles regions as JavaScript functions. A table of wasm functions takes them only as
 * exports of a module, so a small module imports each function and exports it again.
 */

import type { Helpers } from "../engine/helpers.ts";
import { ENV } from "../env.ts";
import { EXIT_HOT, EXIT_LINK } from "../interp/generate.ts";
import { REGION_OPCODE } from "../interp/lower.ts";
import type { CompiledBatch, RegionBackend } from "../jit/backend.ts";
import type { Region } from "../jit/region.ts";
import { Code, I32, ModuleBuilder } from "../wasm/encoder.ts";
import { Adapters, type EnvPlace } from "./adapters.ts";
import { ctz, mulHigh, popcount } from "./arithmetic.ts";
import { compileRegion } from "./region.ts";

const REGION_TYPE = { params: [I32], results: [I32] } as const;

type RegionFunction = (env: number) => number;

export class JsBackend implements RegionBackend {
  readonly name = "js";
  readonly #table: WebAssembly.Table;
  readonly #lookup: number;
  readonly #env: EnvPlace;
  readonly #adapters: Adapters;
  readonly #helperNames: string[] = [];
  readonly #names: Record<string, unknown>;
  readonly #onSource: ((source: string) => void) | undefined;

  /**
   * `table` holds the functions of compiled regions; `lookup` is the address of interpreter code that finds the block
   * at env.rip; `onSource` sees every function.
   */
  constructor(
    memory: WebAssembly.Memory,
    helpers: Helpers,
    table: WebAssembly.Table,
    lookup: number,
    env: EnvPlace,
    onSource?: (source: string) => void,
  ) {
    this.#table = table;
    this.#lookup = lookup;
    this.#env = env;
    this.#onSource = onSource;
    this.#adapters = new Adapters(memory, helpers, env);
    const { fixed, current } = env;
    const words = new Int32Array(memory.buffer);
    /** What an exit leads to, which is the instruction at `cell`; counts those that lead to the interpreter. */
    const follow = (cell: number): number => {
      const next = words[(cell + 8) >>> 2];
      if (next === 0) {
        words[((current === undefined ? fixed : words[current >>> 2]) + ENV.opPointer) >>> 2] = cell;
        return EXIT_LINK;
      }
      if ((words[next >>> 2] & 0xffff) === REGION_OPCODE) return next;
      return --words[(cell + 12) >>> 2] === 0 ? EXIT_HOT : next;
    };
    this.#names = { I: words, V: new DataView(memory.buffer), follow, mulHigh, ctz, popcount };
    for (const [name, number] of helpers.numbers) this.#helperNames[number] = name;
  }

  compile(regions: readonly Region[]): CompiledBatch {
    const compiled = regions.map((region) =>
      compileRegion(region, {
        env: this.#env,
        lookup: this.#lookup,
        helperName: (number) => this.#helperNames[number],
        helper: (number, result) => this.#adapters.helper(this.#helperNames[number], result),
        op: (row) => this.#adapters.op(row),
      }),
    );
    this.#adapters.link();
    Object.assign(this.#names, this.#adapters.functions);
    return {
      regions: compiled,
      install: (destinations) =>
        destinations.forEach((to, index) => {
          if (!to) return;
          const { source } = compiled[index];
          this.#onSource?.(source);
          const fn: RegionFunction = new Function("F", "C", source)(this.#names, to.cells);
          this.#table.set(to.place, exportAgain(fn));
        }),
    };
  }

  release(place: number): void {
    this.#table.set(place, null);
  }
}

let exporter: WebAssembly.Module | undefined;

/** The function as an export of a wasm module. */
function exportAgain(fn: RegionFunction): RegionFunction {
  if (!exporter) {
    const module = new ModuleBuilder();
    const imported = module.importFunction("js", "region", REGION_TYPE);
    module.function(REGION_TYPE, new Code(1).get(0).call(imported), "region");
    exporter = new WebAssembly.Module(module.encode());
  }
  return new WebAssembly.Instance(exporter, { js: { region: fn } }).exports.region as RegionFunction;
}
