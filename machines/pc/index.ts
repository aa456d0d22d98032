/** Plugin: the machine `pc`. */

import type { MachineType } from "../../core/machine.ts";
import type { Plugin } from "../../core/plugin/plugin.ts";

export const PC: MachineType = {
  name: "pc",
  aliases: ["pc-i440fx"],
  description: "Standard PC (i440FX + PIIX, 1996)",
  isDefault: true,
  assemble: async (runtime) => (await import("./pc.ts")).assemblePc(runtime),
};

const plugin: Plugin = {
  name: "pc",
  api: 1,
  apply(host) {
    host.hooks.machine.for(PC.name).tap("pc", () => PC);
  },
};

export default plugin;
