import { test } from "uvu";
import * as assert from "uvu/assert";
import { fileManifest, readManifest } from "../../../core/plugin/manifest.ts";
import { failure, packageJson, scratchFolder } from "./packages.ts";

const files = scratchFolder();
const NAME = "qemu-next-plugin-x";

const read = (manifest: object, more: object = {}) =>
  readManifest(
    files.write(NAME, { "package.json": packageJson(NAME, manifest, more), "index.js": "", "lib/a.js": "" }),
  );

test("a manifest", () => {
  const { root, ...manifest } = read({ api: 1, entry: "./lib/a.js", provides: ["device:x", "blockDriver:y"] });
  assert.equal(manifest, {
    name: NAME,
    version: "1.2.3",
    description: "",
    api: 1,
    entry: files.path(NAME, "lib/a.js"),
    provides: ["device:x", "blockDriver:y"],
  });
  assert.is(root, files.path(NAME));
});

test("registries have short names", () => {
  const { provides } = read({ api: 1, entry: "./index.js", provides: ["block:a", "char:b", "accel:c", "device:d"] });
  assert.equal(provides, ["blockDriver:a", "chardev:b", "accelerator:c", "device:d"]);
});

test("the package's main file is the entry where none is named, and a plugin need not say what it provides", () => {
  const { entry, provides } = read({ api: 1 }, { main: "index.js" });
  assert.equal([entry, provides], [files.path(NAME, "index.js"), []]);
});

test("what is wrong is named", async () => {
  for (const [manifest, more, wanted] of [
    ["x", {}, /"qemu-next" is not an object/],
    [{ api: "1", entry: "./index.js" }, {}, /"api" is not a whole number/],
    [{ entry: "./index.js" }, {}, /"api" is not a whole number/],
    [{ api: 1 }, {}, /"entry" is not a file name/],
    [{ api: 1, entry: 5 }, {}, /"entry" is not a file name/],
    [{ api: 1, entry: "./nothing.js" }, {}, /the entry '.\/nothing.js' is not a file/],
    [{ api: 1, entry: "./lib" }, {}, /the entry '.\/lib' is not a file/],
    [{ api: 1, entry: "../other/index.js" }, {}, /is outside of the package/],
    [{ api: 1, entry: "index.js", provide: [] }, {}, /unknown key "provide"/],
    [{ api: 1, entry: "index.js", provides: "device:x" }, {}, /"provides" is not a list/],
    [{ api: 1, entry: "index.js", provides: [1] }, {}, /1 is not a text/],
    [{ api: 1, entry: "index.js", provides: ["devise:x"] }, {}, /there is no registry 'devise'/],
    [{ api: 1, entry: "index.js", provides: ["device:"] }, {}, /'device:' does not read 'registry:name'/],
    [{ api: 1, entry: "index.js" }, { name: "../x" }, /"name" is not the name of a package/],
    [{ api: 1, entry: "index.js" }, { name: undefined }, /"name" is not the name of a package/],
  ] as [object, object, RegExp][]) {
    const error = await failure(() => read(manifest, more));
    assert.match(error.message, wanted);
    assert.ok(error.message.startsWith(files.path(NAME, "package.json")), error.message);
  }
  const provides = await failure(() => read({ api: 1, entry: "index.js", provides: ["devise:x"] }));
  assert.is(provides.hint, "did you mean 'device'?");
});

test("a package.json that is none", async () => {
  const root = files.write("broken", { "package.json": "{ not json" });
  assert.match((await failure(() => readManifest(root))).message, /package\.json is not JSON/);
  files.write("broken", { "package.json": "[]" });
  assert.match((await failure(() => readManifest(root))).message, /is not an object/);
  files.write("broken", { "package.json": { name: "lodash", version: "1.0.0" } });
  assert.match((await failure(() => readManifest(root))).message, /package 'lodash' is not a plugin/);
  assert.match((await failure(() => readManifest(files.path("none")))).message, /cannot be read/);
});

test("a file alone provides what nobody knows", () => {
  const { name, entry, provides } = fileManifest("/a/b.mjs");
  assert.equal([name, entry, provides], ["b.mjs", "/a/b.mjs", []]);
});

test.after(() => files.remove());
test.run();
