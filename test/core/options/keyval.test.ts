import { test } from "uvu";
import * as assert from "uvu/assert";
import { escapeValue, parseKeyValues, toRecord, wantsHelp } from "../../../core/options/keyval.ts";

const record = (text: string, implied?: string): Record<string, string> => ({
  ...toRecord(parseKeyValues(text, implied)),
});

test("pairs, an implied first key, bare keys", () => {
  assert.equal(record("pc,accel=tcg,usb=off", "type"), { type: "pc", accel: "tcg", usb: "off" });
  assert.equal(record("type=pc", "type"), { type: "pc" });
  assert.equal(record("server,path=/x"), { server: "on", path: "/x" });
  assert.equal(record("", "type"), {});
});

test("a doubled comma is a comma", () => {
  assert.equal(record("file=a,,b,,,id=x"), { file: "a,b,", id: "x" });
  assert.equal(record("a,,b", "path"), { path: "a,b" });
  assert.equal(record(`file=${escapeValue("x,y,,z")}`), { file: "x,y,,z" });
});

test("values may hold equals signs, and be empty", () => {
  assert.equal(record("append=root=/dev/sda,x="), { append: "root=/dev/sda", x: "" });
});

test("nokey turns a known key off; unknown keys list near matches", () => {
  const allowed = ["wait", "server"];
  assert.equal({ ...toRecord(parseKeyValues("server,nowait"), allowed) }, { server: "on", wait: "off" });
  try {
    toRecord(parseKeyValues("sever=on"), allowed);
    assert.unreachable();
  } catch (error) {
    assert.is((error as Error).message, "Invalid parameter 'sever'");
    assert.is((error as { hint?: string }).hint, "did you mean 'server'?");
  }
});

test("help as value, as question mark, after a name", () => {
  assert.ok(wantsHelp(parseKeyValues("help", "driver")));
  assert.ok(wantsHelp(parseKeyValues("?", "driver")));
  assert.ok(wantsHelp(parseKeyValues("isa-serial,help", "driver")));
  assert.not(wantsHelp(parseKeyValues("isa-serial,help=on", "driver")));
});

test.run();
