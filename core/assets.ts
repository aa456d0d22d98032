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

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker, type WorkerOptions } from "node:worker_threads";

declare const BUNDLED: true | undefined;

/** Where this runs from. */
export type Place = "source" | "package" | "executable";

/** A program for a thread of its own. Its bundle is `<name>.cjs`; bin/threads.ts lists all. */
export interface ThreadProgram {
  readonly name: string;
  readonly source: URL;
}

/** `node:sea`, which other modules have no need to know. */
const sea = process.getBuiltinModule("node:sea");

export const PLACE: Place = typeof BUNDLED === "undefined" ? "source" : sea.isSea() ? "executable" : "package";

/** The folder of the parts; unused in an executable. In a bundle this is the bundle's folder. */
const FOLDER = PLACE === "source" ? join(import.meta.dirname, "../build") : import.meta.dirname;

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

/** Starts a program in a thread of its own. */
export function startThread(program: ThreadProgram, options: WorkerOptions = {}): Worker {
  if (PLACE === "source") return new Worker(program.source, options);
  const bundle = `${program.name}.cjs`;
  if (PLACE === "package") return new Worker(join(FOLDER, bundle), options);
  return new Worker(sea.getAsset(bundle, "utf8"), { ...options, eval: true });
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
