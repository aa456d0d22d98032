/**
 * Compiles a region into the source of one JavaScript function, `() -> what next`, as wasm/region.ts does into wasm. The
 * result is the address of interpreter code to go on with, or one of the EXIT_* numbers of interp/generate.ts.
 *
 * A 64-bit value is two int32 variables, its low half in a name of lower case and its high half in upper case: r0..r15
 * the registers, c0..c3 the flag operands, t0.. temporaries, g rip at the entry, n the address that IR computes. Vectors
 * and other slots stay in env. `I` views the memory as int32, `V` at any alignment; `follow` gives the result of a linked
 * exit; other functions are those of arithmetic.ts and adapters.ts.
 *
 * Invariants:
 *  1. The variables are the truth inside the function. They are written to env before a helper that may look at them or
 *     raise an exception, and at every way out.
 *  2. An index into the memory is that of env plus a constant, or comes out of a TLB entry.
 *  3. Every loop tests the budget, which also sees exitRequest.
 */

import { CC_DYNAMIC, ENV, HF_CS64, segBaseOffset, TLB_ENTRIES, TLB_ENTRY_SIZE } from "../env.ts";
import { EXIT_FAULT, EXIT_MAIN } from "../interp/generate.ts";
import { CONST_BASE, type IrCode, NONE, type Value } from "../ir/builder.ts";
import { OP, OP_ROWS, type OpRow } from "../ir/ops.ts";
import { CELL_SIZE, type CompiledRegion } from "../jit/backend.ts";
import { analyse } from "../jit/graph.ts";
import { movesRip, type Node, type Region, successors, type Terminator } from "../jit/region.ts";
import { callsOut, slotsOf } from "../jit/slots.ts";
import { Structure, type StructureWriter } from "../jit/structure.ts";
import type { EnvPlace } from "./adapters.ts";
import { RESULT_HIGH } from "./adapters.ts";
import { neededBy, RegisterUse, slotBit, slotSet } from "./registers.ts";

const CS = 1;
// Of a TLB entry, in words.
const TAG_READ = 0;
const TAG_WRITE = 2;
const TAG_FETCH = 4;
const ADDEND = 6;
const TLB_MASK = (TLB_ENTRIES - 1) * TLB_ENTRY_SIZE;
/** Where 16-byte slow accesses pass their value, in env. */
const BOUNCE = ENV.scratch + 1008;
const KIND = OP_ROWS.map(({ kind }) => kind);
const WORDS = [0, 1, 2, 3];
/** Methods of DataView by size, and those that sign-extend. */
const METHOD: Readonly<Record<number, string>> = { 1: "Uint8", 2: "Uint16", 4: "Int32", 8: "Int32" };
const SIGNED_METHOD: Readonly<Record<number, string>> = { 1: "Int8", 2: "Int16", 4: "Int32" };

/** What a compiled region needs from outside. */
export interface JsImports {
  readonly env: EnvPlace;
  /** Interpreter code that looks up the block at env.rip. */
  readonly lookup: number;
  helperName(number: number): string;
  /** Name of a function for a helper, called with two halves twice and the immediate; see adapters.ts. */
  helper(number: number, result: boolean): string;
  /** Name of a function for an op without JavaScript of its own. */
  op(row: OpRow): string;
}

export interface JsRegion extends CompiledRegion {
  /**
   * Body of a function that takes `F`, which has all names that the region needs, and `C`, the address of the region's
   * exits, and returns the region's function.
   */
  readonly source: string;
}

/** JavaScript for the two halves of a value. */
interface Pair {
  readonly low: string;
  readonly high: string;
}

class RegionCompiler implements StructureWriter {
  readonly #region: Region;
  readonly #imports: JsImports;
  readonly #code64: boolean;
  readonly #structure: Structure;
  readonly #use: RegisterUse;
  readonly #lines: string[] = [];
  readonly #variables = new Set<string>();
  readonly #functions = new Set<string>();
  readonly #points: number[] = [];
  /** Fault point by block and instruction, plus one. */
  readonly #pointOf: Int32Array[];
  #cells = 0;
  // The block and instruction being compiled, what is dirty there, the condition at hand.
  #block = 0;
  #insn = 0;
  #dirty = 0;
  #condition = "";

