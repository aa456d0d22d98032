/** Plugin: the i440FX host bridge. */

import type { DeviceType } from "../../../core/device.ts";
import { QemuError } from "../../../core/errors.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { I440fx } from "./i440fx.ts";

export const I440FX: DeviceType = {
  name: "i440FX",
  bus: "PCI",
  category: "Controller/Bridge/Hub",
  description: "Host bridge",
  properties: {},
  userCreatable: false,
  create(context) {
    const low = context.memory.find(0);
    if (!context.pci || low?.target.kind !== "ram") {
      throw new QemuError("i440fx-board", "i440FX needs a PCI bus and main memory at address 0");
    }
    const { block, offset = 0 } = low.target;
    const bridge = new I440fx({
      name: context.name,
      arena: context.arena,
      bus: context.pci,
      space: context.memory,
      ram: { block, offset: offset - low.base },
      ramSize: block.size,
    });
    context.ports.map(0xcf8, bridge.configAddress);
    context.ports.map(0xcfc, bridge.configData);
    return bridge;
  },
};

const plugin: Plugin = {
  name: "i440fx",
  api: 1,
  apply(host) {
    host.hooks.device.for("i440FX").tap("i440fx", () => I440FX);
  },
};

export default plugin;
