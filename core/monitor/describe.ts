/** Texts of `info mtree`, `info pci` and `info qtree`, from what every machine has: its spaces, bus and devices. */

import type { PortSpace } from "../bus/io.ts";
import {
  PCI_CLASS_DEVICE,
  PCI_INTERRUPT_LINE,
  PCI_INTERRUPT_PIN,
  PCI_SUBSYSTEM_ID,
  PCI_SUBSYSTEM_VENDOR_ID,
  type PciBus,
  type PciDevice,
} from "../bus/pci.ts";
import type { PropertyValue } from "../device.ts";
import type { DeviceNode } from "../machine.ts";
import type { AddressSpace } from "../memory/address-space.ts";

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");
const range = (start: number, size: number): string => `${hex(start, 16)}-${hex(start + size - 1, 16)}`;

export function describeMemory(memory: AddressSpace, ports: PortSpace): string {
  const regions = [...memory.regions()].sort((a, b) => a.base - b.base || b.priority - a.priority);
  const lines = regions.map(({ name, base, size, target, priority, enabled }) => {
    const kind = target.kind === "io" ? "i/o" : target.kind;
    return `    ${range(base, size)} (prio ${priority}, ${kind}): ${name}${enabled ? "" : " [disabled]"}\n`;
  });
  const mappings = [...ports.mappings()].sort((a, b) => a.base - b.base);
  const portLines = mappings.map(
    ({ base, region, enabled }) =>
      `    ${range(base, region.length)} (prio 0, i/o): ${region.name}${enabled ? "" : " [disabled]"}\n`,
  );
  return (
    `address-space: memory\n  ${hex(0, 16)}-ffffffffffffffff (prio 0, i/o): system\n${lines.join("")}\n` +
    `address-space: I/O\n  ${range(0, 0x10000)} (prio 0, i/o): io\n${portLines.join("")}`
  );
}

/** The same as flat ranges: `info mtree -f`. */
export function describeFlatMemory(memory: AddressSpace): string {
  const lines = memory.flatten().map(({ start, end, region }) => {
    const kind = region.target.kind === "io" ? "i/o" : region.target.kind;
    const offset = start === region.base ? "" : ` @${hex(start - region.base, 16)}`;
    return `  ${range(start, end - start)} (prio ${region.priority}, ${kind}): ${region.name}${offset}\n`;
  });
  return `FlatView #0\n AS "memory", root: system\n${lines.join("")}`;
}

const CLASS_NAMES: Readonly<Record<number, string>> = {
  0: "Class 0000",
  1: "VGA controller",
  256: "SCSI controller",
  257: "IDE controller",
  258: "Floppy controller",
  262: "SATA controller",
  512: "Ethernet controller",
  768: "VGA controller",
  896: "Display controller",
  1025: "Audio controller",
  1536: "Host bridge",
  1537: "ISA bridge",
  1540: "PCI bridge",
  1664: "Bridge",
  1792: "Serial port",
  3075: "USB controller",
  3077: "SMBus",
};
const BARS = 7;

function describePciFunction(device: PciDevice): string {
  const classCode = device.config16(PCI_CLASS_DEVICE);
  const { vendorId, deviceId } = device.identity;
  const lines = [
    `    ${CLASS_NAMES[classCode] ?? `Class ${hex(classCode, 4)}`}: PCI device ${hex(vendorId, 4)}:${hex(deviceId, 4)}`,
  ];
  const subsystemVendor = device.config16(PCI_SUBSYSTEM_VENDOR_ID);
  if (subsystemVendor !== 0) {
    lines.push(`      PCI subsystem ${hex(subsystemVendor, 4)}:${hex(device.config16(PCI_SUBSYSTEM_ID), 4)}`);
  }
  const pin = device.config[PCI_INTERRUPT_PIN];
  if (pin !== 0) lines.push(`      IRQ ${device.config[PCI_INTERRUPT_LINE]}, pin ${String.fromCharCode(0x40 + pin)}`);
  for (let index = 0; index < BARS; index++) {
    const spec = device.barSpec(index);
    if (!spec) continue;
    const at = device.barAddress(index);
    const io = spec.kind === "io";
    const start = at === undefined ? (io ? "0xffff" : "0xffffffffffffffff") : `0x${hex(at, io ? 4 : 8)}`;
    const end = at === undefined ? "unmapped" : `0x${hex(at + spec.size - 1, io ? 4 : 8)}`;
    const what = io ? "I/O" : `32 bit ${spec.prefetchable ? "prefetchable " : ""}memory`;
    lines.push(`      BAR${index}: ${what} at ${start} [${end}].`);
  }
  lines.push(`      id "${device.name}"`);
  return `${lines.join("\n")}\n`;
}

export function describePci(bus: PciBus): string {
  return bus
    .devices()
    .sort((a, b) => a.devfn - b.devfn)
    .map((device) => {
      const slot = String(device.devfn >> 3).padStart(3);
      const head = `  Bus ${String(bus.number).padStart(2)}, device ${slot}, function ${device.devfn & 7}:\n`;
      return head + describePciFunction(device);
    })
    .join("");
}

const BUS_NAMES: Readonly<Record<string, string>> = {
  System: "main-system-bus",
  PCI: "pci.0",
  ISA: "isa.0",
  IDE: "ide",
  "floppy-bus": "floppy-bus.0",
};

function describeValue(value: PropertyValue): string {
  if (typeof value === "number") return `${value} (0x${value.toString(16)})`;
  return typeof value === "boolean" ? String(value) : `"${value ?? ""}"`;
}

export function describeDevices(nodes: readonly DeviceNode[]): string {
  const buses = [...new Set(nodes.map(({ type }) => type.bus))];
  return buses
    .map((bus) => {
      const devices = nodes.filter(({ type }) => type.bus === bus);
      const lines = devices.map(({ type, id, properties }) => {
        const values = Object.entries(properties).map(([name, value]) => `    ${name} = ${describeValue(value)}\n`);
        return `  dev: ${type.name}, id "${id ?? ""}"\n${values.join("")}`;
      });
      return `bus: ${BUS_NAMES[bus] ?? bus}\n  type ${bus}\n${lines.join("")}`;
    })
    .join("");
}
