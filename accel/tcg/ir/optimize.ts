/**
 * The optimiser of one translation block: constants and copies forward, then dead code (and with it dead flags)
 * backward, then results computed straight into the register they are copied to.
 *
 * Invariants:
 *  1. Wherever a guest exception can be raised (loads, stores, calls) and at every exit, all architectural slots hold
 *     what the program says: registers, flags, rip. Temporaries need not, nor flag operands that the present ccOp
 *     does not look at.
 *  2. A fact about a slot holds until the slot is written, a label is bound, or a call may have written it.
 */

import { CC_ADC, CC_ADCX, CC_CARRY, CC_DYNAMIC, CC_EFLAGS, CC_IMUL, CC_LOGIC, CC_SBB, ENV } from "../env.ts";
import {
  CONST_BASE,
  HELPER_ANYTHING,
  HELPER_CHECKS,
  HELPER_PURE,
  HELPER_READS_FLAGS,
  type IrBuilder,
  MAX_OPS,
  NONE,
  type Value,
} from "./builder.ts";
import { fold } from "./fold.ts";
import { OP, OP_ROWS, type OpKind, type OpRow } from "./ops.ts";

/** Temporaries from here on; everything below is architectural. */
const FIRST_TEMP = ENV.temps >> 3;
const FIRST_VTEMP = ENV.vtemps >> 3;
/** Slots that IR or helpers name lie below: env up to the end of the scratch area. */
const SLOTS = Math.ceil((ENV.scratch + 1024) / 256) * 32;
/** Words of a set of slots, and of its architectural part. */
const WORDS = SLOTS / 32;
const ARCHITECTURAL_WORDS = Math.ceil(FIRST_TEMP / 32);
const LOOK_BACK = 8;
const CLOCK_LIMIT = 0x4000_0000;

// What the optimiser asks of an op.
const READS_A = 1 << 0;
const READS_B = 1 << 1;
/** The same, of operands that are not vectors. */
const RESOLVES_A = 1 << 2;
const RESOLVES_B = 1 << 3;
const WRITES = 1 << 4;
const MAY_FAULT = 1 << 5;
const CONTROL = 1 << 6;
const VECTOR = 1 << 7;
/** Result has zeros above bit 31. */
const ZERO_HIGH = 1 << 8;
const SELECT = 1 << 9;
/** Scalar and "pure". */
const FOLDS = 1 << 10;
const ENV_ACCESS = 1 << 11;
const COMMUTES = 1 << 12;
const CALL = 1 << 13;

const ZERO_HIGH_NAMES = ["ext32u", "lea32", "ld8u", "ld16u", "ld32u", "envld8u", "envld16u", "envld32u"];

function traitsOf({ name, kind, signature, size }: OpRow): number {
  const is = (...kinds: OpKind[]): boolean => kinds.includes(kind);
  const vector = signature?.startsWith("v") === true || size === 16;
  let traits = vector ? VECTOR : 0;
  if (!is("envLoad", "envStore", "label", "branch", "exit")) {
    traits |= READS_A;
    if (!vector || is("load", "store")) traits |= RESOLVES_A;
  }
  if (!is("envLoad", "label", "branch", "exit", "mov", "load")) {
    traits |= READS_B;
    if (!vector) traits |= RESOLVES_B;
  }
  if (is("pure", "mov", "select", "lea", "load", "envLoad") || name === "call") traits |= WRITES;
  if (is("load", "store", "call")) traits |= MAY_FAULT;
  if (is("label", "branch", "condBranch", "exit")) traits |= CONTROL;
  if ((kind === "pure" && signature?.startsWith("i=") === true) || ZERO_HIGH_NAMES.includes(name)) traits |= ZERO_HIGH;
  if (is("select")) traits |= SELECT;
  if (kind === "pure" && !vector) traits |= FOLDS;
  if (is("envLoad", "envStore")) traits |= ENV_ACCESS;
  if (is("call")) traits |= CALL;
  if (/^(add|mul|and|or|xor)(32|64)$/.test(name)) traits |= COMMUTES;
  return traits;
}

