// @timeout 300
/** Which disk the firmware boots. Each disk's boot record ends the program with a status of its own. */

import { writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endConversations } from "../tools/conversation.ts";
import { ended, ScreenGuest, scratch, startGuest } from "../tools/guest.ts";

const files = scratch();
const LIMIT = 60;
const EXIT = ["-device", "isa-debug-exit,iobase=0xf4"];
const HEADLESS = ["-display", "none", "-serial", "none", "-monitor", "none", "-net", "none"];

/** A disk whose boot record writes `value` to port F4h: exit status 2 * value + 1. */
function bootDisk(name: string, value: number, size: number): string {
  const image = new Uint8Array(size);
  image.set([0xb0, value, 0xe6, 0xf4, 0xf4]); // mov al, value; out 0xf4, al; hlt
  image.set([0x55, 0xaa], 510);
  writeFileSync(files.path(name), image);
  return files.path(name);
}

const first = bootDisk("first.img", 10, 1 << 20);
const second = bootDisk("second.img", 20, 1 << 20);
const floppy = bootDisk("floppy.img", 30, 1_474_560);
const blank = files.path("blank.img");
writeFileSync(blank, new Uint8Array(1 << 20));

const drive = (file: string, id: string): string[] => ["-drive", `file=${file},if=none,id=${id},format=raw`];
const TWO_DISKS = [...drive(first, "a"), ...drive(second, "b")];

async function run(...args: string[]): Promise<{ status: number | null; stderr: string }> {
  return ended(await startGuest(...HEADLESS, ...EXIT, ...args), LIMIT);
}

test("the first disk boots, or the one with the lowest bootindex", async () => {
  const plain = await run(...TWO_DISKS, "-device", "ide-hd,drive=a", "-device", "ide-hd,drive=b");
  assert.is(plain.status, 21, plain.stderr);
  const chosen = await run(...TWO_DISKS, "-device", "ide-hd,drive=a", "-device", "ide-hd,drive=b,bootindex=1");
  assert.is(chosen.status, 41, chosen.stderr);
  const placed = ["ide-hd,drive=a,bus=ide.0,unit=0,bootindex=5", "ide-hd,drive=b,bus=ide.1,unit=1,bootindex=4"];
  const both = await run(...TWO_DISKS, ...placed.flatMap((device) => ["-device", device]));
  assert.is(both.status, 41, both.stderr);
});

test("a floppy's bootindex, and strict=on with reboot-timeout", async () => {
  const disk = [...drive(blank, "d"), "-device", "ide-hd,drive=d,bootindex=1"];
  const later = await run(...drive(first, "a"), "-device", "ide-hd,drive=a,bootindex=2", "-fda", floppy);
  assert.is(later.status, 21, later.stderr);
  const indexed = ["-device", "ide-hd,drive=a,bootindex=2", "-fda", floppy, "-global", "isa-fdc.bootindexA=1"];
  assert.is((await run(...drive(first, "a"), ...indexed)).status, 61);
  const lax = await run(...disk, "-fda", floppy);
  assert.is(lax.status, 61, lax.stderr);
  const strict = await run(...disk, "-fda", floppy, "-boot", "strict=on,reboot-timeout=100", "-no-reboot");
  assert.is(strict.status, 0, strict.stderr);
});

test("an index is used once", async () => {
  const { status, stderr } = await run(
    ...[...TWO_DISKS, "-device", "ide-hd,drive=a,bootindex=1", "-device", "ide-hd,drive=b,bootindex=1"],
  );
  assert.is(status, 1);
  assert.match(stderr, /-device ide-hd,drive=b,bootindex=1: The bootindex 1 has already been used/);
});

test("menu=on asks for as long as splash-time says; the menu takes a choice", async () => {
  const options = [...EXIT, "-hda", first, "-hdb", second, "-boot", "menu=on,splash-time=20000"];
  const guest = await ScreenGuest.start(files.path("screen"), ...options);
  await guest.see(/Press ESC for boot menu/, LIMIT);
  await guest.press("esc");
  await guest.see(/2\. ata0-1/, LIMIT);
  guest.guest.type("sendkey 2\n");
  assert.is((await ended(guest.guest, LIMIT)).status, 41);
});

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
