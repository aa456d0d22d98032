/** Writes the optimised IR of a block as interpreter instructions into the code area of the shared memory. */

import { CC_DYNAMIC, ENV } from "../env.ts";
import { CONST_BASE, type IrBuilder, NONE, type Value } from "../ir/builder.ts";
import { OP, OP_ROWS, type OpKind } from "../ir/ops.ts";
import { destination } from "../jit/region.ts";
import { type Form, HISTORY, interpOpcode } from "./opcodes.ts";

/** Slots for constants where an instruction has no immediate form. */
const CONST_SLOTS = [250, 251, 252, 253].map((index) => ENV.temps + index * 8);
const MOV_IMMEDIATE = interpOpcode("mov", "immediate");

/** Comes after all ops. */
const NEVER = 2 ** 30;

/** Opcode of the instruction that runs a compiled region. */
export const REGION_OPCODE = interpOpcode("region", "slots");
const LOOKUP_WITH_HISTORY = interpOpcode("exit_lookup", "history");
const MOV_AND_FLAGS = interpOpcode("mov", "slotsFlags");

// Kinds of ops as numbers.
const LABEL = 0;
const MOV = 1;
const PURE = 2;
const CONDITIONAL = 3;
const BRANCH = 4;
const SELECT = 5;
const LEA = 6;
const LOAD = 7;
const STORE = 8;
const ENV_LOAD = 9;
const ENV_STORE = 10;
const CALL = 11;
const EXIT = 12;
const KINDS: Readonly<Partial<Record<OpKind, number>>> = {
  label: LABEL,
  mov: MOV,
  pure: PURE,
  condBranch: CONDITIONAL,
  branch: BRANCH,
  select: SELECT,
  lea: LEA,
  load: LOAD,
  store: STORE,
  envLoad: ENV_LOAD,
  envStore: ENV_STORE,
  call: CALL,
  exit: EXIT,
};

// By op: its kind, and the interpreter's opcodes for it (-1 where there is none).
const KIND = Int8Array.from(OP_ROWS, ({ kind }) => KINDS[kind]!);
const SLOT_FORM = Int16Array.from(OP_ROWS, ({ kind, name }) =>
  kind === "label" || kind === "lea" ? -1 : interpOpcode(name, "slots"),
);
const IMMEDIATE_FORM = Int16Array.from(OP_ROWS, ({ kind, name, signature }) =>
  (kind === "pure" || kind === "condBranch") && /^[il]=(ii|ll)$/.test(signature ?? "")
    ? interpOpcode(name, "immediate")
    : -1,
);
const FLAGS_FORM = Int16Array.from(OP_ROWS, ({ kind, name }, op) =>
  kind === "pure" && IMMEDIATE_FORM[op] >= 0 ? interpOpcode(name, "immediateFlags") : -1,
);
const OPERAND_FORM = Int16Array.from(OP_ROWS, ({ kind, name }, op) =>
  kind === "pure" && IMMEDIATE_FORM[op] >= 0 && /^(add|sub)/.test(name) ? interpOpcode(name, "immediateOperand") : -1,
);
const { lea64: LEA64, mov: OP_MOV, exit_chain: EXIT_CHAIN } = OP;
/** Exits that a jump may be part of, by the width of the op that computes the target. */
const JUMP64 = exitForms("jump64");
const JUMP32 = exitForms("jump32");
/** Pushes and pops, by the width of the op that computes the address. */
const PUSH64 = { access: OP.st64, form: interpOpcode("st64", "update", 64) };
const PUSH32 = { access: OP.st32, form: interpOpcode("st32", "update", 32) };
const POP64 = { access: OP.ld64, form: interpOpcode("ld64", "advance", 64) };
const POP32 = { access: OP.ld32u, form: interpOpcode("ld32u", "advance", 32) };

function exitForms(form: Form): Int16Array {
  const fitting = ["exit_chain", "exit_lookup"];
  return Int16Array.from(OP_ROWS, ({ name }) => (fitting.includes(name) ? interpOpcode(name, form) : -1));
}

