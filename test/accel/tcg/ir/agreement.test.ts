/** Random IR programs do the same on every back end, with and without the optimiser. Reproducible by seed. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { ENV, HF_CS32, HF_CS64, regOffset } from "../../../../accel/tcg/env.ts";
import { EXIT_FAULT } from "../../../../accel/tcg/interp/generate.ts";
import { NONE } from "../../../../accel/tcg/ir/builder.ts";
import { fold } from "../../../../accel/tcg/ir/fold.ts";
import { OP, OP_ROWS } from "../../../../accel/tcg/ir/ops.ts";
import { Optimizer } from "../../../../accel/tcg/ir/optimize.ts";
import { BACKENDS, createIrMachine, type IrBlock } from "./harness.ts";
import {
  BINARY,
  fillState,
  randomBlock,
  randomBlocks,
  randomFrom,
  randomValue,
  readState,
  UNARY,
} from "./random-program.ts";

const BLOCKS = Number(process.env["QEMU_NEXT_IR_PROGRAMS"] ?? 1500);
const PROGRAMS = BLOCKS / 5;
const SEED = Number(process.env["QEMU_NEXT_IR_SEED"] ?? 1);

test("blocks agree on every back end, optimised and plain", async () => {
  const machine = await createIrMachine();
  const { ir } = machine;
  const optimizer = new Optimizer();
  const met = new Set<number>();
  let faults = 0;
  for (let seed = SEED; seed < SEED + BLOCKS; seed++) {
    randomBlock(ir, randomFrom(seed * 2654435761));
    const plain = ir.snapshot();
    const before = ir.count;
    optimizer.run(ir);
    assert.ok(ir.count <= before);
    const run = (backend: (typeof BACKENDS)[number], block: IrBlock["ir"]): unknown => {
      fillState(machine, randomFrom(seed));
      return [machine.runBlocks(backend, [{ delta: 0, ir: block }]), readState(machine)];
    };
    const expected = run("interp", plain);
    const optimised = ir.snapshot();
    for (const backend of BACKENDS) assert.equal(run(backend, optimised), expected, `${backend}, seed ${seed}`);
    for (let i = 0; i < optimised.count; i++) met.add(optimised.op[i]);
    if ((expected as { exit: number }[])[0].exit === EXIT_FAULT) faults++;
  }
  const missing = OP_ROWS.filter(({ kind }, op) => kind !== "exit" && !met.has(op)).map(({ name }) => name);
  if (BLOCKS >= 1500) assert.equal(missing, []);
  assert.ok(faults > BLOCKS / 50, "some programs fault");
});

for (const [bits, hflags] of [
  [64, HF_CS64],
  [32, HF_CS32],
] as const) {
  test(`regions of several blocks agree with the interpreter, ${bits}-bit code`, async () => {
    const machine = await createIrMachine(hflags);
    const { ir } = machine;
    const optimizer = new Optimizer();
    for (let seed = SEED; seed < SEED + PROGRAMS; seed++) {
      const blocks = randomBlocks(ir, randomFrom(seed * 2654435761), bits, () => optimizer.run(ir));
      const [expected, ...others] = BACKENDS.map((backend) => {
        fillState(machine, randomFrom(seed));
        return [machine.runBlocks(backend, blocks), readState(machine)];
      });
      for (const [index, other] of others.entries()) {
        assert.equal(other, expected, `${BACKENDS[index + 1]}, seed ${seed}`);
      }
    }
  });
}

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
    const result = ir.binary(OP.add32, regOffset(0), regOffset(1));
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
    ir.load(OP.ld8u, regOffset(3));
    flags();
  });
  assert.ok(withLoad > twice, "a load may fault, and the fault shows the flags");
});

test.run();
