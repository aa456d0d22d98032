// @timeout 120
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as api from "../../../core/plugin/api.ts";
import { type ForeignPlan, offerPlugins, type PluginRequest, planPlugins } from "../../../core/plugin/foreign.ts";
import { PluginHost } from "../../../core/plugin/host.ts";
import { failure, packageJson, scratchFolder } from "./packages.ts";

const files = scratchFolder();
const DEVICE = `{ name: "x", bus: "ISA", category: "Misc", properties: {}, userCreatable: true, create() { return { reset() {} }; } }`;
const APPLY = `apply(host) { host.hooks.device.for("x").tap("x", () => (${DEVICE})); }`;

/** A package with one module; answers with the plan of loading it. */
function plan(name: string, file: string, source: string, manifest: object = {}, options = {}): ForeignPlan {
  const root = files.write(name, {
    "package.json": packageJson(name, { api: 1, entry: file, provides: ["device:x"], ...manifest }),
    [file]: source,
  });
  const request = { plugin: root, options, from: files.root, source: `-plugin ${name}`, atOnce: true };
  return planPlugins([request], new PluginHost(), files.path("none"))[0];
}

const offer = (...plans: ForeignPlan[]) => {
  const host = new PluginHost();
  return offerPlugins(host, plans, { all: true, limit: 200 }).then(() => host);
};

const SOURCES: Record<string, [file: string, source: string]> = {
  commonjs: ["index.cjs", `module.exports = { name: "x", api: 1, ${APPLY} };`],
  compiled: [
    "index.cjs",
    `Object.defineProperty(exports, "__esModule", { value: true }); exports.default = { name: "x", api: 1, ${APPLY} };`,
  ],
  module: ["index.mjs", `export default { name: "x", api: 1, ${APPLY} };`],
  awaiting: ["index.mjs", `await 1; export default { name: "x", api: 1, async ${APPLY} };`],
  typescript: ["index.mts", `const api: number = 1; export default { name: "x", api, ${APPLY} };`],
};

for (const [name, [file, source]] of Object.entries(SOURCES)) {
  test(`a plugin of the kind: ${name}`, async () => {
    const host = await offer(plan(name, file, source));
    assert.is((await host.require("device", "x")).name, "x");
  });
}

test("it gets the running core, imported or not, whatever copies lie beside it", async () => {
  const copy = { "package.json": { name: "qemu-next", main: "index.js" }, "index.js": "throw new Error('a copy')" };
  files.write("core-cjs/node_modules/qemu-next", copy);
  files.write("core-esm/node_modules/qemu-next", copy);
  const report = `host.hooks.shutdown.tap("x", () => {}); globalThis.seen = [core.QemuError, host.core.QemuError, u8];`;
  const cjs = `const core = require("qemu-next"); const { u8 } = core; module.exports = { name: "x", api: 1, apply(host) { ${report} } };`;
  const esm = `import * as core from "qemu-next"; import { u8 } from "qemu-next"; export default { name: "x", api: 1, apply(host) { ${report} } };`;
  for (const made of [
    plan("core-cjs", "i.cjs", cjs, { provides: [] }),
    plan("core-esm", "i.mjs", esm, { provides: [] }),
  ]) {
    await offer(made);
    const { seen } = globalThis as unknown as { seen: unknown[] };
    assert.ok(seen.every((thing, i) => thing === [api.QemuError, api.QemuError, api.u8][i]));
  }
  const inside = plan("core-inside", "i.mjs", `import "qemu-next/block"; export default {};`);
  const error = await failure(() => offer(inside));
  assert.match(error.message, /core-inside\/i\.mjs imports 'qemu-next\/block', which plugins cannot have/);
});

