/** 82441FX (PMC) configuration registers: Intel 290549, section 3.2. */

/** Programmable attribute map: two nibbles each, PAM0's low one unused. */
export const PAM0 = 0x59;
export const PAM6 = 0x5f;
/** DRAM row boundaries, in units of 8 MiB. */
export const DRB0 = 0x60;
export const DRB7 = 0x67;
export const SMRAM = 0x72;

/** Attribute bits in a PAM nibble. */
export const PAM_RE = 0b01;
export const PAM_WE = 0b10;

export const SMRAM_D_OPEN = 0b0100_0000;
export const SMRAM_D_CLS = 0b0010_0000;
export const SMRAM_D_LCK = 0b0001_0000;
export const SMRAM_G_SMRAME = 0b0000_1000;
/** C_BASE_SEG: hard-wired to A0000h. */
export const SMRAM_C_BASE_SEG = 0b0000_0010;

export const CONFIG_ENABLE = 0x8000_0000;
/** Reserved bits of CONFADD read as zero. */
export const CONFIG_MASK = 0x80ff_fffc;
