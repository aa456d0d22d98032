import type { Plugin } from "../../../core/plugin/plugin.ts";
import { FILE_PROTOCOL } from "./file.ts";

const plugin: Plugin = {
  name: "block-file",
  api: 1,
  apply(host) {
    host.hooks.blockProtocol.for("file").tap("block-file", () => FILE_PROTOCOL);
  },
};

export default plugin;
