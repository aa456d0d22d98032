import { test } from "uvu";
import * as assert from "uvu/assert";
import { BlockTable } from "../../../../accel/tcg/engine/block-table.ts";
import type { TranslationBlock } from "../../../../accel/tcg/engine/code-cache.ts";
import { randomFrom } from "../ir/random-program.ts";

const block = (phys: number, hflags: number): TranslationBlock => ({ phys, hflags }) as TranslationBlock;

test("what a map would say, while blocks come and go", () => {
  const random = randomFrom(1);
  const table = new BlockTable();
  const expected = new Map<string, TranslationBlock>();
  // Few addresses, so that searches run into each other; the last pages lie above 2 GiB.
  const address = (): number => (random(2) ? 0xfff0_0000 : 0x1000) + random(40) * 0x400 + random(64);
  for (let step = 0; step < 60_000; step++) {
    const [phys, hflags] = [address(), random(3) * 0x40];
    const key = `${phys}/${hflags}`;
    const known = expected.get(key);
    assert.is(table.find(phys, hflags), known);
    if (!known) {
      const made = block(phys, hflags);
      table.add(made);
      expected.set(key, made);
    } else if (random(3)) {
      table.remove(known);
      expected.delete(key);
    }
  }
  assert.is(table.count, expected.size);
  for (const made of expected.values()) assert.is(table.find(made.phys, made.hflags), made);
});

test("grows", () => {
  const table = new BlockTable();
  const blocks = Array.from({ length: 30_000 }, (_, i) => block(0x1000 + i * 7, 0));
  for (const made of blocks) table.add(made);
  for (const made of blocks) assert.is(table.find(made.phys, 0), made);
  assert.is(table.find(0x1001, 0), undefined);
});

test("blocks of one key, and one that is not there", () => {
  const table = new BlockTable();
  const [first, second] = [block(0x1000, 1), block(0x1000, 1)];
  table.add(first);
  table.add(second);
  table.remove(first);
  assert.is(table.find(0x1000, 1), second);
  assert.throws(() => table.remove(first), /not in the table/);
  table.remove(second);
  assert.is(table.find(0x1000, 1), undefined);
});

test.run();
