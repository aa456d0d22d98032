/** Plugin: the I/O APIC. */

import type { DeviceType } from "../../../core/device.ts";
import { QemuError } from "../../../core/errors.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { Ioapic } from "./ioapic.ts";

const BASE = 0xfec0_0000;

export const IOAPIC: DeviceType = {
  name: "ioapic",
  bus: "System",
  category: "Uncategorized",
  description: "I/O APIC",
  properties: {},
  userCreatable: false,
  placement: "shared",
  create(context) {
    const bus = context.board?.apicBus;
    if (!bus) throw new QemuError("ioapic-board", "ioapic needs the board's interrupt message bus");
    const ioapic = new Ioapic({
      name: context.name,
      arena: context.arena,
      deliver: (message) => {
        bus.deliver(message);
      },
      route: (messages) => bus.route(messages),
    });
    bus.onEoi((vector) => ioapic.eoi(vector));
    context.memory.map("ioapic", BASE, ioapic.io.length, { kind: "io", region: ioapic.io }, 1);
    return ioapic;
  },
};

const plugin: Plugin = {
  name: "ioapic",
  api: 1,
  apply(host) {
    host.hooks.device.for("ioapic").tap("ioapic", () => IOAPIC);
  },
};

export default plugin;
