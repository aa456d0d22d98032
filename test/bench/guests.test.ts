import { test } from "uvu";
import * as assert from "uvu/assert";
import { BARE_ROWS, bareImage } from "./bare.ts";
import { perAmount } from "./disk.ts";
import { timesOf, totalOf } from "./guest.ts";
import type { Mark, Watched } from "./watch.ts";

const mark = (kind: string, name: string, at: number, check?: string): Mark => ({ kind, name, at, check });

function watched(marks: readonly Mark[], more: Partial<Watched> = {}): Watched {
  return { marks, seconds: 9, problem: undefined, status: 0, lastWord: "", ...more };
}

test("times between marks, as far as the guest came", () => {
  const marks = [mark("at", "init", 2), mark("begin", "a", 3), mark("end", "a", 4.5, "7"), mark("begin", "b", 5)];
  assert.equal(timesOf(watched(marks, { status: 1, lastWord: "panic" }), ["init", "a", "b", "c"]), [
    { row: "init", unit: "s", value: 2 },
    { row: "a", unit: "s", value: 1.5, check: "7" },
    { row: "b", unit: "s", error: "ended with status 1: panic" },
    { row: "c", unit: "s", error: "ended with status 1: panic" },
  ]);
});

test("the whole run counts when it ended as it should", () => {
  assert.equal(totalOf(watched([]), "off", 0), { row: "off", unit: "s", value: 9 });
  assert.is(totalOf(watched([], { status: 2 }), "off", 0).error, "ended with status 2");
  assert.is(totalOf(watched([], { problem: "ended by SIGSEGV" }), "off", 0).error, "ended by SIGSEGV");
});

test("a count of blocks in some time is the time for 100 MB", () => {
  const { row, value } = perAmount({ row: "sha256", unit: "s", value: 3, check: String(100e6 / 8192) });
  assert.is(row, "sha256, 100 MB");
  assert.is(value, 3);
  assert.is(perAmount({ row: "sha256", unit: "s", value: 3, check: "" }).error, "openssl gave no count");
});

test("the image of the bare loops: 64 KiB that begin at the reset vector; its rows are single words", () => {
  const image = bareImage();
  assert.is(image.length, 0x10000);
  assert.equal([...image.subarray(0xfff0, 0xfff5)], [0xea, 0, 0, 0, 0xf0]);
  assert.is(new Set(BARE_ROWS).size, BARE_ROWS.length);
  for (const row of BARE_ROWS) assert.match(row, /^\S+$/);
});

test.run();
