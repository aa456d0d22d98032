/** Bits of control registers, EFLAGS, EFER and descriptors. Intel SDM volume 3, sections 2.3, 2.5, 3.4. */

export const CR0_PE: u64 = 1 << 0;
export const CR0_MP: u64 = 1 << 1;
export const CR0_EM: u64 = 1 << 2;
export const CR0_TS: u64 = 1 << 3;
export const CR0_ET: u64 = 1 << 4;
export const CR0_NE: u64 = 1 << 5;
export const CR0_WP: u64 = 1 << 16;
export const CR0_AM: u64 = 1 << 18;
export const CR0_NW: u64 = 1 << 29;
export const CR0_CD: u64 = 1 << 30;
export const CR0_PG: u64 = 1 << 31;

export const CR4_VME: u64 = 1 << 0;
export const CR4_PVI: u64 = 1 << 1;
export const CR4_TSD: u64 = 1 << 2;
export const CR4_DE: u64 = 1 << 3;
export const CR4_PSE: u64 = 1 << 4;
export const CR4_PAE: u64 = 1 << 5;
export const CR4_MCE: u64 = 1 << 6;
export const CR4_PGE: u64 = 1 << 7;
export const CR4_PCE: u64 = 1 << 8;
export const CR4_OSFXSR: u64 = 1 << 9;
export const CR4_OSXMMEXCPT: u64 = 1 << 10;
export const CR4_UMIP: u64 = 1 << 11;
export const CR4_FSGSBASE: u64 = 1 << 16;
export const CR4_OSXSAVE: u64 = 1 << 18;
export const CR4_SMEP: u64 = 1 << 20;
export const CR4_SMAP: u64 = 1 << 21;

export const EFLAGS_CF: u64 = 1 << 0;
export const EFLAGS_TF: u64 = 1 << 8;
export const EFLAGS_IF: u64 = 1 << 9;
export const EFLAGS_DF: u64 = 1 << 10;
export const EFLAGS_IOPL: u64 = 3 << 12;
export const EFLAGS_NT: u64 = 1 << 14;
export const EFLAGS_RF: u64 = 1 << 16;
export const EFLAGS_VM: u64 = 1 << 17;
export const EFLAGS_AC: u64 = 1 << 18;
export const EFLAGS_VIF: u64 = 1 << 19;
export const EFLAGS_VIP: u64 = 1 << 20;
export const EFLAGS_ID: u64 = 1 << 21;
/** CF PF AF ZF SF OF */
export const EFLAGS_ARITHMETIC: u64 = 0x8d5;

export const EFER_SCE: u64 = 1 << 0;
export const EFER_LME: u64 = 1 << 8;
export const EFER_LMA: u64 = 1 << 10;
export const EFER_NXE: u64 = 1 << 11;

// A descriptor's high word, as in segAttr.
export const ATTR_ACCESSED: u32 = 1 << 8;
/** Data: writable. Code: readable. */
export const ATTR_WR: u32 = 1 << 9;
/** Data: expand down. Code: conforming. */
export const ATTR_EC: u32 = 1 << 10;
export const ATTR_CODE: u32 = 1 << 11;
/** Code or data, not system. */
export const ATTR_S: u32 = 1 << 12;
export const ATTR_DPL_SHIFT: u32 = 13;
export const ATTR_P: u32 = 1 << 15;
export const ATTR_L: u32 = 1 << 21;
export const ATTR_DB: u32 = 1 << 22;
export const ATTR_G: u32 = 1 << 23;
export const ATTR_MASK: u32 = 0x00f0ff00;

export const SEG_ES: u32 = 0;
export const SEG_CS: u32 = 1;
export const SEG_SS: u32 = 2;
export const SEG_DS: u32 = 3;
export const SEG_FS: u32 = 4;
export const SEG_GS: u32 = 5;
