/** Which opcode rows take part in the oracle, and what of their operands is to be known. */

import type { Insn, OpcodeRow } from "../../accel/tcg/x86/insn.ts";
import type { Bits } from "./native.ts";

/**
 * Not for user mode, not deterministic, exact to an ulp only (softfloat.test.ts has those), dependent on descriptor
 * tables, a system call, or not an instruction that falls through. Control flow is made separately.
 */
const EXCLUDED =
  /^(ud\d?|rdrand|rdseed|rdtscp?|rdpmc|rdpid|cpuid|hlt|int\d*|int|into|bound|i?ret.*|call.*|jmp.*|j[a-z]+|loop.*|jcxz.*|sys.*|in|insb?|outs?b?|cli|sti|l[defgs]s|lss|[sl]?[gil]dt|ltr|str|smsw|lmsw|ver[rw]|lar|lsl|clts|invd|wbinvd|invlpg.*|invpcid|monitor|mwait|wrmsr|rdmsr|rsm|swapgs|stac|clac|xsetbv|xgetbv|vm.*|clflush.*|clwb|(rd|wr)[fg]sbase|icebp|f2xm1|fyl2x|fyl2xp1|fptan|fpatan|fsin|fcos|fsincos)$/;

/**
 * Of these, what can only fault in user mode. UMIP instructions are missing, because Linux emulates them; SYSENTER,
 * SYSCALL and INT 80 are system calls; INT3, INTO and INT1 need an IDT.
 */
const FAULTING =
  /^(ud\d?|hlt|int|bound|in|insb?|outs?b?|out|cli|sti|lgdt|lidt|lldt|ltr|lmsw|clts|invd|wbinvd|invlpg|wrmsr|rdmsr|rsm|swapgs|xsetbv|stac|clac|monitor|mwait|sysret|sysexit|rdpmc)$/;

/** Instructions that load, store or look at selectors. FS is the C library's. */
const SELECTOR = /^(mov (Sw Ew|Ev Sw)|(push|pop) [EDSG]S|l[edsg]s Gv Mp|l[ed]s Gz Mp|la?[rs]l? Gv Ew|ver[rw] Ew)$/;
export const usesSelector = (row: OpcodeRow): boolean => SELECTOR.test(`${row.name} ${row.operands}`);

const SEGMENT_OPERAND = /\b([SCD][wdqy]|Ap|Mp|Ma|Ms|[DEFGCS]S)\b/;

/** Whether random operands of the row are fit for the oracle, on a host with these features. */
export function isEligible(
  row: OpcodeRow,
  hostFeatures: ReadonlySet<string>,
  bits: Bits = 64,
  faults = false,
  descriptors = false,
): boolean {
  if (row.mode === (bits === 64 ? "not64" : "64") || (bits !== 64 && row.w === 1) || row.vex?.l === 1) return false;
  if (row.feature !== undefined && !hostFeatures.has(row.feature)) return false;
  const names = row.name.split("/");
  if (faults && names.every((name) => row.privileged || FAULTING.test(name))) return true;
  if (usesSelector(row)) return faults && descriptors;
  if (row.privileged || names.some((name) => EXCLUDED.test(name))) return false;
  if (row.vex && /[VW][a-z]/.test(row.operands)) return false;
  return !SEGMENT_OPERAND.test(row.operands);
}

/** Whether the row uses x87, MMX or SSE registers. */
export const usesFloat = (row: OpcodeRow): boolean =>
  /\b[VWPQUN][a-z]/.test(row.operands) || /^(f|stmxcsr|ldmxcsr|emms|xsave|xrstor)/.test(row.name);

/** Whether the row has an MMX operand: a fault then leaves TOP and tags undefined, as processors enter MMX state first. */
export const usesMmx = (row: OpcodeRow): boolean => /\b[PNQ][a-z]/.test(row.operands);

const SIXTEEN = /\b[EMQWU]?(dq|ps|pd|x)\b|[WM](dq|ps|pd|x)/;

/** What the memory operand must be a multiple of. */
export function alignment(row: OpcodeRow): number {
  if (/^xsave|^xrstor/.test(row.name)) return 64;
  return SIXTEEN.test(row.operands) || /^(cmpxchg16b|fxsave|fxrstor)$/.test(row.name) ? 16 : 1;
}

/** Bytes that the memory operand has at most. */
export function operandSize(row: OpcodeRow): number {
  if (/^xsave|^xrstor/.test(row.name)) return 576;
  if (/^fx(save|rstor)$/.test(row.name)) return 512;
  if (/^f(nsave|rstor|nstenv|ldenv)$/.test(row.name)) return 108;
  return 64;
}

/** String instructions other than port I/O, and whether the two operands or one are used. */
export const STRING = /^(movs|stos|lods|cmps|scas)b?$/;
export const PORT_STRING = /^(ins|outs)b?$/;
export const MASKMOV = /^maskmov(q|dqu)$/;
export const STACK = /^(push|pop|call|ret|enter|leave)/;

/** An instruction that reads or writes its ModRM operand in memory, if it is one. */
export const accessesMemory = (i: Insn): boolean =>
  ((i.modrm >= 0 && i.mod !== 3) || /^O|O[bv]$/.test(i.row.operands)) &&
  !/^(lea|nop|prefetch.*|ud\d?|invlpg)$/.test(i.row.name);

export function needsModrm(row: OpcodeRow): boolean {
  if (row.reg !== undefined || row.mod !== undefined || row.rm !== undefined) return true;
  return row.operands.split(" ").some((operand) => /^[EGMRSCDNPQUVW]([a-z]|$)/.test(operand));
}

/** Whether a fault may leave the memory operand changed in part. */
export const storedInParts = (i: Insn): boolean =>
  /^(fbstp|fxsave|xsave|xsaveopt|fnsave|fnstenv)$/.test(i.row.name) ||
  /^fstp Mt$/.test(`${i.row.name} ${i.row.operands}`);

/** Stores an FXSAVE, XSAVE or x87 image: offsets of the fields that hold instruction and operand pointers. */
export function pointerFields(i: Insn): readonly number[] {
  const { name } = i.row;
  const fields = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, k) => from + k);
  if (/^(fxsave|xsave|xsaveopt)$/.test(name)) return fields(6, 24);
  if (/^f(nsave|nstenv)$/.test(name)) return i.opSize === 2 ? fields(6, 14) : fields(12, 28);
  return [];
}
