/** Plugin: character devices without another end: `null`, and `vc` while there is no display to show a console on. */

import type { Plugin } from "../../../core/plugin/plugin.ts";
import { NULL, VC } from "./null.ts";

const plugin: Plugin = {
  name: "char-null",
  api: 1,
  apply(host) {
    host.hooks.chardev.for("null").tap("char-null", () => NULL);
    host.hooks.chardev.for("vc").tap("char-null", () => VC);
  },
};

export default plugin;
