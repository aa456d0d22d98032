import { readFileSync } from "node:fs";
import koffi from "koffi";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { END, END_AT, ENTRY, freeFromLibatomic } from "../../../bin/bundle/libatomic.ts";

const here = process.platform === "linux" && process.arch === "x64" ? test : test.skip;

here("Node does not need libatomic after the changes, which are all in place", () => {
  const node = readFileSync(process.execPath);
  const found = freeFromLibatomic(node);
  assert.ok(found.independent, JSON.stringify(found));
  for (const { offset, bytes } of found.patches) node.set(bytes, offset);
  assert.equal(freeFromLibatomic(node), { independent: true, patches: [] });
});

here("the function compares and exchanges eight bytes", () => {
  const PAGE = 4096;
  const libc = koffi.load(null);
  // SAFETY: a private anonymous mapping of our own, which stays until the process ends.
  const mmap = libc.func("void *mmap(void *address, size_t length, int prot, int flags, int fd, long offset)");
  const page: unknown = mmap(null, PAGE, 7, 0x22, -1, 0);
  const bytes = new Uint8Array(koffi.view(page, PAGE));
  bytes.set(ENTRY, 16);
  bytes.set(END, 16 + END_AT);
  // A call of what is at the page's beginning: jmp to the entry, where the part before it is not used.
  bytes.set([0xeb, 14], 0);
  const type = koffi.proto("bool exchange(size_t size, void *object, void *expected, void *desired, int yes, int no)");
  const [object, expected, desired] = [5n, 5n, 0x1122334455667788n].map((value) => BigUint64Array.of(value));
  assert.is(koffi.call(page, type, 8, object, expected, desired, 3, 0), true);
  assert.equal([object[0], expected[0], desired[0]], [desired[0], 5n, 0x1122334455667788n]);
  assert.is(koffi.call(page, type, 8, object, expected, desired, 3, 0), false);
  assert.equal([object[0], expected[0]], [desired[0], desired[0]]);
});

test("other files are left as they are", () => {
  assert.equal(freeFromLibatomic(Buffer.from("#!/bin/sh\n")), { independent: false, reason: "it is not an ELF file" });
  assert.equal(freeFromLibatomic(Buffer.alloc(2)), { independent: false, reason: "the file is damaged" });
  const header = Buffer.from("7f454c46020101", "hex");
  const cut = Buffer.concat([header, Buffer.alloc(57)]);
  assert.equal(freeFromLibatomic(cut), { independent: false, reason: "it is for another machine" });
  cut.writeUInt16LE(62, 18);
  assert.equal(freeFromLibatomic(cut), { independent: false, reason: "it has no dynamic section" });
});

test.run();
