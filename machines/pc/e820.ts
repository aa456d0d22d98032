/** The memory map of a PC: where RAM lies, and the E820 tables that say so to firmware and kernels. */

export const E820_RAM = 1;
export const E820_RESERVED = 2;
export const E820_ACPI = 3;

export interface E820Entry {
  readonly base: number;
  readonly size: number;
  readonly type: number;
}

export interface RamLayout {
  /** Bytes from address 0. */
  readonly below4g: number;
  /** Bytes from address 4 GiB. */
  readonly above4g: number;
}

const GIB = 2 ** 30;
/** Where RAM below 4 GiB ends at most; a machine that needs more has its split at 3 GiB, so that both parts are whole. */
const LOW_MAX = 3.5 * GIB;
const LOW_SPLIT = 3 * GIB;

/** How `ram` bytes are split around the PCI hole. `maxLow` is the machine's max-ram-below-4g. */
export function ramLayout(ram: number, maxLow?: number): RamLayout {
  const low = maxLow ?? (ram >= LOW_MAX ? LOW_SPLIT : LOW_MAX);
  const below4g = Math.min(ram, low);
  return { below4g, above4g: ram - below4g };
}

/** The ranges of RAM. */
export function ramRanges({ below4g, above4g }: RamLayout): { base: number; size: number }[] {
  const ranges = [{ base: 0, size: below4g }];
  if (above4g > 0) ranges.push({ base: 4 * GIB, size: above4g });
  return ranges;
}

/** What the board tells the firmware: all RAM, and what is reserved. The firmware carves its own areas out of it. */
export function boardE820(layout: RamLayout, reserved: readonly E820Entry[] = []): E820Entry[] {
  return [...reserved, ...ramRanges(layout).map((range) => ({ ...range, type: E820_RAM }))];
}

const ENTRY_SIZE = 20;

/** Entries as the fw_cfg file "etc/e820", Linux's boot_params and INT 15h E820 have them: base, size, type. */
export function encodeE820(entries: readonly E820Entry[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * ENTRY_SIZE);
  const view = new DataView(bytes.buffer);
  entries.forEach(({ base, size, type }, i) => {
    view.setBigUint64(i * ENTRY_SIZE, BigInt(base), true);
    view.setBigUint64(i * ENTRY_SIZE + 8, BigInt(size), true);
    view.setUint32(i * ENTRY_SIZE + 16, type, true);
  });
  return bytes;
}

const LEGACY_ENTRIES = 16;

/** The numbered fw_cfg item E820_TABLE: a count and a fixed number of slots, for what is reserved only. */
export function legacyE820(reserved: readonly E820Entry[]): Uint8Array {
  const bytes = new Uint8Array(4 + LEGACY_ENTRIES * ENTRY_SIZE);
  const entries = reserved.slice(0, LEGACY_ENTRIES);
  new DataView(bytes.buffer).setUint32(0, entries.length, true);
  bytes.set(encodeE820(entries), 4);
  return bytes;
}
