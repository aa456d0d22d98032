import { test } from "uvu";
import * as assert from "uvu/assert";
import type { DeviceType } from "../../../core/device.ts";
import { QemuError } from "../../../core/errors.ts";
import { PluginHost } from "../../../core/plugin/host.ts";
import { PLUGIN_API, type Plugin } from "../../../core/plugin/plugin.ts";

const device = (name: string): DeviceType => ({
  name,
  bus: "ISA",
  category: "Misc",
  properties: {},
  userCreatable: true,
  create: () => ({ reset() {} }),
});

const plugin = (name: string, ...devices: string[]): Plugin => ({
  name,
  api: PLUGIN_API,
  apply(host) {
    for (const id of devices) host.hooks.device.for(id).tap(name, () => device(id));
  },
});

async function failure(action: Promise<unknown>): Promise<QemuError> {
  try {
    await action;
  } catch (error) {
    assert.ok(error instanceof QemuError, String(error));
    return error as QemuError;
  }
  throw new Error("did not fail");
}

test("a plugin registers a device", async () => {
  const host = new PluginHost();
  await host.use(plugin("serial", "isa-serial"));
  assert.is(host.lookup("device", "isa-serial")?.name, "isa-serial");
  assert.is(host.lookup("device", "isa-parallel"), undefined);
});

test("the interface number is checked before apply", async () => {
  let applied = false;
  const old: Plugin = { name: "old", api: 0, apply: () => void (applied = true) };
  const error = await failure(new PluginHost().use(old));
  assert.is(error.message, `plugin 'old' was written for plugin interface 0; this program has ${PLUGIN_API}`);
  assert.match(error.hint!, /install a version of 'old'/);
  assert.is(applied, false);
});

test("a look-up loads the plugin that offers the name, once, and no other", async () => {
  const host = new PluginHost();
  const loaded: string[] = [];
  for (const [name, id] of [
    ["serial", "isa-serial"],
    ["vga", "VGA"],
  ]) {
    host.offer({
      name,
      provides: [`device:${id}`],
      load: async () => {
        loaded.push(name);
        return { default: plugin(name, id) };
      },
    });
  }
  assert.equal(host.names("device"), ["VGA", "isa-serial"]);
  assert.equal(loaded, []);
  await host.require("device", "isa-serial");
  await host.require("device", "isa-serial");
  assert.equal(loaded, ["serial"]);
  assert.equal(
    (await host.all("device")).map(([name]) => name),
    ["VGA", "isa-serial"],
  );
  assert.equal(loaded, ["serial", "vga"]);
});

test("an unknown name lists near matches", async () => {
  const host = new PluginHost();
  await host.use(plugin("serial", "isa-serial", "VGA"));
  const error = await failure(host.require("device", "isa-seral"));
  assert.is(error.code, "unknown-device");
  assert.is(error.message, "'isa-seral' is not a valid device model name");
  assert.is(error.hint, "did you mean 'isa-serial'?");
});

test("a tap that throws is named, with its hook and the option that asked", async () => {
  const host = new PluginHost();
  await host.use({
    name: "broken",
    api: PLUGIN_API,
    apply: (to) =>
      to.hooks.device.for("boom").tap("broken", () => {
        throw new Error("no luck");
      }),
  });
  const error = await failure(host.require("device", "boom", undefined, "-device boom"));
  assert.is(error.message, "plugin 'broken' failed in its hook device for 'boom': no luck");
  assert.equal(error.context, { plugin: "broken", hook: "device:boom", option: "-device boom" });
});

test("hooks cannot be replaced", () => {
  const { hooks } = new PluginHost();
  assert.throws(() => {
    (hooks as { device: unknown }).device = undefined;
  });
});

test.run();
