/**
 * Builds the IR of one translation block. Ops stand in parallel arrays; a value is a number: the byte offset of a slot
 * in env (below 65536), or CONST_BASE plus an index into the block's constants.
 *
 * Temporaries live until the end of the guest instruction they were made in.
 */

import { CC_DYNAMIC, ENV } from "../env.ts";
import { OP } from "./ops.ts";

export type Value = number;
export type Label = number;

export const CONST_BASE = 0x10000;
export const MAX_OPS = 4096;
/** The last slots are reserved: constants of the interpreter, the translator's compare operand. */
const TEMPS = 248;
const VTEMPS = 32;
const HASH_SIZE = 256;
/** Constants are numbered through all blocks up to about here. */
const NUMBERS = 2 ** 30;

/** No operand. */
export const NONE = -1;

/** Helpers whose only effect is their result, from arguments alone. */
const PURE = ["mulHighUnsigned", "mulHighSigned", "crc32", "pdep", "pext"];
/** The same, but they also look at ccOp, ccDst, ccSrc and ccSrc2. */
const FLAG_READERS = ["computeFlags", "computeFlagsOf", "computeCarry"];
/** Helpers that raise an exception or do nothing. */
const CHECKS = [
  "segmentCheck",
  "checkCodeLimit",
  "checkAligned16",
  "probeStore",
  "raiseException",
  "raiseExceptionError",
];

/** The ops of a block as they stand; see IrBuilder for the fields. */
export interface IrCode {
  readonly count: number;
  readonly op: ArrayLike<number>;
  readonly d: ArrayLike<number>;
  readonly a: ArrayLike<number>;
  readonly b: ArrayLike<number>;
  readonly c: ArrayLike<number>;
  readonly e: ArrayLike<number>;
  readonly constLow: readonly number[];
  readonly constHigh: readonly number[];
  /** Guest instructions. */
  readonly insns: number;
  readonly insnOp: readonly number[];
  readonly insnOffset: readonly number[];
  readonly insnCcOp: readonly number[];
}

/** What a helper does besides returning a value. */
export const HELPER_ANYTHING = 0;
export const HELPER_PURE = 1;
export const HELPER_READS_FLAGS = 2;
export const HELPER_CHECKS = 3;

/** The first `count` numbers. A plain array is cheaper to make than a typed one of this size. */
function copyOf(from: ArrayLike<number>, count: number): number[] {
  const to = new Array<number>(count);
  for (let i = 0; i < count; i++) to[i] = from[i];
  return to;
}

export class IrBuilder {
  /** HELPER_* by number. */
  readonly helperEffects: Uint8Array;
  /** Number of ops so far; the arrays below are valid up to it. */
  count = 0;
  readonly op = new Uint16Array(MAX_OPS);
  readonly d = new Int32Array(MAX_OPS);
  readonly a = new Int32Array(MAX_OPS);
  readonly b = new Int32Array(MAX_OPS);
  /** select: value if true; lea: scale; call: helper; branches: label. */
  readonly c = new Int32Array(MAX_OPS);
  /** select: value if false; lea: displacement; call: immediate; exits: ccOp. */
  readonly e = new Int32Array(MAX_OPS);
  /** The halves of the constants; what stands behind the block's own is old. */
  readonly constLow: number[] = [];
  readonly constHigh: number[] = [];
  /**
   * By guest instruction: first op, offset of the instruction from the block's start, ccOp there. What stands behind
   * the block's own is old, so that the arrays keep their room.
   */
  insns = 0;
  readonly insnOp: number[] = [];
  readonly insnOffset: number[] = [];
  readonly insnCcOp: number[] = [];
  labels = 0;
  readonly #helpers: ReadonlyMap<string, number>;
  #consts = 0;
  /** The constants by hash: number of the first of a chain, and of the next. Numbers up to `#constsBefore` are old. */
  readonly #constFirst = new Int32Array(HASH_SIZE);
  readonly #constNext: number[] = [];
  #constsBefore = 0;
  #temps = 0;
  #vtemps = 0;

