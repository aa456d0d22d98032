// @timeout 240
/**
 * Executables that `qemu-next bundle` makes: they run in a file system with nothing but Debian's C and C++ libraries, as
 * root of a namespace, and boot guests there with the default back end.
 */

import { execFile, spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { Script } from "node:vm";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { koffiAddon } from "../../bin/bundle/code.ts";
import { endingKernel, wrapBundle } from "../../bin/bundle/code-cache.ts";
import { bundleRunner, SOURCES } from "../../core/assets.ts";
import { Conversation, type Ended, endConversations } from "../tools/conversation.ts";
import { fetchTree } from "../tools/debian.ts";
import { buildDiskImage, readDiskFile } from "../tools/disk-image.ts";
import {
  EGG_MACHINE,
  EGG_READY,
  EGG_STATUS,
  packExamples,
  readEggDisk,
  writeEggDisk,
} from "../tools/example-plugins.ts";
import { linuxOptions, PROGRAM, scratch } from "../tools/guest.ts";
import { fetchPackages } from "../tools/packages.ts";
import { withTimeout } from "../tools/with-timeout.ts";

const execute = promisify(execFile);
const PLUGINS = ["qemu-next-plugin-egg-timer", "qemu-next-plugin-vdi"].map((name) =>
  resolve(import.meta.dirname, "../../docs/examples", name),
);
const QUIET = ["-display", "none", "-serial", "null"];

const files = scratch();
const root = files.path("root");
/** The executable with everything, and one with little. */
const FULL = join(root, "qemu-next");
const SMALL = join(root, "small");

const bundle = (...args: string[]) => execute(process.execPath, [PROGRAM, "bundle", ...args]);

/** Without an environment, and in a folder that has nothing to do with it. */
const run = (file: string, ...args: string[]) => execute(file, args, { env: {}, cwd: "/", timeout: 30_000 });

const MOUNT = `for name in dev proc; do mount --rbind /$name "$0/$name" || exit 125; done; exec chroot "$0" "$@"`;
const enter = (...command: string[]): string[] => ["--map-root-user", "--mount", "sh", "-c", MOUNT, root, ...command];

/** Starts a program in the clean root. */
const start = (...command: string[]): Conversation =>
  new Conversation("/usr/bin/env", ["-i", "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "unshare", ...enter(...command)]);

const ended = (guest: Conversation, seconds: number): Promise<Ended> =>
  withTimeout("the guest's end", seconds * 1000, guest.ended);

test.before(async () => {
  await fetchPackages("firmware");
  // Node itself needs the C++ library and, since version 25, libatomic.
  cpSync(await fetchTree("clean-root", ["base-files", "libc6", "libstdc++6", "libatomic1"]), root, {
    recursive: true,
    verbatimSymlinks: true,
  });
  mkdirSync(join(root, "images"));
});

test("everything goes into one file, and the compiled code that is in it is accepted", async () => {
  const { stdout, stderr } = await bundle("-o", FULL);
  assert.is(stderr, "");
  assert.match(stdout, /: 1[0-2]\d\.\d MB, \d+ plugins\n {2}accel\/tcg\n/);
  assert.match(stdout, /helpers\.wasm.*koffi.*firmware\/bios-256k\.bin/);
  // `runBundle` warns when V8 rejects the code.
  assert.equal(await run(FULL, "-version"), { stdout: "qemu-next emulator version 0.1.0\n", stderr: "" });
  const inside = readFileSync(FULL);
  for (const name of ["qemu-next", "machine-thread", "compile-thread"])
    assert.ok(inside.includes(`${name}.cache`), name);
  const kernel = files.path("end.bin");
  writeFileSync(kernel, endingKernel());
  const off = await run(FULL, "-nodefaults", "-display", "none", "-no-reboot", "-bios", "none", "-kernel", kernel);
  assert.equal(off, { stdout: "", stderr: "" });
});

test("code that was compiled with other flags of V8 is rejected with a warning", async () => {
  const folder = files.path("rejected");
  mkdirSync(folder);
  const bundle = wrapBundle(Buffer.from("process.exitCode = 3;"));
  writeFileSync(join(folder, "it.cjs"), bundle);
  writeFileSync(join(folder, "it.cache"), new Script(bundle).createCachedData());
  writeFileSync(join(folder, "main.js"), bundleRunner("it"));
  const assets = { "it.cjs": "it.cjs", "it.cache": "it.cache" };
  const config = { main: "main.js", output: "out", assets, execArgv: ["--no-opt"] };
  writeFileSync(join(folder, "config.json"), JSON.stringify({ ...config, disableExperimentalSEAWarning: true }));
  await execute(process.execPath, ["--build-sea", "config.json"], { cwd: folder });
  const { status, stderr } = spawnSync(join(folder, "out"), { env: {}, encoding: "utf8" });
  assert.is(status, 3);
  assert.match(stderr, /Code cache of it rejected/);
});

test("options and environment of Node are nothing to it", async () => {
  const { status, stderr } = spawnSync(FULL, ["--v8-options"], { encoding: "utf8" });
  assert.is(status, 1);
  assert.match(stderr, /^qemu-next: --v8-options: invalid option/);
  const env = { NODE_OPTIONS: "--no-such-option" };
  assert.is(spawnSync(FULL, ["-version"], { env }).status, 0);
});

test("a pseudo-terminal: the foreign function interface is inside, and leaves no file", async () => {
  const temporary = files.path("temporary");
  mkdirSync(temporary);
  const args = ["-S", "-display", "none", "-serial", "pty", "-monitor", "stdio"];
  const vm = new Conversation("/usr/bin/env", ["-i", `TMPDIR=${temporary}`, FULL, ...args]);
  await vm.expect("char device redirected to /dev/pts/", 20_000);
  assert.equal(readdirSync(temporary), []);
  await vm.expect("(qemu) ");
  vm.type("quit\n");
  assert.is((await ended(vm, 20)).status, 0);
});

/** A guest that boots from an image that one plugin reads, and talks to the card of the other one. */
const EGG = [...EGG_MACHINE, "-debugcon", "stdio", "-plugin", "egg-timer", "-plugin", "vdi"];
const EGG_IMAGE = join(root, "images/egg.vdi");

async function readyEgg(guest: Conversation): Promise<void> {
  const { status, stdout, stderr } = await ended(guest, 60);
  assert.equal([status, stdout, stderr], [EGG_STATUS, EGG_READY, ""]);
  assert.is(await readEggDisk(EGG_IMAGE), EGG_READY);
}

test("third-party plugins from npm, CommonJS and ES modules", async () => {
  const packed = files.path("packed");
  mkdirSync(packed);
  // Where the user's plugins are in the clean root, which knows no users.
  const data = join(root, ".local/share");
  const env = { ...process.env, XDG_DATA_HOME: data, npm_config_offline: "true" };
  await execute(FULL, ["plugin", "add", ...packExamples(packed)], { cwd: packed, env, timeout: 60_000 });
  await writeEggDisk(EGG_IMAGE);
  await readyEgg(
    new Conversation("/usr/bin/env", ["-i", `XDG_DATA_HOME=${data}`, FULL, ...EGG, "-drive", `file=${EGG_IMAGE}`]),
  );
  const args = ["-plugin", PLUGINS[1], "-drive", "file=/etc/passwd,format=vdi", ...QUIET];
  const wrong = spawnSync(FULL, args, { env: {}, encoding: "utf8" });
  assert.match(wrong.stderr, /VDI image/);
});

const namespaces = spawnSync("unshare", ["--map-root-user", "--mount", "true"]).status === 0;
if (!namespaces) console.log("skipped: this kernel lets nobody make user namespaces");
const inRoot = namespaces ? test : test.skip;

inRoot("in a bare Debian, third-party plugins", async () => {
  await writeEggDisk(EGG_IMAGE);
  await readyEgg(start("/qemu-next", ...EGG, "-drive", "file=/images/egg.vdi"));
});

inRoot("in a bare Debian, GRUB boots a disk", async () => {
  const image = join(root, "images/disk.img");
  await buildDiskImage({ output: image, script: "echo written by the guest > /from-guest; sync" });
  const guest = start("/qemu-next", "-accel", "tcg", "-M", "pc", "/images/disk.img", "-nographic", "-m", "256");
  await guest.expect("GRUB", 60_000);
  const { status, stderr } = await ended(guest, 150);
  assert.is(stderr, "");
  assert.is(status, 0);
  assert.is(Buffer.from((await readDiskFile(image, "/from-guest")) ?? []).toString(), "written by the guest\n");
});

test("an executable with few parts has these and no foreign function interface", async () => {
  const { stdout } = await bundle("--preset", "minimal", "--with", `device/debugcon,${PLUGINS[0]}`, "-o", SMALL);
  assert.match(stdout, /\n {2}device\/debugcon\n/);
  assert.match(stdout, /\n {2}device\/vga {14}needed by machine\/pc\n/);
  assert.not.match(stdout, /koffi/);
  const help = await run(SMALL, "-device", "help");
  const names = [...help.stdout.matchAll(/^name "([^"]+)"/gm)].map(([, name]) => name).sort();
  const few = ["VGA", "floppy", "ide-cd", "ide-hd", "isa-debugcon", "isa-egg-timer", "isa-fdc", "isa-parallel"];
  assert.equal(names, [...few, "isa-serial"].sort());
  const { stderr } = spawnSync(SMALL, ["-serial", "pty", "-display", "none"], { env: {}, encoding: "utf8" });
  assert.match(stderr, /'pty' is not a valid char driver name/);
  const addon = readFileSync(koffiAddon(SOURCES!)).subarray(200_000, 200_256);
  assert.ok(readFileSync(FULL).includes(addon));
  assert.not.ok(readFileSync(SMALL).includes(addon), "no koffi inside");
});

inRoot("in a bare Debian, the small one boots Linux", async () => {
  const options = await linuxOptions("amd64", join(root, "images/initrd"), "echo CPU $(uname -m)");
  const at = options.indexOf("-kernel");
  cpSync(options[at + 1], join(root, "images/vmlinuz"));
  options.splice(at, 4, "-kernel", "/images/vmlinuz", "-initrd", "/images/initrd");
  const { status, stdout, stderr } = await ended(start("/small", ...options), 120);
  assert.is(stderr, "");
  assert.is(status, 0);
  assert.match(stdout, /CPU x86_64/);
  assert.match(stdout, /reboot: Power down/);
});

test("what is interrupted leaves nothing", async () => {
  const folder = files.path("interrupted");
  mkdirSync(folder);
  const child = spawn(process.execPath, [PROGRAM, "bundle", "--preset", "minimal", "-o", join(folder, "vm")]);
  const closed = new Promise((resolve) => child.on("close", resolve));
  const unfinished = async (): Promise<void> => {
    for (;;) {
      if (readdirSync(folder).some((name) => readdirSync(join(folder, name)).includes("node"))) return;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await withTimeout("the copy of Node", 30_000, unfinished());
  child.kill("SIGINT");
  assert.is.not(await withTimeout("the end", 20_000, closed), 0);
  assert.equal(readdirSync(folder), []);
});

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
