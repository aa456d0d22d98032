/**
 * The ACPI tables of the i440FX PC (ACPI specification 1.0b for RSDP, RSDT, FACP and FACS, as systems of its time
 * expect; HPET: IA-PC HPET specification 1.0a, section 3.2.4; WAET: Microsoft's Windows ACPI Emulated Devices Table).
 */

import { type DsdtOptions, dsdtBody } from "./dsdt.ts";
import type { LinkedBlobs } from "./linker.ts";

export const ACPI_TABLES_FILE = "etc/acpi/tables";
export const ACPI_RSDP_FILE = "etc/acpi/rsdp";
export const ACPI_LOADER_FILE = "etc/table-loader";

export interface AcpiOptions extends DsdtOptions {
  /** Whether the machine has System Management Mode: ACPI is then switched on through the SMI command port. */
  readonly smm: boolean;
  /** At most 6 and 8 characters; by default those QEMU uses. */
  readonly oemId?: string;
  readonly oemTableId?: string;
}

const HEADER_SIZE = 36;
const FACS_SIZE = 64;
/** Where the guest leaves the real-mode address at which it wants to go on after S3. */
export const FACS_WAKING_VECTOR = 12;
const TABLES_ALIGN = 64;
const RSDP_SIZE = 20;
/** Firmware and kernels may keep the space; rounding it keeps its size the same over small changes. */
const BLOB_UNIT = 0x1000;

const SCI_IRQ = 9;
const PM_BASE = 0x600;
const GPE0_BASE = 0xafe0;
const SMI_COMMAND_PORT = 0xb2;
const ACPI_ENABLE = 0xf1;
const ACPI_DISABLE = 0xf0;
const RTC_CENTURY = 0x32;
/** P_LVL2_LAT and P_LVL3_LAT above 100 and 1000: no C2, no C3. */
const NO_C_STATE = 0x0fff;
const LOCAL_APIC_BASE = 0xfee0_0000;
const IO_APIC_BASE = 0xfec0_0000;
const HPET_BASE = 0xfed0_0000;
/** EVENT_TIMER_BLOCK_ID: Intel, legacy replacement, 64-bit counter, three comparators, revision 1. */
const HPET_BLOCK_ID = 0x8086_a201;
/** The lines PCI interrupts may be routed to: level-triggered, active high. */
const PCI_IRQS = [5, 9, 10, 11] as const;
const LEVEL_ACTIVE_HIGH = 0b1101;

const FADT_WBINVD = 1 << 0;
const FADT_PROC_C1 = 1 << 2;
const FADT_SLP_BUTTON = 1 << 5;
const FADT_RTC_S4 = 1 << 7;
const FADT_USE_PLATFORM_CLOCK = 1 << 15;
const FADT_FORCE_APIC_CLUSTER_MODEL = 1 << 18;
/** A flat logical destination names at most so many CPUs. */
const MAX_FLAT_CPUS = 8;

/** Collects little-endian fields. */
class Fields {
  readonly bytes: number[] = [];

  u8(...values: number[]): this {
    this.bytes.push(...values.map((value) => value & 0xff));
    return this;
  }

  u16(value: number): this {
    return this.u8(value, value >> 8);
  }

  u32(...values: number[]): this {
    for (const value of values) this.u8(value, value >> 8, value >> 16, value >> 24);
    return this;
  }

  zeros(count: number): this {
    for (let i = 0; i < count; i++) this.bytes.push(0);
    return this;
  }
}

/** Firmware ACPI Control Structure: signature and length; the guest owns the rest. */
function facs(): number[] {
  return new Fields()
    .u8(...ascii("FACS", 4))
    .u32(FACS_SIZE)
    .zeros(FACS_SIZE - 8).bytes;
}

/** The FADT's fields from FIRMWARE_CTRL on; the two pointers at its start are offsets until linked. */
function facp(facsOffset: number, dsdtOffset: number, { smm, apicIds }: AcpiOptions): number[] {
  const fields = new Fields()
    .u32(facsOffset, dsdtOffset)
    .u8(1, 0) // INT_MODEL: multiple APIC
    .u16(SCI_IRQ)
    .u32(smm ? SMI_COMMAND_PORT : 0)
    .u8(smm ? ACPI_ENABLE : 0, smm ? ACPI_DISABLE : 0, 0, 0) // S4BIOS_REQ
    .u32(PM_BASE, 0, PM_BASE + 4, 0, 0, PM_BASE + 8, GPE0_BASE, 0) // PM1a/b_EVT, PM1a/b_CNT, PM2_CNT, PM_TMR, GPE0, GPE1
    .u8(4, 2, 0, 4, 4, 0, 0, 0) // lengths of PM1_EVT, PM1_CNT, PM2_CNT, PM_TM, GPE0, GPE1; GPE1_BASE
    .u16(NO_C_STATE)
    .u16(NO_C_STATE)
    .u16(0)
    .u16(0) // FLUSH_SIZE, FLUSH_STRIDE
    .u8(0, 0, 0, 0, RTC_CENTURY, 0, 0, 0); // DUTY_*, DAY_ALRM, MON_ALRM
  const clusters = apicIds.length > MAX_FLAT_CPUS ? FADT_FORCE_APIC_CLUSTER_MODEL : 0;
  const flags = FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_RTC_S4 | FADT_USE_PLATFORM_CLOCK | clusters;
  return fields.u32(flags).bytes;
}

