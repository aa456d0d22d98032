/**
 * What the helpers import from JavaScript: functions of module "host" (the name of this file is the module's name).
 * 64-bit values travel as BigInt.
 */

/** Throws the sentinel that unwinds to the run loop; the exception is in env. */
export declare function throwFault(): void;

/** Guest-physical access of 1, 2 or 4 bytes that is not plain memory. */
export declare function mmioRead(addressLow: u32, addressHigh: u32, size: i32): u32;
export declare function mmioWrite(addressLow: u32, addressHigh: u32, size: i32, value: u32): void;

/** After a store to a page that carries PAGE_CODE or PAGE_LOG; address in the shared memory. */
export declare function notifyWrite(hostAddress: u32, length: u32): void;

/** Whether the compiled region that runs was made from some of these bytes: 1 or 0. */
export declare function runsCode(hostAddress: u32, length: u32): i32;

/** Port access of 1, 2 or 4 bytes. */
export declare function portIn(port: u32, size: i32): u32;
export declare function portOut(port: u32, size: i32, value: u32): void;

/** CR8. */
export declare function readTpr(): u32;
export declare function writeTpr(value: u32): void;

/** The time-stamp counter. */
export declare function readTsc(): u64;

/** MSRs that are not plain state: 1 and the value in env.scratch[0], or 0 to raise #GP. */
export declare function readMsr(index: u32): i32;
/** Writes env.scratch[0]; 0 raises #GP. */
export declare function writeMsr(index: u32): i32;

/** 64 random bits. */
export declare function random(): u64;

/** Fills env.scratch[0..3] (as u64) with EAX, EBX, ECX and EDX of a CPUID leaf. */
export declare function cpuid(leaf: u32, subleaf: u32): void;

/** FERR#: an unmasked x87 exception while CR0.NE is clear. */
export declare function ferr(): void;

/** System Management Mode begins (1) or ends (0): the chipset shows or hides SMRAM. */
export declare function smmChanged(active: u32): void;
