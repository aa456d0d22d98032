/** Plugin: isa-debugcon. */

import type { DeviceType } from "../../../core/device.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { Debugcon } from "./debugcon.ts";

export const ISA_DEBUGCON: DeviceType = {
  name: "isa-debugcon",
  bus: "ISA",
  category: "Misc",
  properties: {
    iobase: { type: "uint16", default: 0xe9 },
    readback: { type: "uint32", default: 0xe9, description: "what the port reads" },
    chardev: { type: "chardev", description: "ID of a chardev to use as a backend" },
  },
  userCreatable: true,
  placement: "shared",
  create(context, properties) {
    const device = new Debugcon({
      name: context.name,
      arena: context.arena,
      chardev: context.chardev(properties["chardev"] as string | undefined),
      readback: Number(properties["readback"] ?? 0xe9) & 0xff,
    });
    context.ports.map(Number(properties["iobase"] ?? 0xe9), device.io);
    return device;
  },
};

const plugin: Plugin = {
  name: "isa-debugcon",
  api: 1,
  apply(host) {
    host.hooks.device.for("isa-debugcon").tap("isa-debugcon", () => ISA_DEBUGCON);
  },
};

export default plugin;
