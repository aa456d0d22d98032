/**
 * Makes dist/, what the npm package runs: the bundles, packed by ncc, and what they need, a launcher that any Node can run, the libraries
 * of the package's exports, and their types.
 */

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { chmod, copyFile, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { promisify } from "node:util";
import type { Plugin } from "esbuild";
import { QemuError } from "../../core/errors.ts";
import { bundleCode, COMMON, choosePlugins, loadEsbuild, MAIN } from "./code.ts";
import { licenseText } from "./licenses.ts";
import { pack } from "./ncc.ts";
import { chooseParts, PRESETS } from "./parts.ts";

const execute = promisify(execFile);

/** The file of package.json's "bin". */
export const LAUNCHER = "launch.cjs";

/** The libraries: the names they are exported under, their sources, and the parts that they bring. */
export const LIBRARIES: readonly { readonly name: string; readonly source: string; readonly parts: RegExp }[] = [
  { name: "index", source: "core/plugin/api.ts", parts: /^$/ },
  { name: "block", source: "bin/lib/block.ts", parts: /^block\// },
];

/** Makes the folder anew; what was there stays until the new one is complete. */
export async function buildPackage(sources: string, output: string): Promise<void> {
  const folder = `${output}.${process.pid}.tmp`;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  try {
    const parts = chooseParts(PRESETS.default.parts).map(({ part }) => part);
    const code = await bundleCode({ sources, parts });
    for (const [name, contents] of code.files) {
      const bundle = join(folder, name);
      await writeFile(bundle, contents);
      for (const [file, packed] of await pack(bundle, name)) await writeFile(join(folder, file), packed);
    }
    for (const [name, path] of code.assets) await copyFile(path, join(folder, name));
    await writeFile(join(folder, "licenses.txt"), licenseText(code.packages));
    await buildLauncher(sources, folder);
    for (const library of LIBRARIES) await buildLibrary(sources, folder, library);
    await buildTypes(sources, folder);
    await rm(output, { recursive: true, force: true });
    await rename(folder, output);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The program as it lies in the sources becomes the bundle. */
const fromBundle: Plugin = {
  name: "from-bundle",
  setup(build) {
    build.onResolve({ filter: /\/qemu-next\.ts$/ }, () => ({ path: `./${MAIN}.cjs`, external: true }));
  },
};

async function buildLauncher(sources: string, folder: string): Promise<void> {
  const file = join(folder, LAUNCHER);
  await (await loadEsbuild()).build({
    entryPoints: [join(sources, "bin/qemu-next.js")],
    outfile: file,
    bundle: true,
    platform: "node",
    format: "cjs",
    // It says what to do to those who have an old Node.
    target: "node12.0",
    define: { "import.meta.url": "__url" },
    banner: { js: 'const __url = require("url").pathToFileURL(__filename).href;' },
    plugins: [fromBundle],
    logLevel: "silent",
  });
  await chmod(file, 0o755);
}

async function buildLibrary(
  sources: string,
  folder: string,
  { name, source, parts: wanted }: (typeof LIBRARIES)[number],
): Promise<void> {
  const parts = chooseParts(PRESETS.default.parts).map(({ part }) => part);
  const request = { sources, parts: parts.filter(({ part }) => wanted.test(part)) };
  await (await loadEsbuild()).build({
    ...COMMON,
    write: true,
    absWorkingDir: sources,
    entryPoints: [join(sources, source)],
    outfile: join(folder, "lib", `${name}.mjs`),
    format: "esm",
    define: { BUNDLED: "true" },
    // Packages of CommonJS in a module.
    banner: {
      js: 'import { createRequire as __require } from "node:module"; const require = __require(import.meta.url);',
    },
    plugins: [choosePlugins(request)],
  });
}

/** Declarations of what the libraries export, and of nothing else. */
async function buildTypes(sources: string, folder: string): Promise<void> {
  const compiler = join(sources, "node_modules/typescript/bin/tsc");
  const all = join(folder, "all-types");
  try {
    await execute(process.execPath, [compiler, "-p", join(sources, "bin/lib"), "--outDir", all]);
  } catch (cause) {
    throw new QemuError("types", `the type declarations cannot be made: ${(cause as { stdout?: string }).stdout}`, {
      cause,
    });
  }
  const queue = LIBRARIES.map(({ source }) => join(all, source.replace(/\.ts$/, ".d.ts")));
  const reached = new Set(queue);
  for (const file of reached) {
    for (const [, target] of readFileSync(file, "utf8").matchAll(/(?:from |import\()"(\.[^"]+)\.ts"/g)) {
      reached.add(`${resolve(dirname(file), target)}.d.ts`);
    }
  }
  for (const file of reached) {
    const to = join(folder, "types", relative(all, file));
    await mkdir(dirname(to), { recursive: true });
    await copyFile(file, to);
  }
  await rm(all, { recursive: true });
}
