/** Plugin: a character device that keeps its last output in memory. */

import type { Plugin } from "../../../core/plugin/plugin.ts";
import { RINGBUF } from "./ringbuf.ts";

const plugin: Plugin = {
  name: "char-ringbuf",
  api: 1,
  apply(host) {
    host.hooks.chardev.for("ringbuf").tap("char-ringbuf", () => RINGBUF);
  },
};

export default plugin;
