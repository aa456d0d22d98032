/** Plugin: pvpanic. */

import type { DeviceType } from "../../../core/device.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { PVPANIC_PANICKED, PVPANIC_SHUTDOWN, Pvpanic } from "./pvpanic.ts";

const DEFAULT_EVENTS = PVPANIC_PANICKED | PVPANIC_SHUTDOWN;

export const PVPANIC: DeviceType = {
  name: "pvpanic",
  bus: "ISA",
  category: "Misc",
  properties: {
    ioport: { type: "uint16", default: 0x505 },
    events: { type: "uint8", default: DEFAULT_EVENTS, description: "1 panicked, 2 crash loaded, 4 shutdown" },
  },
  userCreatable: true,
  placement: "shared",
  create(context, properties) {
    const device = new Pvpanic({
      events: Number(properties["events"] ?? DEFAULT_EVENTS) & 0xff,
      machine: context.machine,
    });
    context.ports.map(Number(properties["ioport"] ?? 0x505), device.io);
    return device;
  },
};

const plugin: Plugin = {
  name: "pvpanic",
  api: 1,
  apply(host) {
    host.hooks.device.for("pvpanic").tap("pvpanic", () => PVPANIC);
  },
};

export default plugin;
