/** Opcode rows of the integer instructions, in the order of the opcode maps (Intel SDM volume 2, appendix A). */

import { CC_C, CC_O } from "../env.ts";
import {
  ALU,
  addChain,
  aluAI,
  aluEG,
  aluEI,
  aluGE,
  cmpxchg,
  cmpxchgWide,
  decimal,
  divide,
  multiply,
  multiplyTo,
  mulx,
  unaryE,
  unaryZ,
  xadd,
} from "../translate/arithmetic.ts";
import {
  andn,
  bitExtract,
  bitScan,
  bitTest,
  bswap,
  countZeros,
  crc32,
  depositExtract,
  lowestBit,
  movbeLoad,
  movbeStore,
  populationCount,
  random,
  vexOnly,
  zeroHighBits,
} from "../translate/bits.ts";
import { call, callIndirect, jcc, jcxz, jmp, jmpIndirect, loop, ret } from "../translate/control-flow.ts";
import {
  changeCarry,
  cmov,
  enter,
  extendA,
  extendD,
  lahf,
  lea,
  leave,
  movAO,
  movEG,
  movEI,
  movGE,
  movOA,
  movsx,
  movZI,
  movzx,
  nop,
  pause,
  popa,
  popE,
  popZ,
  pusha,
  pushE,
  pushI,
  pushZ,
  sahf,
  salc,
  setcc,
  setDirection,
  undefinedInstruction,
  xchgEG,
  xchgZA,
  xlat,
} from "../translate/moves.ts";
import { rorx, rotate, rotateCarry, shift, shiftDouble, shiftx } from "../translate/shifts.ts";
import type { OpcodeMap, OpcodeRow } from "./insn.ts";

type Emit = OpcodeRow["emit"];
type Extra = Partial<OpcodeRow>;

const rows: OpcodeRow[] = [];

function row(map: OpcodeMap, byte: number, name: string, operands: string, emit: Emit, extra: Extra = {}): void {
  rows.push({ map, byte, name, operands, emit, ...extra });
}

/** The byte form at an even opcode, the word-to-quad form after it. */
function pair(
  map: OpcodeMap,
  byte: number,
  name: string,
  operands: readonly [string, string],
  emit: (byte: boolean) => Emit,
  extra: Extra = {},
): void {
  row(map, byte, name, operands[0], emit(true), extra);
  row(map, byte + 1, name, operands[1], emit(false), extra);
}

/** One row for each register in the opcode's low three bits. */
function registers(map: OpcodeMap, byte: number, name: string, operands: string, emit: Emit, extra: Extra = {}): void {
  for (let index = 0; index < 8; index++) row(map, byte + index, name, operands, emit, extra);
}

const NOT64: Extra = { mode: "not64" };
const ONLY64: Extra = { mode: "64" };
const D64: Extra = { size64: "d64" };
const F64: Extra = { size64: "f64" };
const LOCK: Extra = { lock: true };
const MEMORY: Extra = { mod: "mem" };

const CONDITION_NAMES = ["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"];

// ---- 00-3F and group 1: ADD OR ADC SBB AND SUB XOR CMP

for (const [index, name] of (["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"] as const).entries()) {
  const alu = ALU[name];
  const base = index * 8;
  const lock = name !== "cmp";
  pair(0, base, name, ["Eb Gb", "Ev Gv"], (byte) => aluEG(alu, byte), { lock });
  pair(0, base + 2, name, ["Gb Eb", "Gv Ev"], (byte) => aluGE(alu, byte));
  pair(0, base + 4, name, ["AL Ib", "rAX Iz"], (byte) => aluAI(alu, byte));
  pair(0, 0x80, name, ["Eb Ib", "Ev Iz"], (byte) => aluEI(alu, byte), { lock, reg: index });
  row(0, 0x82, name, "Eb Ib", aluEI(alu, true), { lock, reg: index, ...NOT64 });
  row(0, 0x83, name, "Ev Ib", aluEI(alu, false), { lock, reg: index });
}
row(0, 0x27, "daa", "", decimal("daa"), NOT64);
row(0, 0x2f, "das", "", decimal("das"), NOT64);
row(0, 0x37, "aaa", "", decimal("aaa"), NOT64);
row(0, 0x3f, "aas", "", decimal("aas"), NOT64);

// ---- 40-6F

