/** Plugin: the PC speaker port. */

import type { DeviceType } from "../../../core/device.ts";
import { QemuError } from "../../../core/errors.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { PcSpeaker } from "./pcspk.ts";

export const ISA_PCSPK: DeviceType = {
  name: "isa-pcspk",
  bus: "ISA",
  category: "Sound",
  description: "PC speaker port",
  properties: { iobase: { type: "uint16", default: 0x61 } },
  userCreatable: false,
  placement: "shared",
  create(context, properties) {
    const timer = context.board?.speakerTimer;
    if (!timer) throw new QemuError("pcspk-board", "isa-pcspk needs a board with an interval timer");
    const { name, arena, clock } = context;
    const speaker = new PcSpeaker({ name, arena, clock, timer });
    context.ports.map(Number(properties["iobase"] ?? 0x61), speaker.io);
    return speaker;
  },
};

const plugin: Plugin = {
  name: "pcspk",
  api: 1,
  apply(host) {
    host.hooks.device.for("isa-pcspk").tap("pcspk", () => ISA_PCSPK);
  },
};

export default plugin;
