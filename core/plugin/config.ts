/**
 * Reads a configuration file: an object, or a module's default export.
 *
 *     { "plugins": ["vdi", { "plugin": "./my-card", "options": { "key": "value" } }] }
 *
 * Paths in it start from its own folder.
 */

import { existsSync } from "node:fs";
import { dirname, extname, resolve } from "node:path";
import { QemuError } from "../errors.ts";
import { didYouMean } from "../options/near.ts";
import { CONFIG_EXTENSIONS } from "./config-file.ts";
import type { PluginRequest } from "./foreign.ts";
import { loadModule } from "./load.ts";
import { isRecord, readJson } from "./manifest.ts";

/** The plugins that a configuration file asks for. */
export async function readConfig(path: string): Promise<PluginRequest[]> {
  const file = resolve(path);
  if (!CONFIG_EXTENSIONS.includes(extname(file))) {
    throw new QemuError("config", `${path} is not a configuration file of this program`, {
      hint: `they end in ${CONFIG_EXTENSIONS.join(", ")}; QEMU's own form is not read`,
    });
  }
  if (!existsSync(file)) throw new QemuError("config", `there is no ${path}`);
  const config = extname(file) === ".json" ? readJson(file) : (await loadModule(file, path)).default;
  const wrong = (what: string, hint?: string): QemuError =>
    new QemuError("config", `${file}: ${what}`, { context: { path: file }, hint });
  if (!isRecord(config)) throw wrong(extname(file) === ".json" ? "is not an object" : "has no default export");
  checkKeys(config, ["plugins"], wrong);
  const { plugins = [] } = config;
  if (!Array.isArray(plugins)) throw wrong('"plugins" is not a list');
  return plugins.map((item: unknown) => {
    const { plugin, options = {}, ...rest } = typeof item === "string" ? { plugin: item } : isRecord(item) ? item : {};
    if (typeof plugin !== "string") {
      throw wrong(`"plugins": ${JSON.stringify(item)} is neither a name nor { "plugin": name, "options": {} }`);
    }
    checkKeys(rest, ["plugin", "options"], wrong);
    if (!isRecord(options)) throw wrong(`"plugins": the options of '${plugin}' are not an object`);
    for (const [key, value] of Object.entries(options)) {
      if (!["string", "number", "boolean"].includes(typeof value)) {
        throw wrong(`"plugins": option '${key}' of '${plugin}' is neither text nor a number nor a boolean`);
      }
    }
    return {
      plugin,
      options: Object.fromEntries(Object.entries(options).map(([key, value]) => [key, String(value)])),
      from: dirname(file),
      source: file,
      atOnce: false,
    };
  });
}

function checkKeys(
  record: Readonly<Record<string, unknown>>,
  known: readonly string[],
  wrong: (what: string, hint?: string) => QemuError,
): void {
  const unknown = Object.keys(record).find((key) => !known.includes(key));
  if (unknown !== undefined) throw wrong(`unknown key "${unknown}"`, didYouMean(unknown, known));
}
