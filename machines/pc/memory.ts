/**
 * The address map of the PC below 4 GiB: main RAM from 0, ROM shadows below 1 MiB, the firmware at the top. Priorities:
 * RAM 0, ROMs and the video hole 1 (PCI and board devices the same, mapped later), shadow RAM of the host bridge 10.
 */

import type { Bus } from "../../core/bus/io.ts";
import { AddressSpace } from "../../core/memory/address-space.ts";
import type { GuestBlock, GuestMemory } from "../../core/memory/guest-memory.ts";
import { type RamLayout, ramRanges } from "./e820.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const FOUR_GIB = 2 ** 32;
const VIDEO_HOLE = 0xa0000;
const VIDEO_HOLE_SIZE = 128 * KIB;
const OPTION_ROM_AREA = 0xc0000;
const OPTION_ROM_AREA_SIZE = 128 * KIB;
const ISA_BIOS_SIZE = 128 * KIB;
const ROM_PRIORITY = 1;

export interface BoardMemory {
  readonly space: AddressSpace;
  readonly ram: GuestBlock;
  /** The firmware image, if the machine has one. */
  readonly bios: GuestBlock | undefined;
}

/** Maps RAM and ROM. `bios` is the firmware image, a multiple of 64 KiB; `elsewhere` see `AddressSpace`. */
export function mapMemory(
  memory: GuestMemory,
  layout: RamLayout,
  bios: Uint8Array | undefined,
  elsewhere?: Bus,
): BoardMemory {
  const space = new AddressSpace(memory, elsewhere);
  const ram = memory.allocateBlock("pc.ram", layout.below4g + layout.above4g);
  let rom: GuestBlock | undefined;
  /**
   * Bus addresses where nothing answers: video memory without a display adapter, and below a small firmware. What lies
   * over one is not known where that is elsewhere.
   */
  const mapHole = (name: string, base: number, length: number): void => {
    const handler = { read: () => 0xffffffff, write: () => {} };
    if (!elsewhere) space.map(name, base, length, { kind: "io", region: { name, length, handler } }, ROM_PRIORITY);
  };
  space.batch(() => {
    let offset = 0;
    for (const { base, size } of ramRanges(layout)) {
      space.map(base === 0 ? "ram-below-4g" : "ram-above-4g", base, size, { kind: "ram", block: ram, offset });
      offset += size;
    }
    mapHole("video-hole", VIDEO_HOLE, VIDEO_HOLE_SIZE);
    const optionRoms = memory.allocateBlock("pc.rom", OPTION_ROM_AREA_SIZE, true);
    space.map("pc.rom", OPTION_ROM_AREA, OPTION_ROM_AREA_SIZE, { kind: "rom", block: optionRoms }, ROM_PRIORITY);
    if (!bios) return;
    rom = memory.allocateBlock("pc.bios", bios.length, true);
    rom.bytes.set(bios);
    space.map("pc.bios", FOUR_GIB - bios.length, bios.length, { kind: "rom", block: rom }, ROM_PRIORITY);
    const isaSize = Math.min(bios.length, ISA_BIOS_SIZE);
    const isa = { kind: "rom", block: rom, offset: bios.length - isaSize } as const;
    space.map("isa-bios", MIB - isaSize, isaSize, isa, ROM_PRIORITY);
    if (isaSize < ISA_BIOS_SIZE) mapHole("isa-hole", MIB - ISA_BIOS_SIZE, ISA_BIOS_SIZE - isaSize);
  });
  return { space, ram, bios: rom };
}
