/** What compiled regions and the interpreter agree on: exits and their links, budgets, pages, computed targets. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { ENV, EXIT_REQUESTED, regOffset } from "../../../../accel/tcg/env.ts";
import { EXIT_HOT, EXIT_LINK, EXIT_LOOKUP, EXIT_MAIN } from "../../../../accel/tcg/interp/generate.ts";
import { NONE } from "../../../../accel/tcg/ir/builder.ts";
import { OP } from "../../../../accel/tcg/ir/ops.ts";
import { CODE_PAGE, createIrMachine, type IrBlock } from "../ir/harness.ts";

const machine = await createIrMachine();
const { ir, state, words } = machine;
const RAX = regOffset(0);
const RBX = regOffset(3);
/** Of an exit, in words: where it leads, and how often until that counts as hot. */
const LINK = 2;
const COUNT = 3;

function block(delta: number, emit: () => void, targets: number[] = []): IrBlock {
  ir.reset();
  ir.beginInsn(0, 0);
  ir.binaryTo(RAX, OP.add64, RAX, ir.const(1));
  emit();
  return { delta, ir: ir.snapshot(), targets };
}

function goto(by: number): void {
  if (by !== 0) ir.emit(OP.lea64, ENV.rip, ENV.rip, NONE, 0, by);
  ir.exitChain(0);
}

const rip = (): number => Number(state.rip) - CODE_PAGE;

for (const backend of ["wasm", "js"] as const) {
  test(`${backend}: an exit without a target says which it is`, () => {
    const { code, cell } = machine.compile(backend, [block(0, () => goto(0x40))]);
    machine.start();
    state.regs[0] = 0n;
    assert.is(machine.interpret(code), EXIT_LINK);
    assert.is(state.opPointer, cell(0));
    assert.equal([rip(), state.regs[0]], [0x40, 1n]);
  });

  test(`${backend}: a linked exit leads to interpreter code, until that is hot`, () => {
    const { code, cell } = machine.compile(backend, [block(0, () => goto(0x40))]);
    const next = machine.lower(block(0x40, () => ir.exitMain()).ir);
    words[(cell(0) >> 2) + LINK] = next;
    words[(cell(0) >> 2) + COUNT] = 3;
    const exits = [1, 2, 3].map(() => {
      machine.start();
      return machine.interpret(code);
    });
    assert.equal(exits, [EXIT_MAIN, EXIT_MAIN, EXIT_HOT]);
    assert.is(words[(cell(0) >> 2) + COUNT], 0);
    assert.is(rip(), 0x40);
  });

  test(`${backend}: a linked exit leads to another region, which counts instructions on`, () => {
    const first = machine.compile(backend, [block(0, () => goto(0x40))], 1);
    const second = machine.compile(backend, [block(0, () => ir.exitMain())], 2);
    words[(first.cell(0) >> 2) + LINK] = second.code;
    words[(first.cell(0) >> 2) + COUNT] = 1;
    machine.start();
    state.regs[0] = 0n;
    state.budget = 100;
    assert.is(machine.interpret(first.code), EXIT_MAIN);
    assert.equal([state.regs[0], state.budget, state.region], [2n, 98, 2]);
    assert.is(words[(first.cell(0) >> 2) + COUNT], 1, "regions are not counted");
    assert.is(state.regionRip, BigInt(CODE_PAGE + 0x40));
  });

  test(`${backend}: two regions that lead to each other end with the slice`, () => {
    const first = machine.compile(backend, [block(0, () => goto(0x40))], 1);
    const second = machine.compile(backend, [block(0, () => goto(-0x40))], 2);
    words[(first.cell(0) >> 2) + LINK] = second.code;
    words[(second.cell(0) >> 2) + LINK] = first.code;
    machine.start();
    state.regs[0] = 0n;
    state.budget = 1001;
    assert.is(machine.interpret(first.code), EXIT_MAIN);
    assert.equal([state.regs[0], state.budget, rip()], [1001n, 0, 0x40]);
  });

  test(`${backend}: a loop ends with the slice, or when an exit is asked for`, () => {
    const { code } = machine.compile(backend, [block(0, () => goto(0))]);
    machine.start();
    state.regs[0] = 0n;
    state.budget = 1000;
    assert.is(machine.interpret(code), EXIT_MAIN);
    assert.equal([state.regs[0], state.budget, rip()], [1000n, 0, 0]);
    machine.start();
    state.exitRequest = EXIT_REQUESTED;
    assert.is(machine.interpret(code), EXIT_MAIN);
    assert.equal([state.regs[0], rip()], [1000n, 0]);
  });

  test(`${backend}: a page that is mapped elsewhere is not gone to`, () => {
    const blocks = [block(0, () => goto(0x1000)), block(0x1000, () => ir.exitMain())];
    const { code } = machine.compile(backend, blocks);
    state.regs[0] = 0n;
    machine.start();
    assert.is(machine.interpret(code), EXIT_MAIN);
    assert.is(state.regs[0], 2n);
    machine.start();
    machine.moveCode(0x1000);
    assert.is(machine.interpret(code), EXIT_LINK);
    assert.equal([state.regs[0], rip()], [3n, 0x1000]);
  });

  test(`${backend}: a computed address that is not expected leaves`, () => {
    const computed = (): void => {
      ir.mov(ENV.rip, RBX);
      ir.exitLookup();
    };
    const { code } = machine.compile(backend, [block(0, computed, [0x40]), block(0x40, () => ir.exitMain())]);
    for (const [target, exit, count] of [
      [0x40, EXIT_MAIN, 2n],
      [0x80, EXIT_LOOKUP, 1n],
    ] as const) {
      machine.start();
      state.regs[0] = 0n;
      state.regs[3] = BigInt(CODE_PAGE + target);
      assert.is(machine.interpret(code), exit);
      assert.is(state.regs[0], count);
      if (exit === EXIT_LOOKUP) assert.is(rip(), target);
    }
  });
}

test.run();
