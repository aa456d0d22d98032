/** `qemu-next plugin`: what is installed in the plugin folder, and npm for adding to it. */

import { relative } from "node:path";
import { messageOf } from "../../core/errors.ts";
import { readManifest } from "../../core/plugin/manifest.ts";
import { checkApi, PLUGIN_API } from "../../core/plugin/plugin.ts";
import { findPlugin, installedPackages, packageRoot, pluginFolder, shortName } from "../../core/plugin/resolve.ts";
import type { CommandContext } from "../commands.ts";
import { addPlugins } from "./plugin-add.ts";
import { runYargs } from "./yargs.ts";

const print = (line: string): boolean => process.stdout.write(`${line}\n`);

export async function run(context: CommandContext): Promise<number> {
  let status = 0;
  await runYargs(context, (parser) =>
    parser
      .usage("$0 <command>\n\nPlugins from npm, for -plugin. They are installed in " + pluginFolder())
      .command(
        "ls",
        "list the installed plugins",
        (command) => command,
        () => {
          status = list();
        },
      )
      .command(
        "add <plugin..>",
        "install plugins with npm, or other versions of them",
        (command) =>
          command.positional("plugin", {
            type: "string",
            describe: "a name (x for the package qemu-next-plugin-x), x@version, a folder, or an archive of npm pack",
          }),
        async ({ plugin }) => add(plugin as readonly string[]),
      )
      .command(
        "info <plugin>",
        "show what a plugin says about itself, without loading it",
        (command) => command.positional("plugin", { type: "string", describe: "a name, or a folder (./name)" }),
        ({ plugin }) => {
          info(plugin as string);
        },
      )
      .demandCommand(1, "what shall be done: ls, add or info?"),
  );
  return status;
}

/** Answers with 1 when one of the plugins cannot be used. */
function list(): number {
  const folder = pluginFolder();
  const names = installedPackages(folder);
  if (names.length === 0) print(`No plugins are installed in ${folder}`);
  const rows = names.map((name) => {
    try {
      const { version, api, provides } = readManifest(packageRoot(folder, name));
      return { cells: [name, version, String(api), provides.join(" ")], problem: problemOf(() => checkApi(name, api)) };
    } catch (error) {
      return { cells: [name, "?", "?", ""], problem: messageOf(error) };
    }
  });
  const table = rows.map(({ cells: [name, version, api, provides], problem }) =>
    [name, version, `api ${api}`, problem ?? "ok", provides].map((cell) => cell ?? ""),
  );
  const widths = [0, 1, 2, 3].map((column) => Math.max(0, ...table.map((row) => row[column].length)));
  for (const row of table)
    print(
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    );
  return rows.some(({ problem }) => problem !== undefined) ? 1 : 0;
}

async function add(specs: readonly string[]): Promise<void> {
  const added = await addPlugins(specs, pluginFolder());
  if (added.length === 0) print("Nothing has changed: this is installed already");
  for (const { name, version, provides } of added) {
    print(`Added ${name} ${version}${provides.length > 0 ? ` (${provides.join(", ")})` : ""}`);
    print(`Use it with: -plugin ${shortName(name)}`);
  }
}

function info(name: string): void {
  const manifest = findPlugin(name, { from: process.cwd(), folder: pluginFolder() });
  const rows: [string, string][] = [
    ["name", manifest.name],
    ["version", manifest.version],
    ["description", manifest.description],
    ["folder", manifest.root],
    ["entry", relative(manifest.root, manifest.entry)],
    ["api", `${manifest.api} (this program has ${PLUGIN_API})`],
    ["provides", manifest.provides.join(", ") || "not said: it is loaded when the program starts"],
  ];
  for (const [key, value] of rows) if (value !== "") print(`${key.padEnd(12)} ${value}`);
  checkApi(manifest.name, manifest.api);
}

function problemOf(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
