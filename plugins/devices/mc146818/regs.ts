/** Registers of the MC146818 (Motorola ADI-856). */

export const SECONDS = 0x00;
export const SECONDS_ALARM = 0x01;
export const MINUTES = 0x02;
export const MINUTES_ALARM = 0x03;
export const HOURS = 0x04;
export const HOURS_ALARM = 0x05;
export const DAY_OF_WEEK = 0x06;
export const DAY_OF_MONTH = 0x07;
export const MONTH = 0x08;
export const YEAR = 0x09;
export const REGISTER_A = 0x0a;
export const REGISTER_B = 0x0b;
export const REGISTER_C = 0x0c;
export const REGISTER_D = 0x0d;
/** The century, where PC boards keep it and where the PS/2 does. */
export const CENTURY = 0x32;
export const CENTURY_PS2 = 0x37;

/** Register A: update in progress, divider (DV2 to DV0), rate select. */
export const A_UIP = 0b1000_0000;
export const A_DV = 0b0111_0000;
export const A_RS = 0b0000_1111;
/** The divider runs up to this setting; the others hold it in reset. */
export const A_DV_32KHZ = 0b0010_0000;

export const B_SET = 0b1000_0000;
export const B_PIE = 0b0100_0000;
export const B_AIE = 0b0010_0000;
export const B_UIE = 0b0001_0000;
export const B_SQWE = 0b0000_1000;
/** Data mode: 1 binary, 0 BCD. */
export const B_DM = 0b0000_0100;
export const B_24_12 = 0b0000_0010;

/** Register C; PF, AF and UF stand where B has their enables. */
export const C_IRQF = 0b1000_0000;
export const C_PF = 0b0100_0000;
export const C_AF = 0b0010_0000;
export const C_UF = 0b0001_0000;

export const D_VRT = 0b1000_0000;

/** An alarm byte with both top bits set matches everything. */
export const ALARM_ANY = 0b1100_0000;
export const HOURS_PM = 0b1000_0000;
