/** The firmware that goes into an executable: what this machine has, for the builder to hand on under its licence. */

import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { QemuError } from "../../core/errors.ts";
import { FIRMWARE_ASSETS, FIRMWARE_FILES, firmwareDirectories, searchFirmware } from "../../machines/pc/firmware.ts";
import type { BundledPackage } from "./licenses.ts";

export interface Firmware {
  /** Paths, by name inside the executable. */
  readonly files: ReadonlyMap<string, string>;
  readonly packages: readonly BundledPackage[];
}

const COPYRIGHT = ["/usr/share/doc/seabios/copyright"];

/** The images in a folder; without one, those that the machine would find; none with "none". */
export function findFirmwareFiles(folder: string | undefined): Firmware {
  if (folder === "none") return { files: new Map(), packages: [] };
  if (folder !== undefined && !statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new QemuError("no-folder", `there is no folder '${folder}'`, { context: { option: "--firmware" } });
  }
  const places = folder === undefined ? firmwareDirectories() : [folder];
  const files = new Map<string, string>();
  for (const names of Object.values(FIRMWARE_FILES)) {
    const found = names.map((name) => ({ name, path: searchFirmware(name, places) })).find(({ path }) => path);
    if (found?.path !== undefined) files.set(join(FIRMWARE_ASSETS, found.name), found.path);
    else if (folder !== undefined) {
      throw new QemuError("no-firmware", `there is no ${names.join(" or ")} in '${folder}'`, {
        context: { option: "--firmware" },
      });
    }
  }
  if (files.size === 0) return { files, packages: [] };
  return { files, packages: [license([...files.values()][0])] };
}

function license(image: string): BundledPackage {
  const file = [join(dirname(image), "copyright"), ...COPYRIGHT].find(existsSync);
  const text =
    file === undefined ? "Its sources and licence are at https://www.seabios.org\n" : readFileSync(file, "utf8");
  return { name: "SeaBIOS", version: "", license: "LGPL-3.0", text };
}
