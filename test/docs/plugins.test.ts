/** docs/plugins.md: the plugin of the guide, made of its code blocks, does what the guide shows. */

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MOMENT_NAMES, REGISTRY_NAMES } from "../../core/plugin/hooks.ts";
import { PLUGIN_API } from "../../core/plugin/plugin.ts";
import { scratchFolder } from "../core/plugin/packages.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const GUIDE = readFileSync(join(ROOT, "docs/plugins.md"), "utf8");
const files = scratchFolder();
const folder = files.path("qemu-next-plugin-dice");

function run(args: readonly string[], input = "") {
  return spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8", timeout: 30_000, input });
}

/** The indented lines behind a command of the guide, up to the next text. */
function shown(command: string): string {
  const behind = GUIDE.slice(GUIDE.indexOf(`    ${command}\n`) + command.length + 5);
  return behind
    .match(/^(\n| {4}.*\n)*/)![0]
    .replace(/^ {4}/gm, "")
    .trim();
}

test("the files of the guide", () => {
  // A file's name in bold, a description, and a block of code.
  for (const [, name, code] of GUIDE.matchAll(/^\*\*(\S+)\*\*[\s\S]*?```\w+\n([\s\S]*?)```$/gm)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, code);
  }
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { "qemu-next": { api: number } };
  assert.is(manifest["qemu-next"].api, PLUGIN_API);
});

test("the device's properties, as the guide shows them", () => {
  const command = "-plugin . -device isa-dice,help";
  const { stdout, stderr } = run([join(ROOT, "bin/qemu-next.js"), ...command.split(" ")]);
  assert.is(stdout.trim(), shown(`qemu-next ${command}`), stderr);
});

test("the talk with the monitor, as the guide shows it", () => {
  const command = "-plugin . -device isa-dice,iobase=0x2c0 -S -display none -monitor stdio";
  const talk = shown(`qemu-next ${command}`);
  const typed = [...talk.matchAll(/^\(qemu\) (.*)$/gm)].map(([, words]) => `${words}\n`).join("");
  const { status, stdout, stderr } = run([join(ROOT, "bin/qemu-next.js"), ...command.split(" ")], typed);
  assert.is(status, 0, stderr);
  const answers = (text: string): string[] => text.match(/portb.*$/gm) ?? [];
  assert.equal(answers(stdout), answers(talk));
});

test("its test passes", () => {
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const words = ["--import", join(ROOT, "test/tools/as-installed.ts"), join(ROOT, "node_modules/uvu/bin.js"), "test"];
  const { status, stdout, stderr } = run(words);
  assert.is(status, 0, stdout + stderr);
  assert.match(stripVTControlCharacters(stdout), /Passed: +2\n/);
});

test("every hook is in the reference", () => {
  for (const name of [...REGISTRY_NAMES, ...MOMENT_NAMES]) assert.match(GUIDE, new RegExp(`^\\| \`${name}\` \\|`, "m"));
});

test.after(() => files.remove());
test.run();
