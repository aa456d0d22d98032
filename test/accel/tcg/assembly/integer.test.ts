import { test } from "uvu";
import * as assert from "uvu/assert";
import * as E from "../../../../accel/tcg/env.ts";
import { TestCpu } from "./cpu-harness.ts";

const cpu = new TestCpu();
const { regs } = cpu.state;
const M64 = (1n << 64n) - 1n;
const VALUES = [
  0n,
  1n,
  2n,
  3n,
  0x7fn,
  0x80n,
  0xffn,
  0x8000n,
  0xffffffffn,
  1n << 31n,
  1n << 32n,
  1n << 63n,
  M64,
  M64 - 1n,
];
VALUES.push(0x123456789abcdef0n, 0xfedcba9876543210n, (1n << 63n) - 1n, 0xffffffff00000000n, 0x100000001n);
const signed = (value: bigint, bits: number): bigint => BigInt.asIntN(bits, value);

test("upper halves of products", () => {
  for (const a of VALUES) {
    for (const b of VALUES) {
      assert.is(cpu.ir("mulHighUnsigned", a, b), (a * b) >> 64n);
      assert.is(cpu.ir("mulHighSigned", a, b), BigInt.asUintN(64, (signed(a, 64) * signed(b, 64)) >> 64n));
    }
  }
});

/** What DIV or IDIV does, from the definition: undefined for #DE. */
function quotient(isSigned: boolean, size: number, high: bigint, low: bigint, operand: bigint) {
  const bits = size * 8;
  const raw = (BigInt.asUintN(bits, high) << BigInt(bits)) | BigInt.asUintN(bits, low);
  const dividend = isSigned ? signed(raw, bits * 2) : raw;
  const divisor = isSigned ? signed(operand, bits) : BigInt.asUintN(bits, operand);
  if (divisor === 0n) return undefined;
  const q = dividend / divisor;
  if (isSigned ? signed(q, bits) !== q : BigInt.asUintN(bits, q) !== q) return undefined;
  return { q: BigInt.asUintN(bits, q), r: BigInt.asUintN(bits, dividend % divisor) };
}

for (const size of [1, 2, 4, 8]) {
  test(`division by ${size} bytes`, () => {
    const bits = size * 8;
    for (const isSigned of [false, true]) {
      for (const high of VALUES) {
        for (const low of VALUES) {
          for (const operand of VALUES) {
            regs[0] = size === 1 ? ((high & 0xffn) << 8n) | (low & 0xffn) : low;
            regs[2] = high;
            const [rax, rdx] = [regs[0], regs[2]];
            const want = quotient(isSigned, size, high, low, operand);
            const name = isSigned ? "divideSigned" : "divideUnsigned";
            const fault = cpu.fault(() => cpu.ir(name, operand, 0n, size));
            const what = `${name} ${size}: ${high}:${low} / ${operand}`;
            if (!want) {
              assert.is(fault, "0", what);
              assert.is(regs[0], rax, what);
              assert.is(regs[2], rdx, what);
              continue;
            }
            assert.is(fault, undefined, what);
            const remainder = size === 1 ? (regs[0] >> 8n) & 0xffn : BigInt.asUintN(bits, regs[2]);
            assert.is(BigInt.asUintN(bits, regs[0]), want.q, what);
            assert.is(remainder, want.r, what);
            if (size === 4) assert.is(regs[0] >> 32n, 0n, what);
            if (size === 2) assert.is(regs[0] >> 16n, rax >> 16n, what);
          }
        }
      }
    }
  });
}

test("128-bit quotients at random", () => {
  let seed = 12345n;
  const next = (): bigint => (seed = (seed * 6364136223846793005n + 1442695040888963407n) & M64) ^ (seed >> 29n);
  for (let i = 0; i < 2000; i++) {
    const operand = next() >> BigInt(i % 64) || 1n;
    const high = next() % operand;
    const low = next();
    regs[0] = low;
    regs[2] = high;
    cpu.ir("divideUnsigned", operand, 0n, 8);
    const dividend = (high << 64n) | low;
    assert.is(regs[0], dividend / operand);
    assert.is(regs[2], dividend % operand);
  }
});

const setFlags = (flags: number): void => {
  cpu.state.ccOp = 0n;
  cpu.state.ccSrc = BigInt(flags);
};
const flags = (): number => Number(cpu.call("getFlags"));

