import { test } from "uvu";
import * as assert from "uvu/assert";
import { parsePciAddress } from "../../../core/bus/pci-plug.ts";

test("slot and function are hexadecimal", () => {
  assert.is(parsePciAddress("VGA", undefined), undefined);
  assert.is(parsePciAddress("VGA", "02.0"), 0x10);
  assert.is(parsePciAddress("VGA", "6"), 0x30);
  assert.is(parsePciAddress("VGA", "0x1f.7"), 0xff);
});

test("anything else is refused, with the property's name", () => {
  for (const text of ["20", "1.8", "x", "", "1.2.3"]) {
    assert.throws(() => parsePciAddress("VGA", text), /Property 'VGA.addr' doesn't take value/);
  }
});

test.run();
