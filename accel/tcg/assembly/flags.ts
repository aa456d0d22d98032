/**
 * EFLAGS: computing the lazy arithmetic flags, putting the whole register together, and deriving hflags.
 *
 * env.eflags holds what is neither arithmetic nor DF; bit 1 is added on the way out.
 */

import {
  CC_ADC,
  CC_ADCOX,
  CC_ADCX,
  CC_ADD,
  CC_ADOX,
  CC_BMI,
  CC_CARRY,
  CC_DEC,
  CC_EFLAGS,
  CC_IMUL,
  CC_INC,
  CC_LOGIC,
  CC_MUL,
  CC_POPCNT,
  CC_SAR,
  CC_SBB,
  CC_SHL,
  CC_SUB,
  ENV_CC_CARRY,
  ENV_CC_DST,
  ENV_CC_OP,
  ENV_CC_SRC,
  ENV_CC_SRC2,
  ENV_CR0,
  ENV_CR4,
  ENV_DF,
  ENV_DR,
  ENV_EFER,
  ENV_EFLAGS,
  ENV_HFLAGS,
  ENV_INHIBIT,
  ENV_SEG_ATTR,
  ENV_SEG_BASE,
  ENV_SEG_LIMIT,
  ENV_SMM,
  HF_ADDSEG,
  HF_CPL,
  HF_CS32,
  HF_CS64,
  HF_DEBUG,
  HF_EM,
  HF_INHIBIT,
  HF_IOPL_SHIFT,
  HF_LMA,
  HF_MP,
  HF_OSFXSR,
  HF_OSXSAVE,
  HF_PE,
  HF_RF,
  HF_SEGCHECK,
  HF_SMM,
  HF_SS32,
  HF_TF,
  HF_TS,
  HF_VM,
} from "./generated/env";
import { mulHighSigned } from "./integer";
import {
  ATTR_CODE,
  ATTR_DB,
  ATTR_EC,
  ATTR_L,
  ATTR_P,
  ATTR_S,
  ATTR_WR,
  CR0_EM,
  CR0_MP,
  CR0_PE,
  CR0_TS,
  CR4_OSFXSR,
  CR4_OSXSAVE,
  EFER_LMA,
  EFLAGS_ARITHMETIC,
  EFLAGS_DF,
  EFLAGS_RF,
  EFLAGS_TF,
  EFLAGS_VM,
  SEG_CS,
  SEG_DS,
  SEG_ES,
  SEG_SS,
} from "./registers";
import { selectTlb } from "./tlb";

const CF: u32 = 0x001;
const PF: u32 = 0x004;
const AF: u32 = 0x010;
const ZF: u32 = 0x040;
const SF: u32 = 0x080;
const OF: u32 = 0x800;

/** SF, ZF and PF of a result that was shifted up to fill 64 bits; `low` is its low byte. */
function resultFlags(result: u64, low: u32): u32 {
  return (result >> 63 ? SF : 0) | (result === 0 ? ZF : 0) | (popcnt<u32>(low & 0xff) & 1 ? 0 : PF);
}

/** CF PF AF ZF SF OF from ccOp and its operands. */
export function getFlags(env: u32): u32 {
  return flagsOf(env, load<u32>(env + ENV_CC_OP));
}

export function flagsOf(env: u32, op: u32): u32 {
  if (!(op & CC_CARRY)) return flagsOfKind(env, op);
  const apart = load<u32>(env + ENV_CC_CARRY);
  const others = flagsOfKind(env, op & ~CC_CARRY) & ~(CF | OF);
  return others | (apart & 2 ? CF : 0) | ((apart ^ (apart >> 1)) & 1 ? OF : 0);
}

/** Whether a signed product does not fit; the factors stand at the top of 64 bits, `up` bits above their place. */
function overflowProduct(a: u64, b: u64, up: u64): bool {
  const x = <i64>a >> up;
  const y = <i64>b >> up;
  if (up !== 0) return ((x * y) << up) >> up !== x * y;
  return <i64>mulHighSigned(0, a, b, 0) !== (x * y) >> 63;
}

