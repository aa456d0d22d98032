/** Plugin: the local APIC. */

import type { DeviceType } from "../../../core/device.ts";
import { QemuError } from "../../../core/errors.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { LocalApic } from "./apic.ts";

export const APIC: DeviceType = {
  name: "apic",
  bus: "icc-bus",
  category: "Uncategorized",
  description: "Local APIC",
  properties: {
    id: { type: "uint32", default: 0 },
    x2apic: { type: "bool", default: true },
    "phys-bits": { type: "uint32", default: 40 },
  },
  userCreatable: false,
  placement: "shared",
  create(context, properties) {
    const bus = context.board?.apicBus;
    if (!bus) throw new QemuError("apic-board", "apic needs the board's interrupt message bus");
    return new LocalApic({
      name: context.name,
      arena: context.arena,
      clock: context.clock,
      bus,
      id: Number(properties.id ?? 0),
      x2apic: properties.x2apic !== false,
      addressBits: Number(properties["phys-bits"] ?? 40),
      tscToNs: context.board?.tscToNs,
    });
  },
};

const plugin: Plugin = {
  name: "apic",
  api: 1,
  apply(host) {
    host.hooks.device.for("apic").tap("apic", () => APIC);
  },
};

export default plugin;