const TRAITS = Int32Array.from(OP_ROWS, traitsOf);

/** How many low bits of an op's result may be set; -1 where that depends on the operands. */
function resultBits(row: OpRow): number {
  const { name } = row;
  if (/^(mov|and(32|64)|or(32|64)|xor(32|64)|shr(32|64)|put8|put16)$|^sel_/.test(name)) return -1;
  if (name.startsWith("set_")) return 1;
  if (/^(clz|ctz|popcnt)/.test(name)) return 7;
  if (/^(ext8u|get8h|ld8u|envld8u)$/.test(name)) return 8;
  if (/^(ext16u|ld16u|envld16u)$/.test(name)) return 16;
  return traitsOf(row) & ZERO_HIGH ? 32 : 64;
}

const RESULT_BITS = Int8Array.from(OP_ROWS, resultBits);
const { mov: OP_MOV, ext32u: OP_EXT32U, lea32: OP_LEA32, lea64: OP_LEA64 } = OP;
const { label: OP_LABEL, br: OP_BR, call: OP_CALL } = OP;

const { put8: OP_PUT8, put16: OP_PUT16 } = OP;
const { ext8u: OP_EXT8U, ext8s32: OP_EXT8S32, ext8s64: OP_EXT8S64 } = OP;
/** Extensions: a value of no more bits stays as it is. */
const KEEPS_BITS = new Int8Array(OP_ROWS.length);
for (const [name, bits] of Object.entries({ ext8u: 8, ext16u: 16, ext32u: 32 })) KEEPS_BITS[OP[name]] = bits;
for (const [name, bits] of Object.entries({ ext8s32: 7, ext8s64: 7, ext16s32: 15, ext16s64: 15, ext32s64: 31 })) {
  KEEPS_BITS[OP[name]] = bits;
}

/** A set of slots: those in [from, to) and those it has already. */
function addSlots(set: Int32Array, from: number, to: number): Int32Array {
  for (let slot = from; slot < to; slot++) set[slot >> 5] |= 1 << slot;
  return set;
}

const CC_DST = 1;
const CC_SRC = 2;
const CC_SRC2 = 4;
/** What the flags are computed from, by ccOp without size. */
const FLAG_OPERANDS: Readonly<Record<number, number>> = {
  [CC_EFLAGS]: CC_SRC,
  [CC_ADC]: CC_DST | CC_SRC | CC_SRC2,
  [CC_SBB]: CC_DST | CC_SRC | CC_SRC2,
  [CC_LOGIC]: CC_DST,
  [CC_ADCX]: CC_DST | CC_SRC | CC_SRC2,
  [CC_IMUL]: CC_DST | CC_SRC | CC_SRC2,
};

/** The slots that matter to the flags under a ccOp that is known; all of them if it is not. */
function flagSlots(ccOp: number): readonly number[] {
  if (ccOp === CC_DYNAMIC)
    return [ENV.ccOp, ENV.ccDst, ENV.ccSrc, ENV.ccSrc2, ENV.ccCarry].map((offset) => offset >> 3);
  const operands = FLAG_OPERANDS[ccOp & ~(CC_CARRY | 3)] ?? CC_DST | CC_SRC;
  const slots: number[] = [];
  if (operands & CC_DST) slots.push(ENV.ccDst >> 3);
  if (operands & CC_SRC) slots.push(ENV.ccSrc >> 3);
  if (operands & CC_SRC2) slots.push(ENV.ccSrc2 >> 3);
  if (ccOp & CC_CARRY) slots.push(ENV.ccCarry >> 3);
  return slots;
}

