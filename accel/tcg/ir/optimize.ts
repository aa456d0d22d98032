/**
 * The optimiser of one translation block: constants and copies forward, then dead code (and with it dead flags)
 * backward, then results computed straight into the register they are copied to.
 *
 * Invariants:
 *  1. Wherever a guest exception can be raised (loads, stores, calls) and at every exit, all architectural slots hold
 *     what the program says: registers, flags, rip. Temporaries need not.
 *  2. A fact about a slot holds until the slot is written, a label is bound, or a call may have written it.
 */

import { ENV } from "../env.ts";
import { CONST_BASE, HELPER_ANYTHING, HELPER_READS_FLAGS, type IrBuilder, NONE, type Value } from "./builder.ts";
import { fold } from "./fold.ts";
import { OP, OP_ROWS } from "./ops.ts";

const SLOTS = 2048;
/** Temporaries from here on; everything below is architectural. */
const FIRST_TEMP = ENV.temps >> 3;
const FIRST_VTEMP = ENV.vtemps >> 3;
const LOOK_BACK = 8;

// What the optimiser asks of an op, as flat tables.
const KIND = OP_ROWS.map(({ kind }) => kind);
const VECTOR = OP_ROWS.map(({ signature, size }) => signature?.startsWith("v") === true || size === 16);
/** The op's operands a and b are values. */
const READS_A = KIND.map((kind) => !["envLoad", "envStore", "label", "branch", "exit"].includes(kind));
const READS_B = KIND.map((kind) => !["envLoad", "label", "branch", "exit", "mov", "load"].includes(kind));
const WRITES = OP_ROWS.map(
  ({ kind, name }) => ["pure", "mov", "select", "lea", "load", "envLoad"].includes(kind) || name === "call",
);
const MAY_FAULT = KIND.map((kind) => kind === "load" || kind === "store" || kind === "call");
const CONTROL = KIND.map((kind) => ["label", "branch", "condBranch", "exit"].includes(kind));
/** Result has zeros above bit 31. */
const ZERO_HIGH = OP_ROWS.map(
  ({ name, kind, signature }) =>
    (kind === "pure" && signature?.startsWith("i=") === true) ||
    ["ext32u", "lea32", "ld8u", "ld16u", "ld32u", "envld8u", "envld16u", "envld32u"].includes(name),
);
/** What the helpers that compute flags read. */
const FLAG_SLOTS = [ENV.ccOp, ENV.ccDst, ENV.ccSrc, ENV.ccSrc2].map((offset) => offset >> 3);
const REMOVED = -1;

export class Optimizer {
  /** Slot versions: a fact names the version it holds for. */
  readonly #version = new Uint32Array(SLOTS);
  readonly #copy = new Int32Array(SLOTS);
  readonly #copyVersion = new Uint32Array(SLOTS);
  readonly #factVersion = new Uint32Array(SLOTS);
  readonly #zeroHigh = new Uint32Array(SLOTS);
  readonly #live = new Uint8Array(SLOTS);
  readonly #labelLive: (Uint8Array | undefined)[] = [];
  readonly #keep = new Int8Array(8192);
  #clock = 1;

  run(ir: IrBuilder): void {
    this.#forward(ir);
    this.#backward(ir);
    this.#compact(ir);
    if (this.#coalesce(ir)) this.#compact(ir);
  }

  // ---- forward: constants and copies

  #forget(): void {
    this.#clock++;
    for (let slot = 0; slot < SLOTS; slot++) this.#version[slot] = this.#clock;
  }

