/**
 * Generates the interpreter: a wasm module with one function, a loop around a switch over the instructions of
 * `opcodes.ts`. `run(env, pc)` executes from `pc` until something needs the outside and says what:
 *
 *     EXIT_MAIN     a block asked for the main loop, the slice is over, or exitRequest is set
 *     EXIT_LINK     a direct exit has no target yet; opPointer is the exit
 *     EXIT_LOOKUP   the block at rip is not in the look-up cache
 *     EXIT_FAULT    excVector and its kin hold a guest exception; opPointer is the faulting op
 *     EXIT_HOT      the block at rip was entered often enough to be compiled
 *
 * Exits count down how often they are taken: a direct exit in its second word, a look-up in its cache entry.
 *
 * Invariants: registers are in env whenever anything outside runs; `budget` is written back before every call and exit.
 * An address that reaches linear memory comes from a slot offset in translated code or from a TLB entry, nothing else.
 */

import { ENV, segBaseOffset, TLB_ENTRIES, TLB_ENTRY_SIZE } from "../env.ts";
import type { OpRow } from "../ir/ops.ts";
import { Code, I32, I64, ModuleBuilder } from "../wasm/encoder.ts";
import { W } from "../wasm/opcodes.ts";
import { HISTORY, INTERP_OPS, type InterpOp } from "./opcodes.ts";

export const EXIT_MAIN = 0;
export const EXIT_LINK = 1;
export const EXIT_LOOKUP = 2;
export const EXIT_FAULT = 3;
export const EXIT_HOT = 4;
/** Larger results of a compiled region are addresses of code to go on with. */
const LAST_EXIT = 15;

/** Look-up cache: entries of {host address u32, hflags u32, code u32, count down i32}. */
export const LOOKUP_ENTRIES = 262144;
export const LOOKUP_ENTRY_SIZE = 16;
/** Where it is, counted from the address of the interpreter code that finds the block at env.rip. */
export const LOOKUP_OFFSET = 4096;
export const LOOKUP_SECTION_SIZE = LOOKUP_OFFSET + LOOKUP_ENTRIES * LOOKUP_ENTRY_SIZE;

const ENV_LOCAL = 0;
const PC = 1;
const CS_SEGMENT = 1;
/** Multiplier of Fibonacci hashing. */
const HISTORY_HASH = 0x9e3779b1 | 0;
const TAG_READ = 0;
const TAG_WRITE = 8;
const TAG_FETCH = 16;
const ADDEND = 24;

class Generator {
  readonly code = new Code(2);
  readonly module = new ModuleBuilder();
  readonly budget = this.code.local(I32);
  readonly tlb = this.code.local(I32);
  readonly entry = this.code.local(I32);
  readonly address = this.code.local(I64);
  readonly value = this.code.local(I64);
  readonly target = this.code.local(I32);
  readonly count = this.code.local(I32);
  readonly slowLoad: number;
  readonly slowStore: number;
  readonly slowLoad128: number;
  readonly slowStore128: number;
  readonly locateCode: number;
  readonly helperType: number;
  readonly regionType: number;
  /** Depth of the dispatch loop. */
  next = 0;

  /** Address of the look-up cache. */
  readonly lookupCache: number;

  constructor(memoryPages: number, helpers: number, lookup: number) {
    this.lookupCache = lookup + LOOKUP_OFFSET;
    const { module } = this;
    module.importMemory("host", "memory", memoryPages, memoryPages);
    module.importTable("host", "helpers", helpers);
    module.importTable("host", "regions", 1);
    this.slowLoad = module.importFunction("helpers", "slowLoad", { params: [I32, I64, I32], results: [I64] });
    this.slowStore = module.importFunction("helpers", "slowStore", { params: [I32, I64, I32, I64], results: [] });
    this.slowLoad128 = module.importFunction("helpers", "slowLoad128", { params: [I32, I64, I32], results: [] });
    this.slowStore128 = module.importFunction("helpers", "slowStore128", { params: [I32, I64, I32], results: [] });
    this.locateCode = module.importFunction("helpers", "locateCode", { params: [I32, I32], results: [I32] });
    this.helperType = module.type({ params: [I32, I64, I64, I32], results: [I64] });
    this.regionType = module.type({ params: [I32], results: [I32] });
  }

  /** Pushes env + the slot offset at byte `at` of the instruction. */
  slotAddress(at: number): void {
    this.code.get(ENV_LOCAL).get(PC).memory(W.i32_load16_u, at).op(W.i32_add);
  }

