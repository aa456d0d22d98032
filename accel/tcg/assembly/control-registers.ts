/**
 * Control, debug and descriptor-table registers. Intel SDM volume 3, sections 2.4 to 2.6, 10.8.5 (entering IA-32e mode)
 * and 18.2. The privilege level was checked by the translator; everything else is checked here.
 */

import { checkGeneralDetect, DR6_FIXED, DR7_FIXED } from "./debug";
import { EXC_GP, EXC_UD, raise, raiseError } from "./fault";
import { updateHflags } from "./flags";
import {
  ENV_CR0,
  ENV_CR2,
  ENV_CR3,
  ENV_CR4,
  ENV_DR,
  ENV_EFER,
  ENV_EFLAGS,
  ENV_FEATURES,
  ENV_GDT_BASE,
  ENV_GDT_LIMIT,
  ENV_HFLAGS,
  ENV_IDT_BASE,
  ENV_IDT_LIMIT,
  ENV_LDT_SELECTOR,
  ENV_SEG_ATTR,
  ENV_TR_ATTR,
  ENV_TR_SELECTOR,
  ENV_XCR0,
  HF_CPL,
  HF_CS64,
} from "./generated/env";
import { readTpr, writeTpr } from "./host";
import { isCanonical, loadU16, loadU32, loadU64, storeU16, storeU32, storeU64 } from "./mmu";
import { loadPdptes } from "./paging-registers";
import {
  ATTR_L,
  CR0_AM,
  CR0_CD,
  CR0_EM,
  CR0_ET,
  CR0_MP,
  CR0_NE,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR0_TS,
  CR0_WP,
  CR4_DE,
  CR4_FSGSBASE,
  CR4_MCE,
  CR4_OSFXSR,
  CR4_OSXMMEXCPT,
  CR4_OSXSAVE,
  CR4_PAE,
  CR4_PCE,
  CR4_PGE,
  CR4_PSE,
  CR4_SMAP,
  CR4_SMEP,
  CR4_TSD,
  CR4_UMIP,
  EFER_LMA,
  EFER_LME,
  EFLAGS_VM,
  SEG_CS,
} from "./registers";
import { attrType, cplOf, isLongMode, TYPE_TSS16_BUSY } from "./segments";
import { flushPage, flushTlb } from "./tlb";

const CR0_WRITABLE: u64 = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG;
/** Where CR3 may hold address bits in long mode. */
const CR3_RESERVED: u64 = ~((1 << 40) - 1);

export function hasFeature(env: u32, word: u32, bit: u32): bool {
  return ((load<u32>(env + ENV_FEATURES + word * 4) >> bit) & 1) !== 0;
}

function when(condition: bool, bits: u64): u64 {
  return condition ? bits : 0;
}

/** The bits of CR4 that this CPU model has. */
function cr4Writable(env: u32): u64 {
  return (
    CR4_PCE |
    when(hasFeature(env, 0, 4), CR4_TSD) |
    when(hasFeature(env, 0, 2), CR4_DE) |
    when(hasFeature(env, 0, 3), CR4_PSE) |
    when(hasFeature(env, 0, 6), CR4_PAE) |
    when(hasFeature(env, 0, 7), CR4_MCE) |
    when(hasFeature(env, 0, 13), CR4_PGE) |
    when(hasFeature(env, 0, 24), CR4_OSFXSR) |
    when(hasFeature(env, 0, 25), CR4_OSXMMEXCPT) |
    when(hasFeature(env, 3, 2), CR4_UMIP) |
    when(hasFeature(env, 2, 0), CR4_FSGSBASE) |
    when(hasFeature(env, 1, 26), CR4_OSXSAVE) |
    when(hasFeature(env, 2, 7), CR4_SMEP) |
    when(hasFeature(env, 2, 20), CR4_SMAP)
  );
}

function general(env: u32): void {
  raiseError(env, EXC_GP, 0);
}

