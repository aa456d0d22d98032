import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SnapshotNode } from "../../../core/block/snapshot.ts";
import { MemoryNode } from "./memory-node.ts";

const folder = mkdtempSync(join(tmpdir(), "snapshot-test-"));
test.after(() => rmSync(folder, { recursive: true }));

test("writes never reach the base, and read back", async () => {
  const base = MemoryNode.pattern(64 * 1024);
  const before = base.bytes.slice();
  const node = await SnapshotNode.create(base, folder);
  assert.equal(readdirSync(folder), [], "the file has no name");
  await node.write(10_000, [new Uint8Array(300).fill(1), new Uint8Array(8000).fill(2)]);
  const all = new Uint8Array(base.length);
  await node.read(0, [all]);
  const want = before.slice().fill(1, 10_000, 10_300).fill(2, 10_300, 18_300);
  assert.is(Buffer.compare(all, want), 0);
  assert.is(Buffer.compare(base.bytes, before), 0);
  assert.is(base.writes, 0);
  await node.close();
  assert.ok(base.closed);
});

test("random reads and writes agree with a plain array", async () => {
  const base = MemoryNode.pattern(100_352);
  base.readOnly = true;
  const model = base.bytes.slice();
  const node = await SnapshotNode.create(base, folder);
  let seed = 1;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  for (let i = 0; i < 300; i++) {
    const offset = random(base.length);
    const length = random(Math.min(12_000, base.length - offset) + 1);
    if (random(2) === 0) {
      const data = new Uint8Array(length).fill(i);
      model.set(data, offset);
      await node.write(offset, [data.subarray(0, length >> 1), data.subarray(length >> 1)]);
    } else {
      const data = new Uint8Array(length);
      await node.read(offset, [data]);
      assert.is(Buffer.compare(data, model.subarray(offset, offset + length)), 0);
    }
  }
  await node.close();
});

test("concurrent writes into one cluster do not lose each other", async () => {
  const base = MemoryNode.pattern(4096);
  const node = await SnapshotNode.create(base, folder);
  await Promise.all(Array.from({ length: 8 }, (_, i) => node.write(i * 512, [new Uint8Array(512).fill(i + 1)])));
  const all = new Uint8Array(4096);
  await node.read(0, [all]);
  assert.ok(all.every((byte, i) => byte === (i >> 9) + 1));
  await node.close();
});

test("a failing base fails the request, and only that", async () => {
  const base = MemoryNode.pattern(8192);
  const node = await SnapshotNode.create(base, folder);
  base.failure = new Error("bad sector");
  await node.write(100, [new Uint8Array(10)]).then(
    () => assert.unreachable(),
    () => {},
  );
  await node.write(100, [new Uint8Array(10).fill(9)]);
  const all = new Uint8Array(20);
  await node.read(95, [all]);
  assert.equal([...all.subarray(5, 15)], new Array(10).fill(9));
  await node.close();
});

test("requests outside the image are refused", async () => {
  const node = await SnapshotNode.create(MemoryNode.pattern(4096), folder);
  for (const act of [() => node.read(4000, [new Uint8Array(97)]), () => node.write(-1, [new Uint8Array(1)])]) {
    await act().then(
      () => assert.unreachable(),
      (error) => assert.is(error.code, "block-range"),
    );
  }
  await node.close();
});

test("a folder that cannot be written is named", async () => {
  await SnapshotNode.create(MemoryNode.pattern(512), join(folder, "missing")).then(
    () => assert.unreachable(),
    (error) => {
      assert.is(error.code, "block-open");
      assert.match(error.hint, "TMPDIR");
    },
  );
});

test.run();
