/** One instruction as text, whatever CPU model runs: for the monitor. */

import { type CodeSize, createInsn, DECODE_MORE, Decoder } from "./decoder.ts";
import { format } from "./format.ts";
import { OPCODE_ROWS } from "./rows.ts";

const insn = createInsn(OPCODE_ROWS[0]);
let decoder: Decoder | undefined;

/** The instruction at the head of `bytes`; undefined when there are too few of them for one. `address` is its own. */
export function disassemble(
  bytes: Uint8Array,
  codeSize: CodeSize,
  address: bigint,
): { length: number; text: string } | undefined {
  decoder ??= new Decoder(OPCODE_ROWS);
  if (bytes.length === 0) return undefined;
  const length = decoder.decode(insn, bytes, 0, bytes.length, codeSize);
  if (length === DECODE_MORE) return undefined;
  return length > 0 ? { length, text: format(insn, address) } : { length: 1, text: "(bad)" };
}