  #written(slot: number): void {
    this.#version[slot] = ++this.#clock;
  }

  /** What a value is known to equal, itself if nothing better. */
  #resolve(value: Value): Value {
    if (value < 0 || value >= CONST_BASE) return value;
    const slot = value >> 3;
    if (this.#factVersion[slot] !== this.#version[slot]) return value;
    const source = this.#copy[slot];
    if (source >= CONST_BASE) return source;
    return this.#version[source >> 3] === this.#copyVersion[slot] ? source : value;
  }

  #learnCopy(d: Value, source: Value): void {
    const slot = d >> 3;
    this.#copy[slot] = source;
    this.#factVersion[slot] = this.#version[slot];
    if (source < CONST_BASE) this.#copyVersion[slot] = this.#version[source >> 3];
  }

  #isZeroHigh(ir: IrBuilder, value: Value): boolean {
    if (value >= CONST_BASE) return ir.constHigh[value - CONST_BASE] === 0;
    return this.#zeroHigh[value >> 3] === this.#version[value >> 3];
  }

  #forward(ir: IrBuilder): void {
    this.#forget();
    const { op, d, a, b, c, e } = ir;
    for (let i = 0; i < ir.count; i++) {
      let code = op[i];
      const kind = KIND[code];
      if (!VECTOR[code]) {
        if (READS_A[code]) a[i] = this.#resolve(a[i]);
        if (READS_B[code]) b[i] = this.#resolve(b[i]);
        if (kind === "select") {
          c[i] = this.#resolve(c[i]);
          e[i] = this.#resolve(e[i]);
        }
      } else if (kind === "load") a[i] = this.#resolve(a[i]);
      else if (kind === "store") a[i] = this.#resolve(a[i]);

      if (kind === "pure" && !VECTOR[code]) code = this.#simplify(ir, i);
      if (kind === "lea") code = this.#simplifyLea(ir, i);
      if (kind === "label") {
        this.#forget();
        continue;
      }
      if (!WRITES[code]) {
        if (KIND[code] === "call") this.#forget();
        continue;
      }
      if (KIND[code] === "call" && ir.helperEffects[c[i]] === HELPER_ANYTHING) this.#forget();
      const target = d[i];
      const slot = target >> 3;
      if (VECTOR[code]) {
        this.#written(slot);
        this.#written(slot + 1);
        continue;
      }
      const zeroHigh = KIND[code] === "mov" ? this.#isZeroHigh(ir, a[i]) : ZERO_HIGH[code];
      this.#written(slot);
      if (zeroHigh) this.#zeroHigh[slot] = this.#version[slot];
      if (KIND[code] === "mov") this.#learnMov(target, a[i]);
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
    if (code === OP.ext32u && this.#isZeroHigh(ir, left)) return this.#toMov(ir, i, left);
    if (left === right && (code === OP.xor32 || code === OP.xor64 || code === OP.sub32 || code === OP.sub64)) {
      return this.#toMov(ir, i, ir.const(0));
    }
    if (left === right && (code === OP.and64 || code === OP.or64)) return this.#toMov(ir, i, left);
    if (left === right && (code === OP.and32 || code === OP.or32)) {
      op[i] = OP.ext32u;
      b[i] = NONE;
      return this.#isZeroHigh(ir, left) ? this.#toMov(ir, i, left) : OP.ext32u;
    }
    if (constA && !constB && COMMUTATIVE.has(code)) {
      a[i] = right;
      b[i] = left;
    }
    return code;
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

  #use(value: Value, vector: boolean): void {
    if (value < 0 || value >= CONST_BASE) return;
    this.#live[value >> 3] = 1;
    if (vector) this.#live[(value >> 3) + 1] = 1;
  }

  #allLive(): void {
    this.#live.fill(1, 0, FIRST_TEMP);
  }

  /** Helpers reach vector temporaries and scratch by offset. */
  #allVisibleLive(): void {
    this.#allLive();
    this.#live.fill(1, FIRST_VTEMP);
  }

  #backward(ir: IrBuilder): void {
    const live = this.#live;
    const { op, d, a, b, c, e } = ir;
    live.fill(0);
    this.#labelLive.length = 0;
    for (let i = ir.count - 1; i >= 0; i--) {
      const code = op[i];
      const kind = KIND[code];
      this.#keep[i] = 1;
      switch (kind) {
        case "exit":
          live.fill(0);
          this.#allLive();
          continue;
        case "label":
          this.#labelLive[c[i]] = live.slice();
          continue;
        case "branch":
          this.#enter(c[i], false);
          continue;
        case "condBranch":
          this.#enter(c[i], true);
          this.#use(a[i], false);
          this.#use(b[i], false);
          continue;
      }
      const vector = VECTOR[code];
      const effects = code === OP.call ? ir.helperEffects[c[i]] : HELPER_ANYTHING;
      if (WRITES[code]) {
        const slot = d[i] >> 3;
        const wanted = live[slot] === 1 || (vector && live[slot + 1] === 1);
        if (!wanted && (!MAY_FAULT[code] || effects !== HELPER_ANYTHING)) {
          this.#keep[i] = 0;
          continue;
        }
        if (kind === "mov" && a[i] === d[i]) {
          this.#keep[i] = 0;
          continue;
        }
        live[slot] = 0;
        if (vector) live[slot + 1] = 0;
      }
      if (effects === HELPER_READS_FLAGS) for (const slot of FLAG_SLOTS) live[slot] = 1;
      else if (effects === HELPER_ANYTHING && kind === "call") this.#allVisibleLive();
      else if (effects === HELPER_ANYTHING && MAY_FAULT[code]) this.#allLive();
      if (READS_A[code]) this.#use(a[i], vector && kind !== "load" && kind !== "store");
      if (READS_B[code]) this.#use(b[i], vector);
      if (kind === "select") {
        this.#use(c[i], false);
        this.#use(e[i], false);
      }
      if (kind === "envLoad") this.#use(a[i] & ~7, false);
    }
  }

  /** Merges what is live at a label; a label not seen yet (backward branch) makes everything live. */
  #enter(label: number, merge: boolean): void {
    const at = this.#labelLive[label];
    const live = this.#live;
    if (!at) live.fill(1);
    else if (!merge) live.set(at);
    else for (let slot = 0; slot < SLOTS; slot++) live[slot] |= at[slot];
  }

  /** Closes the gaps; keeps the instruction table in step. */
  #compact(ir: IrBuilder): void {
    const { op, d, a, b, c, e } = ir;
    let to = 0;
    let insn = 0;
    for (let i = 0; i < ir.count; i++) {
      while (insn < ir.insnOp.length && ir.insnOp[insn] === i) ir.insnOp[insn++] = to;
      if (this.#keep[i] !== 1) continue;
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
    while (insn < ir.insnOp.length) ir.insnOp[insn++] = to;
    ir.count = to;
  }

  // ---- results straight into registers

  /** `t = op; ...; r = t` becomes `r = op` when nothing between looks at r or can fault. */
  #coalesce(ir: IrBuilder): boolean {
    const { op, d, a } = ir;
    let changed = false;
    this.#keep.fill(1, 0, ir.count);
    for (let i = 1; i < ir.count; i++) {
      const isMov = op[i] === OP.mov;
      if (!isMov && op[i] !== OP.ext32u) continue;
      const from = a[i];
      const to = d[i];
      if (from >= CONST_BASE || to >> 3 >= FIRST_TEMP || rank(from) >= rank(to)) continue;
      const definition = this.#definition(ir, i, from, to);
      if (definition < 0 || (!isMov && !ZERO_HIGH[op[definition]])) continue;
      if (this.#usedLater(ir, i, from)) continue;
      d[definition] = to;
      for (let k = definition + 1; k < i; k++) this.#rename(ir, k, from, to);
      this.#keep[i] = 0;
      changed = true;
    }
    return changed;
  }

  /** The op before `i` that defines `from`, if `to` may take its place from there on. */
  #definition(ir: IrBuilder, i: number, from: Value, to: Value): number {
    const { op, d } = ir;
    for (let k = i - 1; k >= 0 && k >= i - LOOK_BACK; k--) {
      if (this.#keep[k] !== 1) continue;
      const code = op[k];
      const kind = KIND[code];
      if (CONTROL[code]) return REMOVED;
      if (WRITES[code] && d[k] === from) return VECTOR[code] || kind === "call" ? REMOVED : k;
      if (MAY_FAULT[code] || VECTOR[code]) return REMOVED;
      if ((WRITES[code] && d[k] === to) || this.#reads(ir, k, to) || kind === "envStore" || kind === "envLoad")
        return REMOVED;
    }
    return REMOVED;
  }

  #reads(ir: IrBuilder, k: number, value: Value): boolean {
    const code = ir.op[k];
    if (READS_A[code] && ir.a[k] === value) return true;
    if (READS_B[code] && ir.b[k] === value) return true;
    return KIND[code] === "select" && (ir.c[k] === value || ir.e[k] === value);
  }

  #rename(ir: IrBuilder, k: number, from: Value, to: Value): void {
    const code = ir.op[k];
    if (READS_A[code] && ir.a[k] === from) ir.a[k] = to;
    if (READS_B[code] && ir.b[k] === from) ir.b[k] = to;
    if (KIND[code] === "select") {
      if (ir.c[k] === from) ir.c[k] = to;
      if (ir.e[k] === from) ir.e[k] = to;
    }
  }

  /** Whether the slot's value is wanted after `i`: read before it is written again, or part of the guest's state. */
  #usedLater(ir: IrBuilder, i: number, value: Value): boolean {
    const architectural = value >> 3 < FIRST_TEMP;
    for (let k = i + 1; k < ir.count; k++) {
      if (this.#keep[k] !== 1) continue;
      const code = ir.op[k];
      if (this.#reads(ir, k, value)) return true;
      if (architectural && (MAY_FAULT[code] || CONTROL[code])) return true;
      if (WRITES[code] && ir.d[k] === value) return false;
      if (KIND[code] === "exit") return this.#readInRest(ir, k, value);
    }
    return false;
  }

  #readInRest(ir: IrBuilder, from: number, value: Value): boolean {
    for (let k = from + 1; k < ir.count; k++) if (this.#reads(ir, k, value)) return true;
    return false;
  }
}

/** How long a slot's value is likely to stay: temporaries least, registers most. */
function rank(value: Value): number {
  if (value >> 3 >= FIRST_TEMP) return 0;
  return value >= ENV.ccOp && value <= ENV.ccSrc2 ? 1 : 2;
}

const COMMUTATIVE = new Set([
  OP.add32,
  OP.add64,
  OP.mul32,
  OP.mul64,
  OP.and32,
  OP.and64,
  OP.or32,
  OP.or64,
  OP.xor32,
  OP.xor64,
]);
