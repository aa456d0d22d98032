/** What -kernel, -initrd and -append name: one interface over the kinds of kernel that can be started. */

import { QemuError } from "../../../core/errors.ts";
import type { FirmwareConfig } from "../../../core/firmware-config.ts";
import type { E820Entry } from "../e820.ts";
import { readImage } from "../firmware.ts";
import type { BootState } from "./boot-state.ts";
import { bootLinuxDirectly, offerLinux } from "./linux.ts";
import { isLinuxImage } from "./linux-image.ts";
import { bootMultibootDirectly, isMultibootImage, offerMultiboot, splitModules } from "./multiboot.ts";
import { LINUXBOOT_ROM_FILE, linuxBootRom, MULTIBOOT_ROM_FILE, multibootRom } from "./option-rom.ts";

export interface KernelFiles {
  readonly kernel: string;
  /** A path; for a Multiboot kernel "file args,file2 args". */
  readonly initrd: string | undefined;
  readonly commandLine: string;
}

export interface KernelImage {
  readonly kind: "linux" | "multiboot";
  /** Puts the kernel, and the option ROM that starts it, into fw_cfg. `ramEnd`: where RAM below 4 GiB ends. */
  offer(config: FirmwareConfig, ramEnd: number): void;
  /** The fw_cfg name of that ROM. */
  readonly romFile: string;
  /** The machine's state at the kernel's entry, without firmware. `ramEnd`: where RAM ends that nobody else uses. */
  direct(machine: { ramEnd: number; e820: readonly E820Entry[]; rsdp?: number }): BootState;
}

const SIZE_MAX = 2 ** 31 - 1;

/** Reads the files and finds out what kind of kernel it is. */
export function openKernel(files: KernelFiles): KernelImage {
  const { kernel: file, commandLine } = files;
  const kernel = readImage(file, "kernel", SIZE_MAX);
  if (isLinuxImage(kernel)) {
    const initrd = files.initrd === undefined ? undefined : readImage(files.initrd, "initrd", SIZE_MAX);
    const options = { kernel, file, initrd, commandLine };
    return {
      kind: "linux",
      romFile: LINUXBOOT_ROM_FILE,
      offer(config, ramEnd) {
        offerLinux(config, { ...options, ramEnd });
        config.addFile(LINUXBOOT_ROM_FILE, linuxBootRom());
      },
      direct: (machine) => bootLinuxDirectly({ ...options, ...machine }),
    };
  }
  if (isMultibootImage(kernel)) {
    const modules = splitModules(files.initrd ?? "").map(({ path, commandLine: line }) => ({
      commandLine: line,
      data: readImage(path, "module", SIZE_MAX),
    }));
    const options = { kernel, file, commandLine, modules };
    return {
      kind: "multiboot",
      romFile: MULTIBOOT_ROM_FILE,
      offer(config, ramEnd) {
        offerMultiboot(config, { ...options, ramEnd });
        config.addFile(MULTIBOOT_ROM_FILE, multibootRom());
      },
      direct: (machine) => bootMultibootDirectly({ ...options, ...machine }),
    };
  }
  throw new QemuError("kernel-invalid", `invalid kernel '${file}': neither a Linux nor a multiboot kernel`, {
    context: { file },
    hint: "boot disk images with -hda, CDs with -cdrom; -kernel takes a bzImage or a multiboot kernel",
  });
}
