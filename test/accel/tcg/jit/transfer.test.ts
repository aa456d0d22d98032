import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Transfer, transferOf } from "../../../../accel/tcg/jit/transfer.ts";
import { assemble } from "../../../tools/asm.ts";

const AT = 0x100;
const PADDING = 3;

/** The transfer of a block of some bytes and one instruction. */
function transfer(instruction: string, bits: 64 | 32 = 64): Transfer {
  const { bytes } = assemble(`bits ${bits}\n${instruction}`);
  const memory = new Uint8Array(0x400).fill(0x90);
  memory.set(bytes, AT + PADDING);
  return transferOf(memory, AT, PADDING, PADDING + bytes.length, bits === 64);
}

test("direct jumps and calls, by distance from the block's start", () => {
  assert.equal(transfer("here: jmp here"), { kind: "jump", ways: [PADDING] });
  assert.equal(transfer("jmp to\nresb 300\nto:").ways.length, 1);
  assert.equal(transfer("call to\nto:"), { kind: "call", ways: [PADDING + 5] });
});

test("conditional ones go on behind them, too", () => {
  assert.equal(transfer("here: je here"), { kind: "jump", ways: [PADDING, PADDING + 2] });
  assert.equal(transfer("here: loop here"), { kind: "jump", ways: [PADDING, PADDING + 2] });
  assert.equal(transfer("here: db 0x0f, 0x85, 0xfa, 0xff, 0xff, 0xff"), { kind: "jump", ways: [PADDING, PADDING + 6] });
});

test("computed ones lead to no fixed place", () => {
  assert.equal(transfer("call rax"), { kind: "call", ways: [] });
  assert.equal(transfer("call r11"), { kind: "call", ways: [] });
  assert.equal(transfer("jmp rax"), { kind: "jump", ways: [] });
  assert.equal(transfer("ret"), { kind: "return", ways: [] });
  assert.equal(transfer("db 0xf3, 0xc3"), { kind: "return", ways: [] });
});

test("anything else goes on, if at all, behind it", () => {
  assert.equal(transfer("out 0x80, al"), { kind: "none", ways: [PADDING + 2] });
  assert.equal(transfer("inc rax"), { kind: "none", ways: [PADDING + 3] });
  assert.equal(transfer("inc eax", 32), { kind: "none", ways: [PADDING + 1] });
});

test("jumps of 16 bits are left alone", () => {
  assert.equal(transfer("db 0x66, 0xe9, 0x10, 0x00", 32).ways, []);
});

test("a block that is all prefixes leads nowhere else", () => {
  assert.equal(transfer("db 0x66, 0x66, 0x66"), { kind: "none", ways: [PADDING + 3] });
});

test.run();
