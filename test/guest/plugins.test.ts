// @timeout 180
/**
 * Third-party plugins as a user has them: packed by npm, installed from the archives, named on the command line. A guest
 * boots from a disk that one of them reads, and talks to a card that the other one brings.
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { TestBoard } from "../machines/pc/board.ts";
import { endConversations } from "../tools/conversation.ts";
import {
  EGG_BOOT_RECORD,
  EGG_MACHINE,
  EGG_READY,
  EGG_STATUS,
  packExamples,
  readEggDisk,
  writeEggDisk,
} from "../tools/example-plugins.ts";
import { ended, PROGRAM, scratch, startGuest } from "../tools/guest.ts";
import { fetchPackages } from "../tools/packages.ts";

const files = scratch();
process.env.XDG_DATA_HOME = files.path("data");
// Nothing may come from a registry.
process.env.npm_config_offline = "true";

function qemu(args: readonly string[], cwd = files.path(".")) {
  return spawnSync(process.execPath, [PROGRAM, ...args], { cwd, encoding: "utf8", timeout: 60_000 });
}

test("packed by npm and installed from the archives", () => {
  const added = qemu(["plugin", "add", ...packExamples(files.path("."))]);
  assert.is(added.status, 0, added.stderr);
  assert.match(added.stdout, /^Added qemu-next-plugin-egg-timer 1\.0\.0 \(device:isa-egg-timer\)$/m);
  const listed = qemu(["plugin", "ls"]);
  assert.is(listed.status, 0, listed.stderr);
  assert.match(listed.stdout, /^qemu-next-plugin-vdi +1\.0\.0 +api 1 +ok +blockDriver:vdi$/m);
});

test("the guest boots from the image, hears of its egg, and writes to the image", async () => {
  const image = files.path("boot.vdi");
  await writeEggDisk(image);
  const plugins = ["-plugin", "egg-timer", "-plugin", "vdi"];
  const guest = await startGuest(...EGG_MACHINE, ...plugins, "-drive", `file=${image}`, "-debugcon", "stdio");
  const { status, stdout, stderr } = await ended(guest, 60);
  assert.equal([status, stdout, stderr], [EGG_STATUS, EGG_READY, ""]);
  assert.is(await readEggDisk(image), EGG_READY);
});

test("saved while the card counts, the machine goes on in another one", async () => {
  await fetchPackages("firmware");
  const options = [...EGG_MACHINE, "-plugin", "egg-timer,tick=20000", "-hda", "disk", "-debugcon", "null"];
  const image = new Uint8Array(1 << 20);
  image.set(EGG_BOOT_RECORD);
  const board = (): Promise<TestBoard> => TestBoard.create(options, { "ide0-hd0": image.slice() });
  const [here, there] = [await board(), await board()];
  const name = here.arena.names().find((each) => here.arena.entry(each)?.schema.name === "egg-timer")!;
  const control = (): number => (here.arena.entry(name)?.view as unknown as { control: number }).control;
  here.run(20_000, () => control() === 3);
  assert.is(control(), 3, "it counts");
  there.load(here.save());
  there.run(20_000);
  assert.is(there.ended, `exit ${EGG_STATUS}`);
  assert.is(Object.values(there.output).join(""), EGG_READY);
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