  constructor(region: Region, imports: JsImports) {
    this.#region = region;
    this.#imports = imports;
    this.#code64 = (region.hflags & HF_CS64) !== 0;
    const graph = analyse(region.nodes.map(({ end }) => successors(end)));
    this.#structure = new Structure(graph, this);
    this.#use = new RegisterUse(region, graph, (number) => imports.helperName(number));
    this.#pointOf = region.blocks.map(({ ir }) => new Int32Array(ir.insnOp.length));
  }

  compile(): JsRegion {
    this.#emit(`${this.#word(ENV.regionStale)} = 0; k = ${this.#word(ENV.budget)};`);
    this.#loadTlb();
    this.#emit(`g = ${this.#word(ENV.rip)}; G = ${this.#word(ENV.rip + 4)};`);
    this.#reload(this.#use.used);
    this.#emit("X: { F: {");
    this.#structure.write();
    this.#emit(`}\nz = ${EXIT_FAULT};\n}`);
    this.#store(this.#use.written);
    this.#emit(`${this.#word(ENV.budget)} = k;\nreturn z;`);
    const variables = [..."kwgGnNabexyuUz", ...this.#variables].map((name) => `${name} = 0`).join(", ");
    const { current } = this.#imports.env;
    const env = current === undefined ? "" : `const $e = I[${current >>> 2}], $w = $e >>> 2;\n`;
    const source = `"use strict";
const { ${["I", "V", "follow", "mulHigh", "ctz", "popcount", ...this.#functions].join(", ")} } = F;
return (function () {
${env}let ${variables};
${this.#lines.join("\n")}
});`;
    return { source, points: Int32Array.from(this.#points), cells: this.#cells };
  }

  #emit(line: string): void {
    this.#lines.push(line);
  }

  // ---- slots and variables

  /** The word of env at a byte offset. */
  #word(offset: number): string {
    const { fixed, current } = this.#imports.env;
    return current === undefined ? `I[${(fixed + offset) >>> 2}]` : `I[$w + ${offset >>> 2}]`;
  }

  /** The address of a byte of env. */
  #address(offset: number): string {
    const { fixed, current } = this.#imports.env;
    return current === undefined ? String(fixed + offset) : `$e + ${offset}`;
  }

