/** Plugin: isa-debug-exit. */

import type { DeviceType } from "../../../core/device.ts";
import { QemuError } from "../../../core/errors.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { DebugExit } from "./debugexit.ts";

export const ISA_DEBUG_EXIT: DeviceType = {
  name: "isa-debug-exit",
  bus: "ISA",
  category: "Misc",
  properties: {
    iobase: { type: "uint16", default: 0x501 },
    iosize: { type: "uint32", default: 2 },
  },
  userCreatable: true,
  placement: "shared",
  create(context, properties) {
    const base = Number(properties["iobase"] ?? 0x501);
    const size = Number(properties["iosize"] ?? 2);
    if (size < 1 || base + size > 0x1_0000) {
      throw new QemuError("isa-ports", `isa-debug-exit: iobase ${base} and iosize ${size} leave the 64 KiB of ports`);
    }
    const device = new DebugExit({ size, exit: (status) => context.machine.exit(status) });
    context.ports.map(base, device.io);
    return device;
  },
};

const plugin: Plugin = {
  name: "isa-debug-exit",
  api: 1,
  apply(host) {
    host.hooks.device.for("isa-debug-exit").tap("isa-debug-exit", () => ISA_DEBUG_EXIT);
  },
};

export default plugin;
