/** The Debian packages that the tests, the demo and the bench use, in named sets, and where things lie in them. */

import { copyFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { QemuError } from "../../core/errors.ts";
import { FIRMWARE_FILES } from "../../machines/pc/firmware.ts";
import { cachePath, exists, makeAtomically } from "./cache.ts";
import { type Architecture, fetchSet, type PackageRequest, type Progress, type UnpackedPackage } from "./debian.ts";

const amd64 = (...names: string[]): PackageRequest[] => names.map((name) => ({ name, architecture: "amd64" }));

export const PACKAGE_SETS = {
  firmware: amd64("seabios"),
  "linux-amd64": [
    { name: "linux-image-cloud-amd64", architecture: "amd64", kernel: "signed" },
    { name: "busybox-static", architecture: "amd64" },
  ],
  "linux-i386": [
    { name: "linux-image-686", architecture: "i386", kernel: "unsigned" },
    { name: "busybox-static", architecture: "i386" },
  ],
  grub: amd64("grub-pc-bin", "grub-common", "libdevmapper1.02.1", "liblzma5", "libselinux1", "libudev1"),
  "grub-rescue": amd64("grub-rescue-pc"),
  memtest: amd64("memtest86+"),
  ipxe: amd64("ipxe"),
  installer: amd64("debian-installer-12-netboot-amd64"),
  multiboot: amd64("multiboot", "grub-invaders"),
  qemu: amd64("qemu-system-x86", "qemu-system-data"),
  mmdebstrap: amd64("mmdebstrap", "fakeroot", "libfakeroot"),
} as const satisfies Record<string, readonly PackageRequest[]>;

export type PackageSet = keyof typeof PACKAGE_SETS;

export function isPackageSet(name: string): name is PackageSet {
  return Object.hasOwn(PACKAGE_SETS, name);
}

/** Fetches a set (see `fetchSet`); the firmware is also copied to where the emulator looks for it. */
export async function fetchPackages(
  set: PackageSet,
  options: { progress?: Progress; update?: boolean } = {},
): Promise<UnpackedPackage[]> {
  const packages = await fetchSet(set, PACKAGE_SETS[set], options);
  if (set === "firmware") await installFirmware(packages[0].root);
  return packages;
}

async function installFirmware(root: string): Promise<void> {
  await mkdir(cachePath("firmware"), { recursive: true });
  for (const name of Object.values(FIRMWARE_FILES).flat()) {
    const from = join(root, "usr/share/seabios", name);
    const to = cachePath("firmware", name);
    if ((await exists(from)) && !(await exists(to))) await makeAtomically(to, (file) => copyFile(from, file));
  }
}

/** A file of a fetched set, by a path inside its packages; `*` stands for one path component's rest. */
export async function packageFile(set: PackageSet, path: string): Promise<string> {
  for (const { root } of await fetchPackages(set)) {
    const found = await matchPath(root, path.split("/"));
    if (found !== undefined) return found;
  }
  throw new QemuError("fetch-failed", `the packages of set '${set}' have no file ${path}`);
}

async function matchPath(base: string, [part, ...rest]: string[]): Promise<string | undefined> {
  if (part === undefined) return base;
  const pattern = new RegExp(`^${part.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`);
  const names = (await readdir(base).catch(() => [])).filter((name) => pattern.test(name)).sort();
  for (const name of names) {
    const found = await matchPath(join(base, name), rest);
    if (found !== undefined && (await exists(found))) return found;
  }
  return undefined;
}

export interface LinuxFiles {
  readonly kernel: string;
  readonly busybox: string;
  /** The folder of the kernel's modules (`lib/modules/<release>`). */
  readonly modules: string;
}

/** Kernel and busybox of one of the Linux sets. */
export async function linuxFiles(architecture: Architecture): Promise<LinuxFiles> {
  const set = architecture === "amd64" ? "linux-amd64" : "linux-i386";
  return {
    kernel: await packageFile(set, "boot/vmlinuz-*"),
    busybox: await packageFile(set, "bin/busybox"),
    modules: await packageFile(set, "lib/modules/*"),
  };
}
