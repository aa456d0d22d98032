/** x87 comparisons, FXAM, FCHS and FABS. See the head of x87.ts. */

import { getFlags, setFlags } from "./flags";
import { ENV_FP_STATUS } from "./generated/env";
import {
  A,
  addFlags,
  B,
  classOf,
  DE,
  DENORMAL,
  FLAGS,
  IE,
  INFINITE,
  NORMAL,
  order,
  QNAN,
  SNAN,
  UNSUPPORTED,
  unpack80,
  ZERO,
} from "./softfloat/core";
import {
  begin,
  commit,
  IMM_EFLAGS,
  IMM_QUIET,
  isEmpty,
  KIND_I64,
  KIND_ST,
  pop,
  SW_C0,
  SW_C1,
  SW_C2,
  SW_C3,
  setEmpty,
  st,
  storeIndefinite,
  UNORDERED,
  underflow,
  unpackOperand,
  unpackSt,
} from "./x87";

function setCondition(env: u32, imm: u32, codes: u32): void {
  if (imm & IMM_EFLAGS) {
    setFlags(env, (codes & SW_C0 ? 1 : 0) | (codes & SW_C2 ? 4 : 0) | (codes & SW_C3 ? 0x40 : 0));
  } else {
    store<u32>(env + ENV_FP_STATUS, (load<u32>(env + ENV_FP_STATUS) & ~UNORDERED) | codes);
  }
}

/** FCOM, FUCOM, FCOMI, FUCOMI, FICOM, FTST. The FCOMI family needs the lazy flags stored. */
export function x87Compare(env: u32, a: u64, rip: u64, imm: i32): u64 {
  begin(env, rip, imm);
  if (<u32>imm & IMM_EFLAGS) setFlags(env, getFlags(env));
  const kind = (<u32>imm >> 16) & 15;
  const pops = (<u32>imm >> 24) & 3;
  if (isEmpty(env, 0) || (kind === KIND_ST && isEmpty(env, imm & 7))) {
    setCondition(env, imm, UNORDERED);
    if (!underflow(env)) return 0;
  } else {
    const pa = env + A;
    const pb = env + B;
    unpackSt(env, pa, 0);
    unpackOperand(env, pb, kind, a, imm & 7);
    const ca = classOf(pa);
    const cb = classOf(pb);
    let codes = UNORDERED;
    if (ca >= QNAN || cb >= QNAN) {
      if (!(<u32>imm & IMM_QUIET) || ca >= SNAN || cb >= SNAN) addFlags(env, IE);
    } else {
      if (ca === DENORMAL || cb === DENORMAL) addFlags(env, DE);
      const result = order(pa, pb);
      codes = result < 0 ? SW_C0 : result === 0 ? SW_C3 : 0;
    }
    setCondition(env, imm, codes);
    // FCOMI and its kin leave C1 alone.
    const c1 = <u32>imm & IMM_EFLAGS ? load<u32>(env + ENV_FP_STATUS) & SW_C1 : 0;
    const unmasked = commit(env, load<u32>(env + FLAGS));
    store<u32>(env + ENV_FP_STATUS, load<u32>(env + ENV_FP_STATUS) | c1);
    if (unmasked) return 0;
  }
  if (pops) pop(env);
  if (pops === 2) pop(env);
  return 0;
}

/** FCHS, FABS, FTST, FXAM: modrm E0..E5. */
export function x87Sign(env: u32, a: u64, rip: u64, imm: i32): u64 {
  const op = imm & 7;
  // FTST compares with a zero in place of an integer operand.
  if (op === 4) return x87Compare(env, 0, rip, (imm & 0x7ff) | (KIND_I64 << 16));
  begin(env, rip, imm);
  const slot = st(env, 0);
  const se = load<u32>(slot, 8);
  if (op === 5) {
    unpack80(env + A, load<u64>(slot), se);
    const cls = classOf(env + A);
    let codes: u32 = 0;
    if (isEmpty(env, 0)) codes = SW_C3 | SW_C0;
    else if (cls === ZERO) codes = SW_C3;
    else if (cls === DENORMAL) codes = SW_C3 | SW_C2;
    else if (cls === NORMAL) codes = SW_C2;
    else if (cls === INFINITE) codes = SW_C2 | SW_C0;
    else if (cls !== UNSUPPORTED) codes = SW_C0;
    const status = load<u32>(env + ENV_FP_STATUS) & ~(UNORDERED | SW_C1);
    store<u32>(env + ENV_FP_STATUS, status | codes | (se & 0x8000 ? SW_C1 : 0));
    return 0;
  }
  if (isEmpty(env, 0)) {
    if (underflow(env)) {
      storeIndefinite(slot);
      setEmpty(env, 0, 0);
    }
    return 0;
  }
  commit(env, 0);
  store<u64>(slot, <u64>(op === 0 ? se ^ 0x8000 : se & 0x7fff), 8);
  return 0;
}
