/**
 * Builds the helper module: writes the offsets and constants of env.ts as an AssemblyScript file, then compiles
 * assembly/index.ts to build/helpers.wasm. Does nothing when the result is newer than its sources.
 */

import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { STATIC_DATA_SIZE } from "../../../core/memory/guest-memory.ts";
import * as env from "../env.ts";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../../..");
export const HELPERS_WASM = join(root, "build/helpers.wasm");
const GENERATED = join(here, "generated/env.ts");
/** Static data starts here: address 0 stays unused. */
const STATIC_BASE = 1024;

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

function generate(): string {
  const lines = ["// Generated from accel/tcg/env.ts.", ""];
  for (const [name, offset] of Object.entries(env.CPU_STATE.offsets)) {
    lines.push(`export const ENV_${snake(name)}: u32 = ${offset};`);
  }
  for (const [name, value] of Object.entries(env)) {
    if (typeof value === "number") lines.push(`export const ${name}: u32 = ${value >>> 0};`);
  }
  return `${lines.join("\n")}\n`;
}

function newestSource(): number {
  const files = readdirSync(here, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  return Math.max(...files.map((file) => statSync(join(here, file)).mtimeMs));
}

function writeIfChanged(file: string, text: string): void {
  let before: string | undefined;
  try {
    before = readFileSync(file, "utf8");
  } catch {
    mkdirSync(dirname(file), { recursive: true });
  }
  if (before !== text) writeFileSync(file, text);
}

/** Compiles when needed; returns the path of the module. */
export async function buildHelpers(): Promise<string> {
  writeIfChanged(GENERATED, generate());
  try {
    if (statSync(HELPERS_WASM).mtimeMs > newestSource()) return HELPERS_WASM;
  } catch {
    mkdirSync(dirname(HELPERS_WASM), { recursive: true });
  }
  const asc = await import("assemblyscript/asc");
  const staging = `build/helpers.${process.pid}.wasm`;
  const { error, stdout, stderr } = await asc.main([
    "accel/tcg/assembly/index.ts",
    "--outFile",
    staging,
    "--baseDir",
    root,
    "--runtime",
    "stub",
    "--use",
    "abort=",
    "--importMemory",
    "--sharedMemory",
    "--initialMemory",
    "16",
    "--maximumMemory",
    "65536",
    "--memoryBase",
    String(STATIC_BASE),
    "--enable",
    "simd,threads,bulk-memory,relaxed-simd",
    "-O3",
    "--noAssert",
  ]);
  if (error) throw new Error(`${stdout}${stderr}`, { cause: error });
  renameSync(join(root, staging), HELPERS_WASM);
  return HELPERS_WASM;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildHelpers();
  const size = statSync(HELPERS_WASM).size;
  console.log(`build/helpers.wasm: ${size} bytes (static data below ${STATIC_DATA_SIZE})`);
}
