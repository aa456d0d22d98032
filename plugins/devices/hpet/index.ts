/** Plugin: the high precision event timer. */

import type { DeviceType } from "../../../core/device.ts";
import { NO_IRQ } from "../../../core/irq.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { Hpet } from "./hpet.ts";

const BASE = 0xfed0_0000;

export const HPET: DeviceType = {
  name: "hpet",
  bus: "System",
  category: "Uncategorized",
  description: "High precision event timer",
  properties: {
    "hpet-intcap": { type: "uint32", description: "Inputs of the I/O APIC a timer can be routed to", default: 4 },
  },
  userCreatable: false,
  placement: "shared",
  create(context, properties) {
    const { board } = context;
    const hpet = new Hpet({
      name: context.name,
      arena: context.arena,
      clock: context.clock,
      legacyIrqs: [context.isaIrq(0), context.isaIrq(8)],
      ioapicPin: (pin) => board?.ioapicPin?.(pin) ?? NO_IRQ,
      routes: Number(properties["hpet-intcap"] ?? 4),
      legacyReplacement: board?.hpetLegacy,
    });
    context.memory.map("hpet", BASE, hpet.io.length, { kind: "io", region: hpet.io }, 1);
    return hpet;
  },
};

const plugin: Plugin = {
  name: "hpet",
  api: 1,
  apply(host) {
    host.hooks.device.for("hpet").tap("hpet", () => HPET);
  },
};

export default plugin;
