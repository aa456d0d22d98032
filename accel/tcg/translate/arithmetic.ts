/**
 * Binary and decimal arithmetic and logic: ADD to CMP, TEST, INC, DEC, NEG, NOT, MUL, DIV, XADD, CMPXCHG, ADCX, ADOX, BCD.
 *
 * The order of an instruction with a memory destination is load, compute, store, flags: a store that faults must leave
 * the flags alone. With a register destination flags come before the write, while the old value still stands there.
 */

import {
  CC_ADC,
  CC_ADD,
  CC_C,
  CC_DEC,
  CC_EFLAGS,
  CC_IMUL,
  CC_INC,
  CC_LOGIC,
  CC_MUL,
  type CC_O,
  CC_SBB,
  CC_SUB,
} from "../env.ts";
import { NONE, type Value } from "../ir/builder.ts";
import { OP } from "../ir/ops.ts";
import type { Insn, OpcodeRow } from "../x86/insn.ts";
import { RAX, RDX, type Translator } from "./translator.ts";

type Emit = OpcodeRow["emit"];

/** An operation on a destination and a source. */
interface Alu {
  /** CF takes part (or is kept). */
  readonly carry?: boolean;
  /** The result goes to the flags alone. */
  readonly discard?: boolean;
  compute(t: Translator, size: number, a: Value, b: Value, carry: Value): Value;
  flags(t: Translator, size: number, a: Value, b: Value, carry: Value, result: Value): void;
}

const logic = (op: number, discard = false): Alu => ({
  discard,
  compute: (t, size, a, b) => t.ir.binary(t.op(op, size), a, b),
  flags: (t, size, _a, _b, _carry, result) => t.setCc(CC_LOGIC, size, result),
});

function subtract(t: Translator, size: number, a: Value, b: Value): Value {
  t.keepLeft(a);
  return t.ir.binary(t.op(OP.sub32, size), a, b);
}

function add(t: Translator, size: number, a: Value, b: Value): Value {
  t.keepLeft(a);
  return t.ir.binary(t.op(OP.add32, size), a, b);
}

const step = (compute: typeof add, kind: number): Alu => ({
  carry: true,
  compute,
  flags: (t, size, _a, _b, carry, result) => t.setCc(kind, size, result, carry),
});

export const ALU = {
  add: {
    compute: add,
    flags: (t, size, _a, b, _carry, result) => t.setCc(CC_ADD, size, result, b),
  },
  or: logic(OP.or32),
  adc: {
    carry: true,
    compute: (t, size, a, b, carry) =>
      t.ir.binary(t.op(OP.add32, size), t.ir.binary(t.op(OP.add32, size), a, b), carry),
    flags: (t, size, _a, b, carry, result) => t.setCc(CC_ADC, size, result, b, carry),
  },
  sbb: {
    carry: true,
    compute: (t, size, a, b, carry) => t.ir.binary(t.op(OP.sub32, size), subtract(t, size, a, b), carry),
    flags: (t, size, _a, b, carry, result) => t.setCc(CC_SBB, size, result, b, carry),
  },
  and: logic(OP.and32),
  sub: {
    compute: subtract,
    flags: (t, size, _a, b, _carry, result) => t.setCc(CC_SUB, size, result, b),
  },
  xor: logic(OP.xor32),
  cmp: {
    discard: true,
    compute: subtract,
    flags: (t, size, _a, b, _carry, result) => t.setCc(CC_SUB, size, result, b),
  },
  test: {
    ...logic(OP.and32, true),
    compute: (t, size, a, b) => (a === b ? a : t.ir.binary(t.op(OP.and32, size), a, b)),
  },
  inc: step(add, CC_INC),
  dec: step(subtract, CC_DEC),
  neg: {
    compute: (t, size, a) => subtract(t, size, t.ir.const(0), a),
    flags: (t, size, a, _b, _carry, result) => t.setCc(CC_SUB, size, result, a),
  },
  not: {
    compute: (t, size, a) => t.ir.unary(t.op(OP.not32, size), a),
    flags: () => {},
  },
} satisfies Record<string, Alu>;

function onRegister(t: Translator, alu: Alu, index: number, size: number, b: Value, rex: boolean): void {
  const carry = alu.carry ? t.carry() : NONE;
  const a = t.readReg(index, size, rex);
  const result = alu.compute(t, size, a, b, carry);
  alu.flags(t, size, a, b, carry, result);
  if (!alu.discard) t.writeReg(index, size, result, rex);
}

