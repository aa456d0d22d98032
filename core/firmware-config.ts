/**
 * The firmware configuration interface as a machine sees it: numbered items and named files that guest firmware reads
 * through the fw_cfg device (QEMU's docs/specs/fw_cfg). The device is in a plugin; machines fill it through this.
 */

/** Keys of the numbered items. Items marked (arch) are those of the x86 machines. */
export const FW_CFG = {
  SIGNATURE: 0x00,
  ID: 0x01,
  UUID: 0x02,
  RAM_SIZE: 0x03,
  NOGRAPHIC: 0x04,
  NB_CPUS: 0x05,
  MACHINE_ID: 0x06,
  KERNEL_ADDR: 0x07,
  KERNEL_SIZE: 0x08,
  KERNEL_CMDLINE: 0x09,
  INITRD_ADDR: 0x0a,
  INITRD_SIZE: 0x0b,
  BOOT_DEVICE: 0x0c,
  NUMA: 0x0d,
  BOOT_MENU: 0x0e,
  MAX_CPUS: 0x0f,
  KERNEL_ENTRY: 0x10,
  KERNEL_DATA: 0x11,
  INITRD_DATA: 0x12,
  CMDLINE_ADDR: 0x13,
  CMDLINE_SIZE: 0x14,
  CMDLINE_DATA: 0x15,
  SETUP_ADDR: 0x16,
  SETUP_SIZE: 0x17,
  SETUP_DATA: 0x18,
  FILE_DIR: 0x19,
  FILE_FIRST: 0x20,
  /** (arch) */
  ACPI_TABLES: 0x8000,
  SMBIOS_ENTRIES: 0x8001,
  IRQ0_OVERRIDE: 0x8002,
  E820_TABLE: 0x8003,
  HPET: 0x8004,
} as const;

export interface FirmwareFileOptions {
  /** Lets the guest write the file by DMA; told after each write of `length` bytes at `offset`. */
  readonly write?: (offset: number, length: number) => void;
  /** Called when the guest selects the file, before it reads: the last moment to bring the bytes up to date. */
  readonly onSelect?: () => void;
}

export interface FirmwareConfig {
  /** Adds the item `key`. The bytes are not copied. */
  addBytes(key: number, data: Uint8Array): void;
  /** Adds a file under a name of at most 55 bytes. The bytes are not copied. */
  addFile(name: string, data: Uint8Array, options?: FirmwareFileOptions): void;
}

/** `value` as `size` bytes, little-endian. */
export function littleEndian(value: number | bigint, size: 1 | 2 | 4 | 8): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
  return bytes.slice(0, size);
}

/** A string with its terminating zero, in UTF-8. */
export function zeroTerminated(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}
