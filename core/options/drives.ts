/** The drives of a command line: -drive, -hda to -hdd, -cdrom, -fda, -fdb and the bare disk image. */

import { QemuError } from "../errors.ts";
import { checkId } from "./chardevs.ts";
import { parseKeyValues, toRecord } from "./keyval.ts";
import type { DriveOptions } from "./machine-options.ts";
import { parseBool, parseChoice, parseInteger } from "./values.ts";

/** An image to open on the I/O thread; `file` is undefined for an empty drive. */
export interface BlockPlan {
  readonly id: string;
  readonly file: string | undefined;
  /** Undefined: probed. */
  readonly format: string | undefined;
  readonly readOnly: boolean;
  readonly snapshot: boolean;
  /** The drive takes other media (CD-ROM, floppy). */
  readonly removable: boolean;
  readonly option: string;
}

type Interface = "ide" | "floppy" | "none";

const INTERFACES: readonly Interface[] = ["ide", "floppy", "none"];
const UNITS_PER_BUS: Readonly<Record<Interface, number>> = { ide: 2, floppy: 2, none: Number.POSITIVE_INFINITY };
const BUSES: Readonly<Record<Interface, number>> = { ide: 2, floppy: 1, none: 1 };

/** Options that say how the host reaches the image, and that change nothing for the guest. */
const HARMLESS: Readonly<Record<string, readonly string[]>> = {
  cache: ["none", "writeback", "writethrough", "directsync", "unsafe"],
  aio: ["threads", "native", "io_uring"],
  discard: ["ignore", "off", "unmap", "on"],
  "detect-zeroes": ["off", "on", "unmap"],
  werror: ["report", "enospc"],
  rerror: ["report"],
  "copy-on-read": ["off"],
};

const KEYS = ["file", "if", "index", "bus", "unit", "media", "format", "driver", "id", "snapshot", "readonly"];

interface Drive {
  readonly options: DriveOptions;
  readonly plan: BlockPlan;
}

export class DrivePlans {
  readonly #drives: Drive[] = [];

  /** `-drive file=...,if=...`; `defaults` are the items of the short forms. */
  add(argument: string, option: string, defaults: Readonly<Record<string, string>> = {}): void {
    const given = { ...defaults, ...toRecord(parseKeyValues(argument), [...KEYS, ...Object.keys(HARMLESS)]) };
    for (const [key, values] of Object.entries(HARMLESS)) {
      if (given[key] !== undefined) parseChoice(key, given[key], values);
    }
    this.#add(given, option);
  }

  /** The short forms: `-hda file` is `add("", ..., { file, if: "ide", index: "0" })`. */
  addFile(file: string, option: string, kind: Interface, index: number, media: "disk" | "cdrom" = "disk"): void {
    this.#add({ file, if: kind, index: String(index), media }, option);
  }

  /** Adds an empty drive where none is, as the board does by default. */
  addDefault(kind: Interface, index: number, media: "disk" | "cdrom"): void {
    const bus = Math.floor(index / 2);
    if (!this.#at(kind, bus, index % 2)) this.#add({ if: kind, index: String(index), media }, "default drive");
  }

  options(): DriveOptions[] {
    return this.#drives.map((drive) => drive.options);
  }

  /** What to open; `snapshot` as -snapshot says. */
  plans(snapshot: boolean): BlockPlan[] {
    return this.#drives.map(({ plan }) => ({ ...plan, snapshot: plan.snapshot || (snapshot && !plan.readOnly) }));
  }

  #add(given: Readonly<Record<string, string>>, option: string): void {
    const kind = parseChoice("if", given.if ?? "ide", INTERFACES);
    const media = parseChoice("media", given.media ?? "disk", ["disk", "cdrom"]);
    const { bus, unit } = this.#place(kind, given);
    const id = given.id ?? defaultId(kind, media, bus, unit);
    if (given.id !== undefined) checkId(given.id);
    if (this.#drives.some((drive) => drive.options.id === id)) {
      throw new QemuError("bad-option", `Duplicate ID '${id}' for drive`);
    }
    const readOnly = media === "cdrom" || (given.readonly !== undefined && parseBool("readonly", given.readonly));
    const file = given.file === "" ? undefined : given.file;
    const removable = media === "cdrom" || kind === "floppy";
    if (!file && kind !== "none" && !removable) {
      throw new QemuError("bad-option", "Device needs media, but drive is empty");
    }
    this.#drives.push({
      options: { id, interface: kind, bus, unit, media, readOnly },
      plan: {
        id,
        file,
        format: given.format ?? given.driver,
        readOnly,
        snapshot: given.snapshot !== undefined && parseBool("snapshot", given.snapshot),
        removable,
        option,
      },
    });
  }

  #place(kind: Interface, given: Readonly<Record<string, string>>): { bus: number; unit: number } {
    const perBus = UNITS_PER_BUS[kind];
    if (given.index !== undefined) {
      if (given.bus !== undefined || given.unit !== undefined) {
        throw new QemuError("bad-option", "index cannot be used with bus and unit");
      }
      const index = parseInteger("index", given.index, 0, 0xffff);
      return this.#free(kind, Number.isFinite(perBus) ? Math.floor(index / perBus) : 0, index % perBus, index);
    }
    const bus = given.bus === undefined ? undefined : parseInteger("bus", given.bus, 0, 0xffff);
    if (given.unit !== undefined) return this.#free(kind, bus ?? 0, parseInteger("unit", given.unit, 0, 0xffff));
    for (let at = (bus ?? 0) * (Number.isFinite(perBus) ? perBus : 0); ; at++) {
      const place = Number.isFinite(perBus)
        ? { bus: Math.floor(at / perBus), unit: at % perBus }
        : { bus: 0, unit: at };
      if (!this.#at(kind, place.bus, place.unit)) return this.#free(kind, place.bus, place.unit);
    }
  }

  #free(kind: Interface, bus: number, unit: number, index?: number): { bus: number; unit: number } {
    const where = `bus=${bus}, unit=${unit}${index === undefined ? "" : ` (index=${index})`}`;
    if (this.#at(kind, bus, unit)) throw new QemuError("bad-option", `drive with ${where} exists`);
    if (kind !== "none" && (bus >= BUSES[kind] || unit >= UNITS_PER_BUS[kind])) {
      throw new QemuError("bad-option", `machine type does not support if=${kind},${where.replace(", ", ",")}`);
    }
    return { bus, unit };
  }

  #at(kind: Interface, bus: number, unit: number): Drive | undefined {
    return this.#drives.find(
      ({ options }) => options.interface === kind && options.bus === bus && options.unit === unit,
    );
  }
}

function defaultId(kind: Interface, media: "disk" | "cdrom", bus: number, unit: number): string {
  if (kind === "ide") return `ide${bus}-${media === "cdrom" ? "cd" : "hd"}${unit}`;
  return `${kind}${unit}`;
}