const FLAG_SLOTS = Array.from({ length: 2 * CC_CARRY }, (_, ccOp) => flagSlots(ccOp));
const NOTHING = new Int32Array(WORDS);
const ALL_FLAGS = new Int32Array(WORDS);
for (const slot of FLAG_SLOTS[CC_DYNAMIC]) addSlots(ALL_FLAGS, slot, slot + 1);
const withoutFlags = addSlots(new Int32Array(WORDS), 0, FIRST_TEMP);
for (let word = 0; word < WORDS; word++) withoutFlags[word] &= ~ALL_FLAGS[word];
/** What is wanted wherever an exception may be raised or the block left, by the ccOp that is known there. */
const ARCHITECTURAL = FLAG_SLOTS.map((slots) => {
  const set = withoutFlags.slice();
  for (const slot of slots) set[slot >> 5] |= 1 << slot;
  return set;
});
/** What a helper may look at: also vector temporaries and scratch, which it is given the offsets of. */
const VISIBLE = addSlots(ARCHITECTURAL[CC_DYNAMIC].slice(), FIRST_VTEMP, SLOTS);
const NOT_FOUND = -1;

// What the backward pass says about an op.
const DROP = 0;
const KEEP = 1;
/** A copy whose source is not wanted any more. */
const LAST_USE = 2;

/** How long a slot's value is likely to stay: temporaries least, registers most. */
function rank(value: Value): number {
  if (value >> 3 >= FIRST_TEMP) return 0;
  return value >= ENV.ccOp && value <= ENV.ccCarry ? 1 : 2;
}

// What is known about a slot: eight numbers in `#facts`, which begin at the slot's offset.
/** When the slot was written last; what was before #epoch counts as written then. */
const VERSION = 0;
/** The value it is a copy of, if its version is COPY_HERE and that of the source COPY_SOURCE. */
const COPY = 1;
const COPY_HERE = 2;
const COPY_SOURCE = 3;
/** How many low bits may be set, if it was written since #epoch. */
const BITS = 4;
/** The value whose low byte its low byte is, if the versions are those. */
const BYTE = 5;
const BYTE_HERE = 6;
const BYTE_SOURCE = 7;

export class Optimizer {
  readonly #facts = new Int32Array(SLOTS * 8);
  #epoch = 0;
  #clock = 0;
  /** Sets of slots: wanted at the present place, and at each label. */
  readonly #live = new Int32Array(WORDS);
  #labelLive = new Int32Array(64 * WORDS);
  #labelSeen = new Uint8Array(64);
  readonly #keep = new Uint8Array(MAX_OPS);

  run(ir: IrBuilder): void {
    this.#forward(ir);
    this.#backward(ir);
    this.#compact(ir);
  }

  // ---- forward: constants and copies

