import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { cachePath, exists, makeAtomically, withLock } from "./cache.ts";

const base = mkdtempSync(join(tmpdir(), "qemu-next-cache-"));
const before = process.env.XDG_CACHE_HOME;
process.env.XDG_CACHE_HOME = base;
test.after(() => {
  if (before === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = before;
  rmSync(base, { recursive: true });
});

test("the cache lies in XDG_CACHE_HOME", () => {
  assert.is(cachePath("a", "b"), join(base, "qemu-next/a/b"));
});

test("a target appears whole or not at all", async () => {
  const target = cachePath("sub/file");
  await makeAtomically(target, async (file) => writeFileSync(file, "1"));
  assert.is(readFileSync(target, "utf8"), "1");
  const failing = makeAtomically(target, async (file) => {
    writeFileSync(file, "2");
    throw new Error("disk full");
  });
  await failing.then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /disk full/),
  );
  assert.is(readFileSync(target, "utf8"), "1");
  assert.equal(readdirSync(cachePath("sub")), ["file"]);
});

test("work under one lock is done one after the other, and the lock goes away on errors", async () => {
  const order: string[] = [];
  const slow = withLock("job", async () => {
    order.push("a");
    await new Promise((resolve) => setImmediate(resolve));
    order.push("b");
    throw new Error("failed");
  }).catch(() => order.push("caught"));
  const next = withLock("job", async () => void order.push("c"));
  await Promise.all([slow, next]);
  assert.is(order.indexOf("b"), order.indexOf("a") + 1);
  assert.not(await exists(cachePath("job.lock")));
});

test("the lock of a process that is gone is taken over", async () => {
  mkdirSync(cachePath("old.lock"), { recursive: true });
  writeFileSync(cachePath("old.lock/pid"), String(2 ** 30));
  assert.is(await withLock("old", async () => 42), 42);
});

test.run();
