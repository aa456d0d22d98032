import * as uvu from "uvu";
import * as assert from "uvu/assert";
import { OracleEngine } from "../../../oracle/engine.ts";
import {
  type CpuImage,
  codeAddress,
  nativeAvailable,
  newImage,
  runNative,
  SCRATCH_SIZE,
  scratchAddress,
} from "../../../oracle/native.ts";
import { Random } from "../../../oracle/random.ts";

// The host CPU is the reference, with random operands, control words and stack states. Exceptions are unmasked at
// random: a single x87 instruction only leaves them pending.

const test = nativeAvailable ? uvu.test : uvu.test.skip;
const TOP = 1n << 63n;
const FCW = 0;
const FSW = 2;
const FTW = 4;
const C1 = 0x200;

/** A number of the extended format: special ones, borders of the formats, and small ones that interact. */
function significandAndExponent(random: Random): [bigint, number] {
  const sign = random.below(2) << 15;
  const any = random.integer() & (TOP - 1n);
  switch (random.below(12)) {
    case 0:
      return [0n, sign];
    case 1:
      return [TOP, sign | 0x7fff];
    case 2:
      return [TOP | (any >> 1n) | (random.oneIn(2) ? TOP >> 1n : 1n), sign | 0x7fff];
    case 3:
      return [(any | 1n) >> BigInt(random.below(40)), sign];
    case 4:
      return [any, sign | random.below(0x8000)];
    case 5:
      return [TOP | any, sign | random.below(0x7fff)];
    case 6:
      return [TOP | any, sign | (0x7ffe - random.below(3))];
    case 7:
      return [TOP | any, sign | (1 + random.below(70))];
    case 8:
      return [TOP | (any & ~0x7ffn), sign | (0x3fff + random.below(66))];
    default:
      return [TOP | any, sign | (0x3fff - 4 + random.below(9))];
  }
}

function randomImage(random: Random, special: boolean): CpuImage {
  const image = newImage();
  const view = new DataView(image.fx.buffer);
  const masks = random.oneIn(2) ? 0x3f : random.below(64);
  const precision = [0, 2, 3, 3][random.below(4)];
  view.setUint16(FCW, 0x40 | masks | (precision << 8) | (random.below(4) << 10), true);
  const top = random.below(8);
  view.setUint16(FSW, (random.below(0x10000) & (0x4700 | masks)) | (top << 11), true);
  image.fx[FTW] = random.oneIn(3) ? random.below(256) : 0xff & ~(1 << ((top + 7) & 7));
  for (let i = 0; i < 8; i++) {
    const [significand, exponent] = special
      ? significandAndExponent(random)
      : [TOP | random.integer(), (random.below(2) << 15) | (0x3fff - 12 + random.below(11))];
    view.setBigUint64(32 + 16 * i, BigInt.asUintN(64, significand), true);
    view.setUint16(40 + 16 * i, exponent, true);
  }
  return image;
}

const copy = (image: CpuImage): CpuImage => ({ gpr: image.gpr.slice(), rflags: image.rflags, fx: image.fx.slice() });

const number = (view: DataView, i: number): bigint => {
  const exponent = BigInt(view.getUint16(40 + 16 * i, true));
  return (
    (exponent >> 15n) * (1n << 80n) +
    ((exponent & 0x7fffn) << 63n) +
    (view.getBigUint64(32 + 16 * i, true) & (TOP - 1n))
  );
};

/** What differs, allowing `ulps` in ST(0) and ST(1), and then C1 too. */
function difference(host: CpuImage, ours: CpuImage, ulps: bigint): string | undefined {
  const a = new DataView(host.fx.buffer, host.fx.byteOffset);
  const b = new DataView(ours.fx.buffer, ours.fx.byteOffset);
  const ignored = ulps === 0n ? 0 : C1;
  const status = (a.getUint16(FSW, true) ^ b.getUint16(FSW, true)) & ~ignored;
  if (status) return `status ${a.getUint16(FSW, true).toString(16)}, not ${b.getUint16(FSW, true).toString(16)}`;
  if (host.fx[FTW] !== ours.fx[FTW]) return "tags";
  if ((host.rflags ^ ours.rflags) & 0x8d5n) return "flags";
  for (let i = 0; i < 8; i++) {
    const distance = number(a, i) - number(b, i);
    if (distance > ulps || distance < -ulps)
      return `st${i} ${number(a, i).toString(16)}, not ${number(b, i).toString(16)}`;
  }
  return undefined;
}

const engine = nativeAvailable ? await OracleEngine.create(scratchAddress(), SCRATCH_SIZE) : undefined;

function compare(code: number[], cases: number, special: boolean, ulps: bigint): void {
  if (!engine) return;
  const random = new Random(code[1]);
  const bytes = Uint8Array.from(code);
  for (let i = 0; i < cases; i++) {
    const image = randomImage(random, special);
    const host = runNative(bytes, copy(image));
    const ours = copy(image);
    assert.is(engine.run(bytes, codeAddress(), ours, true), undefined);
    const report = difference(host, ours, ulps);
    assert.is(report, undefined, `${Buffer.from(bytes).toString("hex")} case ${i}: ${report}`);
  }
}

const ARITHMETIC = [0xc1, 0xc9, 0xe1, 0xe9, 0xf1, 0xf9];
test("arithmetic, with masked and unmasked exceptions", () => {
  for (const modrm of ARITHMETIC) for (const byte of [0xd8, 0xdc, 0xde]) compare([byte, modrm], 150, true, 0n);
});

test("comparison", () => {
  for (const code of [0xd8d1, 0xd8d9, 0xded9, 0xdde1, 0xdde9, 0xdae9, 0xdbe9, 0xdbf1, 0xdfe9, 0xdff1, 0xd9e4, 0xd9e5]) {
    compare([code >> 8, code & 0xff], 150, true, 0n);
  }
});

test("square root, rounding, scaling, remainders", () => {
  for (const modrm of [0xf4, 0xf5, 0xf8, 0xfa, 0xfc, 0xfd]) compare([0xd9, modrm], 300, true, 0n);
});

test("constants, exchange, moves, stack faults", () => {
  for (const modrm of [0xc3, 0xca, 0xe0, 0xe1, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee, 0xf6, 0xf7]) {
    compare([0xd9, modrm], 60, true, 0n);
  }
  for (const modrm of [0xc2, 0xd2, 0xda]) compare([0xdd, modrm], 60, true, 0n);
});

test("transcendental functions are within two units in the last place", () => {
  for (const modrm of [0xf0, 0xf1, 0xf2, 0xf3, 0xf9, 0xfb, 0xfe, 0xff]) compare([0xd9, modrm], 200, false, 2n);
});

test("special operands of the transcendental functions", () => {
  for (const modrm of [0xf0, 0xf1, 0xf2, 0xf3, 0xfb, 0xfe, 0xff]) compare([0xd9, modrm], 200, true, 2n);
});

uvu.test.run();
