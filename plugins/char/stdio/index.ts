/** Plugin: the terminal as a character device. */

import type { Plugin } from "../../../core/plugin/plugin.ts";
import { STDIO } from "./stdio.ts";

const plugin: Plugin = {
  name: "char-stdio",
  api: 1,
  apply(host) {
    host.hooks.chardev.for("stdio").tap("char-stdio", () => STDIO);
  },
};

export default plugin;
