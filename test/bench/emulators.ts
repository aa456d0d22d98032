/**
 * The emulators that the bench compares, each as a command that takes QEMU's options. QEMU is the installed one, or
 * Debian's with its libraries, unpacked into the cache; v86 comes from npm, into the cache too.
 */

import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { messageOf, QemuError } from "../../core/errors.ts";
import { cachePath, exists, makeAtomically, withLock } from "../tools/cache.ts";
import { fetchTree, type Progress } from "../tools/debian.ts";
import type { Column } from "./results.ts";
import type { Command } from "./watch.ts";

export interface Emulator extends Column {
  /** The exact version, for the record. */
  readonly version: string;
  /** The file that is all of it. */
  readonly file?: string;
  /** The command by itself, where it is a program with QEMU's options. */
  readonly program?: Command;
  /** The command that runs a machine, given QEMU's options for it. */
  command(args: readonly string[]): Command;
}

const execute = promisify(execFile);

/** A program of the search path. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const file = join(folder, name);
    if (folder !== "" && (await exists(file))) return file;
  }
  return undefined;
}

/** Debian's QEMU out of the cache, started through the C library that came with it. */
async function cachedQemu(progress: Progress): Promise<Command> {
  const tree = await fetchTree("qemu", ["qemu-system-x86", "ipxe-qemu"], { progress });
  const libraries = join(tree, "usr/lib/x86_64-linux-gnu");
  const inner = await readdir(libraries, { withFileTypes: true });
  const path = [libraries, ...inner.filter((entry) => entry.isDirectory()).map(({ name }) => join(libraries, name))];
  const program = join(tree, "usr/bin/qemu-system-x86_64");
  const data = ["usr/share/seabios", "usr/share/qemu", "usr/lib/ipxe/qemu"].flatMap((at) => ["-L", join(tree, at)]);
  return {
    file: join(libraries, "ld-linux-x86-64.so.2"),
    args: ["--library-path", path.join(":"), program, ...data],
    env: { QEMU_MODULE_DIR: join(libraries, "qemu") },
  };
}

export async function qemu(progress: Progress): Promise<Emulator> {
  const installed = await findProgram("qemu-system-x86_64");
  const { file, args, env } = installed ? { file: installed, args: [], env: undefined } : await cachedQemu(progress);
  const { stdout } = await execute(file, [...args, "--version"], { env: { ...process.env, ...env } });
  const version = /version (.*)/.exec(stdout)?.[1] ?? "";
  return {
    name: `QEMU ${version.split(" ")[0]}`,
    version,
    ours: false,
    program: { file, args, env },
    command: (more) => ({ file, args: [...args, "-accel", "tcg", ...more], env }),
  };
}

/** qemu-next, with TCG's default back end or a named one; of this folder, or another one to compare with. */
export async function ours(backend: string | undefined, root: string): Promise<Emulator> {
  const accelerator = backend === undefined ? "tcg" : `tcg,backend=${backend}`;
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
  const commit = await execute("git", ["describe", "--always", "--dirty"], { cwd: root }).catch(() => undefined);
  const program = { file: process.execPath, args: [join(root, "bin/qemu-next.js")] };
  return {
    name: backend === undefined ? "qemu-next" : backend,
    version: [version, commit?.stdout.trim()].filter(Boolean).join(" "),
    ours: true,
    program,
    command: (args) => ({ ...program, args: [...program.args, "-accel", accelerator, ...args] }),
  };
}

/** The same program with KVM. */
export function underKvm(emulator: Emulator): Emulator {
  const { file, args, env } = emulator.program!;
  return {
    ...emulator,
    name: `${emulator.name}, KVM`,
    kvm: true,
    command: (more) => ({ file, args: [...args, "-accel", "kvm", ...more], env }),
  };
}

const V86_VERSION = "0.5.462";

export async function v86(progress: Progress): Promise<Emulator> {
  const folder = cachePath("v86", V86_VERSION);
  if (!(await exists(folder))) {
    await withLock("v86", async () => {
      if (await exists(folder)) return;
      progress(`fetching v86 ${V86_VERSION} from npm`);
      await makeAtomically(folder, async (temporary) => {
        await mkdir(temporary, { recursive: true });
        try {
          await writeFile(join(temporary, "package.json"), "{}\n");
          const options = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts"];
          await execute("npm", ["install", ...options, "--prefix", temporary, `v86@${V86_VERSION}`]);
        } catch (cause) {
          throw new QemuError("fetch-failed", `npm did not install v86: ${messageOf(cause)}`, { cause });
        }
      });
    });
  }
  const child = join(import.meta.dirname, "v86.ts");
  return {
    name: "v86",
    version: V86_VERSION,
    ours: false,
    command: (args) => ({
      file: process.execPath,
      args: [child, join(folder, "node_modules/v86/build"), cachePath("firmware"), ...args],
    }),
  };
}

/** The C compiler with a static C library: the system's, or Debian's in the cache. */
async function compiler(progress: Progress): Promise<Command> {
  const installed = await findProgram("gcc");
  if (installed !== undefined && (await exists("/usr/lib/x86_64-linux-gnu/libc.a")))
    return { file: installed, args: [] };
  const tree = await fetchTree("toolchain", ["gcc", "libc6-dev"], { progress, without: ["libc6"] });
  return {
    file: join(tree, "usr/bin/gcc"),
    args: [`--sysroot=${tree}`],
    env: {
      LD_LIBRARY_PATH: join(tree, "usr/lib/x86_64-linux-gnu"),
      PATH: [join(tree, "usr/bin"), process.env.PATH].join(delimiter),
    },
  };
}

/** Compiles a C program for the guests, statically. */
export async function compile(source: string, output: string, progress: Progress): Promise<void> {
  if (await exists(output)) return;
  const { file, args, env } = await compiler(progress);
  progress(`compiling ${source}`);
  await makeAtomically(output, async (temporary) => {
    const all = [...args, "-O2", "-static", "-Wall", "-o", temporary, source, "-lm"];
    try {
      await execute(file, all, { env: { ...process.env, ...env } });
    } catch (cause) {
      const { stderr } = cause as { stderr?: string };
      throw new QemuError("compile", `cannot compile ${source}: ${stderr || messageOf(cause)}`, {
        cause,
        hint: "install the Debian packages gcc and libc6-dev",
      });
    }
  });
}
