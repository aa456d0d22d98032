/**
 * The interpreter's instruction set, derived from the IR rows. An instruction is one or two 8-byte words:
 *
 *     word 1   opcode u16, d u16, a u16, b u16      slots are byte offsets in env
 *     word 2   an immediate; or displacement i32 and scale; or link target; or helper index and immediate
 *
 * Branches keep their distance in `d`, signed, in words from their own start.
 */

import { OP_ROWS, type OpRow } from "../ir/ops.ts";

/** What the operands of an interpreter instruction are. */
export type Form =
  /** Slots only. */
  | "slots"
  /** b is the 64-bit immediate in word 2. */
  | "immediate"
  /** Address forms, with displacement and scale in word 2. */
  | "base"
  | "index"
  | "baseIndex"
  /** A look-up that notes its target. */
  | "history"
  /** An exit that first moves rip on, by the displacement in a and b; addresses have 64 or 32 bits. */
  | "jump64"
  | "jump32"
  /** What "slots" or "immediate" does, and then ccOp becomes b. */
  | "slotsFlags"
  | "immediateFlags"
  /** As "immediateFlags", and the immediate is the flags' operand ccSrc. */
  | "immediateOperand"
  /** A store at a + displacement, whose address then goes into b. */
  | "update"
  /** A load at a, which then adds the displacement to b. */
  | "advance";

export interface InterpOp {
  readonly row: OpRow;
  readonly form: Form;
  /** Loads and stores with an address computation in them: 32 or 64 bits. */
  readonly addressBits?: 32 | 64;
  readonly words: number;
}

/** An exit whose target is computed remembers where it led: addresses (8 bytes each) after its first word. */
export const HISTORY = 8;

const STACK_FORM = { store: "update", load: "advance" } as const;

const list: InterpOp[] = [];
const index = new Map<string, number>();

function add(op: InterpOp): void {
  index.set(key(op.row.name, op.form, op.addressBits), list.length);
  list.push(op);
}

function key(name: string, form: Form, bits: number | undefined): string {
  return `${name}/${form}/${bits ?? 0}`;
}

/** Runs a compiled region: word 2 is its place in the table of regions and its number. Compiled code knows the opcode. */
const REGION: OpRow = { name: "region", kind: "region" };
add({ row: REGION, form: "slots", words: 2 });

for (const row of OP_ROWS) {
  switch (row.kind) {
    case "label":
      break;
    case "pure":
    case "condBranch":
      add({ row, form: "slots", words: 1 });
      if (!/^[il]=(ii|ll)$/.test(row.signature ?? "")) break;
      add({ row, form: "immediate", words: 2 });
      if (row.kind !== "pure") break;
      add({ row, form: "immediateFlags", words: 2 });
      if (/^(add|sub)/.test(row.name)) add({ row, form: "immediateOperand", words: 2 });
      break;
    case "mov":
      add({ row, form: "slots", words: 1 });
      if (row.name !== "mov") break;
      add({ row, form: "immediate", words: 2 });
      add({ row, form: "slotsFlags", words: 1 });
      break;
    case "lea":
      for (const form of ["base", "index", "baseIndex"] as const) add({ row, form, words: 2 });
      break;
    case "load":
    case "store":
      add({ row, form: "slots", words: 1 });
      for (const form of ["base", "index", "baseIndex"] as const) {
        // A store's value takes the place of d, so the forms are the same.
        for (const addressBits of [32, 64] as const) add({ row, form, addressBits, words: 2 });
      }
      // Pushes and pops.
      if (row.name === "st64" || row.name === "ld64")
        add({ row, form: STACK_FORM[row.kind], addressBits: 64, words: 2 });
      if (row.name === "st32" || row.name === "ld32u")
        add({ row, form: STACK_FORM[row.kind], addressBits: 32, words: 2 });
      break;
    case "select":
    case "call":
      add({ row, form: "slots", words: 2 });
      break;
    case "exit":
      add({ row, form: "slots", words: row.name === "exit_chain" ? 2 : 1 });
      if (row.name === "exit_main") break;
      for (const form of ["jump64", "jump32"] as const) add({ row, form, words: row.name === "exit_chain" ? 2 : 1 });
      if (row.name === "exit_lookup") add({ row, form: "history", words: 1 + HISTORY });
      break;
    default:
      add({ row, form: "slots", words: 1 });
  }
}

export const INTERP_OPS: readonly InterpOp[] = list;

/** Number of the interpreter instruction for an IR row in a form. */
export function interpOpcode(name: string, form: Form, addressBits?: 32 | 64): number {
  const found = index.get(key(name, form, addressBits));
  if (found === undefined) throw new RangeError(`no interpreter form ${key(name, form, addressBits)}`);
  return found;
}
