/**
 * Third-party plugins, from the names a user gives to offers to the plugin host. Finding and checking them happens once,
 * in the I/O thread; a `ForeignPlan` is plain data, from which each thread that may use a plugin offers it to its own
 * host, and loads it when something that it provides is asked for.
 */

import { QemuError } from "../errors.ts";
import { withOption } from "../options/keyval.ts";
import type { OfferedPlugin, PluginHost, Settings } from "./host.ts";
import { loadModule, TIME_LIMIT_MS, withinTime } from "./load.ts";
import { isRecord, type PluginManifest } from "./manifest.ts";
import { checkApi, type Plugin } from "./plugin.ts";
import { findPlugin, isPath, packageName, pluginFolder } from "./resolve.ts";

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
  /** Absolute path of its module; undefined for one that is part of this program, and is only given options. */
  readonly entry: string | undefined;
  readonly provides: readonly string[];
  readonly options: Readonly<Record<string, string>>;
  readonly source: string;
  readonly atOnce: boolean;
}

/**
 * Finds the plugins and checks their manifests; a plugin asked for twice gets the options of both. Those that `host` has
 * by name are not looked for.
 */
export function planPlugins(
  requests: readonly PluginRequest[],
  host: Pick<PluginHost, "offered">,
  folder = pluginFolder(),
): ForeignPlan[] {
  const plans = new Map<string, ForeignPlan>();
  for (const { plugin, options, from, source, atOnce } of requests) {
    const own = isPath(plugin) ? undefined : host.offered(packageName(plugin));
    const { name, entry, provides } = own
      ? { ...own, entry: undefined }
      : withOption(source, () => checkedManifest(plugin, from, folder));
    const before = plans.get(entry ?? name);
    plans.set(entry ?? name, {
      name,
      entry,
      provides,
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
  for (const { name, entry, provides, options: given, source } of plans) {
    if (entry === undefined) host.configure(name, { given, source });
    else withOption(source, () => host.offer(offerOf({ name, entry, provides }, { given, source }, limit)));
  }
  for (const { name, provides, source, atOnce } of plans) {
    const wanted = provides.length === 0 || (all && atOnce);
    if (wanted) await withOption(source, () => host.load(host.offered(name)!));
  }
}

/** The plugin of a manifest, without applying it. */
export async function loadPlugin(
  { name, entry }: Pick<PluginManifest, "name" | "entry">,
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

function offerOf(
  manifest: Pick<PluginManifest, "name" | "entry" | "provides">,
  settings: Settings,
  limit = TIME_LIMIT_MS,
): OfferedPlugin {
  const { name, provides } = manifest;
  return {
    name,
    provides,
    load: async () => ({ default: await loadPlugin(manifest, limit) }),
    foreign: {
      ...settings,
      opaque: provides.length === 0,
      limit: (apply) => withinTime(`apply() of plugin '${name}'`, apply, limit),
    },
  };
}
