/**
 * The x87 unit: Intel SDM volume 1, chapter 8. Here is what its instructions share, and those that move no data; the
 * others are in the files beside this one. Registers are kept in physical order; ST(i) is register (TOP + i) & 7.
 *
 * Helpers take the instruction's offset (rip) in b and this in imm: FOP in bits 0-10, the memory operand's segment + 1 in
 * bits 11-13, the operand's kind in bits 16-19, the operation in bits 20-22, pops in bits 24-25, flags above. Status and
 * registers change only after the last memory access, and not at all where an unmasked exception suppresses the result.
 */

import { EXC_MF, raise } from "./fault";
import {
  ENV_CR0,
  ENV_FP_CONTROL,
  ENV_FP_CS,
  ENV_FP_DS,
  ENV_FP_EMPTY,
  ENV_FP_IP,
  ENV_FP_OPCODE,
  ENV_FP_STATUS,
  ENV_FP_TOP,
  ENV_FPR,
  ENV_SEG_SELECTOR,
} from "./generated/env";
import { ferr } from "./host";
import { CR0_NE } from "./registers";
import {
  addFlags,
  classOf,
  DE,
  F80,
  F80_24,
  F80_53,
  FLAGS,
  IE,
  invalid,
  MODE_UNMASKED,
  OE,
  PE,
  pack80se,
  QNAN,
  QUIET,
  R,
  ROUNDED_UP,
  SNAN,
  setUnpacked,
  signOf,
  sigOf,
  UE,
  UNSUPPORTED,
  unpack32,
  unpack64,
  unpack80,
  unpackInt,
  ZE,
} from "./softfloat/core";

export const SW_IE: u32 = 0x01;
export const SW_SF: u32 = 0x40;
export const SW_ES: u32 = 0x80;
export const SW_C0: u32 = 0x100;
export const SW_C1: u32 = 0x200;
export const SW_C2: u32 = 0x400;
export const SW_C3: u32 = 0x4000;
export const SW_B: u32 = 0x8000;
/** What a comparison with a NaN sets, and all that comparisons change. */
export const UNORDERED: u32 = SW_C3 | SW_C2 | SW_C0;

/** Operand kinds. */
export const KIND_ST: u32 = 0;
export const KIND_M32: u32 = 1;
export const KIND_M64: u32 = 2;
export const KIND_I16: u32 = 3;
export const KIND_I32: u32 = 4;
export const KIND_I64: u32 = 5;
export const KIND_M80: u32 = 6;
export const KIND_BCD: u32 = 7;

export const IMM_DEST_STI: u32 = 1 << 26;
/** FUCOM family: quiet NaNs are no invalid operands. */
export const IMM_QUIET: u32 = 1 << 27;
/** FCOMI family: the result goes to EFLAGS. */
export const IMM_EFLAGS: u32 = 1 << 28;
/** FISTTP */
export const IMM_TRUNCATE: u32 = 1 << 29;

/** FSTP as D9 D8+i: an empty ST(0) is popped and nothing else happens. */
export const IMM_UNCHECKED: u32 = 1 << 30;

export const INDEFINITE: u64 = 0xc000000000000000;
export const INDEFINITE_SE: u32 = 0xffff;
export const BCD_MAX: u64 = 999999999999999999;

export function st(env: u32, i: u32): u32 {
  return env + ENV_FPR + (((load<u32>(env + ENV_FP_TOP) + i) & 7) << 4);
}

export function isEmpty(env: u32, i: u32): bool {
  return load<u8>(env + ENV_FP_EMPTY + ((load<u32>(env + ENV_FP_TOP) + i) & 7)) !== 0;
}

export function setEmpty(env: u32, i: u32, empty: u8): void {
  store<u8>(env + ENV_FP_EMPTY + ((load<u32>(env + ENV_FP_TOP) + i) & 7), empty);
}

export function modeOf(control: u32): u32 {
  return ((control >> 10) & 3) | ((~control & 0x3f) << MODE_UNMASKED);
}

export function formatOf(control: u32): i32 {
  const pc = (control >> 8) & 3;
  return pc === 0 ? F80_24 : pc === 2 ? F80_53 : F80;
}

/** Reports an unmasked exception that an earlier instruction left: #MF, or FERR# where CR0.NE is clear. */
export function pendingException(env: u32): void {
  if (load<u64>(env + ENV_CR0) & CR0_NE) raise(env, EXC_MF);
  // DEVIATION: hardware waits for the interrupt before the instruction, we take it after it. The instruction leaves no
  // pointer to itself, so that the handler finds the one to blame.
  ferr();
}

export function checkPending(env: u32): void {
  if (load<u32>(env + ENV_FP_STATUS) & SW_ES) pendingException(env);
}

export function recordPointer(env: u32, rip: u64, imm: u32): void {
  store<u64>(env + ENV_FP_IP, rip);
  store<u32>(env + ENV_FP_OPCODE, imm & 0x7ff);
  store<u32>(env + ENV_FP_CS, load<u32>(env + ENV_SEG_SELECTOR + 4));
  const segment = (imm >> 11) & 7;
  if (segment) store<u32>(env + ENV_FP_DS, load<u32>(env + ENV_SEG_SELECTOR + (segment - 1) * 4));
}

export function begin(env: u32, rip: u64, imm: u32): void {
  if (load<u32>(env + ENV_FP_STATUS) & SW_ES) pendingException(env);
  else recordPointer(env, rip, imm);
  store<u32>(env + FLAGS, 0);
}

/** ES and B follow from exceptions and masks. */
export function summarize(env: u32): void {
  const status = load<u32>(env + ENV_FP_STATUS) & ~(SW_ES | SW_B);
  const pending = status & ~load<u32>(env + ENV_FP_CONTROL) & 0x3f;
  store<u32>(env + ENV_FP_STATUS, pending ? status | SW_ES | SW_B : status);
}

