/**
 * Which slots of env a region keeps in wasm locals, and which of them may differ from env at the start of each piece of
 * code.
 */

import { ENV, xmmOffset } from "../env.ts";
import { CONST_BASE, type IrCode, NONE, type Value } from "../ir/builder.ts";
import { OP, OP_ROWS } from "../ir/ops.ts";
import { type Effect, effectOf } from "../jit/effects.ts";
import type { Graph } from "../jit/graph.ts";
import type { Node, Region } from "../jit/region.ts";
import { SLOT_BIT, SLOT_COUNT } from "../jit/slots.ts";
import { type Intrinsic, intrinsicFor } from "./intrinsics.ts";

const XMM_COUNT = 16;
const VTEMP_COUNT = 32;
const FIRST_XMM_BIT = SLOT_COUNT;
const KIND = OP_ROWS.map(({ kind }) => kind);

/** A set of the slots that live in locals of their own. */
export interface SlotSet {
  /** RAX to R15 and the flag operands. */
  low: number;
  /** XMM0 to XMM15. */
  high: number;
}

/** By slot: the bit of one that lives in a local of its own, or -1. */
const CACHED_BIT = SLOT_BIT.slice();
for (let i = 0; i < XMM_COUNT * 2; i++) CACHED_BIT[(ENV.xmm >> 3) + i] = FIRST_XMM_BIT + (i >> 1);

export const cachedBit = (slot: Value): number => CACHED_BIT[slot >> 3];
export const isVectorTemp = (slot: Value): boolean => slot >= ENV.vtemps && slot < ENV.vtemps + VTEMP_COUNT * 16;
export const isTemp = (slot: Value): boolean => slot >= ENV.temps && slot < ENV.temps + 256 * 8;

const EVERYTHING: SlotSet = { low: -1, high: -1 };

/** Whether a slot is part of a register in a v128 local. */
export const isVector = (slot: Value): boolean => cachedBit(slot) >= FIRST_XMM_BIT || isVectorTemp(slot);

/** Adds a slot, if it lives in a local of its own. */
export function mark(dirty: SlotSet, value: Value): void {
  const bit = value >= CONST_BASE ? -1 : cachedBit(value);
  if (bit < 0) return;
  if (bit < FIRST_XMM_BIT) dirty.low |= 1 << bit;
  else dirty.high |= 1 << (bit - FIRST_XMM_BIT);
}

/** What has to be written to env before a call, as far as it is `dirty`. */
export function spillSet(ir: IrCode, i: number, effect: Effect, dirty: SlotSet): SlotSet {
  if (effect.throws) return { low: dirty.low, high: dirty.high };
  const spill: SlotSet = { low: effect.reads & dirty.low, high: effect.xmm };
  if (effect.vector) for (const place of places(ir, i)) mark(spill, place);
  spill.high &= dirty.high;
  return spill;
}

export class RegisterUse {
  /** What the region reads or writes, and what it writes. */
  readonly used: SlotSet = { low: 0, high: 0 };
  readonly written: SlotSet = { low: 0, high: 0 };
  /** By node: what may differ from env at its start. */
  readonly dirtyIn: readonly SlotSet[];
  readonly #helperName: (number: number) => string;

  constructor(region: Region, graph: Graph, helperName: (number: number) => string) {
    this.#helperName = helperName;
    this.#scan(region);
    this.dirtyIn = this.#flow(region, graph);
  }

