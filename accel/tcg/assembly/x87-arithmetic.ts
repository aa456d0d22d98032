/** x87 arithmetic: FADD to FDIVR, FSQRT, FPREM, FPREM1, FRNDINT, FSCALE, FXTRACT. See the head of x87.ts. */

import { ENV_FP_CONTROL, ENV_FP_STATUS } from "./generated/env";
import {
  A,
  addFlags,
  arithmetic,
  B,
  classOf,
  DE,
  DENORMAL,
  expOf,
  F80,
  FLAGS,
  IE,
  INFINITE,
  invalid,
  MODE_UNMASKED,
  mulHigh,
  NORMAL,
  OP_MUL,
  PE,
  pack80se,
  R,
  ROUNDED_UP,
  roundTo,
  roundToInteger,
  setUnpacked,
  signOf,
  sigOf,
  squareRoot,
  TOP_BIT,
  unpackInt,
  ZE,
  ZERO,
} from "./softfloat/core";
import { remainder, unchanged } from "./softfloat/remainder";
import {
  begin,
  commit,
  formatOf,
  IMM_DEST_STI,
  INDEFINITE,
  INDEFINITE_SE,
  isEmpty,
  KIND_ST,
  modeOf,
  nanResult,
  nanResult1,
  overflow,
  pop,
  push,
  SW_C0,
  SW_C1,
  SW_C2,
  SW_C3,
  setEmpty,
  st,
  storeIndefinite,
  storeResult,
  UNORDERED,
  underflow,
  unpackOperand,
  unpackSt,
} from "./x87";

/**
 * destination = a op b (add, mul, sub, subr) for normal operands and result, 64-bit precision and round to nearest.
 * Returns false, and has done nothing, when the general way has to be taken.
 */
function fastArithmetic(env: u32, destination: u32, pa: u32, pb: u32, op: i32): bool {
  let a = load<u64>(pa);
  let b = load<u64>(pb);
  const sa = load<u32>(pa, 8);
  const sb = load<u32>(pb, 8);
  let ea = <i32>(sa & 0x7fff);
  let eb = <i32>(sb & 0x7fff);
  if (!((a & b) >> 63) || ea === 0 || eb === 0 || ea === 0x7fff || eb === 0x7fff) return false;
  let sign: u32;
  let exp: i32;
  let high: u64;
  let low: u64;
  if (op === OP_MUL) {
    sign = (sa ^ sb) & 0x8000;
    exp = ea + eb - 16382;
    high = mulHigh(a, b);
    low = a * b;
    if (!(high >> 63)) {
      high = (high << 1) | (low >> 63);
      low <<= 1;
      exp--;
    }
  } else {
    sign = (sa & 0x8000) ^ (op === 5 ? 0x8000 : 0);
    let other = (sb & 0x8000) ^ (op === 4 ? 0x8000 : 0);
    if (ea < eb || (ea === eb && a < b)) {
      const e = ea;
      ea = eb;
      eb = e;
      const s = a;
      a = b;
      b = s;
      const t = sign;
      sign = other;
      other = t;
    }
    const shift = ea - eb;
    if (shift >= 64) return false;
    exp = ea;
    low = shift ? b << (64 - shift) : 0;
    b >>= shift;
    if (sign === other) {
      high = a + b;
      if (high < a) {
        low = (low >> 1) | (high << 63) | (low & 1);
        high = (high >> 1) | TOP_BIT;
        exp++;
      }
    } else {
      high = a - b - u64(low !== 0);
      low = 0 - low;
      if (high === 0) return false;
      const lead = <i32>clz(high);
      if (lead) {
        high = (high << lead) | (low >> (64 - lead));
        low <<= lead;
        exp -= lead;
      }
    }
  }
  const up = low > TOP_BIT || (low === TOP_BIT && (high & 1) !== 0);
  if (up) {
    high++;
    if (high === 0) {
      high = TOP_BIT;
      exp++;
    }
  }
  if (exp < 1 || exp > 0x7ffe) return false;
  commit(env, low !== 0 ? PE | (up ? ROUNDED_UP : 0) : 0);
  store<u64>(destination, high);
  store<u64>(destination, <u64>(sign | exp), 8);
  return true;
}

