/** Loaded with --import: `qemu-next` is this tree, as if it were installed where the program lies that imports it. */

import { registerHooks } from "node:module";

const API = new URL("../../core/plugin/api.ts", import.meta.url).href;

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "qemu-next" ? { url: API, shortCircuit: true } : next(specifier, context),
});
