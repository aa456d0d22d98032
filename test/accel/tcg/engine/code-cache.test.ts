import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  CodeCache,
  insnPointAt,
  nextInsnPoint,
  type TranslationBlock,
} from "../../../../accel/tcg/engine/code-cache.ts";
import { LOOKUP_SECTION_SIZE } from "../../../../accel/tcg/interp/generate.ts";

const CODE = LOOKUP_SECTION_SIZE;
const CODE_SIZE = 8 * 1024;
const BLOCK_CODE = 64;
const PAGE = 4096;

function machine() {
  const buffer = new SharedArrayBuffer(CODE + CODE_SIZE);
  const marked = new Set<number>();
  const mark = (address: number, on: boolean): void => void (on ? marked.add(address) : marked.delete(address));
  const cache = new CodeCache(buffer, 0, CODE, CODE_SIZE, mark);
  const words = new Int32Array(buffer);
  const add = (phys: number, length: number, more: Partial<TranslationBlock> = {}): TranslationBlock => {
    const code = cache.room(BLOCK_CODE);
    const block: TranslationBlock = {
      phys,
      hflags: 0,
      code,
      codeEnd: code + BLOCK_CODE,
      length,
      insns: 2,
      secondPage: 0,
      points: Int32Array.of(0, 0 | (7 << 16), 24, 3 | (9 << 16)),
      lastInsn: 3,
      historyAt: 0,
      incoming: [],
      dead: false,
      ...more,
    };
    cache.add(block);
    return block;
  };
  return { cache, marked, words, add };
}

test("blocks are found by address and mode", () => {
  const { cache, add } = machine();
  const block = add(0x5000, 10);
  const other = add(0x5000, 10, { hflags: 4 });
  assert.is(cache.find(0x5000, 0), block);
  assert.is(cache.find(0x5000, 4), other);
  assert.is(cache.find(0x5000, 8), undefined);
  assert.is(cache.find(0x5001, 0), undefined);
});

test("a page carries its mark exactly while it has blocks", () => {
  const { cache, marked, add } = machine();
  add(0x5000, 10);
  add(0x5100, 10);
  assert.equal([...marked], [0x5000]);
  cache.invalidate(0x5002, 1);
  assert.is(cache.find(0x5000, 0), undefined);
  assert.ok(cache.find(0x5100, 0));
  assert.equal([...marked], [0x5000]);
  cache.invalidate(0x5109, 1);
  assert.equal([...marked], []);
});

test("a write beside a block leaves it alone", () => {
  const { cache, add } = machine();
  add(0x5010, 16);
  cache.invalidate(0x5000, 16);
  cache.invalidate(0x5020, PAGE);
  assert.ok(cache.find(0x5010, 0));
  cache.invalidate(0x501f, 1);
  assert.is(cache.find(0x5010, 0), undefined);
});

test("a block across two pages dies by a write to either part", () => {
  const { cache, marked, add } = machine();
  add(0x5ffc, 8, { secondPage: 0x9000 });
  assert.equal([...marked].sort(), [0x5000, 0x9000]);
  cache.invalidate(0x9004, 4);
  assert.ok(cache.find(0x5ffc, 0), "behind its end");
  cache.invalidate(0x9003, 1);
  assert.is(cache.find(0x5ffc, 0), undefined);
  assert.equal([...marked], []);
});

test("links to a dead block are cut", () => {
  const { cache, words, add } = machine();
  const from = add(0x5000, 10);
  const to = add(0x5100, 10);
  const exit = from.code + 16;
  cache.link(exit, to);
  assert.is(words[(exit + 8) >> 2], to.code);
  cache.kill(to);
  assert.is(words[(exit + 8) >> 2], 0);
});

test("the look-up cache forgets a dead block", () => {
  const { cache, words, add } = machine();
  const block = add(0x5000, 10);
  cache.publish(block);
  assert.ok(words.includes(block.code));
  cache.kill(block);
  const index = words.indexOf(block.code);
  assert.is(words[index - 2], 0, "the entry matches no address");
});

test("when code memory is full the oldest segment's blocks die, and no others", () => {
  const { cache, add } = machine();
  const blocks = Array.from({ length: 200 }, (_, i) => add(0x10000 + i * 16, 16));
  assert.ok(blocks[0].dead);
  assert.not(blocks[199].dead);
  const capacity = CODE_SIZE / BLOCK_CODE;
  assert.ok(cache.count > capacity / 2 && cache.count <= capacity, `${cache.count} live`);
  for (const block of blocks) assert.is(cache.find(block.phys, 0), block.dead ? undefined : block);
});

test("the last instruction of a block can be patched to leave it", () => {
  const { cache, add } = machine();
  const { code } = add(0x5000, 10, { codeEnd: CODE + 32 });
  assert.is(cache.room(BLOCK_CODE), code + 24 + 40);
  assert.is(add(0x6000, 10).code, code + 64);
  assert.is(cache.room(BLOCK_CODE), code + 64 + BLOCK_CODE);
});

test("an op belongs to a block and a guest instruction", () => {
  const { cache, add } = machine();
  add(0x4000, 10);
  const block = add(0x5000, 10);
  assert.is(cache.blockAt(block.code + 30), block);
  assert.is(cache.blockAt(CODE - 8), undefined);
  assert.equal(insnPointAt(block, block.code + 8), { code: block.code, offset: 0, ccOp: 7 });
  assert.equal(insnPointAt(block, block.code + 24), { code: block.code + 24, offset: 3, ccOp: 9 });
  assert.is(nextInsnPoint(block, block.code + 8)?.offset, 3);
  assert.is(nextInsnPoint(block, block.code + 24), undefined);
});

test.run();