/** FADD, FMUL, FSUB(R), FDIV(R) in all forms. a = memory operand's bits. */
export function x87Arithmetic(env: u32, a: u64, rip: u64, imm: i32): u64 {
  begin(env, rip, imm);
  const kind = (<u32>imm >> 16) & 15;
  const op = (imm >> 20) & 7;
  const i = <u32>imm & 7;
  const toSti = (<u32>imm & IMM_DEST_STI) !== 0;
  const pops = (<u32>imm >> 24) & 3;
  const destination = st(env, toSti ? i : 0);
  if (isEmpty(env, 0) || (kind === KIND_ST && isEmpty(env, i))) {
    if (underflow(env)) {
      storeIndefinite(destination);
      setEmpty(env, toSti ? i : 0, 0);
      if (pops) pop(env);
    }
    return 0;
  }
  const control = load<u32>(env + ENV_FP_CONTROL);
  // 64-bit precision, nearest
  if (kind === KIND_ST && op < 6 && (control & 0xf00) === 0x300) {
    if (fastArithmetic(env, destination, destination, st(env, toSti ? 0 : i), op)) {
      if (pops) pop(env);
      return 0;
    }
  }
  // The first operand is the destination.
  let pa = env + A;
  let pb = env + B;
  if (toSti) {
    unpackSt(env, pa, i);
    unpackSt(env, pb, 0);
  } else {
    unpackSt(env, pa, 0);
    unpackOperand(env, pb, kind, a, i);
  }
  if (!nanResult(env, pa, pb)) {
    if (op === 5 || op === 7) {
      const p = pa;
      pa = pb;
      pb = p;
    }
    arithmetic(env, pa, pb, op & ~(op >> 2), formatOf(control), modeOf(control));
  }
  if (commit(env, load<u32>(env + FLAGS)) & (IE | DE | ZE)) return 0;
  storeResult(env, destination);
  if (pops) pop(env);
  return 0;
}

/** FSQRT, FRNDINT, FSCALE, FXTRACT, FPREM, FPREM1: modrm F4..FD. */
export function x87Unary(env: u32, _a: u64, rip: u64, imm: i32): u64 {
  begin(env, rip, imm);
  const op = imm & 0x1f;
  const binary = op === 0x15 || op === 0x18 || op === 0x1d;
  const slot = st(env, 0);
  // FPREM and FPREM1 clear C2 unless the reduction stays incomplete.
  if (op === 0x15 || op === 0x18) store<u32>(env + ENV_FP_STATUS, load<u32>(env + ENV_FP_STATUS) & ~SW_C2);
  if (isEmpty(env, 0) || (binary && isEmpty(env, 1))) {
    if (underflow(env)) {
      storeIndefinite(slot);
      setEmpty(env, 0, 0);
      if (op === 0x14) push(env, INDEFINITE, INDEFINITE_SE);
    }
    return 0;
  }
  const control = load<u32>(env + ENV_FP_CONTROL);
  const mode = modeOf(control);
  const pa = env + A;
  const pb = env + B;
  unpackSt(env, pa, 0);
  if (op === 0x14) {
    extract(env, slot);
    return 0;
  }
  if (binary) {
    unpackSt(env, pb, 1);
    if (!nanResult(env, pa, pb)) {
      if (op === 0x1d) {
        scale(env, pa, pb, mode);
      } else {
        const quotient = remainder(env, pa, pb, op === 0x15, mode);
        const flags = load<u32>(env + FLAGS);
        if (!(flags & IE) && !(flags & DE & (mode >> MODE_UNMASKED))) {
          let codes: u32 = 0;
          if (quotient & 8) codes = SW_C2;
          if (quotient & 4) codes |= SW_C0;
          if (quotient & 2) codes |= SW_C3;
          if (quotient & 1) addFlags(env, SW_C1);
          store<u32>(env + ENV_FP_STATUS, (load<u32>(env + ENV_FP_STATUS) & ~UNORDERED) | codes);
        }
      }
    }
  } else if (!nanResult1(env, pa)) {
    if (op === 0x1a) {
      squareRoot(env, pa, formatOf(control), mode);
    } else {
      if (classOf(pa) === DENORMAL) addFlags(env, DE);
      roundToInteger(env, pa, mode & 3);
    }
  }
  if (commit(env, load<u32>(env + FLAGS)) & (IE | DE)) return 0;
  storeResult(env, slot);
  return 0;
}