  /** `helpers` numbers the helper functions by name. */
  constructor(helpers: ReadonlyMap<string, number>) {
    this.#helpers = helpers;
    this.helperEffects = new Uint8Array(Math.max(0, ...helpers.values()) + 1);
    for (const [name, number] of helpers) {
      if (PURE.includes(name)) this.helperEffects[number] = HELPER_PURE;
      if (FLAG_READERS.includes(name)) this.helperEffects[number] = HELPER_READS_FLAGS;
      if (CHECKS.includes(name)) this.helperEffects[number] = HELPER_CHECKS;
    }
  }

  reset(): void {
    this.count = 0;
    this.labels = 0;
    this.insns = 0;
    this.#constsBefore += this.#consts;
    this.#consts = 0;
    if (this.#constsBefore > NUMBERS) {
      this.#constFirst.fill(0);
      this.#constsBefore = 0;
    }
    this.#temps = 0;
    this.#vtemps = 0;
  }

  /** A copy that stays when the builder goes on to the next block. */
  snapshot(): IrCode {
    const { count, op, d, a, b, c, e } = this;
    return {
      count,
      op: copyOf(op, count),
      d: copyOf(d, count),
      a: copyOf(a, count),
      b: copyOf(b, count),
      c: copyOf(c, count),
      e: copyOf(e, count),
      constLow: this.constLow.slice(0, this.#consts),
      constHigh: this.constHigh.slice(0, this.#consts),
      insns: this.insns,
      insnOp: this.insnOp.slice(0, this.insns),
      insnOffset: this.insnOffset.slice(0, this.insns),
      insnCcOp: this.insnCcOp.slice(0, this.insns),
    };
  }

  /** Room for another instruction's ops. */
  get full(): boolean {
    return this.count > MAX_OPS - 1024;
  }

  /** Starts a guest instruction, `offset` bytes after the block's start. */
  beginInsn(offset: number, ccOp: number): void {
    const at = this.insns++;
    this.insnOp[at] = this.count;
    this.insnOffset[at] = offset;
    this.insnCcOp[at] = ccOp;
    this.#temps = 0;
    this.#vtemps = 0;
  }

  temp(): Value {
    if (this.#temps === TEMPS) throw new RangeError("out of IR temporaries");
    return ENV.temps + 8 * this.#temps++;
  }

  /** A 16-byte temporary. */
  vtemp(): Value {
    if (this.#vtemps === VTEMPS) throw new RangeError("out of IR vector temporaries");
    return ENV.vtemps + 16 * this.#vtemps++;
  }

  /** A constant from its two int32 halves; one argument is sign-extended. */
  const(low: number, high: number = low >> 31): Value {
    const { constLow, constHigh } = this;
    const before = this.#constsBefore;
    low |= 0;
    high |= 0;
    const hash = (Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1) >>> 16) % HASH_SIZE;
    let index = this.#constFirst[hash] - before - 1;
    while (index >= 0 && (constLow[index] !== low || constHigh[index] !== high)) {
      index = this.#constNext[index] - before - 1;
    }
    if (index < 0) {
      index = this.#consts++;
      constLow[index] = low;
      constHigh[index] = high;
      this.#constNext[index] = this.#constFirst[hash];
      this.#constFirst[hash] = before + index + 1;
    }
    return CONST_BASE + index;
  }

  /** A 32-bit constant, zero-extended. */
  constU(value: number): Value {
    return this.const(value, 0);
  }

  isConst(value: Value): boolean {
    return value >= CONST_BASE;
  }

  emit(op: number, d: Value, a: Value = NONE, b: Value = NONE, c = NONE, e = 0): void {
    const at = this.count++;
    this.op[at] = op;
    this.d[at] = d;
    this.a[at] = a;
    this.b[at] = b;
    this.c[at] = c;
    this.e[at] = e;
  }

  /** d = a */
  mov(d: Value, a: Value): void {
    if (d !== a) this.emit(OP.mov, d, a);
  }

  /** A new temporary holding `op(a)`. */
  unary(op: number, a: Value): Value {
    const d = this.temp();
    this.emit(op, d, a);
    return d;
  }

  /** A new temporary holding `op(a, b)`, e.g. binary(OP.add32, x, y). */
  binary(op: number, a: Value, b: Value): Value {
    const d = this.temp();
    this.emit(op, d, a, b);
    return d;
  }

  /** d = op(a, b) */
  binaryTo(d: Value, op: number, a: Value, b: Value): void {
    this.emit(op, d, a, b);
  }

  /** A new temporary: condition(a, b) ? x : y; `op` e.g. OP.sel_ltu32. */
  select(op: number, a: Value, b: Value, x: Value, y: Value): Value {
    const d = this.temp();
    this.emit(op, d, a, b, x, y);
    return d;
  }

  /** a + (b << scale) + displacement, cut to 32 bits if `bits` is 32. b may be NONE. */
  lea(bits: 32 | 64, a: Value, b: Value, scale: number, displacement: number): Value {
    const d = this.temp();
    this.emit(bits === 32 ? OP.lea32 : OP.lea64, d, a, b, scale, displacement);
    return d;
  }

  /** Loads from a linear guest address, by OP.ld8u and its kin. */
  load(op: number, address: Value): Value {
    const d = this.temp();
    this.emit(op, d, address);
    return d;
  }

  store(op: number, address: Value, value: Value): void {
    this.emit(op, NONE, address, value);
  }

  /** d (a vector slot) = 16 bytes at a linear address; `aligned` raises #GP on a misaligned address. */
  load128(d: Value, address: Value): void {
    this.emit(OP.ld128, d, address);
  }

  store128(address: Value, value: Value): void {
    this.emit(OP.st128, NONE, address, value);
  }

  /** Reads a field of env that is not a slot, by OP.envld8u, OP.envld16u or OP.envld32u. */
  envLoad(op: number, offset: number): Value {
    const d = this.temp();
    this.emit(op, d, offset);
    return d;
  }

  envStore(op: number, offset: number, value: Value): void {
    this.emit(op, NONE, offset, value);
  }

  /** Calls helper(env, a, b, imm): u64 and returns its result. */
  call(helper: string, a: Value = NONE, b: Value = NONE, imm = 0): Value {
    const d = this.temp();
    this.emit(OP.call, d, a, b, this.#helper(helper), imm);
    return d;
  }

  /** Calls helper(env, a, b, imm) for its effects. */
  callVoid(helper: string, a: Value = NONE, b: Value = NONE, imm = 0): void {
    this.emit(OP.callv, NONE, a, b, this.#helper(helper), imm);
  }

  label(): Label {
    return this.labels++;
  }

  bind(label: Label): void {
    this.emit(OP.label, NONE, NONE, NONE, label);
  }

  br(label: Label): void {
    this.emit(OP.br, NONE, NONE, NONE, label);
  }

  /** Jumps to `label` if condition(a, b); `op` e.g. OP.br_ne32. */
  brIf(op: number, a: Value, b: Value, label: Label): void {
    this.emit(op, NONE, a, b, label);
  }

  /** Exits: `ccOp` is what env.ccOp is known to hold. */
  exitChain(slot: 0 | 1, ccOp = CC_DYNAMIC): void {
    this.emit(OP.exit_chain, NONE, NONE, NONE, slot, ccOp);
  }

  exitLookup(ccOp = CC_DYNAMIC): void {
    this.emit(OP.exit_lookup, NONE, NONE, NONE, NONE, ccOp);
  }

  exitMain(ccOp = CC_DYNAMIC): void {
    this.emit(OP.exit_main, NONE, NONE, NONE, NONE, ccOp);
  }

  #helper(name: string): number {
    const index = this.#helpers.get(name);
    if (index === undefined) throw new RangeError(`no helper '${name}'`);
    return index;
  }
}
