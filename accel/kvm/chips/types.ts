/** The kernel's chips as device types that stand for the board's own. */

import type { DeviceType } from "../../../core/device.ts";
import type { KernelIrqchip } from "../irqchip.ts";
import { KvmApic } from "./apic.ts";
import { KvmI8254 } from "./i8254.ts";
import { KvmI8259 } from "./i8259.ts";
import { KvmIoApic } from "./ioapic.ts";

const COMMON = { category: "Uncategorized", userCreatable: false, placement: "shared" } as const;

/** By the name of the device that each stands for. `apics` gets the local APICs, by their IDs. */
export function kernelChips(irqchip: KernelIrqchip, apics: KvmApic[]): Readonly<Record<string, DeviceType>> {
  const split = irqchip.mode === "split";
  const apic: DeviceType = {
    ...COMMON,
    name: "kvm-apic",
    bus: "icc-bus",
    description: "Local APIC in the kernel",
    properties: { id: { type: "uint32", default: 0 } },
    create({ name, arena, board }, properties) {
      const id = Number(properties.id);
      const bus = board?.apicBus;
      const created = new KvmApic(name, arena, id, split);
      apics[id] = created;
      if (!bus || id !== 0) return created;
      // The kernel finds the targets of a message: one agent stands for all local APICs.
      bus.add({
        isDestination: () => true,
        arbitrationPriority: 0,
        receive: (message) => irqchip.signal(message),
        readRegister: () => 0xffffffff,
        writeRegister() {},
      });
      if (split) bus.onRoute((messages) => irqchip.setMessages(messages));
      return created;
    },
  };
  if (split) return { apic };
  const ioapic: DeviceType = {
    ...COMMON,
    name: "kvm-ioapic",
    bus: "System",
    description: "I/O APIC in the kernel",
    properties: {},
    create: ({ name, arena }) => new KvmIoApic(irqchip, name, arena),
  };
  const pic: DeviceType = {
    ...COMMON,
    name: "kvm-i8259",
    bus: "ISA",
    description: "8259A interrupt controllers in the kernel",
    properties: {},
    create: ({ name, arena }) => new KvmI8259(irqchip, name, arena),
  };
  const pit: DeviceType = {
    ...COMMON,
    name: "kvm-pit",
    bus: "ISA",
    description: "8254 interval timer in the kernel",
    properties: {
      lost_tick_policy: {
        type: "str",
        values: ["delay", "discard"],
        default: "delay",
        description: "whether ticks that the guest missed are made up for",
      },
    },
    create({ name, arena, clock }, { lost_tick_policy }) {
      return new KvmI8254({ irqchip, name, arena, clock, reinjection: lost_tick_policy === "delay" });
    },
  };
  return { apic, ioapic, "isa-i8259": pic, "isa-pit": pit };
}
