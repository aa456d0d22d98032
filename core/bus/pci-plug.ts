/** Where a PCI device goes: the `bus`, `addr` and `multifunction` properties that every one of them has. */

import type { DeviceContext, Properties } from "../device.ts";
import { QemuError } from "../errors.ts";
import { PCI_HEADER_MULTIFUNCTION, PCI_HEADER_TYPE, type PciDevice } from "./pci.ts";

const ROOT_BUS = "pci.0";

/**
 * Slot and function as users write them ("06" or "06.1", hexadecimal) as `slot << 3 | function`; undefined stays.
 * @throws QemuError for anything else.
 */
export function parsePciAddress(owner: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const match = /^(?:0x)?([0-9a-f]{1,2})(?:\.([0-7]))?$/i.exec(text);
  const slot = match ? Number.parseInt(match[1], 16) : 32;
  if (!match || slot > 31) {
    throw new QemuError("bad-value", `Property '${owner}.addr' doesn't take value '${text}'`, {
      hint: "slot 0 to 1f and an optional function 0 to 7, example: 06.0",
    });
  }
  return (slot << 3) | Number(match[2] ?? 0);
}

/** Plugs a device in where its properties say, or at the first free slot. */
export function plugPci(owner: string, context: DeviceContext, properties: Properties, device: PciDevice): void {
  if (!context.pci) {
    throw new QemuError("no-bus", `No 'PCI' bus found for device '${owner}'`);
  }
  if (properties.bus !== undefined && properties.bus !== ROOT_BUS) {
    throw new QemuError("no-bus", `Bus '${properties.bus}' not found`, { hint: `the bus is '${ROOT_BUS}'` });
  }
  if (properties.multifunction === true) device.config[PCI_HEADER_TYPE] |= PCI_HEADER_MULTIFUNCTION;
  const { addr } = properties;
  context.pci.plug(device, parsePciAddress(owner, addr === undefined ? undefined : String(addr)));
}
