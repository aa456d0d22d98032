/** Plugin: the PIIX3 IDE controller, ATA disks and ATAPI CD-ROM drives. */

import type { DeviceType } from "../../../core/device.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { IDE_CD, IDE_HD } from "./drives.ts";
import { Piix3Ide } from "./piix3-ide.ts";

/** Slot 1, function 1. */
const DEVFN = (1 << 3) | 1;
/** Command block, control block and interrupt of the two legacy channels. */
const LEGACY = [
  { command: 0x1f0, control: 0x3f6, irq: 14 },
  { command: 0x170, control: 0x376, irq: 15 },
] as const;

export const PIIX3_IDE: DeviceType = {
  name: "piix3-ide",
  bus: "PCI",
  category: "Storage",
  description: "PIIX3 IDE controller",
  properties: {},
  userCreatable: false,
  create(context) {
    const { name, arena, dma, ports } = context;
    const irqs = [context.isaIrq(LEGACY[0].irq), context.isaIrq(LEGACY[1].irq)] as const;
    const controller = new Piix3Ide({ name, arena, dma, irqs });
    controller.channels.forEach((channel, i) => {
      ports.map(LEGACY[i].command, channel.commandBlock);
      ports.map(LEGACY[i].control, channel.controlBlock);
    });
    context.pci?.plug(controller, DEVFN);
    return controller;
  },
};

const plugin: Plugin = {
  name: "ide",
  api: 1,
  apply(host) {
    host.hooks.device.for("piix3-ide").tap("ide", () => PIIX3_IDE);
    host.hooks.device.for("ide-hd").tap("ide", () => IDE_HD);
    host.hooks.device.for("ide-cd").tap("ide", () => IDE_CD);
  },
};

export default plugin;
