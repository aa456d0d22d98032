/**
 * Turns guest instructions into the IR of one translation block. The opcode rows' `emit` functions use this class:
 * operands, addresses, stack, lazy flags and block ends.
 *
 * Rules for emit functions:
 *  1. No guest-visible register changes before the instruction's last possible fault.
 *  2. env.rip holds the address of the block's start until the block ends; use `nextRip()` and `currentRip()`.
 *  3. A value of `size` bytes is right in its low `size` bytes; what is above is unspecified unless extended.
 *  4. After `end*()` nothing is emitted for this block.
 */

import {
  CC_ADC,
  CC_ADCX,
  CC_ADD,
  CC_BMI,
  CC_C,
  CC_CARRY,
  CC_DEC,
  CC_DYNAMIC,
  CC_EFLAGS,
  CC_IMUL,
  CC_INC,
  CC_LOGIC,
  CC_MUL,
  CC_O,
  CC_P,
  CC_S,
  CC_SAR,
  CC_SBB,
  CC_SHL,
  CC_SUB,
  CC_Z,
  ENV,
  HF_ADDSEG,
  HF_CPL,
  HF_CS32,
  HF_CS64,
  HF_IOPL_SHIFT,
  HF_LMA,
  HF_PE,
  HF_SEGCHECK,
  HF_SS32,
  HF_VM,
  regOffset,
  segBaseOffset,
} from "../env.ts";
import { type IrBuilder, type Label, NONE, type Value } from "../ir/builder.ts";
import { CONDITIONS, type Condition, OP, wideOf } from "../ir/ops.ts";
import { BASE_RIP, type Insn } from "../x86/insn.ts";

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;

export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;

/** Left operand of the last addition or subtraction: known inside a block only. */
const CC_LEFT = ENV.temps + 255 * 8;
const PAGE_SIZE = 4096;

/** A comparison of two values, as branches, selects and sets take it. */
export interface Test {
  readonly condition: Condition;
  readonly width: 32 | 64;
  readonly a: Value;
  readonly b: Value;
}

const INVERSE: Readonly<Record<Condition, Condition>> = {
  eq: "ne",
  ne: "eq",
  lt: "ge",
  ge: "lt",
  le: "gt",
  gt: "le",
  ltu: "geu",
  geu: "ltu",
  leu: "gtu",
  gtu: "leu",
  tsteq: "tstne",
  tstne: "tsteq",
};

/** The 32-bit comparison ops of a kind, by condition. */
function comparisons(prefix: "set" | "br" | "sel"): Readonly<Record<Condition, number>> {
  const entries = CONDITIONS.map((condition) => [condition, OP[`${prefix}_${condition}32`]]);
  return { ...Object.fromEntries(entries) };
}

const SETS = comparisons("set");
const BRANCHES = comparisons("br");
const SELECTS = comparisons("sel");
const forTest = (ops: typeof SETS, { condition, width }: Test): number =>
  width === 64 ? wideOf(ops[condition]) : ops[condition];

/** x86 condition codes 0, 2, ... 14 (the odd ones are their inverses): O B Z BE S P L LE. */
const COND_O = 0;
const COND_B = 1;
const COND_Z = 2;
const COND_BE = 3;
const COND_S = 4;
const COND_P = 5;
const COND_L = 6;
const COND_LE = 7;

/** CC_* of a kind and an operand size in bytes. */
export function sizedCc(kind: number, size: number): number {
  return isSized(kind) ? kind + (size === 8 ? 3 : size >> 1) : kind;
}

const isSized = (cc: number): boolean => (cc > CC_EFLAGS && cc < CC_ADCX) || (cc & ~3) === CC_IMUL;

