/** The firmware configuration device, as a plugin. */

import type { DeviceType } from "../../../core/device.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { FW_CFG_DMA_BASE, FW_CFG_IO_BASE, FwCfg } from "./fw-cfg.ts";

const FW_CFG_IO: DeviceType = {
  name: "fw_cfg_io",
  bus: "System",
  category: "Misc",
  description: "firmware configuration (ports 0x510 to 0x51b)",
  properties: { dma_enabled: { type: "bool", default: true } },
  userCreatable: false,
  create(context, properties) {
    const dma = properties.dma_enabled === false ? undefined : context.dma;
    const device = new FwCfg({ name: context.name, arena: context.arena, dma });
    context.ports.map(FW_CFG_IO_BASE, device.io);
    if (dma) context.ports.map(FW_CFG_DMA_BASE, device.dmaIo);
    return device;
  },
};

const plugin: Plugin = {
  name: "fw_cfg",
  api: 1,
  apply(host) {
    host.hooks.device.for("fw_cfg_io").tap("fw_cfg", () => FW_CFG_IO);
  },
};

export default plugin;
