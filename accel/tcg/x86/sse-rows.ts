/** How the tables of MMX and SSE instructions write their rows: every one has a mandatory prefix and a feature. */

import type { Emit } from "../translate/sse.ts";
import type { OpcodeMap, OpcodeRow } from "./insn.ts";

export type Extra = Partial<OpcodeRow>;

export const MEM: Extra = { mod: "mem" };
export const REG: Extra = { mod: "reg" };

export type AddRow = (
  map: OpcodeMap,
  prefix: OpcodeRow["prefix"],
  byte: number,
  name: string,
  operands: string,
  feature: string,
  emit: Emit,
  extra?: Extra,
) => void;

/** A function that adds rows to a list. */
export const rowsTo =
  (rows: OpcodeRow[]): AddRow =>
  (map, prefix, byte, name, operands, feature, emit, extra) => {
    rows.push({ map, byte, prefix, name, operands, feature, emit, ...extra });
  };
