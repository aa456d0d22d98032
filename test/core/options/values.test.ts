import { test } from "uvu";
import * as assert from "uvu/assert";
import { nearMatches } from "../../../core/options/near.ts";
import { parseProperties } from "../../../core/options/properties.ts";
import { parseBool, parseInteger, parseSize, parseUuid } from "../../../core/options/values.ts";

test("booleans", () => {
  for (const text of ["on", "yes", "true", "y"]) assert.is(parseBool("x", text), true);
  for (const text of ["off", "no", "false", "n"]) assert.is(parseBool("x", text), false);
  assert.throws(() => parseBool("x", "maybe"), /Parameter 'x' expects 'on' or 'off'/);
});

test("sizes", () => {
  assert.is(parseSize("size", "512", "M"), 512 << 20);
  assert.is(parseSize("size", "1G", "M"), 2 ** 30);
  assert.is(parseSize("size", "1.5k"), 1536);
  assert.is(parseSize("size", "0x10"), 16);
  assert.is(parseSize("size", "10b", "M"), 10);
  for (const text of ["", "abc", "-1", "1Q", "16E", "1 M"]) {
    assert.throws(() => parseSize("size", text), /expects a non-negative number below 2\^64/, text);
  }
});

test("integers", () => {
  assert.is(parseInteger("x", "0x3f8"), 0x3f8);
  assert.is(parseInteger("x", "010"), 8);
  assert.is(parseInteger("x", "-5", -10), -5);
  assert.throws(() => parseInteger("x", "300", 0, 255), /from 0 to 255/);
  assert.throws(() => parseInteger("x", "1x"), /number/);
});

test("UUIDs", () => {
  assert.is(parseUuid("DEADBEEF-0000-1111-2222-0123456789AB"), "deadbeef-0000-1111-2222-0123456789ab");
  assert.throws(() => parseUuid("deadbeef"), /failed to parse UUID/);
});

test("properties: defaults, types, unknown names", () => {
  const specs = {
    index: { type: "uint8", default: 7 },
    on: { type: "bool" },
    mode: { type: "str", values: ["a", "b"] },
  } as const;
  assert.equal(parseProperties("x", specs, {}), { index: 7 });
  assert.equal(parseProperties("x", specs, { index: "0x10", on: "yes", mode: "b" }), {
    index: 16,
    on: true,
    mode: "b",
  });
  assert.throws(() => parseProperties("x", specs, { index: "256" }), /from 0 to 255/);
  assert.throws(() => parseProperties("x", specs, { mode: "c" }), /does not accept value 'c'/);
  assert.throws(() => parseProperties("x", specs, { nope: "c" }), /Property 'x.nope' not found/);
  assert.throws(() => parseProperties("x", specs, { constructor: "c" }), /not found/);
});

test("near matches", () => {
  const names = ["isa-serial", "isa-parallel", "VGA", "e1000", "pc", "q35"];
  assert.equal(nearMatches("isa-seral", names), ["isa-serial"]);
  assert.equal(nearMatches("vga", names), ["VGA"]);
  assert.equal(nearMatches("serial", names), ["isa-serial"]);
  assert.equal(nearMatches("cp", names), ["pc"]);
  assert.equal(nearMatches("xyzzy", names), []);
});

test.run();
