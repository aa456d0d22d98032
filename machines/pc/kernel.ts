/** -kernel: started by an option ROM through the firmware, or directly when the machine has none. */

import type { Vcpu } from "../../core/accel.ts";
import type { PortSpace } from "../../core/bus/io.ts";
import type { PciBus } from "../../core/bus/pci.ts";
import type { FirmwareConfig } from "../../core/firmware-config.ts";
import type { AddressSpace } from "../../core/memory/address-space.ts";
import type { MachineOptions } from "../../core/options/machine-options.ts";
import { placeBlobs } from "./acpi/linker.ts";
import { ACPI_RSDP_FILE, ACPI_TABLES_FILE, type AcpiOptions, buildAcpi, FACS_WAKING_VECTOR } from "./acpi/tables.ts";
import { realModeEntry } from "./boot/boot-state.ts";
import { chipSetup } from "./boot/chip-setup.ts";
import { type KernelImage, openKernel } from "./boot/kernel-image.ts";
import { type BootOrder, romPath } from "./boot-order.ts";
import { boardE820, E820_ACPI, E820_RAM, E820_RESERVED, type RamLayout, ramRanges } from "./e820.ts";
import { buildSmbios, placeAnchor, type SmbiosOptions } from "./smbios/smbios.ts";

const PAGE = 4096;
/** RAM below the BIOS data that kernels leave alone. */
const CONVENTIONAL_END = 0x9fc00;
const EXTENDED_START = 0x10_0000;
const SMBIOS_ANCHOR_ADDRESS = 0xf0000;
const SMBIOS_TABLES_ADDRESS = 0xf0100;

export class Kernel {
  readonly #image: KernelImage;
  readonly #layout: RamLayout;
  readonly #acpi: AcpiOptions;
  readonly #smbios: SmbiosOptions;
  readonly #withFirmware: boolean;
  /** Address of the FACS, which the tables begin with. */
  #facs = 0;

  private constructor(image: KernelImage, options: MachineOptions, layout: RamLayout, acpi: AcpiOptions) {
    this.#smbios = { uuid: options.uuid, cpus: options.smp, ram: ramRanges(layout) };
    this.#image = image;
    this.#layout = layout;
    this.#acpi = acpi;
    this.#withFirmware = options.firmware.bios !== undefined;
  }

  /** The kernel that -kernel names, or undefined. */
  static load(options: MachineOptions, layout: RamLayout, acpi: AcpiOptions): Kernel | undefined {
    const { kernel, initrd, commandLine } = options.firmware;
    if (kernel === undefined) return undefined;
    return new Kernel(openKernel({ kernel, initrd, commandLine }), options, layout, acpi);
  }

  /** Offers the kernel to firmware, before everything else that boots. */
  offer(fw: FirmwareConfig, bootOrder: BootOrder): void {
    if (!this.#withFirmware) return;
    this.#image.offer(fw, this.#layout.below4g);
    bootOrder.add(0, romPath(this.#image.romFile));
  }

  /** After reset, without firmware: programs the chips, puts tables and kernel into memory, the CPU at its entry. */
  start(cpu: Vcpu, memory: AddressSpace, ports: PortSpace, pci: PciBus): void {
    if (this.#withFirmware) return;
    setUpChips(ports, pci);
    this.#placeSmbios(memory);
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
    const state = this.#image.direct({ ramEnd: top, e820, rsdp: addresses[ACPI_RSDP_FILE] });
    for (const { address, data } of state.memory) memory.dma.write(address, data);
    this.#facs = addresses[ACPI_TABLES_FILE];
    cpu.setRegisters(state.registers);
  }

  /** After the reset that ends S3, without firmware: the CPU goes on where the guest has asked for in the FACS. */
  resume(cpu: Vcpu, memory: AddressSpace, ports: PortSpace, pci: PciBus): void {
    if (this.#withFirmware) return;
    setUpChips(ports, pci);
    cpu.setRegisters(realModeEntry(memory.read(this.#facs + FACS_WAKING_VECTOR, 4)));
  }

  /** Where kernels without EFI look for it: on a paragraph between F0000h and FFFFFh. */
  #placeSmbios(memory: AddressSpace): void {
    const { tables, anchor } = buildSmbios(this.#smbios);
    memory.dma.write(SMBIOS_ANCHOR_ADDRESS, placeAnchor(anchor, SMBIOS_TABLES_ADDRESS));
    memory.dma.write(SMBIOS_TABLES_ADDRESS, tables);
  }
}

function setUpChips(ports: PortSpace, pci: PciBus): void {
  const setup = chipSetup();
  for (const { devfn, register, value, size } of setup.pci) pci.configWrite(devfn, register, value, size);
  for (const { port, value, size } of setup.ports) ports.write(port, value, size);
}
