/** What -accel tcg,... means. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { TCG_PROPERTIES, tcgOptions } from "../../../accel/tcg/properties.ts";
import { parseProperties } from "../../../core/options/properties.ts";

const options = (given: Readonly<Record<string, string>> = {}) =>
  tcgOptions(parseProperties("tcg-accel", TCG_PROPERTIES, given));

test("WebAssembly by default, and a threshold that suits the back end", () => {
  assert.is(options().backend, "wasm");
  assert.ok(options({ backend: "js" }).threshold > options().threshold);
  assert.is(options({ "jit-threshold": "7" }).threshold, 7);
});

test("a threshold of zero is one: a block has to run before it can be hot", () => {
  assert.is(options({ "jit-threshold": "0" }).threshold, 1);
});

test("one instruction at a time is for the interpreter", () => {
  assert.is(options({ "one-insn-per-tb": "on", backend: "wasm" }).backend, "interp");
});

test("unknown back ends and properties are refused", () => {
  assert.throws(() => options({ backend: "llvm" }), /backend/);
  assert.throws(() => options({ threshhold: "1" }), /threshhold/);
});

test.run();
