/** Plugin: PIIX4 power management. */

import type { DeviceType } from "../../../core/device.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { Piix4Pm } from "./piix4-pm.ts";

/** Slot 1, function 3. */
const DEVFN = (1 << 3) | 3;

export const PIIX4_PM: DeviceType = {
  name: "PIIX4_PM",
  bus: "PCI",
  category: "Controller/Bridge/Hub",
  description: "PM",
  properties: {
    disable_s3: { type: "uint8", default: 0 },
    disable_s4: { type: "uint8", default: 0 },
    s4_val: { type: "uint8", default: 2 },
    "smm-enabled": { type: "bool", default: false },
  },
  userCreatable: false,
  create(context, properties) {
    const { machine, ports } = context;
    const pm = new Piix4Pm({
      name: context.name,
      arena: context.arena,
      clock: context.clock,
      sci: context.isaIrq(9),
      mapPorts: (base, region) => ports.map(base, region),
      timerAt: context.board?.pmTimerAt,
      powerOff: () => machine.shutdown("guest-shutdown"),
      suspend: () => machine.suspend(),
      wakeUp: (reason) => machine.wakeUp(reason),
      smm: properties["smm-enabled"] === true,
      disableS3: Number(properties.disable_s3 ?? 0) !== 0,
      disableS4: Number(properties.disable_s4 ?? 0) !== 0,
      s4Value: Number(properties.s4_val ?? 2),
    });
    ports.map(0xb2, pm.apm);
    ports.map(0xafe0, pm.gpe);
    context.pci?.plug(pm, DEVFN);
    return pm;
  },
};

const plugin: Plugin = {
  name: "piix4-pm",
  api: 1,
  apply(host) {
    host.hooks.device.for("PIIX4_PM").tap("piix4-pm", () => PIIX4_PM);
  },
};

export default plugin;