const BASE = 0;
const INDEX = 1;
const BASE_INDEX = 2;
const FORMS = ["base", "index", "baseIndex"] as const;
/** By op times 8, plus BASE, INDEX or BASE_INDEX, plus 4 for loads and stores at 64-bit addresses. */
const ADDRESS_FORMS = new Int16Array(OP_ROWS.length * 8).fill(-1);
OP_ROWS.forEach(({ kind, name }, op) => {
  FORMS.forEach((form, at) => {
    if (kind === "lea") ADDRESS_FORMS[op * 8 + at] = interpOpcode(name, form);
    if (kind !== "load" && kind !== "store") return;
    ADDRESS_FORMS[op * 8 + at] = interpOpcode(name, form, 32);
    ADDRESS_FORMS[op * 8 + 4 + at] = interpOpcode(name, form, 64);
  });
});

export class Lowerer {
  /** How often a direct exit is taken until its target counts as hot. */
  hotCount = 0;
  /** Where the block lowered last notes the targets of its computed exit; 0 without one. */
  historyAt = 0;
  readonly #u16: Uint16Array;
  readonly #i32: Int32Array;
  readonly #labelAt: number[] = [];
  /** Branches whose distance is still missing: their addresses and labels. */
  readonly #fixupAt: number[] = [];
  readonly #fixupLabel: number[] = [];
  #fixups = 0;
  #at = 0;
  #constSlot = 0;
  /** The guest instruction that begins next and its first op, and whether the present one has stored something so far. */
  #insn = 0;
  #nextBegins = 0;
  #stored = false;

  constructor(buffer: SharedArrayBuffer) {
    this.#u16 = new Uint16Array(buffer, 0, buffer.byteLength >>> 1);
    this.#i32 = new Int32Array(buffer, 0, buffer.byteLength >>> 2);
  }

  /**
   * Lowers to `address` (8-byte aligned). `opAddress[i]` becomes the address of the first instruction of IR op i, and
   * one more entry the end; `insns` is the number of guest instructions, which exits take off the budget. Returns the
   * number of bytes.
   */
  lower(ir: IrBuilder, address: number, opAddress: number[], insns: number): number {
    this.#at = address;
    this.historyAt = 0;
    this.#fixups = 0;
    this.#insn = 0;
    this.#nextBegins = ir.insns > 0 ? ir.insnOp[0] : NEVER;
    const { count } = ir;
    for (let i = 0; i < count; ) {
      this.#constSlot = 0;
      const start = this.#at;
      this.#pass(ir, i);
      let merged = this.#fuse(ir, i, insns);
      if (merged === 0) this.#lowerOp(ir, i, insns);
      opAddress[i++] = start;
      for (; merged > 0; merged--) {
        this.#pass(ir, i);
        opAddress[i++] = start;
      }
    }
    opAddress[count] = this.#at;
    for (let i = 0; i < this.#fixups; i++) {
      const at = this.#fixupAt[i];
      this.#u16[(at >> 1) + 1] = (this.#labelAt[this.#fixupLabel[i]] - at) >> 3;
    }
    return this.#at - address;
  }

  /**
   * Overwrites the code at `address` so that it leaves the block: rip moves on by `offset`, and ccOp is stored unless
   * it is dynamic.
   */
  patchExit(address: number, offset: number, wide: boolean, ccOp: number): void {
    this.#at = address;
    this.#word(interpOpcode(wide ? "lea64" : "lea32", "base"), ENV.rip, ENV.rip, 0);
    this.#pair(offset, 0);
    if (ccOp !== CC_DYNAMIC) {
      this.#word(MOV_IMMEDIATE, ENV.ccOp, 0, 0);
      this.#pair(ccOp, 0);
    }
    this.#word(SLOT_FORM[OP.exit_main], 0, 0, 0);
  }

  /** Writes code at `address` that runs a compiled region; returns the number of bytes. */
  lowerRegion(address: number, place: number, id: number): number {
    this.#at = address;
    this.#word(REGION_OPCODE, 0, 0, 0);
    this.#pair(place, id);
    return this.#at - address;
  }

  /** Makes the exit instruction at `address` lead nowhere yet. */
  clearCell(address: number): void {
    this.#at = address + 8;
    this.#pair(0, this.hotCount);
  }

