/** Where the operands of random instructions may lie, and through which segments they are reached. */

import { ATTR_BIG, LINUX_SEGMENTS, NULL_SEGMENT, type Segment } from "./descriptors.ts";
import { ABSENT_PAGE, type Bits, FLAT, READ_ONLY_PAGE, scratchAddress, segments } from "./native.ts";
import type { Random } from "./random.ts";

export const PAGE = 4096;

/** Part of the scratch region, by offset. */
export interface Range {
  readonly at: number;
  readonly size: number;
}

/** Plain memory. */
export const WINDOW: Range = { at: 0x8000, size: 2048 };
/** Pages around the absent and the read-only one. */
export const MINEFIELD: Range = { at: ABSENT_PAGE - PAGE, size: READ_ONLY_PAGE - ABSENT_PAGE + 3 * PAGE };
/** Pages that code can write to. */
export const WRITABLE: readonly Range[] = [ABSENT_PAGE - PAGE, ABSENT_PAGE + PAGE, READ_ONLY_PAGE + PAGE].map((at) => ({
  at,
  size: PAGE,
}));
/** Where access rights change. */
export const BORDERS = [ABSENT_PAGE, ABSENT_PAGE + PAGE, READ_ONLY_PAGE, READ_ONLY_PAGE + PAGE] as const;

const INDEX_SHIFT = 3;
const LOCAL = 4;

/** What a selector that could be loaded stands for. */
function segmentOf(selector: number): Segment {
  const index = selector >> INDEX_SHIFT;
  if (selector < LOCAL) return { ...NULL_SEGMENT, selector };
  return { ...(selector & LOCAL ? Object.values(segments())[index] : LINUX_SEGMENTS[index - 1]), selector };
}

export class Layout {
  readonly bits: Bits;
  /** Instructions may fault. */
  readonly faults: boolean;
  /** In the order of the segment registers; CS counts in 16-bit code, FS is not used. */
  readonly loaded: readonly Segment[];
  /** What operands may touch. */
  readonly range: Range;
  /** What has to be the same on both sides. */
  readonly memory: readonly Range[];
  readonly scratch: bigint;

  constructor(bits: Bits, faults: boolean, loaded: readonly Segment[]) {
    this.bits = bits;
    this.faults = faults;
    this.loaded = loaded;
    this.range = faults ? MINEFIELD : WINDOW;
    this.memory = faults ? WRITABLE : [WINDOW];
    this.scratch = scratchAddress();
  }

  /** Segments at random; without `descriptors` there are only the flat ones. */
  static random(bits: Bits, faults: boolean, descriptors: boolean, random: Random): Layout {
    if (!descriptors) return new Layout(bits, faults, FLAT);
    const { code16, data16, shifted, readOnly, expandDown, short, readableCode } = segments();
    const [flat] = FLAT;
    let stack = bits === 16 ? data16 : flat;
    let data = [stack, stack];
    if (bits !== 64 && faults) {
      if (random.oneIn(2)) stack = random.pick([data16, shifted, expandDown, short, flat]);
      data = data.map((usual) =>
        random.oneIn(2) ? usual : random.pick([data16, shifted, readOnly, expandDown, short, readableCode, flat]),
      );
    }
    return new Layout(bits, faults, [data[0], bits === 16 ? code16 : flat, stack, data[1], NULL_SEGMENT, shifted]);
  }

  /** The layout after segment registers were loaded. */
  reloaded(selectors: readonly number[]): Layout {
    if (selectors.every((selector, index) => selector === this.loaded[index].selector)) return this;
    return new Layout(this.bits, this.faults, selectors.map(segmentOf));
  }

  base(segment: number): bigint {
    return this.bits === 64 && segment < 4 ? 0n : this.loaded[segment].base;
  }

  /** Bytes that a stack address has. */
  get stackSize(): number {
    return this.bits === 64 ? 8 : this.loaded[2].attributes & ATTR_BIG ? 4 : 2;
  }

  /** Linear address of an offset. */
  linear(segment: number, offset: bigint): bigint {
    return BigInt.asUintN(this.bits === 64 ? 64 : 32, this.base(segment) + offset);
  }

  /** The offset, `size` bytes wide, of a linear address. */
  offset(segment: number, linear: bigint, size: number): bigint {
    return BigInt.asUintN(size * 8, linear - this.base(segment));
  }

  /** Whether `size` bytes at a linear address lie in the range. */
  contains(linear: bigint, size: number): boolean {
    const at = Number(linear - this.scratch);
    return at >= this.range.at && at + size <= this.range.at + this.range.size;
  }
}
