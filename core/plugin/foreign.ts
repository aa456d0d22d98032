/**
 * Third-party plugins, from the names a user gives to offers to the plugin host. Finding and checking them happens once,
 * in the I/O thread; a `ForeignPlan` is plain data, from which each thread that may use a plugin offers it to its own
 * host, and loads it when something that it provides is asked for.
 */

import { QemuError } from "../errors.ts";
import { withOption } from "../options/keyval.ts";
import type { OfferedPlugin, PluginHost } from "./host.ts";
import { loadModule, TIME_LIMIT_MS, withinTime } from "./load.ts";
import { isRecord, type PluginManifest } from "./manifest.ts";
import { checkApi, type Plugin } from "./plugin.ts";
import { findPlugin, pluginFolder } from "./resolve.ts";

/** What a user asks for. */
export interface PluginRequest {
  /** Name or path. */
  readonly plugin: string;
  readonly options: Readonly<Record<string, string>>;
  /** The folder that relative paths and node_modules are looked up from. */
  readonly from: string;
  /** The option or file that asks, for messages. */
  readonly source: string;
  /** Whether it is loaded at once, so that its mistakes show, or when something that it provides is asked for. */
  readonly atOnce: boolean;
}

/** A plugin that was found; fit for another thread. */
export interface ForeignPlan {
  readonly name: string;
  /** Absolute path of its module. */
  readonly entry: string;
  readonly provides: readonly string[];
  readonly options: Readonly<Record<string, string>>;
  readonly source: string;
  readonly atOnce: boolean;
}

/** Finds the plugins and checks their manifests; a plugin asked for twice gets the options of both. */
export function planPlugins(requests: readonly PluginRequest[], folder = pluginFolder()): ForeignPlan[] {
  const plans = new Map<string, ForeignPlan>();
  for (const { plugin, options, from, source, atOnce } of requests) {
    const manifest = withOption(source, () => checkedManifest(plugin, from, folder));
    const before = plans.get(manifest.entry);
    plans.set(manifest.entry, {
      name: manifest.name,
      entry: manifest.entry,
      provides: manifest.provides,
      options: { ...before?.options, ...options },
      source,
      atOnce: atOnce || before?.atOnce === true,
    });
  }
  return [...plans.values()];
}

function checkedManifest(plugin: string, from: string, folder: string): PluginManifest {
  const manifest = findPlugin(plugin, { from, folder });
  checkApi(manifest.name, manifest.api);
  return manifest;
}

export interface OfferOptions {
  /** Loads what is to be loaded at once; otherwise only those plugins of which nobody knows what they provide. */
  readonly all?: boolean;
  /** Milliseconds that a plugin may take to load, and to start. */
  readonly limit?: number;
}

/** Makes the plugins known to a host. */
export async function offerPlugins(
  host: PluginHost,
  plans: readonly ForeignPlan[],
  { all, limit }: OfferOptions = {},
): Promise<void> {
  const offers = plans.map((plan) => ({ plan, offered: offerOf(plan, limit) }));
  for (const { plan, offered } of offers) withOption(plan.source, () => host.offer(offered));
  for (const { plan, offered } of offers) {
    if (plan.provides.length === 0 || (all && plan.atOnce)) await withOption(plan.source, () => host.load(offered));
  }
}

/** The plugin of a plan, without applying it. */
export async function loadPlugin(
  { name, entry }: Pick<ForeignPlan, "name" | "entry">,
  limit?: number,
): Promise<Plugin> {
  const exports = await loadModule(entry, `plugin '${name}'`, limit);
  // A CommonJS module is its own default export, unless a compiler made it.
  const plugin = exports.default ?? exports;
  const wrong = (what: string): QemuError =>
    new QemuError("plugin-shape", `plugin '${name}': ${entry} ${what}`, {
      context: { plugin: name },
      hint: "a plugin is { name, api, apply(host) { ... } }, its module's default export or module.exports",
    });
  if (!isRecord(plugin)) throw wrong("does not export a plugin");
  if (typeof plugin.name !== "string") throw wrong("exports a plugin without a 'name'");
  if (!Number.isInteger(plugin.api)) throw wrong("exports a plugin without an 'api', the number of its interface");
  if (typeof plugin.apply !== "function") throw wrong("exports a plugin without an 'apply' function");
  if (plugin.options !== undefined && !isRecord(plugin.options))
    throw wrong("exports 'options' that are not an object");
  return plugin as unknown as Plugin;
}

function offerOf(plan: ForeignPlan, limit = TIME_LIMIT_MS): OfferedPlugin {
  const { name, provides } = plan;
  return {
    name,
    provides,
    load: async () => ({ default: await loadPlugin(plan, limit) }),
    foreign: {
      opaque: provides.length === 0,
      given: plan.options,
      source: plan.source,
      limit: (apply) => withinTime(`apply() of plugin '${name}'`, apply, limit),
    },
  };
}
