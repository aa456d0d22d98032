/**
 * Where firmware images are found: the -L folders first, then inside the executable, where whoever built it may have
 * put them, then the usual system folders, then the project's cache. No firmware is shipped; SeaBIOS and its VGA BIOS are
 * the Debian package `seabios`.
 */

import { closeSync, fstatSync, openSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { hasAsset, readAsset } from "../../core/assets.ts";
import { messageOf, QemuError } from "../../core/errors.ts";
import { homeFolder } from "../../core/home.ts";

/** What the board looks for, best first. */
export const FIRMWARE_FILES = {
  bios: ["bios-256k.bin", "bios.bin"],
  vgabios: ["vgabios-stdvga.bin"],
} as const;

export type FirmwareKind = keyof typeof FIRMWARE_FILES;

/** Folders in which systems install SeaBIOS or QEMU's data. */
export const SYSTEM_FIRMWARE_DIRECTORIES = [
  "/usr/share/seabios",
  "/usr/share/qemu",
  "/usr/local/share/qemu",
  "/usr/local/share/seabios",
  "/usr/share/seavgabios",
  "/opt/homebrew/share/qemu",
] as const;

/** The folder of assets that firmware is in, and what stands for it in paths. */
export const FIRMWARE_ASSETS = "firmware";
const INSIDE = "inside:";

/** The largest BIOS that fits below 4 GiB with its copy below 1 MiB: 8 MiB of flash, as `max-fw-size` says. */
const MAX_BIOS_SIZE = 8 << 20;
const BIOS_UNIT = 64 << 10;

/** The project's cache folder: `$XDG_CACHE_HOME/qemu-next` or `~/.cache/qemu-next`. */
export function cacheDirectory(environment: Readonly<Record<string, string | undefined>>): string {
  const base = environment.XDG_CACHE_HOME;
  return join(base?.startsWith("/") ? base : join(homeFolder(), ".cache"), "qemu-next");
}

/** The folders searched, in order. `extra` are those given with -L. */
export function firmwareDirectories(
  extra: readonly string[] = [],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string[] {
  return [...extra, INSIDE, ...SYSTEM_FIRMWARE_DIRECTORIES, join(cacheDirectory(environment), "firmware")];
}

/** The name of the asset that a path means, or undefined. */
function assetOf(path: string): string | undefined {
  return path.startsWith(INSIDE) ? join(FIRMWARE_ASSETS, path.slice(INSIDE.length)) : undefined;
}

function isFile(path: string): boolean {
  const asset = assetOf(path);
  return asset !== undefined ? hasAsset(asset) : (statSync(path, { throwIfNoEntry: false })?.isFile() ?? false);
}

/** The path of a firmware image called `name` (or of the file itself when it is a path to one), or undefined. */
export function searchFirmware(name: string, directories: readonly string[]): string | undefined {
  if (isFile(name)) return name;
  if (name.includes("/")) return undefined;
  return directories.map((directory) => join(directory, name)).find(isFile);
}

/**
 * The image the board needs: `name` as given with -bios or -option-rom, else the first of the usual names.
 * @throws QemuError firmware-missing, naming the package and the command that fetches it.
 */
export function findFirmware(kind: FirmwareKind, directories: readonly string[], name?: string): string {
  const names: readonly string[] = name === undefined ? FIRMWARE_FILES[kind] : [name];
  for (const candidate of names) {
    const found = searchFirmware(candidate, directories);
    if (found !== undefined) return found;
  }
  const what = kind === "bios" ? "PC BIOS" : "VGA BIOS";
  throw new QemuError("firmware-missing", `could not find the ${what} '${names[0]}'`, {
    context: { searched: directories.join(":") },
    hint: "it is in the Debian package 'seabios': install that, or run 'node test/tools/fetch.ts firmware', or use -L dir",
  });
}

/** Reads a whole file of at most `limit` bytes. */
export function readImage(path: string, what: string, limit: number): Uint8Array {
  const asset = assetOf(path);
  if (asset !== undefined && hasAsset(asset)) return new Uint8Array(readAsset(asset));
  let fd: number | undefined;
  try {
    fd = openSync(path, "r");
    const { size } = fstatSync(fd);
    if (size > limit) {
      throw new QemuError("image-too-large", `${what} '${path}' is too large: ${size} bytes, at most ${limit}`);
    }
    return new Uint8Array(readFileSync(fd));
  } catch (cause) {
    if (cause instanceof QemuError) throw cause;
    throw new QemuError("image-unreadable", `could not load ${what} '${path}': ${messageOf(cause)}`, { cause });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Reads a BIOS image: a multiple of 64 KiB, at most 8 MiB. */
export function readBios(path: string): Uint8Array {
  const image = readImage(path, "PC BIOS", MAX_BIOS_SIZE);
  if (image.length === 0 || image.length % BIOS_UNIT !== 0) {
    throw new QemuError("firmware-size", `PC BIOS '${path}' has ${image.length} bytes; want a multiple of 64 KiB`);
  }
  return image;
}

/** Reads an expansion ROM: at most 256 KiB. Its signature is the firmware's to check. */
export function readOptionRom(path: string): Uint8Array {
  return readImage(path, "option rom", 256 << 10);
}
