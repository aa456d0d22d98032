/** Integer instructions in 16-bit code on a 16-bit stack: wraps and corners that random cases seldom meet. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { OracleEngine } from "../../../oracle/engine.ts";
import { assemble } from "../../../tools/asm.ts";

const BASE = 0x1000;
const CODE = 0x8000;
const engine = await OracleEngine.create(BigInt(BASE), 0xf000);
const NAMES = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] as const;
type Registers = Partial<Record<(typeof NAMES)[number], number>>;

/** Runs 16-bit code and returns all registers. */
function run(source: string, registers: Registers): Required<Registers> {
  const { bytes } = assemble(`bits 16\norg ${CODE}\n${source}`);
  const gpr = new BigUint64Array(16);
  for (const [index, name] of NAMES.entries()) gpr[index] = BigInt(registers[name] ?? 0);
  const image = { gpr, rflags: 0x202n, fx: new Uint8Array(512) };
  assert.is(engine.run(bytes, BigInt(CODE), image, false, 16), undefined, source);
  return Object.fromEntries(NAMES.map((name, index) => [name, Number(gpr[index])])) as Required<Registers>;
}

const word = (address: number): number => engine.data[address - BASE] | (engine.data[address - BASE + 1] << 8);
function setWords(address: number, ...values: number[]): void {
  for (const [index, value] of values.entries()) {
    engine.data[address - BASE + index * 2] = value & 255;
    engine.data[address - BASE + index * 2 + 1] = value >> 8;
  }
}

test("a 16-bit stack moves SP and leaves the upper half of ESP alone", () => {
  const after = run("push ax\npush dword 0x11223344", { eax: 0x5678, esp: 0x1234_4000 });
  assert.is(after.esp, 0x1234_3ffa);
  assert.equal([word(0x3ffe), word(0x3ffc), word(0x3ffa)], [0x5678, 0x1122, 0x3344]);
  assert.is(run("pop eax", { esp: 0x1234_3ffa }).eax, 0x11223344);
});

test("SP wraps around", () => {
  assert.is(run("push ax", { eax: 0xbeef, esp: 0x1234_0000 }).esp, 0x1234_fffe);
  assert.is(word(0xfffe), 0xbeef);
  assert.is(run("pop ax", { esp: 0xfffe }).esp, 0);
});

test("PUSH SP pushes the value before, POP SP takes the value popped", () => {
  run("push sp", { esp: 0x4000 });
  assert.is(word(0x3ffe), 0x4000);
  setWords(0x4000, 0x5000);
  assert.is(run("pop sp", { esp: 0x7777_4000 }).esp, 0x7777_5000);
});

test("POP to memory counts ESP after the increment", () => {
  setWords(0x4000, 0xcafe, 0);
  run("pop word [esp]", { esp: 0x4000 });
  assert.is(word(0x4002), 0xcafe);
});

test("PUSHA pushes the old SP, POPA skips it", () => {
  const values = { eax: 1, ecx: 2, edx: 3, ebx: 4, esp: 0x4000, ebp: 6, esi: 7, edi: 8 };
  assert.is(run("pusha", values).esp, 0x3ff0);
  assert.equal(
    Array.from({ length: 8 }, (_, k) => word(0x3ffe - 2 * k)),
    [1, 2, 3, 4, 0x4000, 6, 7, 8],
  );
  assert.equal(run("popa", { esp: 0x3ff0 }), values);
});

test("ENTER with levels copies frame pointers; LEAVE undoes it", () => {
  setWords(0x4ffc, 0xaaaa, 0xbbbb, 0);
  const entered = run("enter 6, 3", { esp: 0x9999_4000, ebp: 0x8888_5000 });
  assert.is(entered.ebp, 0x8888_3ffe);
  assert.is(entered.esp, 0x9999_3ffe - 3 * 2 - 6);
  assert.equal([word(0x3ffe), word(0x3ffc), word(0x3ffa), word(0x3ff8)], [0x5000, 0xbbbb, 0xaaaa, 0x3ffe]);
  const left = run("leave", entered);
  assert.equal([left.esp, left.ebp], [0x9999_4000, 0x8888_5000]);
});

test("ENTER with a 32-bit operand takes the upper half of ESP into EBP", () => {
  const entered = run("db 0x66\nenter 6, 1", { esp: 0x9999_4000, ebp: 0x8888_5000 });
  assert.equal([entered.ebp, entered.esp], [0x9999_3ffc, 0x9999_3ffc - 4 - 6]);
  assert.equal([word(0x3ffa), word(0x3ff8)], [0x9999, 0x3ffc]);
});

test("LOOP and JCXZ count in CX, with a 67 prefix in ECX", () => {
  const counted = run("again: inc ax\nloop again", { ecx: 0x1_0003 });
  assert.equal([counted.eax, counted.ecx], [3, 0x1_0000]);
  assert.is(run("jcxz done\ninc ax\ndone:", { ecx: 0x1_0000 }).eax, 0);
  assert.is(run("jecxz done\ninc ax\ndone:", { ecx: 0x1_0000 }).eax, 1);
});

test("16-bit addresses wrap inside their segment", () => {
  setWords(0x1234, 0x4711);
  assert.is(run("mov ax, [bx+si+0x234]", { ebx: 0xf000, esi: 0x2000 }).eax, 0x4711);
  assert.is(run("lea eax, [bp+di-1]", { ebp: 0xffff_0000, edi: 0 }).eax, 0xffff);
  assert.is(run("xlatb", { eax: 4, ebx: 0x1230 }).eax, 0x11);
});

test("calls push 16 bits of the return address, or 32 with a 66 prefix", () => {
  run("call there\nthere:", { esp: 0x4000 });
  assert.is(word(0x3ffe), CODE + 3);
  const back = run("push there\nret\ninc ax\nthere:", { esp: 0x4000 });
  assert.equal([back.eax, back.esp], [0, 0x4000]);
  const released = run("push there\nret 4\nthere:", { esp: 0x4000 });
  assert.is(released.esp, 0x4004);
});

test("16-bit operations leave the upper half of registers alone", () => {
  const after = run("add ax, cx\nxchg bx, dx\nmovzx si, cl", {
    eax: 0x1111_ffff,
    ecx: 0x2222_0001,
    ebx: 0x3333_0003,
    edx: 0x4444_0004,
    esi: 0x5555_ffff,
  });
  assert.equal([after.eax, after.ebx, after.edx, after.esi], [0x1111_0000, 0x3333_0004, 0x4444_0003, 0x5555_0001]);
  assert.is(run("mov ax, 0x8000\ncwd", {}).edx, 0xffff);
  assert.is(run("stc\nsalc", { eax: 0x1200 }).eax, 0x12ff);
});

test.run();
