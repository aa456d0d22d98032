/**
 * The x87 unit: Intel SDM volume 1, chapter 8. Registers are kept in physical order; ST(i) is register (TOP + i) & 7.
 *
 * Helpers take the instruction's offset (rip) in b and this in imm: FOP in bits 0-10, the memory operand's segment + 1 in
 * bits 11-13, the operand's kind in bits 16-19, the operation in bits 20-22, pops in bits 24-25, flags above. Status and
 * registers change only after the last memory access, and not at all where an unmasked exception suppresses the result.
 */

import { EXC_MF, raise } from "./fault";
import { getFlags, setFlags } from "./flags";
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
import { checkAlignment, loadU16, loadU64, probeWrite, storeU16, storeU32, storeU64 } from "./mmu";
import { CR0_NE } from "./registers";
import {
  A,
  addFlags,
  arithmetic,
  B,
  classOf,
  DE,
  DENORMAL,
  expOf,
  F32,
  F64,
  F80,
  F80_24,
  F80_53,
  FLAGS,
  IE,
  INFINITE,
  invalid,
  MODE_UNMASKED,
  mulHigh,
  NORMAL,
  OE,
  OP_MUL,
  order,
  PE,
  pack32,
  pack64,
  pack80se,
  QNAN,
  QUIET,
  R,
  RC_ZERO,
  ROUNDED_UP,
  roundTo,
  roundToInteger,
  SNAN,
  setUnpacked,
  signOf,
  sigOf,
  squareRoot,
  TOP_BIT,
  toInteger,
  UE,
  UNSUPPORTED,
  unpack32,
  unpack64,
  unpack80,
  unpackInt,
  ZE,
  ZERO,
} from "./softfloat/core";
import { remainder, unchanged } from "./softfloat/remainder";

export const SW_IE: u32 = 0x01;
export const SW_SF: u32 = 0x40;
export const SW_ES: u32 = 0x80;
export const SW_C0: u32 = 0x100;
export const SW_C1: u32 = 0x200;
export const SW_C2: u32 = 0x400;
export const SW_C3: u32 = 0x4000;
export const SW_B: u32 = 0x8000;

/** Operand kinds. */
export const KIND_ST: u32 = 0;
export const KIND_M32: u32 = 1;
export const KIND_M64: u32 = 2;
export const KIND_I16: u32 = 3;
export const KIND_I32: u32 = 4;
export const KIND_I64: u32 = 5;
export const KIND_M80: u32 = 6;
export const KIND_BCD: u32 = 7;

const IMM_DEST_STI: u32 = 1 << 26;
/** FUCOM family: quiet NaNs are no invalid operands. */
const IMM_QUIET: u32 = 1 << 27;
/** FCOMI family: the result goes to EFLAGS. */
const IMM_EFLAGS: u32 = 1 << 28;
/** FISTTP */
const IMM_TRUNCATE: u32 = 1 << 29;

/** FSTP as D9 D8+i: an empty ST(0) is popped and nothing else happens. */
const IMM_UNCHECKED: u32 = 1 << 30;

const INDEFINITE: u64 = 0xc000000000000000;
const INDEFINITE_SE: u32 = 0xffff;
const BCD_MAX: u64 = 999999999999999999;

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

function formatOf(control: u32): i32 {
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

function recordPointer(env: u32, rip: u64, imm: u32): void {
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

/** Whether a push would overflow; then IE, SF and C1 are set and, if masked, the indefinite value is pushed. */
function overflows(env: u32): bool {
  if (isEmpty(env, 7)) return false;
  if (overflow(env)) push(env, INDEFINITE, INDEFINITE_SE);
  return true;
}

function unpackOperand(env: u32, p: u32, kind: u32, value: u64, i: u32): void {
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

const UNORDERED: u32 = SW_C3 | SW_C2 | SW_C0;

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
