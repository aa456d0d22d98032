/** What the floppy controller keeps, and what its numbers mean. */

import { array, bool, defineState, group, type State, u8, u16 } from "../../../core/state/state.ts";

export const SECTOR = 512;
/** N of a sector: 128 << 2 bytes. */
export const SIZE_CODE = 2;
const FIFO_SIZE = 32;

// Phases.
export const PHASE_RESET = 0;
export const PHASE_COMMAND = 1;
export const PHASE_PARAMETERS = 2;
export const PHASE_EXECUTION = 3;
/** Non-DMA execution: the host reads or writes the buffer. */
export const PHASE_HOST_READS = 4;
export const PHASE_HOST_WRITES = 5;
export const PHASE_RESULT = 6;

// What execution waits for.
export const STAGE_NONE = 0;
export const STAGE_FETCH = 1;
export const STAGE_COMMIT = 2;
export const STAGE_DMA = 3;

// Operations on sectors.
export const OP_READ = 1;
export const OP_WRITE = 2;
export const OP_VERIFY = 3;
export const OP_READ_TRACK = 4;
export const OP_READ_DELETED = 5;
export const OP_FORMAT = 6;

export const FDC_STATE = defineState("isa-fdc", 1, {
  dor: u8,
  tdr: u8,
  /** DSR without the reset bit, and the data rate that CCR shares with it. */
  dsr: u8,
  rate: u8,
  phase: u8,
  stage: u8,
  irq: bool,
  /** A reset waits for a backend request to complete. */
  resetting: bool,
  /** Parameter or result bytes, how many there are, and the next one. */
  fifo: array(u8, FIFO_SIZE),
  length: u8,
  position: u8,
  // What the configuration commands set.
  stepRate: u8,
  headLoad: u8,
  config: u8,
  precompensation: u8,
  locked: bool,
  perpendicular: u8,
  powerdown: u8,
  /** ST0 that SENSE INTERRUPT STATUS delivers for each drive; 0 is none. */
  sense: array(u8, 4),
  // The transfer under way.
  operation: u8,
  drive: u8,
  head: u8,
  multiTrack: bool,
  seeked: bool,
  cylinder: u8,
  idHead: u8,
  sector: u8,
  sizeCode: u8,
  endOfTrack: u8,
  /** Sectors left: FORMAT's SC, VERIFY's SC with EC set. */
  left: u16,
  filler: u8,
  terminalCount: bool,
  marks: u8,
  dmaRetries: u8,
  /** Bytes of the buffer that the host has moved, and how many it has to. */
  moved: u16,
  wanted: u16,
  drives: group(2, { track: u8, changed: bool }),
  buffer: array(u8, SECTOR),
});

export type FdcState = State<typeof FDC_STATE>;
