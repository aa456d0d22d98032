/** x87 and SSE state for the oracle, as FXSAVE images: random states and comparison. */

import type { Random } from "./random.ts";

const FCW = 0;
const FSW = 2;
const FTW = 4;
const FIP = 8;
const MXCSR = 24;
const ST = 32;
const XMM = 160;

const F32 = [
  0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7fa00000, 0xffc00001, 1, 0x807fffff,
];
const F32_MORE = [
  0x00800000, 0x7f7fffff, 0x4f000000, 0xcf000000, 0x4effffff, 0x3f000000, 0x40490fdb, 0x5f000000, 0x34000000,
];

const F64 = [
  0n,
  1n << 63n,
  0x3ff0000000000000n,
  0xbff8000000000000n,
  0x7ff0000000000000n,
  0xfff0000000000000n,
  0x7ff8000000000000n,
  0x7ff4000000000000n,
  1n,
  0x800fffffffffffffn,
  0x0010000000000000n,
  0x7fefffffffffffffn,
  0x41e0000000000000n,
  0xc1e0000000200000n,
  0x43e0000000000000n,
  0x3fe0000000000000n,
  0x400921fb54442d18n,
  0x36a0000000000000n,
  0x47efffffe0000000n,
];

const single = (random: Random): number => {
  switch (random.below(4)) {
    case 0:
      return random.pick(F32);
    case 1:
      return random.pick(F32_MORE);
    case 2:
      return (0x3f000000 + random.below(0x02000000)) | (random.below(2) << 31);
    default:
      return random.u32();
  }
};

const double = (random: Random): bigint => {
  switch (random.below(4)) {
    case 0:
      return random.pick(F64);
    case 1:
      return (BigInt(0x3f8 + random.below(16)) << 52n) | (random.u64() >> 12n) | (BigInt(random.below(2)) << 63n);
    case 2:
      return (BigInt(0x3ff + random.below(64)) << 52n) | ((random.u64() >> 12n) & -(1n << BigInt(random.below(52))));
    default:
      return random.u64();
  }
};

/** An 80-bit value, of any class, mostly one that the FPU itself could have made. */
function extended(random: Random): { significand: bigint; sign: number } {
  const negative = random.below(2) << 15;
  const top = 1n << 63n;
  switch (random.below(12)) {
    case 0:
      return { significand: 0n, sign: negative };
    case 1:
      return { significand: top, sign: negative | 0x7fff };
    case 2:
      return { significand: top | (random.u64() >> 1n), sign: negative | 0x7fff };
    case 3:
      return { significand: random.u64() >> BigInt(1 + random.below(60)), sign: negative };
    case 4:
      return { significand: random.u64(), sign: random.below(0x10000) };
    case 5:
      return {
        significand: BigInt.asUintN(64, -1n << BigInt(random.below(64))),
        sign: negative | (0x3ff0 + random.below(80)),
      };
    case 6:
      return { significand: top, sign: negative | (0x3fff + random.below(3)) };
    case 7:
      return {
        significand: top | random.u64(),
        sign: negative | random.pick([1, 2, 0x7ffe, 0x3c01, 0x43fe, 0x3f81, 0x407e]),
      };
    default:
      return { significand: top | random.u64(), sign: negative | (0x3fff - 8 + random.below(80)) };
  }
}

/** Fills an FXSAVE image with any x87 and SSE state; exceptions are masked unless `unmasked` allows others. */
export function randomFloatState(random: Random, fx: Uint8Array, unmasked = false): void {
  const view = new DataView(fx.buffer, fx.byteOffset, fx.byteLength);
  const precision = random.pick([3, 3, 3, 2, 0]);
  const masks = (): number => (unmasked && random.oneIn(2) ? random.u32() & 0x3f : 0x3f);
  const x87Masks = masks();
  view.setUint16(FCW, 0x40 | x87Masks | (precision << 8) | (random.oneIn(2) ? random.below(4) << 10 : 0), true);
  const reported = random.oneIn(2) ? random.u32() & (random.oneIn(4) ? 0x7f : 0x40 | x87Masks) : 0;
  view.setUint16(FSW, (random.u32() & 0x4700) | (random.below(8) << 11) | reported, true);
  fx[FTW] = random.oneIn(4) ? random.u32() : 0xff;
  const rounding = random.oneIn(2) ? random.below(4) << 13 : 0;
  const modes = random.oneIn(4) ? random.u32() & 0x8040 : 0;
  const flags = random.oneIn(2) ? random.u32() & 0x3f : 0;
  view.setUint32(MXCSR, (masks() << 7) | rounding | modes | flags, true);
  for (let index = 0; index < 8; index++) {
    const { significand, sign } = extended(random);
    view.setBigUint64(ST + index * 16, significand, true);
    view.setUint16(ST + index * 16 + 8, sign, true);
  }
  for (let index = 0; index < 16; index++) {
    const kind = random.below(3);
    for (let half = 0; half < 2; half++) {
      const at = XMM + index * 16 + half * 8;
      if (kind === 0) view.setBigUint64(at, random.integer(), true);
      else if (kind === 1) view.setBigUint64(at, double(random), true);
      else {
        view.setUint32(at, single(random), true);
        view.setUint32(at + 4, single(random), true);
      }
    }
  }
}

const hex = (bytes: Uint8Array, at: number, size: number): string =>
  Buffer.from(bytes.subarray(at, at + size))
    .reverse()
    .toString("hex");

/**
 * What differs between two images; x87 opcode, operand pointer and selectors are left out, and all of the x87 state
 * unless `x87`. With `all`, values that agree too.
 */
export function describeFloat(
  before: Uint8Array,
  expected: Uint8Array,
  actual: Uint8Array,
  x87 = true,
  all = false,
): string[] {
  const lines: string[] = [];
  const compare = (name: string, at: number, size: number): void => {
    let same = true;
    for (let k = at; k < at + size; k++) same &&= expected[k] === actual[k];
    const host = hex(expected, at, size);
    if (!same) lines.push(`  ${name}: was ${hex(before, at, size)}, host ${host}, ours ${hex(actual, at, size)}`);
    else if (all) lines.push(`  (${name}: was ${hex(before, at, size)}, both ${host})`);
  };
  if (x87) {
    compare("control word", FCW, 2);
    compare("status word", FSW, 2);
    compare("tags", FTW, 1);
    compare("instruction pointer", FIP, 8);
    for (let index = 0; index < 8; index++) compare(`st${index}`, ST + index * 16, 10);
  }
  compare("mxcsr", MXCSR, 4);
  for (let index = 0; index < 16; index++) compare(`xmm${index}`, XMM + index * 16, 16);
  return lines;
}
