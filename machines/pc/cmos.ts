/**
 * What the board leaves in the CMOS memory for the BIOS: memory sizes, drives, boot order, processors. Indices are
 * those of the IBM PC/AT and of Bochs, which SeaBIOS reads. The clock itself (0x00 to 0x0d, 0x32) is the RTC's.
 */

import { QemuError } from "../../core/errors.ts";
import type { RamLayout } from "./e820.ts";
import type { Geometry } from "./geometry.ts";

/** Diskette drive types as byte 0x10 codes them. */
export const FLOPPY_TYPES = { none: 0, "360": 1, "120": 2, "720": 3, "144": 4, "288": 5 } as const;
export type FloppyType = keyof typeof FLOPPY_TYPES;

export interface CmosOptions {
  readonly ram: RamLayout;
  readonly cpus: number;
  /** Letters of -boot: a b (floppy), c (disk), d (CD-ROM), n (network). */
  readonly bootOrder: string;
  /** Whether the BIOS checks a floppy's boot signature (-boot's and the machine's fd-bootchk). */
  readonly floppyBootCheck?: boolean;
  /** The two drives, A and B. */
  readonly floppies: readonly [FloppyType, FloppyType];
  /** Geometries of the four IDE positions that hold a disk (primary master, primary slave, ...). */
  readonly disks: readonly (Geometry | undefined)[];
}

export type CmosByte = readonly [index: number, value: number];

const BOOT_CODES: Readonly<Record<string, number>> = { a: 1, b: 1, c: 2, d: 3, n: 4 };
const EQUIPMENT_FPU = 0x02;
const EQUIPMENT_MOUSE = 0x04;
/** Drive type "see the extended byte", and in that byte "user-defined geometry". */
const TYPE_EXTENDED = 0xf;
const TYPE_USER = 47;
const KIB = 1024;

/** Checks the letters of -boot order. */
export function checkBootOrder(order: string): void {
  const unknown = [...order].find((letter) => !Object.hasOwn(BOOT_CODES, letter));
  if (unknown !== undefined) throw new QemuError("boot-order", `Invalid boot device for PC: '${unknown}'`);
  if (new Set(order).size !== order.length) throw new QemuError("boot-order", `Boot device '${order}' was given twice`);
  if (order.length > 3)
    throw new QemuError("boot-order", "Too many boot devices for PC", { hint: "name at most three" });
}

const word = (index: number, high: number, value: number): CmosByte[] => [
  [index, value & 0xff],
  [high, (value >> 8) & 0xff],
];

function memoryBytes({ below4g, above4g }: RamLayout): CmosByte[] {
  const base = Math.min(Math.floor(below4g / KIB), 640);
  const extended = Math.max(0, Math.min(Math.floor(below4g / KIB) - KIB, 0xffff));
  const above16m = Math.max(0, Math.min(Math.floor((below4g - 16 * KIB * KIB) / (64 * KIB)), 0xffff));
  const high = Math.floor(above4g / (64 * KIB));
  return [
    ...word(0x15, 0x16, base),
    ...word(0x17, 0x18, extended),
    ...word(0x30, 0x31, extended),
    ...word(0x34, 0x35, above16m),
    ...word(0x5b, 0x5c, high),
    [0x5d, (high >> 16) & 0xff],
  ];
}

export function bootBytes(order: string, floppyBootCheck = true): CmosByte[] {
  const [first = 0, second = 0, third = 0] = [...order].map((letter) => BOOT_CODES[letter] ?? 0);
  return [
    [0x3d, (second << 4) | first],
    [0x38, (third << 4) | (floppyBootCheck ? 0 : 1)],
  ];
}

function floppyBytes(floppies: readonly FloppyType[]): CmosByte[] {
  const [a, b] = floppies.map((type) => FLOPPY_TYPES[type]);
  const count = [a, b].filter((type) => type !== 0).length;
  const drives = count === 0 ? 0 : ((count - 1) << 6) | 1;
  return [
    [0x10, (a << 4) | b],
    [0x14, drives | EQUIPMENT_FPU | EQUIPMENT_MOUSE],
  ];
}

/** The nine geometry bytes of a fixed disk from `at` on. */
function diskBytes(at: number, { cylinders, heads, sectors }: Geometry): CmosByte[] {
  const control = 0xc0 | (heads > 8 ? 0b1000 : 0);
  const [low, high] = [cylinders & 0xff, (cylinders >> 8) & 0xff];
  return [low, high, heads, 0xff, 0xff, control, low, high, sectors].map((value, i) => [at + i, value & 0xff]);
}

function disksBytes(disks: CmosOptions["disks"]): CmosByte[] {
  const [first, second] = disks;
  const translation = disks.reduce((sum, disk, i) => sum | ((disk?.translation ?? 0) << (i * 2)), 0);
  return [
    [0x12, (first ? TYPE_EXTENDED << 4 : 0) | (second ? TYPE_EXTENDED : 0)],
    ...(first ? [[0x19, TYPE_USER] as const, ...diskBytes(0x1b, first)] : []),
    ...(second ? [[0x1a, TYPE_USER] as const, ...diskBytes(0x24, second)] : []),
    [0x39, translation & 0xff],
  ];
}

/** All bytes the board sets. */
export function cmosBytes(options: CmosOptions): CmosByte[] {
  checkBootOrder(options.bootOrder);
  return [
    ...memoryBytes(options.ram),
    [0x5f, options.cpus - 1],
    ...bootBytes(options.bootOrder, options.floppyBootCheck),
    ...floppyBytes(options.floppies),
    ...disksBytes(options.disks.slice(0, 4)),
  ];
}