test("options are checked by the plugin's own list", async () => {
  const source = `module.exports = { name: "x", api: 1, options: { n: { type: "uint8", default: 7 } },
    apply(host) { globalThis.given = host.options; ${APPLY.slice(APPLY.indexOf("{") + 1)} };`;
  await offer(plan("options", "i.cjs", source));
  assert.equal((globalThis as unknown as { given: object }).given, { n: 7 });
  await offer(plan("options", "i.cjs", source, {}, { n: "9" }));
  assert.equal((globalThis as unknown as { given: object }).given, { n: 9 });
  assert.match((await failure(() => offer(plan("options", "i.cjs", source, {}, { n: "256" })))).message, /0 to 255/);
  const unknown = await failure(() => offer(plan("options", "i.cjs", source, {}, { m: "1" })));
  assert.is(unknown.message, "Property 'options.m' not found");
  assert.is(unknown.context["option"], "-plugin options");
});

test("what goes wrong names the plugin", async () => {
  const cases: [name: string, source: string, wanted: RegExp][] = [
    ["throws-loading", "throw new Error('no luck')", /^plugin 'throws-loading' could not be loaded: no luck$/],
    ["throws-text", "throw 'no luck'", /^plugin 'throws-text' could not be loaded: no luck$/],
    ["syntax", "\nmodule.exports = {", /^plugin 'syntax' could not be loaded: .*syntax\/i\.cjs:2: Unexpected end/],
    [
      "missing-module",
      "require('nothing-of-the-kind')",
      /could not be loaded: Cannot find module 'nothing-of-the-kind'$/,
    ],
    ["empty", "", /does not export a plugin|without a 'name'/],
    ["number", "module.exports = 5", /does not export a plugin/],
    ["no-api", "module.exports = { name: 'x' }", /without an 'api'/],
    ["no-apply", "module.exports = { name: 'x', api: 1 }", /without an 'apply' function/],
    [
      "throws",
      "module.exports = { name: 'x', api: 1, apply() { throw new Error('no luck') } }",
      /^plugin 'throws' failed to start: no luck$/,
    ],
    [
      "rejects",
      "module.exports = { name: 'x', api: 1, async apply() { throw new Error('no luck') } }",
      /^plugin 'rejects' failed to start: no luck$/,
    ],
    [
      "waits",
      "module.exports = { name: 'x', api: 1, apply: () => new Promise(() => {}) }",
      /^apply\(\) of plugin 'waits' has not ended after 0\.2 seconds$/,
    ],
    [
      "loops",
      "module.exports = { name: 'x', api: 1, apply() { for (;;); } }",
      /^apply\(\) of plugin 'loops' has not ended/,
    ],
    ["loops-loading", "for (;;);", /^loading plugin 'loops-loading' has not ended after 0\.2 seconds$/],
    ["forgets", "module.exports = { name: 'x', api: 1, apply() {} }", /^plugin 'forgets' does not register device:x$/],
    [
      "newer",
      "module.exports = { name: 'x', api: 9, apply() {} }",
      /^plugin 'newer' was written for plugin interface 9; this program has 1$/,
    ],
    [
      "hides",
      `module.exports = { name: 'x', api: 1, apply(host) { host.hooks.device.for("y").tap("x", () => 1); } }`,
      /^plugin 'hides' registers device:y, which its manifest does not name$/,
    ],
    [
      "tap",
      `module.exports = { name: 'tap', api: 1, apply(host) { host.hooks.device.for("x").tap("tap", () => { throw new Error("no luck"); }); } }`,
      /^plugin 'tap' failed in its hook device for 'x': no luck$/,
    ],
    [
      "shape",
      `module.exports = { name: 'x', api: 1, apply(host) { host.hooks.device.for("x").tap("x", () => ({ name: "x" })); } }`,
      /^plugin 'shape', device 'x': 'bus' is missing or not a string$/,
    ],
  ];
  for (const [name, source, wanted] of cases) {
    const error = await failure(async () => {
      const host = await offer(plan(name, "i.cjs", source));
      await host.require("device", "x");
    });
    assert.match(error.message, wanted);
  }
  const hang = plan("module-waits", "i.mjs", "await new Promise(() => {}); export default {}");
  assert.match((await failure(() => offer(hang))).message, /^loading plugin 'module-waits' has not ended/);
});

