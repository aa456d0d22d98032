/** All opcode rows. */

import type { OpcodeRow } from "./insn.ts";
import { INTEGER_ROWS } from "./rows-integer.ts";
import { X87_ROWS } from "./rows-x87.ts";

export const OPCODE_ROWS: readonly OpcodeRow[] = [...INTEGER_ROWS, ...X87_ROWS];
