import { test } from "uvu";
import * as assert from "uvu/assert";
import { findPlugin, installedPackages, packageName, pluginFolder } from "../../../core/plugin/resolve.ts";
import { failure, packageJson, scratchFolder } from "./packages.ts";

const files = scratchFolder();
const places = { from: files.path("here"), folder: files.path("plugins") };

const install = (folder: string, name: string): string =>
  files.write(`${folder}/${name}`, { "package.json": packageJson(name, { api: 1, entry: "i.js" }), "i.js": "" });

test("names of packages", () => {
  assert.is(packageName("x"), "qemu-next-plugin-x");
  assert.is(packageName("qemu-next-plugin-x"), "qemu-next-plugin-x");
  assert.is(packageName("@me/x"), "@me/qemu-next-plugin-x");
  assert.is(packageName("@me/qemu-next-plugin-x"), "@me/qemu-next-plugin-x");
});

test("the plugin folder follows XDG_DATA_HOME, when it is absolute", () => {
  assert.is(pluginFolder({ XDG_DATA_HOME: "/data" }), "/data/qemu-next/plugins");
  assert.match(pluginFolder({ XDG_DATA_HOME: "data" }), /\/\.local\/share\/qemu-next\/plugins$/);
  assert.match(pluginFolder({}), /\/\.local\/share\/qemu-next\/plugins$/);
});

test("the current folder's packages come before the plugin folder's", () => {
  const there = install("plugins/node_modules", "qemu-next-plugin-x");
  assert.is(findPlugin("x", places).root, there);
  const here = install("here/node_modules", "qemu-next-plugin-x");
  assert.is(findPlugin("x", places).root, here);
  const scoped = install("plugins/node_modules", "@me/qemu-next-plugin-y");
  assert.is(findPlugin("@me/y", places).root, scoped);
});

test("a path leads to a folder, an unpacked package or a file", () => {
  const root = install("here", "mine");
  assert.is(findPlugin("./mine", places).root, root);
  assert.is(findPlugin(root, places).root, root);
  assert.is(findPlugin("../here/mine/i.js", places).entry, files.path("here/mine/i.js"));
  const unpacked = install("here/unpacked", "package");
  assert.is(findPlugin("./unpacked", places).root, unpacked);
});

test("what is not found says where it was looked for, and what to do", async () => {
  files.write("plugins", { "package.json": { dependencies: { "qemu-next-plugin-floppy": "1.0.0" } } });
  assert.equal(installedPackages(places.folder), ["qemu-next-plugin-floppy"]);
  const misspelt = await failure(() => findPlugin("flopy", places));
  assert.is(
    misspelt.message,
    `plugin 'flopy' not found: no package qemu-next-plugin-flopy in ${files.path("here/node_modules")} or ` +
      files.path("plugins/node_modules"),
  );
  assert.is(misspelt.hint, "did you mean 'floppy'?");
  assert.match((await failure(() => findPlugin("other", places))).hint!, /'qemu-next plugin add other' installs it/);
  assert.is((await failure(() => findPlugin("mine", places))).hint, "the file or folder of that name is './mine'");
  assert.match((await failure(() => findPlugin("../x/../../etc", places))).message, /not found: there is no/);
  assert.match((await failure(() => findPlugin("x/../../etc", places))).message, /is not the name of a plugin/);
  assert.match((await failure(() => findPlugin("./none", places))).message, /there is no .*here\/none/);
  assert.match(
    (await failure(() => findPlugin(".", places))).message,
    /^'\.' is not the folder of a plugin: it has no/,
  );
  files.write("here", { "x.tgz": "", "x.txt": "" });
  assert.match((await failure(() => findPlugin("./x.tgz", places))).hint!, /qemu-next plugin add/);
  assert.match((await failure(() => findPlugin("./x.txt", places))).message, /neither the folder/);
});

test("a plugin folder that is damaged is an error, but not one of somebody who looks for a plugin", async () => {
  const folder = files.write("damaged", { "package.json": "{" });
  assert.match((await failure(() => installedPackages(folder))).message, /package\.json is not JSON/);
  assert.match((await failure(() => findPlugin("z", { ...places, folder }))).message, /^plugin 'z' not found/);
  files.write("damaged", { "package.json": "[]" });
  assert.match((await failure(() => installedPackages(folder))).message, /is not an object/);
  assert.equal(installedPackages(files.path("none")), []);
});

test("node_modules is not scanned: a package of another name is no plugin", async () => {
  install("here/node_modules", "x-plugin");
  assert.match((await failure(() => findPlugin("x-plugin", places))).message, /no package qemu-next-plugin-x-plugin/);
});

test.after(() => files.remove());
test.run();