  #ir(): IrCode {
    return this.#region.blocks[this.#block].ir;
  }

  /** The two names or places that hold a slot. */
  #place(slot: Value): Pair {
    if (slot === ENV.rip) return { low: "n", high: "N" };
    const bit = slotBit(slot);
    let name: string | undefined;
    if (bit >= 0) name = bit < 16 ? `r${bit}` : `c${bit - 16}`;
    else if (slot >= ENV.temps && slot < ENV.temps + 256 * 8) name = `t${(slot - ENV.temps) >> 3}`;
    if (name === undefined) return { low: this.#word(slot), high: this.#word(slot + 4) };
    const high = name.toUpperCase();
    this.#variables.add(name).add(high);
    return { low: name, high };
  }

  /** A value to read. */
  #value(value: Value): Pair {
    if (value === NONE) return { low: "0", high: "0" };
    if (value >= CONST_BASE) {
      const { constLow, constHigh } = this.#ir();
      return { low: literal(constLow[value - CONST_BASE]), high: literal(constHigh[value - CONST_BASE]) };
    }
    return value === ENV.rip ? this.#rip(this.#region.blocks[this.#block].delta) : this.#place(value);
  }

  /** The address `delta` bytes after the region's entry, cut to the mode's width. */
  #rip(delta: number): Pair {
    const high = this.#code64 ? "G" : "0";
    if (delta === 0) return { low: "g", high };
    const low = literal(delta);
    this.#emit(`u = g + ${low} | 0;`);
    if (this.#code64) this.#emit(`U = G + ${literal(delta >> 31)} + ${carry("u", low)} | 0;`);
    return { low: "u", high: this.#code64 ? "U" : "0" };
  }

  /** Writes a slot, the low half first: the high half must not depend on what that was. */
  #assign(slot: Value, { low, high }: Pair): void {
    const place = this.#place(slot);
    this.#emit(`${place.low} = ${low}; ${place.high} = ${high};`);
    this.#dirty |= slotSet(slot);
  }

  #store(set: number): void {
    for (const slot of slotsOf(set)) {
      const { low, high } = this.#place(slot);
      this.#emit(`${this.#word(slot)} = ${low}; ${this.#word(slot + 4)} = ${high};`);
    }
  }

  #reload(set: number): void {
    for (const slot of slotsOf(set)) {
      const { low, high } = this.#place(slot);
      this.#emit(`${low} = ${this.#word(slot)}; ${high} = ${this.#word(slot + 4)};`);
    }
  }

  #loadTlb(): void {
    this.#emit(`w = ${this.#word(ENV.tlb)};`);
  }

  // ---- ways out

  #exit(result: number): void {
    this.#emit(`z = ${result}; break X;`);
  }

  #storeRip({ low, high }: Pair): void {
    this.#emit(`${this.#word(ENV.rip)} = ${low}; ${this.#word(ENV.rip + 4)} = ${high};`);
  }

  /** The fault point of the present instruction. */
  #point(): number {
    const { delta, ir } = this.#region.blocks[this.#block];
    const points = this.#pointOf[this.#block];
    if (points[this.#insn] === 0) {
      points[this.#insn] = this.#points.push(delta + ir.insnOffset[this.#insn], ir.insnCcOp[this.#insn]) >> 1;
    }
    return points[this.#insn] - 1;
  }

  #faultCheck(): string {
    return `if (${this.#word(ENV.excVector)} >= 0) break F;`;
  }

  /** Leaves if the guest has overwritten code of this region. */
  #leaveIfStale(rip: () => Pair, ccOp: number): void {
    this.#emit(`if (${this.#word(ENV.regionStale)} !== 0) {`);
    this.#storeRip(rip());
    if (ccOp !== CC_DYNAMIC) this.#assign(ENV.ccOp, { low: String(ccOp), high: "0" });
    this.#exit(EXIT_MAIN);
    this.#emit("}");
  }

  // ---- control flow

  loop(header: number): void {
    this.#emit(`L${header}: for (;;) {`);
  }

  block(target: number): void {
    this.#emit(`B${target}: {`);
  }

  if(): void {
    this.#emit(`if (${this.#condition}) {`);
  }

  end(): void {
    this.#emit("}");
  }

  branch(to: number, back: boolean): void {
    this.#emit(back ? `continue L${to};` : `break B${to};`);
  }

  branchIf(to: number, back: boolean): void {
    this.if();
    this.branch(to, back);
    this.end();
  }

  node(n: number): void {
    const node = this.#region.nodes[n];
    const { delta } = this.#region.blocks[node.block];
    this.#block = node.block;
    this.#dirty = this.#use.dirty[n];
    if (node.starts) {
      if (this.#structure.isLoop(n)) {
        this.#emit(`if (k <= ${this.#word(ENV.exitRequest)}) {`);
        this.#storeRip(this.#rip(delta));
        this.#exit(EXIT_MAIN);
        this.#emit("}");
      }
      if (callsOut(this.#ir())) this.#storeRip(this.#rip(delta));
    }
    this.#ops(node);
    if (node.account > 0) this.#emit(`k = k - ${node.account} | 0;`);
    if (node.account > 0 && node.end.kind !== "leave" && this.#storesCode(this.#ir().insnOp.length - 1)) {
      this.#leaveIfStale(() => this.#destination(node.end), CC_DYNAMIC);
    }
    this.#terminate(n, node.end);
  }

  /** The address that a block's end leads to inside the region. */
  #destination(end: Terminator): Pair {
    if (end.kind !== "jump") return this.#place(ENV.rip);
    const { block, end: next } = this.#region.nodes[end.to];
    return this.#rip(next.kind === "page" ? next.delta : this.#region.blocks[block].delta);
  }

  #terminate(n: number, end: Terminator): void {
    switch (end.kind) {
      case "jump":
        this.#structure.goto(n, end.to);
        return;
      case "branch":
        this.#condition = this.#comparison(end.op);
        this.#structure.either(n, end.taken, end.next);
        return;
      case "match": {
        const { low, high } = this.#rip(end.delta);
        this.#condition = `n === ${low} && N === ${high}`;
        this.#structure.either(n, end.hit, end.miss);
        return;
      }
      case "page":
        this.#condition = this.#pageCondition(end.delta, end.phys);
        this.#structure.either(n, end.hit, end.miss);
        return;
      case "leave":
        this.#leave(end);
    }
  }

  #leave({ how, rip }: Terminator & { kind: "leave" }): void {
    if (rip === "computed") this.#storeRip(this.#place(ENV.rip));
    else if (rip !== "helper") this.#storeRip(this.#rip(rip));
    if (how === "main") this.#exit(EXIT_MAIN);
    else if (how === "lookup") this.#exit(this.#imports.lookup);
    else {
      this.#emit(`z = follow(C + ${CELL_SIZE * this.#cells++}); break X;`);
    }
  }

  /** Whether the page of the block at `delta` is mapped to where that block was compiled from. */
  #pageCondition(delta: number, phys: number): string {
    const { low, high } = this.#rip(delta);
    this.#emit(this.#code64 ? `a = ${low}; b = ${high};` : `a = ${low} + ${this.#word(segBaseOffset(CS))} | 0; b = 0;`);
    this.#emit(findEntry("a"));
    const tag = `I[e + ${TAG_FETCH}] === (a & -4096) && I[e + ${TAG_FETCH + 1}] === b`;
    return `${tag} && (a + I[e + ${ADDEND}] | 0) === ${phys | 0}`;
  }

  // ---- memory

  /** Finds the TLB entry; returns the address and whether the access may go straight to memory. */
  #probe(address: Value, size: number, tag: number): Pair & { readonly hit: string } {
    let { low, high } = this.#value(address);
    if (low.startsWith("I")) {
      this.#emit(`a = ${low}; b = ${high};`);
      [low, high] = ["a", "b"];
    }
    this.#emit(findEntry(low));
    const last = size > 1 ? `${low} + ${size - 1}` : low;
    return { low, high, hit: `I[e + ${tag}] === (${last} & -4096) && I[e + ${tag + 1}] === ${high}` };
  }

  #load(row: OpRow, d: Value, address: Value): void {
    const size = row.size!;
    const signed = row.name.endsWith("s64");
    const { low, high, hit } = this.#probe(address, size, TAG_READ);
    const place = (this.#point() << 5) | size;
    this.#emit(`if (${hit}) {\na = ${low} + I[e + ${ADDEND}] >>> 0;`);
    if (size === 16) {
      for (const i of WORDS) this.#emit(`${this.#word(d + i * 4)} = V.getInt32(a + ${i * 4}, true);`);
      this.#emit(`} else {\ncompiledLoad128(${low}, ${high}, ${place});\n${this.#faultCheck()}`);
      for (const i of WORDS) this.#emit(`${this.#word(d + i * 4)} = ${this.#word(BOUNCE + i * 4)};`);
      this.#emit("}");
      this.#functions.add("compiledLoad128");
      return;
    }
    this.#emit(`x = V.get${(signed ? SIGNED_METHOD : METHOD)[size]}(a, true);`);
    if (size === 8) this.#emit("y = V.getInt32(a + 4, true);");
    this.#emit(`} else {\nx = compiledLoad(${low}, ${high}, ${place});\n${this.#faultCheck()}`);
    if (size === 8) this.#emit(`y = ${this.#word(RESULT_HIGH)};`);
    else if (signed && size < 4) this.#emit(`x = x << ${32 - size * 8} >> ${32 - size * 8};`);
    this.#emit("}");
    this.#functions.add("compiledLoad");
    this.#assign(d, { low: "x", high: size === 8 ? "y" : signed ? "x >> 31" : "0" });
  }

  #storeOp({ size }: OpRow, address: Value, value: Value): void {
    const { low, high, hit } = this.#probe(address, size!, TAG_WRITE);
    const place = (this.#point() << 5) | size!;
    if (size === 16) {
      this.#emit(`if (${hit}) {\na = ${low} + I[e + ${ADDEND}] >>> 0;`);
      for (const i of WORDS) this.#emit(`V.setInt32(a + ${i * 4}, ${this.#word(value + i * 4)}, true);`);
      this.#emit("} else {");
      for (const i of WORDS) this.#emit(`${this.#word(BOUNCE + i * 4)} = ${this.#word(value + i * 4)};`);
      this.#emit(`compiledStore128(${low}, ${high}, ${place});\n${this.#faultCheck()}\n}`);
      this.#functions.add("compiledStore128");
      return;
    }
    const { low: valueLow, high: valueHigh } = this.#value(value);
    this.#emit(`if (${hit}) {\na = ${low} + I[e + ${ADDEND}] >>> 0;`);
    this.#emit(`V.set${METHOD[size!]}(a, ${valueLow}, true);`);
    if (size === 8) this.#emit(`V.setInt32(a + 4, ${valueHigh}, true);`);
    this.#emit(`} else {\ncompiledStore(${low}, ${high}, ${place}, ${valueLow}, ${valueHigh});`);
    this.#emit(`${this.#faultCheck()}\n}`);
    this.#functions.add("compiledStore");
  }

  // ---- ops

  /** Whether instruction `insn` of the present block calls a helper that may store to code. */
  #storesCode(insn: number): boolean {
    const ir = this.#ir();
    const end = insn + 1 < ir.insnOp.length ? ir.insnOp[insn + 1] : ir.count;
    for (let i = ir.insnOp[insn]; i < end; i++) {
      if (KIND[ir.op[i]] === "call" && this.#use.effect(ir, i).stores) return true;
    }
    return false;
  }

  #ops({ from, to }: Node): void {
    const ir = this.#ir();
    const { delta } = this.#region.blocks[this.#block];
    this.#insn = 0;
    while (this.#insn + 1 < ir.insnOp.length && ir.insnOp[this.#insn + 1] < from) this.#insn++;
    for (let i = from; i < to; i++) {
      while (this.#insn + 1 < ir.insnOp.length && ir.insnOp[this.#insn + 1] <= i) {
        const before = this.#insn++;
        if (!this.#storesCode(before)) continue;
        const next = delta + ir.insnOffset[this.#insn];
        this.#leaveIfStale(() => this.#rip(next), ir.insnCcOp[this.#insn]);
      }
      this.#op(ir, i);
    }
  }

  #op(ir: IrCode, i: number): void {
    const row = OP_ROWS[ir.op[i]];
    const d = ir.d[i];
    const a = ir.a[i];
    const b = ir.b[i];
    switch (row.kind) {
      case "mov":
        if (row.signature !== "v=v") this.#assign(d, this.#value(a));
        else for (const word of WORDS) this.#emit(`${this.#word(d + word * 4)} = ${this.#word(a + word * 4)};`);
        return;
      case "pure":
        if (row.js || row.deposit) this.#pure(row, d, a, b);
        else this.#foreign(row, d, a, b);
        return;
      case "select":
        this.#emit(`if (${this.#comparison(i)}) {`);
        this.#assign(d, this.#value(ir.c[i]));
        this.#emit("} else {");
        this.#assign(d, this.#value(ir.e[i]));
        this.#emit("}");
        return;
      case "lea":
        if (!movesRip(ir, i)) this.#lea(ir, i, row.name === "lea32");
        return;
      case "load":
        this.#load(row, d, a);
        return;
      case "store":
        this.#storeOp(row, a, b);
        return;
      case "envLoad":
        this.#envLoad(row, d, a);
        return;
      case "envStore":
        this.#envStore(row, a, b);
        return;
      case "call":
        this.#call(ir, i);
    }
  }

  /** The JavaScript of a row over values; `x` stands for the low half of the result. */
  #expressions(js: readonly string[], a: Value, b: Value, x: string): string[] {
    const left = this.#value(a);
    const right = this.#value(b);
    const operands: Record<string, string> = { al: left.low, ah: left.high, bl: right.low, bh: right.high, x };
    return js.map((text) => text.replace(/\b(?:[ab][lh]|x)\b/g, (name) => operands[name]));
  }

  /** The condition of a branch or select. */
  #comparison(i: number): string {
    const ir = this.#ir();
    return this.#expressions(OP_ROWS[ir.op[i]].js!, ir.a[i], ir.b[i], "")[0];
  }

  #pure({ js, deposit }: OpRow, d: Value, a: Value, b: Value): void {
    if (deposit) {
      const { position, length } = deposit;
      const mask = 2 ** length - 1;
      js = [`al & ${~(mask << position)} | (bl & ${mask}) << ${position}`, "ah"];
    }
    const [low, high] = this.#expressions(js!, a, b, "x");
    if (high === undefined) this.#assign(d, { low, high: "0" });
    else {
      const place = this.#place(d);
      this.#emit(`x = ${low}; ${place.high} = ${high}; ${place.low} = x;`);
      this.#dirty |= slotSet(d);
    }
  }

  /** An op that is run as wasm. */
  #foreign(row: OpRow, d: Value, a: Value, b: Value): void {
    const [result, operands] = row.signature!.split("=");
    const name = this.#imports.op(row);
    this.#functions.add(name);
    const address = (slot: Value): string => this.#address(slot);
    const words = row.swap ? [b, a] : [a, b].slice(0, operands.length);
    const values = words.flatMap((value, index) => {
      if (operands[index] === "v") return [address(value)];
      const { low, high } = this.#value(value);
      return operands[index] === "l" ? [low, high] : [low];
    });
    if (result === "v") this.#emit(`${name}(${[address(d), ...values].join(", ")});`);
    else
      this.#assign(d, { low: `${name}(${values.join(", ")})`, high: result === "l" ? this.#word(RESULT_HIGH) : "0" });
  }

  #lea(ir: IrCode, i: number, narrow: boolean): void {
    const base = this.#value(ir.a[i]);
    const index = this.#value(ir.b[i]);
    const scale = Math.max(ir.c[i], 0);
    const displacement = literal(ir.e[i]);
    const scaled = scale > 0 ? `(${index.low} << ${scale})` : index.low;
    if (narrow) {
      this.#assign(ir.d[i], { low: `${base.low} + ${scaled} + ${displacement} | 0`, high: "0" });
      return;
    }
    // The sum so far is x, y.
    this.#emit(`x = ${base.low}; y = ${base.high};`);
    const add = (low: string, high: string): void => {
      this.#emit(`a = ${low}; x = x + a | 0; y = y + ${high} + ${carry("x", "a")} | 0;`);
    };
    if (ir.b[i] !== NONE) {
      add(scaled, scale > 0 ? `(${index.high} << ${scale} | ${index.low} >>> ${32 - scale})` : index.high);
    }
    if (ir.e[i] !== 0) add(displacement, literal(ir.e[i] >> 31));
    this.#assign(ir.d[i], { low: "x", high: "y" });
  }

  /** Fields that share bytes with a register in variables go through env. */
  #envLoad({ size }: OpRow, d: Value, offset: number): void {
    this.#store(slotSet(offset & ~7) & this.#use.used);
    this.#assign(d, { low: `V.get${METHOD[size!]}(${this.#address(offset)}, true)`, high: "0" });
  }

  #envStore({ size }: OpRow, offset: number, value: Value): void {
    const touched = slotSet(offset & ~7) & this.#use.used;
    this.#store(touched);
    this.#emit(`V.set${METHOD[size!]}(${this.#address(offset)}, ${this.#value(value).low}, true);`);
    this.#reload(touched);
  }

  #call(ir: IrCode, i: number): void {
    const effect = this.#use.effect(ir, i);
    const spill = neededBy(effect) & this.#dirty;
    this.#store(spill);
    this.#dirty &= ~spill;
    if (effect.throws) this.#emit(`${this.#word(ENV.opPointer)} = ${this.#point()};`);
    const result = ir.op[i] === OP.call;
    const name = this.#imports.helper(ir.c[i], result);
    this.#functions.add(name);
    const a = this.#value(ir.a[i]);
    const b = this.#value(ir.b[i]);
    const call = `${name}(${a.low}, ${a.high}, ${b.low}, ${b.high}, ${ir.e[i]})`;
    if (result) this.#assign(ir.d[i], { low: call, high: this.#word(RESULT_HIGH) });
    else this.#emit(`${call};`);
    if (effect.anything) this.#reload(this.#use.used & ~(result ? slotSet(ir.d[i]) : 0));
    else this.#reload(effect.writes & this.#use.used);
    if (effect.tlb) this.#loadTlb();
  }
}

function literal(value: number): string {
  return value < 0 ? `(${value})` : String(value);
}

/** The carry of a sum of which only the low 32 bits were kept. */
function carry(sum: string, addend: string): string {
  return `(${sum} >>> 0 < ${addend} >>> 0 ? 1 : 0)`;
}

/** Puts the index of an address's TLB entry into e. */
function findEntry(low: string): string {
  return `e = w + (${low} >>> 7 & ${TLB_MASK}) >>> 2;`;
}

export function compileRegion(region: Region, imports: JsImports): JsRegion {
  return new RegionCompiler(region, imports).compile();
}
