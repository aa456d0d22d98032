/** Registers of the PC16550D (National Semiconductor, section 8.0). */

/** DLAB = 0: RBR on reads, THR on writes. DLAB = 1: divisor latch, low and high. */
export const RBR_THR_DLL = 0;
export const IER_DLM = 1;
/** IIR on reads, FCR on writes. */
export const IIR_FCR = 2;
export const LCR = 3;
export const MCR = 4;
export const LSR = 5;
export const MSR = 6;
export const SCR = 7;

export const IER_RDI = 0b0001;
export const IER_THRI = 0b0010;
export const IER_RLSI = 0b0100;
export const IER_MSI = 0b1000;

export const IIR_NONE = 0b0001;
export const IIR_MSI = 0b0000;
export const IIR_THRI = 0b0010;
export const IIR_RDI = 0b0100;
export const IIR_RLSI = 0b0110;
export const IIR_CTI = 0b1100;
export const IIR_FIFOS_ENABLED = 0b1100_0000;

export const FCR_ENABLE = 0b0000_0001;
export const FCR_CLEAR_RECEIVER = 0b0000_0010;
export const FCR_CLEAR_TRANSMITTER = 0b0000_0100;
export const FCR_TRIGGER_SHIFT = 6;
export const TRIGGER_LEVELS = [1, 4, 8, 14] as const;

export const LCR_WLS = 0b0000_0011;
export const LCR_STB = 0b0000_0100;
export const LCR_PEN = 0b0000_1000;
export const LCR_BREAK = 0b0100_0000;
export const LCR_DLAB = 0b1000_0000;

export const MCR_DTR = 0b0_0001;
export const MCR_RTS = 0b0_0010;
export const MCR_OUT1 = 0b0_0100;
export const MCR_OUT2 = 0b0_1000;
export const MCR_LOOP = 0b1_0000;
export const MCR_WRITABLE = 0b1_1111;

export const LSR_DR = 0b0000_0001;
export const LSR_OE = 0b0000_0010;
export const LSR_PE = 0b0000_0100;
export const LSR_FE = 0b0000_1000;
export const LSR_BI = 0b0001_0000;
export const LSR_THRE = 0b0010_0000;
export const LSR_TEMT = 0b0100_0000;
export const LSR_FIFO_ERROR = 0b1000_0000;

export const MSR_DCTS = 0b0000_0001;
export const MSR_DDSR = 0b0000_0010;
export const MSR_TERI = 0b0000_0100;
export const MSR_DDCD = 0b0000_1000;
export const MSR_CTS = 0b0001_0000;
export const MSR_DSR = 0b0010_0000;
export const MSR_RI = 0b0100_0000;
export const MSR_DCD = 0b1000_0000;

/** Input clock divided by 16: the rate with divisor 1. */
export const BAUD_BASE = 115_200;
export const FIFO_SIZE = 16;
