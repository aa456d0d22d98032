/**
 * SMBIOS 2.8 structures and entry point (DMTF DSP0134, sections 5.2.1 and 7): what firmware finds in
 * "etc/smbios/smbios-tables" and "etc/smbios/smbios-anchor", with the handles and defaults that QEMU's machines have.
 * Firmware adds a type 0 of its own when there is none here.
 */

import type { CpuTopology } from "../../../core/cpu-topology.ts";
import { QemuError } from "../../../core/errors.ts";
import { checksum } from "../acpi/linker.ts";

export const SMBIOS_TABLES_FILE = "etc/smbios/smbios-tables";
export const SMBIOS_ANCHOR_FILE = "etc/smbios/smbios-anchor";

/** Fields of type 0, BIOS information. */
export interface BiosInformation {
  readonly vendor?: string;
  readonly version?: string;
  /** As MM/DD/YYYY. */
  readonly date?: string;
  /** System BIOS release, "major.minor". */
  readonly release?: string;
  readonly uefi?: boolean;
}

/** Fields of type 1, system information. */
export interface SystemInformation {
  readonly manufacturer?: string;
  readonly product?: string;
  readonly version?: string;
  readonly serial?: string;
  readonly sku?: string;
  readonly family?: string;
}

export interface SmbiosOptions {
  /** As in "550e8400-e29b-41d4-a716-446655440000". */
  readonly uuid?: string;
  readonly bios?: BiosInformation;
  readonly system?: SystemInformation;
  readonly cpus: CpuTopology;
  /** CPUID(1): EAX and EDX. */
  readonly cpuSignature?: number;
  readonly cpuFeatures?: number;
  /** RAM ranges in bytes. */
  readonly ram: readonly { readonly base: number; readonly size: number }[];
}

const DEFAULT_SYSTEM = { manufacturer: "QEMU", product: "Standard PC (i440FX + PIIX, 1996)", version: "pc-i440fx" };

const HANDLE_CHASSIS = 0x300;
const HANDLE_PROCESSOR = 0x400;
const HANDLE_MEMORY_ARRAY = 0x1000;
const HANDLE_MEMORY_DEVICE = 0x1100;
const HANDLE_MEMORY_MAPPING = 0x1300;
const NONE = 0xfffe;
const UNKNOWN = 0xffff;
const DIMM_MAX = 16 * 2 ** 30;
/** Sizes from here on are in the extended fields. */
const CAPACITY_EXTENDED_KIB = 0x8000_0000;
const SIZE_EXTENDED_MIB = 0x7fff;
const ENTRY_POINT_SIZE = 31;

/** One structure: the formatted area is written in order; strings are numbered as they come. */
class Structure {
  readonly #bytes: number[];
  readonly #strings: string[] = [];

  constructor(type: number, handle: number) {
    this.#bytes = [type, 0];
    this.u16(handle);
  }

  u8(...values: number[]): this {
    this.#bytes.push(...values.map((value) => value & 0xff));
    return this;
  }

  u16(...values: number[]): this {
    for (const value of values) this.u8(value, value >> 8);
    return this;
  }

  u32(...values: number[]): this {
    for (const value of values) this.u8(value, value >> 8, value >> 16, value >> 24);
    return this;
  }

  u64(value: number): this {
    return this.u32((value % 2 ** 32) | 0, Math.floor(value / 2 ** 32));
  }

  /** A string's number, or 0 when there is none. */
  string(value: string | undefined): this {
    if (value === undefined || value === "") return this.u8(0);
    this.#strings.push(value.replaceAll("\0", ""));
    return this.u8(this.#strings.length);
  }

  encode(): Uint8Array {
    this.#bytes[1] = this.#bytes.length;
    const strings = this.#strings.length === 0 ? "\0\0" : this.#strings.map((value) => `${value}\0`).join("") + "\0";
    return Uint8Array.from([...this.#bytes, ...new TextEncoder().encode(strings)]);
  }
}

/** The 16 bytes of a UUID in the order it is written. */
export function parseUuid(uuid: string): Uint8Array {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uuid)) {
    throw new QemuError("uuid", `invalid UUID: ${uuid}`, {
      hint: "a UUID looks like 550e8400-e29b-41d4-a716-446655440000",
    });
  }
  return Uint8Array.from(Buffer.from(uuid.replaceAll("-", ""), "hex"));
}

/** As SMBIOS has it: the first three fields are little-endian. */
function wireUuid(uuid: string | undefined): number[] {
  if (uuid === undefined) return new Array(16).fill(0);
  const b = parseUuid(uuid);
  return [b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], ...b.subarray(8)];
}

function biosInformation({ vendor, version, date, release, uefi }: BiosInformation): Structure {
  const [major, minor] = /^(\d+)\.(\d+)$/
    .exec(release ?? "")
    ?.slice(1)
    .map(Number) ?? [0, 0];
  return new Structure(0, 0)
    .string(vendor)
    .string(version)
    .u16(0xe800) // start segment
    .string(date)
    .u8(0) // 64 KiB
    .u64(0b1000) // characteristics not supported
    .u8(0, uefi ? 0b1_1100 : 0b1_0100) // target content, virtual machine
    .u8(major, minor, 0xff, 0xff);
}

function systemInformation(options: SmbiosOptions): Structure {
  const system = { ...DEFAULT_SYSTEM, ...options.system };
  return new Structure(1, 0x100)
    .string(system.manufacturer)
    .string(system.product)
    .string(system.version)
    .string(options.system?.serial)
    .u8(...wireUuid(options.uuid))
    .u8(6) // power switch
    .string(options.system?.sku)
    .string(options.system?.family);
}

