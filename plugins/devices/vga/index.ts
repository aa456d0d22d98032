/** Plugin: the standard VGA. */

import { plugPci } from "../../../core/bus/pci-plug.ts";
import type { DeviceType } from "../../../core/device.ts";
import { QemuError } from "../../../core/errors.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { VGA_WINDOW_BASE, Vga } from "./vga.ts";

const MIB = 2 ** 20;

export const VGA: DeviceType = {
  name: "VGA",
  bus: "PCI",
  category: "Display",
  properties: {
    vgamem_mb: { type: "uint32", description: "Video memory in MiB, a power of two", default: 16 },
    romfile: { type: "str", default: "vgabios-stdvga.bin" },
    edid: { type: "bool", default: true },
    xres: { type: "uint32", default: 1280 },
    yres: { type: "uint32", default: 800 },
  },
  userCreatable: true,
  create(context, properties) {
    const mib = Number(properties.vgamem_mb ?? 16);
    if (mib < 1 || mib > 512 || !Number.isInteger(Math.log2(mib))) {
      throw new QemuError("vga-memory", `VGA: vgamem_mb=${mib} is not a power of two between 1 and 512`);
    }
    const romFile = String(properties.romfile ?? "vgabios-stdvga.bin");
    const width = Math.min(Math.max(Number(properties.xres ?? 1280), 640), 4080);
    const height = Math.min(Math.max(Number(properties.yres ?? 800), 480), 4080);
    const vram = context.memory.memory.allocateBlock(`${context.name}.vram`, mib * MIB);
    const vga = new Vga({
      name: context.name,
      arena: context.arena,
      clock: context.clock,
      vram,
      log: context.memory.logWrites(vram),
      rom: romFile === "" ? undefined : context.optionRom?.(romFile),
      preferred: properties.edid === false ? undefined : { width, height },
    });
    for (const { base, region } of vga.ports) context.ports.map(base, region);
    const { window } = vga;
    context.memory.map(window.name, VGA_WINDOW_BASE, window.length, { kind: "io", region: window }, 1);
    plugPci("VGA", context, properties, vga);
    context.addDisplay(vga);
    return vga;
  },
};

const plugin: Plugin = {
  name: "vga",
  api: 1,
  apply(host) {
    host.hooks.device.for("VGA").tap("vga", () => VGA);
  },
};

export default plugin;
