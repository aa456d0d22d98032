/** Plugin: the accelerator `tcg`, translation of x86 code. */

import type { Accelerator } from "../../core/accel.ts";
import { QemuError } from "../../core/errors.ts";
import type { Plugin } from "../../core/plugin/plugin.ts";
import { CPU_SECTION_SIZE } from "./env.ts";
import { TCG_PROPERTIES } from "./properties.ts";
import { cpuModels } from "./x86/cpu-model.ts";

const MIB = 2 ** 20;

const TCG: Accelerator = {
  name: "tcg",
  description: "translation of guest code",
  reservedMemory: CPU_SECTION_SIZE + 56 * MIB,
  properties: TCG_PROPERTIES,
  async createVm({ vcpus }, properties) {
    if (vcpus > 1) throw new QemuError("unsupported", "this version of qemu-next runs one CPU only");
    const { TcgVcpu } = await import("./vcpu.ts");
    return { createVcpu: (environment) => TcgVcpu.create(environment, properties) };
  },
  cpuModels,
};

const plugin: Plugin = {
  name: "tcg",
  api: 1,
  apply(host) {
    host.hooks.accelerator.for("tcg").tap("tcg", () => TCG);
  },
};

export default plugin;
