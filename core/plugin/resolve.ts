/**
 * Where a third-party plugin is: `-plugin x` is the package qemu-next-plugin-x in the current folder's node_modules, or
 * else in the user's plugin folder; `-plugin ./x` is a folder or a file. Nothing else is looked at.
 */

import { existsSync, statSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { QemuError } from "../errors.ts";
import { homeFolder } from "../home.ts";
import { didYouMean } from "../options/near.ts";
import { fileManifest, isPackageName, isRecord, type PluginManifest, readJson, readManifest } from "./manifest.ts";

const PREFIX = "qemu-next-plugin-";
const MODULE = /\.[cm]?[jt]s$/;
const ARCHIVE = /\.(tgz|tar(\.gz)?)$/;

/** The folder that `qemu-next plugin add` installs to, by the XDG base directory specification. */
export function pluginFolder(env: NodeJS.ProcessEnv = process.env): string {
  const data = env["XDG_DATA_HOME"] ?? "";
  return join(isAbsolute(data) ? data : join(homeFolder(), ".local", "share"), "qemu-next", "plugins");
}

/** Whether a plugin is named by where it is. */
export function isPath(name: string): boolean {
  return /^\.{0,2}\//.test(name) || name === "." || name === "..";
}

/** The name of the package that `-plugin name` means: x, qemu-next-plugin-x, @scope/x or @scope/qemu-next-plugin-x. */
export function packageName(name: string): string {
  const [, scope = "", rest] = /^(@[^/]*\/)?(.*)$/s.exec(name)!;
  return `${scope}${rest.startsWith(PREFIX) ? "" : PREFIX}${rest}`;
}

/** `packageName` backwards: what a user writes for a package. */
export function shortName(pkg: string): string {
  return pkg.replace(PREFIX, "");
}

/** Where a package of a plugin folder is. */
export function packageRoot(folder: string, pkg: string): string {
  return join(folder, "node_modules", pkg);
}

/** Names of the packages that were installed in a plugin folder, whether they are sound or not. */
export function installedPackages(folder = pluginFolder()): string[] {
  const file = join(folder, "package.json");
  if (!existsSync(file)) return [];
  const json = readJson(file);
  if (!isRecord(json)) throw new QemuError("plugin-folder", `${file} is not an object`);
  return isRecord(json.dependencies) ? Object.keys(json.dependencies).filter(isPackageName).sort() : [];
}

export interface Places {
  /** What relative paths and node_modules are looked up from. */
  readonly from: string;
  readonly folder: string;
}

/** Finds a plugin by name or path and reads its manifest. */
export function findPlugin(name: string, { from, folder }: Places): PluginManifest {
  if (isPath(name)) return atPath(name, resolve(from, name));
  const pkg = packageName(name);
  if (!isPackageName(pkg)) {
    throw new QemuError("unknown-plugin", `'${name}' is not the name of a plugin`, { hint: pathHint(name, from) });
  }
  const places = [join(from, "node_modules"), join(folder, "node_modules")];
  const found = places.map((place) => join(place, pkg)).find((root) => existsSync(join(root, "package.json")));
  if (found !== undefined) return readManifest(found);
  const installed = namesForHint(folder);
  throw new QemuError("unknown-plugin", `plugin '${name}' not found: no package ${pkg} in ${places.join(" or ")}`, {
    hint:
      pathHint(name, from) ??
      didYouMean(name, installed) ??
      `'qemu-next plugin add ${name}' installs it, if it is published`,
  });
}

function namesForHint(folder: string): string[] {
  try {
    return installedPackages(folder).map(shortName);
  } catch {
    // The plugin folder has a problem of its own, which is not what the user asked about.
    return [];
  }
}

function pathHint(name: string, from: string): string | undefined {
  return existsSync(resolve(from, name)) ? `the file or folder of that name is './${name}'` : undefined;
}

function atPath(name: string, path: string): PluginManifest {
  if (!existsSync(path)) throw new QemuError("unknown-plugin", `plugin '${name}' not found: there is no ${path}`);
  if (statSync(path).isDirectory()) {
    // npm packs a package into a folder of this name.
    const root = [path, join(path, "package")].find((folder) => existsSync(join(folder, "package.json")));
    if (root !== undefined) return readManifest(root);
    throw new QemuError("unknown-plugin", `'${name}' is not the folder of a plugin: it has no package.json`);
  }
  if (MODULE.test(path)) return fileManifest(path);
  throw new QemuError("unknown-plugin", `'${name}' is neither the folder of a plugin nor a JavaScript file`, {
    hint: ARCHIVE.test(path) ? `'qemu-next plugin add ${name}' installs a package that was packed by npm` : undefined,
  });
}
