/** A host with a machine, an accelerator, devices and character devices that only have their names. */

import type { Accelerator } from "../../../core/accel.ts";
import type { ChardevType } from "../../../core/char/chardev.ts";
import type { DeviceType } from "../../../core/device.ts";
import type { MachineType } from "../../../core/machine.ts";
import { PluginHost } from "../../../core/plugin/host.ts";

const unused = (): never => {
  throw new Error("not in this test");
};

const machine: MachineType = {
  name: "pc-i440fx-1",
  aliases: ["pc"],
  description: "Standard PC (i440FX + PIIX, 1996)",
  isDefault: true,
  maxCpus: 255,
  properties: { smm: { type: "on-off-auto", default: "auto" }, hpet: { type: "bool", default: true } },
  findFirmware: unused,
  assemble: unused,
};

const accelerator: Accelerator = {
  name: "tcg",
  description: "tiny",
  reservedMemory: () => 0,
  properties: { thread: { type: "str" } },
  createVm: unused,
  cpuModels: () => [
    { name: "qemu64", description: "QEMU Virtual CPU" },
    { name: "486", description: "" },
  ],
};

const devices: DeviceType[] = [
  {
    name: "isa-serial",
    bus: "ISA",
    category: "Input",
    properties: {
      chardev: { type: "chardev", description: "ID of a chardev to use as a backend" },
      index: { type: "uint32" },
    },
    userCreatable: true,
    create: unused,
  },
  { name: "i8259", bus: "ISA", category: "Misc", properties: {}, userCreatable: false, create: unused },
];

export async function fakeHost(): Promise<PluginHost> {
  const host = new PluginHost();
  await host.use({
    name: "fakes",
    api: 1,
    apply({ hooks }) {
      for (const name of [machine.name, ...machine.aliases]) hooks.machine.for(name).tap("fakes", () => machine);
      hooks.accelerator.for("tcg").tap("fakes", () => accelerator);
      for (const type of devices) hooks.device.for(type.name).tap("fakes", () => type);
      for (const name of ["stdio", "null", "file"]) {
        const type: ChardevType = { name, description: name, options: {}, open: unused };
        hooks.chardev.for(name).tap("fakes", () => type);
      }
    },
  });
  return host;
}
