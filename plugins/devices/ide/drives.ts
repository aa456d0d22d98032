/** The device types "ide-hd" and "ide-cd": find a place on a controller's channels, and make the drive there. */

import type { BlockPort } from "../../../core/block/port.ts";
import type { DeviceContext, DeviceType, Properties, PropertySpecs } from "../../../core/device.ts";
import { QemuError } from "../../../core/errors.ts";
import { AtaDisk } from "./ata-disk.ts";
import { AtapiCdrom } from "./atapi-cdrom.ts";
import type { AtaUnit } from "./channel.ts";
import type { DriveIdentity } from "./identify.ts";
import { Piix3Ide } from "./piix3-ide.ts";

/** Besides `bus` ("ide.0", "ide.1") and `unit`, which every device on this bus has. */
const COMMON: PropertySpecs = {
  drive: { type: "drive", description: "Node name or ID of a block device to use as a backend" },
  serial: { type: "str" },
  model: { type: "str" },
  ver: { type: "str" },
  bootindex: { type: "int32" },
};

interface Place {
  readonly unit: AtaUnit;
  /** Position among the four of a PC: 0 is the primary master. */
  readonly index: number;
}

function findPlace(context: DeviceContext, driver: string, properties: Properties): Place {
  const { bus, unit: wanted } = properties;
  const fail = (message: string): never => {
    throw new QemuError("ide-place", message, { context: { device: driver } });
  };
  const controller = context.pci?.devices().find((device) => device instanceof Piix3Ide);
  if (!controller) return fail(`No 'IDE' bus found for device '${driver}'`);
  const buses = controller.channels.map((channel, index) => ({ channel, index, name: `ide.${index}` }));
  const candidates = bus === undefined ? buses : buses.filter(({ name }) => name === bus);
  if (candidates.length === 0) return fail(`Bus '${bus}' not found`);
  const number = wanted === undefined ? undefined : Number(wanted);
  if (number !== undefined && !(number === 0 || number === 1)) {
    return fail(`Can't create IDE unit ${wanted}, bus supports only 2 units`);
  }
  for (const { channel, index } of candidates) {
    const free = channel.units.find((unit) => !unit.device && (number === undefined || number === unit.index));
    if (free) return { unit: free, index: index * 2 + free.index };
  }
  return fail(number === undefined ? "Bus is full" : `IDE unit ${number} is in use`);
}

/** Offers the drive to firmware: IDE is function 1 of slot 1. */
function addToBootOrder({ bootEntry }: DeviceContext, { bootindex }: Properties, index: number): void {
  const path = `ide@1,1/drive@${index >> 1}/disk@${index & 1}`;
  bootEntry?.(bootindex === undefined ? undefined : Number(bootindex), "PCI", path);
}

function identity(properties: Properties, index: number, model: string): DriveIdentity {
  return {
    serial: String(properties.serial ?? `QM${String(index + 1).padStart(5, "0")}`),
    model: String(properties.model ?? model),
    version: String(properties.ver ?? "2.5+"),
  };
}

function geometryOf({ cyls, heads, secs }: Properties) {
  if (cyls === undefined && heads === undefined && secs === undefined) return undefined;
  const geometry = { cylinders: Number(cyls), heads: Number(heads), sectors: Number(secs) };
  const limits = { cylinders: 65535, heads: 16, sectors: 255 };
  for (const key of ["cylinders", "heads", "sectors"] as const) {
    if (!(geometry[key] >= 1 && geometry[key] <= limits[key])) {
      const names = { cylinders: "cyls", heads: "heads", sectors: "secs" };
      throw new QemuError("ide-geometry", `${names[key]} must be between 1 and ${limits[key]}`);
    }
  }
  return geometry;
}

function wwnOf(text: string): bigint {
  const value = /^(0x[0-9a-f]+|[0-9]+)$/i.test(text) ? BigInt(text) : -1n;
  if (value >= 0n && value < 2n ** 64n) return value;
  throw new QemuError("ide-wwn", `Property 'wwn' doesn't take value '${text}'`);
}

export const IDE_HD: DeviceType = {
  name: "ide-hd",
  bus: "IDE",
  category: "Storage",
  description: "virtual IDE disk",
  properties: {
    ...COMMON,
    "write-cache": { type: "on-off-auto", default: "auto" },
    wwn: { type: "str", description: "World wide name, a 64-bit number" },
    rotation_rate: { type: "uint16", default: 0 },
    cyls: { type: "uint32" },
    heads: { type: "uint32" },
    secs: { type: "uint32" },
  },
  userCreatable: true,
  create(context, properties) {
    const { drive: id, wwn, rotation_rate: rate } = properties;
    if (id === undefined) throw new QemuError("ide-drive", "drive property not set");
    const drive = context.drive(String(id));
    if (!drive.inserted) throw new QemuError("ide-drive", "Device needs media, but drive is empty");
    if (drive.readOnly) {
      throw new QemuError("ide-drive", "Block node is read-only", {
        hint: "use snapshot=on to keep the image unchanged, or media=cdrom",
      });
    }
    const { unit, index } = findPlace(context, "ide-hd", properties);
    const geometry = geometryOf(properties);
    addToBootOrder(context, properties, index);
    return new AtaDisk({
      name: context.name,
      arena: context.arena,
      unit,
      drive,
      position: index,
      identity: identity(properties, index, "QEMU HARDDISK"),
      writeCache: properties["write-cache"] !== "off" && properties["write-cache"] !== false,
      rotationRate: Number(rate ?? 0),
      ...(geometry ? { geometry } : {}),
      ...(wwn === undefined ? {} : { wwn: wwnOf(String(wwn)) }),
    });
  },
};

/** A drive that stays empty. */
const NO_DRIVE: BlockPort = {
  length: 0,
  readOnly: true,
  inserted: false,
  read: (_offset, _into, done) => queueMicrotask(() => done("eio")),
  write: (_offset, _from, done) => queueMicrotask(() => done("eio")),
  flush: (done) => queueMicrotask(() => done(undefined)),
  discard: (_offset, _length, done) => queueMicrotask(() => done("eio")),
  onMediumChange() {},
};

export const IDE_CD: DeviceType = {
  name: "ide-cd",
  bus: "IDE",
  category: "Storage",
  description: "virtual IDE CD-ROM",
  properties: COMMON,
  userCreatable: true,
  create(context, properties) {
    const drive = properties.drive === undefined ? NO_DRIVE : context.drive(String(properties.drive));
    const { unit, index } = findPlace(context, "ide-cd", properties);
    addToBootOrder(context, properties, index);
    return new AtapiCdrom({
      name: context.name,
      arena: context.arena,
      unit,
      drive,
      identity: identity(properties, index, "QEMU DVD-ROM"),
    });
  },
};
