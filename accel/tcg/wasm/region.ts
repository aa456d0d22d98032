/**
 * Compiles a region into one wasm function, `(env) -> what next`. The result is the address of interpreter code to go on
 * with, or one of the EXIT_* numbers of interp/generate.ts.
 *
 * Guest registers, flag operands and vector registers live in locals; other slots stay in env. Control flow is
 * structured by the dominator tree: Ramsey, "Beyond Relooper" (2022).
 *
 * Invariants:
 *  1. Locals are the truth inside the function. They are written back before a helper that may look at them or raise an
 *     exception, and at every way out.
 *  2. An address that reaches linear memory is env plus a constant, or comes out of a TLB entry.
 *  3. Every loop tests the budget, which also sees exitRequest.
 */

import { CC_DYNAMIC, CC_EFLAGS, ENV, HF_CS64, regOffset, segBaseOffset, TLB_ENTRIES, TLB_ENTRY_SIZE } from "../env.ts";
import {
  EXIT_FAULT,
  EXIT_HOT,
  EXIT_LINK,
  EXIT_MAIN,
  LOOKUP_ENTRIES,
  LOOKUP_ENTRY_SIZE,
  LOOKUP_OFFSET,
} from "../interp/generate.ts";
import { REGION_OPCODE } from "../interp/lower.ts";
import { CONST_BASE, type IrCode, NONE, type Value } from "../ir/builder.ts";
import { OP, OP_ROWS, type OpRow } from "../ir/ops.ts";
import { CELL_SIZE, type CompiledRegion } from "../jit/backend.ts";
import { analyse } from "../jit/graph.ts";
import { movesRip, type Node, type Region, successors, type Terminator } from "../jit/region.ts";
import { callsOut, slotsOf } from "../jit/slots.ts";
import { Structure, type StructureWriter } from "../jit/structure.ts";
import { Code, I32, I64, V128, type ValueType } from "./encoder.ts";
import type { Intrinsic, Site } from "./intrinsics.ts";
import { F, V } from "./intrinsics-opcodes.ts";
import { W } from "./opcodes.ts";
import {
  cachedBit,
  homeOf,
  isTemp,
  isVector,
  isVectorTemp,
  laneOf,
  mark,
  places,
  RegisterUse,
  type SlotSet,
  spillSet,
  vectorsOf,
} from "./registers.ts";

const ENV_LOCAL = 0;
/** Result inside a region: goes on at env.rip, wherever that is. */
const DYNAMIC_EXIT = 15;
const CS = 1;
const RAX = 0;
const RDX = 2;
const TAG_READ = 0;
const TAG_WRITE = 8;
const TAG_FETCH = 16;
const ADDEND = 24;
const TLB_MASK = (TLB_ENTRIES - 1) * TLB_ENTRY_SIZE;
/** Where 16-byte slow accesses pass their value, in env. */
const BOUNCE = ENV.scratch + 1008;
const I64X2_EXTRACT = [0xfd, 0x1d];
const I64X2_REPLACE = [0xfd, 0x1e];
const KIND = OP_ROWS.map(({ kind }) => kind);

/** What a compiled region needs from outside. */
export interface RegionImports {
  /** Function index of a helper `(env, a, b, imm) -> i64`, by number. */
  helper(number: number): number;
  helperName(number: number): string;
  /** The type of compiled regions. */
  readonly regionType: number;
  readonly slowLoad: number;
  readonly slowStore: number;
  readonly slowLoad128: number;
  readonly slowStore128: number;
  /** Interpreter code that looks up the block at env.rip. */
  readonly lookup: number;
  /** Global that holds the address of the region's exits. */
  readonly cells: number;
}

export interface WasmRegion extends CompiledRegion {
  readonly code: Code;
}

