import type { Plugin } from "../../../core/plugin/plugin.ts";
import { RAW_FORMAT } from "./raw.ts";

const plugin: Plugin = {
  name: "block-raw",
  api: 1,
  apply(host) {
    host.hooks.blockDriver.for("raw").tap("block-raw", () => RAW_FORMAT);
  },
};

export default plugin;