/** Multiple APIC Description Table. */
function madt(apicIds: readonly number[]): number[] {
  const fields = new Fields().u32(LOCAL_APIC_BASE, 1); // PCAT_COMPAT: there are 8259s too
  for (const [cpu, apicId] of apicIds.entries()) fields.u8(0, 8, cpu, apicId).u32(1);
  fields.u8(1, 12, 0, 0).u32(IO_APIC_BASE, 0);
  fields.u8(2, 10, 0, 0).u32(2).u16(0); // ISA IRQ 0 is on input 2
  for (const irq of PCI_IRQS) fields.u8(2, 10, 0, irq).u32(irq).u16(LEVEL_ACTIVE_HIGH);
  return fields.u8(4, 6, 0xff).u16(0).u8(1).bytes; // NMI on LINT1 of every processor
}

function hpet(): number[] {
  return new Fields().u32(HPET_BLOCK_ID).zeros(4).u32(HPET_BASE, 0).u8(0).u16(0).u8(0).bytes;
}

/** The PM timer is good: it need not be read three times. */
const waet = (): number[] => new Fields().u32(1 << 1).bytes;

function ascii(value: string, size: number): number[] {
  return [...value.slice(0, size).padEnd(size)].map((char) => char.charCodeAt(0) & 0x7f);
}

function header(signature: string, revision: number, length: number, { oemId, oemTableId }: AcpiOptions): number[] {
  return new Fields()
    .u8(...ascii(signature, 4))
    .u32(length)
    .u8(revision, 0)
    .u8(...ascii(oemId ?? "BOCHS", 6), ...ascii(oemTableId ?? "BXPC", 8))
    .u32(1)
    .u8(...ascii("BXPC", 4))
    .u32(1).bytes;
}

/** All tables as one blob, and the RSDP that finds them as another. */
export function buildAcpi(options: AcpiOptions): LinkedBlobs {
  const tables: number[] = facs();
  const fixups: LinkedBlobs["fixups"][number][] = [];
  const starts: number[] = [];
  const append = (
    signature: string,
    revision: number,
    body: readonly number[],
    pointersAt: readonly number[],
  ): number => {
    const start = tables.length;
    const length = HEADER_SIZE + body.length;
    tables.push(...header(signature, revision, length, options), ...body);
    for (const at of pointersAt) {
      fixups.push({ kind: "pointer", file: ACPI_TABLES_FILE, offset: start + at, target: ACPI_TABLES_FILE });
    }
    fixups.push({ kind: "checksum", file: ACPI_TABLES_FILE, offset: start + 9, start, length });
    return start;
  };
  const dsdt = append("DSDT", 1, [...dsdtBody(options)], []);
  starts.push(append("FACP", 1, facp(0, dsdt, options), [HEADER_SIZE, HEADER_SIZE + 4]));
  starts.push(append("APIC", 1, madt(options.apicIds), []));
  if (options.hpet) starts.push(append("HPET", 1, hpet(), []));
  starts.push(append("WAET", 1, waet(), []));
  const entries = new Fields().u32(...starts).bytes;
  const rsdt = append(
    "RSDT",
    1,
    entries,
    starts.map((_, i) => HEADER_SIZE + 4 * i),
  );

  const rsdp = new Fields().u8(...ascii("RSD PTR ", 8), 0, ...ascii(options.oemId ?? "BOCHS", 6), 0).u32(rsdt).bytes;
  fixups.push({ kind: "pointer", file: ACPI_RSDP_FILE, offset: 16, target: ACPI_TABLES_FILE });
  fixups.push({ kind: "checksum", file: ACPI_RSDP_FILE, offset: 8, start: 0, length: RSDP_SIZE });

  const data = new Uint8Array(Math.ceil(tables.length / BLOB_UNIT) * BLOB_UNIT);
  data.set(tables);
  return {
    blobs: [
      { file: ACPI_TABLES_FILE, data, align: TABLES_ALIGN, zone: "high" },
      { file: ACPI_RSDP_FILE, data: Uint8Array.from(rsdp), align: 16, zone: "fseg" },
    ],
    fixups,
  };
}

/** The tables in a placed blob by signature, for tests and diagnostics. */
export function splitTables(data: Uint8Array): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at + 8 <= data.length && data[at] !== 0; ) {
    const length = view.getUint32(at + 4, true);
    if (length < 8) break;
    found.set(String.fromCharCode(...data.subarray(at, at + 4)), data.subarray(at, at + length));
    at += length;
  }
  return found;
}
