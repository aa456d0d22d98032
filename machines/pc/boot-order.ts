/**
 * The fw_cfg file "bootorder": what firmware tries to boot, as OpenFirmware paths, the lowest bootindex first. SeaBIOS
 * tries whatever the list does not name afterwards, unless it ends in HALT.
 */

import { QemuError } from "../../core/errors.ts";

/** Where each bus hangs in the board's device tree. */
const BUS_PATHS = { PCI: "/pci@i0cf8/", ISA: "/pci@i0cf8/isa@1/" } as const;
const HALT = "HALT";

/** The entry of an option ROM that firmware gets as a fw_cfg file. */
export const romPath = (file: string): string => `/rom@${file}`;

export class BootOrder {
  readonly #entries = new Map<number, string>();

  /** A negative or absent index is not in the order. */
  add(index: number | undefined, path: string): void {
    if (index === undefined || index < 0) return;
    if (this.#entries.has(index)) throw new QemuError("bootindex", `The bootindex ${index} has already been used`);
    this.#entries.set(index, path);
  }

  /** A device by its path below the bus it is on. */
  addDevice(index: number | undefined, bus: keyof typeof BUS_PATHS, path: string): void {
    this.add(index, BUS_PATHS[bus] + path);
  }

  /** `strict`: what is not named is not booted. */
  list(strict: boolean): string[] {
    const paths = [...this.#entries].sort(([a], [b]) => a - b).map(([, path]) => path);
    return strict && paths.length > 0 ? [...paths, HALT] : paths;
  }
}
