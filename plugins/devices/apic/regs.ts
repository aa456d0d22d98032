/** Local APIC registers and bits: Intel SDM volume 3, section 12.4, as byte offsets in the memory-mapped page. */

export const APIC_ID = 0x020;
export const APIC_VERSION = 0x030;
export const APIC_TPR = 0x080;
export const APIC_APR = 0x090;
export const APIC_PPR = 0x0a0;
export const APIC_EOI = 0x0b0;
export const APIC_LDR = 0x0d0;
export const APIC_DFR = 0x0e0;
export const APIC_SVR = 0x0f0;
export const APIC_ISR = 0x100;
export const APIC_TMR = 0x180;
export const APIC_IRR = 0x200;
export const APIC_ESR = 0x280;
export const APIC_ICR_LOW = 0x300;
export const APIC_ICR_HIGH = 0x310;
export const APIC_LVT_TIMER = 0x320;
export const APIC_LVT_ERROR = 0x370;
export const APIC_INITIAL_COUNT = 0x380;
export const APIC_CURRENT_COUNT = 0x390;
export const APIC_DIVIDE = 0x3e0;
/** x2APIC only. */
export const APIC_SELF_IPI = 0x3f0;

/** Indices of the local vector table, in register order from 320h on. */
export const LVT_TIMER = 0;
export const LVT_THERMAL = 1;
export const LVT_PERFORMANCE = 2;
export const LVT_LINT0 = 3;
export const LVT_LINT1 = 4;
export const LVT_ERROR = 5;
export const LVT_COUNT = 6;

export const LVT_DELIVERY_STATUS = 1 << 12;
export const LVT_REMOTE_IRR = 1 << 14;
export const LVT_LEVEL = 1 << 15;
export const LVT_MASKED = 1 << 16;
export const LVT_TIMER_MODE = 0b11 << 17;
export const LVT_TIMER_PERIODIC = 0b01 << 17;
export const LVT_TIMER_TSC_DEADLINE = 0b10 << 17;
/** What can be written in each entry. */
export const LVT_WRITABLE = [0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff];

export const SVR_ENABLE = 0x100;

export const ESR_SEND_ILLEGAL_VECTOR = 0x20;
export const ESR_RECEIVE_ILLEGAL_VECTOR = 0x40;
export const ESR_ILLEGAL_REGISTER = 0x80;

// Interrupt command register.
export const ICR_LOGICAL = 1 << 11;
export const ICR_ASSERT = 1 << 14;
export const ICR_LEVEL = 1 << 15;
export const ICR_WRITABLE = 0x000ccfff;

// IA32_APIC_BASE.
export const BASE_BSP = 1 << 8;
export const BASE_EXTD = 1 << 10;
export const BASE_ENABLE = 1 << 11;
export const BASE_DEFAULT = 0xfee0_0000;

/** 14h: integrated APIC of the Pentium 4 line; highest local vector table entry 5. */
export const VERSION_VALUE = 0x0005_0014;
