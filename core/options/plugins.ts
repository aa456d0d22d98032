/** Third-party plugins of a command line: -plugin, -readconfig and the configuration file of the current folder. */

import { QemuError } from "../errors.ts";
import { findConfig } from "../plugin/config-file.ts";
import type { ForeignPlan, PluginRequest } from "../plugin/foreign.ts";
import type { PluginHost } from "../plugin/host.ts";
import { listHelp, propertyHelp } from "./help.ts";
import { parseKeyValues, toRecord, wantsHelp, withOption } from "./keyval.ts";
import type { OptionSet } from "./option-set.ts";

/** Finds the plugins that the user names, and offers them to `host`. */
export async function readPlugins(options: OptionSet, host: PluginHost): Promise<ForeignPlan[]> {
  const requests = [...(await configured(options)), ...named(options)];
  if (requests.length === 0) return [];
  const { offerPlugins, planPlugins } = await import("../plugin/foreign.ts");
  const plans = planPlugins(requests, host);
  await offerPlugins(host, plans, { all: true });
  return plans;
}

async function configured(options: OptionSet): Promise<PluginRequest[]> {
  const own = options.has("no-user-config") ? undefined : findConfig(process.cwd());
  const files = options.all("readconfig");
  if (own === undefined && files.length === 0) return [];
  const { readConfig } = await import("../plugin/config.ts");
  const requests = own === undefined ? [] : await readConfig(own);
  for (const { value, text } of files) requests.push(...(await withOption(text, () => readConfig(value))));
  return requests;
}

function named(options: OptionSet): PluginRequest[] {
  return options.all("plugin").flatMap(({ value, text }) =>
    withOption(text, () => {
      const pairs = parseKeyValues(value, "plugin");
      if (pairs.length === 1 && wantsHelp(pairs)) return [];
      const { plugin, ...rest } = toRecord(pairs.filter((pair) => !pair.bare || !wantsHelp([pair])));
      if (!plugin) throw new QemuError("bad-option", "Parameter 'plugin' is missing");
      return [{ plugin, options: rest, from: process.cwd(), source: text, atOnce: true }];
    }),
  );
}

/** The text of `-plugin help` and `-plugin x,help`. */
export async function pluginHelp(host: PluginHost, subject: string, general: boolean): Promise<string> {
  const { findPlugin, installedPackages, isPath, packageName, pluginFolder, shortName } = await import(
    "../plugin/resolve.ts"
  );
  if (general) return listHelp("Installed plugins:", installedPackages().map(shortName));
  const own = isPath(subject) ? undefined : host.offered(packageName(subject));
  if (own) return propertyHelp(own.name, (await own.load()).default.options ?? {});
  const { loadPlugin } = await import("../plugin/foreign.ts");
  const manifest = findPlugin(subject, { from: process.cwd(), folder: pluginFolder() });
  return propertyHelp(manifest.name, (await loadPlugin(manifest)).options ?? {});
}
