/** What the PC board puts into fw_cfg: memory map, boot order, ACPI and SMBIOS tables, as QEMU's pc machine does. */

import { type FirmwareConfig, FW_CFG, littleEndian, zeroTerminated } from "../../core/firmware-config.ts";
import type { MachineOptions } from "../../core/options/machine-options.ts";
import type { SleepStates } from "./acpi/dsdt.ts";
import { loaderScript } from "./acpi/linker.ts";
import { type AcpiOptions, buildAcpi } from "./acpi/tables.ts";
import { boardE820, encodeE820, legacyE820, type RamLayout, ramRanges } from "./e820.ts";
import { buildSmbios, parseUuid, SMBIOS_ANCHOR_FILE, SMBIOS_TABLES_FILE } from "./smbios/smbios.ts";

const NIL_UUID = "00000000-0000-0000-0000-000000000000";
/** Base, length, version 1, one comparator block: struct hpet_fw_entry of one HPET. */
const HPET_ENTRY_SIZE = 121;
const HPET_BASE = 0xfed00000;
const HPET_BLOCK_ID = 0x8086a201;

export function fillFirmwareConfig(
  fw: FirmwareConfig,
  options: MachineOptions,
  layout: RamLayout,
  acpi: AcpiOptions,
  bootOrder: readonly string[],
): void {
  const { boot } = options;
  const uuid = options.uuid ?? NIL_UUID;
  fw.addBytes(FW_CFG.UUID, parseUuid(uuid));
  fw.addBytes(FW_CFG.RAM_SIZE, littleEndian(options.ram, 8));
  fw.addBytes(FW_CFG.NOGRAPHIC, littleEndian(options.graphics ? 0 : 1, 2));
  fw.addBytes(FW_CFG.NB_CPUS, littleEndian(options.smp.cpus, 2));
  // Not a number of CPUs, but what is above every APIC ID.
  fw.addBytes(FW_CFG.MAX_CPUS, littleEndian(acpi.apicIds.at(-1)! + 1, 2));
  fw.addBytes(FW_CFG.MACHINE_ID, littleEndian(1, 4));
  fw.addBytes(FW_CFG.BOOT_MENU, littleEndian(boot.menu ? 1 : 0, 2));
  fw.addBytes(FW_CFG.BOOT_DEVICE, littleEndian((boot.once ?? boot.order).charCodeAt(0) || 0, 2));
  fw.addBytes(FW_CFG.IRQ0_OVERRIDE, littleEndian(1, 4));
  fw.addBytes(FW_CFG.E820_TABLE, legacyE820([]));
  fw.addBytes(FW_CFG.HPET, acpi.hpet ? hpetEntry() : Uint8Array.of(0));
  fw.addFile("etc/e820", encodeE820(boardE820(layout)));
  fw.addFile("etc/system-states", systemStates(acpi.sleep));
  fw.addFile("bootorder", zeroTerminated(bootOrder.join("\n")));
  if (boot.splashTime !== undefined) fw.addFile("etc/boot-menu-wait", littleEndian(boot.splashTime, 2));
  fw.addFile("etc/boot-fail-wait", littleEndian(boot.rebootTimeout, 4));

  const tables = buildAcpi(acpi);
  for (const { file, data } of tables.blobs) fw.addFile(file, Uint8Array.from(data));
  fw.addFile("etc/table-loader", loaderScript(tables));

  const smbios = buildSmbios({ uuid: options.uuid, cpus: options.smp, ram: ramRanges(layout) });
  fw.addFile(SMBIOS_TABLES_FILE, smbios.tables);
  fw.addFile(SMBIOS_ANCHOR_FILE, smbios.anchor);
}

/** A byte per S-state: bit 7 says that the machine has it, the others are its SLP_TYP. S0 and S5 always are. */
function systemStates({ s3, s4 }: SleepStates): Uint8Array {
  const present = 0x80;
  return Uint8Array.of(present, 0, 0, s3 ? present | 1 : 1, s4 === undefined ? 2 : present | s4, present);
}

function hpetEntry(): Uint8Array {
  const bytes = new Uint8Array(HPET_ENTRY_SIZE);
  const view = new DataView(bytes.buffer);
  bytes[0] = 1;
  view.setUint32(1, HPET_BLOCK_ID, true);
  view.setBigUint64(5, BigInt(HPET_BASE), true);
  return bytes;
}