registers(0, 0x40, "inc", "Zv", unaryZ(ALU.inc), NOT64);
registers(0, 0x48, "dec", "Zv", unaryZ(ALU.dec), NOT64);
registers(0, 0x50, "push", "Zv", pushZ, D64);
registers(0, 0x58, "pop", "Zv", popZ, D64);
row(0, 0x60, "pushaw/pushad", "", pusha, NOT64);
row(0, 0x61, "popaw/popad", "", popa, NOT64);
row(0, 0x63, "movsxd", "Gv Ed", movsx(4), ONLY64);
row(0, 0x68, "push", "Iz", pushI, D64);
row(0, 0x69, "imul", "Gv Ev Iz", multiplyTo(true));
row(0, 0x6a, "push", "Ib", pushI, D64);
row(0, 0x6b, "imul", "Gv Ev Ib", multiplyTo(true));

// ---- Jcc, SETcc, CMOVcc

for (const [code, condition] of CONDITION_NAMES.entries()) {
  row(0, 0x70 + code, `j${condition}`, "Jb", jcc(code), F64);
  row(1, 0x40 + code, `cmov${condition}`, "Gv Ev", cmov(code), { feature: "cmov" });
  row(1, 0x80 + code, `j${condition}`, "Jz", jcc(code), F64);
  row(1, 0x90 + code, `set${condition}`, "Eb", setcc(code));
}

// ---- 84-9F

pair(0, 0x84, "test", ["Eb Gb", "Ev Gv"], (byte) => aluEG(ALU.test, byte));
pair(0, 0x86, "xchg", ["Eb Gb", "Ev Gv"], xchgEG, LOCK);
pair(0, 0x88, "mov", ["Eb Gb", "Ev Gv"], movEG);
pair(0, 0x8a, "mov", ["Gb Eb", "Gv Ev"], movGE);
row(0, 0x8d, "lea", "Gv M", lea, MEMORY);
row(0, 0x8f, "pop", "Ev", popE, { reg: 0, ...D64 });
registers(0, 0x90, "xchg", "Zv rAX", xchgZA);
row(0, 0x90, "pause", "", pause, { prefix: "f3" });
row(0, 0x98, "cbw/cwde/cdqe", "", extendA);
row(0, 0x99, "cwd/cdq/cqo", "", extendD);
row(0, 0x9e, "sahf", "", sahf, NOT64);
row(0, 0x9e, "sahf", "", sahf, { feature: "lahf-lm", ...ONLY64 });
row(0, 0x9f, "lahf", "", lahf, NOT64);
row(0, 0x9f, "lahf", "", lahf, { feature: "lahf-lm", ...ONLY64 });

// ---- A0-BF

pair(0, 0xa0, "mov", ["AL Ob", "rAX Ov"], movAO);
pair(0, 0xa2, "mov", ["Ob AL", "Ov rAX"], movOA);
pair(0, 0xa8, "test", ["AL Ib", "rAX Iz"], (byte) => aluAI(ALU.test, byte));
registers(0, 0xb0, "mov", "Zb Ib", movZI(true));
registers(0, 0xb8, "mov", "Zv Iv", movZI(false));

// ---- group 2: shifts and rotates

for (const [byte, count] of [
  [0xc0, "Ib"],
  [0xd0, "1"],
  [0xd2, "CL"],
] as const) {
  const forms = [`Eb ${count}`, `Ev ${count}`] as const;
  pair(0, byte, "rol", forms, (narrow) => rotate(true, narrow, count), { reg: 0 });
  pair(0, byte, "ror", forms, (narrow) => rotate(false, narrow, count), { reg: 1 });
  pair(0, byte, "rcl", forms, (narrow) => rotateCarry(true, narrow, count), { reg: 2 });
  pair(0, byte, "rcr", forms, (narrow) => rotateCarry(false, narrow, count), { reg: 3 });
  pair(0, byte, "shl", forms, (narrow) => shift("shl", narrow, count), { reg: 4 });
  pair(0, byte, "shr", forms, (narrow) => shift("shr", narrow, count), { reg: 5 });
  pair(0, byte, "shl", forms, (narrow) => shift("shl", narrow, count), { reg: 6 });
  pair(0, byte, "sar", forms, (narrow) => shift("sar", narrow, count), { reg: 7 });
}

// ---- C2-EB

row(0, 0xc2, "ret", "Iw", ret, F64);
row(0, 0xc3, "ret", "", ret, F64);
pair(0, 0xc6, "mov", ["Eb Ib", "Ev Iz"], movEI, { reg: 0 });
row(0, 0xc8, "enter", "Iw Ib", enter, D64);
row(0, 0xc9, "leave", "", leave, D64);
row(0, 0xd4, "aam", "Ib", decimal("aam"), NOT64);
row(0, 0xd5, "aad", "Ib", decimal("aad"), NOT64);
row(0, 0xd6, "salc", "", salc, NOT64);
row(0, 0xd7, "xlat", "", xlat);
row(0, 0xe0, "loopne", "Jb", loop(5), F64);
row(0, 0xe1, "loope", "Jb", loop(4), F64);
row(0, 0xe2, "loop", "Jb", loop(), F64);
row(0, 0xe3, "jcxz/jecxz/jrcxz", "Jb", jcxz, F64);
row(0, 0xe8, "call", "Jz", call, F64);
row(0, 0xe9, "jmp", "Jz", jmp, F64);
row(0, 0xeb, "jmp", "Jb", jmp, F64);

