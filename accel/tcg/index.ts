/** Plugin: the accelerator `tcg`, translation of x86 code. */

import type { Accelerator } from "../../core/accel.ts";
import type { Plugin } from "../../core/plugin/plugin.ts";
import { CPU_SECTION_SIZE } from "./env.ts";
import { TCG_PROPERTIES } from "./properties.ts";
import { cpuModels } from "./x86/cpu-model.ts";

/** Code memory with its look-up cache; see vm.ts. */
const SHARED_SECTIONS = 56 * 2 ** 20;

const TCG: Accelerator = {
  name: "tcg",
  description: "translation of guest code",
  reservedMemory: (vcpus) => vcpus * CPU_SECTION_SIZE + SHARED_SECTIONS,
  properties: TCG_PROPERTIES,
  createVm: async (environment, properties) => (await import("./vm.ts")).TcgVm.create(environment, properties),
  cpuModels,
};

const plugin: Plugin = {
  name: "tcg",
  api: 1,
  apply(host) {
    host.hooks.accelerator.for("tcg").tap("tcg", () => TCG);
    const load = async () => (await import("./x86/disassemble.ts")).disassemble;
    host.hooks.disassembler.for("x86").tap("tcg", () => ({ load }));
  },
};

export default plugin;
