/** Compiles in the caller's thread, several regions at once where that does not take long to come about. */

import type { IrTranslator } from "../engine/ir-translator.ts";
import type { CompileQueue, Finished, RegionBackend } from "./backend.ts";
import { buildRegion } from "./build.ts";
import type { RegionPlan } from "./form.ts";

/** Regions compiled at once, and calls of `poll` that fewer of them wait at most. */
const BATCH = 8;
const PATIENCE = 8;

export class LocalQueue implements CompileQueue {
  readonly #backend: RegionBackend;
  readonly #translator: IrTranslator;
  readonly #waiting: { readonly id: number; readonly plan: RegionPlan }[] = [];
  #age = 0;

  constructor(backend: RegionBackend, translator: IrTranslator) {
    this.#backend = backend;
    this.#translator = translator;
  }

  submit(id: number, plan: RegionPlan): void {
    this.#waiting.push({ id, plan });
  }

  poll(): Finished | undefined {
    if (this.#waiting.length === 0) return undefined;
    if (this.#waiting.length < BATCH && ++this.#age < PATIENCE) return undefined;
    this.#age = 0;
    const taken = this.#waiting.splice(0, BATCH).map(({ id, plan }) => ({
      id,
      region: buildRegion(plan, this.#translator),
    }));
    const built = taken.filter(({ region }) => region !== undefined);
    const batch = this.#backend.compile(built.map(({ region }) => region!));
    const refused = taken.filter(({ region }) => region === undefined);
    return { ids: built.map(({ id }) => id), batch, refused: refused.map(({ id }) => id), elsewhere: 0 };
  }
}
