import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { checksum, loaderScript, placeBlobs } from "../../../../machines/pc/acpi/linker.ts";
import {
  ACPI_RSDP_FILE,
  ACPI_TABLES_FILE,
  type AcpiOptions,
  buildAcpi,
  splitTables,
} from "../../../../machines/pc/acpi/tables.ts";

const FULL: AcpiOptions = {
  apicIds: [0, 4],
  pciHoleStart: 0x0800_0000,
  hpet: true,
  fwCfg: true,
  keyboard: true,
  floppy: true,
  serials: 4,
  parallels: 3,
  pvpanicPort: 0x505,
  sleep: { s3: true, s4: 2 },
  smm: true,
};
const BARE: AcpiOptions = {
  ...FULL,
  apicIds: [0],
  hpet: false,
  fwCfg: false,
  keyboard: false,
  floppy: false,
  serials: 0,
  parallels: 0,
  pvpanicPort: undefined,
  sleep: { s3: false, s4: undefined },
  smm: false,
};
const TABLES = 0x07fe_0000;
const RSDP = 0xf5000;

function place(options: AcpiOptions) {
  const placed = placeBlobs(buildAcpi(options), { [ACPI_TABLES_FILE]: TABLES, [ACPI_RSDP_FILE]: RSDP });
  const data = placed.get(ACPI_TABLES_FILE)!.data;
  return { data, rsdp: placed.get(ACPI_RSDP_FILE)!.data, tables: splitTables(data) };
}

const u32 = (bytes: Uint8Array, at: number): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
const signature = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));

test("every pointer leads to its table, every checksum is right", () => {
  const { data, rsdp, tables } = place(FULL);
  assert.is(String.fromCharCode(...rsdp.subarray(0, 8)), "RSD PTR ");
  assert.is(checksum(rsdp), 0);
  const rsdt = u32(rsdp, 16) - TABLES;
  assert.is(signature(data, rsdt), "RSDT");
  const listed = [];
  for (let at = rsdt + 36; at < rsdt + u32(data, rsdt + 4); at += 4)
    listed.push(signature(data, u32(data, at) - TABLES));
  assert.equal(listed, ["FACP", "APIC", "HPET", "WAET"]);
  const facp = tables.get("FACP")!;
  assert.is(signature(data, u32(facp, 36) - TABLES), "FACS");
  assert.is((u32(facp, 36) - TABLES) % 64, 0, "FACS is aligned");
  assert.is(signature(data, u32(facp, 40) - TABLES), "DSDT");
  for (const [name, bytes] of tables) if (name !== "FACS") assert.is(checksum(bytes), 0, name);
});

test("FACP: PM1 at 0x600, timer at 0x608, SCI 9, SMI commands only with SMM", () => {
  const facp = place(FULL).tables.get("FACP")!;
  assert.is(facp.length, 116);
  assert.is(facp[46], 9);
  assert.is(u32(facp, 48), 0xb2);
  assert.equal([...facp.subarray(52, 54)], [0xf1, 0xf0]);
  assert.equal([u32(facp, 56), u32(facp, 64), u32(facp, 76), u32(facp, 80)], [0x600, 0x604, 0x608, 0xafe0]);
  assert.is(facp[108], 0x32);
  assert.is(u32(place(BARE).tables.get("FACP")!, 48), 0);
});

test("FACP: more than eight CPUs need logical destinations in clusters", () => {
  const apicIds = (count: number): AcpiOptions => ({ ...FULL, apicIds: Array.from({ length: count }, (_, i) => i) });
  const clusters = (count: number): number => (u32(place(apicIds(count)).tables.get("FACP")!, 112) >> 18) & 1;
  assert.equal([clusters(8), clusters(9)], [0, 1]);
});

