/** Data movement: MOV and its extending forms, LEA, XCHG, CMOVcc, SETcc, sign extension, stack, flag transfers. */

import { CC_C, CC_EFLAGS, CC_O, ENV } from "../env.ts";
import { NONE, type Value } from "../ir/builder.ts";
import { OP } from "../ir/ops.ts";
import type { Insn, OpcodeRow } from "../x86/insn.ts";
import { DS, RAX, RBP, RBX, RDX, RSP, SS, type Translator } from "./translator.ts";

type Emit = OpcodeRow["emit"];

const sizeOf = (i: Insn, byte: boolean): number => (byte ? 1 : i.opSize);

function copy(t: Translator, value: Value): Value {
  const d = t.ir.temp();
  t.ir.mov(d, value);
  return d;
}

export const nop: Emit = () => {};

/** What the guest waits for may be another CPU's to do: that one's turn must come before the next look. */
export const pause: Emit = (t) => {
  if (!t.severalCpus) return;
  t.ir.callVoid("pause");
  t.endMain();
};

export const undefinedInstruction: Emit = (t) => t.raise(6);

/** MOV "E, G" */
export const movEG =
  (byte: boolean): Emit =>
  (t, i) =>
    t.writeE(i, t.readG(i, sizeOf(i, byte)), sizeOf(i, byte));

/** MOV "G, E" */
export const movGE =
  (byte: boolean): Emit =>
  (t, i) =>
    t.writeG(i, t.readE(i, sizeOf(i, byte)), sizeOf(i, byte));

/** MOV "E, I" */
export const movEI =
  (byte: boolean): Emit =>
  (t, i) =>
    t.writeE(i, t.imm(i), sizeOf(i, byte));

/** MOV "Z, I": the register in the opcode. */
export const movZI =
  (byte: boolean): Emit =>
  (t, i) =>
    t.writeReg(i.rm, sizeOf(i, byte), t.imm(i), i.rex);

/** MOV "rAX, O" */
export const movAO =
  (byte: boolean): Emit =>
  (t, i) =>
    t.writeReg(RAX, sizeOf(i, byte), t.load(t.linear(i, sizeOf(i, byte), false), sizeOf(i, byte)), true);

/** MOV "O, rAX" */
export const movOA =
  (byte: boolean): Emit =>
  (t, i) =>
    t.store(t.linear(i, sizeOf(i, byte), true), t.reg(RAX), sizeOf(i, byte));

/** MOVZX from 1 or 2 bytes */
export const movzx =
  (from: 1 | 2): Emit =>
  (t, i) => {
    const value = t.readE(i, from);
    t.writeG(i, t.isReg(i) ? t.zext(value, from) : value);
  };

/** MOVSX from 1 or 2 bytes, MOVSXD from 4 */
export const movsx =
  (from: 1 | 2 | 4): Emit =>
  (t, i) => {
    const size = i.opSize;
    if (size <= from) t.writeG(i, t.readE(i, size));
    else if (size === 8) t.writeG(i, t.sext(t.readE(i, from), from));
    else t.writeG(i, t.ir.unary(from === 1 ? OP.ext8s32 : OP.ext16s32, t.readE(i, from)));
  };

export const lea: Emit = (t, i) => t.writeG(i, t.ea(i, Math.min(i.opSize, i.addrSize)));

export const xchgEG =
  (byte: boolean): Emit =>
  (t, i) => {
    const size = sizeOf(i, byte);
    const source = copy(t, t.readG(i, size));
    if (t.isReg(i)) {
      t.writeG(i, t.readE(i, size), size);
      t.writeE(i, source, size);
      return;
    }
    const address = t.linear(i, size, true);
    const old = t.load(address, size);
    t.store(address, source, size);
    t.writeG(i, old, size);
  };

/** XCHG "Z, rAX"; with register 0 this is NOP. */
export const xchgZA: Emit = (t, i) => {
  if (i.rm === RAX) return;
  const old = copy(t, t.reg(RAX));
  t.writeReg(RAX, i.opSize, t.reg(i.rm), true);
  t.writeReg(i.rm, i.opSize, old, true);
};

/** CMOVcc: the source is read, and a 32-bit destination cut, whatever the condition. */
export const cmov =
  (code: number): Emit =>
  (t, i) => {
    const source = t.readE(i);
    t.writeG(i, t.selectOn(t.condition(code), source, t.readG(i)));
  };

export const setcc =
  (code: number): Emit =>
  (t, i) =>
    t.writeE(i, t.setOn(t.condition(code)), 1);

/** CBW, CWDE, CDQE */
export const extendA: Emit = (t, i) => {
  const rax = t.reg(RAX);
  if (i.opSize === 8) t.writeReg(RAX, 8, t.sext(rax, 4), true);
  else t.writeReg(RAX, i.opSize, t.ir.unary(i.opSize === 2 ? OP.ext8s32 : OP.ext16s32, rax), true);
};

/** CWD, CDQ, CQO */
export const extendD: Emit = (t, i) => {
  const sign = t.ir.binary(OP.sar64, t.sext(t.reg(RAX), i.opSize), t.ir.const(63));
  t.writeReg(RDX, i.opSize, sign, true);
};

/** XLAT: AL = [rBX + AL] */
export const xlat: Emit = (t, i) => {
  const { ir } = t;
  const al = t.zext(t.reg(RAX), 1);
  let offset = ir.lea(i.addrSize === 8 ? 64 : 32, t.reg(RBX), al, 0, 0);
  if (i.addrSize === 2) offset = ir.unary(OP.ext16u, offset);
  t.writeReg(RAX, 1, t.load(t.segAddress(i.segment >= 0 ? i.segment : DS, offset, 1, false), 1), true);
};

