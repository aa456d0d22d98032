/** -kernel: a Linux or Multiboot kernel, started by option ROM through the firmware, or directly when there is none. */

import type { Vcpu } from "../../core/accel.ts";
import type { FirmwareConfig } from "../../core/firmware-config.ts";
import type { AddressSpace } from "../../core/memory/address-space.ts";
import type { MachineOptions } from "../../core/options/machine-options.ts";
import { placeBlobs } from "./acpi/linker.ts";
import { ACPI_RSDP_FILE, type AcpiOptions, buildAcpi } from "./acpi/tables.ts";
import { bootLinuxDirectly, offerLinux } from "./boot/linux.ts";
import { bootOrderOfRom, LINUXBOOT_ROM_FILE, linuxBootRom } from "./boot/option-rom.ts";
import { boardE820, E820_ACPI, E820_RAM, E820_RESERVED, type RamLayout } from "./e820.ts";
import { readImage } from "./firmware.ts";

const MAX_KERNEL = 2 ** 31 - 1;
const PAGE = 4096;
const CONVENTIONAL_END = 0x9fc00;
const EXTENDED_START = 0x10_0000;

export class Kernel {
  readonly #options: MachineOptions;
  readonly #layout: RamLayout;
  readonly #acpi: AcpiOptions;
  readonly #kernel: Uint8Array;
  readonly #initrd: Uint8Array | undefined;

  private constructor(options: MachineOptions, layout: RamLayout, acpi: AcpiOptions, kernel: string) {
    const { initrd } = options.firmware;
    this.#options = options;
    this.#layout = layout;
    this.#acpi = acpi;
    this.#kernel = readImage(kernel, "kernel", MAX_KERNEL);
    this.#initrd = initrd === undefined ? undefined : readImage(initrd, "initrd", MAX_KERNEL);
  }

  /** The kernel that -kernel names, or undefined. */
  static load(options: MachineOptions, layout: RamLayout, acpi: AcpiOptions): Kernel | undefined {
    const { kernel } = options.firmware;
    return kernel === undefined ? undefined : new Kernel(options, layout, acpi, kernel);
  }

  get #withFirmware(): boolean {
    return this.#options.firmware.bios !== undefined;
  }

  /** Boot order entries that come before all others. */
  get bootOrder(): string[] {
    return this.#withFirmware ? [bootOrderOfRom(LINUXBOOT_ROM_FILE)] : [];
  }

  /** Offers the kernel to firmware. */
  offer(fw: FirmwareConfig): void {
    if (!this.#withFirmware) return;
    offerLinux(fw, { ...this.#image, ramEnd: this.#layout.below4g });
    fw.addFile(LINUXBOOT_ROM_FILE, linuxBootRom());
  }

  /** After reset, without firmware: puts the kernel into memory and the CPU at its entry. */
  start(cpu: Vcpu, memory: AddressSpace): void {
    if (this.#withFirmware) return;
    const { below4g } = this.#layout;
    const tables = buildAcpi(this.#acpi);
    const addresses: Record<string, number> = {};
    let top = below4g;
    for (const { file, data } of tables.blobs) {
      top = Math.floor((top - data.length) / PAGE) * PAGE;
      addresses[file] = top;
    }
    for (const { address, data } of placeBlobs(tables, addresses).values()) memory.dma.write(address, data);
    const e820 = [
      { base: 0, size: CONVENTIONAL_END, type: E820_RAM },
      { base: CONVENTIONAL_END, size: EXTENDED_START - CONVENTIONAL_END, type: E820_RESERVED },
      { base: EXTENDED_START, size: top - EXTENDED_START, type: E820_RAM },
      { base: top, size: below4g - top, type: E820_ACPI },
      ...boardE820(this.#layout).filter(({ base }) => base > below4g),
    ];
    const state = bootLinuxDirectly({ ...this.#image, ramEnd: top, e820, rsdp: addresses[ACPI_RSDP_FILE] });
    for (const { address, data } of state.memory) memory.dma.write(address, data);
    cpu.setRegisters(state.registers);
  }

  get #image() {
    const { kernel = "", commandLine } = this.#options.firmware;
    return { kernel: this.#kernel, file: kernel, initrd: this.#initrd, commandLine };
  }
}
