import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { StateArena } from "../../../core/state/state.ts";
import { Lock } from "../../../core/thread/lock.ts";
import { withTimeout } from "../../tools/with-timeout.ts";
import { COUNTER, type LockTask, perform } from "./lock.worker.ts";

const STATE = 0;

function inThread(buffer: SharedArrayBuffer, task: LockTask): Promise<unknown> {
  const worker = new Worker(new URL("./lock.worker.ts", import.meta.url), { workerData: { buffer, task } });
  return withTimeout("the thread", 20_000, once(worker, "message")).then(([answer]) => answer);
}

test("a thread may acquire again what it holds, and is free after as many releases", () => {
  const buffer = new SharedArrayBuffer(64);
  const words = new Int32Array(buffer);
  const lock = new Lock(buffer, 32);
  const same = new Lock(buffer, 32);
  assert.is(lock.acquire(), true);
  assert.is(same.acquire(), true);
  assert.is(lock.acquire(), true);
  lock.release();
  same.release();
  assert.is(lock.mine, true);
  same.release();
  assert.is(lock.mine, false);
  assert.equal([...words], new Array(16).fill(0));
});

test("locks are released in any order", () => {
  const buffer = new SharedArrayBuffer(64);
  const [a, b, c] = [0, 16, 32].map((address) => new Lock(buffer, address));
  for (const lock of [a, b, c]) lock.acquire();
  b.release();
  a.release();
  assert.is(c.mine, true);
  c.release();
  assert.throws(() => c.release(), /the lock at 32, which it does not hold/);
});

test("what is thrown under a lock releases it", () => {
  const lock = new Lock(new SharedArrayBuffer(16), 0);
  const fail = (): never => {
    throw new Error("inside");
  };
  assert.throws(() => lock.run(fail), /inside/);
  assert.is(lock.mine, false);
});

test("another thread cannot release it", async () => {
  const buffer = new SharedArrayBuffer(1024);
  const lock = new Lock(buffer, 0);
  lock.acquire();
  assert.is(await inThread(buffer, { kind: "release" }), "a thread released the lock at 0, which it does not hold");
  assert.is(lock.mine, true);
  lock.release();
});

test("two threads exclude each other", async () => {
  const buffer = new SharedArrayBuffer(1024);
  const rounds = 20_000;
  const worker = inThread(buffer, { kind: "count", rounds });
  perform(buffer, { kind: "count", rounds });
  await worker;
  assert.is(new Int32Array(buffer)[COUNTER], 2 * rounds);
  assert.is(new Int32Array(buffer)[STATE], 0);
});

for (const count of [2, 3]) {
  test(`${count} threads that wait for each other in a ring: one at least gives up, the others get what they want`, async () => {
    const buffer = new SharedArrayBuffer(1024);
    const others = Array.from({ length: count - 1 }, (_, i) => inThread(buffer, { kind: "ring", index: i + 1, count }));
    const got = [perform(buffer, { kind: "ring", index: 0, count }), ...(await Promise.all(others))];
    assert.ok(got.includes(false), `${got}`);
    assert.ok([...new Int32Array(buffer, 0, count * 4)].every((word) => word === 0));
  });
}

test("in an arena it lies at the same place in every thread, and is no part of a saved machine", () => {
  const arena = StateArena.create(1024);
  const lock = Lock.attach(arena, "hpet/lock");
  const twin = Lock.attach(new StateArena(lock.buffer), "hpet/lock");
  lock.acquire();
  assert.is(twin.mine, true);
  assert.equal(arena.save(), {});
  arena.load({});
  assert.is(twin.mine, true);
  lock.release();
});

test.run();