function onE(t: Translator, alu: Alu, i: Insn, size: number, b: Value): void {
  if (t.isReg(i)) {
    onRegister(t, alu, i.rm, size, b, i.rex);
    return;
  }
  const address = t.linear(i, size, !alu.discard);
  const carry = alu.carry ? t.carry() : NONE;
  const a = t.load(address, size);
  const result = alu.compute(t, size, a, b, carry);
  if (!alu.discard) t.store(address, result, size);
  alu.flags(t, size, a, b, carry, result);
}

const sizeOf = (i: Insn, byte: boolean): number => (byte ? 1 : i.opSize);

/** "E, G" */
export const aluEG =
  (alu: Alu, byte: boolean): Emit =>
  (t, i) =>
    onE(t, alu, i, sizeOf(i, byte), t.readG(i, sizeOf(i, byte)));

/** "G, E" */
export const aluGE =
  (alu: Alu, byte: boolean): Emit =>
  (t, i) =>
    onRegister(t, alu, i.reg, sizeOf(i, byte), t.readE(i, sizeOf(i, byte)), i.rex);

/** "E, I" */
export const aluEI =
  (alu: Alu, byte: boolean): Emit =>
  (t, i) =>
    onE(t, alu, i, sizeOf(i, byte), t.imm(i));

/** "AL, Ib" and "rAX, Iz" */
export const aluAI =
  (alu: Alu, byte: boolean): Emit =>
  (t, i) =>
    onRegister(t, alu, RAX, sizeOf(i, byte), t.imm(i), i.rex);

/** INC, DEC, NEG, NOT of "E" */
export const unaryE =
  (alu: Alu, byte: boolean): Emit =>
  (t, i) =>
    onE(t, alu, i, sizeOf(i, byte), t.ir.const(1));

/** INC and DEC of the register in the opcode */
export const unaryZ =
  (alu: Alu): Emit =>
  (t, i) =>
    onRegister(t, alu, i.rm, i.opSize, t.ir.const(1), i.rex);

/** A copy of a register operand that outlives a write to the register. */
function copy(t: Translator, value: Value): Value {
  const d = t.ir.temp();
  t.ir.mov(d, value);
  return d;
}

export const xadd =
  (byte: boolean): Emit =>
  (t, i) => {
    const size = sizeOf(i, byte);
    const b = copy(t, t.readG(i, size));
    const address = t.isReg(i) ? NONE : t.linear(i, size, true);
    const a = address === NONE ? copy(t, t.readE(i, size)) : t.load(address, size);
    const sum = add(t, size, a, b);
    if (address !== NONE) t.store(address, sum, size);
    t.setCc(CC_ADD, size, sum, b);
    t.writeG(i, a, size);
    if (address === NONE) t.writeE(i, sum, size);
  };

/** If the accumulator equals the destination, the source goes there; if not, the destination goes to the accumulator. */
export const cmpxchg =
  (byte: boolean): Emit =>
  (t, i) => {
    const { ir } = t;
    const size = sizeOf(i, byte);
    const accumulator = t.zext(t.reg(RAX), size);
    const source = t.readG(i, size);
    if (t.isReg(i)) {
      const old = t.zext(t.readE(i, size), size);
      const left = copy(t, accumulator);
      const right = copy(t, old);
      t.setCcSub(size, left, right, ir.binary(t.op(OP.sub32, size), left, right));
      const same = ir.label();
      const done = ir.label();
      ir.brIf(t.op(OP.br_eq32, size), left, right, same);
      t.writeReg(RAX, size, right, i.rex);
      ir.br(done);
      ir.bind(same);
      t.writeE(i, source, size);
      ir.bind(done);
      return;
    }
    const address = t.linear(i, size, true);
    const old = t.load(address, size);
    t.store(address, ir.select(t.op(OP.sel_eq32, size), accumulator, old, source, old), size);
    t.setCcSub(size, accumulator, old, ir.binary(t.op(OP.sub32, size), accumulator, old));
    const rax = t.reg(RAX);
    const replaced = size < 4 ? ir.binary(size === 1 ? OP.put8 : OP.put16, rax, old) : old;
    ir.mov(rax, ir.select(t.op(OP.sel_eq32, size), accumulator, old, rax, replaced));
  };

/** CMPXCHG8B and CMPXCHG16B: the helper does it all but the address. */
export const cmpxchgWide: Emit = (t, i) => {
  const size = i.rexW ? 16 : 8;
  t.syncCc();
  t.ir.callVoid(i.rexW ? "cmpxchg16b" : "cmpxchg8b", t.linear(i, size, true));
  t.flagsFromHelper();
};

