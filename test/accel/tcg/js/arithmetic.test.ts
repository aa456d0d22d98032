import { test } from "uvu";
import * as assert from "uvu/assert";
import { ctz, mulHigh, popcount } from "../../../../accel/tcg/js/arithmetic.ts";
import { randomFrom } from "../ir/random-program.ts";

const random = randomFrom(7);
const VALUES = [0, 1, 2, -1, -2, 0x7fffffff, -0x80000000, 0xffff, 0x10000, -0x10000];
for (let i = 0; i < 90; i++) VALUES.push((random(2 ** 32) >>> random(32)) | 0);

test("mulHigh is the upper half of the unsigned product", () => {
  for (const a of VALUES) {
    for (const b of VALUES) {
      const product = BigInt(a >>> 0) * BigInt(b >>> 0);
      assert.is(mulHigh(a, b), Number(BigInt.asIntN(32, product >> 32n)), `${a} * ${b}`);
    }
  }
});

test("trailing zeros and ones, as their binary digits say", () => {
  for (const value of VALUES) {
    const digits = (value >>> 0).toString(2).padStart(32, "0");
    assert.is(ctz(value), value === 0 ? 32 : 31 - digits.lastIndexOf("1"), digits);
    assert.is(popcount(value), digits.replaceAll("0", "").length, digits);
  }
});

test.run();
