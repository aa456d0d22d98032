/** Plugin: the machine `pc`. */

import type { PropertySpecs } from "../../core/device.ts";
import type { MachineType } from "../../core/machine.ts";
import type { FirmwareOptions, FirmwareRequest } from "../../core/options/machine-options.ts";
import type { Plugin } from "../../core/plugin/plugin.ts";
import { findFirmware, firmwareDirectories } from "./firmware.ts";

const PROPERTIES: PropertySpecs = {
  hpet: { type: "on-off-auto", default: "auto", description: "Enable/disable the high precision event timer" },
  smm: { type: "on-off-auto", default: "auto", description: "Enable/disable system management mode" },
  "fd-bootchk": { type: "bool", default: true, description: "Check the boot signature of floppies" },
};

/** `-bios none`: a kernel is started directly. */
const NO_BIOS = "none";

function find(request: FirmwareRequest): FirmwareOptions {
  const directories = firmwareDirectories(request.directories);
  const { kernel, initrd, commandLine } = request;
  const direct = kernel !== undefined && request.bios === NO_BIOS;
  return {
    bios: direct ? undefined : findFirmware("bios", directories, request.bios),
    vgaBios: direct || request.vga === "none" ? undefined : findFirmware("vgabios", directories),
    optionRoms: request.optionRoms.map(({ file, bootIndex }) => ({
      file: findFirmware("vgabios", directories, file),
      bootIndex,
    })),
    kernel,
    initrd,
    commandLine,
  };
}

export const PC: MachineType = {
  name: "pc",
  aliases: ["pc-i440fx"],
  description: "Standard PC (i440FX + PIIX, 1996)",
  isDefault: true,
  maxCpus: 255,
  properties: PROPERTIES,
  findFirmware: find,
  assemble: async (runtime) => (await import("./pc.ts")).assemblePc(runtime),
};

const plugin: Plugin = {
  name: "pc",
  api: 1,
  apply(host) {
    host.hooks.machine.for(PC.name).tap("pc", () => PC);
  },
};

export default plugin;