  #forget(): void {
    this.#epoch = ++this.#clock;
  }

  /** `slot` is an offset here and below, a multiple of 8. */
  #written(slot: Value, bits: number): void {
    this.#facts[slot + VERSION] = ++this.#clock;
    this.#facts[slot + BITS] = bits;
  }

  #versionOf(slot: Value): number {
    const version = this.#facts[slot + VERSION];
    return version > this.#epoch ? version : this.#epoch;
  }

  /** What a value is known to equal, itself if nothing better. */
  #resolve(value: Value): Value {
    if (value < 0 || value >= CONST_BASE) return value;
    const slot = value & ~7;
    const facts = this.#facts;
    if (facts[slot + COPY_HERE] !== this.#versionOf(slot)) return value;
    const source = facts[slot + COPY];
    return source >= CONST_BASE || this.#versionOf(source & ~7) === facts[slot + COPY_SOURCE] ? source : value;
  }

  #learnCopy(d: Value, source: Value): void {
    const slot = d & ~7;
    const facts = this.#facts;
    facts[slot + COPY] = source;
    facts[slot + COPY_HERE] = this.#versionOf(slot);
    if (source < CONST_BASE) facts[slot + COPY_SOURCE] = this.#versionOf(source & ~7);
  }

  #bitsOf(ir: IrBuilder, value: Value): number {
    if (value >= CONST_BASE) {
      const index = value - CONST_BASE;
      return ir.constHigh[index] === 0 ? 32 - Math.clz32(ir.constLow[index]) : 64;
    }
    const slot = value & ~7;
    return this.#facts[slot + VERSION] > this.#epoch ? this.#facts[slot + BITS] : 64;
  }

  #isZeroHigh(ir: IrBuilder, value: Value): boolean {
    return this.#bitsOf(ir, value) <= 32;
  }

  /** How many low bits of the result of op `i`, which is no move, may be set. */
  #resultBits(ir: IrBuilder, i: number): number {
    const { a, b, c, e } = ir;
    const left = this.#bitsOf(ir, a[i]);
    switch (ir.op[i]) {
      case OP.and32:
        return Math.min(left, this.#bitsOf(ir, b[i]), 32);
      case OP.and64:
        return Math.min(left, this.#bitsOf(ir, b[i]));
      case OP.or32:
      case OP.xor32:
        return Math.min(Math.max(left, this.#bitsOf(ir, b[i])), 32);
      case OP.or64:
      case OP.xor64:
        return Math.max(left, this.#bitsOf(ir, b[i]));
      case OP.shr32:
      case OP.shr64: {
        const width = ir.op[i] === OP.shr32 ? 32 : 64;
        const count = b[i] >= CONST_BASE ? ir.constLow[b[i] - CONST_BASE] & (width - 1) : 0;
        return Math.max(Math.min(left, width) - count, 0);
      }
      case OP_PUT8:
        return Math.max(left, 8);
      case OP_PUT16:
        return Math.max(left, 16);
      default:
        return Math.max(this.#bitsOf(ir, c[i]), this.#bitsOf(ir, e[i]));
    }
  }

  /** The value that gives the low byte of `value`. */
  #byteOf(value: Value): Value {
    if (value >= CONST_BASE) return value;
    const slot = value & ~7;
    const facts = this.#facts;
    if (facts[slot + BYTE_HERE] !== this.#versionOf(slot)) return value;
    const source = facts[slot + BYTE];
    return source >= CONST_BASE || this.#versionOf(source & ~7) === facts[slot + BYTE_SOURCE] ? source : value;
  }

  #learnByte(d: Value, source: Value): void {
    const slot = d & ~7;
    if ((source & ~7) === slot) return;
    const facts = this.#facts;
    facts[slot + BYTE] = source;
    facts[slot + BYTE_HERE] = facts[slot + VERSION];
    if (source < CONST_BASE) facts[slot + BYTE_SOURCE] = this.#versionOf(source & ~7);
  }

  #startClock(): void {
    if (this.#clock > CLOCK_LIMIT) {
      this.#facts.fill(0);
      this.#clock = 0;
    }
    this.#forget();
  }

  #forward(ir: IrBuilder): void {
    this.#startClock();
    const { op, d, a, b, c, e } = ir;
    const { count } = ir;
    for (let i = 0; i < count; i++) {
      let code = op[i];
      const traits = TRAITS[code];
      if (traits & RESOLVES_A) a[i] = this.#resolve(a[i]);
      if (traits & RESOLVES_B) b[i] = this.#resolve(b[i]);
      if (traits & SELECT) {
        c[i] = this.#resolve(c[i]);
        e[i] = this.#resolve(e[i]);
      }
      if (traits & FOLDS) code = this.#simplify(ir, i);
      else if (code === OP_LEA32 || code === OP_LEA64) code = this.#simplifyLea(ir, i);
      else if (code === OP_LABEL) this.#forget();
      else if (traits & CALL && ir.helperEffects[c[i]] === HELPER_ANYTHING) this.#forget();
      const now = TRAITS[code];
      if (!(now & WRITES)) continue;
      const target = d[i];
      const slot = target & ~7;
      if (now & VECTOR) {
        this.#written(slot, 64);
        this.#written(slot + 8, 64);
        continue;
      }
      let bits = RESULT_BITS[code];
      if (bits < 0) bits = code === OP_MOV ? this.#bitsOf(ir, a[i]) : this.#resultBits(ir, i);
      this.#written(slot, bits);
      if (code === OP_MOV) this.#learnMov(target, a[i]);
      else if (code === OP_PUT8) this.#learnByte(target, b[i]);
    }
  }

  /** After d = a: what lives shorter stands for what lives longer (temporary, flag operand, register). */
  #learnMov(d: Value, a: Value): void {
    if (a === d) return;
    if (a < CONST_BASE && rank(a) < rank(d)) this.#learnCopy(a, d);
    else this.#learnCopy(d, a);
  }

  /** Folds constants and identities; returns the op that stands there now. */
  #simplify(ir: IrBuilder, i: number): number {
    const { op, a, b } = ir;
    const code = op[i];
    const left = a[i];
    const right = b[i];
    const constA = left >= CONST_BASE;
    const constB = right >= CONST_BASE || right === NONE;
    if (constA && constB) {
      const x = { low: ir.constLow[left - CONST_BASE], high: ir.constHigh[left - CONST_BASE] };
      const y = right === NONE ? x : { low: ir.constLow[right - CONST_BASE], high: ir.constHigh[right - CONST_BASE] };
      const result = fold(code, x, y);
      if (result) return this.#toMov(ir, i, ir.const(result.low, result.high));
    }
    if (KEEPS_BITS[code] !== 0) return this.#simplifyExtension(ir, i);
    if (code === OP_PUT8 || code === OP_PUT16) {
      const width = code === OP_PUT8 ? 8 : 16;
      if (this.#bitsOf(ir, left) > width) return code;
      op[i] = code === OP_PUT8 ? OP.ext8u : OP.ext16u;
      a[i] = right;
      b[i] = NONE;
      return this.#simplifyExtension(ir, i);
    }
    if (code === OP.and32 && right >= CONST_BASE) {
      const bits = this.#bitsOf(ir, left);
      const all = bits >= 32 ? -1 : (1 << bits) - 1;
      if (bits <= 32 && (all & ~ir.constLow[right - CONST_BASE]) === 0) return this.#toMov(ir, i, left);
    }
    if (left === right && (code === OP.xor32 || code === OP.xor64 || code === OP.sub32 || code === OP.sub64)) {
      return this.#toMov(ir, i, ir.const(0));
    }
    if (left === right && (code === OP.and64 || code === OP.or64)) return this.#toMov(ir, i, left);
    if (left === right && (code === OP.and32 || code === OP.or32)) {
      op[i] = OP.ext32u;
      b[i] = NONE;
      return this.#isZeroHigh(ir, left) ? this.#toMov(ir, i, left) : OP.ext32u;
    }
    if (constA && !constB && TRAITS[code] & COMMUTES) {
      a[i] = right;
      b[i] = left;
    }
    return code;
  }

  /** An extension of what needs none is a copy. */
  #simplifyExtension(ir: IrBuilder, i: number): number {
    const { op, a } = ir;
    const code = op[i];
    if (code === OP_EXT8U || code === OP_EXT8S32 || code === OP_EXT8S64) a[i] = this.#byteOf(a[i]);
    return this.#bitsOf(ir, a[i]) <= KEEPS_BITS[code] ? this.#toMov(ir, i, a[i]) : code;
  }

  #simplifyLea(ir: IrBuilder, i: number): number {
    const { op, a, b, c, e } = ir;
    const wide = op[i] === OP.lea64;
    const base = a[i];
    if (base >= CONST_BASE && (b[i] === NONE || b[i] >= CONST_BASE)) {
      const x = BigInt(ir.constHigh[base - CONST_BASE]) * 0x1_0000_0000n + BigInt(ir.constLow[base - CONST_BASE] >>> 0);
      const index = b[i] - CONST_BASE;
      const y = b[i] === NONE ? 0n : BigInt(ir.constHigh[index]) * 0x1_0000_0000n + BigInt(ir.constLow[index] >>> 0);
      const sum = x + (y << BigInt(Math.max(c[i], 0))) + BigInt(e[i]);
      const low = Number(BigInt.asIntN(32, sum));
      return this.#toMov(ir, i, ir.const(low, wide ? Number(BigInt.asIntN(32, sum >> 32n)) : 0));
    }
    if (b[i] === NONE && e[i] === 0 && base !== NONE) {
      if (wide || this.#isZeroHigh(ir, base)) return this.#toMov(ir, i, base);
      op[i] = OP.ext32u;
      return OP.ext32u;
    }
    return op[i];
  }

  #toMov(ir: IrBuilder, i: number, source: Value): number {
    ir.op[i] = OP.mov;
    ir.a[i] = source;
    ir.b[i] = NONE;
    return OP.mov;
  }

  // ---- backward: dead code

  #use(value: Value, vector: number): void {
    if (value < 0 || value >= CONST_BASE) return;
    this.#setLive(value >> 3);
    if (vector) this.#setLive((value >> 3) + 1);
  }

  #setLive(slot: number): void {
    this.#live[slot >> 5] |= 1 << slot;
  }

  #setDead(slot: number): void {
    this.#live[slot >> 5] &= ~(1 << slot);
  }

  #isLive(slot: number): boolean {
    return ((this.#live[slot >> 5] >> slot) & 1) !== 0;
  }

  #addLive(set: Int32Array, words: number): void {
    const live = this.#live;
    for (let word = 0; word < words; word++) live[word] |= set[word];
  }

  /** Nothing but a set of architectural slots is live. */
  #onlyLive(set: Int32Array): void {
    const live = this.#live;
    for (let word = 0; word < ARCHITECTURAL_WORDS; word++) live[word] = set[word];
    for (let word = ARCHITECTURAL_WORDS; word < WORDS; word++) live[word] = 0;
  }

  #backward(ir: IrBuilder): void {
    const keep = this.#keep;
    const { op, d, a, b, c, e } = ir;
    this.#onlyLive(NOTHING);
    this.#startLabels(ir.labels);
    const { insnOp, insnCcOp } = ir;
    let insn = ir.insns - 1;
    let first = insn < 0 ? 0 : insnOp[insn];
    for (let i = ir.count - 1; i >= 0; i--) {
      while (i < first) {
        insn--;
        first = insn < 0 ? 0 : insnOp[insn];
      }
      const code = op[i];
      const traits = TRAITS[code];
      keep[i] = KEEP;
      if (traits & CONTROL) {
        if (code === OP_LABEL) this.#leaveLabel(c[i]);
        else if (code === OP_BR) this.#enter(c[i], false);
        else if (traits & READS_A) {
          this.#enter(c[i], true);
          this.#use(a[i], 0);
          this.#use(b[i], 0);
        } else {
          this.#onlyLive(ARCHITECTURAL[e[i]]);
          this.#setLive(ENV.ccOp >> 3);
        }
        continue;
      }
      const vector = traits & VECTOR;
      const effects = traits & CALL ? ir.helperEffects[c[i]] : HELPER_CHECKS;
      if (traits & WRITES) {
        const slot = d[i] >> 3;
        const wanted = this.#isLive(slot) || (vector !== 0 && this.#isLive(slot + 1));
        const removable = !(traits & MAY_FAULT) || effects === HELPER_PURE || effects === HELPER_READS_FLAGS;
        if ((!wanted && removable) || (code === OP_MOV && a[i] === d[i])) {
          keep[i] = DROP;
          continue;
        }
        this.#setDead(slot);
        if (vector) this.#setDead(slot + 1);
      }
      if (effects === HELPER_READS_FLAGS) this.#addLive(ALL_FLAGS, ARCHITECTURAL_WORDS);
      else if (effects === HELPER_ANYTHING) this.#addLive(VISIBLE, WORDS);
      else if (traits & MAY_FAULT && effects === HELPER_CHECKS) {
        this.#addLive(ARCHITECTURAL[insn < 0 ? CC_DYNAMIC : insnCcOp[insn]], ARCHITECTURAL_WORDS);
      }
      if ((code === OP_MOV || code === OP_EXT32U) && a[i] < CONST_BASE && !this.#isLive(a[i] >> 3)) keep[i] = LAST_USE;
      if (traits & READS_A) this.#use(a[i], traits & RESOLVES_A ? 0 : vector);
      if (traits & READS_B) this.#use(b[i], vector);
      if (traits & SELECT) {
        this.#use(c[i], 0);
        this.#use(e[i], 0);
      }
      if (traits & ENV_ACCESS && traits & WRITES) this.#use(a[i] & ~7, 0);
    }
  }

  #startLabels(count: number): void {
    if (count > this.#labelSeen.length) {
      this.#labelSeen = new Uint8Array(2 * count);
      this.#labelLive = new Int32Array(2 * count * WORDS);
    } else for (let label = 0; label < count; label++) this.#labelSeen[label] = 0;
  }

  #leaveLabel(label: number): void {
    this.#labelSeen[label] = 1;
    const at = label * WORDS;
    for (let word = 0; word < WORDS; word++) this.#labelLive[at + word] = this.#live[word];
  }

  /** Merges what is live at a label; a label not seen yet (backward branch) makes everything live. */
  #enter(label: number, merge: boolean): void {
    const live = this.#live;
    const at = label * WORDS;
    const labels = this.#labelLive;
    if (this.#labelSeen[label] === 0) live.fill(-1);
    else if (merge) for (let word = 0; word < WORDS; word++) live[word] |= labels[at + word];
    else for (let word = 0; word < WORDS; word++) live[word] = labels[at + word];
  }

  /** Closes the gaps; keeps the instruction table in step. */
  #compact(ir: IrBuilder): void {
    const { op, d, a, b, c, e, count, insns, insnOp } = ir;
    const keep = this.#keep;
    let to = 0;
    let insn = 0;
    let next = insns > 0 ? insnOp[0] : count;
    for (let i = 0; i < count; i++) {
      while (next === i) {
        insnOp[insn++] = to;
        next = insn < insns ? insnOp[insn] : count;
      }
      if (keep[i] === DROP || (keep[i] === LAST_USE && this.#coalesce(ir, i, to))) continue;
      if (to !== i) {
        op[to] = op[i];
        d[to] = d[i];
        a[to] = a[i];
        b[to] = b[i];
        c[to] = c[i];
        e[to] = e[i];
      }
      to++;
    }
    while (insn < insns) insnOp[insn++] = to;
    ir.count = to;
  }

  // ---- results straight into registers

  /**
   * `t = op; ...; r = t` becomes `r = op` when nothing between looks at r or can fault, and t is not wanted later: true
   * if op `i` is such a copy, which needs to be no longer. The ops before it now end at `end`.
   */
  #coalesce(ir: IrBuilder, i: number, end: number): boolean {
    const { op, d, a } = ir;
    const from = a[i];
    const to = d[i];
    if (to >> 3 >= FIRST_TEMP || rank(from) >= rank(to)) return false;
    const definition = this.#definition(ir, end, from, to);
    if (definition < 0 || (op[i] !== OP_MOV && !(TRAITS[op[definition]] & ZERO_HIGH))) return false;
    d[definition] = to;
    for (let k = definition + 1; k < end; k++) this.#rename(ir, k, from, to);
    return true;
  }

  /** The op before `end` that defines `from`, if `to` may take its place from there on. */
  #definition(ir: IrBuilder, end: number, from: Value, to: Value): number {
    const { op, d } = ir;
    for (let k = end - 1; k >= 0 && k >= end - LOOK_BACK; k--) {
      const code = op[k];
      const traits = TRAITS[code];
      if (traits & CONTROL) return NOT_FOUND;
      if (traits & WRITES && d[k] === from) return traits & VECTOR || code === OP_CALL ? NOT_FOUND : k;
      if (traits & (MAY_FAULT | VECTOR | ENV_ACCESS)) return NOT_FOUND;
      if ((traits & WRITES && d[k] === to) || this.#reads(ir, k, to)) return NOT_FOUND;
    }
    return NOT_FOUND;
  }

  #reads(ir: IrBuilder, k: number, value: Value): boolean {
    const traits = TRAITS[ir.op[k]];
    if (traits & READS_A && ir.a[k] === value) return true;
    if (traits & READS_B && ir.b[k] === value) return true;
    return (traits & SELECT) !== 0 && (ir.c[k] === value || ir.e[k] === value);
  }

  #rename(ir: IrBuilder, k: number, from: Value, to: Value): void {
    const traits = TRAITS[ir.op[k]];
    if (traits & READS_A && ir.a[k] === from) ir.a[k] = to;
    if (traits & READS_B && ir.b[k] === from) ir.b[k] = to;
    if (traits & SELECT) {
      if (ir.c[k] === from) ir.c[k] = to;
      if (ir.e[k] === from) ir.e[k] = to;
    }
  }
}
