// @timeout 180
/**
 * Third-party plugins as a user has them: packed by npm, installed from the archives, named on the command line. A guest
 * boots from a disk that one of them reads, and talks to a card that the other one brings.
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openImage } from "../../core/block/driver.ts";
import { offerPlugins, planPlugins } from "../../core/plugin/foreign.ts";
import { PluginHost } from "../../core/plugin/host.ts";
import { FIRST_PARTY } from "../../plugins/first-party.ts";
import { TestBoard } from "../machines/pc/board.ts";
import { assemble } from "../tools/asm.ts";
import { endConversations } from "../tools/conversation.ts";
import { ended, PROGRAM, scratch, startGuest } from "../tools/guest.ts";
import { fetchPackages } from "../tools/packages.ts";
import "../tools/as-installed.ts";

const EXAMPLES = resolve(import.meta.dirname, "../../docs/examples");
const files = scratch();
process.env.XDG_DATA_HOME = files.path("data");
// Nothing may come from a registry.
process.env.npm_config_offline = "true";

/** What a program leaves behind; `cwd` is where it runs. */
function run(command: string, args: readonly string[], cwd = files.path(".")) {
  return spawnSync(command, args, { cwd, encoding: "utf8", timeout: 60_000 });
}

const qemu = (args: readonly string[], cwd?: string) => run(process.execPath, [PROGRAM, ...args], cwd);

/** A boot record that counts to 20 ms with the card, waits for its interrupt, and then writes a sector. */
const BOOT_RECORD = assemble(`
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
  ready: db "the egg is ready", 0
  resb 510 - ($ - 0x7c00)
  dw 0xaa55
`).bytes;

const MACHINE = [
  ...["-display", "none", "-serial", "null", "-monitor", "none", "-m", "16", "-boot", "c"],
  ...["-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-device", "isa-egg-timer"],
];

/** Opens the image with the plugin that was installed. */
async function vdi(path: string) {
  const host = new PluginHost();
  for (const plugin of FIRST_PARTY) host.offer(plugin);
  const request = { plugin: "vdi", options: {}, from: files.path("."), source: "test", atOnce: false };
  await offerPlugins(host, planPlugins([request], host));
  return openImage(host, path);
}

test("packed by npm and installed from the archives", () => {
  const archives = ["egg-timer", "vdi"].map((name) => {
    const { status, stdout, stderr } = run("npm", ["pack", "--silent", join(EXAMPLES, `qemu-next-plugin-${name}`)]);
    assert.is(status, 0, stderr);
    return stdout.trim();
  });
  const added = qemu(["plugin", "add", ...archives]);
  assert.is(added.status, 0, added.stderr);
  assert.match(added.stdout, /^Added qemu-next-plugin-egg-timer 1\.0\.0 \(device:isa-egg-timer\)$/m);
  const listed = qemu(["plugin", "ls"]);
  assert.is(listed.status, 0, listed.stderr);
  assert.match(listed.stdout, /^qemu-next-plugin-vdi +1\.0\.0 +api 1 +ok +blockDriver:vdi$/m);
});

test("the guest boots from the image, hears of its egg, and writes to the image", async () => {
  const image = files.path("boot.vdi");
  const tools = pathToFileURL(join(EXAMPLES, "qemu-next-plugin-vdi/test/tools.js")).href;
  const { emptyImage } = (await import(tools)) as { emptyImage(size: number): Uint8Array };
  writeFileSync(image, emptyImage(8 << 20));
  const disk = await vdi(image);
  await disk.write(0, [BOOT_RECORD]);
  await disk.close();
  const plugins = ["-plugin", "egg-timer", "-plugin", "vdi"];
  const guest = await startGuest(...MACHINE, ...plugins, "-drive", `file=${image}`, "-debugcon", "stdio");
  const { status, stdout, stderr } = await ended(guest, 60);
  assert.is(stderr, "");
  assert.is(stdout, "the egg is ready");
  assert.is(status, 41);
  const after = await vdi(image);
  const sector = new Uint8Array(512);
  await after.read(512, [sector]);
  await after.close();
  assert.is(Buffer.from(sector.subarray(0, 16)).toString(), "the egg is ready");
});

