/** Floppy media by the size of their image, and the drives that read them. */

import { RATE_1M, RATE_250K, RATE_300K, RATE_500K } from "./regs.ts";

const SECTOR = 512;

/** What a drive can be: 5.25" 1.2M, 3.5" 1.44M, 3.5" 2.88M. */
export type DriveType = "120" | "144" | "288";

export interface Geometry {
  readonly tracks: number;
  readonly heads: number;
  readonly sectors: number;
  /** Data rates (CCR coding) that read this medium. */
  readonly rates: readonly number[];
  readonly drive: DriveType;
}

const HIGH = [RATE_500K];
const DOUBLE_35 = [RATE_250K];
/** A medium of 40 tracks turns faster in a 1.2M drive than in its own. */
const DOUBLE_525 = [RATE_300K, RATE_250K];

/** tracks, heads, sectors per track, rates, drive */
const TABLE: readonly (readonly [number, number, number, readonly number[], DriveType])[] = [
  [80, 2, 18, HIGH, "144"], // 1.44M
  [80, 2, 20, HIGH, "144"],
  [80, 2, 21, HIGH, "144"], // 1.68M
  [82, 2, 21, HIGH, "144"],
  [83, 2, 21, HIGH, "144"],
  [80, 2, 22, HIGH, "144"],
  [80, 2, 23, HIGH, "144"],
  [80, 2, 24, HIGH, "144"],
  [80, 2, 36, [RATE_1M], "288"], // 2.88M
  [80, 2, 39, [RATE_1M], "288"],
  [80, 2, 40, [RATE_1M], "288"],
  [80, 2, 44, [RATE_1M], "288"],
  [80, 2, 48, [RATE_1M], "288"],
  [80, 2, 9, DOUBLE_35, "144"], // 720K
  [80, 2, 10, DOUBLE_35, "144"],
  [82, 2, 10, DOUBLE_35, "144"],
  [83, 2, 10, DOUBLE_35, "144"],
  [80, 2, 13, DOUBLE_35, "144"],
  [80, 2, 14, DOUBLE_35, "144"],
  [80, 2, 15, HIGH, "120"], // 1.2M
  [82, 2, 18, HIGH, "120"],
  [83, 2, 18, HIGH, "120"],
  [40, 2, 9, DOUBLE_525, "120"], // 360K
  [41, 2, 10, DOUBLE_525, "120"],
  [42, 2, 10, DOUBLE_525, "120"],
  [40, 2, 8, DOUBLE_525, "120"], // 320K
  [40, 1, 9, DOUBLE_525, "120"], // 180K
  [40, 1, 8, DOUBLE_525, "120"], // 160K
];

const GEOMETRIES: readonly Geometry[] = TABLE.map(([tracks, heads, sectors, rates, drive]) => ({
  tracks,
  heads,
  sectors,
  rates,
  drive,
}));
const MEDIUM_144 = GEOMETRIES[0];
const MEDIUM_288 = GEOMETRIES[8];

/** The geometry of an image of `bytes`; one that fits none is the beginning of a 1.44M or 2.88M disk. */
export function geometryOf(bytes: number): Geometry {
  const count = Math.ceil(bytes / SECTOR);
  const exact = GEOMETRIES.find(({ tracks, heads, sectors }) => tracks * heads * sectors === count);
  return exact ?? (count <= 2880 ? MEDIUM_144 : MEDIUM_288);
}
