/** What `-accel kvm,...` sets. */

import type { Properties, PropertySpecs } from "../../core/device.ts";
import { QemuError } from "../../core/errors.ts";

export const KVM_PROPERTIES: PropertySpecs = {
  "kernel-irqchip": {
    type: "str",
    values: ["on", "off", "split"],
    default: "off",
    description: "interrupt controllers in the kernel: off",
  },
};

/** @throws QemuError for what this accelerator does not have. */
export function checkProperties(properties: Properties): void {
  const irqchip = properties["kernel-irqchip"];
  if (irqchip === "off") return;
  throw new QemuError("unsupported", `kvm: kernel-irqchip=${irqchip} is not supported`, {
    hint: "the machine has its own interrupt controllers: kernel-irqchip=off",
  });
}
