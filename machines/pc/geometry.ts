/**
 * The cylinders, heads and sectors a BIOS is told about a disk: taken from the partition table when a system left them
 * there, else the standard geometry for the size. Sizes are in 512-byte sectors.
 */

export interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
  /** How the BIOS translates: the code in CMOS byte 0x39. */
  readonly translation: Translation;
}

export const TRANSLATION_NONE = 0;
export const TRANSLATION_LBA = 1;
export const TRANSLATION_LARGE = 2;
export type Translation = 0 | 1 | 2;

const MAX_CYLINDERS = 16383;
const STANDARD_HEADS = 16;
const STANDARD_SECTORS = 63;
const PARTITION_TABLE = 0x1be;
/** Cylinders times heads that LARGE translation can express. */
const LARGE_LIMIT = 131072;

function standard(total: number): { cylinders: number; heads: number; sectors: number } {
  const cylinders = Math.floor(total / (STANDARD_HEADS * STANDARD_SECTORS));
  return {
    cylinders: Math.max(2, Math.min(cylinders, MAX_CYLINDERS)),
    heads: STANDARD_HEADS,
    sectors: STANDARD_SECTORS,
  };
}

/** Heads and sectors as the ends of the partitions in a master boot record imply them. */
function fromPartitions(
  total: number,
  mbr: Uint8Array,
): { cylinders: number; heads: number; sectors: number } | undefined {
  if (mbr.length < 512 || mbr[510] !== 0x55 || mbr[511] !== 0xaa) return undefined;
  const view = new DataView(mbr.buffer, mbr.byteOffset);
  for (let entry = PARTITION_TABLE; entry < 510; entry += 16) {
    const count = view.getUint32(entry + 12, true);
    const heads = mbr[entry + 5] + 1;
    const sectors = mbr[entry + 6] & 63;
    if (count === 0 || heads === 1 || sectors === 0) continue;
    const cylinders = Math.floor(total / (heads * sectors));
    if (cylinders >= 1 && cylinders <= MAX_CYLINDERS) return { cylinders, heads, sectors };
  }
  return undefined;
}

/** The geometry of a disk of `total` sectors whose first sector is `mbr`. */
export function guessGeometry(total: number, mbr: Uint8Array = new Uint8Array(0)): Geometry {
  const logical = fromPartitions(total, mbr);
  if (logical && logical.heads <= STANDARD_HEADS) return { ...logical, translation: TRANSLATION_NONE };
  const physical = standard(total);
  if (logical) {
    const large = physical.cylinders * physical.heads <= LARGE_LIMIT;
    return { ...physical, translation: large ? TRANSLATION_LARGE : TRANSLATION_LBA };
  }
  return { ...physical, translation: physical.cylinders <= 1024 ? TRANSLATION_NONE : TRANSLATION_LBA };
}