export class Translator {
  readonly ir: IrBuilder;
  hflags = 0;
  code64 = false;
  code32 = false;
  stack32 = false;
  cpl = 0;
  iopl = 0;
  protectedMode = false;
  vm86 = false;
  longMode = false;
  addSeg = false;
  segCheck = false;
  /** Bytes from the block's start to the present instruction, and to the next. */
  insnStart = 0;
  insnEnd = 0;
  /** Where in its page the block starts. */
  pageOffset = 0;
  /** Static knowledge of how flags are kept: one of CC_*, or CC_DYNAMIC. */
  ccOp = CC_DYNAMIC;
  /** What env.ccOp holds, or -1 if it is not known. */
  #ccOpStored = -1;
  /** CF and OF are in ccCarry, and env.ccOp says so, though what else it says is not known. */
  #carryApart = false;
  /** A block end was emitted. */
  ended = false;
  /** The machine has several CPUs, which share this thread. */
  severalCpus = false;

  constructor(ir: IrBuilder) {
    this.ir = ir;
  }

  /** Starts a block for the given mode. */
  begin(hflags: number, pageOffset: number): void {
    this.ir.reset();
    this.hflags = hflags;
    this.code64 = (hflags & HF_CS64) !== 0;
    this.code32 = (hflags & HF_CS32) !== 0;
    this.stack32 = (hflags & HF_SS32) !== 0;
    this.cpl = hflags & HF_CPL;
    this.iopl = (hflags >> HF_IOPL_SHIFT) & 3;
    this.protectedMode = (hflags & HF_PE) !== 0;
    this.vm86 = (hflags & HF_VM) !== 0;
    this.longMode = (hflags & HF_LMA) !== 0;
    this.addSeg = (hflags & HF_ADDSEG) !== 0;
    this.segCheck = (hflags & HF_SEGCHECK) !== 0;
    this.pageOffset = pageOffset;
    this.insnEnd = 0;
    this.ccOp = CC_DYNAMIC;
    this.#ccOpStored = CC_DYNAMIC;
    this.#carryApart = false;
    this.ended = false;
  }

  /** Starts an instruction of `length` bytes. */
  beginInsn(length: number): void {
    this.insnStart = this.insnEnd;
    this.insnEnd += length;
    this.ir.beginInsn(this.insnStart, this.ccOp);
  }

