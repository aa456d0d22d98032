/** Plugin: the accelerator `kvm`, the host's own virtualization of x86. */

import type { Accelerator } from "../../core/accel.ts";
import type { Plugin } from "../../core/plugin/plugin.ts";
import { cpuModels } from "./cpuid.ts";
import { KVM_PROPERTIES } from "./properties.ts";

const KVM: Accelerator = {
  name: "kvm",
  description: "virtualization by the host's kernel",
  reservedMemory: () => 0,
  smm: false,
  properties: KVM_PROPERTIES,
  async checkHost(properties) {
    const { openKvm } = await import("./system.ts");
    const { irqchipMode } = await import("./irqchip.ts");
    const system = await openKvm();
    try {
      irqchipMode(system, properties);
    } finally {
      system.close();
    }
  },
  attachVm: async (environment, handle) => (await import("./vm.ts")).KvmVm.attach(environment, handle),
  createVm: async (environment, properties) => (await import("./vm.ts")).KvmVm.create(environment, properties),
  cpuModels,
};

const plugin: Plugin = {
  name: "kvm",
  api: 1,
  apply(host) {
    host.hooks.accelerator.for("kvm").tap("kvm", () => KVM);
  },
};

export default plugin;
