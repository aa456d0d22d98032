/** Plugin: the ISA DMA controllers. */

import type { DeviceType } from "../../../core/device.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { I8257 } from "./i8257.ts";

export const ISA_DMA: DeviceType = {
  name: "i8257",
  bus: "ISA",
  category: "Misc",
  description: "ISA DMA controllers",
  properties: {},
  userCreatable: false,
  create(context) {
    const controllers = new I8257({ name: context.name, arena: context.arena, dma: context.dma });
    controllers.map(context.ports);
    return controllers;
  },
};

const plugin: Plugin = {
  name: "i8257",
  api: 1,
  apply(host) {
    host.hooks.device.for("i8257").tap("i8257", () => ISA_DMA);
  },
};

export default plugin;
