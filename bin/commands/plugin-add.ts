/**
 * Installs plugins with npm. The work is done in a copy of the plugin folder, which takes the folder's place when all
 * went well and everything that was installed is a plugin for this program; otherwise nothing has changed.
 *
 * A program that is killed between the two renames leaves the old folder under another name; the next one puts it back.
 */

import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { messageOf, QemuError } from "../../core/errors.ts";
import { type PluginManifest, readManifest } from "../../core/plugin/manifest.ts";
import { checkApi } from "../../core/plugin/plugin.ts";
import { installedPackages, isPath, packageName, packageRoot } from "../../core/plugin/resolve.ts";

/**
 * Copies of folders instead of links to them, and no peer dependencies: a plugin's peer is qemu-next itself, of which
 * it always gets the one that runs.
 */
const NPM_INSTALL = [
  "install",
  "--no-global",
  "--no-audit",
  "--no-fund",
  "--install-links",
  "--legacy-peer-deps",
  "--",
];

const UNCHANGED = "the installed plugins are as they were";

/** Installs what `specs` name; answers with the manifests of those plugins that are new or have changed. */
export async function addPlugins(specs: readonly string[], folder: string): Promise<PluginManifest[]> {
  const packages = specs.map((spec) => npmSpec(spec, process.cwd()));
  const staging = `${folder}.new-${process.pid}`;
  try {
    prepare(folder, staging);
    const before = versions(staging);
    await npm([...NPM_INSTALL, ...packages], staging, specs);
    const after = versions(staging);
    const changed = installedPackages(staging).filter((name) => before.get(name) !== after.get(name));
    const manifests = changed.map((name) => ({ ...check(staging, name), root: packageRoot(folder, name) }));
    replace(folder, staging);
    return manifests;
  } catch (error) {
    throw error instanceof QemuError ? error : cannotWrite(folder, error);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** What npm calls it: names get their prefix, paths become absolute, addresses stay as they are. */
export function npmSpec(spec: string, from: string): string {
  if (isPath(spec) || (/\.(tgz|tar\.gz)$/.test(spec) && !spec.includes(":"))) {
    const path = resolve(from, spec);
    if (existsSync(path)) return path;
    throw new QemuError("unknown-plugin", `there is no ${path}`);
  }
  const [, name, version = ""] = /^(@?[^@:]+)(@.+)?$/.exec(spec) ?? [];
  return name === undefined ? spec : `${packageName(name)}${version}`;
}

function prepare(folder: string, staging: string): void {
  const parent = dirname(folder);
  mkdirSync(parent, { recursive: true });
  if (!existsSync(folder)) {
    const left = readdirSync(parent).find((name) => name.startsWith(`${basename(folder)}.old-`));
    if (left !== undefined) renameSync(join(parent, left), folder);
  }
  if (existsSync(folder)) cpSync(folder, staging, { recursive: true, verbatimSymlinks: true });
  else mkdirSync(staging);
  const manifest = join(staging, "package.json");
  if (!existsSync(manifest)) writeFileSync(manifest, '{ "name": "qemu-next-plugins", "private": true }\n');
}

/** What npm notes of each installed package: its version and where it came from. */
function versions(folder: string): Map<string, string> {
  const file = join(folder, "node_modules", ".package-lock.json");
  if (!existsSync(file)) return new Map();
  const { packages } = JSON.parse(readFileSync(file, "utf8")) as { packages: Record<string, unknown> };
  return new Map(
    Object.entries(packages).map(([path, entry]) => [path.replace(/^node_modules\//, ""), JSON.stringify(entry)]),
  );
}

/** Throws unless it is a plugin for this program. */
function check(staging: string, name: string): PluginManifest {
  try {
    const manifest = readManifest(packageRoot(staging, name));
    checkApi(name, manifest.api);
    return manifest;
  } catch (cause) {
    const message = messageOf(cause).replaceAll(`${join(staging, "node_modules")}/`, "");
    throw new QemuError("plugin-manifest", message, { cause, hint: UNCHANGED });
  }
}

function npm(args: readonly string[], folder: string, specs: readonly string[]): Promise<void> {
  // What npm says is for the user's eyes; standard output is ours.
  const child = spawn("npm", args, { cwd: folder, stdio: ["ignore", 2, 2] });
  // ctrl-c reaches npm too: its end is waited for, and the copy removed.
  const ignore = (): void => {};
  process.on("SIGINT", ignore);
  const what = specs.map((spec) => `'${spec}'`).join(", ");
  return new Promise<void>((done, fail) => {
    child.on("error", (cause) =>
      fail(
        new QemuError("npm", `npm could not be started: ${messageOf(cause)}`, {
          cause,
          hint: "it comes with Node.js; a plugin that was unpacked by other means is named by its folder: -plugin ./folder",
        }),
      ),
    );
    child.on("close", (status, signal) => {
      if (status === 0) done();
      else {
        fail(
          new QemuError("npm", `npm could not install ${what} (${signal ?? `exit status ${status}`})`, {
            hint: UNCHANGED,
          }),
        );
      }
    });
  }).finally(() => process.off("SIGINT", ignore));
}

function replace(folder: string, staging: string): void {
  const old = `${folder}.old-${process.pid}`;
  if (existsSync(folder)) renameSync(folder, old);
  renameSync(staging, folder);
  rmSync(old, { recursive: true, force: true });
}

function cannotWrite(folder: string, cause: unknown): QemuError {
  return new QemuError("plugin-folder", `cannot write to the plugin folder ${folder}: ${messageOf(cause)}`, { cause });
}
