/** Opcode rows of the string instructions and of port I/O. */

import { cmps, input, ins, lods, movs, output, outs, scas, stos } from "../translate/strings.ts";
import type { OpcodeRow } from "./insn.ts";

export const STRING_ROWS: readonly OpcodeRow[] = [
  { map: 0, byte: 0x6c, name: "insb", operands: "Yb DX", emit: ins(true) },
  { map: 0, byte: 0x6d, name: "ins", operands: "Yz DX", emit: ins(false) },
  { map: 0, byte: 0x6e, name: "outsb", operands: "DX Xb", emit: outs(true) },
  { map: 0, byte: 0x6f, name: "outs", operands: "DX Xz", emit: outs(false) },
  { map: 0, byte: 0xa4, name: "movsb", operands: "Yb Xb", emit: movs(true) },
  { map: 0, byte: 0xa5, name: "movs", operands: "Yv Xv", emit: movs(false) },
  { map: 0, byte: 0xa6, name: "cmpsb", operands: "Xb Yb", emit: cmps(true) },
  { map: 0, byte: 0xa7, name: "cmps", operands: "Xv Yv", emit: cmps(false) },
  { map: 0, byte: 0xaa, name: "stosb", operands: "Yb AL", emit: stos(true) },
  { map: 0, byte: 0xab, name: "stos", operands: "Yv rAX", emit: stos(false) },
  { map: 0, byte: 0xac, name: "lodsb", operands: "AL Xb", emit: lods(true) },
  { map: 0, byte: 0xad, name: "lods", operands: "rAX Xv", emit: lods(false) },
  { map: 0, byte: 0xae, name: "scasb", operands: "AL Yb", emit: scas(true) },
  { map: 0, byte: 0xaf, name: "scas", operands: "rAX Yv", emit: scas(false) },
  { map: 0, byte: 0xe4, name: "in", operands: "AL Ib", emit: input(true, true) },
  { map: 0, byte: 0xe5, name: "in", operands: "eAX Ib", emit: input(false, true) },
  { map: 0, byte: 0xe6, name: "out", operands: "Ib AL", emit: output(true, true) },
  { map: 0, byte: 0xe7, name: "out", operands: "Ib eAX", emit: output(false, true) },
  { map: 0, byte: 0xec, name: "in", operands: "AL DX", emit: input(true, false) },
  { map: 0, byte: 0xed, name: "in", operands: "eAX DX", emit: input(false, false) },
  { map: 0, byte: 0xee, name: "out", operands: "DX AL", emit: output(true, false) },
  { map: 0, byte: 0xef, name: "out", operands: "DX eAX", emit: output(false, false) },
];