class RegionCompiler implements StructureWriter {
  readonly #region: Region;
  readonly #imports: RegionImports;
  readonly #code = new Code(1);
  readonly #structure: Structure;
  readonly #use: RegisterUse;
  readonly #code64: boolean;
  readonly #locals = new Map<number, number>();
  /** Locals of intrinsics, by type. */
  readonly #scratch = new Map<ValueType, number[]>();
  readonly #points: number[] = [];
  /** Fault point by block and instruction, plus one. */
  readonly #pointOf: Int32Array[];
  readonly #loopDepth = new Map<number, number>();
  readonly #blockDepth = new Map<number, number>();
  readonly #budget = this.#code.local(I32);
  readonly #tlb = this.#code.local(I32);
  readonly #entry = this.#code.local(I32);
  readonly #result = this.#code.local(I32);
  readonly #next = this.#code.local(I32);
  readonly #address = this.#code.local(I64);
  readonly #ripBase = this.#code.local(I64);
  readonly #rip = this.#code.local(I64);
  #exitDepth = 0;
  #faultDepth = 0;
  #cells = 0;
  // The block and instruction being compiled.
  #block = 0;
  #insn = 0;
  #dirty: SlotSet = { low: 0, high: 0 };

  constructor(region: Region, imports: RegionImports) {
    this.#region = region;
    this.#imports = imports;
    this.#code64 = (region.hflags & HF_CS64) !== 0;
    const graph = analyse(region.nodes.map(({ end }) => successors(end)));
    this.#structure = new Structure(graph, this);
    this.#use = new RegisterUse(region, graph, (number) => imports.helperName(number));
    this.#pointOf = region.blocks.map(({ ir }) => new Int32Array(ir.insnOp.length));
  }