  /** Going on with the next instruction does not wrap in 16-bit code: it runs into the limit. */
  get #sequential(): number {
    return this.code64 ? 8 : 4;
  }

  /** Ends a block that did not end by itself: goes on with the next instruction. */
  finish(): void {
    if (!this.ended) this.#jumpTo(this.insnEnd, 0, this.#sequential);
  }

  // ---- registers

  /** The 64-bit slot of a general register. */
  reg(index: number): Value {
    return regOffset(index);
  }

  /** A register operand of 1, 2, 4 or 8 bytes. Without REX, byte registers 4 to 7 are AH CH DH BH. */
  readReg(index: number, size: number, rex: boolean): Value {
    if (size === 1 && !rex && index >= 4 && index < 8) return this.ir.unary(OP.get8h, regOffset(index - 4));
    return regOffset(index);
  }

  /** Writes a register operand; 4-byte writes clear the upper half. */
  writeReg(index: number, size: number, value: Value, rex: boolean): void {
    if (size === 1 && !rex && index >= 4 && index < 8) {
      const slot = regOffset(index - 4);
      this.ir.binaryTo(slot, OP.put8h, slot, value);
      return;
    }
    const slot = regOffset(index);
    if (size === 8) this.ir.mov(slot, value);
    else if (size === 4) this.ir.emit(OP.ext32u, slot, value);
    else this.ir.binaryTo(slot, size === 2 ? OP.put16 : OP.put8, slot, value);
  }

  /** The ModRM.reg operand. */
  readG(i: Insn, size = i.opSize): Value {
    return this.readReg(i.reg, size, i.rex);
  }

  writeG(i: Insn, value: Value, size = i.opSize): void {
    this.writeReg(i.reg, size, value, i.rex);
  }

  /** The immediate, sign-extended to 64 bits. */
  imm(i: Insn): Value {
    return this.ir.const(i.imm, i.immHigh);
  }

  /** `value` zero-extended from `size` bytes to 64 bits. */
  zext(value: Value, size: number): Value {
    if (size === 8) return value;
    return this.ir.unary(size === 4 ? OP.ext32u : size === 2 ? OP.ext16u : OP.ext8u, value);
  }

  /** `value` sign-extended from `size` bytes to 64 bits. */
  sext(value: Value, size: number): Value {
    if (size === 8) return value;
    return this.ir.unary(size === 4 ? OP.ext32s64 : size === 2 ? OP.ext16s64 : OP.ext8s64, value);
  }

  /** The op that computes `size` bytes, given the one for 32 bits: `op(OP.add32, 8)` is OP.add64. */
  op(narrow: number, size: number): number {
    return size === 8 ? wideOf(narrow) : narrow;
  }

  // ---- memory operands

  /** The effective address (offset in its segment), zero-extended to 64 bits; only its low `size` bytes count. */
  ea(i: Insn, size = i.addrSize): Value {
    const { ir } = this;
    const bits = size === 8 ? 64 : 32;
    let value: Value;
    if (i.base === BASE_RIP) {
      value = ir.lea(bits, ENV.rip, NONE, 0, (this.insnEnd + i.disp) | 0);
    } else if (i.base < 0 && i.index < 0) {
      const high = size === 8 ? i.dispHigh : 0;
      value = i.addrSize === 2 ? ir.constU(i.disp & 0xffff) : ir.const(i.disp, high);
      return value;
    } else if (i.base >= 0 && i.index < 0 && i.disp === 0) {
      value = regOffset(i.base);
      if (i.addrSize === 4) value = ir.unary(OP.ext32u, value);
    } else if (i.base >= 0) {
      value = ir.lea(bits, regOffset(i.base), i.index < 0 ? NONE : regOffset(i.index), i.scale, i.disp);
    } else {
      value = ir.lea(bits, NONE, regOffset(i.index), i.scale, i.disp);
    }
    return i.addrSize === 2 ? ir.unary(OP.ext16u, value) : value;
  }

  /** The segment a memory operand is in, by default or override. */
  segmentOf(i: Insn): number {
    if (i.segment >= 0 && !(this.code64 && i.segment < FS)) return i.segment;
    return i.base === RSP || i.base === RBP ? SS : DS;
  }

  /** Linear address of `offset` in a segment; checks limit and rights of `size` bytes where the mode asks for it. */
  segAddress(segment: number, offset: Value, size: number, write: boolean): Value {
    const { ir } = this;
    if (this.code64) {
      return segment >= FS ? ir.lea(64, segBaseOffset(segment), offset, 0, 0) : offset;
    }
    // FS and GS are never known to be flat; CS is never writable and may be execute-only.
    if (this.segCheck || ((segment >= FS || segment === CS) && this.protectedMode)) {
      ir.callVoid("segmentCheck", offset, NONE, segment | ((size - 1) << 4) | (write ? 1 << 16 : 0));
    }
    const flat = segment < FS && segment !== CS && !this.addSeg;
    return flat ? offset : ir.lea(32, segBaseOffset(segment), offset, 0, 0);
  }

  /** The linear address of the ModRM memory operand. */
  linear(i: Insn, size: number, write: boolean): Value {
    return this.segAddress(this.segmentOf(i), this.ea(i), size, write);
  }

  /** Loads `size` bytes (1, 2, 4, 8), zero-extended. */
  load(address: Value, size: number): Value {
    return this.ir.load(size === 1 ? OP.ld8u : size === 2 ? OP.ld16u : size === 4 ? OP.ld32u : OP.ld64, address);
  }

  store(address: Value, value: Value, size: number): void {
    this.ir.store(size === 1 ? OP.st8 : size === 2 ? OP.st16 : size === 4 ? OP.st32 : OP.st64, address, value);
  }

  /** Whether the ModRM operand is a register. */
  isReg(i: Insn): boolean {
    return i.mod === 3;
  }

  /** Reads the ModRM.rm operand, register or memory. */
  readE(i: Insn, size = i.opSize): Value {
    if (i.mod === 3) return this.readReg(i.rm, size, i.rex);
    return this.load(this.linear(i, size, false), size);
  }

  /** Writes the ModRM.rm operand. */
  writeE(i: Insn, value: Value, size = i.opSize): void {
    if (i.mod === 3) this.writeReg(i.rm, size, value, i.rex);
    else this.store(this.linear(i, size, true), value, size);
  }

  /** Reads, computes and writes back the ModRM.rm operand; the address is computed once. */
  modifyE(i: Insn, compute: (value: Value) => Value, size = i.opSize): void {
    if (i.mod === 3) {
      this.writeReg(i.rm, size, compute(this.readReg(i.rm, size, i.rex)), i.rex);
      return;
    }
    const address = this.linear(i, size, true);
    const result = compute(this.load(address, size));
    this.store(address, result, size);
  }

  // ---- stack

  /** Bytes that a stack address has: 2, 4 or 8. */
  get stackSize(): number {
    return this.code64 ? 8 : this.stack32 ? 4 : 2;
  }

  /** RSP + delta, cut to the stack's address size. */
  stackOffset(delta: number): Value {
    const { ir } = this;
    const rsp = regOffset(RSP);
    if (this.code64) return delta === 0 ? rsp : ir.lea(64, rsp, NONE, 0, delta);
    const value = ir.lea(32, rsp, NONE, 0, delta);
    return this.stack32 ? value : ir.unary(OP.ext16u, value);
  }

  /** Sets RSP (ESP, SP) to a stack offset. */
  setStack(offset: Value): void {
    this.writeReg(RSP, this.stackSize, offset, true);
  }

  /** Pushes `size` bytes (2, 4, 8). */
  push(value: Value, size: number): void {
    const offset = this.stackOffset(-size);
    this.store(this.segAddress(SS, offset, size, true), value, size);
    this.setStack(offset);
  }

  /** Reads `size` bytes at the top of the stack without popping them. */
  top(size: number): Value {
    return this.load(this.segAddress(SS, this.stackOffset(0), size, false), size);
  }

  /** Adds `bytes` to the stack pointer. */
  release(bytes: number): void {
    this.setStack(this.stackOffset(bytes));
  }

  pop(size: number): Value {
    const value = this.top(size);
    this.release(size);
    return value;
  }

  // ---- flags

  /** Records how to compute the flags: `kind` is CC_ADD etc.; sized kinds get the size added. */
  setCc(kind: number, size: number, dst: Value, src: Value = NONE, src2: Value = NONE): void {
    const { ir } = this;
    this.ccOp = sizedCc(kind, size);
    this.#carryApart = false;
    if (src !== NONE) ir.mov(ENV.ccSrc, src);
    if (dst !== NONE) ir.mov(ENV.ccDst, dst);
    if (src2 !== NONE) ir.mov(ENV.ccSrc2, src2);
  }

  /** Flags of left - right = result. */
  setCcSub(size: number, left: Value, right: Value, result: Value): void {
    this.keepLeft(left);
    this.setCc(CC_SUB, size, result, right);
  }

  /** CF and OF change, the other flags stay: bit 1 of `value` is CF, bit 0 is CF xor OF. */
  setCarry(value: Value): void {
    this.ir.mov(ENV.ccCarry, value);
    if (this.ccOp !== CC_DYNAMIC) this.ccOp |= CC_CARRY;
    else if (!this.#carryApart) {
      this.ir.binaryTo(ENV.ccOp, OP.or32, ENV.ccOp, this.ir.const(CC_CARRY));
      this.#carryApart = true;
    }
  }

  /** The same, unless `count` is zero. */
  setCarryUnlessZero(count: Value, value: Value): void {
    const { ir } = this;
    const zero = ir.const(0);
    this.syncCc();
    ir.emit(OP.sel_eq32, ENV.ccCarry, count, zero, ENV.ccCarry, value);
    ir.emit(OP.sel_eq32, ENV.ccOp, count, zero, ENV.ccOp, ir.binary(OP.or32, ENV.ccOp, ir.const(CC_CARRY)));
    this.flagsUnknown();
  }

  /** Remembers the left operand for conditions; `setCc` with CC_ADD, CC_SUB, CC_SBB, CC_INC or CC_DEC must follow. */
  keepLeft(left: Value): void {
    this.ir.mov(CC_LEFT, left);
  }

  /** Makes env.ccOp hold what is known statically: before helpers that look at flags, and at block ends. */
  syncCc(): void {
    if (this.ccOp !== CC_DYNAMIC && this.ccOp !== this.#ccOpStored) {
      this.ir.mov(ENV.ccOp, this.ir.constU(this.ccOp));
      this.#ccOpStored = this.ccOp;
    }
  }

  /** A helper has set the flags (ccSrc holds them, env.ccOp is CC_EFLAGS). */
  flagsFromHelper(): void {
    this.ccOp = CC_EFLAGS;
    this.#ccOpStored = CC_EFLAGS;
    this.#carryApart = false;
  }

  /**
   * From here on the flags are as env.ccOp says: paths with different ccOp meet. Every path must have called `syncCc`
   * (or stored env.ccOp itself).
   */
  flagsUnknown(): void {
    this.ccOp = CC_DYNAMIC;
    this.#ccOpStored = CC_DYNAMIC;
    this.#carryApart = false;
  }

  /** The arithmetic flags CF PF AF ZF SF OF at their places in EFLAGS. How they are kept does not change. */
  flags(): Value {
    if (this.ccOp === CC_EFLAGS) return ENV.ccSrc;
    if (this.ccOp === CC_DYNAMIC) return this.ir.call("computeFlags");
    return this.ir.call("computeFlagsOf", NONE, NONE, this.ccOp);
  }

  /** CF as 0 or 1. */
  carry(): Value {
    if (this.ccOp === CC_DYNAMIC && !this.#carryApart) return this.ir.call("computeCarry");
    if (this.ccOp === CC_ADC + 3) return this.#chained("ltu", ENV.ccDst);
    if (this.ccOp === CC_SBB + 3) return this.#chained("ltu", CC_LEFT);
    return this.setOn(this.#positive(COND_B));
  }

  /** 0 or 1. */
  setOn(test: Test): Value {
    return this.ir.binary(forTest(SETS, test), test.a, test.b);
  }

  branchOn(test: Test, label: Label): void {
    this.ir.brIf(forTest(BRANCHES, test), test.a, test.b, label);
  }

  /** test ? x : y */
  selectOn(test: Test, x: Value, y: Value): Value {
    return this.ir.select(forTest(SELECTS, test), test.a, test.b, x, y);
  }

  inverse(test: Test): Test {
    return { ...test, condition: INVERSE[test.condition] };
  }

  /** The comparison that an x86 condition code (0 to 15, as in Jcc) stands for now. */
  condition(code: number): Test {
    const test = this.#positive(code >> 1);
    return (code & 1) === 0 ? test : this.inverse(test);
  }

  #positive(code: number): Test {
    const apart = this.#carryApart || (this.ccOp & CC_CARRY) !== 0;
    if (apart && (code === COND_B || code === COND_O)) return this.#apart(code);
    const ccOp = this.ccOp & ~CC_CARRY;
    if (!isSized(ccOp)) return this.#fromFlags(code);
    const kind = ccOp & ~3;
    const size = 1 << (ccOp & 3);
    const direct = apart && (code === COND_BE || code >= COND_L) ? undefined : this.#direct(code, kind, size);
    if (direct) return direct;
    if (code === COND_BE) {
      const carry = apart ? this.#apart(COND_B) : this.#direct(COND_B, kind, size);
      return carry ? this.#orZero(carry, kind, size) : this.#fromFlags(code);
    }
    const less = code === COND_LE && !apart ? this.#direct(COND_L, kind, size) : undefined;
    return less ? this.#orZero(less, kind, size) : this.#fromFlags(code);
  }

  /** BE from B, LE from L. */
  #orZero(test: Test, kind: number, size: number): Test {
    const zero = this.#direct(COND_Z, kind, size);
    if (!zero) throw new RangeError("ZF is always known");
    const either = this.ir.binary(OP.or32, this.setOn(test), this.setOn(zero));
    return { condition: "ne", width: 32, a: either, b: this.ir.const(0) };
  }

  /** CF or OF from ccCarry. */
  #apart(code: number): Test {
    const { ir } = this;
    const bits = ENV.ccCarry;
    if (code === COND_B) return { condition: "tstne", width: 32, a: bits, b: ir.const(2) };
    const differ = ir.binary(OP.xor32, bits, ir.binary(OP.shr32, bits, ir.const(1)));
    return { condition: "tstne", width: 32, a: differ, b: ir.const(1) };
  }

  /** 64 bits: whether `left` is less than ccSrc plus the carry in, as 0 or 1. */
  #chained(condition: "lt" | "ltu", left: Value): Value {
    const { ir } = this;
    const orEqual = ir.binary(condition === "lt" ? OP.set_le64 : OP.set_leu64, left, ENV.ccSrc);
    const less = ir.binary(wideOf(SETS[condition]), left, ENV.ccSrc);
    return ir.select(OP.sel_ne32, ENV.ccSrc2, ir.const(0), orEqual, less);
  }

  /** After ADC and SBB: whether `left` is less than ccSrc plus the carry in. */
  #lessWithCarry(condition: "lt" | "ltu", left: Value, size: number): Test {
    const { ir } = this;
    if (size === 8) return { condition: "ne", width: 32, a: this.#chained(condition, left), b: ir.const(0) };
    const extend = (value: Value): Value => (condition === "lt" ? this.sext(value, size) : this.zext(value, size));
    return { condition, width: 64, a: extend(left), b: ir.binary(OP.add64, extend(ENV.ccSrc), ENV.ccSrc2) };
  }

  #direct(code: number, kind: number, size: number): Test | undefined {
    const { ir } = this;
    const width = size === 8 ? 64 : 32;
    const zero = ir.const(0);
    const narrowU = (value: Value): Value => (size < 4 ? this.zext(value, size) : value);
    const narrowS = (value: Value): Value => (size < 4 ? this.sext(value, size) : value);
    const test = (condition: Condition, a: Value, b: Value): Test => ({ condition, width, a, b });
    if (kind === CC_SUB) {
      if (code === COND_Z) return test("eq", narrowU(CC_LEFT), narrowU(ENV.ccSrc));
      if (code === COND_B) return test("ltu", narrowU(CC_LEFT), narrowU(ENV.ccSrc));
      if (code === COND_BE) return test("leu", narrowU(CC_LEFT), narrowU(ENV.ccSrc));
      if (code === COND_L) return test("lt", narrowS(CC_LEFT), narrowS(ENV.ccSrc));
      if (code === COND_LE) return test("le", narrowS(CC_LEFT), narrowS(ENV.ccSrc));
    }
    if (size < 4 && (code === COND_Z || code === COND_S)) {
      const bits = 8 * size;
      if (code === COND_Z) return test("tsteq", ENV.ccDst, ir.const((1 << bits) - 1));
      return test("tstne", ENV.ccDst, ir.const(1 << (bits - 1)));
    }
    if (code === COND_Z) return test("eq", ENV.ccDst, zero);
    if (code === COND_S) return test("lt", ENV.ccDst, zero);
    if (kind === CC_LOGIC) {
      if (code === COND_B || code === COND_O) return test("ne", zero, zero);
      if (code === COND_BE) return this.#direct(COND_Z, kind, size);
      if (code === COND_L) return this.#direct(COND_S, kind, size);
      if (code === COND_LE) return test("le", narrowS(ENV.ccDst), zero);
    }
    if (kind === CC_ADC && code === COND_B) return this.#lessWithCarry("ltu", ENV.ccDst, size);
    if (kind === CC_SBB && code === COND_B) return this.#lessWithCarry("ltu", CC_LEFT, size);
    if (kind === CC_SBB && code === COND_L) return this.#lessWithCarry("lt", CC_LEFT, size);
    if (kind === CC_ADD || kind === CC_INC || kind === CC_DEC) {
      const right = kind === CC_ADD ? ENV.ccSrc : ir.const(kind === CC_INC ? 1 : -1);
      // left + right < 0 is left <= -1 - right, which does not overflow.
      const flipped = (): Value => ir.unary(this.op(OP.not32, size), narrowS(right));
      if (code === COND_L) return test("le", narrowS(CC_LEFT), flipped());
    }
    if (code === COND_O && (kind === CC_ADD || kind === CC_SUB)) {
      const xor = this.op(OP.xor32, size);
      const first = ir.binary(xor, CC_LEFT, kind === CC_ADD ? ENV.ccDst : ENV.ccSrc);
      const second = ir.binary(xor, kind === CC_ADD ? ENV.ccSrc : CC_LEFT, ENV.ccDst);
      return test("lt", narrowS(ir.binary(this.op(OP.and32, size), first, second)), zero);
    }
    if (kind === CC_ADD && code === COND_B) return test("ltu", narrowU(ENV.ccDst), narrowU(ENV.ccSrc));
    if ((kind === CC_INC || kind === CC_DEC) && code === COND_B) {
      return { condition: "ne", width: 64, a: ENV.ccSrc, b: zero };
    }
    if (kind === CC_BMI && code === COND_B) return { condition: "ne", width: 64, a: ENV.ccSrc, b: zero };
    if (kind === CC_SHL && code === COND_B) return test("lt", narrowS(ENV.ccSrc), zero);
    if (kind === CC_SAR && code === COND_B) return { condition: "tstne", width: 32, a: ENV.ccSrc, b: ir.const(1) };
    if (kind === CC_MUL && (code === COND_B || code === COND_O)) {
      return { condition: "ne", width: 64, a: ENV.ccSrc, b: zero };
    }
    return undefined;
  }

  #fromFlags(code: number): Test {
    const { ir } = this;
    if (code === COND_B && this.ccOp === CC_DYNAMIC) {
      return { condition: "ne", width: 32, a: this.carry(), b: ir.const(0) };
    }
    const flags = this.flags();
    const bits = (mask: number): Test => ({ condition: "tstne", width: 32, a: flags, b: ir.constU(mask) });
    switch (code) {
      case COND_O:
        return bits(CC_O);
      case COND_B:
        return bits(CC_C);
      case COND_Z:
        return bits(CC_Z);
      case COND_BE:
        return bits(CC_C | CC_Z);
      case COND_S:
        return bits(CC_S);
      case COND_P:
        return bits(CC_P);
    }
    // SF != OF: OF (bit 11) moved onto SF (bit 7).
    const differ = ir.binary(OP.xor32, flags, ir.binary(OP.shr32, flags, ir.const(4)));
    if (code === COND_L) return { condition: "tstne", width: 32, a: differ, b: ir.constU(CC_S) };
    const less = ir.binary(OP.and32, differ, ir.constU(CC_S));
    const zero = ir.binary(OP.and32, flags, ir.constU(CC_Z));
    return { condition: "ne", width: 32, a: ir.binary(OP.or32, less, zero), b: ir.const(0) };
  }

  // ---- block ends

  /** Address (offset in CS) of the present instruction. */
  currentRip(): Value {
    return this.#ripPlus(this.insnStart);
  }

  /** Address (offset in CS) of the next instruction. */
  nextRip(): Value {
    return this.#ripPlus(this.insnEnd);
  }

  #ripPlus(offset: number): Value {
    return this.ir.lea(this.code64 ? 64 : 32, ENV.rip, NONE, 0, offset);
  }

  /** Near jump to `displacement` bytes after the instruction's end. `opSize` 2 cuts the target to 16 bits. */
  jumpRelative(displacement: number, opSize: number): void {
    this.#jumpTo(this.insnEnd + displacement, 0, opSize);
  }

  /** Conditional near jump. */
  jumpIf(test: Test, displacement: number, opSize: number): void {
    const taken = this.ir.label();
    this.syncCc();
    this.branchOn(test, taken);
    this.#jumpTo(this.insnEnd, 0, this.#sequential, false);
    this.ir.bind(taken);
    this.#jumpTo(this.insnEnd + displacement, 1, opSize);
  }

  /** Near jump to the offset in `target` (already cut to its size): checked, then looked up. */
  jumpIndirect(target: Value): void {
    this.checkTarget(target);
    this.setRip(target);
    this.endLookup();
  }

  /** Faults if a near jump must not go to this offset. Emit it before the instruction changes anything. */
  checkTarget(target: Value): void {
    const { ir } = this;
    if (this.code64) {
      const good = ir.label();
      ir.brIf(OP.br_canonical, target, NONE, good);
      ir.callVoid("raiseExceptionError", ir.const(0), NONE, 13);
      ir.bind(good);
    } else if (this.segCheck) {
      ir.callVoid("checkCodeLimit", target);
    }
  }

  /** Sets the address the block goes on at. Only as the last thing before an end. */
  setRip(target: Value): void {
    this.ir.mov(ENV.rip, target);
  }

  /** Goes on at env.rip, after looking up its block. Flags are stored. */
  endLookup(): void {
    this.syncCc();
    this.ir.exitLookup(this.ccOp);
    this.ended = true;
  }

  /** Goes on at the next instruction through the main loop: modes or the interrupt state may have changed. */
  endMain(): void {
    this.syncCc();
    this.setRip(this.nextRip());
    this.ir.exitMain(this.ccOp);
    this.ended = true;
  }

  /** A helper has set env.rip (far transfers, IRET): goes on through the main loop. */
  endAfterHelper(): void {
    this.ir.exitMain(this.ccOp);
    this.ended = true;
  }

  /** A helper has set env.rip and nothing but the code address and mode changed: goes on without the main loop. */
  endAfterHelperLookup(): void {
    this.ir.exitLookup(this.ccOp);
    this.ended = true;
  }

  /** Raises an exception without error code. The block ends here. */
  raise(vector: number): void {
    this.ir.callVoid("raiseException", NONE, NONE, vector);
    this.ir.exitMain(this.ccOp);
    this.ended = true;
  }

  /** Raises an exception with error code 0. The block ends here. */
  raiseZero(vector: number): void {
    this.ir.callVoid("raiseExceptionError", this.ir.const(0), NONE, vector);
    this.ir.exitMain(this.ccOp);
    this.ended = true;
  }

  #jumpTo(offset: number, slot: 0 | 1, opSize: number, last = true): void {
    const { ir } = this;
    this.syncCc();
    if (offset !== 0 || opSize === 2) {
      let target = ir.lea(this.code64 ? 64 : 32, ENV.rip, NONE, 0, offset);
      if (opSize === 2) target = ir.binary(OP.and32, target, ir.constU(0xffff));
      // A 64-bit relative target leaves the canonical range only by the fetch, which faults there.
      if (offset !== this.insnEnd && !this.code64) this.checkTarget(target);
      ir.mov(ENV.rip, target);
    }
    const at = this.pageOffset + offset;
    if (opSize !== 2 && at >= 0 && at < PAGE_SIZE) ir.exitChain(slot, this.ccOp);
    else ir.exitLookup(this.ccOp);
    if (last) this.ended = true;
  }
}
