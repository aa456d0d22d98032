/** What `-accel kvm,...` sets. */

import type { PropertySpecs } from "../../core/device.ts";

export const KVM_PROPERTIES: PropertySpecs = {
  "kernel-irqchip": {
    type: "str",
    values: ["on", "off", "split"],
    description: "Configure KVM in-kernel irqchip",
  },
};
