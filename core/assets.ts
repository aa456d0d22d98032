/**
 * Where the parts of the program lie that are not code of the running thread: the programs of other threads, the
 * helpers' wasm module, native addons. The only file that knows whether the program runs
 *
 *     from its sources      threads are TypeScript files, other parts lie in build/
 *     from a package        everything lies in the folder of the bundle that runs (dist/)
 *     as an executable      everything is inside: assets of Node's single executable applications
 *
 * The bundler defines BUNDLED, so that a bundle does not look for sources.
 */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker, type WorkerOptions } from "node:worker_threads";

declare const BUNDLED: true | undefined;

/** Where this runs from. */
export type Place = "source" | "package" | "executable";

/** A program for a thread of its own. Its bundle is `<name>.cjs`; bin/threads.ts lists all. */
export interface ThreadProgram {
  readonly name: string;
  /** Its path from the folder of the sources. */
  readonly source: string;
  /** The part (see plugins/first-party.ts) that starts it; undefined for the program's own. */
  readonly part?: string;
}

/** The addon of koffi (core/ffi.ts) in bundles and executables made on this platform. */
export const KOFFI_ADDON = `koffi-${process.platform}-${process.arch}.node`;

/** `node:sea`, which other modules have no need to know. */
const sea = process.getBuiltinModule("node:sea");

export const PLACE: Place = typeof BUNDLED === "undefined" ? "source" : sea.isSea() ? "executable" : "package";

/** The folder of this file's sources or of the bundle; of no use in an executable. */
const HERE = import.meta.dirname;
const FOLDER = PLACE === "source" ? join(HERE, "../build") : HERE;

/** The folder of the program's sources, which a package has beside its bundles; undefined in an executable. */
export const SOURCES: string | undefined = PLACE === "executable" ? undefined : join(HERE, "..");

/** Whether there is a part of this name. */
export function hasAsset(name: string): boolean {
  return PLACE === "executable" ? sea.getAssetKeys().includes(name) : existsSync(join(FOLDER, name));
}

/**
 * The bytes of a part.
 *
 * SAFETY: in an executable they are the executable's own read-only memory: writing to them ends the process.
 */
export function readAsset(name: string): Uint8Array<ArrayBuffer> {
  return PLACE === "executable"
    ? new Uint8Array(sea.getRawAsset(name) as ArrayBuffer)
    : readFileSync(join(FOLDER, name));
}

/**
 * What each thread inside the executable runs first; it is handed over as text, so that it knows nothing of this file. The
 * bundle there is a function of what Node gives to modules. Beside it lies what V8 made of it when the executable was
 * built (bin/bundle/code-cache.ts), which saves most of the thread's start.
 */
function runBundle(name: string, require: NodeJS.Require): void {
  const { getAsset, getAssetKeys, getRawAsset } = require("node:sea") as typeof import("node:sea");
  const { Script } = require("node:vm") as typeof import("node:vm");
  const cache = `${name}.cache`;
  const cachedData = getAssetKeys().includes(cache) ? new Uint8Array(getRawAsset(cache)) : undefined;
  const script = new Script(getAsset(`${name}.cjs`, "utf8"), { filename: `${name}.cjs`, cachedData });
  if (script.cachedDataRejected) process.emitWarning(`Code cache of ${name} rejected.`);
  const module = { exports: {} };
  script.runInThisContext()(require, module, module.exports, process.execPath, ".");
}

/** The text that runs the bundle of that name inside the executable. */
export function bundleRunner(name: string): string {
  return `(${runBundle})(${JSON.stringify(name)}, require)`;
}

/** Starts a program in a thread of its own. */
export function startThread({ name, source }: ThreadProgram, options: WorkerOptions = {}): Worker {
  if (PLACE === "source") return new Worker(join(HERE, "..", source), options);
  if (PLACE === "package") return new Worker(join(HERE, `${name}.cjs`), options);
  return new Worker(bundleRunner(name), { ...options, eval: true });
}

/** Loads a native addon. One that is inside the executable goes through a file that is gone when this returns. */
export function loadAddon(name: string): unknown {
  const module = { exports: {} };
  if (PLACE !== "executable") {
    process.dlopen(module, join(FOLDER, name));
    return module.exports;
  }
  // A folder that only this user can look into: nobody can put another file in the addon's place.
  const folder = mkdtempSync(join(tmpdir(), "qemu-next-"));
  try {
    const file = join(folder, name);
    writeFileSync(file, readAsset(name), { mode: 0o700 });
    process.dlopen(module, file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return module.exports;
}
