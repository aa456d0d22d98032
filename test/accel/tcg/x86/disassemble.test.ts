import { test } from "uvu";
import * as assert from "uvu/assert";
import { disassemble } from "../../../../accel/tcg/x86/disassemble.ts";

test("the mode decides what bytes mean", () => {
  const bytes = Uint8Array.of(0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8);
  assert.equal(disassemble(bytes, 64, 0n), { length: 10, text: "mov rax, 0x807060504030201" });
  assert.equal(disassemble(bytes, 32, 0n), { length: 1, text: "dec eax" });
  assert.equal(disassemble(bytes.subarray(1), 16, 0n), { length: 3, text: "mov ax, 0x201" });
});

test("relative targets are absolute; what is no instruction is one byte; what is cut off is nothing", () => {
  assert.equal(disassemble(Uint8Array.of(0xeb, 0xfe), 32, 0x7c00n), { length: 2, text: "jmp 0x7c00" });
  assert.equal(disassemble(Uint8Array.of(0x0f, 0x0b), 32, 0n)?.length, 2);
  assert.equal(disassemble(Uint8Array.of(0x06), 64, 0n), { length: 1, text: "(bad)" });
  assert.is(disassemble(Uint8Array.of(0xea, 0x5b), 16, 0n), undefined);
  assert.is(disassemble(new Uint8Array(0), 16, 0n), undefined);
});

test.run();