/** FSCALE: R = a * 2^trunc(b). */
function scale(env: u32, pa: u32, pb: u32, mode: u32): void {
  const ca = classOf(pa);
  const cb = classOf(pb);
  const sign = signOf(pa);
  const denormal: u32 = ca === DENORMAL || cb === DENORMAL ? DE : 0;
  if (cb === INFINITE) {
    if (signOf(pb) ? ca === INFINITE : ca === ZERO) {
      invalid(env);
      return;
    }
    addFlags(env, denormal);
    setUnpacked(env + R, signOf(pb) ? ZERO : INFINITE, sign, 0, signOf(pb) ? 0 : TOP_BIT);
    return;
  }
  addFlags(env, denormal);
  if (ca === ZERO || ca === INFINITE) {
    setUnpacked(env + R, ca, sign, 0, sigOf(pa));
    return;
  }
  if (cb === ZERO) {
    unchanged(env, pa);
    return;
  }
  let distance: i32 = 0;
  if (expOf(pb) >= 0) {
    distance = expOf(pb) > 16 ? 0x20000 : <i32>(sigOf(pb) >> (63 - expOf(pb)));
    if (signOf(pb)) distance = -distance;
  }
  roundTo(env, sign, expOf(pa) + distance, sigOf(pa), 0, F80, mode);
  // A wrapped exponent that still does not fit: massive overflow or underflow.
  const r = env + R;
  if (classOf(r) === NORMAL) {
    if (expOf(r) > 16383) {
      addFlags(env, PE | ROUNDED_UP);
      setUnpacked(r, INFINITE, sign, 0, TOP_BIT);
    } else if (expOf(r) < -16382) {
      addFlags(env, PE);
      setUnpacked(r, ZERO, sign, 0, 0);
    }
  }
}

/** FXTRACT */
function extract(env: u32, slot: u32): void {
  if (!isEmpty(env, 7)) {
    if (overflow(env)) {
      storeIndefinite(slot);
      push(env, INDEFINITE, INDEFINITE_SE);
    }
    return;
  }
  const p = env + A;
  const cls = classOf(p);
  const sign = signOf(p);
  const sig = sigOf(p);
  if (nanResult1(env, p)) {
    if (commit(env, load<u32>(env + FLAGS)) & IE) return;
    storeResult(env, slot);
    push(env, sigOf(env + R), pack80se(env + R));
    return;
  }
  if (cls === ZERO) {
    if (commit(env, ZE) & ZE) return;
    store<u64>(slot, TOP_BIT);
    store<u64>(slot, 0xffff, 8);
    push(env, 0, sign << 15);
    return;
  }
  if (cls === INFINITE) {
    commit(env, 0);
    store<u64>(slot, TOP_BIT);
    store<u64>(slot, 0x7fff, 8);
    push(env, TOP_BIT, (sign << 15) | 0x7fff);
    return;
  }
  if (commit(env, cls === DENORMAL ? DE : 0) & DE) return;
  unpackInt(env + R, <i64>expOf(p));
  storeResult(env, slot);
  push(env, sig, (sign << 15) | 0x3fff);
}
