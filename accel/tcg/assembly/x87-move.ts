/** x87 loads, stores, exchanges, conditional moves and constants. See the head of x87.ts. */

import { ENV_FP_CONTROL } from "./generated/env";
import { checkAlignment, loadU16, loadU64, probeWrite, storeU16, storeU32, storeU64 } from "./mmu";
import {
  A,
  addFlags,
  classOf,
  DE,
  DENORMAL,
  expOf,
  F32,
  F64,
  FLAGS,
  IE,
  INFINITE,
  NORMAL,
  OE,
  PE,
  pack32,
  pack64,
  pack80se,
  R,
  RC_ZERO,
  ROUNDED_UP,
  roundTo,
  setUnpacked,
  signOf,
  sigOf,
  toInteger,
  UE,
  unpack80,
  unpackInt,
  ZERO,
} from "./softfloat/core";
import {
  BCD_MAX,
  begin,
  checkPending,
  commit,
  IMM_TRUNCATE,
  IMM_UNCHECKED,
  INDEFINITE,
  INDEFINITE_SE,
  isEmpty,
  KIND_BCD,
  KIND_I16,
  KIND_I32,
  KIND_M32,
  KIND_M64,
  KIND_M80,
  modeOf,
  nanResult1,
  overflow,
  pop,
  push,
  recordPointer,
  SW_SF,
  setEmpty,
  st,
  storeIndefinite,
  underflow,
  unpackOperand,
} from "./x87";

/** Whether a push would overflow; then IE, SF and C1 are set and, if masked, the indefinite value is pushed. */
function overflows(env: u32): bool {
  if (isEmpty(env, 7)) return false;
  if (overflow(env)) push(env, INDEFINITE, INDEFINITE_SE);
  return true;
}

/** FLD, FILD and FBLD from memory: a = the operand's bits, or its address for the 80-bit kinds. */
export function x87Load(env: u32, a: u64, rip: u64, imm: i32): u64 {
  const kind = (<u32>imm >> 16) & 15;
  let sig: u64 = 0;
  let se: u32 = 0;
  checkPending(env);
  if (kind >= KIND_M80) {
    sig = loadU64(env, a);
    se = <u32>loadU16(env, a + 8);
  }
  recordPointer(env, rip, imm);
  store<u32>(env + FLAGS, 0);
  if (overflows(env)) return 0;
  if (kind === KIND_M80) {
    commit(env, 0);
    push(env, sig, se);
    return 0;
  }
  const p = env + R;
  if (kind === KIND_BCD) {
    let value: u64 = 0;
    for (let digit = 17; digit >= 0; digit--) {
      const nibble = digit >= 16 ? (se >> ((digit - 16) << 2)) & 15 : <u32>(sig >> ((<u64>digit) << 2)) & 15;
      value = value * 10 + nibble;
    }
    unpackInt(p, <i64>value);
    store<u32>(p, se >> 15, 12);
  } else {
    unpackOperand(env, env + A, kind, a, 0);
    const cls = classOf(env + A);
    if (!nanResult1(env, env + A)) {
      if (cls === DENORMAL) addFlags(env, DE);
      setUnpacked(p, cls === DENORMAL ? NORMAL : cls, signOf(env + A), expOf(env + A), sigOf(env + A));
    }
  }
  // A denormal is pushed even where DE is unmasked.
  if (commit(env, load<u32>(env + FLAGS)) & IE) return 0;
  push(env, sigOf(p), pack80se(p));
  return 0;
}

/** FLD ST(i) */
export function x87LoadSt(env: u32, _a: u64, rip: u64, imm: i32): u64 {
  begin(env, rip, imm);
  if (isEmpty(env, imm & 7)) {
    if (underflow(env)) push(env, INDEFINITE, INDEFINITE_SE);
    return 0;
  }
  if (overflows(env)) return 0;
  commit(env, 0);
  const slot = st(env, imm & 7);
  push(env, load<u64>(slot), load<u32>(slot, 8));
  return 0;
}

/** FLD1 .. FLDZ: truncated significand, exponent, and whether nearest rounds up. */
const CONSTANTS = memory.data<u64>([
  0x8000000000000000, 0x3fff, 0xd49a784bcd1b8afe, 0x4000, 0xb8aa3b295c17f0bb, 0x13fff, 0xc90fdaa22168c234, 0x14000,
  0x9a209a84fbcff798, 0x13ffd, 0xb17217f7d1cf79ab, 0x13ffe, 0, 0,
]);

/** FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ: modrm E8..EE. */
export function x87LoadConstant(env: u32, _a: u64, rip: u64, imm: i32): u64 {
  begin(env, rip, imm);
  if (overflows(env)) return 0;
  commit(env, 0);
  const index = <u32>imm & 7;
  const sig = load<u64>(CONSTANTS + (index << 4));
  const word = load<u32>(CONSTANTS + (index << 4), 8);
  const rc = (load<u32>(env + ENV_FP_CONTROL) >> 10) & 3;
  const exact = index === 0 || index === 6;
  const up = !exact && (rc === 2 || (rc === 0 && word >> 16 !== 0));
  push(env, up ? sig + 1 : sig, word & 0xffff);
  return 0;
}