// ---- F5-FF

row(0, 0xf5, "cmc", "", changeCarry("xor32"));
pair(0, 0xf6, "test", ["Eb Ib", "Ev Iz"], (byte) => aluEI(ALU.test, byte), { reg: 0 });
pair(0, 0xf6, "test", ["Eb Ib", "Ev Iz"], (byte) => aluEI(ALU.test, byte), { reg: 1 });
pair(0, 0xf6, "not", ["Eb", "Ev"], (byte) => unaryE(ALU.not, byte), { reg: 2, ...LOCK });
pair(0, 0xf6, "neg", ["Eb", "Ev"], (byte) => unaryE(ALU.neg, byte), { reg: 3, ...LOCK });
pair(0, 0xf6, "mul", ["Eb", "Ev"], (byte) => multiply(false, byte), { reg: 4 });
pair(0, 0xf6, "imul", ["Eb", "Ev"], (byte) => multiply(true, byte), { reg: 5 });
pair(0, 0xf6, "div", ["Eb", "Ev"], (byte) => divide(false, byte), { reg: 6 });
pair(0, 0xf6, "idiv", ["Eb", "Ev"], (byte) => divide(true, byte), { reg: 7 });
row(0, 0xf8, "clc", "", changeCarry("andc32"));
row(0, 0xf9, "stc", "", changeCarry("or32"));
row(0, 0xfc, "cld", "", setDirection(1));
row(0, 0xfd, "std", "", setDirection(-1));
pair(0, 0xfe, "inc", ["Eb", "Ev"], (byte) => unaryE(ALU.inc, byte), { reg: 0, ...LOCK });
pair(0, 0xfe, "dec", ["Eb", "Ev"], (byte) => unaryE(ALU.dec, byte), { reg: 1, ...LOCK });
row(0, 0xff, "call", "Ev", callIndirect, { reg: 2, ...F64 });
row(0, 0xff, "jmp", "Ev", jmpIndirect, { reg: 4, ...F64 });
row(0, 0xff, "push", "Ev", pushE, { reg: 6, ...D64 });

// ---- 0F

row(1, 0x0b, "ud2", "", undefinedInstruction);
row(1, 0x0d, "prefetch", "Ev", nop);
row(1, 0xb9, "ud1", "Gv Ev", undefinedInstruction);
row(1, 0xff, "ud0", "Gv Ev", undefinedInstruction);
for (let byte = 0x18; byte <= 0x1f; byte++) {
  row(1, byte, byte === 0x18 ? "prefetch" : "nop", "Ev", nop);
}
row(1, 0x1e, "endbr64", "", nop, { prefix: "f3", mod: "reg", reg: 7, rm: 2 });
row(1, 0x1e, "endbr32", "", nop, { prefix: "f3", mod: "reg", reg: 7, rm: 3 });
row(1, 0xa3, "bt", "Ev Gv", bitTest("bt", false));
row(1, 0xab, "bts", "Ev Gv", bitTest("bts", false), LOCK);
row(1, 0xb3, "btr", "Ev Gv", bitTest("btr", false), LOCK);
row(1, 0xbb, "btc", "Ev Gv", bitTest("btc", false), LOCK);
row(1, 0xba, "bt", "Ev Ib", bitTest("bt", true), { reg: 4 });
row(1, 0xba, "bts", "Ev Ib", bitTest("bts", true), { reg: 5, ...LOCK });
row(1, 0xba, "btr", "Ev Ib", bitTest("btr", true), { reg: 6, ...LOCK });
row(1, 0xba, "btc", "Ev Ib", bitTest("btc", true), { reg: 7, ...LOCK });
row(1, 0xa4, "shld", "Ev Gv Ib", shiftDouble(true, "Ib"));
row(1, 0xa5, "shld", "Ev Gv CL", shiftDouble(true, "CL"));
row(1, 0xac, "shrd", "Ev Gv Ib", shiftDouble(false, "Ib"));
row(1, 0xad, "shrd", "Ev Gv CL", shiftDouble(false, "CL"));
row(1, 0xaf, "imul", "Gv Ev", multiplyTo(false));
pair(1, 0xb0, "cmpxchg", ["Eb Gb", "Ev Gv"], cmpxchg, LOCK);
pair(1, 0xb6, "movzx", ["Gv Eb", "Gv Ew"], (byte) => movzx(byte ? 1 : 2));
pair(1, 0xbe, "movsx", ["Gv Eb", "Gv Ew"], (byte) => movsx(byte ? 1 : 2));
row(1, 0xb8, "popcnt", "Gv Ev", populationCount, { prefix: "f3", feature: "popcnt" });
row(1, 0xbc, "bsf", "Gv Ev", bitScan(false));
row(1, 0xbc, "tzcnt", "Gv Ev", countZeros(false), { prefix: "f3", feature: "bmi1" });
row(1, 0xbd, "bsr", "Gv Ev", bitScan(true));
row(1, 0xbd, "lzcnt", "Gv Ev", countZeros(true), { prefix: "f3", feature: "abm" });
pair(1, 0xc0, "xadd", ["Eb Gb", "Ev Gv"], xadd, LOCK);
row(1, 0xc7, "cmpxchg8b", "Mq", cmpxchgWide, { reg: 1, w: 0, feature: "cx8", ...MEMORY, ...LOCK });
row(1, 0xc7, "cmpxchg16b", "Mdq", cmpxchgWide, { reg: 1, w: 1, feature: "cx16", ...MEMORY, ...LOCK });
row(1, 0xc7, "rdrand", "Rv", random, { reg: 6, mod: "reg", feature: "rdrand" });
row(1, 0xc7, "rdseed", "Rv", random, { reg: 7, mod: "reg", feature: "rdseed" });
registers(1, 0xc8, "bswap", "Zv", bswap);

