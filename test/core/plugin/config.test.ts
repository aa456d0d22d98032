import { test } from "uvu";
import * as assert from "uvu/assert";
import { readConfig } from "../../../core/plugin/config.ts";
import { findConfig } from "../../../core/plugin/config-file.ts";
import { failure, scratchFolder } from "./packages.ts";

const files = scratchFolder();

/** Writes a configuration file and reads it. */
const read = (name: string, contents: string | object) => {
  files.write(".", { [name]: contents });
  return readConfig(files.path(name));
};

const CONFIG = { plugins: ["vdi", { plugin: "./card", options: { irq: 5, fast: true, name: "a" } }] };
const REQUESTS = [
  { plugin: "vdi", options: {} },
  { plugin: "./card", options: { irq: "5", fast: "true", name: "a" } },
];

test("JSON, a module and TypeScript", async () => {
  const sources = {
    "a.json": JSON.stringify(CONFIG),
    "b.mjs": `await 1; export default ${JSON.stringify(CONFIG)}`,
    "c.mts": `const config: object = ${JSON.stringify(CONFIG)}; export default config;`,
  };
  for (const [name, source] of Object.entries(sources)) {
    const more = { from: files.root, source: files.path(name), atOnce: false };
    assert.equal(
      await read(name, source),
      REQUESTS.map((request) => ({ ...request, ...more })),
      name,
    );
  }
  assert.equal(await read("d.json", {}), []);
});

test("the file of a folder", async () => {
  assert.is(findConfig(files.root), undefined);
  files.write("one", { "qemu-next.config.mjs": "" });
  assert.is(findConfig(files.path("one")), files.path("one/qemu-next.config.mjs"));
  files.write("one", { "qemu-next.config.json": "{}" });
  const two = await failure(() => findConfig(files.path("one")));
  assert.match(two.message, /two configuration files: .*\.json and .*\.mjs/);
});

test("what is wrong is named", async () => {
  for (const [name, contents, wanted] of [
    ["e.json", "{", /e\.json is not JSON/],
    ["e.json", "[]", /is not an object/],
    ["e.json", { plugin: [] }, /unknown key "plugin"/],
    ["e.json", { plugins: "vdi" }, /"plugins" is not a list/],
    ["e.json", { plugins: [5] }, /5 is neither a name nor/],
    ["e.json", { plugins: [{ plugin: "x", option: {} }] }, /unknown key "option"/],
    ["e.json", { plugins: [{ plugin: "x", options: [] }] }, /options of 'x' are not an object/],
    ["e.json", { plugins: [{ plugin: "x", options: { a: {} } }] }, /option 'a' of 'x' is neither/],
    ["e.mjs", "export const x = 1", /has no default export/],
    ["f.mjs", "throw new Error('no luck')", /f\.mjs could not be loaded: no luck/],
    ["g.mjs", "const a =", /g\.mjs could not be loaded: .*g\.mjs:1: Unexpected/],
    ["h.cfg", "[drive]", /is not a configuration file of this program/],
  ] as [string, string | object, RegExp][]) {
    assert.match((await failure(() => read(name, contents))).message, wanted);
  }
  assert.match((await failure(() => readConfig(files.path("none.json")))).message, /there is no/);
});

test.after(() => files.remove());
test.run();
