/** All opcode rows. */

import type { OpcodeRow } from "./insn.ts";
import { INTEGER_ROWS } from "./rows-integer.ts";
import { SSE_ROWS } from "./rows-sse.ts";
import { SSE_FLOAT_ROWS } from "./rows-sse-float.ts";
import { SSE4_ROWS } from "./rows-sse4.ts";
import { STRING_ROWS } from "./rows-strings.ts";
import { SYSTEM_ROWS } from "./rows-system.ts";
import { X87_ROWS } from "./rows-x87.ts";

export const OPCODE_ROWS: readonly OpcodeRow[] = [
  ...INTEGER_ROWS,
  ...STRING_ROWS,
  ...SYSTEM_ROWS,
  ...SSE_ROWS,
  ...SSE_FLOAT_ROWS,
  ...SSE4_ROWS,
  ...X87_ROWS,
];
