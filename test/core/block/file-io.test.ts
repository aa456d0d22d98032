import { test } from "uvu";
import * as assert from "uvu/assert";
import { Pacer, readFully, type VectorFile, writeFully } from "../../../core/block/file-io.ts";
import { blockFailure, deviceError } from "../../../core/block/node.ts";

/** A file that moves at most `chunk` bytes a call and holds at most `capacity`. */
function slowFile(bytes: Uint8Array, chunk: number, capacity = bytes.length) {
  const calls: number[] = [];
  const move = (parts: readonly Uint8Array[], at: number, limit: number, write: boolean): number => {
    let left = Math.max(0, Math.min(chunk, limit - at));
    let moved = 0;
    for (const part of parts) {
      const count = Math.min(part.length, left);
      if (write) bytes.set(part.subarray(0, count), at);
      else part.set(bytes.subarray(at, at + count));
      at += count;
      left -= count;
      moved += count;
    }
    calls.push(moved);
    return moved;
  };
  const file: VectorFile = {
    read: async (parts, position) => move(parts, position, bytes.length, false),
    write: async (parts, position) => {
      if (position >= capacity) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
      return move(parts, position, capacity, true);
    },
  };
  return { file, calls };
}

test("short reads are continued, across parts", async () => {
  const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
  const { file, calls } = slowFile(bytes, 7);
  const parts = [new Uint8Array(10), new Uint8Array(0), new Uint8Array(13)];
  await readFully(file, 20, parts);
  assert.equal([...parts[0], ...parts[2]], [...bytes.subarray(20, 43)]);
  assert.equal(calls, [7, 7, 7, 2]);
});

test("past the end of the file there are zeros", async () => {
  const { file } = slowFile(new Uint8Array(16).fill(5), 100);
  const into = new Uint8Array(20).fill(0xee);
  await readFully(file, 10, [into]);
  assert.equal([...into], [...new Array(6).fill(5), ...new Array(14).fill(0)]);
});

test("a full disk surfaces as enospc, after what fitted", async () => {
  const bytes = new Uint8Array(64);
  const { file } = slowFile(bytes, 10, 25);
  await writeFully(file, 0, [new Uint8Array(40).fill(1)]).then(
    () => assert.unreachable(),
    (cause) => {
      const error = blockFailure("file:x", "write", 0, cause);
      assert.is(error.code, "block-no-space");
      assert.is(deviceError(error), "enospc");
    },
  );
  assert.is(bytes.filter((byte) => byte === 1).length, 25);
});

test("more parts than one system call takes", async () => {
  const bytes = new Uint8Array(4000);
  const { file, calls } = slowFile(bytes, 1 << 20);
  await writeFully(
    file,
    0,
    Array.from({ length: 2000 }, (_, i) => new Uint8Array(2).fill(i)),
  );
  assert.is(calls.length, 2);
  assert.ok(bytes.every((byte, i) => byte === ((i >> 1) & 0xff)));
});

test("small requests are done at once until one is slow", async () => {
  let now = 0;
  const pacer = new Pacer(() => now);
  const request = (length: number, milliseconds: number): Promise<string> =>
    pacer.run(
      length,
      () => {
        now += milliseconds;
        return "direct";
      },
      async () => "queued",
    );
  assert.is(await request(4096, 0.1), "direct");
  assert.is(await request(1 << 20, 0), "queued");
  assert.is(await request(4096, 5), "direct");
  for (let i = 0; i < 256; i++) assert.is(await request(4096, 0), "queued");
  assert.is(await request(4096, 0), "direct");
  const fails = pacer.run(
    1,
    () => assert.unreachable() as never,
    async () => "queued",
  );
  await fails.then(
    () => assert.unreachable(),
    () => {},
  );
});

test.run();
