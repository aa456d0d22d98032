/** Writes the optimised IR of a block as interpreter instructions into the code area of the shared memory. */

import { CC_DYNAMIC, ENV } from "../env.ts";
import { CONST_BASE, type IrBuilder, NONE, type Value } from "../ir/builder.ts";
import { OP, OP_ROWS } from "../ir/ops.ts";
import { destination } from "../jit/region.ts";
import { type Form, HISTORY, interpOpcode } from "./opcodes.ts";

/** Slots for constants where an instruction has no immediate form. */
const CONST_SLOTS = [250, 251, 252, 253].map((index) => ENV.temps + index * 8);
const MOV_IMMEDIATE = interpOpcode("mov", "immediate");

/** Opcode of the instruction that runs a compiled region. */
export const REGION_OPCODE = interpOpcode("region", "slots");
const LOOKUP_WITH_HISTORY = interpOpcode("exit_lookup", "history");

const SLOT_FORM = OP_ROWS.map(({ kind, name }) =>
  kind === "label" || kind === "lea" ? -1 : interpOpcode(name, "slots"),
);
const IMMEDIATE_FORM = OP_ROWS.map(({ kind, name, signature }) =>
  (kind === "pure" || kind === "condBranch") && /^[il]=(ii|ll)$/.test(signature ?? "")
    ? interpOpcode(name, "immediate")
    : -1,
);
const ADDRESS_FORMS = new Map<string, number>();
for (const { kind, name } of OP_ROWS) {
  for (const form of ["base", "index", "baseIndex"] as const) {
    if (kind === "lea") ADDRESS_FORMS.set(`${name}/${form}`, interpOpcode(name, form));
    if (kind !== "load" && kind !== "store") continue;
    for (const bits of [32, 64] as const) ADDRESS_FORMS.set(`${name}/${form}/${bits}`, interpOpcode(name, form, bits));
  }
}

