import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodeSize, createInsn, Decoder } from "../../accel/tcg/x86/decoder.ts";
import { format } from "../../accel/tcg/x86/format.ts";
import { OPCODE_ROWS } from "../../accel/tcg/x86/rows.ts";
import { Random } from "../oracle/random.ts";
import { assemble } from "./asm.ts";

/** Instructions whose operand size cannot be seen in what is printed. */
const SIZE_NOT_SHOWN = /^(pop|ret|call|jmp|j|loop|enter|leave|iret|in|out|[sl][gi]dt|str|sldt)/;

/** MOV between an accumulator and an absolute address has two forms, which print sizes or do not. */
const withoutSizes = (text: string): string => text.replace(/\b[dq]?(word|byte) /, "");

const hex = (source: string): string => Buffer.from(assemble(source).bytes).toString("hex");

test("the shortest encoding is taken", () => {
  assert.is(hex("bits 32\n add eax, 5"), "83c005");
  assert.is(hex("bits 32\n add eax, 0x1234"), "0534120000");
  assert.is(hex("bits 64\n mov rax, -1"), "48c7c0ffffffff");
  assert.is(hex("bits 64\n mov eax, 5"), "b805000000");
  assert.is(hex("bits 16\n push 5"), "6a05");
  assert.is(hex("bits 64\n lock cmpxchg [rdi], rdx"), "f0480fb117");
  assert.is(hex("bits 64\n mov sil, 1\n mov ah, 2"), "40b601b402");
});

test("labels, data and directives", () => {
  const { bytes, labels } = assemble(`
    bits 16
    org 0x7c00
    size equ end - table     ; forward labels are fine
  start:
    mov ax, [table + bx]
    jmp start
    align 4
  table:
    dw 1, table, size
    db "ok;", 0, 'a'
    resb 2
  end:
  `);
  assert.is(labels.get("table"), 0x7c08);
  assert.is(Buffer.from(bytes).toString("hex"), "8b87087cebfa9090" + "0100087c0d00" + "6f6b3b0061" + "0000");
});

test("jumps are short where that reaches", () => {
  assert.is(assemble("bits 32\n jmp there\n resb 127\nthere:").bytes.length, 2 + 127);
  assert.is(assemble("bits 32\n jmp there\n resb 128\nthere:").bytes.length, 5 + 128);
  assert.is(assemble("bits 16\n je there\n resb 128\nthere:").bytes.length, 4 + 128);
});

test("mistakes name the line", () => {
  assert.throws(() => assemble("nop\nmov eax"), /line 2: no form of 'mov' takes 'eax' in 16-bit code/);
  assert.throws(() => assemble("frobnicate"), /unknown instruction 'frobnicate'/);
  assert.throws(() => assemble("jmp nowhere"), /unknown label 'nowhere'/);
  assert.throws(() => assemble("bits 64\n mov ah, sil"), /no form/);
  assert.throws(() => assemble("bits 32\n mov eax, rax"), /no form/);
});

test("what the disassembler prints assembles to the same instruction", () => {
  const decoder = new Decoder(OPCODE_ROWS);
  const insn = createInsn(OPCODE_ROWS[0]);
  const random = new Random(3);
  const bytes = new Uint8Array(16);
  let compared = 0;
  for (let round = 0; round < 6000; round++) {
    for (let at = 0; at < bytes.length; at++) bytes[at] = random.u32();
    if (random.oneIn(3)) bytes[0] = 0x0f;
    const bits: CodeSize = random.pick([16, 32, 64] as const);
    if (decoder.decode(insn, bytes, 0, 15, bits) <= 0) continue;
    // Prefixes that do nothing, and forms with a hint or a zero displacement, are not printed.
    if (insn.segment >= 0 || insn.rep !== 0 || /^(prefetch|nop|ud|endbr|f?nop)/.test(insn.row.name)) continue;
    if (insn.prefix66 && SIZE_NOT_SHOWN.test(insn.row.name)) continue;
    const text = format(insn, 0x1000n);
    // Segment registers 6 and 7 do not exist; a shift by an immediate 1 has a shorter form.
    if (/\?|\b0x1$/.test(text)) continue;
    const again = assemble(`bits ${bits}\norg 0x1000\n${text}`).bytes;
    assert.ok(decoder.decode(insn, again, 0, again.length, bits) > 0, text);
    assert.is(withoutSizes(format(insn, 0x1000n)), withoutSizes(text));
    compared++;
  }
  assert.ok(compared > 1000);
});

test.run();
