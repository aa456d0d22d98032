/** Opcode rows of the x87 instructions: escape bytes D8 to DF (Intel SDM volume 2, appendix A.5) and FWAIT. */

import {
  arithmetic,
  arithmeticMemory,
  compare,
  compareMemory,
  compareToFlags,
  conditionalMove,
  control,
  environment,
  type Kind,
  load,
  loadControl,
  POP,
  POP2,
  QUIET,
  register,
  store,
  storeControl,
  storeStatus,
  TO_STI,
  TRUNCATE,
  UNCHECKED,
  wait,
} from "../translate/x87.ts";
import type { OpcodeRow } from "./insn.ts";

type Emit = OpcodeRow["emit"];

const rows: OpcodeRow[] = [];
const OPERAND: Readonly<Record<Kind, string>> = {
  m32: "Md",
  m64: "Mq",
  i16: "Mw",
  i32: "Md",
  i64: "Mq",
  m80: "Mt",
  bcd: "Mt",
};

function memory(byte: number, reg: number, name: string, operands: string, emit: Emit, extra = {}): void {
  rows.push({ map: 0, byte, reg, mod: "mem", name, operands, emit, ...extra });
}

function stack(byte: number, reg: number, name: string, operands: string, emit: Emit, extra = {}): void {
  rows.push({ map: 0, byte, reg, mod: "reg", name, operands, emit, ...extra });
}

/** An opcode of two fixed bytes. */
function fixed(byte: number, modrm: number, name: string, emit: Emit): void {
  rows.push({ map: 0, byte, reg: (modrm >> 3) & 7, rm: modrm & 7, mod: "reg", name, operands: "", emit });
}

const ARITHMETIC = ["add", "mul", "com", "comp", "sub", "subr", "div", "divr"];
const MEMORY_ARITHMETIC: readonly (readonly [byte: number, kind: Kind, prefix: string])[] = [
  [0xd8, "m32", "f"],
  [0xdc, "m64", "f"],
  [0xde, "i16", "fi"],
  [0xda, "i32", "fi"],
];
for (const [op, name] of ARITHMETIC.entries()) {
  const comparison = op === 2 || op === 3;
  for (const [byte, kind, prefix] of MEMORY_ARITHMETIC) {
    const emit = comparison ? compareMemory(kind, op === 3 ? POP : 0) : arithmeticMemory(op, kind);
    memory(byte, op, prefix + name, OPERAND[kind], emit);
  }
  if (comparison) continue;
  stack(0xd8, op, `f${name}`, "ST0 STi", arithmetic(op));
  // With ST(i) as destination the encodings of FSUB and FSUBR, FDIV and FDIVR change places.
  const reg = op >= 4 ? op ^ 1 : op;
  stack(0xdc, reg, `f${name}`, "STi ST0", arithmetic(op, TO_STI));
  stack(0xde, reg, `f${name}p`, "STi ST0", arithmetic(op, TO_STI | POP));
}
stack(0xd8, 2, "fcom", "STi", compare(0));
stack(0xd8, 3, "fcomp", "STi", compare(POP));
stack(0xdd, 4, "fucom", "STi", compare(QUIET));
stack(0xdd, 5, "fucomp", "STi", compare(QUIET | POP));
// Encodings that the manuals leave out and that all processors have.
stack(0xdc, 2, "fcom", "STi", compare(0));
stack(0xdc, 3, "fcomp", "STi", compare(POP));
stack(0xde, 2, "fcomp", "STi", compare(POP));
fixed(0xde, 0xd9, "fcompp", compare(POP2));
fixed(0xda, 0xe9, "fucompp", compare(QUIET | POP2));
const CMOV = { feature: "cmov" };
stack(0xdb, 6, "fcomi", "ST0 STi", compareToFlags(0), CMOV);
stack(0xdf, 6, "fcomip", "ST0 STi", compareToFlags(POP), CMOV);
stack(0xdb, 5, "fucomi", "ST0 STi", compareToFlags(QUIET), CMOV);
stack(0xdf, 5, "fucomip", "ST0 STi", compareToFlags(QUIET | POP), CMOV);
for (const [reg, condition] of ["b", "e", "be", "u"].entries()) {
  const code = [2, 4, 6, 10][reg];
  stack(0xda, reg, `fcmov${condition}`, "ST0 STi", conditionalMove(code), CMOV);
  stack(0xdb, reg, `fcmovn${condition}`, "ST0 STi", conditionalMove(code + 1), CMOV);
}

const fld: readonly (readonly [byte: number, reg: number, name: string, kind: Kind])[] = [
  [0xd9, 0, "fld", "m32"],
  [0xdd, 0, "fld", "m64"],
  [0xdb, 5, "fld", "m80"],
  [0xdf, 0, "fild", "i16"],
  [0xdb, 0, "fild", "i32"],
  [0xdf, 5, "fild", "i64"],
  [0xdf, 4, "fbld", "bcd"],
];
for (const [byte, reg, name, kind] of fld) memory(byte, reg, name, OPERAND[kind], load(kind));