export class Lowerer {
  /** How often a direct exit is taken until its target counts as hot. */
  hotCount = 0;
  /** Where the block lowered last notes the targets of its computed exit; 0 without one. */
  historyAt = 0;
  readonly #u16: Uint16Array;
  readonly #i32: Int32Array;
  readonly #labelAt: number[] = [];
  readonly #fixups: { at: number; label: number }[] = [];
  #at = 0;
  #constSlot = 0;

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
    this.#labelAt.length = 0;
    this.#fixups.length = 0;
    opAddress.length = 0;
    for (let i = 0; i < ir.count; i++) {
      this.#constSlot = 0;
      const start = this.#at;
      opAddress.push(start);
      if (this.#fusedLoad(ir, i)) {
        opAddress.push(start);
        i++;
      } else this.#lowerOp(ir, i, insns);
    }
    opAddress.push(this.#at);
    for (const { at, label } of this.#fixups) this.#u16[(at >> 1) + 1] = (this.#labelAt[label] - at) >> 3;
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
    const at = this.#at >>> 1;
    this.#u16[at] = op;
    this.#u16[at + 1] = d;
    this.#u16[at + 2] = a;
    this.#u16[at + 3] = b;
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

  /** An address computation followed by the only access that uses it becomes one instruction. */
  #fusedLoad(ir: IrBuilder, i: number): boolean {
    const { op, d, a, b, c, e } = ir;
    const next = i + 1;
    if ((op[i] !== OP.lea32 && op[i] !== OP.lea64) || next >= ir.count) return false;
    const { kind, name } = OP_ROWS[op[next]];
    if ((kind !== "load" && kind !== "store") || a[next] !== d[i] || d[i] < ENV.temps) return false;
    if (kind === "store" && b[next] === d[i]) return false;
    for (let k = next + 1; k < ir.count; k++) {
      if (a[k] === d[i] || b[k] === d[i] || c[k] === d[i] || e[k] === d[i]) return false;
      if (d[k] === d[i]) break;
    }
    if (a[i] >= CONST_BASE || b[i] >= CONST_BASE) return false;
    const form: Form = a[i] === NONE ? "index" : b[i] === NONE ? "base" : "baseIndex";
    const opcode = ADDRESS_FORMS.get(`${name}/${form}/${op[i] === OP.lea32 ? 32 : 64}`)!;
    const value = kind === "store" ? this.#slot(ir, b[next]) : d[next];
    this.#word(opcode, value, Math.max(a[i], 0), Math.max(b[i], 0));
    this.#pair(e[i], Math.max(c[i], 0));
    return true;
  }

  #lowerOp(ir: IrBuilder, i: number, insns: number): void {
    const op = ir.op[i];
    const row = OP_ROWS[op];
    const d = ir.d[i];
    const a = ir.a[i];
    const b = ir.b[i];
    switch (row.kind) {
      case "label":
        this.#labelAt[ir.c[i]] = this.#at;
        return;
      case "mov":
        if (a >= CONST_BASE) {
          this.#word(MOV_IMMEDIATE, d, 0, 0);
          this.#pair(ir.constLow[a - CONST_BASE], ir.constHigh[a - CONST_BASE]);
        } else this.#word(SLOT_FORM[op], d, a, 0);
        return;
      case "pure":
      case "condBranch": {
        const left = this.#slot(ir, a);
        const immediate = b >= CONST_BASE && IMMEDIATE_FORM[op] >= 0;
        const right = immediate ? 0 : this.#slot(ir, b);
        if (row.kind === "condBranch") this.#fixups.push({ at: this.#at, label: ir.c[i] });
        this.#word(immediate ? IMMEDIATE_FORM[op] : SLOT_FORM[op], row.kind === "pure" ? d : 0, left, right);
        if (immediate) this.#pair(ir.constLow[b - CONST_BASE], ir.constHigh[b - CONST_BASE]);
        return;
      }
      case "branch":
        this.#fixups.push({ at: this.#at, label: ir.c[i] });
        this.#word(SLOT_FORM[op], 0, 0, 0);
        return;
      case "select": {
        const [left, right, x, y] = [a, b, ir.c[i], ir.e[i]].map((value) => this.#slot(ir, value));
        this.#word(SLOT_FORM[op], d, left, right);
        this.#pair(x | (y << 16), 0);
        return;
      }
      case "lea": {
        const base = a === NONE ? NONE : this.#slot(ir, a);
        const index = b === NONE ? NONE : this.#slot(ir, b);
        const form: Form = base === NONE ? "index" : index === NONE ? "base" : "baseIndex";
        this.#word(ADDRESS_FORMS.get(`${row.name}/${form}`)!, d, Math.max(base, 0), Math.max(index, 0));
        this.#pair(ir.e[i], Math.max(ir.c[i], 0));
        return;
      }
      case "load":
        this.#word(SLOT_FORM[op], d, this.#slot(ir, a), 0);
        return;
      case "store": {
        const address = this.#slot(ir, a);
        this.#word(SLOT_FORM[op], this.#slot(ir, b), address, 0);
        return;
      }
      case "envLoad":
        this.#word(SLOT_FORM[op], d, a, 0);
        return;
      case "envStore":
        this.#word(SLOT_FORM[op], 0, a, this.#slot(ir, b));
        return;
      case "call": {
        const left = this.#slot(ir, a);
        const right = this.#slot(ir, b);
        this.#word(SLOT_FORM[op], Math.max(d, 0), left, right);
        this.#pair(ir.c[i], ir.e[i]);
        return;
      }
      case "exit":
        if (op === OP.exit_chain) {
          this.#word(SLOT_FORM[op], insns, 0, 0);
          this.#pair(0, this.hotCount);
        } else if (op === OP.exit_lookup && this.historyAt === 0 && destination(ir, i, 0) === "computed") {
          this.#word(LOOKUP_WITH_HISTORY, insns, 0, 0);
          this.historyAt = this.#at;
          for (let entry = 0; entry < HISTORY; entry++) this.#pair(0, 0);
        } else this.#word(SLOT_FORM[op], insns, 0, 0);
    }
  }
}
