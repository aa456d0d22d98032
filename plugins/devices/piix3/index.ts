/** Plugin: the PIIX3 ISA bridge. */

import type { DeviceType } from "../../../core/device.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { Piix3 } from "./piix3.ts";

/** Slot 1, function 0. */
const DEVFN = 1 << 3;

export const PIIX3: DeviceType = {
  name: "PIIX3",
  bus: "PCI",
  category: "Controller/Bridge/Hub",
  description: "ISA bridge",
  properties: {},
  userCreatable: false,
  create(context) {
    const bridge = new Piix3({
      name: context.name,
      arena: context.arena,
      isaIrq: (line) => context.isaIrq(line),
      reset: () => context.machine.reset("guest-reset"),
    });
    context.ports.map(0xcf9, bridge.resetControl);
    context.pci?.plug(bridge, DEVFN);
    return bridge;
  },
};

const plugin: Plugin = {
  name: "piix3",
  api: 1,
  apply(host) {
    host.hooks.device.for("PIIX3").tap("piix3", () => PIIX3);
  },
};

export default plugin;
