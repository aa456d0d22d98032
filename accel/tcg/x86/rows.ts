/** All opcode rows. */

import type { OpcodeRow } from "./insn.ts";
import { INTEGER_ROWS } from "./rows-integer.ts";

export const ALL_ROWS: readonly OpcodeRow[] = [...INTEGER_ROWS];
