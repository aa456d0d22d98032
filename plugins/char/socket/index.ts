/** Plugin: a character device on a TCP or UNIX socket. */

import type { Plugin } from "../../../core/plugin/plugin.ts";
import { SOCKET } from "./socket.ts";

const plugin: Plugin = {
  name: "char-socket",
  api: 1,
  apply(host) {
    host.hooks.chardev.for("socket").tap("char-socket", () => SOCKET);
  },
};

export default plugin;
