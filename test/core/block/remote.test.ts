import { Worker } from "node:worker_threads";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { BlockError } from "../../../core/block/port.ts";
import { BlockServer, createRemoteBlockPlan, RemoteBlockPort } from "../../../core/block/remote.ts";
import { Doorbell } from "../../../core/thread/doorbell.ts";
import { MemoryNode } from "./memory-node.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Both sides in one thread. */
function pair(node: MemoryNode | undefined, trays: boolean[] = []) {
  const memory = new SharedArrayBuffer(4 << 20);
  const plan = createRemoteBlockPlan();
  let wakes = 0;
  const server = new BlockServer({ plan, memory, node, wake: () => wakes++, onTray: (open) => trays.push(open) });
  const port = new RemoteBlockPort(plan, memory);
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 1000 && port.pending > 0; i++) {
      await turn();
      port.poll();
    }
  };
  return { memory, server, port, settle, wakes: () => wakes };
}

const outcome = (into: BlockError[]) => (error: BlockError) => into.push(error);

test("a buffer in the machine's memory is filled in place, another one through the bounce buffer", async () => {
  const node = MemoryNode.pattern(1 << 20);
  const { memory, server, port, settle, wakes } = pair(node);
  assert.is(port.length, 1 << 20);
  assert.ok(port.inserted);
  const direct = new Uint8Array(memory, 4096, 1000);
  const foreign = new Uint8Array(3000);
  const errors: BlockError[] = [];
  port.read(512, [direct, foreign], outcome(errors));
  assert.equal(errors, [], "never inside the call");
  await settle();
  assert.equal(errors, [undefined]);
  assert.equal([...direct, ...foreign], [...node.bytes.subarray(512, 4512)]);
  assert.ok(wakes() >= 1);
  await server.close();
});

test("requests larger than a slot are split and complete once", async () => {
  const node = new MemoryNode(new Uint8Array(3 << 20));
  const { memory, server, port, settle } = pair(node);
  const errors: BlockError[] = [];
  const data = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31) & 0xff);
  const big = new Uint8Array(memory, 1 << 20, 2_500_000).fill(0x5a);
  port.write(1000, [data], outcome(errors));
  port.write(400_000, [big], outcome(errors));
  await settle();
  assert.equal(errors, [undefined, undefined]);
  assert.equal(Buffer.compare(node.bytes.subarray(1000, 301_000), data), 0);
  assert.ok(node.bytes.subarray(400_000, 2_900_000).every((byte) => byte === 0x5a));
  assert.ok(node.writes >= 5 + 3);
  await server.close();
});

test("more requests than slots wait their turn", async () => {
  const node = MemoryNode.pattern(1 << 16);
  const { server, port, settle } = pair(node);
  const buffers = Array.from({ length: 200 }, () => new Uint8Array(64));
  const errors: BlockError[] = [];
  buffers.forEach((buffer, i) => {
    port.read(i * 64, [buffer], outcome(errors));
  });
  assert.is(port.pending, 200);
  await settle();
  assert.is(errors.length, 200);
  assert.ok(buffers.every((buffer, i) => Buffer.compare(buffer, node.bytes.subarray(i * 64, i * 64 + 64)) === 0));
  await server.close();
});

test("vectors of many small parts", async () => {
  const node = MemoryNode.pattern(8192);
  const { memory, server, port, settle } = pair(node);
  const parts = Array.from({ length: 100 }, (_, i) => new Uint8Array(memory, 8192 + i * 32, 7));
  const errors: BlockError[] = [];
  port.read(3, parts, outcome(errors));
  await settle();
  assert.equal(errors, [undefined]);
  assert.equal(
    parts.flatMap((part) => [...part]),
    [...node.bytes.subarray(3, 703)],
  );
  await server.close();
});

test("errors arrive with their kind; a request outside the disk fails", async () => {
  const node = MemoryNode.pattern(4096);
  const { server, port, settle } = pair(node);
  const { QemuError } = await import("../../../core/errors.ts");
  const errors: BlockError[] = [];
  node.failure = new QemuError("block-no-space", "full");
  port.write(0, [new Uint8Array(512)], outcome(errors));
  await settle();
  node.failure = new Error("broken");
  port.flush(outcome(errors));
  await settle();
  port.read(4000, [new Uint8Array(512)], outcome(errors));
  await settle();
  port.discard(0, 512, outcome(errors));
  await settle();
  assert.equal(errors, ["enospc", "eio", "eio", undefined]);
  await server.close();
});

test("medium change, eject and tray", async () => {
  const trays: boolean[] = [];
  const { server, port, settle } = pair(undefined, trays);
  assert.not.ok(port.inserted);
  assert.is(port.length, 0);
  let changes = 0;
  port.onMediumChange(() => changes++);
  const errors: BlockError[] = [];
  port.read(0, [new Uint8Array(1)], outcome(errors));
  await settle();
  assert.equal(errors, ["eio"]);
  const disc = new MemoryNode(new Uint8Array(4096));
  disc.readOnly = true;
  await server.setNode(disc);
  assert.not.ok(port.inserted, "shows only after poll");
  port.poll();
  assert.is(changes, 1);
  assert.ok(port.inserted && port.readOnly && port.length === 4096);
  port.setTray(true);
  port.setLocked(true);
  await settle();
  assert.equal(trays, [true]);
  await server.setNode(undefined);
  port.poll();
  assert.is(changes, 2);
  assert.not.ok(port.inserted);
  await server.close();
});

test("between two threads", async () => {
  const node = MemoryNode.pattern(1 << 20);
  const memory = new SharedArrayBuffer(2 << 20);
  const plan = createRemoteBlockPlan();
  const bell = new Doorbell();
  const server: BlockServer = new BlockServer({
    plan,
    memory,
    node,
    wake: () => bell.ring(),
    onTray: () => void server.setNode(undefined),
  });
  const worker = new Worker(new URL("./remote-worker.ts", import.meta.url), {
    workerData: { plan, memory, bell: bell.buffer },
  });
  const message = await new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  assert.equal(message, { errors: [], inserted: false });
  assert.equal(Buffer.compare(node.bytes.subarray(0, 1 << 19), node.bytes.subarray(1 << 19)), 0);
  await worker.terminate();
  await server.close();
});

test.run();
