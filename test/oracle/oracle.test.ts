/**
 * Random instructions on our engine against the host CPU. QEMU_NEXT_ORACLE_CASES sets how many cases run and
 * QEMU_NEXT_ORACLE_SEED where they start; a failure names its seed. Skipped where there is no x86-64 host; 16-bit code,
 * and segments other than flat ones, need modify_ldt(2).
 */

import * as uvu from "uvu";
import * as assert from "uvu/assert";
import { JsBackend } from "../../accel/tcg/js/backend.ts";
import { WasmBackend } from "../../accel/tcg/wasm/backend.ts";
import type { MakeBackend } from "./engine.ts";
import { type Bits, nativeAvailable, useSegments } from "./native.ts";
import { Oracle } from "./oracle.ts";

const DEFAULT_CASES = 3000;
const CASES = Number(process.env["QEMU_NEXT_ORACLE_CASES"] ?? DEFAULT_CASES);
const SEED = Number(process.env["QEMU_NEXT_ORACLE_SEED"] ?? 1);
/** Compiling takes longer than interpreting. */
const COMPILED_SHARE = 10;
const MAX_REPORTS = 5;

const refusal = nativeAvailable ? useSegments() : "not an x86-64 host";
if (refusal !== undefined) console.log(`without 16-bit code: ${refusal}`);

async function run(cases: number, bits: Bits, faults: boolean, backend?: MakeBackend): Promise<Oracle> {
  const oracle = await Oracle.create({ bits, faults, backend });
  const reports: string[] = [];
  for (let seed = SEED; seed < SEED + cases && reports.length < MAX_REPORTS; seed++) {
    const report = oracle.run(seed);
    if (report !== undefined) reports.push(report);
  }
  assert.is(reports.join("\n"), "");
  assert.ok(oracle.instructions > cases, "most cases hold instructions");
  if (faults) assert.ok(oracle.faults > cases / 5, "many cases end in a fault");
  return oracle;
}

const BACKENDS: Readonly<Record<string, MakeBackend>> = {
  WebAssembly: (memory, helpers, regions, lookup) => new WasmBackend(memory, helpers, regions, lookup),
  JavaScript: (memory, helpers, regions, lookup, env) =>
    new JsBackend(memory, helpers, regions, lookup, { fixed: env }),
};

for (const bits of [64, 32, 16] as const) {
  const test = nativeAvailable && (bits !== 16 || refusal === undefined) ? uvu.test : uvu.test.skip;
  for (const faults of [false, true]) {
    const what = `${bits}-bit code${faults ? " that may fault" : ""}`;

    test(`random instructions do what they do on the host CPU, ${what}`, async () => {
      const oracle = await run(CASES, bits, faults);
      const missing = new Set(oracle.rows.map(({ name }) => name).filter((name) => !oracle.coverage.has(name)));
      if (CASES >= DEFAULT_CASES) assert.ok(missing.size < 30, `not covered: ${[...missing].join(" ")}`);
    });

    for (const [language, backend] of Object.entries(bits === 16 ? {} : BACKENDS)) {
      test(`random instructions, compiled to ${language}, ${what}`, async () => {
        await run(CASES / COMPILED_SHARE, bits, faults, backend);
      });
    }
  }
}

uvu.test.run();