test("saved while the card counts, the machine goes on in another one", async () => {
  await fetchPackages("firmware");
  const options = [...MACHINE, "-plugin", "egg-timer,tick=20000", "-hda", "disk", "-debugcon", "null"];
  const image = new Uint8Array(1 << 20);
  image.set(BOOT_RECORD);
  const board = (): Promise<TestBoard> => TestBoard.create(options, { "ide0-hd0": image.slice() });
  const [here, there] = [await board(), await board()];
  const name = here.arena.names().find((each) => here.arena.entry(each)?.schema.name === "egg-timer")!;
  const control = (): number => (here.arena.entry(name)?.view as unknown as { control: number }).control;
  here.run(20_000, () => control() === 3);
  assert.is(control(), 3, "it counts");
  there.load(here.save());
  there.run(20_000);
  assert.is(there.ended, "exit 41");
  assert.is(Object.values(there.output).join(""), "the egg is ready");
});

test("the configuration file names plugins, too", () => {
  const folder = files.path("configured");
  mkdirSync(folder);
  const config = { plugins: [{ plugin: "egg-timer", options: { tick: 0 } }] };
  writeFileSync(join(folder, "qemu-next.config.json"), JSON.stringify(config));
  const asked = qemu(["-device", "isa-egg-timer,help"], folder);
  assert.is(asked.status, 1);
  assert.match(asked.stderr, /the egg timer needs a tick of 1 microsecond or more/);
  assert.match(qemu(["-M", "help"], folder).stdout, /i440FX/, "not loaded before it is asked for");
  assert.match(qemu(["-no-user-config", "-device", "isa-egg-timer,help"], folder).stderr, /not a valid device model/);
  const module = files.path("vm.mjs");
  writeFileSync(module, `export default { plugins: ["egg-timer"] };`);
  const read = qemu(["-readconfig", module, "-device", "isa-egg-timer,help"]);
  assert.match(read.stdout, /iobase=<uint16>/, read.stderr);
});

test("what is wrong with a plugin ends the program with status 1 and says why", () => {
  const write = (name: string, manifest: object | string, source = ""): string => {
    const folder = files.path(name);
    mkdirSync(folder);
    const json = { name, version: "1.0.0", "qemu-next": manifest };
    writeFileSync(join(folder, "package.json"), typeof manifest === "string" ? manifest : JSON.stringify(json));
    writeFileSync(join(folder, "i.cjs"), source);
    return folder;
  };
  const apply = (body: string): string => `module.exports = { name: "x", api: 1, apply(host) { ${body} } };`;
  const manifest = { api: 1, entry: "i.cjs", provides: ["device:x"] };
  const tap = `host.hooks.device.for("x").tap("x", () => { throw new Error("no luck"); });`;
  for (const [plugin, wanted] of [
    [
      write("throws", manifest, apply('throw new Error("no luck");')),
      /'throws' failed to start: no luck\n'-trace' shows/,
    ],
    [write("hook", manifest, apply(tap)), /-device x: plugin 'x' failed in its hook device for 'x': no luck/],
    [write("future", { ...manifest, api: 3 }), /interface 3; this program has 1\ninstall a newer qemu-next/],
    [write("corrupt", "{"), /corrupt\/package\.json is not JSON/],
    [write("syntax", manifest, "module.exports = ("), /syntax\/i\.cjs:1: Unexpected end of input/],
    ["nowhere", /plugin 'nowhere' not found: no package qemu-next-plugin-nowhere in .*\n'qemu-next plugin add/],
  ] as [string, RegExp][]) {
    const { status, stdout, stderr } = qemu(["-plugin", plugin, "-device", "x", "-display", "none"]);
    assert.equal([status, stdout], [1, ""], plugin);
    assert.match(stderr, wanted);
    assert.ok(stderr.split("\n").length <= 3, stderr);
  }
});

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
