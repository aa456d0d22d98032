/**
 * A third-party plugin's manifest: the field "qemu-next" of its package.json.
 *
 *     "qemu-next": { "api": 1, "entry": "./index.js", "provides": ["device:my-card", "blockDriver:my-format"] }
 *
 * `entry` may be left out where the package has a "main". `provides` names what it registers, as `registry:name`, or with
 * the short name of a registry ("block:my-format"); the plugin is loaded when one of these is asked for. A plugin that
 * provides nothing is loaded when the program starts.
 */

import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { messageOf, QemuError } from "../errors.ts";
import { didYouMean } from "../options/near.ts";
import { REGISTRY_NAMES, type RegistryName } from "./hooks.ts";
import { PLUGIN_API } from "./plugin.ts";

export interface PluginManifest {
  /** Name of the package. */
  readonly name: string;
  readonly version: string;
  readonly description: string;
  /** The package's folder. */
  readonly root: string;
  readonly api: number;
  /** Path of the module whose default export is the plugin. */
  readonly entry: string;
  /** As "registry:name". */
  readonly provides: readonly string[];
}

const KEYS = ["api", "entry", "provides"];
/** Short names of registries, which are those of the parts of a bundle. */
const SHORT_NAMES: Readonly<Record<string, RegistryName>> = {
  accel: "accelerator",
  block: "blockDriver",
  char: "chardev",
};
const inFull = (kind: string): string => (Object.hasOwn(SHORT_NAMES, kind) ? SHORT_NAMES[kind] : kind);

const NAME = /^(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/i;

/** Whether npm takes it as the name of a package. */
export function isPackageName(name: string): boolean {
  return NAME.test(name);
}

/** Reads and checks the manifest of the package in `root`, but not whether its interface fits. */
export function readManifest(root: string): PluginManifest {
  const file = join(root, "package.json");
  const wrong = (what: string, hint?: string): QemuError =>
    new QemuError("plugin-manifest", `${file}: ${what}`, { context: { path: file }, hint });
  const json = readJson(file);
  if (!isRecord(json)) throw wrong("is not an object");
  const { name, version = "", description = "", main } = json;
  if (typeof name !== "string" || !isPackageName(name)) throw wrong('"name" is not the name of a package');
  const manifest = json["qemu-next"];
  if (manifest === undefined) {
    throw wrong(`package '${name}' is not a plugin: it has no "qemu-next"`, "docs/plugins.md says what a plugin needs");
  }
  if (!isRecord(manifest)) throw wrong('"qemu-next" is not an object');
  const unknown = Object.keys(manifest).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) throw wrong(`"qemu-next" has an unknown key "${unknown}"`, didYouMean(unknown, KEYS));
  const { api, entry: given = main, provides = [] } = manifest;
  if (!Number.isInteger(api)) throw wrong('"qemu-next"."api" is not a whole number');
  if (typeof given !== "string") throw wrong('"qemu-next"."entry" is not a file name');
  const entry = resolve(root, given);
  if (relative(root, entry).startsWith("..")) throw wrong(`the entry '${given}' is outside of the package`);
  if (!isFile(entry)) throw wrong(`the entry '${given}' is not a file`, "a plugin from its sources is built first");
  if (!Array.isArray(provides)) throw wrong('"qemu-next"."provides" is not a list');
  for (const item of provides) {
    const problem = providesProblem(item);
    if (problem) throw wrong(`"qemu-next"."provides": ${problem.message}`, problem.hint);
  }
  const registered = (provides as string[]).map((item) => item.replace(/^[^:]*/, inFull));
  return {
    name,
    version: String(version),
    description: String(description),
    root,
    api: api as number,
    entry,
    provides: registered,
  };
}

/** A plugin that is a single file: it has no manifest, and is loaded when the program starts. */
export function fileManifest(file: string): PluginManifest {
  return { name: basename(file), version: "", description: "", root: file, api: PLUGIN_API, entry: file, provides: [] };
}

function providesProblem(item: unknown): { message: string; hint: string | undefined } | undefined {
  if (typeof item !== "string") return { message: `${JSON.stringify(item)} is not a text`, hint: undefined };
  const [kind, ...rest] = item.split(":");
  if (!REGISTRY_NAMES.some((name) => name === inFull(kind))) {
    return {
      message: `'${item}': there is no registry '${kind}'`,
      hint: didYouMean(kind, REGISTRY_NAMES) ?? `registries are ${REGISTRY_NAMES.join(", ")}`,
    };
  }
  if (!/^\S+$/.test(rest.join(":"))) return { message: `'${item}' does not read 'registry:name'`, hint: undefined };
  return undefined;
}

/** The contents of a JSON file. */
export function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    const what = cause instanceof SyntaxError ? "is not JSON" : "cannot be read";
    throw new QemuError("bad-json", `${file} ${what}: ${messageOf(cause)}`, { context: { path: file }, cause });
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}
