/**
 * Where a configuration file is: qemu-next.config.json, .mjs or .mts in the current folder. Every start of the program
 * looks for it, and few find one, so this file loads nothing.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { QemuError } from "../errors.ts";

export const CONFIG_EXTENSIONS = [".json", ".mjs", ".mts"];

/** The configuration file in a folder, or undefined. */
export function findConfig(folder: string): string | undefined {
  const found = CONFIG_EXTENSIONS.map((extension) => join(folder, `qemu-next.config${extension}`)).filter((file) =>
    existsSync(file),
  );
  if (found.length < 2) return found[0];
  throw new QemuError("config", `there are two configuration files: ${found.join(" and ")}`, {
    hint: "keep one of them, or choose with -no-user-config -readconfig",
  });
}
