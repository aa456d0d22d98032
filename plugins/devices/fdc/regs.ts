/** Registers, bits and commands of the 82078 (Intel 290475), with the data sheet's spelling. */

// Ports, relative to 3F0h.
export const PORT_DOR = 2;
export const PORT_TDR = 3;
export const PORT_MSR = 4; // DSR when written
export const PORT_FIFO = 5;

export const DOR_DRIVE = 0b0000_0011;
export const DOR_RESET = 0b0000_0100; // active low
export const DOR_DMAGATE = 0b0000_1000;

export const MSR_CB = 0b0001_0000;
export const MSR_NDM = 0b0010_0000;
export const MSR_DIO = 0b0100_0000;
export const MSR_RQM = 0b1000_0000;

export const DSR_SW_RESET = 0b1000_0000;
export const RATE_MASK = 0b0000_0011;
export const RATE_500K = 0;
export const RATE_300K = 1;
export const RATE_250K = 2;
export const RATE_1M = 3;

export const DIR_DSKCHG = 0b1000_0000;

// Status register 0
export const ST0_DRIVE = 0b0000_0011;
export const ST0_H = 0b0000_0100;
export const ST0_EC = 0b0001_0000;
export const ST0_SE = 0b0010_0000;
export const ST0_ABNORMAL = 0b0100_0000;
export const ST0_INVALID = 0b1000_0000;
export const ST0_POLLING = 0b1100_0000;

// Status register 1
export const ST1_MA = 0b0000_0001;
export const ST1_NW = 0b0000_0010;
export const ST1_ND = 0b0000_0100;
export const ST1_OR = 0b0001_0000;
export const ST1_DE = 0b0010_0000;
export const ST1_EN = 0b1000_0000;

// Status register 2
export const ST2_WC = 0b0001_0000;
export const ST2_DD = 0b0010_0000;
export const ST2_CM = 0b0100_0000;

// Status register 3
export const ST3_HD = 0b0000_0100;
export const ST3_FIXED = 0b0010_1000;
export const ST3_T0 = 0b0001_0000;
export const ST3_WP = 0b0100_0000;

// Command bytes
export const CMD_MT = 0b1000_0000;
export const CMD_MFM = 0b0100_0000;
/** VERIFY, second byte: enable count. */
export const VERIFY_EC = 0b1000_0000;

// CONFIGURE, second byte
export const CONFIG_EIS = 0b0100_0000;
export const CONFIG_EFIFO = 0b0010_0000;
export const CONFIG_POLL = 0b0001_0000;
