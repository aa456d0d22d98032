// @timeout 120
// @backends wasm js interp
/** Multiboot kernels with -kernel, and kernels started without any firmware. */

import { writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { assemble } from "../tools/asm.ts";
import { endConversations } from "../tools/conversation.ts";
import { ended, linuxOptions, ScreenGuest, scratch, startGuest } from "../tools/guest.ts";
import { packageFile } from "../tools/packages.ts";

const files = scratch();
const screen = files.path("screen.txt");

test("GRUB's example kernel sees its command line, modules and memory map", async () => {
  const kernel = await packageFile("multiboot", "usr/lib/multiboot/examples/kernel");
  const module = files.path("module");
  writeFileSync(module, "module");
  const options = ["-m", "64", "-kernel", kernel, "-append", "some words", "-initrd", `${module} one two`];
  const guest = await ScreenGuest.start(screen, ...options);
  const text = (await guest.see(/Halted\./, 60)).replaceAll("\n", "");
  assert.match(text, /mem_lower = 639KB, mem_upper = 64508KB/);
  assert.match(text, /cmdline = .*kernel some words/);
  assert.match(text, /mods_count = 1/);
  assert.match(text, /cmdline = .*module one two/);
  assert.match(text, /base_addr = 0x0+100000, length = 0x0+3ef?[0-9a-f]+, type = 0x1/);
  assert.is((await guest.quit()).status, 0);
});

/** A kernel in a.out style: addresses are in the header, nothing else describes the file. */
function flatKernel(): Uint8Array {
  const { bytes } = assemble(`
    bits 32
    org 0x100000
    header: dd 0x1badb002, 0x10000, 0 - 0x1badb002 - 0x10000
    dd header, header, 0, 0, entry
    entry: cmp eax, 0x2badb002
    jne stop
    mov esi, text
    mov edx, 0xe9
    next: lodsb
    test al, al
    jz stop
    out dx, al
    jmp next
    stop: mov edx, 0x501
    mov al, 3
    out dx, al
    hlt
    text: db "flat kernel runs", 0
  `);
  return bytes;
}

test("the a.out kludge: load addresses from the header, with and without firmware", async () => {
  const kernel = files.path("flat.bin");
  writeFileSync(kernel, flatKernel());
  for (const firmware of [[], ["-bios", "none"]]) {
    const options = ["-display", "none", "-serial", "null", "-monitor", "none", "-debugcon", "stdio"];
    const guest = await startGuest(...options, ...firmware, "-device", "isa-debug-exit", "-kernel", kernel);
    await guest.expect("flat kernel runs", 30_000);
    assert.is((await ended(guest, 10)).status, 7);
  }
});

test("Linux starts without firmware and powers off through ACPI", async () => {
  const options = await linuxOptions("amd64", files.path("initramfs.cpio"), "echo WITHOUT''FIRMWARE");
  const guest = await startGuest("-bios", "none", ...options);
  await guest.expect("WITHOUTFIRMWARE", 90_000);
  assert.is((await ended(guest, 30)).status, 0);
});

test.after(() => {
  endConversations();
  files.remove();
});

test.run();
