/** Plugin: ISA parallel ports. */

import type { PortSpace } from "../../../core/bus/io.ts";
import type { DeviceType } from "../../../core/device.ts";
import { QemuError } from "../../../core/errors.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { Parallel } from "./parallel.ts";

/** LPT1 to LPT3. */
const ADDRESSES = [0x378, 0x278, 0x3bc] as const;

/** How many ports each machine has got so far: the next one's index by default. */
const counts = new WeakMap<PortSpace, number>();

export const ISA_PARALLEL: DeviceType = {
  name: "isa-parallel",
  bus: "ISA",
  category: "Input",
  properties: {
    index: { type: "uint32", description: "0 to 2 for LPT1 to LPT3 (default: the next one)" },
    iobase: { type: "uint16", description: "I/O address (default: by index)" },
    irq: { type: "uint32", default: 7 },
    chardev: { type: "chardev", description: "ID of a chardev to use as a backend" },
  },
  userCreatable: true,
  create(context, properties) {
    const { name, arena, ports } = context;
    const next = counts.get(ports) ?? 0;
    const index = Number(properties["index"] ?? next);
    if (index >= ADDRESSES.length) {
      throw new QemuError("isa-parallel-index", `Max. supported number of parallel ports is ${ADDRESSES.length}.`, {
        context: { device: name },
      });
    }
    counts.set(ports, Math.max(next, index + 1));
    const irq = Number(properties["irq"] ?? 7);
    if (irq > 15) throw new QemuError("isa-irq", `isa-parallel: irq ${irq} is not an ISA interrupt (0 to 15)`);
    const chardev = context.chardev(properties["chardev"] as string | undefined);
    const parallel = new Parallel({ name, arena, irq: context.isaIrq(irq), chardev });
    ports.map(Number(properties["iobase"] ?? ADDRESSES[index]), parallel.io);
    return parallel;
  },
};

const plugin: Plugin = {
  name: "isa-parallel",
  api: 1,
  apply(host) {
    host.hooks.device.for("isa-parallel").tap("isa-parallel", () => ISA_PARALLEL);
  },
};

export default plugin;