function flagsOfKind(env: u32, op: u32): u32 {
  const rawDst = load<u64>(env + ENV_CC_DST);
  const rawSrc = load<u64>(env + ENV_CC_SRC);
  if (op === CC_EFLAGS) return <u32>(rawSrc & EFLAGS_ARITHMETIC);
  if (op >= CC_ADCX && op <= CC_POPCNT) {
    const flags = <u32>(rawSrc & EFLAGS_ARITHMETIC);
    const carry: u32 = rawDst !== 0 ? CF : 0;
    const overflow: u32 = load<u64>(env + ENV_CC_SRC2) !== 0 ? OF : 0;
    if (op === CC_ADCX) return (flags & ~CF) | carry;
    if (op === CC_ADOX) return (flags & ~OF) | overflow;
    if (op === CC_ADCOX) return (flags & ~(CF | OF)) | carry | overflow;
    return rawDst === 0 ? ZF : 0; // CC_POPCNT
  }
  // Operands at the top of 64 bits: one piece of code serves all sizes.
  const up = <u64>(64 - (8 << (op & 3)));
  const dst = rawDst << up;
  const src = rawSrc << up;
  const low = <u32>rawDst;
  const base = resultFlags(dst, low);
  switch (op >> 2) {
    case CC_ADD >> 2: {
      const other = dst - src;
      return (
        base | (dst < src ? CF : 0) | ((low ^ <u32>rawSrc ^ <u32>(rawDst - rawSrc)) & AF) | overflowAdd(other, src, dst)
      );
    }
    case CC_ADC >> 2: {
      const carry = load<u64>(env + ENV_CC_SRC2) & 1;
      const raw = rawDst - rawSrc - carry;
      return (
        base |
        ((carry ? dst <= src : dst < src) ? CF : 0) |
        ((low ^ <u32>rawSrc ^ <u32>raw) & AF) |
        overflowAdd(raw << up, src, dst)
      );
    }
    case CC_SUB >> 2: {
      const raw = rawDst + rawSrc;
      const other = raw << up;
      return base | (other < src ? CF : 0) | ((low ^ <u32>rawSrc ^ <u32>raw) & AF) | overflowSub(other, src, dst);
    }
    case CC_SBB >> 2: {
      const borrow = load<u64>(env + ENV_CC_SRC2) & 1;
      const raw = rawDst + rawSrc + borrow;
      const other = raw << up;
      return (
        base |
        ((borrow ? other <= src : other < src) ? CF : 0) |
        ((low ^ <u32>rawSrc ^ <u32>raw) & AF) |
        overflowSub(other, src, dst)
      );
    }
    case CC_LOGIC >> 2:
      return base;
    case CC_INC >> 2:
      return base | (<u32>rawSrc & CF) | (low & 0xf ? 0 : AF) | (dst === 1 << 63 ? OF : 0);
    case CC_DEC >> 2:
      return (
        base | (<u32>rawSrc & CF) | ((low & 0xf) === 0xf ? AF : 0) | (dst === (((1 << 63) - 1) >> up) << up ? OF : 0)
      );
    case CC_SHL >> 2:
      return base | (src >> 63 ? CF : 0) | ((src ^ dst) >> 63 ? OF : 0);
    case CC_SAR >> 2:
      return base | (<u32>rawSrc & CF) | ((src ^ dst) >> 63 ? OF : 0);
    case CC_MUL >> 2:
      return base | (rawSrc ? CF | OF : 0);
    case CC_IMUL >> 2:
      return base | (overflowProduct(src, load<u64>(env + ENV_CC_SRC2) << up, up) ? CF | OF : 0);
    default: // CC_BMI
      return base | (rawSrc ? CF : 0);
  }
}

function overflowAdd(a: u64, b: u64, result: u64): u32 {
  return ((a ^ result) & (b ^ result)) >> 63 ? OF : 0;
}

function overflowSub(a: u64, b: u64, result: u64): u32 {
  return ((a ^ b) & (a ^ result)) >> 63 ? OF : 0;
}

/** CF alone, 0 or 1. */
export function getCarry(env: u32): u32 {
  const op = load<u32>(env + ENV_CC_OP);
  if (op & CC_CARRY) return (load<u32>(env + ENV_CC_CARRY) >> 1) & 1;
  if (op >= CC_ADCX || op === CC_EFLAGS) return flagsOf(env, op) & CF;
  const up = <u64>(64 - (8 << (op & 3)));
  const rawDst = load<u64>(env + ENV_CC_DST);
  const rawSrc = load<u64>(env + ENV_CC_SRC);
  const src = rawSrc << up;
  switch (op >> 2) {
    case CC_ADD >> 2:
      return rawDst << up < src ? 1 : 0;
    case CC_SUB >> 2:
      return (rawDst + rawSrc) << up < src ? 1 : 0;
    case CC_LOGIC >> 2:
      return 0;
    case CC_INC >> 2:
    case CC_DEC >> 2:
    case CC_SAR >> 2:
      return <u32>rawSrc & 1;
    case CC_SHL >> 2:
      return <u32>(src >> 63);
    case CC_MUL >> 2:
    case CC_BMI >> 2:
      return rawSrc ? 1 : 0;
    default:
      return flagsOf(env, op) & CF;
  }
}

/** Replaces the six arithmetic flags. */
export function setFlags(env: u32, flags: u32): void {
  store<u64>(env + ENV_CC_OP, CC_EFLAGS);
  store<u64>(env + ENV_CC_SRC, <u64>flags & EFLAGS_ARITHMETIC);
}

