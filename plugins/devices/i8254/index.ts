/** Plugin: the 8254 interval timer. */

import type { DeviceType } from "../../../core/device.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { I8254 } from "./i8254.ts";

export const ISA_PIT: DeviceType = {
  name: "isa-pit",
  bus: "ISA",
  category: "Misc",
  description: "8254 interval timer",
  properties: { iobase: { type: "uint16", default: 0x40 } },
  userCreatable: false,
  placement: "shared",
  create(context, properties) {
    const { name, arena, clock } = context;
    const pit = new I8254({ name, arena, clock, irq: context.isaIrq(0) });
    context.ports.map(Number(properties["iobase"] ?? 0x40), pit.io);
    return pit;
  },
};

const plugin: Plugin = {
  name: "i8254",
  api: 1,
  apply(host) {
    host.hooks.device.for("isa-pit").tap("i8254", () => ISA_PIT);
  },
};

export default plugin;