  compile(): WasmRegion {
    const code = this.#code;
    code.get(ENV_LOCAL).i32(0).memory(W.i32_store, ENV.regionStale);
    code.get(ENV_LOCAL).memory(W.i32_load, ENV.budget).set(this.#budget);
    this.#loadTlb();
    code.get(ENV_LOCAL).memory(W.i64_load, ENV.rip).set(this.#ripBase);
    this.#reload(this.#use.used);
    code.block();
    this.#exitDepth = code.depth;
    code.block();
    this.#faultDepth = code.depth;
    this.#structure.write();
    code.end();
    code.i32(EXIT_FAULT).set(this.#result);
    code.end();
    this.#store(this.#use.written);
    code.get(ENV_LOCAL).get(this.#budget).memory(W.i32_store, ENV.budget);
    this.#epilogue();
    return { code, points: Int32Array.from(this.#points), cells: this.#cells };
  }

  /** With env complete: `result` is an exit number, DYNAMIC_EXIT, or the address of an exit instruction. */
  #epilogue(): void {
    const code = this.#code;
    code.get(this.#result).i32(EXIT_HOT).op(W.i32_le_u).if().get(this.#result).op(W.return).end();
    code.get(this.#result).i32(DYNAMIC_EXIT).op(W.i32_eq).if();
    this.#lookUp();
    code.else();
    code.get(this.#result).memory(W.i32_load, 8).tee(this.#next).op(W.i32_eqz).if();
    code.get(ENV_LOCAL).get(this.#result).memory(W.i32_store, ENV.opPointer).i32(EXIT_LINK).op(W.return).end();
    code.end();
    // Into another region without a detour, unless the slice is over.
    code.get(this.#next).memory(W.i32_load16_u).i32(REGION_OPCODE).op(W.i32_eq);
    code.get(this.#budget).get(ENV_LOCAL).memory(W.i32_load, ENV.exitRequest).op(W.i32_gt_s, W.i32_and).if();
    code.get(ENV_LOCAL).get(this.#next).memory(W.i32_load, 12).memory(W.i32_store, ENV.region);
    code.get(ENV_LOCAL).get(ENV_LOCAL).memory(W.i64_load, ENV.rip).memory(W.i64_store, ENV.regionRip);
    code.get(ENV_LOCAL).get(this.#next).memory(W.i32_load, 8);
    code.op(W.return_call_indirect).u32(this.#imports.regionType).u32(0).end();
    // The interpreter counts look-ups itself; direct exits are counted here.
    code.get(this.#result).i32(DYNAMIC_EXIT).op(W.i32_eq).if();
    code.i32(this.#imports.lookup).op(W.return).end();
    code.get(this.#result).get(this.#result).memory(W.i32_load, 12).i32(1).op(W.i32_sub).tee(this.#entry);
    code.memory(W.i32_store, 12);
    code.i32(EXIT_HOT).get(this.#next).get(this.#entry).op(W.i32_eqz, W.select);
  }

  /** Sets `next` to the code of the block at env.rip if the look-up cache has it; else returns to the interpreter. */
  #lookUp(): void {
    const code = this.#code;
    code.get(ENV_LOCAL).memory(W.i64_load, ENV.rip);
    if (!this.#code64) code.get(ENV_LOCAL).memory(W.i64_load, segBaseOffset(CS)).op(W.i64_add);
    code.set(this.#address);
    this.#loadTlb();
    this.#findEntry();
    code.memory(W.i64_load, TAG_FETCH).get(this.#address).i64(-4096, -1).op(W.i64_and, W.i64_eq).if();
    this.#hostAddress();
    code.tee(this.#next).get(this.#next).i32(16).op(W.i32_shr_u, W.i32_xor);
    code
      .i32(LOOKUP_ENTRIES - 1)
      .op(W.i32_and)
      .i32(Math.log2(LOOKUP_ENTRY_SIZE))
      .op(W.i32_shl);
    const cache = this.#imports.lookup + LOOKUP_OFFSET;
    code.tee(this.#entry).memory(W.i32_load, cache).get(this.#next).op(W.i32_eq);
    code.get(this.#entry).memory(W.i32_load, cache + 4);
    code.get(ENV_LOCAL).memory(W.i32_load, ENV.hflags).op(W.i32_eq, W.i32_and).if();
    code
      .get(this.#entry)
      .memory(W.i32_load, cache + 8)
      .set(this.#next);
    code.else().i32(this.#imports.lookup).op(W.return).end();
    code.else().i32(this.#imports.lookup).op(W.return).end();
  }

  // ---- slots and locals

  /** The local of a cached slot or temporary. */
  #local(slot: Value): number {
    const vector = isVector(slot);
    const key = vector ? homeOf(slot) : slot;
    let local = this.#locals.get(key);
    if (local === undefined) {
      local = this.#code.local(vector ? V128 : I64);
      this.#locals.set(key, local);
    }
    return local;
  }

  #isLocal(slot: Value): boolean {
    return cachedBit(slot) >= 0 || isTemp(slot);
  }

  #ir(): IrCode {
    return this.#region.blocks[this.#block].ir;
  }

  /** Pushes the address `delta` bytes after the region's entry, cut to the mode's width. */
  #pushRip(delta: number): void {
    const code = this.#code;
    code.get(this.#ripBase);
    if (delta !== 0) code.i64(delta).op(W.i64_add);
    if (!this.#code64) code.op(W.i32_wrap_i64, W.i64_extend_i32_u);
  }

  /** Pushes a value's low half. */
  #push32(value: Value): void {
    const code = this.#code;
    if (value >= CONST_BASE) code.i32(this.#ir().constLow[value - CONST_BASE]);
    else if (value === ENV.rip || this.#isLocal(value) || isVector(value)) {
      this.#push64(value);
      code.op(W.i32_wrap_i64);
    } else code.get(ENV_LOCAL).memory(W.i32_load, value);
  }

  #push64(value: Value): void {
    const code = this.#code;
    if (value === NONE) code.i64(0);
    else if (value >= CONST_BASE) {
      code.i64(this.#ir().constLow[value - CONST_BASE], this.#ir().constHigh[value - CONST_BASE]);
    } else if (value === ENV.rip) this.#pushRip(this.#region.blocks[this.#block].delta);
    else if (isVector(value)) {
      code.get(this.#local(value)).op(...I64X2_EXTRACT, laneOf(value));
    } else if (this.#isLocal(value)) code.get(this.#local(value));
    else code.get(ENV_LOCAL).memory(W.i64_load, value);
  }

  #pushVector(value: Value): void {
    if (isVector(value)) this.#code.get(this.#local(value));
    else this.#code.get(ENV_LOCAL).v128Load(value);
  }

  #push(value: Value, type: string): void {
    if (type === "v") this.#pushVector(value);
    else if (type === "i") this.#push32(value);
    else this.#push64(value);
  }

  /** Begins a write of a slot: what has to lie under the value on the stack. */
  #prepare(slot: Value, type: string): void {
    const code = this.#code;
    if (type !== "v" && isVector(slot)) code.get(this.#local(slot));
    else if (slot !== ENV.rip && !this.#isLocal(slot) && !isVector(slot)) code.get(ENV_LOCAL);
  }

  /** Ends a write: the value of `type` lies on the stack. */
  #assign(slot: Value, type: string): void {
    const code = this.#code;
    if (type === "i") code.op(W.i64_extend_i32_u);
    if (slot === ENV.rip) code.set(this.#rip);
    else if (type === "v") {
      if (isVector(slot)) code.set(this.#local(slot));
      else code.v128Store(slot);
    } else if (isVector(slot)) code.op(...I64X2_REPLACE, laneOf(slot)).set(this.#local(slot));
    else if (this.#isLocal(slot)) code.set(this.#local(slot));
    else code.memory(W.i64_store, slot);
    mark(this.#dirty, slot);
  }

  /** Writes locals to env. */
  #store(which: SlotSet): void {
    const code = this.#code;
    for (const slot of slotsOf(which.low)) code.get(ENV_LOCAL).get(this.#local(slot)).memory(W.i64_store, slot);
    for (const slot of vectorsOf(which.high)) code.get(ENV_LOCAL).get(this.#local(slot)).v128Store(slot);
  }

  /** Reads locals from env. */
  #reload(which: SlotSet): void {
    const code = this.#code;
    for (const slot of slotsOf(which.low)) code.get(ENV_LOCAL).memory(W.i64_load, slot).set(this.#local(slot));
    for (const slot of vectorsOf(which.high)) code.get(ENV_LOCAL).v128Load(slot).set(this.#local(slot));
  }

  #loadTlb(): void {
    this.#code.get(ENV_LOCAL).memory(W.i32_load, ENV.tlb).set(this.#tlb);
  }

  // ---- ways out

  #exit(result: number): void {
    this.#code.i32(result).set(this.#result).brTo(this.#exitDepth);
  }

  /** Stores the address to go on at. */
  #storeRip(push: () => void): void {
    this.#code.get(ENV_LOCAL);
    push();
    this.#code.memory(W.i64_store, ENV.rip);
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

  #checkFault(): void {
    this.#code
      .get(ENV_LOCAL)
      .memory(W.i32_load, ENV.excVector)
      .i32(0)
      .op(W.i32_ge_s)
      .unlikely()
      .brIfTo(this.#faultDepth);
  }

  /** Leaves if the guest has overwritten code of this region. */
  #leaveIfStale(pushRip: () => void, ccOp: number): void {
    const code = this.#code;
    code.get(ENV_LOCAL).memory(W.i32_load, ENV.regionStale).unlikely().if();
    this.#storeRip(pushRip);
    if (ccOp !== CC_DYNAMIC) code.i64(ccOp, 0).set(this.#local(ENV.ccOp));
    this.#exit(EXIT_MAIN);
    code.end();
  }

  // ---- control flow

  loop(header: number): void {
    this.#code.loop();
    this.#loopDepth.set(header, this.#code.depth);
  }

  block(target: number): void {
    this.#code.block();
    this.#blockDepth.set(target, this.#code.depth);
  }

  if(): void {
    this.#code.if();
  }

  end(): void {
    this.#code.end();
  }

  branch(to: number, back: boolean): void {
    this.#code.brTo((back ? this.#loopDepth : this.#blockDepth).get(to)!);
  }

  branchIf(to: number, back: boolean): void {
    this.#code.brIfTo((back ? this.#loopDepth : this.#blockDepth).get(to)!);
  }

  node(n: number): void {
    const node = this.#region.nodes[n];
    const { delta } = this.#region.blocks[node.block];
    const code = this.#code;
    this.#block = node.block;
    this.#dirty = { ...this.#use.dirtyIn[n] };
    if (node.starts) {
      if (this.#structure.isLoop(n)) {
        code.get(this.#budget).get(ENV_LOCAL).memory(W.i32_load, ENV.exitRequest).op(W.i32_le_s).unlikely().if();
        this.#storeRip(() => this.#pushRip(delta));
        this.#exit(EXIT_MAIN);
        code.end();
      }
      if (callsOut(this.#ir())) this.#storeRip(() => this.#pushRip(delta));
    }
    this.#ops(node);
    if (node.account > 0) code.get(this.#budget).i32(node.account).op(W.i32_sub).set(this.#budget);
    if (node.account > 0 && node.end.kind !== "leave" && this.#storesCode(this.#ir().insnOp.length - 1)) {
      this.#leaveIfStale(() => this.#pushDestination(node.end), CC_DYNAMIC);
    }
    this.#terminate(n, node.end);
  }

  /** Pushes the address that a block's end leads to inside the region. */
  #pushDestination(end: Terminator): void {
    if (end.kind === "jump") {
      const { block, end: next } = this.#region.nodes[end.to];
      this.#pushRip(next.kind === "page" ? next.delta : this.#region.blocks[block].delta);
    } else this.#code.get(this.#rip);
  }

  #terminate(n: number, end: Terminator): void {
    const code = this.#code;
    switch (end.kind) {
      case "jump":
        this.#structure.goto(n, end.to);
        return;
      case "branch":
        this.#condition(end.op);
        this.#structure.either(n, end.taken, end.next);
        return;
      case "match":
        code.get(this.#rip);
        this.#pushRip(end.delta);
        code.op(W.i64_eq);
        this.#structure.either(n, end.hit, end.miss);
        return;
      case "page":
        this.#pageCondition(end.delta, end.phys);
        this.#structure.either(n, end.hit, end.miss);
        return;
      case "leave":
        this.#leave(end);
    }
  }

  #leave({ how, rip }: Terminator & { kind: "leave" }): void {
    const code = this.#code;
    if (rip === "computed") this.#storeRip(() => code.get(this.#rip));
    else if (rip !== "helper") this.#storeRip(() => this.#pushRip(rip));
    if (how === "main") this.#exit(EXIT_MAIN);
    else if (how === "lookup") this.#exit(DYNAMIC_EXIT);
    else {
      code
        .global(this.#imports.cells)
        .i32(CELL_SIZE * this.#cells++)
        .op(W.i32_add);
      code.set(this.#result).brTo(this.#exitDepth);
    }
  }

  /** Pushes whether the page of the block at `delta` is mapped to where that block was compiled from. */
  #pageCondition(delta: number, phys: number): void {
    const code = this.#code;
    this.#pushRip(delta);
    if (!this.#code64) {
      code.get(ENV_LOCAL).memory(W.i64_load, segBaseOffset(CS)).op(W.i64_add, W.i32_wrap_i64, W.i64_extend_i32_u);
    }
    code.set(this.#address);
    this.#findEntry();
    code.memory(W.i64_load, TAG_FETCH).get(this.#address).i64(-4096, -1).op(W.i64_and, W.i64_eq);
    this.#hostAddress();
    code.i32(phys | 0).op(W.i32_eq, W.i32_and);
  }

  // ---- memory

  /** Pushes the TLB entry of `address`, and keeps it. */
  #findEntry(): void {
    this.#code
      .get(this.#address)
      .i64(7, 0)
      .op(W.i64_shr_u, W.i32_wrap_i64)
      .i32(TLB_MASK)
      .op(W.i32_and)
      .get(this.#tlb)
      .op(W.i32_add)
      .tee(this.#entry);
  }

  /** Pushes the host address behind `address`. */
  #hostAddress(): void {
    this.#code.get(this.#address).op(W.i32_wrap_i64).get(this.#entry).memory(W.i32_load, ADDEND).op(W.i32_add);
  }

  /** Pushes whether the access may go straight to memory. */
  #probe(address: Value, size: number, tag: number): void {
    const code = this.#code;
    this.#push64(address);
    code.set(this.#address);
    this.#findEntry();
    code.memory(W.i64_load, tag).get(this.#address);
    if (size > 1) code.i64(size - 1, 0).op(W.i64_add);
    code.i64(-4096, -1).op(W.i64_and, W.i64_eq);
  }

  #slowArguments(size: number): void {
    this.#code
      .get(ENV_LOCAL)
      .get(this.#address)
      .i32((this.#point() << 5) | size);
  }

  #load(row: OpRow, d: Value, address: Value): void {
    const code = this.#code;
    const size = row.size!;
    if (size === 16) {
      this.#prepare(d, "v");
      this.#probe(address, 16, TAG_READ);
      code.likely().ifValue(V128);
      this.#hostAddress();
      code.v128Load().else();
      this.#slowArguments(16);
      code.call(this.#imports.slowLoad128);
      this.#checkFault();
      code.get(ENV_LOCAL).v128Load(BOUNCE).end();
      this.#assign(d, "v");
      return;
    }
    this.#prepare(d, "l");
    this.#probe(address, size, TAG_READ);
    code.likely().ifValue(I64);
    this.#hostAddress();
    code.memory(row.access!).else();
    this.#slowArguments(size);
    code.call(this.#imports.slowLoad);
    if (row.name === "ld8s64") code.op(W.i64_extend8_s);
    else if (row.name === "ld16s64") code.op(W.i64_extend16_s);
    else if (row.name === "ld32s64") code.op(W.i64_extend32_s);
    this.#checkFault();
    code.end();
    this.#assign(d, "l");
  }

  #storeOp(row: OpRow, address: Value, value: Value): void {
    const code = this.#code;
    const size = row.size!;
    this.#probe(address, size, TAG_WRITE);
    code.likely().if();
    this.#hostAddress();
    this.#push(value, size === 16 ? "v" : "l");
    if (size === 16) code.v128Store();
    else code.memory(row.access!);
    code.else();
    if (size === 16) {
      code.get(ENV_LOCAL);
      this.#pushVector(value);
      code.v128Store(BOUNCE);
      this.#slowArguments(16);
      code.call(this.#imports.slowStore128);
    } else {
      this.#slowArguments(size);
      this.#push64(value);
      code.call(this.#imports.slowStore);
    }
    this.#checkFault();
    code.end();
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
        this.#leaveIfStale(() => this.#pushRip(next), ir.insnCcOp[this.#insn]);
      }
      this.#op(ir, i);
    }
    while (this.#insn + 1 < ir.insnOp.length && ir.insnOp[this.#insn + 1] <= to) this.#insn++;
  }

  #op(ir: IrCode, i: number): void {
    const code = this.#code;
    const row = OP_ROWS[ir.op[i]];
    const d = ir.d[i];
    const a = ir.a[i];
    const b = ir.b[i];
    switch (row.kind) {
      case "mov": {
        const type = row.signature === "v=v" ? "v" : "l";
        this.#prepare(d, type);
        this.#push(a, type);
        this.#assign(d, type);
        return;
      }
      case "pure":
        this.#pure(row, d, a, b);
        return;
      case "select":
        this.#prepare(d, "l");
        this.#push64(ir.c[i]);
        this.#push64(ir.e[i]);
        this.#condition(i);
        code.op(W.select);
        this.#assign(d, "l");
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

  /** Pushes the condition of a branch or select. */
  #condition(i: number): void {
    const ir = this.#ir();
    const row = OP_ROWS[ir.op[i]];
    const operands = row.signature!.split("=")[1];
    this.#push(ir.a[i], operands[0]);
    if (operands.length === 2) this.#push(ir.b[i], operands[1]);
    this.#code.op(...row.wasm!);
  }

  #pure(row: OpRow, d: Value, a: Value, b: Value): void {
    const code = this.#code;
    const [result, operands] = row.signature!.split("=");
    this.#prepare(d, result);
    if (row.deposit) {
      const { position, length } = row.deposit;
      const mask = 2 ** length - 1;
      this.#push64(a);
      code.i64(~(mask << position), -1).op(W.i64_and);
      this.#push64(b);
      code.i64(mask, 0).op(W.i64_and);
      if (position > 0) code.i64(position, 0).op(W.i64_shl);
      code.op(W.i64_or);
    } else {
      const first = row.swap ? b : a;
      const second = row.swap ? a : b;
      this.#push(first, operands[0]);
      if (operands.length === 2) this.#push(second, operands[1]);
      code.op(...row.wasm!);
    }
    this.#assign(d, result);
  }

  #lea(ir: IrCode, i: number, narrow: boolean): void {
    const code = this.#code;
    const a = ir.a[i];
    const b = ir.b[i];
    const scale = Math.max(ir.c[i], 0);
    const displacement = ir.e[i];
    const push = (value: Value): void => (narrow ? this.#push32(value) : this.#push64(value));
    const constant = (value: number): void => void (narrow ? code.i32(value) : code.i64(value));
    this.#prepare(ir.d[i], "l");
    if (a !== NONE) push(a);
    if (b !== NONE) {
      push(b);
      if (scale > 0) {
        constant(scale);
        code.op(narrow ? W.i32_shl : W.i64_shl);
      }
      if (a !== NONE) code.op(narrow ? W.i32_add : W.i64_add);
    }
    if (displacement !== 0 || (a === NONE && b === NONE)) {
      constant(displacement);
      if (a !== NONE || b !== NONE) code.op(narrow ? W.i32_add : W.i64_add);
    }
    this.#assign(ir.d[i], narrow ? "i" : "l");
  }

  /** Fields that share bytes with a register in a local go through env. */
  #envLoad(row: OpRow, d: Value, offset: number): void {
    this.#complete(offset);
    this.#prepare(d, "l");
    this.#code.get(ENV_LOCAL).memory(row.access!, offset);
    this.#assign(d, "l");
  }

  #envStore(row: OpRow, offset: number, value: Value): void {
    this.#complete(offset);
    this.#code.get(ENV_LOCAL);
    this.#push64(value);
    this.#code.memory(row.access!, offset);
    const touched = this.#holding(offset);
    if (touched) this.#reload(touched);
  }

  #holding(offset: number): SlotSet | undefined {
    const dirty: SlotSet = { low: 0, high: 0 };
    mark(dirty, offset & ~7);
    dirty.low &= this.#use.used.low;
    dirty.high &= this.#use.used.high;
    return dirty.low | dirty.high ? dirty : undefined;
  }

  #complete(offset: number): void {
    const touched = this.#holding(offset);
    if (touched) this.#store(touched);
  }

  #call(ir: IrCode, i: number): void {
    const code = this.#code;
    const intrinsic = this.#use.intrinsic(ir, i);
    if (!intrinsic) this.#callHelper(ir, i);
    else if (!intrinsic.guarded) this.#inline(ir, i, intrinsic);
    else {
      const before = { ...this.#dirty };
      code.block();
      const done = code.depth;
      code.block();
      this.#inline(ir, i, intrinsic);
      code.brTo(done).end();
      const after = this.#dirty;
      this.#dirty = before;
      this.#callHelper(ir, i);
      this.#dirty = after;
      code.end();
    }
  }

  /** Puts instructions in place of a call. The construct that was opened last is left to call the helper. */
  #inline(ir: IrCode, i: number, { result, emit }: Intrinsic): void {
    const code = this.#code;
    const [destination, source] = places(ir, i);
    const slow = code.depth;
    const taken = new Map<ValueType, number>();
    const vector = (place: Value): Code => {
      this.#pushVector(place);
      return code;
    };
    const integer = (value: Value): Code => {
      this.#push64(value);
      return code;
    };
    const site: Site = {
      code,
      destination: () => vector(destination),
      source: () => vector(source),
      vector,
      a: () => integer(ir.a[i]),
      b: () => integer(ir.b[i]),
      aDouble: () => {
        const a = ir.a[i];
        if (a < CONST_BASE && isVector(a)) return vector(a).op(...V.f64x2_extract_lane, laneOf(a));
        return integer(a).op(...F.f64_reinterpret_i64);
      },
      slot: integer,
      field: (offset) => code.get(ENV_LOCAL).memory(W.i32_load, offset),
      local: (type) => {
        const index = taken.get(type) ?? 0;
        taken.set(type, index + 1);
        return this.#scratchLocal(type, index);
      },
      slowIf: () => void code.unlikely().brIfTo(slow),
    };
    if (result === "vector") this.#prepare(destination, "v");
    else if (result === "value") this.#prepare(ir.d[i], "l");
    emit(site);
    if (result === "vector") this.#assign(destination, "v");
    else if (result === "value") this.#assign(ir.d[i], "l");
    else if (result === "registers") {
      this.#assign(regOffset(RDX), "l");
      this.#assign(regOffset(RAX), "l");
    } else {
      this.#assign(ENV.ccSrc, "l");
      code.i64(CC_EFLAGS);
      this.#assign(ENV.ccOp, "l");
    }
  }

  #scratchLocal(type: ValueType, index: number): number {
    const locals = this.#scratch.get(type) ?? [];
    this.#scratch.set(type, locals);
    locals[index] ??= this.#code.local(type);
    return locals[index];
  }

  #callHelper(ir: IrCode, i: number): void {
    const code = this.#code;
    const effect = this.#use.effect(ir, i);
    const { anything, vector, throws } = effect;
    const spill = spillSet(ir, i, effect, this.#dirty);
    this.#store(spill);
    this.#dirty.low &= ~spill.low;
    this.#dirty.high &= ~spill.high;
    const temps = vector ? places(ir, i).filter((place) => isVectorTemp(place)) : [];
    for (const temp of temps) code.get(ENV_LOCAL).get(this.#local(temp)).v128Store(homeOf(temp));
    if (throws) code.get(ENV_LOCAL).i32(this.#point()).memory(W.i32_store, ENV.opPointer);
    const result = ir.op[i] === OP.call;
    if (result) this.#prepare(ir.d[i], "l");
    code.get(ENV_LOCAL);
    this.#push64(ir.a[i]);
    this.#push64(ir.b[i]);
    code.i32(ir.e[i]).call(this.#imports.helper(ir.c[i]));
    if (result) this.#assign(ir.d[i], "l");
    else code.op(W.drop);
    if (anything) {
      this.#reload(result ? this.#without(this.#use.used, ir.d[i]) : this.#use.used);
    } else {
      const changed: SlotSet = { low: effect.writes & this.#use.used.low, high: 0 };
      if (vector) mark(changed, places(ir, i)[0]);
      this.#reload(changed);
    }
    if (effect.tlb) this.#loadTlb();
    for (const temp of temps) code.get(ENV_LOCAL).v128Load(homeOf(temp)).set(this.#local(temp));
  }

  #without(all: SlotSet, slot: Value): SlotSet {
    const one: SlotSet = { low: 0, high: 0 };
    mark(one, slot);
    return { low: all.low & ~one.low, high: all.high & ~one.high };
  }
}

export function compileRegion(region: Region, imports: RegionImports): WasmRegion {
  return new RegionCompiler(region, imports).compile();
}
