import { test } from "uvu";
import * as assert from "uvu/assert";
import { IrCache } from "../../../../accel/tcg/engine/ir-cache.ts";
import type { CodeSource } from "../../../../accel/tcg/engine/ir-translator.ts";
import type { IrCode } from "../../../../accel/tcg/ir/builder.ts";

const source = (phys: number, bytes: readonly number[], offset = 0): CodeSource => ({
  phys,
  bytes: Uint8Array.from(bytes),
  offset,
  available: bytes.length - offset,
  nextPage: () => 0,
});
const ir = (): IrCode => ({}) as IrCode;

test("the same bytes at the same address in the same mode", () => {
  const cache = new IrCache();
  const made = ir();
  cache.add(source(0x1000, [0x90, 0x90, 0xc3, 0xcc]), 4, 3, 3, made);
  assert.is(cache.find(source(0x1000, [0x90, 0x90, 0xc3, 0x55]), 4, 3), made);
  assert.is(cache.find(source(0x1000, [0xff, 0x90, 0x90, 0xc3], 1), 4, 3), made);
  assert.is(cache.find(source(0x1001, [0x90, 0x90, 0xc3]), 4, 3), undefined);
  assert.is(cache.find(source(0x1000, [0x90, 0x90, 0xc2]), 4, 3), undefined);
  assert.is(cache.find(source(0x1000, [0x90, 0x90]), 4, 3), undefined);
  assert.is(cache.find(source(0x1000, [0x90, 0x90, 0xc3]), 5, 3), undefined);
  assert.is(cache.find(source(0x1000, [0x90, 0x90, 0xc3]), 4, 2), undefined);
});

test("changed code takes the place of what was there", () => {
  const cache = new IrCache();
  const [before, after] = [ir(), ir()];
  cache.add(source(0x1000, [0x90]), 0, 1, 1, before);
  cache.add(source(0x1000, [0xc3]), 0, 1, 1, after);
  assert.is(cache.find(source(0x1000, [0xc3]), 0, 1), after);
  assert.is(cache.find(source(0x1000, [0x90]), 0, 1), undefined);
});

test("what is not asked for any more goes", () => {
  const cache = new IrCache();
  const [kept, lost] = [ir(), ir()];
  cache.add(source(1, [0x90]), 0, 1, 1, kept);
  cache.add(source(2, [0x90]), 0, 1, 1, lost);
  for (let i = 3; i < 12_000; i++) {
    cache.add(source(i, [0x90]), 0, 1, 1, ir());
    if (i % 1000 === 0) assert.is(cache.find(source(1, [0x90]), 0, 1), kept);
  }
  assert.is(cache.find(source(2, [0x90]), 0, 1), undefined);
});

test.run();
