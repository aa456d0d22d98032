/** What common instruction sequences become after optimisation: no more operations than they need. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { HF_CS64, HF_LMA, HF_PE } from "../../../../accel/tcg/env.ts";
import { IrBuilder } from "../../../../accel/tcg/ir/builder.ts";
import { OP_ROWS } from "../../../../accel/tcg/ir/ops.ts";
import { Optimizer } from "../../../../accel/tcg/ir/optimize.ts";
import { Translator } from "../../../../accel/tcg/translate/translator.ts";
import { createInsn, Decoder } from "../../../../accel/tcg/x86/decoder.ts";
import { OPCODE_ROWS } from "../../../../accel/tcg/x86/rows.ts";
import { assemble } from "../../../tools/asm.ts";

const HELPERS = ["raiseException", "computeFlags", "computeFlagsOf", "computeCarry", "mulHighSigned", "divideUnsigned"];
const decoder = new Decoder(OPCODE_ROWS);
const insn = createInsn(OPCODE_ROWS[0]);

/** Names of the ops of a block of 64-bit code; helper calls by the helper's name. */
function ops(source: string): string {
  const code = assemble(`bits 64\n${source}`).bytes;
  const ir = new IrBuilder(new Map(HELPERS.map((name, index) => [name, index])));
  const t = new Translator(ir);
  t.begin(HF_CS64 | HF_LMA | HF_PE | 3, 0);
  for (let at = 0; at < code.length && !t.ended; at += insn.length) {
    decoder.decode(insn, code, at, code.length - at, 64);
    t.beginInsn(insn.length);
    insn.row.emit(t, insn);
  }
  t.finish();
  new Optimizer().run(ir);
  return Array.from({ length: ir.count }, (_, i) => {
    const { name, kind } = OP_ROWS[ir.op[i]];
    return kind === "call" ? HELPERS[ir.c[i]] : name;
  }).join(" ");
}

const JUMP = "lea64 exit_chain label lea64 exit_chain";

test("compare and jump are one branch on the operands", () => {
  assert.is(ops("cmp eax, ebx\njl $"), `sub32 mov mov br_lt32 ${JUMP}`);
  assert.is(ops("test rax, rax\njne $"), `mov mov br_ne64 ${JUMP}`);
  assert.is(ops("cmp rax, 5\nja $"), `sub64 mov mov br_gtu64 ${JUMP}`);
});

test("flags that are overwritten cost nothing", () => {
  assert.is(
    ops("xor eax, eax\nadd ebx, ecx\nsub edx, esi\ncmp edi, 1\nje $"),
    `mov add32 sub32 sub32 mov mov br_eq32 ${JUMP}`,
  );
  assert.is(ops("rol eax, 5\nadd eax, 1").includes("computeFlags"), false);
  assert.is(ops("bts rax, 5\nimul rbx, rcx\nadd eax, 1").includes("mulHighSigned"), false);
  assert.is(ops("inc rax\nadd rbx, 1").includes("computeCarry"), false);
});

test("CF and OF of rotates and bit tests are kept apart", () => {
  assert.is(ops("xor ecx, ecx\nror eax, 7\nmov rdx, [rbx]").includes("compute"), false);
  assert.is(
    ops("rol eax, 7\nmov rdx, [rbx]\nadd eax, 1"),
    "rotl32 rotl32 or32 ld64 add32 mov mov mov lea64 exit_chain",
  );
  assert.is(ops("cmp rax, rbx\nbt ecx, 3\njc $"), `sub64 mov rotr32 mov br_tstne32 ${JUMP}`);
  assert.is(ops("cmp rax, rbx\nbts ecx, 3\nje $").includes("compute"), false);
});

test("carry chains need no helper", () => {
  for (const op of ["adc", "sbb"]) {
    for (const [a, b] of ["rax rbx", "ecx edx", "si di", "al bl"].map((pair) => pair.split(" "))) {
      assert.is(ops(`add rax, rbx\n${op} ${a}, ${b}\n${op} ${a}, ${b}\njc $`).includes("compute"), false, `${op} ${a}`);
    }
  }
  assert.is(ops("cmp eax, ecx\nsbb edx, ebx\njl $").includes("compute"), false);
});

test("conditions after additions and steps need no helper", () => {
  for (const op of ["add rax, rbx", "add ecx, 5", "sub si, di", "xor eax, eax\ninc rdx", "xor eax, eax\ndec dl"]) {
    for (const condition of ["l", "ge", "le", "g", "s", "e"]) {
      assert.is(ops(`${op}\nj${condition} $`).includes("compute"), false, `${op} ${condition}`);
    }
  }
  for (const op of ["add rax, rbx", "add cl, 5", "sub si, di"]) {
    for (const condition of ["b", "be", "o"]) {
      assert.is(ops(`${op}\nj${condition} $`).includes("compute"), false, `${op} ${condition}`);
    }
  }
});

test("a test of a register by itself is one branch", () => {
  assert.is(ops("test al, al\njs $"), `mov mov br_tstne32 ${JUMP}`);
  assert.is(ops("test cx, cx\nje $"), `mov mov br_tsteq32 ${JUMP}`);
});

test("extensions of what is narrow already cost nothing", () => {
  assert.is(ops("movzx eax, byte [rbx]\nmovzx ecx, al"), "ld8u mov lea64 exit_chain");
  assert.is(ops("cmp rbx, rcx\nsetl al\nmovzx eax, al\nadd rbx, rcx"), "set_lt64 add64 mov mov mov lea64 exit_chain");
  assert.is(ops("xor eax, eax\ncmp rbx, rcx\nsetb al"), "sub64 mov set_ltu64 mov lea64 exit_chain");
});

test("a product is not looked at for flags that nobody wants", () => {
  assert.is(ops("imul rax, rbx\nmov [rcx], rax"), "mul64 mov mov mov st64 mov lea64 exit_chain");
  assert.is(ops("imul eax, ebx, 10\nadd eax, 1"), "mul32 add32 mov mov mov lea64 exit_chain");
});

test("flag operands that the next ccOp does not look at are dead", () => {
  assert.is(ops("cmp rax, rbx\ntest rcx, rcx\nmov rdx, [rax]"), "mov ld64 mov lea64 exit_chain");
});

test("moves are moves", () => {
  assert.is(ops("mov rax, rbx"), "mov lea64 exit_chain");
  assert.is(ops("mov eax, 5"), "mov lea64 exit_chain");
  assert.is(ops("nop\nendbr64"), "lea64 exit_chain");
});

test("a shift by CL keeps the flags where the count is zero", () => {
  assert.is(ops("shl eax, cl").match(/sel_eq32/g)?.length, 3);
  assert.is(ops("shl eax, cl\nadd eax, ebx").includes("sel_eq32"), false);
});

test.run();