function writeCr0(env: u32, value: u64): void {
  const old = load<u64>(env + ENV_CR0);
  if (value >> 32) general(env);
  if (value & CR0_PG && !(value & CR0_PE)) general(env);
  if (value & CR0_NW && !(value & CR0_CD)) general(env);
  value = (value & CR0_WRITABLE) | CR0_ET;
  const changed = old ^ value;
  const cr4 = load<u64>(env + ENV_CR4);
  const efer = load<u64>(env + ENV_EFER);
  if (changed & CR0_PG) {
    if (value & CR0_PG) {
      if (efer & EFER_LME) {
        const code64 = load<u32>(env + ENV_SEG_ATTR + SEG_CS * 4) & ATTR_L;
        const is16 = attrType(load<u32>(env + ENV_TR_ATTR)) <= TYPE_TSS16_BUSY;
        if (!(cr4 & CR4_PAE) || code64 || is16) general(env);
        store<u64>(env + ENV_EFER, efer | EFER_LMA);
      }
    } else if (efer & EFER_LMA) {
      if (load<u32>(env + ENV_HFLAGS) & HF_CS64) general(env);
      store<u64>(env + ENV_EFER, efer & ~EFER_LMA);
    }
  }
  if (
    value & CR0_PG &&
    cr4 & CR4_PAE &&
    !isLongMode(env) &&
    changed & (CR0_PG | CR0_CD | CR0_NW) &&
    !loadPdptes(env, load<u64>(env + ENV_CR3))
  ) {
    general(env);
  }
  store<u64>(env + ENV_CR0, value);
  if (changed & (CR0_PG | CR0_WP | CR0_PE)) flushTlb(env, 1);
  updateHflags(env);
}

function writeCr3(env: u32, value: u64): void {
  if (isLongMode(env)) {
    if (value & CR3_RESERVED) general(env);
  } else {
    value &= 0xffffffff;
    if (load<u64>(env + ENV_CR4) & CR4_PAE && load<u64>(env + ENV_CR0) & CR0_PG && !loadPdptes(env, value)) {
      general(env);
    }
  }
  store<u64>(env + ENV_CR3, value);
  flushTlb(env, 0);
}

function writeCr4(env: u32, value: u64): void {
  const changed = load<u64>(env + ENV_CR4) ^ value;
  if (value & ~cr4Writable(env)) general(env);
  if (isLongMode(env)) {
    if (!(value & CR4_PAE)) general(env);
  } else if (
    value & CR4_PAE &&
    load<u64>(env + ENV_CR0) & CR0_PG &&
    changed & (CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP) &&
    !loadPdptes(env, load<u64>(env + ENV_CR3))
  ) {
    general(env);
  }
  store<u64>(env + ENV_CR4, value);
  if (changed & (CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP | CR4_SMAP)) flushTlb(env, 1);
  updateHflags(env);
}

/** IR: MOV to control register `imm` (0, 2, 3, 4 or 8). */
export function writeControl(env: u32, a: u64, _b: u64, imm: i32): u64 {
  if (imm === 0) writeCr0(env, a);
  else if (imm === 2) store<u64>(env + ENV_CR2, a);
  else if (imm === 3) writeCr3(env, a);
  else if (imm === 4) writeCr4(env, a);
  else {
    if (a > 15) general(env);
    writeTpr(<u32>a);
  }
  return 0;
}

/** IR: CR8. */
export function readCr8(_env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  return readTpr();
}

/** IR: LMSW of `a`: PE can be set but not cleared. */
export function lmsw(env: u32, a: u64, _b: u64, _imm: i32): u64 {
  const old = load<u64>(env + ENV_CR0);
  writeCr0(env, (old & ~(CR0_MP | CR0_EM | CR0_TS)) | (a & 15));
  return 0;
}

/** IR: CLTS. */
export function clts(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  store<u64>(env + ENV_CR0, load<u64>(env + ENV_CR0) & ~CR0_TS);
  updateHflags(env);
  return 0;
}

/** IR: INVLPG of linear address `a`. */
export function invlpg(env: u32, a: u64, _b: u64, _imm: i32): u64 {
  flushPage(env, a);
  return 0;
}

// --- Debug registers.

