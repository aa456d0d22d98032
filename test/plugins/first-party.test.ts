import { globSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { REGISTRY_NAMES } from "../../core/plugin/hooks.ts";
import { PluginHost } from "../../core/plugin/host.ts";
import type { Plugin } from "../../core/plugin/plugin.ts";
import { FIRST_PARTY } from "../../plugins/first-party.ts";

const ROOT = resolve(import.meta.dirname, "../..");

/** "registry:name" of everything a plugin registers. */
async function provided(plugin: Plugin): Promise<string[]> {
  const host = new PluginHost();
  await host.use(plugin);
  return REGISTRY_NAMES.flatMap((kind) => host.names(kind).map((name) => `${kind}:${name}`)).sort();
}

test("each plugin registers what the table says", async () => {
  for (const { name, provides, load } of FIRST_PARTY) {
    const { default: plugin } = await load();
    assert.is(plugin.name, name);
    assert.equal(await provided(plugin), [...provides].sort(), name);
  }
});

test("every plugin of the tree is in the table", async () => {
  const files = globSync(["plugins/*/*/index.ts", "accel/*/index.ts", "machines/*/index.ts"], { cwd: ROOT });
  const names = new Set(FIRST_PARTY.map(({ name }) => name));
  for (const file of files) {
    const { default: plugin } = (await import(resolve(ROOT, file))) as { default: Plugin };
    assert.ok(names.has(plugin.name), `${file} (${plugin.name}) is missing in plugins/first-party.ts`);
  }
});

test("all of them together register everything, each under its own name", async () => {
  const host = new PluginHost();
  for (const plugin of FIRST_PARTY) host.offer(plugin);
  for (const kind of REGISTRY_NAMES) {
    assert.equal(
      (await host.all(kind)).map(([name]) => name),
      host.names(kind),
    );
  }
});

test("nothing is loaded before it is asked for, and a chardev loads only itself", async () => {
  const host = new PluginHost();
  for (const plugin of FIRST_PARTY) host.offer(plugin);
  assert.equal(host.plugins(), []);
  await host.require("chardev", "null");
  assert.equal(host.plugins(), ["char-null"]);
});

test("registered names are the types' names or aliases", async () => {
  const host = new PluginHost();
  for (const plugin of FIRST_PARTY) host.offer(plugin);
  for (const [name, type] of await host.all("device")) assert.ok(name === type.name || name === type.alias, name);
  for (const [name, type] of await host.all("machine"))
    assert.ok(name === type.name || type.aliases.includes(name), name);
});

test.run();
