/** Makes a module of regions. Needs nothing of the machine that runs them, so it works in any thread. */

import type { CompiledRegion } from "../jit/backend.ts";
import type { Region } from "../jit/region.ts";
import { I32, I64, ModuleBuilder } from "./encoder.ts";
import { compileRegion } from "./region.ts";

const REGION_TYPE = { params: [I32], results: [I32] } as const;
const HELPER_TYPE = { params: [I32, I64, I64, I32], results: [I64] } as const;

/** What the module of a machine's regions depends on. */
export interface WasmCompilerOptions {
  /** Size of the shared memory in 64 KiB pages. */
  readonly pages: number;
  /** Helpers by number. */
  readonly helperNames: readonly string[];
  /** Address of interpreter code that finds the block at env.rip. */
  readonly lookup: number;
}

/** A module exports region n as "r<n>" and imports the address of its exits as "cells" "c<n>". */
export interface EncodedModule {
  readonly bytes: Uint8Array;
  readonly regions: readonly CompiledRegion[];
}

export class WasmCompiler {
  readonly #options: WasmCompilerOptions;

  constructor(options: WasmCompilerOptions) {
    this.#options = options;
  }

  encode(regions: readonly Region[]): EncodedModule {
    const { pages, helperNames, lookup } = this.#options;
    const module = new ModuleBuilder();
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
        index = module.importFunction("helpers", helperNames[number], HELPER_TYPE);
        imported.set(number, index);
      }
      return index;
    };
    const compiled = regions.map((region, index) => {
      const made = compileRegion(region, {
        helper,
        helperName: (number) => helperNames[number],
        regionType: module.type(REGION_TYPE),
        slowLoad,
        slowStore,
        slowLoad128,
        slowStore128,
        lookup,
        cells: module.importGlobal("cells", `c${index}`),
      });
      module.function(REGION_TYPE, made.code, `r${index}`);
      return { points: made.points, cells: made.cells };
    });
    return { bytes: module.encode(), regions: compiled };
  }
}
