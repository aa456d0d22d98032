/** Evaluates pure ops over constants. Halves are int32. Ops without an entry are not folded. */

import { CONDITIONS, type Condition, OP } from "./ops.ts";

export interface Pair {
  low: number;
  high: number;
}

type Fold = (a: Pair, b: Pair) => Pair;

const pair = (low: number, high: number): Pair => ({ low: low | 0, high: high | 0 });
const word = (low: number): Pair => pair(low, 0);
const big = ({ low, high }: Pair): bigint => (BigInt(high) << 32n) | BigInt(low >>> 0);
const fromBig = (value: bigint): Pair =>
  pair(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
const unsigned = (value: Pair): bigint => BigInt.asUintN(64, big(value));

const folds: (Fold | undefined)[] = [];

function fold32(name: string, compute: (a: number, b: number) => number): void {
  folds[OP[`${name}32`]] = (a, b) => word(compute(a.low, b.low));
}

function fold64(name: string, compute: (a: bigint, b: bigint) => bigint): void {
  folds[OP[`${name}64`]] = (a, b) => fromBig(compute(big(a), big(b)));
}

fold32("add", (a, b) => a + b);
fold32("sub", (a, b) => a - b);
fold32("mul", Math.imul);
fold32("and", (a, b) => a & b);
fold32("or", (a, b) => a | b);
fold32("xor", (a, b) => a ^ b);
fold32("andc", (a, b) => a & ~b);
fold32("not", (a) => ~a);
fold32("shl", (a, b) => a << b);
fold32("shr", (a, b) => a >>> b);
fold32("sar", (a, b) => a >> b);
fold64("add", (a, b) => a + b);
fold64("sub", (a, b) => a - b);
fold64("mul", (a, b) => a * b);
fold64("not", (a) => ~a);
fold64("shl", (a, b) => a << (b & 63n));
fold64("shr", (a, b) => BigInt.asUintN(64, a) >> (b & 63n));
fold64("sar", (a, b) => a >> (b & 63n));
folds[OP.and64] = (a, b) => pair(a.low & b.low, a.high & b.high);
folds[OP.or64] = (a, b) => pair(a.low | b.low, a.high | b.high);
folds[OP.xor64] = (a, b) => pair(a.low ^ b.low, a.high ^ b.high);
folds[OP.andc64] = (a, b) => pair(a.low & ~b.low, a.high & ~b.high);
folds[OP.ext8u] = (a) => word(a.low & 0xff);
folds[OP.ext16u] = (a) => word(a.low & 0xffff);
folds[OP.ext32u] = (a) => word(a.low);
folds[OP.ext8s32] = (a) => word((a.low << 24) >> 24);
folds[OP.ext16s32] = (a) => word((a.low << 16) >> 16);
folds[OP.ext8s64] = (a) => pair((a.low << 24) >> 24, (a.low << 24) >> 31);
folds[OP.ext16s64] = (a) => pair((a.low << 16) >> 16, (a.low << 16) >> 31);
folds[OP.ext32s64] = (a) => pair(a.low, a.low >> 31);
folds[OP.get8h] = (a) => word((a.low >>> 8) & 0xff);
folds[OP.put8] = (a, b) => pair((a.low & ~0xff) | (b.low & 0xff), a.high);
folds[OP.put8h] = (a, b) => pair((a.low & ~0xff00) | ((b.low & 0xff) << 8), a.high);
folds[OP.put16] = (a, b) => pair((a.low & ~0xffff) | (b.low & 0xffff), a.high);

/** Whether condition(a, b) holds. */
export function compare(condition: Condition, width: 32 | 64, a: Pair, b: Pair): boolean {
  const signedA = width === 32 ? BigInt(a.low) : big(a);
  const signedB = width === 32 ? BigInt(b.low) : big(b);
  const plainA = width === 32 ? BigInt(a.low >>> 0) : unsigned(a);
  const plainB = width === 32 ? BigInt(b.low >>> 0) : unsigned(b);
  switch (condition) {
    case "eq":
      return plainA === plainB;
    case "ne":
      return plainA !== plainB;
    case "lt":
      return signedA < signedB;
    case "ge":
      return signedA >= signedB;
    case "le":
      return signedA <= signedB;
    case "gt":
      return signedA > signedB;
    case "ltu":
      return plainA < plainB;
    case "geu":
      return plainA >= plainB;
    case "leu":
      return plainA <= plainB;
    case "gtu":
      return plainA > plainB;
    case "tsteq":
      return (plainA & plainB) === 0n;
    case "tstne":
      return (plainA & plainB) !== 0n;
  }
}

for (const condition of CONDITIONS) {
  for (const width of [32, 64] as const) {
    folds[OP[`set_${condition}${width}`]] = (a, b) => word(compare(condition, width, a, b) ? 1 : 0);
  }
}

/** The result of op(a, b), or undefined when the op is not folded. */
export function fold(op: number, a: Pair, b: Pair): Pair | undefined {
  return folds[op]?.(a, b);
}
