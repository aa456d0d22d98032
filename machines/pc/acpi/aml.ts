/**
 * An assembler for ACPI Machine Language (ACPI specification 6.4, chapter 20): each function is one ASL term and
 * returns its bytes. Terms nest as in ASL:
 *
 *     device("RTC", name("_HID", eisaId("PNP0B00")), name("_CRS", resourceTemplate(io(0x70, 0x70, 1, 8), irqNoFlags(8))))
 */

/** Encoded bytes of a term. */
export type Aml = readonly number[];

const EXT_OP = 0x5b;

export const ZERO: Aml = [0x00];
export const ONE: Aml = [0x01];

const text = (value: string): number[] => [...value].map((char) => char.charCodeAt(0));
const bytesOf = (value: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.floor(value / 2 ** (8 * i)) & 0xff);

/** PkgLength (20.2.4): counts itself, in 1 to 4 bytes. */
function pkgLength(contents: number): Aml {
  if (contents + 1 < 0x40) return [contents + 1];
  for (let extra = 1; extra <= 3; extra++) {
    const total = contents + 1 + extra;
    if (total < 2 ** (4 + 8 * extra)) return [(extra << 6) | (total & 0xf), ...bytesOf(Math.floor(total / 16), extra)];
  }
  throw new RangeError(`AML package of ${contents} bytes`);
}

const packaged = (op: Aml, contents: Aml): Aml => [...op, ...pkgLength(contents.length), ...contents];

function nameSegment(segment: string): Aml {
  if (!/^[A-Z_][A-Z0-9_]{0,3}$/.test(segment)) throw new RangeError(`AML name segment '${segment}'`);
  return text(segment.padEnd(4, "_"));
}

/** NameString (20.2.2): "\\_SB.PCI0", "^PRQ0", "_HID". */
export function path(value: string): Aml {
  const prefix = /^(\\|\^*)/.exec(value)![0];
  const rest = value.slice(prefix.length);
  const segments = rest === "" ? [] : rest.split(".");
  const encoded = segments.flatMap(nameSegment);
  const lead =
    segments.length === 0
      ? [0x00]
      : segments.length === 1
        ? []
        : segments.length === 2
          ? [0x2e]
          : [0x2f, segments.length];
  return [...text(prefix), ...lead, ...encoded];
}

/** An integer, in the shortest form. */
export function int(value: number): Aml {
  if (value === 0) return ZERO;
  if (value === 1) return ONE;
  if (value < 0x100) return [0x0a, value];
  if (value < 0x10000) return [0x0b, ...bytesOf(value, 2)];
  if (value < 2 ** 32) return [0x0c, ...bytesOf(value, 4)];
  return [0x0e, ...bytesOf(value, 8)];
}

export const string = (value: string): Aml => [0x0d, ...text(value), 0];

/** EISAID("PNP0A03"): three letters of five bits and four hexadecimal digits, big-endian. */
export function eisaId(id: string): Aml {
  if (!/^[A-Z]{3}[0-9A-F]{4}$/.test(id)) throw new RangeError(`EISA id '${id}'`);
  const [a, b, c] = text(id).map((code) => code - 0x40);
  const letters = (a << 10) | (b << 5) | c;
  const product = Number.parseInt(id.slice(3), 16);
  return [0x0c, letters >> 8, letters & 0xff, product >> 8, product & 0xff];
}

export const name = (id: string, value: Aml): Aml => [0x08, ...path(id), ...value];

export const scope = (id: string, ...terms: Aml[]): Aml => packaged([0x10], [...path(id), ...terms.flat()]);

export const device = (id: string, ...terms: Aml[]): Aml => packaged([EXT_OP, 0x82], [...path(id), ...terms.flat()]);

export function method(id: string, args: number, serialized: boolean, ...body: Aml[]): Aml {
  return packaged([0x14], [...path(id), args | (serialized ? 0x08 : 0), ...body.flat()]);
}

/** Processor(id, processorId, 0, 0). */
export const processor = (id: string, processorId: number): Aml =>
  packaged([EXT_OP, 0x83], [...path(id), processorId, 0, 0, 0, 0, 0]);

/** Package(n) {...}. */
export const pkg = (...elements: Aml[]): Aml => packaged([0x12], [elements.length, ...elements.flat()]);

export const buffer = (data: Aml): Aml => packaged([0x11], [...int(data.length), ...data]);

export type RegionSpace = "SystemMemory" | "SystemIO" | "PCI_Config";
const SPACES: Record<RegionSpace, number> = { SystemMemory: 0, SystemIO: 1, PCI_Config: 2 };

export const operationRegion = (id: string, space: RegionSpace, offset: Aml, length: Aml): Aml => [
  EXT_OP,
  0x80,
  ...path(id),
  SPACES[space],
  ...offset,
  ...length,
];

export type FieldAccess = "AnyAcc" | "ByteAcc" | "WordAcc" | "DWordAcc";
const ACCESS: Record<FieldAccess, number> = { AnyAcc: 0, ByteAcc: 1, WordAcc: 2, DWordAcc: 3 };

/** Field(region, access, NoLock, Preserve) { [name or undefined for Offset, bits] ... }. */
export function field(
  region: string,
  access: FieldAccess,
  ...units: (readonly [id: string | undefined, bits: number])[]
): Aml {
  const list = units.flatMap(([id, bits]) => [...(id === undefined ? [0x00] : nameSegment(id)), ...fieldLength(bits)]);
  return packaged([EXT_OP, 0x81], [...path(region), ACCESS[access], ...list]);
}

/** A field's length has the form of a PkgLength that does not count itself. */
function fieldLength(bits: number): Aml {
  if (bits < 0x40) return [bits];
  return [0x40 | (bits & 0xf), ...bytesOf(bits >> 4, 1)];
}

export const arg = (index: number): Aml => [0x68 + index];
export const local = (index: number): Aml => [0x60 + index];

export const store = (value: Aml, target: Aml): Aml => [0x70, ...value, ...target];
export const ret = (value: Aml): Aml => [0xa4, ...value];
export const call = (id: string, ...args: Aml[]): Aml => [...path(id), ...args.flat()];

/** If (predicate) {...}; follow it with `otherwise` for Else. */
export const when = (predicate: Aml, ...body: Aml[]): Aml => packaged([0xa0], [...predicate, ...body.flat()]);
export const otherwise = (...body: Aml[]): Aml => packaged([0xa1], body.flat());

export const equal = (a: Aml, b: Aml): Aml => [0x93, ...a, ...b];
export const lessThan = (a: Aml, b: Aml): Aml => [0x95, ...a, ...b];
/** And, Or with the result stored in `target` (nothing by default). */
export const and = (a: Aml, b: Aml, target: Aml = ZERO): Aml => [0x7b, ...a, ...b, ...target];
export const or = (a: Aml, b: Aml, target: Aml = ZERO): Aml => [0x7d, ...a, ...b, ...target];

/** CreateDWordField(buffer, byteIndex, id). */
export const createDWordField = (source: Aml, index: number, id: string): Aml => [
  0x8a,
  ...source,
  ...int(index),
  ...path(id),
];
