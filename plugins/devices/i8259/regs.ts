/** Command words of the 8259A (Intel 231468, "Programming the 8259A"). */

export const ICW1_IC4 = 0b0000_0001;
export const ICW1_SNGL = 0b0000_0010;
/** Marks ICW1 among the writes to A0 = 0. */
export const ICW1_SELECT = 0b0001_0000;

export const ICW4_AEOI = 0b0000_0010;
export const ICW4_SFNM = 0b0001_0000;

/** OCW2: bits 7 to 5 are R, SL, EOI. */
export const OCW2_ROTATE_AEOI_CLEAR = 0b000;
export const OCW2_EOI = 0b001;
export const OCW2_EOI_SPECIFIC = 0b011;
export const OCW2_ROTATE_AEOI_SET = 0b100;
export const OCW2_ROTATE_EOI = 0b101;
export const OCW2_SET_PRIORITY = 0b110;
export const OCW2_ROTATE_EOI_SPECIFIC = 0b111;

export const OCW3_RIS = 0b0000_0001;
export const OCW3_RR = 0b0000_0010;
export const OCW3_P = 0b0000_0100;
/** Marks OCW3 among the writes to A0 = 0. */
export const OCW3_SELECT = 0b0000_1000;
export const OCW3_SMM = 0b0010_0000;
export const OCW3_ESMM = 0b0100_0000;

/** A read after the poll command: bit 7 says that an interrupt is there, bits 2 to 0 which. */
export const POLL_INTERRUPT = 0b1000_0000;

/** Inputs that may be made level triggered in ELCR1 (port 0x4d0) and ELCR2 (0x4d1): not IRQ 0, 1, 2, 8, 13. */
export const ELCR_WRITABLE = [0xf8, 0xde] as const;
