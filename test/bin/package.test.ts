/** The npm package, as `npm run build` and `npm pack` make it, unpacked where nothing else is. */

import { execFile, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { buildPackage, LAUNCHER } from "../../bin/bundle/package.ts";
import manifest from "../../package.json" with { type: "json" };
import { scratch } from "../tools/guest.ts";

const execute = promisify(execFile);
const ROOT = resolve(import.meta.dirname, "../..");
const files = scratch();
const unpacked = files.path("node_modules/qemu-next");
const launcher = join(unpacked, manifest.bin["qemu-next"]);

const run = (...args: string[]) =>
  execute(process.execPath, [launcher, ...args], {
    cwd: files.path(""),
    env: { NODE_COMPILE_CACHE: files.path("code") },
  });

test.before(async () => {
  mkdirSync(unpacked, { recursive: true });
  cpSync(join(ROOT, "package.json"), join(unpacked, "package.json"));
  await buildPackage(ROOT, join(unpacked, "dist"));
});

test("it needs no other package to run", async () => {
  assert.is(manifest.bin["qemu-next"], `./dist/${LAUNCHER}`);
  assert.equal(await run("-version"), { stdout: `qemu-next emulator version ${manifest.version}\n`, stderr: "" });
  assert.match((await run("-device", "help")).stdout, /name "VGA", bus PCI/);
  assert.match((await run("plugin", "--help")).stdout, /qemu-next plugin <command>/);
});

test("machines run in a thread of it, with the foreign function interface", async () => {
  const script = "info status\nquit\n";
  const args = ["-S", "-bios", "none", "-kernel", files.path("kernel"), "-display", "none", "-serial", "pty"];
  const { endingKernel } = await import("../../bin/bundle/code-cache.ts");
  writeFileSync(files.path("kernel"), endingKernel());
  const { stdout, stderr, status } = spawnSync(process.execPath, [launcher, ...args, "-monitor", "stdio"], {
    input: script,
    encoding: "utf8",
    timeout: 30_000,
  });
  assert.is(stderr, "");
  assert.is(status, 0);
  assert.match(stdout, /redirected to \/dev\/pts\/\d+/);
  assert.match(stdout, /VM status: paused \(prelaunch\)/);
});

test("the licences of what is in the bundles are there", async () => {
  const { stdout } = await run("licenses");
  for (const name of ["tapable", "yargs", "koffi", "fast-png"])
    assert.match(stdout, new RegExp(`^${name} [\\d.]+ \\(MIT\\)$`, "m"));
  assert.is(stdout, readFileSync(join(unpacked, "dist/licenses.txt"), "utf8"));
});

test("the libraries run, and their types hold", async () => {
  const program = `import { ManualClock, PLUGIN_API, type Plugin } from "qemu-next";
import { openImage } from "qemu-next/block";
const plugin: Plugin = { name: "mine", api: PLUGIN_API, apply() {} };
const image = await openImage("disk.img", { readOnly: true });
const bytes = new Uint8Array(4);
await image.read(512, [bytes]);
await image.close();
console.log(plugin.name, new ManualClock().now(), image.length, Buffer.from(bytes).toString());
`;
  writeFileSync(files.path("program.mts"), program);
  writeFileSync(files.path("disk.img"), Buffer.concat([Buffer.alloc(512), Buffer.from("here"), Buffer.alloc(508)]));
  const cwd = files.path("");
  const { stdout } = await execute(process.execPath, ["program.mts"], { cwd });
  assert.is(stdout, "mine 0 1024 here\n");
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  // What the declarations need of others.
  for (const name of ["@types", "tapable"])
    symlinkSync(join(ROOT, "node_modules", name), files.path(`node_modules/${name}`));
  const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--types", "node"];
  const { stdout: errors } = await execute(process.execPath, [compiler, ...options, "program.mts"], { cwd }).catch(
    (error: { stdout: string }) => error,
  );
  assert.is(errors, "");
});

test("what the manifest names exists", () => {
  const named = [
    manifest.bin["qemu-next"],
    ...Object.values(manifest.exports).flatMap((each) => (typeof each === "string" ? each : Object.values(each))),
  ];
  for (const file of named) assert.ok(existsSync(join(unpacked, file)), file);
  for (const file of manifest.files) assert.ok(file === "dist" || existsSync(join(ROOT, file)), file);
});

test.after(() => files.remove());
test.run();