/** The whole register as PUSHF would see it, RF and VM included. */
export function getEflags(env: u32): u64 {
  return <u64>getFlags(env) | (load<i64>(env + ENV_DF) < 0 ? EFLAGS_DF : 0) | load<u64>(env + ENV_EFLAGS) | 2;
}

/** Replaces the bits of EFLAGS in `mask` (arithmetic flags always all or none), and updates hflags. */
export function setEflags(env: u32, value: u64, mask: u64): void {
  if (mask & EFLAGS_ARITHMETIC) setFlags(env, <u32>value);
  if (mask & EFLAGS_DF) store<i64>(env + ENV_DF, value & EFLAGS_DF ? -1 : 1);
  const system = mask & 0x003f7300;
  store<u64>(env + ENV_EFLAGS, (load<u64>(env + ENV_EFLAGS) & ~system) | (value & system));
  updateHflags(env);
}

/** True unless data accesses through the segment need a limit or type check. */
function isFlat(env: u32, segment: u32): bool {
  const attr = load<u32>(env + ENV_SEG_ATTR + segment * 4);
  const needed = segment === SEG_CS ? ATTR_P | ATTR_S | ATTR_CODE | ATTR_WR : ATTR_P | ATTR_S | ATTR_WR;
  const kind = segment === SEG_CS ? needed : needed | ATTR_CODE | ATTR_EC;
  return (attr & kind) === needed && load<u32>(env + ENV_SEG_LIMIT + segment * 4) === 0xffffffff;
}

/** Recomputes hflags (the CPL in its low bits is kept, or implied by real and virtual-8086 mode) and selects the TLB. */
export function updateHflags(env: u32): void {
  const cr0 = load<u64>(env + ENV_CR0);
  const cr4 = load<u64>(env + ENV_CR4);
  const eflags = load<u64>(env + ENV_EFLAGS);
  const csAttr = load<u32>(env + ENV_SEG_ATTR + SEG_CS * 4);
  const long = (load<u64>(env + ENV_EFER) & EFER_LMA) !== 0;
  let flags = load<u32>(env + ENV_HFLAGS) & HF_CPL;
  if (!(cr0 & CR0_PE)) flags = 0;
  else {
    flags |= HF_PE;
    if (eflags & EFLAGS_VM) flags |= HF_VM | 3;
  }
  const code64 = long && (csAttr & ATTR_L) !== 0;
  if (long) flags |= HF_LMA;
  if (code64) flags |= HF_CS64;
  else {
    if (csAttr & ATTR_DB) flags |= HF_CS32;
    if (load<u32>(env + ENV_SEG_ATTR + SEG_SS * 4) & ATTR_DB) flags |= HF_SS32;
    const bases =
      load<u64>(env + ENV_SEG_BASE + SEG_DS * 8) |
      load<u64>(env + ENV_SEG_BASE + SEG_ES * 8) |
      load<u64>(env + ENV_SEG_BASE + SEG_SS * 8);
    if (bases) flags |= HF_ADDSEG;
    if (!(isFlat(env, SEG_CS) && isFlat(env, SEG_DS) && isFlat(env, SEG_ES) && isFlat(env, SEG_SS))) {
      flags |= HF_SEGCHECK;
    }
  }
  if (eflags & EFLAGS_TF) flags |= HF_TF;
  if (cr0 & CR0_MP) flags |= HF_MP;
  if (cr0 & CR0_EM) flags |= HF_EM;
  if (cr0 & CR0_TS) flags |= HF_TS;
  if (cr4 & CR4_OSFXSR) flags |= HF_OSFXSR;
  if (cr4 & CR4_OSXSAVE) flags |= HF_OSXSAVE;
  flags |= (<u32>(eflags >> 12) & 3) << HF_IOPL_SHIFT;
  if (load<u32>(env + ENV_SMM)) flags |= HF_SMM;
  if (load<u32>(env + ENV_INHIBIT)) flags |= HF_INHIBIT;
  if (load<u64>(env + ENV_DR + 7 * 8) & 0xff) flags |= HF_DEBUG;
  if (eflags & EFLAGS_RF) flags |= HF_RF;
  store<u32>(env + ENV_HFLAGS, flags);
  selectTlb(env);
}

/** Sets the CPL, then hflags. */
export function setCpl(env: u32, cpl: u32): void {
  store<u32>(env + ENV_HFLAGS, (load<u32>(env + ENV_HFLAGS) & ~HF_CPL) | cpl);
  updateHflags(env);
}

/** IR: the six arithmetic flags of ccOp in env. */
export function computeFlags(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  return getFlags(env);
}

/** IR: the six arithmetic flags of static ccOp `imm`. */
export function computeFlagsOf(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  return flagsOf(env, <u32>imm);
}

/** IR: CF of ccOp in env, 0 or 1. */
export function computeCarry(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  return getCarry(env);
}
