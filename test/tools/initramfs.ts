/**
 * Builds an initramfs around busybox: device nodes, an /init that mounts what a shell needs, kernel modules in the
 * order their dependencies ask for, and either a script to run (the guest powers off after it) or a shell.
 *
 * From a shell: `node test/tools/initramfs.ts OUT.cpio [amd64|i386] [SCRIPT-TEXT]`.
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf, QemuError } from "../../core/errors.ts";
import { type CpioEntry, writeCpio } from "./cpio.ts";
import { linuxFiles } from "./packages.ts";

export interface InitramfsOptions {
  /** Path of a static busybox. */
  readonly busybox: string;
  /** Shell commands to run; the guest then powers off. Without it the console gets a shell. */
  readonly script?: string;
  /** What /init ends with, as process 1, instead of a script or a shell. */
  readonly handOver?: string;
  /** Kernel modules by name ("ata_piix"), loaded before the script with all they depend on. */
  readonly modules?: { readonly directory: string; readonly names: readonly string[] };
  /** More files, by path without the leading slash. */
  readonly files?: Readonly<Record<string, Uint8Array | string>>;
}

/** The names busybox goes by in the guests: those that Debian's static build has. */
export const APPLETS =
  "[ ash awk basename cat chmod chroot clear cmp cp cttyhack cut date dd df dirname dmesg du echo env expr false " +
  "find free getty grep gunzip gzip halt head hexdump hostname id ifconfig insmod ip kill less ln losetup ls " +
  "lsmod md5sum mkdir mke2fs mknod mkswap modprobe more mount mv nc netstat nproc od ping pivot_root " +
  "poweroff printf ps pwd readlink reboot reset rm rmdir route sed seq setsid sh sha256sum sleep sort stat stty " +
  "switch_root sync tail tar tee test time timeout top touch tr true tty udhcpc umount uname uniq uptime vi wc wget " +
  "which xxd yes zcat";

const NODES: readonly (readonly [string, number, number])[] = [
  ["console", 5, 1],
  ["null", 1, 3],
  ["zero", 1, 5],
  ["tty", 5, 0],
  ["ttyS0", 4, 64],
];

/** What /init does before it hands over to the script or the shell. */
const INIT_HEAD = `#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TERM=vt100
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in $(cat /modules/order 2>/dev/null); do insmod /modules/$module; done
`;
const INIT_SCRIPT = `sh /script.sh
poweroff -f
`;
const INIT_SHELL = `setsid cttyhack sh
poweroff -f
`;

const moduleName = (file: string): string => file.replace(/\.ko$/, "").replaceAll("-", "_");

/** The names in a module's "depends=" entry (its .modinfo section holds NUL-terminated strings). */
export function moduleDepends(image: Uint8Array): string[] {
  const text = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  const at = text.indexOf("\0depends=", 0, "latin1");
  if (at < 0) return [];
  const start = at + "\0depends=".length;
  return text
    .toString("latin1", start, text.indexOf(0, start))
    .split(",")
    .filter((name) => name !== "");
}

/** The wanted modules and all they depend on, dependencies first. Names the kernel has built in are left out. */
export function collectModules(directory: string, names: readonly string[]): { name: string; data: Uint8Array }[] {
  const files = new Map<string, string>();
  for (const path of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    if (path.endsWith(".ko")) files.set(moduleName(path.slice(path.lastIndexOf("/") + 1)), join(directory, path));
  }
  const builtIn = new Set(
    readFileSync(join(directory, "modules.builtin"), "utf8")
      .split("\n")
      .map((path) => moduleName(path.slice(path.lastIndexOf("/") + 1))),
  );
  const order = new Map<string, Uint8Array>();
  const add = (wanted: string): void => {
    const name = moduleName(wanted);
    if (order.has(name) || builtIn.has(name)) return;
    const path = files.get(name);
    if (path === undefined) throw new QemuError("initramfs-module", `no kernel module '${wanted}' in ${directory}`);
    const data = new Uint8Array(readFileSync(path));
    for (const dependency of moduleDepends(data)) add(dependency);
    order.set(name, data);
  };
  for (const name of names) add(name);
  return [...order].map(([name, data]) => ({ name: `${name}.ko`, data }));
}

/** The archive, uncompressed: unpacking costs an emulated guest more than reading. */
export function buildInitramfs(options: InitramfsOptions): Uint8Array {
  const { script, modules, files = {} } = options;
  const last = options.handOver ?? (script === undefined ? INIT_SHELL : INIT_SCRIPT);
  const loaded = modules ? collectModules(modules.directory, modules.names) : [];
  const entries: CpioEntry[] = [
    ...["bin", "dev", "proc", "sys", "root", "tmp", "mnt", "modules"].map(
      (path): CpioEntry => ({ path, kind: "directory" }),
    ),
    ...NODES.map(
      ([name, major, minor]): CpioEntry => ({ path: `dev/${name}`, kind: "character", device: { major, minor } }),
    ),
    { path: "bin/busybox", kind: "file", mode: 0o755, data: new Uint8Array(readFileSync(options.busybox)) },
    ...APPLETS.split(" ").map((name): CpioEntry => ({ path: `bin/${name}`, kind: "symlink", data: "busybox" })),
    ...loaded.map(({ name, data }): CpioEntry => ({ path: `modules/${name}`, kind: "file", data })),
    { path: "modules/order", kind: "file", data: loaded.map(({ name }) => `${name}\n`).join("") },
    { path: "init", kind: "file", mode: 0o755, data: INIT_HEAD + last },
    ...Object.entries(files).map(([path, data]): CpioEntry => ({ path, kind: "file", mode: 0o755, data })),
  ];
  if (script !== undefined) entries.push({ path: "script.sh", kind: "file", mode: 0o755, data: `${script}\n` });
  return writeCpio(entries);
}

async function main([output, architecture = "amd64", script]: readonly string[]): Promise<void> {
  if (output === undefined || (architecture !== "amd64" && architecture !== "i386")) {
    throw new QemuError("usage", "usage: node test/tools/initramfs.ts OUT.cpio [amd64|i386] [SCRIPT-TEXT]");
  }
  const { kernel, busybox } = await linuxFiles(architecture);
  writeFileSync(output, buildInitramfs({ busybox, script }));
  console.log(`${output} goes with the kernel ${kernel}`);
}

if (import.meta.main) {
  main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(messageOf(error));
    process.exitCode = 1;
  });
}