  /** Writes code at `address` that goes on with the block at env.rip; returns the number of bytes. */
  lowerLookup(address: number): number {
    this.#at = address;
    this.#word(SLOT_FORM[OP.exit_lookup], 0, 0, 0);
    return this.#at - address;
  }

  #word(op: number, d: number, a: number, b: number): void {
    const at = this.#at >>> 2;
    this.#i32[at] = op | (d << 16);
    this.#i32[at + 1] = a | (b << 16);
    this.#at += 8;
  }

  #pair(low: number, high: number): void {
    const at = this.#at >>> 2;
    this.#i32[at] = low;
    this.#i32[at + 1] = high;
    this.#at += 8;
  }

  /** The slot of a value; constants are put into one first. */
  #slot(ir: IrBuilder, value: Value): number {
    if (value === NONE) return 0;
    if (value < CONST_BASE) return value;
    const slot = CONST_SLOTS[this.#constSlot++];
    this.#word(MOV_IMMEDIATE, slot, 0, 0);
    this.#pair(ir.constLow[value - CONST_BASE], ir.constHigh[value - CONST_BASE]);
    return slot;
  }

  /** The branch that comes next leads to `label`. */
  #fixup(label: number): void {
    const index = this.#fixups++;
    this.#fixupAt[index] = this.#at;
    this.#fixupLabel[index] = label;
  }

  /** Keeps up with guest instructions: op `i` is lowered. */
  #pass({ op, insns, insnOp }: IrBuilder, i: number): void {
    while (i >= this.#nextBegins) {
      this.#nextBegins = ++this.#insn < insns ? insnOp[this.#insn] : NEVER;
      this.#stored = false;
    }
    const kind = KIND[op[i]];
    if (kind === STORE || kind === CALL) this.#stored = true;
  }

  /** Whether op `i`, which comes soon, begins a guest instruction. */
  #begins({ insns, insnOp }: IrBuilder, i: number): boolean {
    if (i <= this.#nextBegins) return i === this.#nextBegins;
    let insn = this.#insn;
    while (insn < insns && insnOp[insn] < i) insn++;
    return insn < insns && insnOp[insn] === i;
  }

  /**
   * Whether op `i`, which comes next, may be part of the same instruction as the one before. Where the guest instruction
   * before may have changed the block's own code, the next one needs an address of its own to leave at.
   */
  #joins(ir: IrBuilder, i: number): boolean {
    return i < ir.count && !(this.#stored && this.#begins(ir, i));
  }

  /** Makes one instruction of op `i` and some that follow it; returns how many those are. */
  #fuse(ir: IrBuilder, i: number, insns: number): number {
    switch (KIND[ir.op[i]]) {
      case LEA:
        if (this.#fuseJump(ir, i, insns)) return 1;
        if (this.#fusePush(ir, i)) return 2;
        return this.#fuseAccess(ir, i) ? 1 : 0;
      case LOAD:
        return this.#fusePop(ir, i) ? 1 : 0;
      case MOV:
        return this.#fuseMov(ir, i) ? 1 : 0;
      case PURE:
        return this.#fuseFlags(ir, i);
      default:
        return 0;
    }
  }

  /** rip + displacement, and an exit. */
  #fuseJump(ir: IrBuilder, i: number, insns: number): boolean {
    const { op, d, a, b, e } = ir;
    if (d[i] !== ENV.rip || a[i] !== ENV.rip || b[i] !== NONE || !this.#joins(ir, i + 1)) return false;
    const form = (op[i] === LEA64 ? JUMP64 : JUMP32)[op[i + 1]];
    if (form < 0) return false;
    this.#word(form, insns, e[i] & 0xffff, e[i] >>> 16);
    if (op[i + 1] === EXIT_CHAIN) this.#pair(0, this.hotCount);
    return true;
  }

  /** t = a + displacement; store at t; b = t. */
  #fusePush(ir: IrBuilder, i: number): boolean {
    const { op, d, a, b, e } = ir;
    const { access, form } = op[i] === LEA64 ? PUSH64 : PUSH32;
    const address = d[i];
    if (i + 2 >= ir.count || op[i + 1] !== access || a[i + 1] !== address || b[i + 1] === address) return false;
    if (op[i + 2] !== OP_MOV || a[i + 2] !== address || address < ENV.temps) return false;
    if (b[i] !== NONE || a[i] === NONE || a[i] >= CONST_BASE) return false;
    if (this.#begins(ir, i + 2) || usedFrom(ir, i + 3, address)) return false;
    this.#word(form, this.#slot(ir, b[i + 1]), a[i], d[i + 2]);
    this.#pair(e[i], 0);
    return true;
  }

  /** A load, and an addition to a slot, often that of its address. */
  #fusePop(ir: IrBuilder, i: number): boolean {
    const { op, d, a, b, e } = ir;
    if (i + 1 >= ir.count || KIND[op[i + 1]] !== LEA) return false;
    const { access, form } = op[i + 1] === LEA64 ? POP64 : POP32;
    if (op[i] !== access || a[i] >= CONST_BASE || this.#begins(ir, i + 1)) return false;
    if (b[i + 1] !== NONE || a[i + 1] !== d[i + 1] || d[i] === d[i + 1]) return false;
    this.#word(form, d[i], a[i], d[i + 1]);
    this.#pair(e[i + 1], 0);
    return true;
  }

  /** A copy and a constant for ccOp, in either order. */
  #fuseMov(ir: IrBuilder, i: number): boolean {
    if (ir.op[i] !== OP_MOV || ir.op[i + 1] !== OP_MOV || !this.#joins(ir, i + 1)) return false;
    const flags = isFlagsOp(ir, i + 1) ? i + 1 : isFlagsOp(ir, i) ? i : -1;
    const copy = flags === i ? i + 1 : i;
    const { d, a } = ir;
    if (flags < 0 || a[copy] >= CONST_BASE || a[copy] === ENV.ccOp || d[copy] === ENV.ccOp) return false;
    this.#word(MOV_AND_FLAGS, d[copy], a[copy], ir.constLow[a[flags] - CONST_BASE]);
    return true;
  }

  /** A computation with a constant, that constant as ccSrc if it is, and a constant for ccOp; returns how many follow. */
  #fuseFlags(ir: IrBuilder, i: number): number {
    const { op, d, a, b } = ir;
    if (FLAGS_FORM[op[i]] < 0 || b[i] < CONST_BASE || a[i] >= CONST_BASE || d[i] === ENV.ccOp) return 0;
    let flags = i + 1;
    if (!this.#joins(ir, flags)) return 0;
    if (OPERAND_FORM[op[i]] >= 0 && op[flags] === OP.mov && d[flags] === ENV.ccSrc && a[flags] === b[i]) flags++;
    if (!this.#joins(ir, flags) || !isFlagsOp(ir, flags)) return 0;
    const form = flags === i + 1 ? FLAGS_FORM : OPERAND_FORM;
    this.#word(form[op[i]], d[i], a[i], ir.constLow[a[flags] - CONST_BASE]);
    this.#pair(ir.constLow[b[i] - CONST_BASE], ir.constHigh[b[i] - CONST_BASE]);
    return flags - i;
  }

  /** An address computation followed by the only access that uses it. */
  #fuseAccess(ir: IrBuilder, i: number): boolean {
    const { op, d, a, b, c, e } = ir;
    const next = i + 1;
    if (next >= ir.count) return false;
    const kind = KIND[op[next]];
    const address = d[i];
    if ((kind !== LOAD && kind !== STORE) || a[next] !== address || address < ENV.temps) return false;
    if (kind === STORE && b[next] === address) return false;
    if (a[i] >= CONST_BASE || b[i] >= CONST_BASE) return false;
    if (!(kind === LOAD && d[next] === address) && usedFrom(ir, next + 1, address)) return false;
    const form = ADDRESS_FORMS[op[next] * 8 + (op[i] === OP.lea64 ? 4 : 0) + formOf(a[i], b[i])];
    const value = kind === STORE ? this.#slot(ir, b[next]) : d[next];
    this.#word(form, value, Math.max(a[i], 0), Math.max(b[i], 0));
    this.#pair(e[i], Math.max(c[i], 0));
    return true;
  }

  #lowerOp(ir: IrBuilder, i: number, insns: number): void {
    const op = ir.op[i];
    const form = SLOT_FORM[op];
    const d = ir.d[i];
    const a = ir.a[i];
    const b = ir.b[i];
    switch (KIND[op]) {
      case LABEL:
        this.#labelAt[ir.c[i]] = this.#at;
        return;
      case MOV:
        if (a >= CONST_BASE) {
          this.#word(MOV_IMMEDIATE, d, 0, 0);
          this.#pair(ir.constLow[a - CONST_BASE], ir.constHigh[a - CONST_BASE]);
        } else this.#word(form, d, a, 0);
        return;
      case PURE:
        this.#lowerPair(ir, i, d, this.#slot(ir, a));
        return;
      case CONDITIONAL:
        this.#lowerPair(ir, i, 0, this.#slot(ir, a));
        return;
      case BRANCH:
        this.#fixup(ir.c[i]);
        this.#word(form, 0, 0, 0);
        return;
      case SELECT: {
        const left = this.#slot(ir, a);
        const right = this.#slot(ir, b);
        const x = this.#slot(ir, ir.c[i]);
        const y = this.#slot(ir, ir.e[i]);
        this.#word(form, d, left, right);
        this.#pair(x | (y << 16), 0);
        return;
      }
      case LEA: {
        const base = a === NONE ? NONE : this.#slot(ir, a);
        const index = b === NONE ? NONE : this.#slot(ir, b);
        this.#word(ADDRESS_FORMS[op * 8 + formOf(base, index)], d, Math.max(base, 0), Math.max(index, 0));
        this.#pair(ir.e[i], Math.max(ir.c[i], 0));
        return;
      }
      case LOAD:
        this.#word(form, d, this.#slot(ir, a), 0);
        return;
      case STORE: {
        const address = this.#slot(ir, a);
        this.#word(form, this.#slot(ir, b), address, 0);
        return;
      }
      case ENV_LOAD:
        this.#word(form, d, a, 0);
        return;
      case ENV_STORE:
        this.#word(form, 0, a, this.#slot(ir, b));
        return;
      case CALL: {
        const left = this.#slot(ir, a);
        const right = this.#slot(ir, b);
        this.#word(form, Math.max(d, 0), left, right);
        this.#pair(ir.c[i], ir.e[i]);
        return;
      }
      case EXIT:
        if (op === OP.exit_chain) {
          this.#word(form, insns, 0, 0);
          this.#pair(0, this.hotCount);
        } else if (op === OP.exit_lookup && this.historyAt === 0 && destination(ir, i, 0) === "computed") {
          this.#word(LOOKUP_WITH_HISTORY, insns, 0, 0);
          this.historyAt = this.#at;
          for (let entry = 0; entry < HISTORY; entry++) this.#pair(0, 0);
        } else this.#word(form, insns, 0, 0);
    }
  }

  /** A computation or conditional branch with `left` as its first operand. */
  #lowerPair(ir: IrBuilder, i: number, d: number, left: number): void {
    const op = ir.op[i];
    const b = ir.b[i];
    const immediate = b >= CONST_BASE && IMMEDIATE_FORM[op] >= 0;
    const right = immediate ? 0 : this.#slot(ir, b);
    if (KIND[op] === CONDITIONAL) this.#fixup(ir.c[i]);
    this.#word(immediate ? IMMEDIATE_FORM[op] : SLOT_FORM[op], d, left, right);
    if (immediate) this.#pair(ir.constLow[b - CONST_BASE], ir.constHigh[b - CONST_BASE]);
  }
}

/** Whether op `i` gives ccOp a constant. */
function isFlagsOp(ir: IrBuilder, i: number): boolean {
  return ir.op[i] === OP.mov && ir.d[i] === ENV.ccOp && ir.a[i] >= CONST_BASE;
}

/** Whether an op from `from` on uses a temporary before one writes it. */
function usedFrom({ a, b, c, d, e, count }: IrBuilder, from: number, slot: Value): boolean {
  for (let k = from; k < count; k++) {
    if (a[k] === slot || b[k] === slot || c[k] === slot || e[k] === slot) return true;
    if (d[k] === slot) return false;
  }
  return false;
}

/** BASE, INDEX or BASE_INDEX. */
function formOf(base: Value, index: Value): number {
  return base === NONE ? INDEX : index === NONE ? BASE : BASE_INDEX;
}
