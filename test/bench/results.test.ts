import { test } from "uvu";
import * as assert from "uvu/assert";
import { Results } from "./results.ts";

const COLUMNS = [
  { name: "QEMU", ours: false },
  { name: "js", ours: true },
  { name: "wasm", ours: true },
];
const row = (name: string) => ({ guest: "c", row: name, unit: "s" }) as const;

test("medians, noise, ratios and their geometric mean", () => {
  const results = new Results(COLUMNS);
  results.title("c", "compute");
  for (const value of [2, 1, 3]) results.add(row("sieve"), "QEMU", value, "abc");
  results.add(row("sieve"), "js", 4, "abc");
  results.add(row("fib"), "QEMU", 4);
  results.add(row("fib"), "js", 2);
  results.add(row("crc"), "QEMU", 3);
  results.add(row("crc"), "js", 3);
  assert.is(
    results.text(),
    `### (c) compute

|                |         QEMU |     js | QEMU / js |
|----------------|-------------:|-------:|----------:|
| sieve          | 2.00 s ±50 % | 4.00 s |      0.50 |
| fib            |       4.00 s | 2.00 s |      2.00 |
| crc            |       3.00 s | 3.00 s |      1.00 |
| geometric mean |              |        |      1.00 |`,
  );
  assert.equal(results.problems(), []);
});

test("a failure is a cell without a ratio", () => {
  const results = new Results(COLUMNS);
  results.add(row("sieve"), "QEMU", 1);
  results.fail(row("sieve"), "wasm", "no end within 5 s");
  results.fail(row("sieve"), "wasm", "later");
  assert.match(results.text(), "failed: no end within 5 s");
  assert.equal(results.problems(), ["c/sieve, wasm: no end within 5 s"]);
  assert.equal(results.json(), [
    {
      guest: "c",
      row: "sieve",
      unit: "s",
      measured: {
        QEMU: { values: [1], median: 1, error: undefined, checks: [] },
        wasm: { values: [], median: undefined, error: "no end within 5 s", checks: [] },
      },
      ratios: { "QEMU / wasm": undefined },
    },
  ]);
});

test("different results are a problem", () => {
  const results = new Results(COLUMNS);
  results.add(row("crc"), "QEMU", 1, "1234");
  results.add(row("crc"), "js", 1, "1235");
  assert.equal(results.problems(), ["c/crc: the results differ: QEMU 1234, js 1235"]);
});

test("only times have ratios", () => {
  const results = new Results(COLUMNS);
  const memory = { guest: "b", row: "memory", unit: "MiB" } as const;
  results.add(memory, "QEMU", 10);
  results.add(memory, "js", 100);
  assert.not.match(results.text(), "0.10");
});

test.run();
