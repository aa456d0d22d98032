/** Plugin: the image format vdi. */

import { VDI_FORMAT } from "./vdi.js";

/** @type {import("qemu-next").Plugin} */
const plugin = {
  name: "qemu-next-plugin-vdi",
  api: 1,
  apply(host) {
    host.hooks.blockDriver.for(VDI_FORMAT.name).tap(plugin.name, () => VDI_FORMAT);
  },
};

export default plugin;
