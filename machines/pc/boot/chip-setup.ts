/**
 * What firmware programs into the board's chips before it starts a kernel, as far as kernels rely on it: power
 * management at the ports the ACPI tables name, IDE decoding, PCI interrupt routing, level-triggered interrupts, and
 * RAM where the BIOS would be. Carried out after reset when a machine has no firmware.
 */

import type { ChipSetup } from "./boot-state.ts";

const HOST_BRIDGE = 0;
const PIIX3 = 1 << 3;
const PIIX3_IDE = (1 << 3) | 1;
const PIIX4_PM = (1 << 3) | 3;

const PAM0 = 0x59;
const PAM_COUNT = 7;
/** Reads and writes of both halves go to RAM. */
const PAM_RAM = 0x33;
const PIRQRCA = 0x60;
const PIRQS = [10, 10, 11, 11] as const;
const PMBASE = 0x40;
const PMREGMISC = 0x80;
const PMREGMISC_ENABLE = 1;
const PM_PORTS = 0x600;
const SMBHSTCFG = 0xd2;
const SMBBA = 0x90;
const SMB_PORTS = 0x700;
const SMB_ENABLE_IRQ9 = 0x09;
const PCI_COMMAND = 0x04;
const PCI_COMMAND_IO = 1;
const PCI_COMMAND_IO_MASTER = 5;
const PCI_INTERRUPT_LINE = 0x3c;
/** IDETIM of either channel: IDE decode enable. */
const IDETIM = [0x40, 0x42] as const;
const IDE_DECODE = 0x8000;
const BMIBA = 0x20;
const BUS_MASTER_PORTS = 0xc000;
const SCI_IRQ = 9;
const ELCR1 = 0x4d0;

/** Programs the chips of the i440FX PC. */
export function chipSetup(): ChipSetup {
  const levels = new Set<number>([...PIRQS, SCI_IRQ]);
  const elcr = [...levels].reduce((mask, irq) => mask | (1 << irq), 0);
  return {
    pci: [
      ...Array.from({ length: PAM_COUNT }, (_, i) => ({
        devfn: HOST_BRIDGE,
        register: PAM0 + i,
        value: i === 0 ? PAM_RAM & 0xf0 : PAM_RAM,
        size: 1 as const,
      })),
      ...PIRQS.map((irq, i) => ({ devfn: PIIX3, register: PIRQRCA + i, value: irq, size: 1 as const })),
      ...IDETIM.map((register) => ({ devfn: PIIX3_IDE, register, value: IDE_DECODE, size: 2 as const })),
      { devfn: PIIX3_IDE, register: BMIBA, value: BUS_MASTER_PORTS | 1, size: 4 },
      { devfn: PIIX3_IDE, register: PCI_COMMAND, value: PCI_COMMAND_IO_MASTER, size: 2 },
      { devfn: PIIX4_PM, register: PMBASE, value: PM_PORTS | 1, size: 4 },
      { devfn: PIIX4_PM, register: PMREGMISC, value: PMREGMISC_ENABLE, size: 1 },
      { devfn: PIIX4_PM, register: SMBBA, value: SMB_PORTS | 1, size: 4 },
      { devfn: PIIX4_PM, register: SMBHSTCFG, value: SMB_ENABLE_IRQ9, size: 1 },
      { devfn: PIIX4_PM, register: PCI_INTERRUPT_LINE, value: SCI_IRQ, size: 1 },
      { devfn: PIIX4_PM, register: PCI_COMMAND, value: PCI_COMMAND_IO, size: 2 },
    ],
    ports: [
      { port: ELCR1, value: elcr & 0xff, size: 1 },
      { port: ELCR1 + 1, value: elcr >> 8, size: 1 },
    ],
  };
}