  #scan({ blocks }: Region): void {
    for (const { ir } of blocks) {
      for (let i = 0; i < ir.count; i++) {
        this.#markOperands(ir, i);
        if (ir.d[i] !== NONE && ir.op[i] !== OP.callv) {
          mark(this.used, ir.d[i]);
          mark(this.written, ir.d[i]);
        }
        if (KIND[ir.op[i]] === "call") this.#scanCall(ir, i);
      }
    }
    this.used.low |= this.written.low;
    this.used.high |= this.written.high;
  }

  #scanCall(ir: IrCode, i: number): void {
    const { vector, anything, writes, xmm } = this.effect(ir, i);
    if (anything) return;
    for (const slot of this.intrinsic(ir, i)?.slots ?? []) mark(this.used, slot);
    this.used.high |= xmm;
    this.written.low |= writes;
    this.used.low |= writes;
    if (vector) {
      const [destination, source] = places(ir, i);
      mark(this.written, destination);
      mark(this.used, source);
    }
  }

  effect(ir: IrCode, i: number): Effect {
    return effectOf(this.#helperName(ir.c[i]));
  }

  intrinsic(ir: IrCode, i: number): Intrinsic | undefined {
    const known = (value: Value): number | undefined => {
      if (value === NONE) return 0;
      const at = value - CONST_BASE;
      return at >= 0 && ir.constHigh[at] === 0 ? ir.constLow[at] : undefined;
    };
    return intrinsicFor(this.#helperName(ir.c[i]), { a: known(ir.a[i]), b: known(ir.b[i]), imm: ir.e[i] });
  }

  #markOperands(ir: IrCode, i: number): void {
    const kind = KIND[ir.op[i]];
    if (kind === "envLoad" || kind === "label" || kind === "branch" || kind === "exit") return;
    if (ir.a[i] !== NONE && kind !== "envStore") mark(this.used, ir.a[i]);
    if (ir.b[i] !== NONE) mark(this.used, ir.b[i]);
    if (kind === "select") {
      mark(this.used, ir.c[i]);
      mark(this.used, ir.e[i]);
    }
  }

  /** What a node makes dirty, and what it makes clean before. */
  #summary(ir: IrCode, node: Node): { makes: SlotSet; cleans: SlotSet } {
    const makes: SlotSet = { low: 0, high: 0 };
    const cleans: SlotSet = { low: 0, high: 0 };
    for (let i = node.from; i < node.to; i++) {
      const intrinsic = KIND[ir.op[i]] === "call" ? this.intrinsic(ir, i) : undefined;
      if (intrinsic) {
        if (intrinsic.result === "vector") mark(makes, places(ir, i)[0]);
        else makes.low |= this.effect(ir, i).writes;
      } else if (KIND[ir.op[i]] === "call") {
        const spill = spillSet(ir, i, this.effect(ir, i), EVERYTHING);
        makes.low &= ~spill.low;
        makes.high &= ~spill.high;
        cleans.low |= spill.low;
        cleans.high |= spill.high;
      }
      if (ir.d[i] !== NONE && ir.op[i] !== OP.callv) mark(makes, ir.d[i]);
    }
    return { makes, cleans };
  }

  #flow({ nodes, blocks }: Region, graph: Graph): SlotSet[] {
    const { order, predecessors } = graph;
    const into = nodes.map((): SlotSet => ({ low: 0, high: 0 }));
    const out = nodes.map((): SlotSet => ({ low: 0, high: 0 }));
    const summaries = nodes.map((node) => this.#summary(blocks[node.block].ir, node));
    for (let changed = true; changed; ) {
      changed = false;
      for (const n of order) {
        const dirty = into[n];
        for (const from of predecessors[n]) {
          dirty.low |= out[from].low;
          dirty.high |= out[from].high;
        }
        const { makes, cleans } = summaries[n];
        const low = (dirty.low & ~cleans.low) | makes.low;
        const high = (dirty.high & ~cleans.high) | makes.high;
        if (low === out[n].low && high === out[n].high) continue;
        out[n] = { low, high };
        changed = true;
      }
    }
    return into;
  }
}

/** The vectors that a helper's immediate names: destination, source. */
export function places(ir: IrCode, i: number): [Value, Value] {
  return [ir.e[i] & 0xffff, (ir.e[i] >>> 16) & 0xffff];
}

/** The first byte of the vector that holds `slot`. */
export function homeOf(slot: Value): Value {
  const base = isVectorTemp(slot) ? ENV.vtemps : ENV.xmm;
  return base + ((slot - base) & ~15);
}

export function laneOf(slot: Value): number {
  return ((slot - (isVectorTemp(slot) ? ENV.vtemps : ENV.xmm)) >> 3) & 1;
}

export function* vectorsOf(bits: number): Generator<Value> {
  for (let index = 0; index < XMM_COUNT; index++) if (bits & (1 << index)) yield xmmOffset(index);
}
