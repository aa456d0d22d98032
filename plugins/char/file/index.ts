/** Plugin: a character device whose output goes to a file. */

import type { Plugin } from "../../../core/plugin/plugin.ts";
import { FILE } from "./file.ts";

const plugin: Plugin = {
  name: "char-file",
  api: 1,
  apply(host) {
    host.hooks.chardev.for("file").tap("char-file", () => FILE);
  },
};

export default plugin;
