/** Plugin: the pair of 8259A interrupt controllers. */

import type { DeviceType } from "../../../core/device.ts";
import { QemuError } from "../../../core/errors.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { I8259 } from "./i8259.ts";

export const ISA_I8259: DeviceType = {
  name: "isa-i8259",
  bus: "ISA",
  category: "Controller/Bridge/Hub",
  description: "8259A interrupt controllers",
  properties: {},
  userCreatable: false,
  placement: "shared",
  create(context) {
    const intr = context.board?.intr;
    if (!intr) throw new QemuError("i8259-board", "isa-i8259 needs a board that wires its INTR output");
    const pic = new I8259({ name: context.name, arena: context.arena, intr });
    context.ports.map(0x20, pic.masterIo);
    context.ports.map(0xa0, pic.slaveIo);
    context.ports.map(0x4d0, pic.elcrIo);
    return pic;
  },
};

const plugin: Plugin = {
  name: "i8259",
  api: 1,
  apply(host) {
    host.hooks.device.for("isa-i8259").tap("i8259", () => ISA_I8259);
  },
};

export default plugin;
