/** The slots that both back ends keep in locals, as sets: bit masks as in effects.ts. */

import { ENV, regOffset } from "../env.ts";
import { CONST_BASE, type IrCode, type Value } from "../ir/builder.ts";
import { OP } from "../ir/ops.ts";

const REGISTERS = 16;
const FLAG_OPERANDS = 5;

/** How many of them there are. */
export const SLOT_COUNT = REGISTERS + FLAG_OPERANDS;

/** By slot: its bit, or -1. */
export const SLOT_BIT = new Int8Array(CONST_BASE >> 3).fill(-1);
for (let i = 0; i < REGISTERS; i++) SLOT_BIT[regOffset(i) >> 3] = i;
for (let i = 0; i < FLAG_OPERANDS; i++) SLOT_BIT[(ENV.ccOp >> 3) + i] = REGISTERS + i;

/** The slots of a set. */
export function* slotsOf(set: number): Generator<Value> {
  for (let bit = 0; bit < SLOT_COUNT; bit++) {
    if (set & (1 << bit)) yield bit < REGISTERS ? regOffset(bit) : ENV.ccOp + (bit - REGISTERS) * 8;
  }
}

/** Whether a block has calls to helpers that go by env.rip being the block's start. */
export function callsOut({ op, count }: IrCode): boolean {
  for (let i = 0; i < count; i++) if (op[i] === OP.call || op[i] === OP.callv) return true;
  return false;
}
