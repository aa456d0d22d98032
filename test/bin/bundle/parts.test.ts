import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { chooseParts, FIRST_PARTY_PARTS, isForeign, type Part, PRESETS } from "../../../bin/bundle/parts.ts";
import { THREADS } from "../../../bin/threads.ts";
import type { QemuError } from "../../../core/errors.ts";
import { FIRST_PARTY } from "../../../plugins/first-party.ts";
import { TestBoard } from "../../machines/pc/board.ts";

const ROOT = resolve(import.meta.dirname, "../../..");

const part = (name: string, provides: string[], requires: string[] = []): Part => ({
  part: name,
  name,
  provides,
  requires,
  module: "",
});

const chosen = (wanted: readonly string[], available?: readonly Part[]) =>
  chooseParts(wanted, available).map(({ part, neededBy }) => [part.part, neededBy]);

function failure(action: () => unknown): QemuError {
  try {
    action();
  } catch (error) {
    return error as QemuError;
  }
  throw new Error("did not fail");
}

test("each part's module exists and holds the plugin", async () => {
  for (const { module, name } of FIRST_PARTY_PARTS) {
    assert.ok(existsSync(resolve(ROOT, module)), module);
    const { default: plugin } = await import(resolve(ROOT, module));
    assert.is(plugin.name, name);
  }
  assert.is(new Set(FIRST_PARTY_PARTS.map((each) => each.part)).size, FIRST_PARTY.length);
});

test("threads belong to parts that there are", () => {
  const parts = FIRST_PARTY_PARTS.map((each) => each.part);
  for (const { name, part, source } of THREADS) {
    assert.ok(part === undefined || parts.includes(part), name);
    assert.ok(existsSync(resolve(ROOT, source)), source);
  }
});

test("what a part requires comes along, and tells for whom", () => {
  const available = [
    part("a/one", ["device:x"], ["device:y"]),
    part("a/two", ["device:y"], ["device:z"]),
    part("a/three", ["device:z"]),
    part("a/four", []),
  ];
  assert.equal(chosen(["a/one"], available), [
    ["a/one", undefined],
    ["a/two", "a/one"],
    ["a/three", "a/two"],
  ]);
  assert.equal(chosen(["a/three", "a/two"], available), [
    ["a/two", undefined],
    ["a/three", undefined],
  ]);
});

test("parts may need each other", () => {
  const available = [part("a/one", ["device:x"], ["device:y"]), part("a/two", ["device:y"], ["device:x"])];
  assert.is(chosen(["a/one"], available).length, 2);
});

test("a part is also called by what it provides", () => {
  assert.equal(chosen(["device/isa-serial", "block/raw"]), [
    ["block/file", "block/raw"],
    ["block/raw", undefined],
    ["device/serial", undefined],
  ]);
});

test("an unknown part lists near ones; a requirement that nobody meets is named", () => {
  const unknown = failure(() => chooseParts(["acel/tcg"]));
  assert.is(unknown.message, "there is no part 'acel/tcg'");
  assert.is(unknown.hint, "did you mean 'accel/tcg'?");
  const missing = failure(() => chooseParts(["a/one"], [part("a/one", [], ["device:y"])]));
  assert.is(missing.message, "'a/one' needs the device 'y', which no part provides");
});

test("the machine's requirements are the devices that it makes by default", async () => {
  const asked: string[] = [];
  const bare = (await TestBoard.create(["-drive", "if=none,id=none"])).machine.devices.map(({ type }) => type.name);
  for (const name of bare) asked.push(`device:${name}`);
  const { requires = [] } = FIRST_PARTY.find(({ name }) => name === "pc")!;
  const missing = asked.filter((item) => !requires.includes(item));
  assert.equal(missing, []);
});

test("a preset is complete", () => {
  for (const { parts } of Object.values(PRESETS)) {
    const names = chooseParts(parts).flatMap(({ part }) => part.provides);
    for (const item of ["machine:pc", "accelerator:tcg", "blockDriver:raw", "blockProtocol:file", "chardev:stdio"])
      assert.ok(names.includes(item), item);
  }
});

test("names of packages and paths are told from parts", () => {
  for (const name of ["qemu-next-plugin-x", "x", "./x", "/x", "@scope/x"]) assert.ok(isForeign(name), name);
  assert.not.ok(isForeign("accel/tcg"));
});

test.run();
