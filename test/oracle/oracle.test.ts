/**
 * Random instructions on our engine against the host CPU. QEMU_NEXT_ORACLE_CASES sets how many cases run and
 * QEMU_NEXT_ORACLE_SEED where they start; a failure names its seed. Skipped where there is no x86-64 host.
 */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { nativeAvailable } from "./native.ts";

const CASES = Number(process.env["QEMU_NEXT_ORACLE_CASES"] ?? 6000);
const SEED = Number(process.env["QEMU_NEXT_ORACLE_SEED"] ?? 1);
const MAX_REPORTS = 5;

if (nativeAvailable) {
  const { Oracle } = await import("./oracle.ts");

  for (const bits of [64, 32] as const) {
    const oracle = await Oracle.create(bits);

    test(`random instructions do what they do on the host CPU, ${bits}-bit code`, () => {
      const reports: string[] = [];
      for (let seed = SEED; seed < SEED + CASES && reports.length < MAX_REPORTS; seed++) {
        const report = oracle.run(seed);
        if (report !== undefined) reports.push(report);
      }
      assert.is(reports.join("\n"), "");
      assert.ok(oracle.instructions > CASES, "most cases hold instructions");
    });

    test(`every mnemonic that qualifies takes part, ${bits}-bit code`, () => {
      if (CASES < 6000) return;
      const missing = new Set(oracle.rows.map(({ name }) => name).filter((name) => !oracle.coverage.has(name)));
      assert.ok(missing.size < 20, `not covered: ${[...missing].join(" ")}`);
    });
  }
}

test.run();