test("DAA after every addition of two packed decimal bytes gives their decimal sum", () => {
  for (let a = 0; a < 100; a++) {
    for (let b = 0; b < 100; b++) {
      const bcd = (n: number): number => ((n / 10) << 4) | (n % 10);
      const sum = bcd(a) + bcd(b);
      regs[0] = BigInt(sum & 0xff);
      setFlags((sum > 0xff ? E.CC_C : 0) | ((bcd(a) & 15) + (bcd(b) & 15) > 15 ? E.CC_A : 0));
      cpu.ir("daa");
      assert.is(regs[0], BigInt(bcd((a + b) % 100)), `${a} + ${b}`);
      assert.is(flags() & E.CC_C, a + b > 99 ? 1 : 0);
      const difference = bcd(a) - bcd(b);
      regs[0] = BigInt(difference & 0xff);
      setFlags((difference < 0 ? E.CC_C : 0) | ((bcd(a) & 15) < (bcd(b) & 15) ? E.CC_A : 0));
      cpu.ir("das");
      assert.is(regs[0], BigInt(bcd((a - b + 100) % 100)), `${a} - ${b}`);
      assert.is(flags() & E.CC_C, a < b ? 1 : 0);
    }
  }
});

test("DAS sets CF from the borrow of its first step", () => {
  regs[0] = 0x05n;
  setFlags(E.CC_A);
  cpu.ir("das");
  assert.is(regs[0], 0xffn);
  assert.is(flags() & (E.CC_C | E.CC_A), E.CC_C | E.CC_A);
  regs[0] = 0xfbn;
  setFlags(0);
  cpu.ir("daa");
  assert.is(regs[0], 0x61n);
  assert.is(flags() & (E.CC_C | E.CC_A), E.CC_C | E.CC_A);
});

test("AAA, AAS, AAM, AAD", () => {
  regs[0] = 0x0fn;
  setFlags(0);
  cpu.ir("aaa");
  assert.is(regs[0], 0x105n);
  assert.is(flags() & (E.CC_C | E.CC_A), E.CC_C | E.CC_A);
  regs[0] = 0x00ffn;
  setFlags(E.CC_A);
  cpu.ir("aaa");
  assert.is(regs[0], 0x205n, "the carry out of AL reaches AH");
  regs[0] = 0x0104n;
  setFlags(E.CC_A);
  cpu.ir("aas");
  assert.is(regs[0], 0xff0en);
  regs[0] = 0x1234n;
  cpu.ir("aam", 0n, 0n, 10);
  assert.is(regs[0], 0x0502n);
  cpu.ir("aad", 0n, 0n, 10);
  assert.is(regs[0], 52n);
  assert.is(
    cpu.fault(() => cpu.ir("aam", 0n, 0n, 0)),
    "0",
  );
});

test("CMPXCHG8B and CMPXCHG16B", () => {
  cpu.poke64(0x1000, 0x1111111122222222n);
  regs[0] = 0xffffffff22222222n;
  regs[2] = 0x11111111n;
  regs[1] = 0xaaaaaaaan;
  regs[3] = 0xbbbbbbbbn;
  setFlags(E.CC_C);
  cpu.ir("cmpxchg8b", 0x1000n);
  assert.is(cpu.peek64(0x1000), 0xaaaaaaaabbbbbbbbn);
  assert.is(flags(), E.CC_C | E.CC_Z);
  cpu.ir("cmpxchg8b", 0x1000n);
  assert.equal([regs[0], regs[2]], [0xbbbbbbbbn, 0xaaaaaaaan]);
  assert.is(flags(), E.CC_C);
  assert.is(
    cpu.fault(() => cpu.ir("cmpxchg16b", 0x1008n)),
    "13:0",
  );
  cpu.poke64(0x1008, 7n);
  cpu.ir("cmpxchg16b", 0x1000n);
  assert.equal([regs[0], regs[2]], [0xaaaaaaaabbbbbbbbn, 7n]);
  cpu.ir("cmpxchg16b", 0x1000n);
  assert.equal([cpu.peek64(0x1000), cpu.peek64(0x1008)], [0xbbbbbbbbn, 0xaaaaaaaan]);
});

test("CRC32 of the check string", () => {
  let crc = 0xffffffffn;
  for (const letter of "123456789") crc = cpu.ir("crc32", crc, BigInt(letter.charCodeAt(0)), 1);
  assert.is(crc ^ 0xffffffffn, 0xe3069283n);
  const eight = cpu.ir("crc32", 5n, 0x8877665544332211n, 8);
  let bytes = 5n;
  for (let i = 1n; i < 9n; i++) bytes = cpu.ir("crc32", bytes, i * 0x11n, 1);
  assert.is(eight, bytes);
});

test("PDEP and PEXT are inverse on the mask's bits", () => {
  for (const mask of VALUES) {
    const ones = [...mask.toString(2)].filter((bit) => bit === "1").length;
    for (const value of VALUES) {
      const low = BigInt.asUintN(ones, value);
      const spread = cpu.ir("pdep", value, mask);
      assert.is(spread & ~mask, 0n);
      assert.is(cpu.ir("pext", spread, mask), low);
    }
  }
  assert.is(cpu.ir("pdep", 0b1011n, 0b11010100n), 0b10010100n);
});

test.run();
