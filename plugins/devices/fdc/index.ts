/** Plugin: the ISA floppy controller and its drives. */

import type { PortSpace } from "../../../core/bus/io.ts";
import type { DeviceContext, DeviceType, PropertyValue } from "../../../core/device.ts";
import { QemuError } from "../../../core/errors.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { Fdc } from "./fdc.ts";
import type { DriveType } from "./geometry.ts";

const DRIVE_TYPES = ["120", "144", "288", "auto"] as const;
const IRQ = 6;
const DMA_CHANNEL = 2;

/** The controller of each machine, for drives that are plugged in later. */
const controllers = new WeakMap<PortSpace, Fdc>();

function attach(context: DeviceContext, fdc: Fdc, unit: 0 | 1, drive: unknown, type: unknown): void {
  if (fdc.driveType(unit) !== "none") {
    throw new QemuError("floppy-unit", `Floppy unit ${unit} is in use`);
  }
  fdc.attach(unit, context.drive(String(drive)), (type ?? "auto") as DriveType | "auto");
}

function addToBootOrder({ bootEntry }: DeviceContext, unit: number, index: PropertyValue): void {
  bootEntry?.(index === undefined ? undefined : Number(index), "ISA", `fdc@03f0/floppy@${unit}`);
}

export const ISA_FDC: DeviceType = {
  name: "isa-fdc",
  bus: "ISA",
  category: "Storage",
  description: "virtual floppy controller",
  properties: {
    iobase: { type: "uint32", default: 0x3f0 },
    irq: { type: "uint32", default: IRQ },
    dma: { type: "uint32", default: DMA_CHANNEL },
    driveA: { type: "drive" },
    driveB: { type: "drive" },
    fdtypeA: { type: "str", default: "auto", values: DRIVE_TYPES },
    fdtypeB: { type: "str", default: "auto", values: DRIVE_TYPES },
    bootindexA: { type: "int32" },
    bootindexB: { type: "int32" },
  },
  userCreatable: true,
  create(context, properties) {
    const { iobase = 0x3f0, irq = IRQ, dma = DMA_CHANNEL, driveA, driveB } = properties;
    if (controllers.has(context.ports)) {
      throw new QemuError("floppy-controller", "the machine has a floppy controller already");
    }
    const fdc = new Fdc({
      name: context.name,
      arena: context.arena,
      clock: context.clock,
      irq: context.isaIrq(Number(irq)),
      dma: context.isaDma(Number(dma)),
    });
    context.ports.map(Number(iobase), fdc.io);
    context.ports.map(Number(iobase) + 7, fdc.rateIo);
    controllers.set(context.ports, fdc);
    if (driveA !== undefined) attach(context, fdc, 0, driveA, properties.fdtypeA);
    if (driveB !== undefined) attach(context, fdc, 1, driveB, properties.fdtypeB);
    addToBootOrder(context, 0, properties.bootindexA);
    addToBootOrder(context, 1, properties.bootindexB);
    return fdc;
  },
};

export const FLOPPY: DeviceType = {
  name: "floppy",
  bus: "floppy-bus",
  category: "Storage",
  description: "virtual floppy drive",
  properties: {
    drive: { type: "drive" },
    "drive-type": { type: "str", default: "auto", values: DRIVE_TYPES },
    bootindex: { type: "int32" },
  },
  userCreatable: true,
  create(context, { drive, unit, bootindex, "drive-type": type }) {
    const fdc = controllers.get(context.ports);
    if (!fdc) throw new QemuError("floppy-bus", "No 'floppy-bus' bus found for device 'floppy'");
    if (drive === undefined) throw new QemuError("floppy-drive", "drive property not set");
    const free = ([0, 1] as const).find((index) => fdc.driveType(index) === "none");
    const wanted = unit === undefined ? free : Number(unit);
    if (wanted !== 0 && wanted !== 1) {
      throw new QemuError("floppy-unit", `Can't create floppy unit ${wanted ?? 2}, bus supports only 2 units`);
    }
    attach(context, fdc, wanted, drive, type);
    addToBootOrder(context, wanted, bootindex);
    return { reset() {} };
  },
};

const plugin: Plugin = {
  name: "fdc",
  api: 1,
  apply(host) {
    host.hooks.device.for("isa-fdc").tap("fdc", () => ISA_FDC);
    host.hooks.device.for("floppy").tap("fdc", () => FLOPPY);
  },
};

export default plugin;
