import { test } from "uvu";
import * as assert from "uvu/assert";
import { ENV } from "../../../../accel/tcg/env.ts";
import { OP, OP_ROWS } from "../../../../accel/tcg/ir/ops.ts";
import { Adapters, RESULT_HIGH } from "../../../../accel/tcg/js/adapters.ts";
import { SmallGuest } from "../jit/small-guest.ts";

const guest = await SmallGuest.create("nop");
const { memory, helpers, env } = guest;
const words = new Int32Array(memory.buffer, env);
const adapters = new Adapters(memory.memory, helpers, { fixed: env });

test("a helper takes halves, and returns the low one", () => {
  const name = adapters.helper("mulHighUnsigned", true);
  adapters.link();
  // (2^64 - 1)^2 = 2^128 - 2^65 + 1
  assert.is(adapters.functions[name](-1, -1, -1, -1, 0), -2);
  assert.is(words[RESULT_HIGH >> 2], -1);
  assert.is(adapters.functions[name](0, 1, 0, 0x12345678, 0), 0x12345678);
  assert.is(words[RESULT_HIGH >> 2], 0);
});

test("the same without a result", () => {
  const name = adapters.helper("mulHighUnsigned", false);
  adapters.link();
  assert.is(adapters.functions[name](-1, -1, -1, -1, 0), undefined);
});

test("a vector op works in place", () => {
  const name = adapters.op(OP_ROWS[OP.v_i32x4_add]);
  adapters.link();
  const [a, b] = [ENV.xmm >> 2, (ENV.xmm + 16) >> 2];
  words.set([1, 2, 3, 4], a);
  words.set([10, 20, 30, -4], b);
  adapters.functions[name](env + ENV.xmm, env + ENV.xmm, env + ENV.xmm + 16);
  assert.equal([...words.subarray(a, a + 4)], [11, 22, 33, 0]);
});

test("what is known is not made again", () => {
  const before = { ...adapters.functions };
  adapters.op(OP_ROWS[OP.v_i32x4_add]);
  adapters.helper("mulHighUnsigned", true);
  adapters.link();
  assert.equal(adapters.functions, before);
});

test.run();
