/** A test bench: one controller with drives on memory disks, driven through its ports like a driver does. */

import { MemoryBlockPort } from "../../../../core/block/port.ts";
import type { AccessSize } from "../../../../core/bus/io.ts";
import { PortSpace } from "../../../../core/bus/io.ts";
import { PCI_COMMAND, PciBus } from "../../../../core/bus/pci.ts";
import { irqLine } from "../../../../core/irq.ts";
import { ArrayDma } from "../../../../core/memory/dma.ts";
import { StateArena } from "../../../../core/state/state.ts";
import { AtaDisk, type AtaDiskOptions } from "../../../../plugins/devices/ide/ata-disk.ts";
import { AtapiCdrom } from "../../../../plugins/devices/ide/atapi-cdrom.ts";
import { Piix3Ide } from "../../../../plugins/devices/ide/piix3-ide.ts";

export const DATA = 0x1f0;
export const ERROR = 0x1f1;
export const COUNT = 0x1f2;
export const LOW = 0x1f3;
export const MID = 0x1f4;
export const HIGH = 0x1f5;
export const DEVICE = 0x1f6;
export const STATUS = 0x1f7;
export const CONTROL = 0x3f6;
export const BMIDE = 0xc000;
/** Where tests put descriptor tables. */
export const PRDT = 0x1000;

export const IDENTITY = { serial: "QM00001", model: "QEMU HARDDISK", version: "2.5+" };

/** A disk whose every sector starts with its number and is full of it. */
export function diskImage(sectors: number, size = 512): Uint8Array {
  const bytes = new Uint8Array(sectors * size);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < sectors; i++) {
    bytes.fill(i + 1, i * size, (i + 1) * size);
    view.setUint32(i * size, i, true);
  }
  return bytes;
}

export class Bench {
  readonly arena = StateArena.create(1 << 19);
  readonly ports = new PortSpace();
  readonly dma = new ArrayDma(1 << 20);
  readonly controller: Piix3Ide;
  /** Level of IRQ 14, and how often it rose. */
  irq = false;
  rises = 0;

  constructor() {
    const irq14 = irqLine((level) => {
      if (level && !this.irq) this.rises++;
      this.irq = level;
    });
    this.controller = new Piix3Ide({
      name: "ide",
      arena: this.arena,
      dma: this.dma,
      irqs: [irq14, irqLine(() => {})],
    });
    const [primary, secondary] = this.controller.channels;
    this.ports.map(DATA, primary.commandBlock);
    this.ports.map(CONTROL, primary.controlBlock);
    this.ports.map(0x170, secondary.commandBlock);
    this.ports.map(0x376, secondary.controlBlock);
    const bus = new PciBus(
      { map: (_kind, base, _size, target) => this.#map(base, target as never) },
      { input: () => 0, inputs: [irqLine(() => {})] },
    );
    bus.plug(this.controller, 9);
    this.powerUp();
  }

  #map(base: number, target: { region: Piix3Ide["busMasterIo"] }): () => void {
    const mapping = this.ports.map(base, target.region);
    return () => mapping.remove();
  }

  /** What the BIOS does: base address and bus mastering. */
  powerUp(): void {
    this.controller.configWrite(0x20, BMIDE, 4);
    this.controller.configWrite(PCI_COMMAND, 5, 2);
  }

  disk(sectors: number, unit: 0 | 1 = 0, options: Partial<AtaDiskOptions> = {}): MemoryBlockPort {
    const drive = new MemoryBlockPort(diskImage(sectors));
    this.attach(drive, unit, options);
    return drive;
  }

  attach(drive: AtaDiskOptions["drive"], unit: 0 | 1 = 0, options: Partial<AtaDiskOptions> = {}): AtaDisk {
    return new AtaDisk({
      position: 0,
      name: `disk${unit}`,
      arena: this.arena,
      unit: this.controller.channels[0].units[unit],
      drive,
      identity: IDENTITY,
      ...options,
    });
  }

  cdrom(drive: MemoryBlockPort, unit: 0 | 1 = 0): AtapiCdrom {
    return new AtapiCdrom({
      name: `cd${unit}`,
      arena: this.arena,
      unit: this.controller.channels[0].units[unit],
      drive,
      identity: { ...IDENTITY, model: "QEMU DVD-ROM" },
    });
  }

  in(port: number, size: AccessSize = 1): number {
    return this.ports.read(port, size);
  }

  out(port: number, value: number, size: AccessSize = 1): void {
    this.ports.write(port, value, size);
  }

  /** Alternate status: clears nothing. */
  get alt(): number {
    return this.in(CONTROL);
  }

  /** Writes the task file for a 28-bit command and the command. */
  lba28(command: number, lba: number, count: number, unit = 0): void {
    this.out(DEVICE, 0xe0 | (unit << 4) | (Math.floor(lba / 2 ** 24) & 0xf));
    this.out(COUNT, count & 0xff);
    this.out(LOW, lba & 0xff);
    this.out(MID, (lba >>> 8) & 0xff);
    this.out(HIGH, (lba >>> 16) & 0xff);
    this.out(STATUS, command);
  }

  lba48(command: number, lba: number, count: number): void {
    const byte = (n: number): number => Math.floor(lba / 2 ** (8 * n)) & 0xff;
    this.out(DEVICE, 0xe0);
    for (const [port, value] of [
      [COUNT, count >>> 8],
      [LOW, byte(3)],
      [MID, byte(4)],
      [HIGH, byte(5)],
      [COUNT, count],
      [LOW, byte(0)],
      [MID, byte(1)],
      [HIGH, byte(2)],
    ]) {
      this.out(port, value & 0xff);
    }
    this.out(STATUS, command);
  }

  readWords(bytes: number, size: 2 | 4 = 2): Uint8Array {
    const into = new Uint8Array(bytes);
    for (let i = 0; i < bytes; i += size) {
      const value = this.in(DATA, size);
      for (let j = 0; j < size && i + j < bytes; j++) into[i + j] = value >>> (j * 8);
    }
    return into;
  }

  writeWords(data: Uint8Array): void {
    for (let i = 0; i < data.length; i += 2) this.out(DATA, data[i] | ((data[i + 1] ?? 0) << 8), 2);
  }

  /** Puts a descriptor table at PRDT and starts the bus master. */
  startDma(regions: readonly (readonly [base: number, length: number])[], toMemory: boolean): void {
    regions.forEach(([base, length], i) => {
      this.dma.write32(PRDT + i * 8, base);
      this.dma.write32(PRDT + i * 8 + 4, (length & 0xffff) | (i === regions.length - 1 ? 0x8000_0000 : 0));
    });
    this.out(BMIDE + 4, PRDT, 4);
    this.out(BMIDE, toMemory ? 8 : 0);
    this.out(BMIDE + 2, 6);
    this.out(BMIDE, toMemory ? 9 : 1);
  }
}
