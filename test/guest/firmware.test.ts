// @timeout 120
// @backends wasm js interp
/** SeaBIOS without anything to boot, and the monitor looking at the machine. */

import { readFileSync } from "node:fs";
import { decode } from "fast-png";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endConversations } from "../tools/conversation.ts";
import { ended, scratch, startGuest } from "../tools/guest.ts";

const files = scratch();

test("the firmware reports on its debug port and finds nothing to boot; the monitor sees its machine", async () => {
  const bios = files.path("bios.log");
  const guest = await startGuest(
    ...["-display", "none", "-serial", "null", "-monitor", "stdio", "-no-user-config"],
    ...["-debugcon", `file:${bios}`, "-global", "isa-debugcon.iobase=0x402"],
  );
  await guest.expect("(qemu) ");
  for (let tries = 0; !/No bootable device/.test(readFileSync(bios, "latin1")); tries++) {
    assert.ok(tries < 300, readFileSync(bios, "latin1"));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const ask = async (line: string, answer: string): Promise<void> => {
    guest.type(`${line}\n`);
    await guest.expect(answer);
    await guest.expect("(qemu) ");
  };
  await ask("info pci", "Host bridge: PCI device 8086:1237");
  await ask("info pic", "pic0: irr=");
  await ask("info lapic", "APIC");
  await ask("info qtree", "dev: VGA");
  await ask("info mtree", "isa-debugcon");
  await ask("info registers", "CR0=00000010");
  await ask("xp/1xh 0x7dfe", "0000000000007dfe: 0x");
  await ask("xp/1xb 0xfffffff0", "0xea");
  const screen = files.path("screen.png");
  await ask(`screendump ${screen} -f png`, "screendump");
  const { width, height, data } = decode(readFileSync(screen));
  assert.equal([width, height], [720, 400]);
  assert.ok(
    data.some((value) => value > 100),
    "there is text on the screen",
  );
  await ask("system_reset", "system_reset");
  guest.type("quit\n");
  const { status } = await ended(guest, 20);
  assert.is(status, 0);
});

test("no firmware: one message, with the package that has it", async () => {
  const guest = await startGuest("-nographic", "-bios", "no-such-bios.bin");
  const { status, stderr } = await ended(guest, 20);
  assert.is(status, 1);
  assert.match(stderr, /could not find the PC BIOS 'no-such-bios.bin'/);
  assert.match(stderr, /seabios/);
});

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
