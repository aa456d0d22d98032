/**
 * The last step to the npm package: ncc takes each bundle apart once more and puts it together with its own loader. What
 * it cannot resolve then is not in the package either, and is an error here instead of on a user's machine.
 */

import ncc from "@vercel/ncc";
import { messageOf, QemuError } from "../../core/errors.ts";

/** Found at run time, if at all: by the loader of addons, and in the user's node_modules. */
const EXTERNALS = ["koffi", "esbuild"];

/** Packs the bundle in a file; returns what goes into the package by name, the bundle itself under `name`. */
export async function pack(file: string, name: string): Promise<Map<string, string | Uint8Array>> {
  try {
    const { code, assets } = await ncc(file, { quiet: true, cache: false, externals: EXTERNALS, target: "es2024" });
    const files = new Map<string, string | Uint8Array>([[name, code]]);
    for (const [asset, { source }] of Object.entries(assets)) files.set(asset, source);
    return files;
  } catch (cause) {
    throw new QemuError("pack-failed", `${name} could not be packed: ${messageOf(cause)}`, { cause });
  }
}
