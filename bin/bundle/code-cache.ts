/**
 * What V8 makes of the bundles: machines are started, and when their threads end, the code that they have compiled until
 * then is kept. In the executable it takes the place of compiling again.
 *
 * It fits only the same Node with the same V8 flags, and bundles that have not changed by a letter. Inside the executable
 * a bundle is a function expression, as it is here.
 */

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { KICK_THREAD } from "../../accel/kvm/threads.ts";
import { COMPILE_THREAD } from "../../accel/tcg/threads.ts";
import { messageOf, QemuError } from "../../core/errors.ts";
import { THREADS } from "../threads.ts";
import { type Code, MAIN } from "./code.ts";

const execute = promisify(execFile);

const TIME_LIMIT_MS = 60_000;
const KVM_TIME_LIMIT_MS = 10_000;
/** Half a second of an interpreter, much less of compiled code. */
const ROUNDS = 60_000_000;

/** A bundle as it lies in the executable: see `runBundle` in core/assets.ts. */
export function wrapBundle(bundle: Uint8Array): string {
  return `(function (require, module, exports, __filename, __dirname) {${Buffer.from(bundle)}\n})`;
}

/** The environment variable with the name of a thread whose code is not kept. */
const SKIPPED = "QEMU_NEXT_SKIPPED_THREAD";

/**
 * Takes the place of a bundle: runs it, with what has been kept of it before, and keeps its code. The main program and the
 * machine's thread end by themselves; others are ended from outside, so their code is kept again and again. While V8
 * counts what is called it throws no code away, not even that of the bundle itself, which has run once and for all.
 */
const RECORDER = `const { existsSync, readFileSync, renameSync, writeFileSync } = require("node:fs");
const { Script } = require("node:vm");
const { threadName } = require("node:worker_threads");
const { Session } = require("node:inspector");
const session = new Session();
session.connect();
session.post("Profiler.enable");
session.post("Profiler.startPreciseCoverage", { callCount: false, detailed: false });
const base = __filename.replace(/\\.cjs$/, "");
const cache = base + ".cache";
const cachedData = existsSync(cache) ? readFileSync(cache) : undefined;
const script = new Script(readFileSync(base + ".txt", "utf8"), { filename: __filename, cachedData });
const keep = () => {
  writeFileSync(base + ".part", script.createCachedData());
  renameSync(base + ".part", cache);
};
if (threadName !== process.env.${SKIPPED}) {
  process.on("exit", keep);
  setInterval(keep, 20).unref();
}
script.runInThisContext()(require, module, module.exports, __filename, __dirname);
`;

/**
 * A Multiboot kernel that counts for a moment, so that its loop is compiled, and ends: it resets the machine by way of the
 * keyboard controller.
 */
export function endingKernel(rounds = 1): Uint8Array {
  const ADDRESS = 0x100000;
  const CODE = 0x20;
  const SIZE = 0x40;
  const MAGIC = 0x1badb002;
  const HAS_ADDRESSES = 0x10000;
  const words = [MAGIC, HAS_ADDRESSES, -(MAGIC + HAS_ADDRESSES), ADDRESS, ADDRESS, 0, 0, ADDRESS + CODE];
  const kernel = new Uint8Array(SIZE);
  const view = new DataView(kernel.buffer);
  words.forEach((word, i) => {
    view.setUint32(i * 4, word >>> 0, true);
  });
  // mov ecx, rounds; dec ecx; jnz back; mov al, 0xfe; out 0x64, al; jmp $
  kernel.set([0xb9, 0, 0, 0, 0, 0x49, 0x75, 0xfd, 0xb0, 0xfe, 0xe6, 0x64, 0xeb, 0xfe], CODE);
  view.setUint32(CODE + 1, rounds, true);
  return kernel;
}

/**
 * Runs machines with the bundles in `folder`, an empty folder; answers the files with the compiled code, by the name of the
 * bundle. Empty when the chosen parts have no translator: what else runs CPUs needs a host that has it. Where this one
 * has KVM, the code for that is among it.
 */
export async function recordCode(code: Code, folder: string): Promise<Map<string, string>> {
  if (!code.files.has(`${COMPILE_THREAD.name}.cjs`)) return new Map();
  await mkdir(folder);
  for (const [name, path] of code.assets) await copyFile(path, join(folder, name));
  for (const [name, contents] of code.files) {
    await writeFile(join(folder, name), RECORDER);
    await writeFile(join(folder, name.replace(/\.cjs$/, ".txt")), wrapBundle(contents));
  }
  const kernel = join(folder, "kernel");
  const start = async (rounds: number, timeout: number, options: readonly string[], skipped: string): Promise<void> => {
    await writeFile(kernel, endingKernel(rounds));
    const machine = ["-nodefaults", "-display", "none", "-bios", "none", "-kernel", kernel, "-no-reboot"];
    await execute(process.execPath, [join(folder, `${MAIN}.cjs`), ...machine, ...options], {
      cwd: folder,
      env: { NODE_NO_WARNINGS: "1", [SKIPPED]: skipped },
      timeout,
    });
  };
  try {
    await start(ROUNDS, TIME_LIMIT_MS, [], "none");
  } catch (cause) {
    const said = (cause as { stderr?: string }).stderr?.trim().split("\n")[0] || messageOf(cause);
    throw new QemuError("bundle-broken", `the bundled program does not run: ${said}`, { cause });
  }
  if (code.files.has(`${KICK_THREAD.name}.cjs`)) {
    // One after the other, because both keep the code of the same bundle.
    for (const skipped of ["CPU 1", "machine"]) {
      await start(1, KVM_TIME_LIMIT_MS, ["-accel", "kvm", "-smp", "2"], skipped).catch(() => {});
    }
  }
  const names = [MAIN, ...THREADS.map(({ name }) => name)];
  const caches = names.map((name): [string, string] => [name, join(folder, `${name}.cache`)]);
  return new Map(caches.filter(([, file]) => existsSync(file)));
}
