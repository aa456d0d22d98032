/** Random IR programs give the same registers, flags and memory with and without the optimiser. Reproducible by seed. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { ENV, regOffset } from "../../../../accel/tcg/env.ts";
import { EXIT_MAIN } from "../../../../accel/tcg/interp/generate.ts";
import { NONE, type Value } from "../../../../accel/tcg/ir/builder.ts";
import { fold } from "../../../../accel/tcg/ir/fold.ts";
import { CONDITIONS, OP, OP_ROWS } from "../../../../accel/tcg/ir/ops.ts";
import { Optimizer } from "../../../../accel/tcg/ir/optimize.ts";
import { createIrMachine, DATA_PAGE } from "./harness.ts";

const PROGRAMS = 3000;
const REGISTERS = 6;
const BINARY = OP_ROWS.filter(({ kind, signature }) => kind === "pure" && /^[il]=(ii|ll)$/.test(signature ?? ""));
const UNARY = OP_ROWS.filter(({ kind, signature }) => kind === "pure" && /^[il]=[il]$/.test(signature ?? ""));
const INTERESTING = [
  0n,
  1n,
  2n,
  31n,
  32n,
  63n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0x8000n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
];

/** xorshift32 */
function randomFrom(seed: number): (below: number) => number {
  let state = seed | 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function randomValue(random: (below: number) => number): bigint {
  const wide = (BigInt(random(2 ** 32)) << 32n) | BigInt(random(2 ** 32));
  switch (random(4)) {
    case 0:
      return INTERESTING[random(INTERESTING.length)];
    case 1:
      return BigInt.asUintN(64, -INTERESTING[random(INTERESTING.length)]);
    case 2:
      return wide & 0xffffffffn;
    default:
      return wide;
  }
}

test("optimised and plain programs agree", async () => {
  const machine = await createIrMachine();
  const { ir, state, data } = machine;
  const optimizer = new Optimizer();
  for (let seed = 1; seed <= PROGRAMS; seed++) {
    const build = (): void => {
      const random = randomFrom(seed * 2654435761);
      ir.reset();
      for (let insn = 0; insn < 4; insn++) {
        ir.beginInsn(insn, 0);
        const values: Value[] = Array.from({ length: REGISTERS }, (_, i) => regOffset(i));
        const constant = (): Value => {
          const value = randomValue(random);
          return ir.const(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
        };
        const any = (): Value => (random(4) === 0 ? constant() : values[random(values.length)]);
        const target = (): Value => [regOffset(random(REGISTERS)), ENV.ccDst, ENV.ccSrc][random(3)];
        const count = 1 + random(6);
        for (let i = 0; i < count; i++) {
          switch (random(9)) {
            case 0:
              values.push(ir.unary(UNARY[random(UNARY.length)].name, any()));
              break;
            case 1:
              ir.mov(target(), any());
              break;
            case 2: {
              const condition = CONDITIONS[random(CONDITIONS.length)];
              values.push(ir.select(`sel_${condition}${random(2) ? 32 : 64}`, any(), any(), any(), any()));
              break;
            }
            case 3:
              values.push(ir.lea(random(2) ? 32 : 64, any(), random(2) ? NONE : any(), random(4), random(2 ** 32) | 0));
              break;
            case 4: {
              const at = ir.const(DATA_PAGE + random(4000));
              const names = ["ld8u", "ld16u", "ld32u", "ld64", "ld8s64", "ld16s64", "ld32s64"] as const;
              values.push(ir.load(names[random(names.length)], at));
              break;
            }
            case 5: {
              const masked = ir.lea(64, ir.binary("and64", any(), ir.const(0x7f8)), NONE, 0, DATA_PAGE);
              ir.store((["st8", "st16", "st32", "st64"] as const)[random(4)], masked, any());
              break;
            }
            case 6: {
              const skip = ir.label();
              const condition = CONDITIONS[random(CONDITIONS.length)];
              ir.brIf(`br_${condition}${random(2) ? 32 : 64}`, any(), any(), skip);
              ir.mov(target(), any());
              ir.bind(skip);
              break;
            }
            case 7:
              ir.emit(OP.ext32u, target(), any());
              break;
            default: {
              const d = random(2) ? target() : ir.temp();
              ir.emit(OP[BINARY[random(BINARY.length)].name], d, any(), any());
              if (d >= ENV.temps) values.push(d);
            }
          }
        }
      }
      ir.exitMain();
    };
    const run = (): { registers: bigint[]; memory: Uint8Array } => {
      const random = randomFrom(seed);
      for (let i = 0; i < 16; i++) state.regs[i] = randomValue(random);
      state.ccDst = randomValue(random);
      state.ccSrc = randomValue(random);
      for (let i = 0; i < data.length; i++) data[i] = random(256);
      assert.is(machine.run(), EXIT_MAIN);
      return { registers: [...state.regs, state.ccDst, state.ccSrc], memory: data.slice() };
    };
    build();
    const plain = run();
    build();
    const before = ir.count;
    optimizer.run(ir);
    assert.ok(ir.count <= before);
    const optimised = run();
    assert.equal(optimised.registers, plain.registers, `seed ${seed}`);
    assert.ok(Buffer.compare(optimised.memory, plain.memory) === 0, `memory, seed ${seed}`);
  }
});

test("the constant folder computes what the interpreter computes", async () => {
  const machine = await createIrMachine();
  const { ir, state } = machine;
  const random = randomFrom(42);
  const pairOf = (value: bigint) => ({
    low: Number(BigInt.asIntN(32, value)),
    high: Number(BigInt.asIntN(32, value >> 32n)),
  });
  let checked = 0;
  for (const { name } of [...BINARY, ...UNARY]) {
    for (let i = 0; i < 60; i++) {
      const a = randomValue(random);
      const b = randomValue(random);
      const folded = fold(OP[name], pairOf(a), pairOf(b));
      if (!folded) break;
      ir.reset();
      ir.beginInsn(0, 0);
      ir.emit(OP[name], regOffset(2), regOffset(0), BINARY.some((row) => row.name === name) ? regOffset(1) : NONE);
      ir.exitMain();
      state.regs[0] = a;
      state.regs[1] = b;
      machine.run();
      const expected = (BigInt(folded.high >>> 0) << 32n) | BigInt(folded.low >>> 0);
      assert.is(state.regs[2], expected, `${name}(${a.toString(16)}, ${b.toString(16)})`);
      checked++;
    }
  }
  assert.ok(checked > 2000);
});

test("a dead flag computation disappears, a live one stays", async () => {
  const { ir } = await createIrMachine();
  const count = (emit: () => void): number => {
    ir.reset();
    ir.beginInsn(0, 0);
    emit();
    ir.exitMain();
    new Optimizer().run(ir);
    return ir.count;
  };
  const flags = (): void => {
    const result = ir.binary("add32", regOffset(0), regOffset(1));
    ir.mov(ENV.ccSrc, regOffset(1));
    ir.mov(ENV.ccDst, result);
  };
  const twice = count(() => {
    flags();
    flags();
  });
  assert.is(twice, count(flags));
  const withLoad = count(() => {
    flags();
    ir.load("ld8u", regOffset(3));
    flags();
  });
  assert.ok(withLoad > twice, "a load may fault, and the fault shows the flags");
});

test.run();
