/** Plugin: a character device on named pipes. */

import type { Plugin } from "../../../core/plugin/plugin.ts";
import { PIPE } from "./pipe.ts";

const plugin: Plugin = {
  name: "char-pipe",
  api: 1,
  apply(host) {
    host.hooks.chardev.for("pipe").tap("char-pipe", () => PIPE);
  },
};

export default plugin;