test("APIC: a local APIC per CPU, one IO-APIC, overrides for IRQ 0, 5, 9, 10 and 11, NMI on LINT1", () => {
  const apic = place(FULL).tables.get("APIC")!;
  const entries: [number, number[]][] = [];
  for (let at = 44; at < apic.length; at += apic[at + 1])
    entries.push([apic[at], [...apic.subarray(at + 2, at + apic[at + 1])]]);
  assert.equal(
    entries.map(([type]) => type),
    [0, 0, 1, 2, 2, 2, 2, 2, 4],
  );
  assert.equal(entries[1][1], [1, 4, 1, 0, 0, 0], "the second CPU, with its APIC ID");
  assert.equal(entries[2][1], [0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0]);
  assert.equal(entries[3][1], [0, 0, 2, 0, 0, 0, 0, 0]);
  assert.equal(entries[4][1], [0, 5, 5, 0, 0, 0, 0x0d, 0]);
  assert.equal(entries[8][1], [0xff, 0, 0, 1]);
});

test("a machine without the optional devices has fewer tables and objects", () => {
  const { tables } = place(BARE);
  assert.equal([...tables.keys()], ["FACS", "DSDT", "FACP", "APIC", "WAET", "RSDT"]);
  const dsdt = Buffer.from(tables.get("DSDT")!).toString("latin1");
  for (const absent of ["HPET", "FWCF", "KBD_", "FDC0", "COM1", "LPT1", "PEVT", "_S3_", "_S4_"]) {
    assert.not(dsdt.includes(absent), absent);
  }
  for (const there of ["PCI0", "_PRT", "LNKD", "LNKS", "RTC_", "C000", "_S5_"]) assert.ok(dsdt.includes(there), there);
});

test("the loader script allocates, then links, then sums; each command has 128 bytes", () => {
  const linked = buildAcpi(FULL);
  const script = loaderScript(linked);
  assert.is(script.length % 128, 0);
  const commands = Array.from({ length: script.length / 128 }, (_, i) => script.subarray(i * 128, i * 128 + 128));
  const name = (bytes: Uint8Array, at: number) =>
    Buffer.from(bytes.subarray(at, at + 56))
      .toString()
      .replace(/\0+$/, "");
  assert.equal(
    commands.slice(0, 2).map((command) => [u32(command, 0), name(command, 4), u32(command, 60), command[64]]),
    [
      [1, ACPI_TABLES_FILE, 64, 1],
      [1, ACPI_RSDP_FILE, 16, 2],
    ],
  );
  const [pointer, sum] = commands.slice(-2);
  assert.equal(
    [u32(pointer, 0), name(pointer, 4), name(pointer, 60), u32(pointer, 116), pointer[120]],
    [2, ACPI_RSDP_FILE, ACPI_TABLES_FILE, 16, 4],
  );
  assert.equal([u32(sum, 0), name(sum, 4), u32(sum, 60), u32(sum, 64), u32(sum, 68)], [3, ACPI_RSDP_FILE, 8, 0, 20]);
  const blobs = new Map(linked.blobs.map((blob) => [blob.file, blob.data]));
  for (const command of commands.slice(2)) {
    const data = blobs.get(name(command, 4))!;
    if (u32(command, 0) === 3) assert.ok(u32(command, 64) + u32(command, 68) <= data.length);
    else assert.ok(u32(command, 116) + 4 <= data.length);
  }
});

const hasIasl = spawnSync("iasl", ["-v"]).status === 0;
for (const [what, options] of [
  ["all devices", FULL],
  ["no optional device", BARE],
] as const) {
  const reason = hasIasl ? "" : " (skipped: no iasl; it is in the Debian package acpica-tools)";
  (hasIasl ? test : test.skip)(`iasl takes every table of a machine with ${what}${reason}`, () => {
    const folder = mkdtempSync(join(tmpdir(), "qemu-next-acpi-"));
    try {
      for (const [name, bytes] of place(options).tables) {
        writeFileSync(join(folder, `${name}.aml`), bytes);
        const decompiled = spawnSync("iasl", ["-d", `${name}.aml`], { cwd: folder, encoding: "utf8" });
        assert.is(decompiled.status, 0, decompiled.stderr);
        // 3168: Processor(), which ACPI 1.0 systems need, is called legacy.
        const compiled = spawnSync("iasl", ["-vw", "3168", "-p", "again", `${name}.dsl`], {
          cwd: folder,
          encoding: "utf8",
        });
        assert.match(compiled.stdout, /Compilation successful. 0 Errors, 0 Warnings, 0 Remarks/, compiled.stderr);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test.run();
