import { test } from "uvu";
import * as assert from "uvu/assert";
import { writeCpio } from "./cpio.ts";

interface Member {
  name: string;
  mode: number;
  links: number;
  rdev: [number, number];
  data: string;
}

function read(archive: Uint8Array): Member[] {
  const bytes = Buffer.from(archive);
  const members: Member[] = [];
  for (let at = 0; ; ) {
    assert.is(bytes.toString("latin1", at, at + 6), "070701", `magic at ${at}`);
    const field = (i: number) => Number.parseInt(bytes.toString("latin1", at + 6 + i * 8, at + 14 + i * 8), 16);
    const [nameSize, size] = [field(11), field(6)];
    const name = bytes.toString("utf8", at + 110, at + 110 + nameSize - 1);
    if (name === "TRAILER!!!") return members;
    const data = at + Math.ceil((110 + nameSize) / 4) * 4;
    members.push({
      name,
      mode: field(1),
      links: field(4),
      rdev: [field(9), field(10)],
      data: bytes.toString("utf8", data, data + size),
    });
    at = data + Math.ceil(size / 4) * 4;
  }
}

test("files, folders, links and nodes with their modes; parents are added once", () => {
  const archive = writeCpio([
    { path: "bin/busybox", kind: "file", mode: 0o755, data: "ELF" },
    { path: "bin/sh", kind: "symlink", data: "busybox" },
    { path: "dev/console", kind: "character", device: { major: 5, minor: 1 } },
    { path: "a/b/c", kind: "file", data: new Uint8Array([0x78]) },
  ]);
  assert.equal(
    read(archive).map(({ name, mode }) => [name, mode.toString(8)]),
    [
      ["bin", "40755"],
      ["bin/busybox", "100755"],
      ["bin/sh", "120777"],
      ["dev", "40755"],
      ["dev/console", "20600"],
      ["a", "40755"],
      ["a/b", "40755"],
      ["a/b/c", "100644"],
    ],
  );
  const [, busybox, sh, , node, , , last] = read(archive);
  assert.equal([busybox.data, sh.data, last.data], ["ELF", "busybox", "x"]);
  assert.equal(node.rdev, [5, 1]);
  assert.is(archive.length % 512, 0);
});

test("equal contents make equal archives", () => {
  const make = () => writeCpio([{ path: "x", kind: "file", data: "1" }]);
  assert.equal(make(), make());
});

test.run();
