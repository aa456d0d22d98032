/**
 * Makes an executable of the bundles: a copy of the running Node without its symbols, with the bundles and what they
 * need inside (a single executable application, https://nodejs.org/api/single-executable-applications.html).
 *
 *  - Node that makes it and Node inside are the same, run with the same V8 flags (none): otherwise the code cache does
 *    not fit, or the executable does nothing.
 *  - The executable takes no options for Node (`execArgvExtension`), so that all options are the program's.
 *  - It is made in a folder beside its place and moved there when it is complete.
 */

import { execFile } from "node:child_process";
import { chmod, copyFile, mkdtemp, rename, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { bundleRunner } from "../../core/assets.ts";
import { messageOf, QemuError } from "../../core/errors.ts";
import { type Code, MAIN } from "./code.ts";
import { recordCode, wrapBundle } from "./code-cache.ts";
import type { Firmware } from "./firmware.ts";
import { licenseText, nodeLicense } from "./licenses.ts";
import type { Progress } from "./progress.ts";

const execute = promisify(execFile);

/** The first Node with --build-sea and without its teething troubles. */
const NEEDED_NODE = 26;
/** Steps that `makeExecutable` reports. */
export const EXECUTABLE_STEPS = 3;

export interface ExecutableRequest {
  readonly code: Code;
  readonly firmware: Firmware;
  readonly output: string;
  readonly progress: Progress;
}

export interface Executable {
  readonly size: number;
  /** False when there is no `strip`, and the executable is larger than it needs to be. */
  readonly stripped: boolean;
}

/** Looks whether an executable can be made, and put where it is wanted, before time is spent on it. */
export async function checkOutput(output: string): Promise<void> {
  if (Number(process.versions.node.split(".")[0]) < NEEDED_NODE) {
    throw new QemuError("node-too-old", `executables are made of Node.js ${NEEDED_NODE}; this is ${process.version}`, {
      hint: "install Node.js 26, for example by 'npm install node@26', and run this with it",
    });
  }
  const target = resolve(output);
  if ((await stat(target).catch(() => undefined))?.isDirectory()) throw cannotWrite(output, "it is a folder");
  try {
    await rmdir(await mkdtemp(beside(target)));
  } catch (cause) {
    throw cannotWrite(output, cause);
  }
}

/** The beginning of the name of a folder for unfinished work: what is there can be moved to its place. */
const beside = (target: string): string => join(dirname(target), `.${basename(target)}-`);

function cannotWrite(output: string, cause: unknown): QemuError {
  // The system's message goes on with the name of an unfinished file.
  const why = messageOf(cause).replace(/, \w+ '.*'$/, "");
  return new QemuError("output", `cannot write '${output}': ${why}`, { cause });
}

/** Takes Node's symbols away; false where the system has no `strip`. */
async function strip(file: string): Promise<boolean> {
  try {
    await execute("strip", [file]);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw new QemuError("strip", `'strip' failed: ${(cause as { stderr?: string }).stderr || messageOf(cause)}`);
  }
}

export async function makeExecutable({ code, firmware, output, progress }: ExecutableRequest): Promise<Executable> {
  const target = resolve(output);
  const folder = await mkdtemp(beside(target));
  // Again when a program that we have started puts something in meanwhile.
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true, maxRetries: 10 });
  const interrupted = (): void => void remove().finally(() => process.exit(1));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, interrupted);
  try {
    progress.step("copying Node.js");
    const node = join(folder, "node");
    await copyFile(process.execPath, node);
    await chmod(node, 0o755);
    const stripped = await strip(node);

    progress.step("running it once");
    const assets: Record<string, string> = Object.fromEntries([...code.assets, ...firmware.files]);
    for (const [name, file] of await recordCode(code, join(folder, "run"))) assets[`${name}.cache`] = file;
    for (const [name, contents] of code.files) {
      await writeFile(join(folder, name), wrapBundle(contents));
      assets[name] = name;
    }
    await writeFile(join(folder, "main.js"), bundleRunner(MAIN));
    await writeFile(
      join(folder, "licenses.txt"),
      licenseText([nodeLicense(process.execPath), ...code.packages, ...firmware.packages]),
    );
    assets["licenses.txt"] = "licenses.txt";
    const config = {
      main: "main.js",
      output: "executable",
      executable: node,
      disableExperimentalSEAWarning: true,
      execArgvExtension: "none",
      assets,
    };
    await writeFile(join(folder, "config.json"), JSON.stringify(config));

    progress.step("putting everything together");
    await execute(process.execPath, ["--build-sea", "config.json"], { cwd: folder, env: {} });
    const made = join(folder, "executable");
    await chmod(made, 0o755);
    const { size } = await stat(made);
    await rename(made, target);
    return { size, stripped };
  } catch (cause) {
    throw cause instanceof QemuError ? cause : cannotWrite(output, cause);
  } finally {
    await remove();
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.removeListener(signal, interrupted);
  }
}
