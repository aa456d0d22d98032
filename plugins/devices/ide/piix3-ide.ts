/**
 * The IDE function of the PIIX3 (Intel 82371SB, section 2.2): two ATA channels at the legacy ports and interrupts, with
 * the bus master registers behind base address register 4.
 *
 * DEVIATION: the legacy ports decode whether or not IDETIM enables them, since no timing is modelled.
 */

import type { IoRegion } from "../../../core/bus/io.ts";
import { PCI_STATUS, PciDevice, QEMU_SUBSYSTEM } from "../../../core/bus/pci.ts";
import type { Device } from "../../../core/device.ts";
import type { IrqLine } from "../../../core/irq.ts";
import type { Dma } from "../../../core/memory/dma.ts";
import type { StateArena } from "../../../core/state/state.ts";
import { BusMaster } from "./bus-master.ts";
import { AtaChannel } from "./channel.ts";

const CLASS_IDE = 0x0101;
/** Bus master; both channels in compatibility mode for good. */
const PROG_IF = 0x80;
const BAR_BUS_MASTER = 4;
/** IDETIM of both channels, SIDETIM, and the reserved bytes that PIIX4's UDMA registers would take. */
const TIMING_REGISTERS = [0x40, 0x41, 0x42, 0x43, 0x44];
const STATUS_RESET = 0x0280; // medium DEVSEL timing, fast back-to-back

export interface Piix3IdeOptions {
  readonly name: string;
  readonly arena: StateArena;
  readonly dma: Dma;
  /** ISA interrupts 14 and 15. */
  readonly irqs: readonly [IrqLine, IrqLine];
}

export class Piix3Ide extends PciDevice implements Device {
  readonly channels: readonly [AtaChannel, AtaChannel];
  /** The sixteen bus master registers: eight per channel. */
  readonly busMasterIo: IoRegion;
  readonly #masters: readonly [BusMaster, BusMaster];

  constructor(options: Piix3IdeOptions) {
    super(options, {
      vendorId: 0x8086,
      deviceId: 0x7010,
      classCode: CLASS_IDE,
      progIf: PROG_IF,
      ...QEMU_SUBSYSTEM,
    });
    for (const register of TIMING_REGISTERS) this.writable[register] = 0xff;
    const pairs = options.irqs.map((irq, index) => this.#makeChannel(options, index, irq));
    this.channels = [pairs[0].channel, pairs[1].channel];
    this.#masters = [pairs[0].master, pairs[1].master];
    this.busMasterIo = {
      name: "piix-bmdma",
      length: 16,
      max: 1,
      handler: {
        read: (offset) => this.#masters[(offset >> 3) & 1].read(offset & 7),
        write: (offset, value) => this.#masters[(offset >> 3) & 1].write(offset & 7, value),
      },
    };
    this.registerBar(BAR_BUS_MASTER, { kind: "io", size: 16, target: { region: this.busMasterIo } });
    this.setConfig16(PCI_STATUS, STATUS_RESET);
  }

  reset(): void {
    this.resetConfig();
    this.setConfig16(PCI_STATUS, STATUS_RESET);
    for (const channel of this.channels) channel.reset();
    for (const master of this.#masters) master.reset();
  }

  loaded(): void {
    this.updateMappings();
    for (const channel of this.channels) channel.loaded();
  }

  #makeChannel({ name, arena, dma }: Piix3IdeOptions, index: number, irq: IrqLine) {
    const master = new BusMaster({
      name: `${name}/bmdma${index}`,
      arena,
      dma,
      enabled: () => this.busMaster,
      started: () => channel.busMasterStarted(),
    });
    const channel: AtaChannel = new AtaChannel({
      name: `${name}/ide${index}`,
      arena,
      busMaster: master,
      irq,
    });
    return { channel, master };
  }
}
