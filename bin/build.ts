/**
 * `npm run build` makes dist/, what the npm package runs; `npm run build:binary` makes build/qemu-next, an executable
 * that needs nothing else.
 */

import { join, resolve } from "node:path";
import { buildHelpers } from "../accel/tcg/assembly/build.ts";
import { formatError } from "../core/vm/program.ts";
import manifest from "../package.json" with { type: "json" };
import { run as bundle } from "./commands/bundle.ts";

const ROOT = resolve(import.meta.dirname, "..");
const BINARY = join(ROOT, "build", "qemu-next");

try {
  await buildHelpers();
  if (process.argv.includes("--binary")) {
    const context = { name: "build", version: manifest.version };
    process.exitCode = await bundle({ ...context, args: ["--preset", "default", "--output", BINARY] });
  } else {
    const { buildPackage } = await import("./bundle/package.ts");
    await buildPackage(ROOT, join(ROOT, "dist"));
  }
} catch (error) {
  process.stderr.write(formatError("build", error, true));
  process.exitCode = 1;
}
