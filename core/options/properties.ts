/** Properties of devices and machines: text from the command line, checked and converted by their specification. */

import type { DeviceType, Properties, PropertySpec, PropertySpecs, PropertyValue } from "../device.ts";
import { QemuError } from "../errors.ts";
import { didYouMean } from "./near.ts";
import { parseBool, parseChoice, parseInteger, parseSize } from "./values.ts";

/** What -global sets. */
export interface GlobalProperty {
  readonly driver: string;
  readonly property: string;
  readonly value: string;
}

/** Properties that the bus gives to a device, besides its own. */
export const BUS_PROPERTIES: Readonly<Record<string, PropertySpecs>> = {
  PCI: {
    bus: { type: "str", description: "the bus it plugs into" },
    addr: { type: "str", description: "Slot and optional function number, example: 06.0 or 06" },
    multifunction: { type: "bool", default: false, description: "on/off" },
  },
  ISA: { bus: { type: "str", description: "the bus it plugs into" } },
  IDE: {
    bus: { type: "str", description: "the bus it plugs into" },
    unit: { type: "uint32", description: "0 for the master, 1 for the slave" },
  },
  "floppy-bus": {
    bus: { type: "str", description: "the bus it plugs into" },
    unit: { type: "uint32", description: "0 for drive A, 1 for drive B" },
  },
};

const INTEGER_LIMITS: Readonly<Record<string, readonly [number, number]>> = {
  uint8: [0, 0xff],
  uint16: [0, 0xffff],
  uint32: [0, 0xffffffff],
  uint64: [0, Number.MAX_SAFE_INTEGER],
  int32: [-0x80000000, 0x7fffffff],
};

function convert(name: string, value: string, spec: PropertySpec): PropertyValue {
  if (spec.values) return parseChoice(name, value, spec.values);
  const limits = INTEGER_LIMITS[spec.type];
  if (limits) return parseInteger(name, value, limits[0], limits[1]);
  switch (spec.type) {
    case "bool":
      return parseBool(name, value);
    case "size":
      return parseSize(name, value);
    case "on-off-auto":
      return value === "auto" ? "auto" : parseBool(name, value) ? "on" : "off";
    case "macaddr":
      if (/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(value)) return value.toLowerCase();
      throw new QemuError("bad-value", `Property '${name}' doesn't take value '${value}'`);
    default:
      return value;
  }
}

/**
 * Defaults, then what is given. `owner` is the name in messages ("isa-serial").
 * @throws QemuError for a name that is not in `specs` or a value of the wrong type.
 */
export function parseProperties(
  owner: string,
  specs: PropertySpecs,
  given: Readonly<Record<string, string>>,
): Record<string, PropertyValue> {
  const properties: Record<string, PropertyValue> = {};
  for (const [name, spec] of Object.entries(specs)) {
    if (spec.default !== undefined) properties[name] = spec.default;
  }
  for (const [name, value] of Object.entries(given)) {
    const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
    if (!spec) {
      throw new QemuError("unknown-property", `Property '${owner}.${name}' not found`, {
        hint: didYouMean(name, Object.keys(specs)),
      });
    }
    properties[name] = convert(name, value, spec);
  }
  return properties;
}

/** All properties that `-device` may set for a type. */
export function deviceProperties(type: DeviceType): PropertySpecs {
  return { ...type.properties, ...(BUS_PROPERTIES[type.bus] ?? {}) };
}

/** What -global says about a type of device, as text; the last one wins. */
export function globalProperties(
  type: Pick<DeviceType, "name" | "alias">,
  globals: readonly GlobalProperty[],
): Record<string, string> {
  const wide: Record<string, string> = {};
  for (const { driver, property, value } of globals) {
    if (driver === type.name || driver === type.alias) wide[property] = value;
  }
  return wide;
}

/** A device's properties: defaults, then -global, then -device. The type's own properties and its bus's are known. */
export function resolveDeviceProperties(
  type: DeviceType,
  given: Readonly<Record<string, string>>,
  globals: readonly GlobalProperty[] = [],
): Properties {
  return parseProperties(type.name, deviceProperties(type), { ...globalProperties(type, globals), ...given });
}
