import { test } from "uvu";
import * as assert from "uvu/assert";
import * as E from "../../../../accel/tcg/env.ts";
import { TestCpu } from "./cpu-harness.ts";

const cpu = new TestCpu();
const EDGES = [0n, 1n, 2n, 0xfn, 0x10n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn, 0x7fffffffn, 0x80000000n];
const WIDE = [...EDGES, 0xffffffffn, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n, 0x123456789abcdef0n];

const parity = (value: bigint): number => {
  let ones = 0;
  for (let i = 0n; i < 8n; i++) if ((value >> i) & 1n) ones++;
  return ones & 1 ? 0 : E.CC_P;
};

/** SF ZF PF of a masked result. */
const base = (result: bigint, bits: bigint): number =>
  (result >> (bits - 1n) ? E.CC_S : 0) | (result === 0n ? E.CC_Z : 0) | parity(result);

function flags(op: number, dst: bigint, src: bigint, src2 = 0n): number {
  const { state } = cpu;
  state.ccOp = BigInt(op);
  state.ccDst = dst;
  state.ccSrc = src;
  state.ccSrc2 = src2;
  const all = cpu.call("getFlags");
  assert.is(Number(cpu.call("getCarry")), Number(all) & 1, `carry of op ${op}`);
  return Number(all);
}

for (const size of [0, 1, 2, 3]) {
  const bits = 8n << BigInt(size);
  const mask = (1n << bits) - 1n;
  const sign = 1n << (bits - 1n);
  /** Rubbish above the operand's size must not matter. */
  const dirty = (value: bigint): bigint => BigInt.asUintN(64, value | (0xa5a5a5a5a5a5a5a5n & ~mask));
  const signed = (value: bigint): bigint => BigInt.asIntN(Number(bits), value);

  test(`additions and subtractions of ${bits} bits agree with the definition`, () => {
    for (const rawA of WIDE) {
      for (const rawB of WIDE) {
        const [a, b] = [rawA & mask, rawB & mask];
        for (const carry of [0n, 1n]) {
          const sum = (a + b + carry) & mask;
          const exactSum = signed(a) + signed(b) + carry;
          const add =
            base(sum, bits) |
            (a + b + carry > mask ? E.CC_C : 0) |
            ((a & 15n) + (b & 15n) + carry > 15n ? E.CC_A : 0) |
            (exactSum !== signed(sum) ? E.CC_O : 0);
          assert.is(flags(E.CC_ADC + size, dirty(sum), dirty(b), carry), add, `adc ${a} ${b} ${carry}`);
          if (!carry) assert.is(flags(E.CC_ADD + size, dirty(sum), dirty(b)), add, `add ${a} ${b}`);
          const difference = (a - b - carry) & mask;
          const sub =
            base(difference, bits) |
            (a < b + carry ? E.CC_C : 0) |
            ((a & 15n) < (b & 15n) + carry ? E.CC_A : 0) |
            (signed(a) - signed(b) - carry !== signed(difference) ? E.CC_O : 0);
          assert.is(flags(E.CC_SBB + size, dirty(difference), dirty(b), carry), sub, `sbb ${a} ${b} ${carry}`);
          if (!carry) assert.is(flags(E.CC_SUB + size, dirty(difference), dirty(b)), sub, `sub ${a} ${b}`);
        }
      }
    }
  });

  test(`signed products of ${bits} bits`, () => {
    for (const rawA of WIDE) {
      for (const rawB of WIDE) {
        const [a, b] = [rawA & mask, rawB & mask];
        const exact = signed(a) * signed(b);
        const product = exact & mask;
        const expected = base(product, bits) | (signed(product) === exact ? 0 : E.CC_C | E.CC_O);
        assert.is(flags(E.CC_IMUL + size, dirty(product), dirty(a), dirty(b)), expected, `imul ${a} ${b}`);
      }
    }
  });

  test(`other operations of ${bits} bits`, () => {
    for (const raw of WIDE) {
      const a = raw & mask;
      assert.is(flags(E.CC_LOGIC + size, dirty(a), 99n), base(a, bits));
      for (const carry of [0n, 1n]) {
        const c = carry ? E.CC_C : 0;
        const up = (a + 1n) & mask;
        const down = (a - 1n) & mask;
        assert.is(
          flags(E.CC_INC + size, dirty(up), carry),
          base(up, bits) | c | ((up & 15n) === 0n ? E.CC_A : 0) | (up === sign ? E.CC_O : 0),
        );
        assert.is(
          flags(E.CC_DEC + size, dirty(down), carry),
          base(down, bits) | c | ((down & 15n) === 15n ? E.CC_A : 0) | (down === sign - 1n ? E.CC_O : 0),
        );
        assert.is(flags(E.CC_MUL + size, dirty(a), carry), base(a, bits) | (carry ? E.CC_C | E.CC_O : 0));
        assert.is(flags(E.CC_BMI + size, dirty(a), carry), base(a, bits) | c);
      }
      const left = (a << 1n) & mask;
      const out = a >> (bits - 1n);
      assert.is(
        flags(E.CC_SHL + size, dirty(left), dirty(a)),
        base(left, bits) | (out ? E.CC_C : 0) | (out !== left >> (bits - 1n) ? E.CC_O : 0),
      );
      const right = a >> 1n;
      assert.is(
        flags(E.CC_SAR + size, right, a),
        base(right, bits) | (a & 1n ? E.CC_C : 0) | (a & sign ? E.CC_O : 0),
        `shr ${a}`,
      );
    }
  });
}