/** FST, FSTP, FIST, FISTP, FISTTP and FBSTP to memory at a. */
export function x87Store(env: u32, address: u64, rip: u64, imm: i32): u64 {
  checkPending(env);
  store<u32>(env + FLAGS, 0);
  const kind = (<u32>imm >> 16) & 15;
  const control = load<u32>(env + ENV_FP_CONTROL);
  const mode = modeOf(control);
  const unmasked = ~control & 0x3f;
  const p = env + A;
  const empty = isEmpty(env, 0);
  const slot = st(env, 0);
  let value: u64 = load<u64>(slot);
  let se = load<u32>(slot, 8);
  if (empty) {
    addFlags(env, IE | SW_SF);
    value = INDEFINITE;
    se = INDEFINITE_SE;
  }
  unpack80(p, value, se);
  if (kind === KIND_M32 || kind === KIND_M64) {
    const cls = classOf(p);
    if (!nanResult1(env, p)) {
      if (cls === ZERO || cls === INFINITE) setUnpacked(env + R, cls, signOf(p), 0, sigOf(p));
      else roundTo(env, signOf(p), expOf(p), sigOf(p), 0, kind === KIND_M32 ? F32 : F64, mode);
    }
    value = kind === KIND_M32 ? <u64>pack32(env + R) : pack64(env + R);
  } else if (kind === KIND_BCD) {
    const integer = toInteger(env, p, 64, mode & 3);
    let magnitude = <u64>(integer < 0 ? -integer : integer);
    if (load<u32>(env + FLAGS) & IE || magnitude > BCD_MAX) {
      store<u32>(env + FLAGS, IE | (load<u32>(env + FLAGS) & SW_SF));
      value = INDEFINITE;
      se = INDEFINITE_SE;
    } else {
      value = 0;
      for (let digit: u64 = 0; digit < 16; digit++) {
        value |= (magnitude % 10) << (digit << 2);
        magnitude /= 10;
      }
      se = <u32>((magnitude % 10) | ((magnitude / 10) << 4)) | (signOf(p) << 15);
    }
  } else if (kind !== KIND_M80) {
    const bits = kind === KIND_I16 ? 16 : kind === KIND_I32 ? 32 : 64;
    value = <u64>toInteger(env, p, bits, <u32>imm & IMM_TRUNCATE ? RC_ZERO : mode & 3);
  }
  let flags = load<u32>(env + FLAGS);
  if (flags & unmasked & (IE | OE | UE)) {
    flags &= ~(PE | ROUNDED_UP);
  } else {
    if (kind === KIND_I16) {
      storeU16(env, address, value);
    } else if (kind === KIND_M32 || kind === KIND_I32) {
      storeU32(env, address, value);
    } else if (kind < KIND_M80) {
      storeU64(env, address, value);
    } else {
      checkAlignment(env, address, 8);
      probeWrite(env, address, 10);
      storeU64(env, address, value);
      storeU16(env, address + 8, <u64>se);
    }
    if ((imm >> 24) & 3) pop(env);
  }
  recordPointer(env, rip, imm);
  commit(env, flags);
  return 0;
}

/** FST ST(i), FSTP ST(i) */
export function x87StoreSt(env: u32, _a: u64, rip: u64, imm: i32): u64 {
  begin(env, rip, imm);
  const destination = st(env, imm & 7);
  if (isEmpty(env, 0) && <u32>imm & IMM_UNCHECKED) {
    commit(env, 0);
    pop(env);
    return 0;
  }
  if (isEmpty(env, 0)) {
    if (!underflow(env)) return 0;
    storeIndefinite(destination);
  } else {
    commit(env, 0);
    const slot = st(env, 0);
    store<u64>(destination, load<u64>(slot));
    store<u64>(destination, load<u64>(slot, 8), 8);
  }
  setEmpty(env, imm & 7, 0);
  if ((imm >> 24) & 3) pop(env);
  return 0;
}

/** FXCH */
export function x87Exchange(env: u32, _a: u64, rip: u64, imm: i32): u64 {
  begin(env, rip, imm);
  const i = <u32>imm & 7;
  const s0 = st(env, 0);
  const si = st(env, i);
  if (isEmpty(env, 0) || isEmpty(env, i)) {
    if (!underflow(env)) return 0;
    if (isEmpty(env, 0)) storeIndefinite(s0);
    if (isEmpty(env, i)) storeIndefinite(si);
    setEmpty(env, 0, 0);
    setEmpty(env, i, 0);
  } else {
    commit(env, 0);
  }
  const sig = load<u64>(s0);
  const se = load<u64>(s0, 8);
  store<u64>(s0, load<u64>(si));
  store<u64>(s0, load<u64>(si, 8), 8);
  store<u64>(si, sig);
  store<u64>(si, se, 8);
  return 0;
}

/** FCMOVcc: a = the condition. */
export function x87ConditionalMove(env: u32, condition: u64, rip: u64, imm: i32): u64 {
  begin(env, rip, imm);
  const i = <u32>imm & 7;
  const s0 = st(env, 0);
  if (isEmpty(env, 0) || isEmpty(env, i)) {
    if (underflow(env)) {
      storeIndefinite(s0);
      setEmpty(env, 0, 0);
    }
    return 0;
  }
  if (condition) {
    const si = st(env, i);
    store<u64>(s0, load<u64>(si));
    store<u64>(s0, load<u64>(si, 8), 8);
  }
  return 0;
}
