/** Plugin: the MC146818 real-time clock. */

import type { DeviceType } from "../../../core/device.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { Mc146818 } from "./mc146818.ts";

export const MC146818RTC: DeviceType = {
  name: "mc146818rtc",
  bus: "ISA",
  category: "Misc",
  description: "Real-time clock and CMOS memory",
  properties: {
    iobase: { type: "uint16", default: 0x70 },
    irq: { type: "uint8", default: 8 },
  },
  userCreatable: false,
  placement: "shared",
  create(context, properties) {
    const { name, arena, clock, wallClock } = context;
    const rtc = new Mc146818({
      name,
      arena,
      clock,
      irq: context.isaIrq(Number(properties["irq"] ?? 8)),
      wallClock,
      alarm: context.board?.rtcAlarm,
    });
    context.ports.map(Number(properties["iobase"] ?? 0x70), rtc.io);
    return rtc;
  },
};

const plugin: Plugin = {
  name: "mc146818",
  api: 1,
  apply(host) {
    host.hooks.device.for("mc146818rtc").tap("mc146818", () => MC146818RTC);
  },
};

export default plugin;
