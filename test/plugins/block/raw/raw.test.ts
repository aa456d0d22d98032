import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openImage, probeFormat } from "../../../../core/block/driver.ts";
import { PluginHost } from "../../../../core/plugin/host.ts";
import file from "../../../../plugins/block/file/index.ts";
import raw from "../../../../plugins/block/raw/index.ts";

const folder = mkdtempSync(join(tmpdir(), "raw-test-"));
test.after(() => rmSync(folder, { recursive: true }));

async function host(): Promise<PluginHost> {
  const plugins = new PluginHost();
  await plugins.use(file);
  await plugins.use(raw);
  return plugins;
}

function image(name: string, bytes: Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

test("the size is rounded up to sectors; the rest reads as zeros and can be written", async () => {
  const path = image("odd.img", Buffer.alloc(1000, 3));
  const node = await openImage(await host(), path);
  assert.is(node.length, 1024);
  const sector = new Uint8Array(512).fill(0xee);
  await node.read(512, [sector.subarray(0, 480), sector.subarray(480)]);
  assert.equal([...sector], [...new Array(488).fill(3), ...new Array(24).fill(0)]);
  await node.write(512, [new Uint8Array(512).fill(4)]);
  await node.close();
  assert.is(readFileSync(path).length, 1024);
  assert.is(readFileSync(path)[1023], 4);
});

test("truncate grows and shrinks", async () => {
  const path = image("grow.img", Buffer.alloc(1024, 3));
  const node = await openImage(await host(), path, { format: "raw" });
  await node.truncate?.(5000);
  assert.is(node.length, 5120);
  assert.is(statSync(path).size, 5120);
  await node.discard(0, 5120);
  await node.close();
});

test("snapshot=on opens the file read-only and leaves it alone", async () => {
  const path = image("base.img", Buffer.alloc(4096, 1));
  const node = await openImage(await host(), path, { snapshot: true });
  assert.not.ok(node.readOnly);
  await node.write(0, [new Uint8Array(512).fill(2)]);
  const sector = new Uint8Array(512);
  await node.read(0, [sector]);
  assert.is(sector[0], 2);
  await node.close();
  assert.ok(readFileSync(path).every((byte) => byte === 1));
});

test("an empty file is an empty disk", async () => {
  const node = await openImage(await host(), image("empty.img", Buffer.alloc(0)));
  assert.is(node.length, 0);
  await node.close();
});

test("images of formats that nobody reads are refused unless format=raw says otherwise", async () => {
  const path = image("disk.qcow2", Buffer.concat([Buffer.from("QFI\xfb", "latin1"), Buffer.alloc(1020)]));
  await openImage(await host(), path).then(
    () => assert.unreachable(),
    (error) => {
      assert.is(error.message, `Could not open '${path}': Unknown driver 'qcow2'`);
    },
  );
  const node = await openImage(await host(), path, { format: "raw" });
  assert.is(node.length, 1024);
  await node.close();
  assert.is(probeFormat(new Uint8Array(512)), "raw");
  assert.is(probeFormat(Buffer.from("vhdxfile")), "vhdx");
});

test.run();
