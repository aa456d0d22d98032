/** Plugin: ISA serial ports. */

import type { DeviceType } from "../../../core/device.ts";
import { QemuError } from "../../../core/errors.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import type { StateArena } from "../../../core/state/state.ts";
import { Serial } from "./serial.ts";

/** COM1 to COM4. */
const PORTS = [
  { iobase: 0x3f8, irq: 4 },
  { iobase: 0x2f8, irq: 3 },
  { iobase: 0x3e8, irq: 4 },
  { iobase: 0x2e8, irq: 3 },
] as const;

/** How many ports each machine has got so far: the next one's index by default. */
const counts = new WeakMap<StateArena, number>();

export const ISA_SERIAL: DeviceType = {
  name: "isa-serial",
  bus: "ISA",
  category: "Input",
  properties: {
    index: { type: "uint32", description: "0 to 3 for COM1 to COM4 (default: the next one)" },
    iobase: { type: "uint16", description: "I/O address (default: by index)" },
    irq: { type: "uint32", description: "interrupt (default: by index)" },
    chardev: { type: "chardev", description: "ID of a chardev to use as a backend" },
  },
  userCreatable: true,
  placement: "shared",
  create(context, properties) {
    const { name, arena, clock, ports } = context;
    const next = counts.get(arena) ?? 0;
    const index = Number(properties["index"] ?? next);
    if (index >= PORTS.length) {
      throw new QemuError("isa-serial-index", `Max. supported number of ISA serial ports is ${PORTS.length}.`, {
        context: { device: name },
      });
    }
    counts.set(arena, Math.max(next, index + 1));
    const irq = Number(properties["irq"] ?? PORTS[index].irq);
    if (irq > 15) throw new QemuError("isa-irq", `isa-serial: irq ${irq} is not an ISA interrupt (0 to 15)`);
    const chardev = context.chardev(properties["chardev"] as string | undefined);
    const serial = new Serial({ name, arena, clock, irq: context.isaIrq(irq), chardev });
    ports.map(Number(properties["iobase"] ?? PORTS[index].iobase), serial.io);
    return serial;
  },
};

const plugin: Plugin = {
  name: "isa-serial",
  api: 1,
  apply(host) {
    host.hooks.device.for("isa-serial").tap("isa-serial", () => ISA_SERIAL);
  },
};

export default plugin;