// ---- stack

export const pushZ: Emit = (t, i) => t.push(t.reg(i.rm), i.opSize);

export const pushE: Emit = (t, i) => t.push(t.readE(i), i.opSize);

export const pushI: Emit = (t, i) => t.push(t.imm(i), i.opSize);

export const popZ: Emit = (t, i) => t.writeReg(i.rm, i.opSize, t.pop(i.opSize), true);

/** RSP as it will be when its stack-size part is `offset`. */
function wholeStackPointer(t: Translator, offset: Value): Value {
  return t.stackSize === 2 ? t.ir.binary(OP.put16, t.reg(RSP), offset) : offset;
}

/** POP "E": an address based on RSP counts from its value after the pop. */
export const popE: Emit = (t, i) => {
  const size = i.opSize;
  if (t.isReg(i)) {
    t.writeE(i, t.pop(size));
    return;
  }
  const value = t.top(size);
  const after = t.stackOffset(size);
  let ea: Value;
  if (i.base === RSP) {
    const bits = i.addrSize === 8 ? 64 : 32;
    ea = t.ir.lea(bits, wholeStackPointer(t, after), i.index < 0 ? NONE : t.reg(i.index), i.scale, i.disp);
  } else ea = t.ea(i);
  t.store(t.segAddress(t.segmentOf(i), ea, size, true), value, size);
  t.setStack(after);
};

/** PUSHA: the value of SP pushed is the one before. */
export const pusha: Emit = (t, i) => {
  const size = i.opSize;
  for (let index = 0; index < 8; index++) {
    const address = t.segAddress(SS, t.stackOffset(-size * (index + 1)), size, true);
    t.store(address, t.reg(index), size);
  }
  t.setStack(t.stackOffset(-size * 8));
};

export const popa: Emit = (t, i) => {
  const size = i.opSize;
  const values: Value[] = [];
  for (let index = 0; index < 8; index++) {
    values[7 - index] = t.load(t.segAddress(SS, t.stackOffset(size * index), size, false), size);
  }
  const after = t.stackOffset(size * 8);
  for (const [index, value] of values.entries()) if (index !== RSP) t.writeReg(index, size, value, true);
  t.setStack(after);
};

/** A stack offset of `value + delta`. */
function stackPlus(t: Translator, value: Value, delta: number): Value {
  const sum = t.ir.lea(t.code64 ? 64 : 32, value, NONE, 0, delta);
  return t.stackSize === 2 ? t.ir.unary(OP.ext16u, sum) : sum;
}

/** ENTER "Iw Ib": nesting level modulo 32; an operand at the end of the new frame must be writable. */
export const enter: Emit = (t, i) => {
  const size = i.opSize;
  const level = i.imm2 & 31;
  const frame = t.stackOffset(-size);
  const pointer = wholeStackPointer(t, frame);
  t.store(t.segAddress(SS, frame, size, true), t.reg(RBP), size);
  for (let k = 1; k < level; k++) {
    const outer = t.load(t.segAddress(SS, stackPlus(t, t.reg(RBP), -size * k), size, false), size);
    t.store(t.segAddress(SS, stackPlus(t, frame, -size * k), size, true), outer, size);
  }
  if (level > 0) t.store(t.segAddress(SS, stackPlus(t, frame, -size * level), size, true), pointer, size);
  const after = stackPlus(t, frame, -(size * level) - (i.imm & 0xffff));
  t.ir.callVoid("probeStore", t.segAddress(SS, after, size, true), NONE, size);
  t.setStack(after);
  t.writeReg(RBP, size, pointer, true);
};

export const leave: Emit = (t, i) => {
  const size = i.opSize;
  const frame = stackPlus(t, t.reg(RBP), 0);
  const value = t.load(t.segAddress(SS, frame, size, false), size);
  t.setStack(stackPlus(t, frame, size));
  t.writeReg(RBP, size, value, true);
};

// ---- flags

const LAHF_FLAGS = 0xd5;

export const lahf: Emit = (t) => {
  const { ir } = t;
  const low = ir.binary(OP.and32, t.flags(), ir.const(LAHF_FLAGS));
  const rax = t.reg(RAX);
  ir.binaryTo(rax, OP.put8h, rax, ir.binary(OP.or32, low, ir.const(2)));
};

export const sahf: Emit = (t) => {
  const { ir } = t;
  const overflow = ir.binary(OP.and32, t.flags(), ir.constU(CC_O));
  const low = ir.binary(OP.and32, ir.unary(OP.get8h, t.reg(RAX)), ir.const(LAHF_FLAGS));
  t.setCc(CC_EFLAGS, 4, NONE, ir.binary(OP.or32, overflow, low));
};

/** CLC, STC, CMC */
export const changeCarry =
  (op: "andc32" | "or32" | "xor32"): Emit =>
  (t) =>
    t.setCc(CC_EFLAGS, 4, NONE, t.ir.binary(OP[op], t.flags(), t.ir.const(CC_C)));

/** CLD and STD */
export const setDirection =
  (step: 1 | -1): Emit =>
  (t) =>
    t.ir.mov(ENV.df, t.ir.const(step));

/** SALC: AL = CF ? 0xff : 0 */
export const salc: Emit = (t) => t.writeReg(RAX, 1, t.ir.binary(OP.sub32, t.ir.const(0), t.carry()), true);
