/** Plugin: system control port A. */

import type { DeviceType } from "../../../core/device.ts";
import { QemuError } from "../../../core/errors.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { Port92 } from "./port92.ts";

export const PORT92: DeviceType = {
  name: "port92",
  bus: "ISA",
  category: "Misc",
  description: "A20 gate and fast reset",
  properties: {},
  userCreatable: false,
  create(context) {
    const a20 = context.board?.a20;
    if (!a20) throw new QemuError("port92-board", "port92 needs a board with an A20 gate");
    const { name, arena, machine } = context;
    const port = new Port92({ name, arena, a20, resetMachine: () => machine.reset("guest-reset") });
    context.ports.map(0x92, port.io);
    return port;
  },
};

const plugin: Plugin = {
  name: "port92",
  api: 1,
  apply(host) {
    host.hooks.device.for("port92").tap("port92", () => PORT92);
  },
};

export default plugin;
