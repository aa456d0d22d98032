import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { deviceError } from "../../../../core/block/node.ts";
import type { QemuError } from "../../../../core/errors.ts";
import { FILE_PROTOCOL, FileNode, type NodeFile } from "../../../../plugins/block/file/file.ts";

const folder = mkdtempSync(join(tmpdir(), "file-test-"));
test.after(() => rmSync(folder, { recursive: true }));

const failure = (promise: Promise<unknown>): Promise<QemuError> =>
  promise.then(
    () => assert.unreachable() as never,
    (error: QemuError) => error,
  );

test("positioned vectored reads and writes, with buffers in shared memory", async () => {
  const path = join(folder, "a.img");
  writeFileSync(path, Buffer.alloc(8192, 7));
  const node = await FILE_PROTOCOL.open(path, { readOnly: false });
  assert.is(node.length, 8192);
  const shared = new Uint8Array(new SharedArrayBuffer(4096), 1024, 100).fill(9);
  await node.write(4000, [shared, new Uint8Array(50).fill(8)]);
  await node.flush();
  const into = [new Uint8Array(new SharedArrayBuffer(200), 10, 101), new Uint8Array(51)];
  await node.read(3999, into);
  assert.equal([...into[0], ...into[1]], [7, ...new Array(100).fill(9), ...new Array(50).fill(8), 7]);
  await node.close();
  assert.is(readFileSync(path)[4100], 8);
});

test("read-only nodes refuse writes", async () => {
  const path = join(folder, "ro.img");
  writeFileSync(path, Buffer.alloc(512));
  const node = await FILE_PROTOCOL.open(path, { readOnly: true });
  const error = await failure(node.write(0, [new Uint8Array(1)]));
  assert.is(error.code, "block-read-only");
  assert.is((await failure(node.read(500, [new Uint8Array(13)]))).code, "block-range");
  await node.flush();
  await node.close();
});

test("files that cannot be opened are named with the reason", async () => {
  const missing = join(folder, "missing.img");
  const error = await failure(FILE_PROTOCOL.open(missing, { readOnly: false }));
  assert.is(error.code, "block-open");
  assert.is(error.message, `Could not open '${missing}': No such file or directory`);
  assert.match((await failure(FILE_PROTOCOL.open(folder, { readOnly: true }))).message, "Is a directory");
  assert.match((await failure(FILE_PROTOCOL.open("/dev/null", { readOnly: false }))).message, "Not a regular file");
  if (process.getuid?.() !== 0) {
    const locked = join(folder, "locked.img");
    writeFileSync(locked, "");
    chmodSync(locked, 0o444);
    assert.match((await failure(FILE_PROTOCOL.open(locked, { readOnly: false }))).hint ?? "", "readonly=on");
  }
});

test("errors of the system keep their meaning", async () => {
  const failing = (code: string): FileNode => {
    const fail = async (): Promise<never> => {
      throw Object.assign(new Error(code), { code });
    };
    const file: NodeFile = { read: fail, write: fail, datasync: fail, truncate: fail, close: fail };
    return new FileNode("x.img", file, 4096, false);
  };
  const enospc = await failure(failing("ENOSPC").write(512, [new Uint8Array(512)]));
  assert.is(enospc.code, "block-no-space");
  assert.is(deviceError(enospc), "enospc");
  assert.is(enospc.message, "file:x.img: write at 512: ENOSPC");
  const eio = await failure(failing("EIO").read(0, [new Uint8Array(512)]));
  assert.is(eio.code, "block-io");
  assert.is(deviceError(eio), "eio");
  assert.is((await failure(failing("ENOSPC").flush())).code, "block-no-space");
});

test.run();