  /** Pushes an operand slot's value as the signature letter says. */
  operand(at: number, type: string): void {
    this.slotAddress(at);
    if (type === "v") this.code.v128Load();
    else this.code.memory(type === "i" ? W.i32_load : W.i64_load);
  }

  /** Pushes the 64-bit immediate in word 2. */
  immediate(type: string): void {
    this.code.get(PC).memory(type === "i" ? W.i32_load : W.i64_load, 8);
  }

  /** Stores the value on the stack (under it lies the slot's address). */
  storeResult(type: string): void {
    if (type === "v") this.code.v128Store();
    else if (type === "i") this.code.op(W.i64_extend_i32_u).memory(W.i64_store);
    else this.code.memory(W.i64_store);
  }

  /** Goes on with the instruction `words` further. */
  advance(words: number): void {
    this.code
      .get(PC)
      .i32(words * 8)
      .op(W.i32_add)
      .set(PC)
      .brTo(this.next);
  }

  saveBudget(): void {
    this.code.get(ENV_LOCAL).get(this.budget).memory(W.i32_store, ENV.budget);
  }

  savePointer(): void {
    this.code.get(ENV_LOCAL).get(PC).memory(W.i32_store, ENV.opPointer);
  }

  leave(reason: number): void {
    this.saveBudget();
    this.code.i32(reason).op(W.return);
  }

  loadTlb(): void {
    this.code.get(ENV_LOCAL).memory(W.i32_load, ENV.tlb).set(this.tlb);
  }

  pure(row: OpRow, { form, words }: InterpOp): void {
    const { code } = this;
    const [result, operands] = row.signature!.split("=");
    this.slotAddress(2);
    if (row.deposit) {
      const { position, length } = row.deposit;
      const mask = 2 ** length - 1;
      this.operand(4, "l");
      if (position === 0) code.i64(~mask, -1);
      else code.i64(~(mask << position), -1);
      code.op(W.i64_and);
      if (form !== "slots") this.immediate("l");
      else this.operand(6, "l");
      code.i64(mask, 0).op(W.i64_and);
      if (position > 0) code.i64(position, 0).op(W.i64_shl);
      code.op(W.i64_or);
    } else {
      this.pushOperands(row, operands, form);
      code.op(...row.wasm!);
    }
    this.storeResult(result);
    if (form === "immediateOperand") {
      this.code.get(ENV_LOCAL);
      this.immediate("l");
      this.code.memory(W.i64_store, ENV.ccSrc);
    }
    if (form === "immediateFlags" || form === "immediateOperand") this.setFlagsOp();
    this.advance(words);
  }

  /** ccOp becomes the number in b. */
  setFlagsOp(): void {
    this.code.get(ENV_LOCAL).get(PC).memory(W.i64_load16_u, 6).memory(W.i64_store, ENV.ccOp);
  }

  pushOperands(row: OpRow, operands: string, form: string): void {
    if (row.swap) {
      this.operand(6, operands[1]);
      this.operand(4, operands[0]);
      return;
    }
    this.operand(4, operands[0]);
    if (operands.length === 2) {
      if (form !== "slots") this.immediate(operands[1]);
      else this.operand(6, operands[1]);
    }
  }

  mov(row: OpRow, { form, words }: InterpOp): void {
    this.slotAddress(2);
    const type = row.signature === "v=v" ? "v" : "l";
    if (form === "immediate") this.immediate("l");
    else this.operand(4, type);
    this.storeResult(type);
    if (form === "slotsFlags") this.setFlagsOp();
    this.advance(words);
  }

  select(row: OpRow): void {
    const { code } = this;
    const [, operands] = row.signature!.split("=");
    this.slotAddress(2);
    this.operand(8, "l");
    this.operand(10, "l");
    this.pushOperands(row, operands, "slots");
    code.op(...row.wasm!, W.select);
    this.storeResult("l");
    this.advance(2);
  }

