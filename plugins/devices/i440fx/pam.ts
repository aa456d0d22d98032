/**
 * Shadow memory of the 82441FX: thirteen segments between C0000h and FFFFFh, each of which reads and writes either main
 * RAM or what lies on the PCI and ISA buses beneath it (Intel 290549, section 3.2.18).
 *
 * Neighbouring segments of the same mode share one region, so that look-ups stay short.
 */

import { type IoRegion, readRegion } from "../../../core/bus/io.ts";
import type { AddressRegion, AddressSpace, RegionTarget } from "../../../core/memory/address-space.ts";
import type { GuestBlock } from "../../../core/memory/guest-memory.ts";
import { PAM_RE, PAM_WE } from "./regs.ts";

/** Above ROMs and video memory, which are on the buses. */
export const SHADOW_PRIORITY = 10;

const SEGMENT = 0x4000;
const FIRST = 0xc0000;
/** 12 segments of 16 KiB from C0000h on, and one of 64 KiB at F0000h. */
const SEGMENTS = [
  ...Array.from({ length: 12 }, (_, i) => ({ base: FIRST + i * SEGMENT, size: SEGMENT })),
  { base: 0xf0000, size: 0x10000 },
];

/** Main RAM as the shadow sees it: guest address 0 is byte `offset` of the block. */
export interface MainRam {
  readonly block: GuestBlock;
  readonly offset: number;
}

export class ShadowMap {
  readonly #space: AddressSpace;
  readonly #ram: MainRam;
  readonly #regions: AddressRegion[] = [];
  #modes = "";

  constructor(space: AddressSpace, ram: MainRam) {
    this.#space = space;
    this.#ram = ram;
  }

  /** Maps the segments as the seven PAM registers say. */
  apply(pam: Uint8Array): void {
    const modes = SEGMENTS.map((_, i) => (i === 12 ? (pam[0] >> 4) & 3 : (pam[1 + (i >> 1)] >> ((i & 1) * 4)) & 3));
    if (this.#modes === modes.join("")) return;
    this.#modes = modes.join("");
    this.#space.batch(() => {
      for (const region of this.#regions.splice(0)) region.remove();
      for (let i = 0; i < SEGMENTS.length; ) {
        const mode = modes[i];
        const { base } = SEGMENTS[i];
        let size = 0;
        for (; i < SEGMENTS.length && modes[i] === mode; i++) size += SEGMENTS[i].size;
        if (mode !== 0) this.#map(mode, base, size);
      }
    });
  }

  #map(mode: number, base: number, size: number): void {
    const { block, offset } = this.#ram;
    const shadow = { block, offset: offset + base };
    const target: RegionTarget =
      mode === (PAM_RE | PAM_WE)
        ? { kind: "ram", ...shadow }
        : mode === PAM_RE
          ? { kind: "rom", ...shadow }
          : { kind: "io", region: this.#writeOnly(base, size) };
    const name = ["", "pam-rom", "pam-pci", "pam-ram"][mode];
    this.#regions.push(this.#space.map(name, base, size, target, SHADOW_PRIORITY));
  }

  /** WE without RE: firmware reads its ROM and writes the copy. */
  #writeOnly(base: number, length: number): IoRegion {
    const { block, offset } = this.#ram;
    return {
      name: "pam-pci",
      length,
      max: 1,
      handler: {
        read: (at) => this.#readBeneath(base + at),
        write: (at, value) => {
          block.bytes[offset + base + at] = value;
          this.#space.notifyWrite(block.address + offset + base + at, 1);
        },
      },
    };
  }

  #readBeneath(address: number): number {
    for (const region of this.#space.regions()) {
      if (!region.enabled || address < region.base || address >= region.base + region.size) continue;
      if (this.#regions.includes(region)) continue;
      const { target } = region;
      const at = address - region.base;
      return target.kind === "io" ? readRegion(target.region, at, 1) : target.block.bytes[(target.offset ?? 0) + at];
    }
    return 0xff;
  }
}