// ---- 0F 38 and 0F 3A

row(2, 0xf0, "movbe", "Gv Mv", movbeLoad, { feature: "movbe", ...MEMORY });
row(2, 0xf1, "movbe", "Mv Gv", movbeStore, { feature: "movbe", ...MEMORY });
for (const byte of [0xf0, 0xf1]) row(2, byte, "ud", "", undefinedInstruction, { prefix: "f3", ...MEMORY });
row(2, 0xf0, "crc32", "Gd Eb", crc32(true), { prefix: "f2", feature: "sse4.2" });
row(2, 0xf1, "crc32", "Gd Ev", crc32(false), { prefix: "f2", feature: "sse4.2" });
row(2, 0xf6, "adcx", "Gy Ey", addChain(CC_C), { prefix: "66", feature: "adx" });
row(2, 0xf6, "adox", "Gy Ey", addChain(CC_O), { prefix: "f3", feature: "adx" });

/** A VEX-encoded instruction on general registers. */
function vex(map: OpcodeMap, byte: number, name: string, operands: string, emit: Emit, extra: Extra): void {
  row(map, byte, name, operands, vexOnly(emit), { vex: { l: 0 }, ...extra });
}

const BMI1: Extra = { feature: "bmi1" };
const BMI2: Extra = { feature: "bmi2" };
vex(2, 0xf2, "andn", "Gy By Ey", andn, { prefix: "none", ...BMI1 });
vex(2, 0xf3, "blsr", "By Ey", lowestBit("blsr"), { prefix: "none", reg: 1, ...BMI1 });
vex(2, 0xf3, "blsmsk", "By Ey", lowestBit("blsmsk"), { prefix: "none", reg: 2, ...BMI1 });
vex(2, 0xf3, "blsi", "By Ey", lowestBit("blsi"), { prefix: "none", reg: 3, ...BMI1 });
vex(2, 0xf7, "bextr", "Gy Ey By", bitExtract, { prefix: "none", ...BMI1 });
vex(2, 0xf5, "bzhi", "Gy Ey By", zeroHighBits, { prefix: "none", ...BMI2 });
vex(2, 0xf5, "pext", "Gy By Ey", depositExtract("pext"), { prefix: "f3", ...BMI2 });
vex(2, 0xf5, "pdep", "Gy By Ey", depositExtract("pdep"), { prefix: "f2", ...BMI2 });
vex(2, 0xf6, "mulx", "Gy By Ey", mulx, { prefix: "f2", ...BMI2 });
vex(2, 0xf7, "shlx", "Gy Ey By", shiftx("shl"), { prefix: "66", ...BMI2 });
vex(2, 0xf7, "sarx", "Gy Ey By", shiftx("sar"), { prefix: "f3", ...BMI2 });
vex(2, 0xf7, "shrx", "Gy Ey By", shiftx("shr"), { prefix: "f2", ...BMI2 });
vex(3, 0xf0, "rorx", "Gy Ey Ib", rorx, { prefix: "f2", ...BMI2 });

export const INTEGER_ROWS: readonly OpcodeRow[] = rows;
