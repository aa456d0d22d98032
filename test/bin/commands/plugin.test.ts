// @timeout 180
/** `qemu-next plugin` as a user calls it, with an npm that may not ask any registry. */

import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { npmSpec } from "../../../bin/commands/plugin-add.ts";
import { failure, packageJson, scratchFolder } from "../../core/plugin/packages.ts";

const PROGRAM = resolve(import.meta.dirname, "../../../bin/qemu-next.js");
const files = scratchFolder();
const folder = files.path("data/qemu-next/plugins");

function plugin(args: readonly string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, "plugin", ...args], {
    cwd: files.root,
    encoding: "utf8",
    timeout: 30_000,
    env: {
      ...process.env,
      NODE_NO_WARNINGS: "1",
      XDG_DATA_HOME: files.path("data"),
      npm_config_offline: "true",
      npm_config_cache: files.path("npm"),
      ...env,
    },
  });
  return { status, stdout, stderr };
}

const source = (name: string, manifest: object, version = "1.0.0"): string =>
  files.write(`src/${name}-${version}`, { "package.json": packageJson(name, manifest, { version }), "i.js": "" });

const CARD = { api: 1, entry: "i.js", provides: ["device:card"] };

test("names become packages, paths become absolute, addresses stay", async () => {
  assert.is(npmSpec("x", "/"), "qemu-next-plugin-x");
  assert.is(npmSpec("x@^1.2", "/"), "qemu-next-plugin-x@^1.2");
  assert.is(npmSpec("@me/x@beta", "/"), "@me/qemu-next-plugin-x@beta");
  assert.is(npmSpec("git+https://example.org/x.git", "/"), "git+https://example.org/x.git");
  assert.is(npmSpec("https://example.org/x.tgz", "/"), "https://example.org/x.tgz");
  files.write(".", { "x.tgz": "" });
  assert.is(npmSpec("x.tgz", files.root), files.path("x.tgz"));
  assert.match((await failure(() => npmSpec("./none", files.root))).message, /^there is no .*\/none$/);
});

test("nothing is installed at first", () => {
  const { status, stdout } = plugin(["ls"]);
  assert.equal([status, stdout], [0, `No plugins are installed in ${folder}\n`]);
});

test("add, ls and info", () => {
  const added = plugin(["add", source("qemu-next-plugin-card", CARD)]);
  assert.is(added.status, 0, added.stderr);
  assert.is(added.stdout, "Added qemu-next-plugin-card 1.0.0 (device:card)\nUse it with: -plugin card\n");
  const listed = plugin(["ls"]);
  assert.equal([listed.status, listed.stdout], [0, "qemu-next-plugin-card  1.0.0  api 1  ok  device:card\n"]);
  const { status, stdout } = plugin(["info", "card"]);
  assert.is(status, 0);
  assert.match(stdout, /^name +qemu-next-plugin-card\nversion +1\.0\.0\n/);
  assert.match(stdout, /^folder +.*\/plugins\/node_modules\/qemu-next-plugin-card$/m);
  assert.match(stdout, /^entry +i\.js\napi +1 \(this program has 1\)\nprovides +device:card$/m);
});

test("what is no plugin for this program is not kept, and a failure leaves everything as it was", () => {
  const bad = plugin(["add", files.write("src/lodash", { "package.json": { name: "lodash", version: "1.0.0" } })]);
  assert.is(bad.status, 1);
  assert.match(bad.stderr, /^qemu-next plugin: lodash\/package\.json: package 'lodash' is not a plugin/m);
  const future = plugin(["add", source("qemu-next-plugin-card", { ...CARD, api: 2 }, "2.0.0")]);
  assert.is(future.status, 1);
  assert.match(future.stderr, /interface 2; this program has 1\nthe installed plugins are as they were$/m);
  const unknown = plugin(["add", "nothing-of-the-kind"]);
  assert.is(unknown.status, 1);
  assert.match(
    unknown.stderr,
    /npm could not install 'nothing-of-the-kind' \(exit status 1\)\nthe installed plugins are/,
  );
  const noNpm = plugin(["add", "x"], { PATH: files.path("empty") });
  assert.is(noNpm.status, 1);
  assert.match(noNpm.stderr, /npm could not be started: .*ENOENT\nit comes with Node\.js/);
  assert.match(plugin(["ls"]).stdout, /^qemu-next-plugin-card +1\.0\.0 +api 1 +ok/);
  assert.equal(readdirSync(files.path("data/qemu-next")), ["plugins"], "nothing is left over");
});

test("another version takes the place of the first; a broken one shows in the list", () => {
  const added = plugin(["add", source("qemu-next-plugin-card", CARD, "1.1.0")]);
  assert.match(added.stdout, /^Added qemu-next-plugin-card 1\.1\.0/, added.stderr);
  writeFileSync(join(folder, "node_modules/qemu-next-plugin-card/package.json"), "{");
  const { status, stdout } = plugin(["ls"]);
  assert.is(status, 1);
  assert.match(stdout, /^qemu-next-plugin-card +\? .*package\.json is not JSON/);
  assert.is(plugin(["info", "card"]).status, 1);
});

test("a folder that an interrupted installation has moved away is put back", () => {
  renameSync(folder, `${folder}.old-1`);
  assert.match(plugin(["add", source("qemu-next-plugin-other", { ...CARD, provides: [] })]).stdout, /^Added/);
  assert.match(plugin(["ls"]).stdout, /^qemu-next-plugin-card .*\nqemu-next-plugin-other +1\.0\.0 +api 1 +ok$/m);
});

test("wrong usage, and a folder that cannot be written", () => {
  assert.match(plugin([]).stderr, /what shall be done: ls, add or info\?/);
  assert.match(plugin(["ad"]).stderr, /Did you mean add\?/);
  assert.is(plugin(["info", "nothing"]).status, 1);
  mkdirSync(files.path("file"), { recursive: true });
  files.write("file", { "qemu-next": "not a folder" });
  const { status, stderr } = plugin(["add", source("qemu-next-plugin-card", CARD)], {
    XDG_DATA_HOME: files.path("file"),
  });
  assert.is(status, 1);
  assert.match(stderr, /cannot write to the plugin folder/);
});

test.after(() => files.remove());
test.run();