test("flags kept as they are, and with CF or OF apart", () => {
  assert.is(flags(E.CC_EFLAGS, 5n, 0xffffn), 0x8d5);
  assert.is(flags(E.CC_ADCX, 1n, 0x8d4n), 0x8d5);
  assert.is(flags(E.CC_ADCX, 0n, 0x8d5n), 0x8d4);
  assert.is(flags(E.CC_ADOX, 1n, 0xd5n, 1n), 0x8d5);
  assert.is(flags(E.CC_ADCOX, 1n, 0xd4n, 1n), 0x8d5);
  assert.is(flags(E.CC_POPCNT, 0n, 5n), E.CC_Z);
  assert.is(flags(E.CC_POPCNT, 3n, 5n), 0);
  for (const [apart, expected] of [
    [0n, 0],
    [1n, E.CC_O],
    [2n, E.CC_C | E.CC_O],
    [3n, E.CC_C],
  ] as const) {
    cpu.state.ccCarry = apart | 0xa0n;
    assert.is(flags(E.CC_EFLAGS | E.CC_CARRY, 5n, 0x8d5n), 0xd4 | expected);
    assert.is(flags((E.CC_SUB + 3) | E.CC_CARRY, 0n, 7n), E.CC_Z | E.CC_P | expected);
    assert.is(flags(E.CC_ADOX | E.CC_CARRY, 0n, 0xd5n, 1n), 0xd4 | expected);
  }
});

test("EFLAGS is put together and taken apart", () => {
  cpu.reset();
  cpu.call("setEflags", 0xffffffffn, 0x003f7fd5n);
  assert.is(cpu.call("getEflags"), 0x3f7fd7n);
  assert.is(cpu.state.df, (1n << 64n) - 1n);
  assert.is(cpu.state.eflags, 0x3f7300n);
  cpu.call("setEflags", 0n, 0x400n);
  assert.is(cpu.call("getEflags"), 0x3f7bd7n);
  assert.is(cpu.state.df, 1n);
});

test("hflags follow the mode", () => {
  cpu.reset();
  const { state } = cpu;
  const hflags = (): number => {
    cpu.call("updateHflags");
    return state.hflags;
  };
  assert.is(hflags(), E.HF_SEGCHECK);
  state.segBase[3] = 16n;
  assert.is(hflags(), E.HF_SEGCHECK | E.HF_ADDSEG);
  state.segBase[3] = 0n;
  state.cr0 = 1n;
  for (let i = 0; i < 6; i++) {
    state.segLimit[i] = 0xffffffff;
    state.segAttr[i] = i === 1 ? 0xc09b00 : 0xc09300;
  }
  assert.is(hflags(), E.HF_PE | E.HF_CS32 | E.HF_SS32);
  state.hflags |= 3;
  assert.is(hflags(), E.HF_PE | E.HF_CS32 | E.HF_SS32 | 3);
  state.segAttr[0] = 0;
  assert.is(hflags(), E.HF_PE | E.HF_CS32 | E.HF_SS32 | E.HF_SEGCHECK | 3);
  state.efer = 0x500n;
  state.segAttr[1] = 0xa09b00;
  assert.is(hflags(), E.HF_PE | E.HF_LMA | E.HF_CS64 | 3);
  state.efer = 0n;
  state.eflags = 0x23100n;
  state.hflags = 0;
  assert.is(hflags() & ~(E.HF_CS32 | E.HF_SS32), E.HF_PE | E.HF_VM | E.HF_TF | E.HF_SEGCHECK | (3 << 16) | 3);
});

test.run();
