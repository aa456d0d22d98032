/**
 * The example plugins as a user has them, and a guest for both: packed by npm, a disk image that one of them reads, and a
 * boot record that talks to the card of the other one.
 */

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { openImage } from "../../core/block/driver.ts";
import type { BlockNode } from "../../core/block/node.ts";
import { offerPlugins, planPlugins } from "../../core/plugin/foreign.ts";
import { PluginHost } from "../../core/plugin/host.ts";
import { FIRST_PARTY } from "../../plugins/first-party.ts";
import { assemble } from "./asm.ts";
import "./as-installed.ts";

const EXAMPLES = resolve(import.meta.dirname, "../../docs/examples");

/** Packs both into `folder`; answers with the names of the archives. */
export function packExamples(folder: string): string[] {
  return ["egg-timer", "vdi"].map((name) => {
    const args = ["pack", "--silent", join(EXAMPLES, `qemu-next-plugin-${name}`)];
    const { status, stdout, stderr } = spawnSync("npm", args, { cwd: folder, encoding: "utf8", timeout: 60_000 });
    if (status !== 0) throw new Error(`npm pack: ${stderr}`);
    return stdout.trim();
  });
}

/** What the guest says on port 0xe9 in the end, and writes to the second sector. */
export const EGG_READY = "the egg is ready";
/** The status that the program then ends with. */
export const EGG_STATUS = 41;

/** A boot record that counts to 20 ms with the card, waits for its interrupt, and then writes a sector. */
export const EGG_BOOT_RECORD = assemble(`
  bits 16
  org 0x7c00
  cli
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7c00
  mov [drive], dl
  mov word [0x0d * 4], expired
  mov word [0x0d * 4 + 2], 0
  in al, 0x21
  and al, 0xdf
  out 0x21, al
  mov si, absent
  mov dx, 0x2a1
  in al, dx
  cmp al, 0xe6
  jne print
  mov dx, 0x2a2
  mov ax, 20
  out dx, ax
  mov dx, 0x2a0
  mov al, 3
  out dx, al
  sti
  wait_for_it: hlt
  cmp byte [count], 0
  je wait_for_it
  mov si, failed
  mov ax, 0x0301
  mov bx, ready
  mov cx, 2
  mov dh, 0
  mov dl, [drive]
  int 0x13
  jc print
  mov si, ready
  print: mov dx, 0xe9
  next: lodsb
  test al, al
  jz stop
  out dx, al
  jmp next
  stop: mov al, 20
  mov dx, 0xf4
  out dx, al
  hlt
  expired: push ax
  push dx
  mov dx, 0x2a0
  in al, dx
  cmp al, 0x82
  jne not_ours
  out dx, al
  inc byte [count]
  not_ours: mov al, 0x20
  out 0x20, al
  pop dx
  pop ax
  iret
  count: db 0
  drive: db 0
  absent: db "no egg timer", 0
  failed: db "cannot write", 0
  ready: db "${EGG_READY}", 0
  resb 510 - ($ - 0x7c00)
  dw 0xaa55
`).bytes;

/** Options of a machine for it, but for disk, plugins and debug console. */
export const EGG_MACHINE = [
  ...["-display", "none", "-serial", "null", "-monitor", "none", "-m", "16", "-boot", "c"],
  ...["-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-device", "isa-egg-timer"],
];

/** Makes a disk image with the boot record. */
export async function writeEggDisk(path: string): Promise<void> {
  const tools = pathToFileURL(join(EXAMPLES, "qemu-next-plugin-vdi/test/tools.js")).href;
  const { emptyImage } = (await import(tools)) as { emptyImage(size: number): Uint8Array };
  writeFileSync(path, emptyImage(8 << 20));
  const disk = await openVdi(path);
  await disk.write(0, [EGG_BOOT_RECORD]);
  await disk.close();
}

/** What the guest has written to the disk image. */
export async function readEggDisk(path: string): Promise<string> {
  const disk = await openVdi(path);
  const sector = new Uint8Array(EGG_READY.length);
  await disk.read(512, [sector]);
  await disk.close();
  return Buffer.from(sector).toString();
}

/** Opens the image with the plugin's sources. */
function openVdi(path: string): Promise<BlockNode> {
  const host = new PluginHost();
  for (const plugin of FIRST_PARTY) host.offer(plugin);
  const plugin = join(EXAMPLES, "qemu-next-plugin-vdi");
  const request = { plugin, options: {}, from: "/", source: "test", atOnce: false };
  return offerPlugins(host, planPlugins([request], host)).then(() => openImage(host, path));
}