test("the interface number of the manifest is checked before anything is loaded", async () => {
  const error = await failure(() => plan("future", "i.cjs", "throw 1", { api: 2 }));
  assert.is(error.message, "plugin 'future' was written for plugin interface 2; this program has 1");
  assert.is(error.hint, "install a newer qemu-next, or a version of 'future' for plugin interface 1");
  assert.is(error.context["option"], "-plugin future");
  const past = await failure(() => plan("past", "i.cjs", "throw 1", { api: 0 }));
  assert.is(past.hint, "install a version of 'past' for plugin interface 1");
});

test("an error in a device's create() names the plugin", async () => {
  const broken = DEVICE.replace("return", "throw new TypeError('no luck'); return");
  const source = `module.exports = { name: "x", api: 1, apply(host) { host.hooks.device.for("x").tap("x", () => (${broken})); } };`;
  const host = await offer(plan("creates", "i.cjs", source));
  const type = await host.require("device", "x");
  const error = await failure(() => type.create({} as never, {}));
  assert.is(error.message, "plugin 'creates', device 'x': create() failed: no luck");
  assert.is(error.hint, "'-trace' shows where in the plugin");
});

test("two plugins cannot provide the same thing", async () => {
  const [file, source] = SOURCES["commonjs"];
  const error = await failure(() => offer(plan("first", file, source), plan("second", file, source)));
  assert.is(error.message, "plugin 'second' provides device:x, and so does 'first'");
  const files = [plan("third", file, source, { provides: [] }), plan("fourth", file, source, { provides: [] })];
  assert.is((await failure(() => offer(...files))).message, "plugin 'x' registers device:x, and so does 'x'");
  const host = new PluginHost();
  host.offer({ name: "own", provides: ["device:x"], load: () => Promise.reject() });
  const over = await failure(() => offerPlugins(host, [plan("over", file, source, { provides: [] })]));
  assert.is(over.message, "plugin 'x' registers device:x, and so does 'own'");
});

test("one that was not asked for on the command line is loaded when something of it is", async () => {
  const source = `globalThis.loaded = true; module.exports = { name: "x", api: 1, ${APPLY} };`;
  const host = await offer({ ...plan("lazy", "i.cjs", source), atOnce: false });
  const seen = globalThis as unknown as { loaded: boolean | undefined };
  assert.is(seen.loaded, undefined);
  assert.equal(host.names("device"), ["x"]);
  await host.require("device", "x");
  assert.is(seen.loaded, true);
});

test("asked for twice, it has the options of both", () => {
  const root = plan("twice", "i.cjs", "").entry!.replace(/\/i\.cjs$/, "");
  const request = { plugin: root, from: files.root, source: "", atOnce: false };
  const twice: PluginRequest[] = [
    { ...request, options: { a: "1", b: "1" } },
    { ...request, options: { b: "2" }, atOnce: true },
  ];
  const plans = planPlugins(twice, new PluginHost());
  assert.equal(
    plans.map(({ options, atOnce }) => ({ options, atOnce })),
    [{ options: { a: "1", b: "2" }, atOnce: true }],
  );
});

test("one that is part of the program is given its options, and not looked for", async () => {
  const host = new PluginHost();
  let given: unknown;
  const plugin: api.Plugin = {
    name: "qemu-next-plugin-own",
    api: 1,
    options: { n: { type: "uint8", default: 7 } },
    apply(to) {
      given = to.options;
      to.hooks.device.for("x").tap("qemu-next-plugin-own", () => ({}) as api.DeviceType);
    },
  };
  host.offer({ name: plugin.name, provides: ["device:x"], load: async () => ({ default: plugin }) });
  const request = { plugin: "own", options: { n: "9" }, from: files.root, source: "-plugin own", atOnce: false };
  const plans = structuredClone(planPlugins([request], host, files.path("none")));
  await offerPlugins(host, plans);
  assert.is(given, undefined);
  await host.require("device", "x");
  assert.equal(given, { n: 9 });
  const copy = plan(plugin.name, ...SOURCES["commonjs"]);
  const error = await failure(() => offerPlugins(host, [copy]));
  assert.is(error.message, "plugin 'qemu-next-plugin-own' is a part of this program already");
});

test.after(() => files.remove());
test.run();