/** ADCX and ADOX: a carry chain through one flag that leaves the others alone. */
export const addChain =
  (flag: typeof CC_C | typeof CC_O): Emit =>
  (t, i) => {
    const { ir } = t;
    const size = i.rexW ? 8 : 4;
    const b = t.readE(i, size);
    const flags = copy(t, t.flags());
    const shift = ir.const(flag === CC_C ? 0 : 11);
    const carry = ir.binary(OP.and32, ir.binary(OP.shr32, flags, shift), ir.const(1));
    let sum: Value;
    let out: Value;
    if (size === 4) {
      sum = ir.binary(OP.add64, ir.binary(OP.add64, t.zext(t.reg(i.reg), 4), t.zext(b, 4)), carry);
      out = ir.binary(OP.shr64, sum, ir.const(32));
    } else {
      const partial = ir.binary(OP.add64, t.reg(i.reg), b);
      const first = ir.binary(OP.set_ltu64, partial, b);
      sum = ir.binary(OP.add64, partial, carry);
      out = ir.binary(OP.or32, first, ir.binary(OP.set_ltu64, sum, carry));
    }
    const others = ir.binary(OP.and32, flags, ir.constU(~flag & 0xffff));
    t.setCc(CC_EFLAGS, size, NONE, ir.binary(OP.or32, others, ir.binary(OP.shl32, out, shift)));
    t.writeReg(i.reg, size, sum, true);
  };

/** What does not fit into the low half of a signed product. */
function overflow(t: Translator, product: Value, size: number): Value {
  return t.ir.binary(OP.xor64, product, t.sext(product, size));
}

/** MUL and IMUL with one operand. */
export const multiply =
  (signed: boolean, byte: boolean): Emit =>
  (t, i) => {
    const { ir } = t;
    const size = sizeOf(i, byte);
    const operand = t.readE(i, size);
    if (size === 8) {
      const low = ir.binary(OP.mul64, t.reg(RAX), operand);
      const high = ir.call(signed ? "mulHighSigned" : "mulHighUnsigned", t.reg(RAX), operand);
      t.setCc(CC_MUL, 8, low, signed ? ir.binary(OP.xor64, high, ir.binary(OP.sar64, low, ir.const(63))) : high);
      t.writeReg(RAX, 8, low, true);
      t.writeReg(RDX, 8, high, true);
      return;
    }
    const extend = (value: Value): Value => (signed ? t.sext(value, size) : t.zext(value, size));
    const product = ir.binary(OP.mul64, extend(t.reg(RAX)), extend(operand));
    const high = ir.binary(OP.shr64, product, ir.const(size * 8));
    t.setCc(CC_MUL, size, product, signed ? overflow(t, product, size) : high);
    if (size === 1) {
      t.writeReg(RAX, 2, product, true);
      return;
    }
    t.writeReg(RAX, size, product, true);
    t.writeReg(RDX, size, high, true);
  };

/** IMUL "G, E" and "G, E, I". */
export const multiplyTo =
  (immediate: boolean): Emit =>
  (t, i) => {
    const size = i.opSize;
    const a = t.readE(i, size);
    const b = immediate ? t.imm(i) : t.readG(i, size);
    const product = t.ir.binary(t.op(OP.mul32, size), a, b);
    t.setCc(CC_IMUL, size, product, a, b);
    t.writeG(i, product);
  };

export const divide =
  (signed: boolean, byte: boolean): Emit =>
  (t, i) => {
    const size = sizeOf(i, byte);
    t.ir.callVoid(signed ? "divideSigned" : "divideUnsigned", t.readE(i, size), NONE, size);
  };

/** MULX: no flags; the low half is written first, so the high half wins if both go to one register. */
export const mulx: Emit = (t, i) => {
  const { ir } = t;
  const size = i.opSize;
  const a = t.readE(i, size);
  if (size === 8) {
    const low = ir.binary(OP.mul64, t.reg(RDX), a);
    const high = ir.call("mulHighUnsigned", t.reg(RDX), a);
    t.writeReg(i.vvvv, 8, low, true);
    t.writeReg(i.reg, 8, high, true);
    return;
  }
  const product = ir.binary(OP.mul64, t.zext(t.reg(RDX), 4), t.zext(a, 4));
  t.writeReg(i.vvvv, 4, product, true);
  t.writeReg(i.reg, 4, ir.binary(OP.shr64, product, ir.const(32)), true);
};

/** DAA, DAS, AAA, AAS, AAM, AAD: by helper. */
export const decimal =
  (helper: string): Emit =>
  (t, i) => {
    t.syncCc();
    t.ir.callVoid(helper, NONE, NONE, i.imm & 0xff);
    t.flagsFromHelper();
  };
