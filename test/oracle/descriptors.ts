/**
 * Segments for the oracle: descriptors of a local descriptor table, which both sides see, so that 16-bit code and
 * segments with bases and limits can run natively. modify_ldt(2) takes them on the host. The global table is Linux's.
 */

import koffi from "koffi";

export interface Segment {
  readonly selector: number;
  readonly base: bigint;
  /** Last offset, in bytes. */
  readonly limit: number;
  /** High word of the descriptor as in segAttr. */
  readonly attributes: number;
}

const SYS_MODIFY_LDT = 154;
const WRITE_LDT = 1;
/** Ring 3, code or data, accessed. */
const USER = 0x7100;
const PRESENT = 0x8000;
/** In the kind of a segment: it is not present. */
const ABSENT = PRESENT;
const CODE = 0x800;
const EXPAND_DOWN = 0x400;
const WRITABLE = 0x200;
const READABLE = 0x200;
export const ATTR_BIG = 1 << 22;
const PAGES = 1 << 23;

export type SegmentName =
  | "code16"
  | "data16"
  | "shifted"
  | "readOnly"
  | "expandDown"
  | "short"
  | "readableCode"
  | "executeOnly"
  | "absent";

/** The table for a region whose code starts at `code` and whose data starts at `data`. */
export function segmentTable(code: bigint, data: bigint): Readonly<Record<SegmentName, Segment>> {
  const segment = (index: number, base: bigint, limit: number, kind: number): Segment => ({
    selector: (index << 3) | 7,
    base,
    limit: kind & PAGES ? (limit * 4096 + 4095) >>> 0 : limit,
    attributes: USER | (kind ^ PRESENT),
  });
  return {
    code16: segment(0, code, 0xffff, CODE | READABLE),
    data16: segment(1, data, 0xffff, WRITABLE),
    shifted: segment(2, data + 0x1000n, 0xfffff, WRITABLE | ATTR_BIG | PAGES),
    readOnly: segment(3, data, 0xffff, 0),
    expandDown: segment(4, data, 0xbfff, WRITABLE | EXPAND_DOWN),
    short: segment(5, data, 0xb7ff, WRITABLE | ATTR_BIG),
    readableCode: segment(6, data, 0xffff, CODE | READABLE),
    executeOnly: segment(7, data, 0xffff, CODE),
    absent: segment(8, data, 0xffff, WRITABLE | ABSENT),
  };
}

/** What a null selector loads. */
export const NULL_SEGMENT: Segment = { selector: 0, base: 0n, limit: 0, attributes: 0 };

/** Linux's segments, from selector 8 on: code of 32 and 64 bits and data, for the kernel and for users. */
export const LINUX_SEGMENTS: readonly Segment[] = [0xc09b, 0xa09b, 0xc093, 0xc0fb, 0xc0f3, 0xa0fb].map(
  (kind, index) => ({
    selector: (index + 1) * 8 + (index < 3 ? 0 : 3),
    base: 0n,
    limit: 0xffffffff,
    attributes: ((kind & 0xff00) << 8) | ((kind & 0xff) << 8),
  }),
);

/** A segment's descriptor. */
export function descriptor({ base, limit, attributes }: Segment): bigint {
  const field = attributes & PAGES ? limit >>> 12 : limit;
  const low = BigInt(field & 0xffff) | ((base & 0xffffffn) << 16n);
  return low | ((base >> 24n) << 56n) | (BigInt((attributes | (field & 0xf0000)) >>> 0) << 32n);
}

/** Puts the segments into this process's LDT. Returns undefined, or why the system refused. */
export function installSegments(segments: Iterable<Segment>): string | undefined {
  const syscall = koffi.load(null).func("long syscall(long number, long function, void *entry, size_t size)");
  const entry = Buffer.alloc(16);
  for (const { selector, base, limit, attributes } of segments) {
    const pages = (attributes & PAGES) !== 0;
    entry.writeUInt32LE(selector >> 3, 0);
    entry.writeUInt32LE(Number(base), 4);
    entry.writeUInt32LE(pages ? limit >>> 12 : limit, 8);
    // seg_32bit, contents (2 bits), read_exec_only, limit_in_pages, seg_not_present
    const contents = attributes & CODE ? 2 : attributes & EXPAND_DOWN ? 1 : 0;
    const flags =
      (attributes & ATTR_BIG ? 1 : 0) | (contents << 1) | (attributes & WRITABLE ? 0 : 8) | (pages ? 16 : 0);
    entry.writeUInt32LE(flags | (attributes & PRESENT ? 0 : 32), 12);
    // SAFETY: the kernel reads 16 bytes of `entry`; the new descriptors reach nothing that flat ones do not.
    if (syscall(SYS_MODIFY_LDT, WRITE_LDT, entry, entry.length) !== 0) {
      const code = koffi.errno();
      const name = Object.entries(koffi.os.errno).find(([, value]) => value === code)?.[0] ?? code;
      return `modify_ldt: ${name}`;
    }
  }
  return undefined;
}
