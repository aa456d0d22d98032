import { PluginHost } from "qemu-next";
import { test } from "uvu";
import * as assert from "uvu/assert";
import plugin from "../index.js";
import { emptyImage, MemoryFile } from "./tools.js";

const BLOCK = 4096;
const SIZE = 64 * BLOCK + 512;

async function open(file, readOnly = false) {
  const host = new PluginHost();
  await host.use(plugin);
  return (await host.require("blockDriver", "vdi")).open(file, { readOnly });
}

const fresh = () => new MemoryFile(emptyImage(SIZE, BLOCK));

async function read(node, offset, length) {
  const bytes = new Uint8Array(length).fill(0xee);
  await node.read(offset, [bytes.subarray(0, length >> 1), bytes.subarray(length >> 1)]);
  return bytes;
}

async function refused(bytes, wanted) {
  try {
    await open(new MemoryFile(bytes));
  } catch (error) {
    assert.match(error.message, wanted);
    return;
  }
  assert.unreachable("was opened");
}

test("an empty image has the size of its disk, and reads as zeros", async () => {
  const node = await open(fresh());
  assert.is(node.length, SIZE);
  assert.ok((await read(node, 0, SIZE)).every((byte) => byte === 0));
});

test("what is written is read, also by who opens the file again", async () => {
  const file = fresh();
  const node = await open(file);
  const copy = new Uint8Array(SIZE);
  for (let seed = 7, i = 0; i < 60; i++) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    const offset = ((seed >>> 4) % (SIZE / 512)) * 512;
    const length = Math.min(SIZE - offset, (1 + ((seed >>> 16) % 40)) * 512);
    const data = new Uint8Array(length).fill(i + 1);
    copy.set(data, offset);
    await node.write(offset, [data.subarray(0, 100), data.subarray(100)]);
  }
  assert.equal(await read(node, 0, SIZE), copy);
  await node.close();
  assert.equal(await read(await open(file), 0, SIZE), copy);
});

test("requests that overlap make a block once", async () => {
  const file = fresh();
  const node = await open(file);
  const before = file.length;
  await Promise.all(Array.from({ length: 8 }, (_, i) => node.write(i * 512, [new Uint8Array(512).fill(i + 1)])));
  assert.is(file.length, before + BLOCK);
  assert.equal(
    Array.from(await read(node, 0, BLOCK)).filter((_, i) => i % 512 === 0),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
});

test("a power cut at any write loses nothing that was flushed, and leaves an image that opens", async () => {
  const file = fresh();
  const before = Uint8Array.from(file.bytes);
  const node = await open(file);
  const flushed = [];
  for (let i = 0; i < 6; i++) {
    await node.write(((i * 5) % 7) * BLOCK + 512, [new Uint8Array(1024).fill(i + 1)]);
    if (i % 2 === 1) {
      await node.flush();
      flushed.push({ steps: file.journal.length, writes: i + 1 });
    }
  }
  const { journal } = file;
  for (let steps = 0; steps <= journal.length; steps++) {
    const there = await open(MemoryFile.replay(before, journal, steps));
    const safe = flushed.findLast((point) => point.steps <= steps)?.writes ?? 0;
    for (let i = 0; i < safe; i++) {
      const block = await read(there, ((i * 5) % 7) * BLOCK, BLOCK);
      assert.ok(
        block.every((byte, at) => byte === (at >= 512 && at < 1536 ? i + 1 : 0)),
        `write ${i} after ${steps} steps`,
      );
    }
  }
});

test("the map never gets to the disk before the data", async () => {
  const file = fresh();
  const node = await open(file);
  await node.write(0, [new Uint8Array(512).fill(1)]);
  assert.ok(file.journal.every(({ kind, offset }) => kind !== "write" || offset >= 1024));
  await node.flush();
  const kinds = file.journal.map(({ kind, offset }) => (kind === "write" && offset < 1024 ? "map" : kind));
  assert.equal(kinds, ["truncate", "write", "flush", "map", "map", "flush"]);
});

test("what was left behind the last block is not seen", async () => {
  const file = fresh();
  const stale = new Uint8Array(file.length + 2 * BLOCK).fill(0x55);
  stale.set(file.bytes);
  const node = await open(new MemoryFile(stale));
  await node.write(512, [new Uint8Array(512).fill(1)]);
  const block = await read(node, 0, BLOCK);
  assert.ok(block.every((byte, at) => byte === (at >= 512 && at < 1024 ? 1 : 0)));
});

test("a gap in the numbers of the blocks is filled", async () => {
  const file = fresh();
  const last = SIZE / BLOCK;
  new DataView(file.bytes.buffer).setUint32(512 + 4 * 3, Math.floor(last), true);
  const node = await open(file);
  for (let block = 0; block < last; block++) await node.write(block * BLOCK, [new Uint8Array(512).fill(block + 1)]);
  await node.close();
  const again = await open(file);
  for (let block = 0; block < last; block++) assert.is((await read(again, block * BLOCK, 512))[0], block + 1);
});

test("read-only images are not written", async () => {
  const node = await open(fresh(), true);
  assert.ok(node.readOnly);
  try {
    await node.write(0, [new Uint8Array(512)]);
    assert.unreachable();
  } catch (error) {
    assert.is(error.code, "block-read-only");
  }
});

test("headers that lie are refused", async () => {
  const changed = (offset, value) => {
    const { bytes } = fresh();
    new DataView(bytes.buffer).setUint32(offset, value, true);
    return bytes;
  };
  await refused(new Uint8Array(100), /too short/);
  await refused(changed(0x40, 0), /not a VDI image/);
  await refused(changed(0x44, 0x20000), /version 2\.0/);
  await refused(changed(0x4c, 4), /of type 4/);
  await refused(changed(0x154, 100), /offset of the block map/);
  await refused(changed(0x154, 0x7ffffe00), /offset of the data/);
  await refused(changed(0x158, 512), /offset of the data/);
  await refused(changed(0x168, 4096), /sector size/);
  await refused(changed(0x174, 1), /bad disk size/);
  await refused(changed(0x178, 0), /bad block size/);
  await refused(changed(0x178, 0xfffffe00), /bad block size/);
  await refused(changed(0x17c, 512), /extra data/);
  await refused(changed(0x180, 0xffffffff), /too many blocks/);
  await refused(changed(0x180, 1), /bad disk size/);
  await refused(changed(0x1b8, 1), /with a parent/);
  await refused(changed(512, 1000), /map is corrupt \(entry 0\)/);
  const twice = changed(512, 5);
  new DataView(twice.buffer).setUint32(516, 5, true);
  await refused(twice, /map is corrupt \(entry 1\)/);
});

test("any header is opened or refused", async () => {
  for (let seed = 3, i = 0; i < 3000; i++) {
    const { bytes } = fresh();
    for (let n = 0; n < 3; n++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      bytes[0x40 + ((seed >>> 8) % 0x1d0)] = seed >>> 24;
    }
    try {
      const node = await open(new MemoryFile(bytes));
      await read(node, 0, 512);
    } catch (error) {
      assert.is(error.code, "block-open", String(error.stack));
    }
  }
});

test.run();
