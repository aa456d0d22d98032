/**
 * Bundles the program: one CommonJS file for the main program and one for each thread, with a chosen set of plugins, and
 * nothing left to resolve when it runs but Node's own modules. A module inside a bundle runs when it is first imported,
 * so plugins stay as lazy as they are in the sources.
 *
 * What else the bundles need is told by what is in them: see ASSETS.
 */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, relative, resolve } from "node:path";
import type { BuildOptions, BuildResult, Plugin } from "esbuild";
import { KOFFI_ADDON, type ThreadProgram } from "../../core/assets.ts";
import { messageOf, QemuError } from "../../core/errors.ts";
import { THREADS } from "../threads.ts";
import { type BundledPackage, packagesOf } from "./licenses.ts";
import type { Part } from "./parts.ts";

/** The bundle of the main program. */
export const MAIN = "qemu-next";

export interface CodeRequest {
  /** The folder of the sources. */
  readonly sources: string;
  readonly parts: readonly Part[];
}

export interface Code {
  /** The bundles, by file name. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Paths of further files that the bundles need, by the name they are asked for. */
  readonly assets: ReadonlyMap<string, string>;
  readonly packages: readonly BundledPackage[];
}

/** Source files whose presence in a bundle means that it needs an asset, and where that lies. */
const ASSETS: readonly { readonly usedBy: string; readonly name: string; find(sources: string): string }[] = [
  {
    usedBy: "accel/tcg/engine/helpers.ts",
    name: "helpers.wasm",
    find: (sources) =>
      ["build", "dist"].map((at) => join(sources, at, "helpers.wasm")).find(existsSync) ?? missing("helpers.wasm"),
  },
  // The core itself calls no foreign function that it could not do without.
  { usedBy: "accel/kvm/libc.ts", name: KOFFI_ADDON, find: koffiAddon },
  { usedBy: "plugins/char/pty/libc.ts", name: KOFFI_ADDON, find: koffiAddon },
];

function missing(name: string): never {
  throw new QemuError("missing-asset", `${name} has not been built`, { hint: "'npm run build' makes it" });
}

/** koffi's addon for this platform, in the package that npm has installed for it. */
export function koffiAddon(sources: string): string {
  const { platform, arch } = process;
  const { glibcVersionRuntime } = (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header;
  const folder = platform === "linux" && !glibcVersionRuntime ? `musl_${arch}` : `${platform}_${arch}`;
  try {
    const require = createRequire(createRequire(join(sources, "package.json")).resolve("koffi"));
    return join(dirname(require.resolve(`@koromix/koffi-${platform}-${arch}`)), folder, "koffi.node");
  } catch (cause) {
    throw new QemuError("missing-asset", `koffi has no addon for ${platform}-${arch}: ${messageOf(cause)}`, { cause });
  }
}

const FIRST_PARTY = /plugins[\\/]first-party\.ts$/;

/** The plugin of a module, which may be CommonJS, or have been made CommonJS by a compiler. */
const UNWRAP = "const plugin = ({ default: it }) => ({ default: it?.default ?? it });\n";

/** Puts the chosen plugins in the place of the program's table of plugins. */
export const choosePlugins = ({ sources, parts }: CodeRequest): Plugin => ({
  name: "choose-plugins",
  setup(build) {
    build.onLoad({ filter: FIRST_PARTY }, () => {
      const rows = parts.map(({ part, name, provides, requires, module }) => {
        const fields = JSON.stringify({ part, name, provides, requires }).slice(1, -1);
        return `{ ${fields}, load: () => import(${JSON.stringify(resolve(sources, module))}).then(plugin) },\n`;
      });
      return { contents: `${UNWRAP}export const FIRST_PARTY = [\n${rows.join("")}];\n`, resolveDir: sources };
    });
  },
});

export async function loadEsbuild(): Promise<typeof import("esbuild")> {
  try {
    return await import("esbuild");
  } catch (cause) {
    throw new QemuError("no-esbuild", `the bundler esbuild cannot be loaded: ${messageOf(cause)}`, {
      cause,
      hint: "'npm install esbuild' beside qemu-next installs it",
    });
  }
}

/** What every bundle is made with. */
export const COMMON = {
  bundle: true,
  platform: "node" as const,
  target: "node24",
  minify: true,
  legalComments: "none" as const,
  logLevel: "silent" as const,
  metafile: true as const,
  write: false as const,
  // What only runs from the sources, and the bundler itself.
  external: ["koffi", "esbuild", "*/assembly/build.ts"],
  define: { BUNDLED: "true", "import.meta.dirname": "__dirname", "import.meta.url": '"file:///"' },
} satisfies BuildOptions;

export async function bundleCode(request: CodeRequest): Promise<Code> {
  const { sources, parts } = request;
  const esbuild = await loadEsbuild();
  const isWanted = (thread: ThreadProgram): boolean => !thread.part || parts.some(({ part }) => part === thread.part);
  const entries = [{ name: MAIN, source: "bin/qemu-next.ts" }, ...THREADS.filter(isWanted)];
  let result: BuildResult<typeof COMMON>;
  try {
    result = await esbuild.build({
      ...COMMON,
      absWorkingDir: sources,
      entryPoints: entries.map(({ name, source }) => ({ in: join(sources, source), out: name })),
      outdir: sources,
      format: "cjs",
      outExtension: { ".js": ".cjs" },
      alias: { "qemu-next": join(sources, "core/plugin/api.ts") },
      plugins: [choosePlugins(request)],
    });
  } catch (cause) {
    throw new QemuError("bundle-failed", `the program could not be bundled: ${messageOf(cause)}`, { cause });
  }
  const inputs = Object.keys(result.metafile.inputs);
  const assets = ASSETS.filter(({ usedBy }) => inputs.includes(usedBy));
  const foreign = inputs.map((input) => resolve(sources, input));
  if (assets.some(({ name }) => name === KOFFI_ADDON))
    foreign.push(createRequire(join(sources, "package.json")).resolve("koffi"));
  return {
    files: new Map(result.outputFiles.map(({ path, contents }) => [basename(path), contents])),
    assets: new Map(assets.map(({ name, find }) => [name, find(sources)])),
    packages: packagesOf(foreign.filter((file) => /^\.\.|^node_modules\b/.test(relative(sources, file)))),
  };
}
