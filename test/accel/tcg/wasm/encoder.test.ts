import { test } from "uvu";
import * as assert from "uvu/assert";
import { Code, I32, I64, ModuleBuilder } from "../../../../accel/tcg/wasm/encoder.ts";
import { W } from "../../../../accel/tcg/wasm/opcodes.ts";

test("branch hints name the function and the byte of the branch in its body", () => {
  const module = new ModuleBuilder();
  module.importFunction("host", "unused", { params: [], results: [] });
  const plain = new Code(1).get(0);
  module.function({ params: [I32], results: [I32] }, plain, "plain");
  const hinted = new Code(1);
  const local = hinted.local(I64);
  hinted.i64(1).set(local).block();
  hinted.get(0).unlikely().brIfTo(1);
  hinted.get(0).likely().ifValue(I32).i32(5).else().i32(6).end().op(W.return);
  hinted.end().i32(7);
  module.function({ params: [I32], results: [I32] }, hinted, "hinted");

  const bytes = module.encode() as Uint8Array<ArrayBuffer>;
  const compiled = new WebAssembly.Module(bytes);
  const { customSections } = WebAssembly.Module as unknown as {
    customSections(module: WebAssembly.Module, name: string): ArrayBuffer[];
  };
  const [section] = customSections(compiled, "metadata.code.branch_hint");
  const [functions, index, count, first, size1, value1, second, size2, value2] = new Uint8Array(section);
  assert.equal([functions, index, count, size1, size2], [1, 2, 2, 1, 1]);
  assert.equal([value1, value2], [0, 1]);
  // The section counts from the declaration of locals, behind the body's length (one byte here).
  const body = hinted.encode().subarray(1);
  assert.equal([body[first], body[second]], [W.br_if, W.if]);

  const { exports } = new WebAssembly.Instance(compiled, { host: { unused: () => {} } });
  const run = exports.hinted as (n: number) => number;
  assert.equal([run(0), run(1)], [6, 7]);
});

test.run();