const fst: readonly (readonly [byte: number, reg: number, name: string, kind: Kind, flags: number])[] = [
  [0xd9, 2, "fst", "m32", 0],
  [0xd9, 3, "fstp", "m32", POP],
  [0xdd, 2, "fst", "m64", 0],
  [0xdd, 3, "fstp", "m64", POP],
  [0xdb, 7, "fstp", "m80", POP],
  [0xdf, 2, "fist", "i16", 0],
  [0xdb, 2, "fist", "i32", 0],
  [0xdf, 3, "fistp", "i16", POP],
  [0xdb, 3, "fistp", "i32", POP],
  [0xdf, 7, "fistp", "i64", POP],
  [0xdf, 6, "fbstp", "bcd", POP],
];
for (const [byte, reg, name, kind, flags] of fst) memory(byte, reg, name, OPERAND[kind], store(kind, flags));
for (const [byte, kind] of [
  [0xdf, "i16"],
  [0xdb, "i32"],
  [0xdd, "i64"],
] as const) {
  memory(byte, 1, "fisttp", OPERAND[kind], store(kind, POP | TRUNCATE), { feature: "sse3" });
}

stack(0xd9, 0, "fld", "STi", register("x87LoadSt"));
stack(0xdd, 2, "fst", "STi", register("x87StoreSt"));
stack(0xdd, 3, "fstp", "STi", register("x87StoreSt", POP));
stack(0xd9, 3, "fstp", "STi", register("x87StoreSt", POP | UNCHECKED));
stack(0xdf, 2, "fstp", "STi", register("x87StoreSt", POP));
stack(0xdf, 3, "fstp", "STi", register("x87StoreSt", POP));
stack(0xd9, 1, "fxch", "STi", register("x87Exchange"));
stack(0xdd, 1, "fxch", "STi", register("x87Exchange"));
stack(0xdf, 1, "fxch", "STi", register("x87Exchange"));
stack(0xdd, 0, "ffree", "STi", register("x87Free"));
stack(0xdf, 0, "ffreep", "STi", register("x87Free", POP));

fixed(0xd9, 0xd0, "fnop", register("x87Wait"));
for (const [modrm, name] of [
  [0xe0, "fchs"],
  [0xe1, "fabs"],
  [0xe4, "ftst"],
  [0xe5, "fxam"],
] as const) {
  fixed(0xd9, modrm, name, register("x87Sign"));
}
for (const [index, name] of ["fld1", "fldl2t", "fldl2e", "fldpi", "fldlg2", "fldln2", "fldz"].entries()) {
  fixed(0xd9, 0xe8 + index, name, register("x87LoadConstant"));
}
for (const [modrm, name] of [
  [0xf0, "f2xm1"],
  [0xf1, "fyl2x"],
  [0xf2, "fptan"],
  [0xf3, "fpatan"],
  [0xf9, "fyl2xp1"],
  [0xfb, "fsincos"],
  [0xfe, "fsin"],
  [0xff, "fcos"],
] as const) {
  fixed(0xd9, modrm, name, register("x87Transcendental"));
}
for (const [modrm, name] of [
  [0xf4, "fxtract"],
  [0xf5, "fprem1"],
  [0xf8, "fprem"],
  [0xfa, "fsqrt"],
  [0xfc, "frndint"],
  [0xfd, "fscale"],
] as const) {
  fixed(0xd9, modrm, name, register("x87Unary"));
}
fixed(0xd9, 0xf6, "fdecstp", register("x87Rotate"));
fixed(0xd9, 0xf7, "fincstp", register("x87Rotate"));

memory(0xd9, 4, "fldenv", "M", environment("x87LoadEnvironment", false, false));
memory(0xd9, 6, "fnstenv", "M", environment("x87StoreEnvironment", false, true));
memory(0xdd, 4, "frstor", "M", environment("x87Restore", true, false));
memory(0xdd, 6, "fnsave", "M", environment("x87Save", true, true));
memory(0xd9, 5, "fldcw", "Mw", loadControl);
memory(0xd9, 7, "fnstcw", "Mw", storeControl);
memory(0xdd, 7, "fnstsw", "Mw", storeStatus);
fixed(0xdf, 0xe0, "fnstsw", storeStatus);
fixed(0xdb, 0xe2, "fnclex", control("x87ClearExceptions"));
fixed(0xdb, 0xe3, "fninit", control("x87Init"));
// FENI, FDISI and FSETPM of the 8087 and 287.
for (const modrm of [0xe0, 0xe1, 0xe4]) fixed(0xdb, modrm, "fnop", control("x87Nop"));
rows.push({ map: 0, byte: 0x9b, name: "fwait", operands: "", emit: wait });

export const X87_ROWS: readonly OpcodeRow[] = rows;