function chassis(options: SmbiosOptions): Structure {
  const system = { ...DEFAULT_SYSTEM, ...options.system };
  return new Structure(3, HANDLE_CHASSIS)
    .string(system.manufacturer)
    .u8(1) // type: other
    .string(system.version)
    .string(undefined)
    .string(undefined)
    .u8(3, 3, 3, 2) // boot-up, supply, thermal: safe; security: unknown
    .u32(0)
    .u8(0, 0, 0, 0)
    .string(undefined);
}

/** A socket. */
function processor(options: SmbiosOptions, index: number): Structure {
  const cores = options.cpus.dies * options.cpus.cores;
  const threads = cores * options.cpus.threads;
  const system = { ...DEFAULT_SYSTEM, ...options.system };
  return new Structure(4, HANDLE_PROCESSOR + index)
    .string(`CPU ${index}`)
    .u8(3, 1) // central processor; family: other
    .string(system.manufacturer)
    .u32(options.cpuSignature ?? 0, options.cpuFeatures ?? 0)
    .string(system.version)
    .u8(0)
    .u16(0, 2000, 2000) // external clock unknown; MHz
    .u8(0x41, 1) // populated and enabled; upgrade: other
    .u16(UNKNOWN, UNKNOWN, UNKNOWN)
    .string(undefined)
    .string(undefined)
    .string(undefined)
    .u8(cores, cores, threads) // cores, enabled cores, threads
    .u16(0b10, 1) // characteristics unknown; family: other
    .u16(cores, cores, threads);
}

function memory({ ram }: SmbiosOptions): Structure[] {
  const total = ram.reduce((sum, { size }) => sum + size, 0);
  const dimms = Math.max(1, Math.ceil(total / DIMM_MAX));
  const kib = total / 1024;
  const array = new Structure(16, HANDLE_MEMORY_ARRAY)
    .u8(1, 3, 6) // location: other; system memory; multi-bit ECC
    .u32(Math.min(kib, CAPACITY_EXTENDED_KIB))
    .u16(NONE, dimms)
    .u64(kib < CAPACITY_EXTENDED_KIB ? 0 : total);
  const devices = Array.from({ length: dimms }, (_, i) => {
    const mib = Math.floor(Math.min(DIMM_MAX, total - i * DIMM_MAX) / 2 ** 20);
    return new Structure(17, HANDLE_MEMORY_DEVICE + i)
      .u16(HANDLE_MEMORY_ARRAY, NONE, UNKNOWN, UNKNOWN)
      .u16(Math.min(mib, SIZE_EXTENDED_MIB))
      .u8(9, 0) // DIMM
      .string(`DIMM ${i}`)
      .string(undefined)
      .u8(7) // RAM
      .u16(0b10, 0)
      .string("QEMU")
      .string(undefined)
      .string(undefined)
      .string(undefined)
      .u8(0)
      .u32(mib < SIZE_EXTENDED_MIB ? 0 : mib)
      .u16(0, 0, 0, 0);
  });
  const mappings = ram.map(({ base, size }, i) => {
    const [start, end] = [base / 1024, (base + size) / 1024 - 1];
    const fits = end < UNKNOWN * 0x10000;
    return new Structure(19, HANDLE_MEMORY_MAPPING + i)
      .u32(fits ? start : -1, fits ? end : -1)
      .u16(HANDLE_MEMORY_ARRAY)
      .u8(1)
      .u64(fits ? 0 : base)
      .u64(fits ? 0 : base + size - 1);
  });
  return [array, ...devices, ...mappings];
}

export interface SmbiosTables {
  readonly tables: Uint8Array;
  /** The entry point; the table's address in it is zero until somebody places it. */
  readonly anchor: Uint8Array;
}

/** All structures, and the entry point for them. */
export function buildSmbios(options: SmbiosOptions): SmbiosTables {
  const structures = [
    ...(options.bios ? [biosInformation(options.bios)] : []),
    systemInformation(options),
    chassis(options),
    ...Array.from({ length: options.cpus.sockets }, (_, i) => processor(options, i)),
    ...memory(options),
    new Structure(32, 0x2000).u8(0, 0, 0, 0, 0, 0, 0), // no errors detected
    new Structure(127, 0x7f00),
  ].map((structure) => structure.encode());
  const tables = Uint8Array.from(structures.flatMap((bytes) => [...bytes]));
  const largest = Math.max(...structures.map((bytes) => bytes.length));
  return { tables, anchor: entryPoint(tables.length, structures.length, largest, 0) };
}

function entryPoint(length: number, count: number, largest: number, address: number): Uint8Array {
  const anchor = new Uint8Array(ENTRY_POINT_SIZE);
  const view = new DataView(anchor.buffer);
  anchor.set(new TextEncoder().encode("_SM_"), 0);
  anchor.set([ENTRY_POINT_SIZE, 2, 8], 5);
  view.setUint16(8, largest, true);
  anchor.set(new TextEncoder().encode("_DMI_"), 16);
  view.setUint16(22, length, true);
  view.setUint32(24, address, true);
  view.setUint16(28, count, true);
  anchor[30] = 0x28;
  anchor[21] = checksum(anchor.subarray(16));
  anchor[4] = checksum(anchor);
  return anchor;
}

/** The entry point for tables that lie at `address`. */
export function placeAnchor(anchor: Uint8Array, address: number): Uint8Array {
  const view = new DataView(anchor.buffer, anchor.byteOffset);
  return entryPoint(view.getUint16(22, true), view.getUint16(28, true), view.getUint16(8, true), address);
}