  /** Pushes the address that a lea, load or store form computes. */
  effectiveAddress(form: string, bits: 32 | 64): void {
    const { code } = this;
    if (bits === 32) {
      if (form !== "index") this.operand(4, "i");
      if (form === "index" || form === "baseIndex") {
        this.operand(6, "i");
        code.get(PC).memory(W.i32_load, 12).op(W.i32_shl);
        if (form === "baseIndex") code.op(W.i32_add);
      }
      code.get(PC).memory(W.i32_load, 8).op(W.i32_add, W.i64_extend_i32_u);
      return;
    }
    if (form !== "index") this.operand(4, "l");
    if (form === "index" || form === "baseIndex") {
      this.operand(6, "l");
      code.get(PC).memory(W.i64_load32_u, 12).op(W.i64_shl);
      if (form === "baseIndex") code.op(W.i64_add);
    }
    code.get(PC).memory(W.i64_load32_s, 8).op(W.i64_add);
  }

  lea(row: OpRow, { form }: InterpOp): void {
    this.slotAddress(2);
    this.effectiveAddress(form, row.name === "lea32" ? 32 : 64);
    this.storeResult("l");
    this.advance(2);
  }

  /** Puts the guest address into `address`, and the TLB comparison's outcome on the stack. */
  probe({ row, form, addressBits }: InterpOp, tag: number): void {
    const { code } = this;
    if (addressBits === undefined || form === "advance") this.operand(4, "l");
    else this.effectiveAddress(form, addressBits);
    const size = row.size!;
    code.tee(this.address).i64(7, 0).op(W.i64_shr_u, W.i32_wrap_i64);
    code.i32((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE).op(W.i32_and);
    code.get(this.tlb).op(W.i32_add).tee(this.entry).memory(W.i64_load, tag);
    code.get(this.address);
    if (size > 1) code.i64(size - 1, 0).op(W.i64_add);
    code.i64(-4096, -1).op(W.i64_and, W.i64_eq);
  }

  /** Pushes the host address behind `address`. */
  hostAddress(): void {
    this.code.get(this.address).op(W.i32_wrap_i64).get(this.entry).memory(W.i32_load, ADDEND).op(W.i32_add);
  }

  /** After a slow access: leaves if it faulted. */
  checkFault(): void {
    const { code } = this;
    code.get(ENV_LOCAL).memory(W.i32_load, ENV.excVector).i32(0).op(W.i32_ge_s).if();
    this.leave(EXIT_FAULT);
    code.end();
  }

  load(op: InterpOp): void {
    const { code } = this;
    const { row } = op;
    const wide = row.size === 16;
    this.probe(op, TAG_READ);
    code.if();
    this.slotAddress(2);
    this.hostAddress();
    if (wide) code.v128Load().v128Store();
    else code.memory(row.access!).memory(W.i64_store);
    code.else();
    this.savePointer();
    this.saveBudget();
    if (wide) {
      code.get(ENV_LOCAL).get(this.address).get(PC).memory(W.i32_load16_u, 2).call(this.slowLoad128);
      this.checkFault();
    } else {
      code.get(ENV_LOCAL).get(this.address).i32(row.size!).call(this.slowLoad).set(this.value);
      this.checkFault();
      this.slotAddress(2);
      code.get(this.value);
      if (row.name === "ld8s64") code.op(W.i64_extend8_s);
      else if (row.name === "ld16s64") code.op(W.i64_extend16_s);
      else if (row.name === "ld32s64") code.op(W.i64_extend32_s);
      code.memory(W.i64_store);
    }
    code.end();
    if (op.form === "advance") {
      this.slotAddress(6);
      this.operand(6, "l");
      code.get(PC).memory(W.i64_load32_s, 8).op(W.i64_add);
      if (op.addressBits === 32) code.op(W.i32_wrap_i64, W.i64_extend_i32_u);
      code.memory(W.i64_store);
    }
    this.advance(op.words);
  }

  store(op: InterpOp): void {
    const { code } = this;
    const { row } = op;
    const wide = row.size === 16;
    this.probe(op, TAG_WRITE);
    code.if();
    this.hostAddress();
    this.operand(2, wide ? "v" : "l");
    if (wide) code.v128Store();
    else code.memory(row.access!);
    code.else();
    this.savePointer();
    this.saveBudget();
    if (wide) {
      code.get(ENV_LOCAL).get(this.address).get(PC).memory(W.i32_load16_u, 2).call(this.slowStore128);
    } else {
      code.get(ENV_LOCAL).get(this.address).i32(row.size!);
      this.operand(2, "l");
      code.call(this.slowStore);
    }
    this.checkFault();
    code.end();
    if (op.form === "update") {
      this.slotAddress(6);
      code.get(this.address).memory(W.i64_store);
    }
    this.advance(op.words);
  }

  envLoad(row: OpRow): void {
    this.slotAddress(2);
    this.slotAddress(4);
    this.code.memory(row.access!).memory(W.i64_store);
    this.advance(1);
  }

  envStore(row: OpRow): void {
    this.slotAddress(4);
    this.operand(6, "l");
    this.code.memory(row.access!);
    this.advance(1);
  }

  call(row: OpRow): void {
    const { code } = this;
    this.savePointer();
    this.saveBudget();
    if (row.name === "call") this.slotAddress(2);
    code.get(ENV_LOCAL);
    this.operand(4, "l");
    this.operand(6, "l");
    code.get(PC).memory(W.i32_load, 12).get(PC).memory(W.i32_load, 8);
    code.op(W.call_indirect).u32(this.helperType).u32(0);
    if (row.name === "call") code.memory(W.i64_store);
    else code.op(W.drop);
    this.loadTlb();
    this.advance(2);
  }

  /** Sets pc to the branch target. */
  jump(): void {
    this.code.get(PC).get(PC).memory(W.i32_load16_s, 2).i32(3).op(W.i32_shl, W.i32_add).set(PC).brTo(this.next);
  }

  condBranch(row: OpRow, { form, words }: InterpOp): void {
    const { code } = this;
    const [, operands] = row.signature!.split("=");
    this.pushOperands(row, operands, form);
    code.op(...row.wasm!).if();
    this.jump();
    code.end();
    this.advance(words);
  }

  /** Takes the block's instructions off the budget; leaves when the slice is over or an exit is asked for. */
  account(): void {
    const { code } = this;
    code.get(this.budget).get(PC).memory(W.i32_load16_u, 2).op(W.i32_sub).tee(this.budget).i32(0).op(W.i32_le_s);
    code.get(ENV_LOCAL).memory(W.i32_load, ENV.exitRequest).op(W.i32_or).if();
    this.leave(EXIT_MAIN);
    code.end();
  }

  /** Moves rip on where the exit's form says so. */
  moveRip({ form }: InterpOp): void {
    if (form !== "jump64" && form !== "jump32") return;
    const { code } = this;
    code.get(ENV_LOCAL).get(ENV_LOCAL).memory(W.i64_load, ENV.rip).get(PC).memory(W.i64_load32_s, 4).op(W.i64_add);
    if (form === "jump32") code.op(W.i32_wrap_i64, W.i64_extend_i32_u);
    code.memory(W.i64_store, ENV.rip);
  }

  exitChain(op: InterpOp): void {
    const { code } = this;
    this.moveRip(op);
    this.account();
    code.get(PC).memory(W.i32_load, 8).tee(this.target).if();
    this.countDown(PC, 12);
    code.get(this.target).set(PC).brTo(this.next);
    code.end();
    this.savePointer();
    this.leave(EXIT_LINK);
  }

  /** Counts the word at local `base` + offset down; leaves when it becomes zero. */
  countDown(base: number, offset: number): void {
    const { code } = this;
    code.get(base).get(base).memory(W.i32_load, offset).i32(1).op(W.i32_sub).tee(this.count);
    code.memory(W.i32_store, offset).get(this.count).op(W.i32_eqz).if();
    this.leave(EXIT_HOT);
    code.end();
  }

  /** Runs a compiled region and goes on with what it says. */
  region(): void {
    const { code } = this;
    this.saveBudget();
    code.get(ENV_LOCAL).get(PC).memory(W.i32_load, 12).memory(W.i32_store, ENV.region);
    code.get(ENV_LOCAL).get(ENV_LOCAL).memory(W.i64_load, ENV.rip).memory(W.i64_store, ENV.regionRip);
    code.get(ENV_LOCAL).get(PC).memory(W.i32_load, 8);
    code.op(W.call_indirect).u32(this.regionType).u32(1).tee(this.target);
    code.i32(LAST_EXIT).op(W.i32_le_u).if().get(this.target).op(W.return).end();
    code.get(ENV_LOCAL).i32(0).memory(W.i32_store, ENV.region);
    code.get(ENV_LOCAL).memory(W.i32_load, ENV.budget).tee(this.budget);
    code.get(ENV_LOCAL).memory(W.i32_load, ENV.exitRequest).op(W.i32_le_s).if();
    this.leave(EXIT_MAIN);
    code.end();
    this.loadTlb();
    code.get(this.target).set(PC).brTo(this.next);
  }

  exitLookup(op: InterpOp): void {
    const { code } = this;
    this.moveRip(op);
    this.account();
    this.loadTlb();
    if (op.form === "history") this.noteTarget();
    code.get(ENV_LOCAL).memory(W.i64_load, ENV.rip).get(ENV_LOCAL).memory(W.i64_load, segBaseOffset(CS_SEGMENT));
    code.op(W.i64_add).tee(this.address).i64(7, 0).op(W.i64_shr_u, W.i32_wrap_i64);
    code
      .i32((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE)
      .op(W.i32_and)
      .get(this.tlb)
      .op(W.i32_add)
      .tee(this.entry);
    code.memory(W.i64_load, TAG_FETCH).get(this.address).i64(-4096, -1).op(W.i64_and, W.i64_eq).ifValue(I32);
    this.hostAddress();
    code.else();
    this.saveBudget();
    code.get(ENV_LOCAL).i32(0).call(this.locateCode).end();
    code.tee(this.target).get(this.target).i32(16).op(W.i32_shr_u, W.i32_xor);
    code
      .i32(LOOKUP_ENTRIES - 1)
      .op(W.i32_and)
      .i32(LOOKUP_ENTRY_SIZE)
      .op(W.i32_mul);
    const { lookupCache } = this;
    code.tee(this.entry).memory(W.i32_load, lookupCache).get(this.target).op(W.i32_eq);
    code.get(this.entry).memory(W.i32_load, lookupCache + 4);
    code.get(ENV_LOCAL).memory(W.i32_load, ENV.hflags).op(W.i32_eq, W.i32_and).if();
    this.countDown(this.entry, lookupCache + 12);
    code
      .get(this.entry)
      .memory(W.i32_load, lookupCache + 8)
      .set(PC)
      .brTo(this.next);
    code.end();
    this.leave(EXIT_LOOKUP);
  }

  /** Writes rip to the place in the history that a hash of it gives. */
  noteTarget(): void {
    const { code } = this;
    code.get(PC).get(ENV_LOCAL).memory(W.i64_load, ENV.rip).tee(this.address).op(W.i32_wrap_i64);
    code
      .i32(HISTORY_HASH)
      .op(W.i32_mul)
      .i32(32 - Math.log2(HISTORY))
      .op(W.i32_shr_u);
    code.i32(3).op(W.i32_shl, W.i32_add).get(this.address).memory(W.i64_store, 8);
  }

  exitMain(): void {
    const { code } = this;
    code.get(this.budget).get(PC).memory(W.i32_load16_u, 2).op(W.i32_sub).set(this.budget);
    this.leave(EXIT_MAIN);
  }

  instruction(op: InterpOp): void {
    const { row } = op;
    switch (row.kind) {
      case "pure":
        return this.pure(row, op);
      case "mov":
        return this.mov(row, op);
      case "select":
        return this.select(row);
      case "lea":
        return this.lea(row, op);
      case "load":
        return this.load(op);
      case "store":
        return this.store(op);
      case "envLoad":
        return this.envLoad(row);
      case "envStore":
        return this.envStore(row);
      case "call":
        return this.call(row);
      case "branch":
        return this.jump();
      case "condBranch":
        return this.condBranch(row, op);
      case "exit":
        if (row.name === "exit_chain") return this.exitChain(op);
        return row.name === "exit_lookup" ? this.exitLookup(op) : this.exitMain();
      case "region":
        return this.region();
      case "label":
        return;
    }
  }

  generate(): Uint8Array {
    const { code, module } = this;
    code.get(ENV_LOCAL).memory(W.i32_load, ENV.budget).set(this.budget);
    this.loadTlb();
    code.loop();
    this.next = code.depth;
    const count = INTERP_OPS.length;
    for (let i = 0; i < count; i++) code.block();
    code
      .get(PC)
      .memory(W.i32_load16_u)
      .op(W.br_table)
      .u32(count - 1);
    for (let i = 0; i < count; i++) code.u32(i);
    for (const op of INTERP_OPS) {
      code.end();
      this.instruction(op);
    }
    code.end();
    code.op(W.unreachable);
    module.function({ params: [I32, I32], results: [I32] }, code, "run");
    return module.encode();
  }
}

/**
 * The interpreter's module bytes, for a memory of `memoryPages` wasm pages and a table of `helpers` functions; `lookup` is
 * the address of the interpreter code that finds the block at env.rip.
 */
export function generateInterpreter(memoryPages: number, helpers: number, lookup: number): Uint8Array {
  return new Generator(memoryPages, helpers, lookup).generate();
}
