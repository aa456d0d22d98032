/** Plugin: character devices on pseudo-terminals. */

import type { Plugin } from "../../../core/plugin/plugin.ts";
import { PTY } from "./pty.ts";

const plugin: Plugin = {
  name: "char-pty",
  api: 1,
  apply(host) {
    host.hooks.chardev.for("pty").tap("char-pty", () => PTY);
  },
};

export default plugin;
