/**
 * Which guest registers and flag operands a region keeps in local variables, and which of them may differ from env at
 * the start of each node. Sets are bit masks as in jit/effects.ts.
 */

import { CONST_BASE, type IrCode, NONE, type Value } from "../ir/builder.ts";
import { OP_ROWS } from "../ir/ops.ts";
import { ALL_SLOTS, type Effect, effectOf } from "../jit/effects.ts";
import type { Graph } from "../jit/graph.ts";
import type { Node, Region } from "../jit/region.ts";
import { SLOT_BIT } from "../jit/slots.ts";

const KIND = OP_ROWS.map(({ kind }) => kind);

/** The bit of a slot that lives in local variables, or -1. */
export function slotBit(slot: Value): number {
  return slot < 0 || slot >= CONST_BASE ? -1 : SLOT_BIT[slot >> 3];
}

/** As a set. */
export function slotSet(slot: Value): number {
  const bit = slotBit(slot);
  return bit < 0 ? 0 : 1 << bit;
}

/** What a call needs in env before, of what is there to write. */
export function neededBy({ throws, reads }: Effect): number {
  return throws ? ALL_SLOTS : reads;
}

export class RegisterUse {
  readonly used: number;
  readonly written: number;
  /** By node. */
  readonly dirty: Int32Array;
  readonly #helperName: (number: number) => string;

  constructor(region: Region, graph: Graph, helperName: (number: number) => string) {
    this.#helperName = helperName;
    let read = 0;
    let written = 0;
    for (const { ir } of region.blocks) {
      for (let i = 0; i < ir.count; i++) {
        for (const operand of operandsOf(ir, i)) read |= slotSet(operand);
        written |= slotSet(ir.d[i]);
        if (KIND[ir.op[i]] !== "call") continue;
        const { anything, writes } = this.effect(ir, i);
        if (!anything) written |= writes;
      }
    }
    this.used = read | written;
    this.written = written;
    this.dirty = this.#flow(region, graph);
  }

  effect(ir: IrCode, i: number): Effect {
    return effectOf(this.#helperName(ir.c[i]));
  }

  /** What a node makes dirty, and what it makes clean first. */
  #summary(ir: IrCode, { from, to }: Node): { makes: number; cleans: number } {
    let makes = 0;
    let cleans = 0;
    for (let i = from; i < to; i++) {
      if (KIND[ir.op[i]] === "call") {
        const needed = neededBy(this.effect(ir, i));
        makes &= ~needed;
        cleans |= needed;
      }
      makes |= slotSet(ir.d[i]);
    }
    return { makes, cleans };
  }

  #flow({ nodes, blocks }: Region, { order, predecessors }: Graph): Int32Array {
    const into = new Int32Array(nodes.length);
    const out = new Int32Array(nodes.length);
    const summaries = nodes.map((node) => this.#summary(blocks[node.block].ir, node));
    for (let changed = true; changed; ) {
      changed = false;
      for (const n of order) {
        for (const from of predecessors[n]) into[n] |= out[from];
        const { makes, cleans } = summaries[n];
        const result = (into[n] & ~cleans) | makes;
        if (result !== out[n]) changed = true;
        out[n] = result;
      }
    }
    return into;
  }
}

/** The slots and constants that op `i` reads. */
function operandsOf(ir: IrCode, i: number): Value[] {
  switch (KIND[ir.op[i]]) {
    case "envLoad":
    case "label":
    case "branch":
    case "exit":
      return [];
    case "envStore":
      return [ir.b[i]];
    case "select":
      return [ir.a[i], ir.b[i], ir.c[i], ir.e[i]];
    default:
      return [ir.a[i], ir.b[i]].filter((value) => value !== NONE);
  }
}