/**
 * Adds exceptions to the status word; C1 becomes bit 9 of `flags`. Returns the unmasked ones. An unmasked IE, DE or ZE
 * comes before the operation: nothing else is reported then.
 */
export function commit(env: u32, flags: u32): u32 {
  const unmasked = flags & ~load<u32>(env + ENV_FP_CONTROL) & 0x3f;
  if (unmasked & (IE | DE | ZE)) flags &= ~(OE | UE | PE | ROUNDED_UP);
  const status = (load<u32>(env + ENV_FP_STATUS) & ~SW_C1) | flags;
  store<u32>(env + ENV_FP_STATUS, unmasked ? status | SW_ES | SW_B : status);
  return unmasked;
}

export function pop(env: u32): void {
  const top = load<u32>(env + ENV_FP_TOP);
  store<u8>(env + ENV_FP_EMPTY + top, 1);
  store<u32>(env + ENV_FP_TOP, (top + 1) & 7);
}

export function push(env: u32, sig: u64, se: u32): void {
  const top = (load<u32>(env + ENV_FP_TOP) - 1) & 7;
  store<u32>(env + ENV_FP_TOP, top);
  store<u8>(env + ENV_FP_EMPTY + top, 0);
  store<u64>(env + ENV_FPR + (top << 4), sig);
  store<u64>(env + ENV_FPR + (top << 4), <u64>se, 8);
}

export function unpackSt(env: u32, p: u32, i: u32): void {
  const slot = st(env, i);
  unpack80(p, load<u64>(slot), load<u32>(slot, 8));
}

export function storeResult(env: u32, slot: u32): void {
  store<u64>(slot, sigOf(env + R));
  store<u64>(slot, <u64>pack80se(env + R), 8);
}

export function storeIndefinite(slot: u32): void {
  store<u64>(slot, INDEFINITE);
  store<u64>(slot, INDEFINITE_SE, 8);
}

/** Stack underflow: IE and SF with C1 clear. Returns false when the exception is unmasked. */
export function underflow(env: u32): bool {
  return (commit(env, IE | SW_SF) & IE) === 0;
}

/** Stack overflow: IE and SF with C1 set. Returns false when the exception is unmasked. */
export function overflow(env: u32): bool {
  const masked = (commit(env, IE | SW_SF) & IE) === 0;
  store<u32>(env + ENV_FP_STATUS, load<u32>(env + ENV_FP_STATUS) | SW_C1);
  return masked;
}

export function unpackOperand(env: u32, p: u32, kind: u32, value: u64, i: u32): void {
  if (kind === KIND_ST) unpackSt(env, p, i);
  else if (kind === KIND_M32) unpack32(p, <u32>value);
  else if (kind === KIND_M64) unpack64(p, value);
  else if (kind === KIND_I16) unpackInt(p, <i64>(<i16>value));
  else if (kind === KIND_I32) unpackInt(p, <i64>(<i32>value));
  else unpackInt(p, <i64>value);
}

/** R = the NaN that an operation with one operand yields; true if it is one. */
export function nanResult1(env: u32, p: u32): bool {
  const cls = classOf(p);
  if (cls < QNAN) return false;
  if (cls === UNSUPPORTED) {
    invalid(env);
  } else {
    if (cls === SNAN) addFlags(env, IE);
    setUnpacked(env + R, QNAN, signOf(p), 0, sigOf(p) | QUIET);
  }
  return true;
}

/** R = the NaN that an operation with two operands yields (SDM volume 1, table 4-7); true if it is one. */
export function nanResult(env: u32, pa: u32, pb: u32): bool {
  const ca = classOf(pa);
  const cb = classOf(pb);
  if (ca < QNAN && cb < QNAN) return false;
  if (ca === UNSUPPORTED || cb === UNSUPPORTED) {
    invalid(env);
    return true;
  }
  if (ca === SNAN || cb === SNAN) addFlags(env, IE);
  let p: u32 = 0;
  if (ca < QNAN) p = pb;
  else if (cb < QNAN) p = pa;
  else if (ca !== cb) p = ca === QNAN ? pa : pb;
  else if (sigOf(pa) !== sigOf(pb)) p = sigOf(pa) > sigOf(pb) ? pa : pb;
  else p = signOf(pa) ? pb : pa;
  setUnpacked(env + R, QNAN, signOf(p), 0, sigOf(p) | QUIET);
  return true;
}

/** FNOP and FWAIT: pending exceptions only. FNOP records the pointer, FWAIT (imm 0) does not. */
export function x87Wait(env: u32, _a: u64, rip: u64, imm: i32): u64 {
  checkPending(env);
  if (imm) recordPointer(env, rip, imm);
  return 0;
}

/** FENI, FDISI and FSETPM do nothing since the 387. */
export function x87Nop(_env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  return 0;
}

/** FINCSTP and FDECSTP: modrm F6, F7. */
export function x87Rotate(env: u32, _a: u64, rip: u64, imm: i32): u64 {
  begin(env, rip, imm);
  commit(env, 0);
  store<u32>(env + ENV_FP_TOP, (load<u32>(env + ENV_FP_TOP) + (imm & 1 ? 1 : 7)) & 7);
  return 0;
}

/** FFREE, and FFREEP where it pops. */
export function x87Free(env: u32, _a: u64, rip: u64, imm: i32): u64 {
  begin(env, rip, imm);
  commit(env, 0);
  setEmpty(env, imm & 7, 1);
  if ((imm >> 24) & 3) pop(env);
  return 0;
}