/** The register behind a number: 4 and 5 are 6 and 7, or #UD with CR4.DE. */
function debugIndex(env: u32, index: i32): i32 {
  if (index === 4 || index === 5) {
    if (load<u64>(env + ENV_CR4) & CR4_DE) raise(env, EXC_UD);
    return index + 2;
  }
  return index;
}

/** IR: MOV from debug register `imm`. */
export function readDebug(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const index = debugIndex(env, imm);
  checkGeneralDetect(env);
  return load<u64>(env + ENV_DR + index * 8);
}

/** IR: MOV of `a` to debug register `imm`. */
export function writeDebug(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const index = debugIndex(env, imm);
  checkGeneralDetect(env);
  if (index >= 6) {
    if (a >> 32) general(env);
    a = index === 6 ? (a & 0xe00f) | DR6_FIXED : (a & 0xffff2bff) | DR7_FIXED;
  }
  store<u64>(env + ENV_DR + index * 8, a);
  if (index !== 6) flushTlb(env, 1);
  updateHflags(env);
  return 0;
}

// --- Descriptor-table registers.

/** #GP(0) for SGDT, SIDT, SLDT, SMSW and STR outside ring 0 under CR4.UMIP. */
function checkUmip(env: u32): void {
  if (load<u64>(env + ENV_CR4) & CR4_UMIP && load<u32>(env + ENV_HFLAGS) & HF_CPL) general(env);
}

/** IR: LGDT (imm bit 4 clear) and LIDT (set) from linear address `a`; bits 3..0: 2 for a 24-bit base, 4, or 8. */
export function loadTable(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const size = imm & 15;
  const limit = <u32>loadU16(env, a);
  const base = size === 8 ? loadU64(env, a + 2) : loadU32(env, a + 2) & (size === 2 ? 0xffffff : 0xffffffff);
  if (size === 8 && !isCanonical(base)) general(env);
  store<u32>(env + (imm & 16 ? ENV_IDT_LIMIT : ENV_GDT_LIMIT), limit);
  store<u64>(env + (imm & 16 ? ENV_IDT_BASE : ENV_GDT_BASE), base);
  return 0;
}

/** IR: SGDT and SIDT to linear address `a`; imm as for `loadTable`. */
export function storeTable(env: u32, a: u64, _b: u64, imm: i32): u64 {
  checkUmip(env);
  const base = load<u64>(env + (imm & 16 ? ENV_IDT_BASE : ENV_GDT_BASE));
  storeU16(env, a, load<u32>(env + (imm & 16 ? ENV_IDT_LIMIT : ENV_GDT_LIMIT)));
  if ((imm & 15) === 8) storeU64(env, a + 2, base);
  else storeU32(env, a + 2, base);
  return 0;
}

/** IR: what SLDT (imm 0), STR (1) and SMSW (2) read. */
export function storeSystem(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  if (imm !== 2) {
    if (!(load<u64>(env + ENV_CR0) & CR0_PE) || (load<u64>(env + ENV_EFLAGS) & EFLAGS_VM) !== 0) raise(env, EXC_UD);
  }
  checkUmip(env);
  if (imm === 2) return load<u64>(env + ENV_CR0);
  return load<u32>(env + (imm === 0 ? ENV_LDT_SELECTOR : ENV_TR_SELECTOR));
}

// --- Extended control registers.

/** IR: the value of XCR `a`. */
export function readXcr(env: u32, a: u64, _b: u64, _imm: i32): u64 {
  if (!(load<u64>(env + ENV_CR4) & CR4_OSXSAVE)) raise(env, EXC_UD);
  const index = <u32>a;
  if (index !== 0 && !(index === 1 && hasFeature(env, 7, 2))) general(env);
  return load<u64>(env + ENV_XCR0);
}

/** IR: XSETBV: XCR `a` = `b`. */
export function writeXcr(env: u32, a: u64, b: u64, _imm: i32): u64 {
  if (!(load<u64>(env + ENV_CR4) & CR4_OSXSAVE)) raise(env, EXC_UD);
  // x87 cannot be switched off; only x87 and SSE state exist.
  if (cplOf(env) !== 0 || <u32>a !== 0 || !(b & 1) || b & ~3) general(env);
  store<u64>(env + ENV_XCR0, b);
  return 0;
}
