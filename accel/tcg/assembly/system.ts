/** Small system instructions: PUSHF and POPF, CLI and STI, HLT, CPUID, BOUND, CLAC and STAC. */

import { castShadow } from "./debug";
import { EXC_BR, EXC_GP, raise, raiseError } from "./fault";
import { getEflags, setEflags } from "./flags";
import {
  ENV_EFLAGS,
  ENV_EXIT_REQUEST,
  ENV_HALTED,
  ENV_HFLAGS,
  ENV_REGS,
  ENV_SCRATCH,
  ENV_SHARING,
  ENV_YIELDED,
  EXIT_REQUESTED,
  HALTED_HLT,
  HF_CPL,
  HF_VM,
  INHIBIT_STI,
  SHARING_EVER,
  SHARING_NOW,
} from "./generated/env";
import { cpuid as hostCpuid } from "./host";
import { loadU16, loadU32 } from "./mmu";
import { EFLAGS_AC, EFLAGS_IF, EFLAGS_IOPL, EFLAGS_RF, EFLAGS_VM } from "./registers";

/** What CLI, STI, PUSHF and POPF ask: #GP(0) in virtual-8086 mode below IOPL 3. */
function checkVm86(env: u32): void {
  if (load<u32>(env + ENV_HFLAGS) & HF_VM && (load<u64>(env + ENV_EFLAGS) & EFLAGS_IOPL) !== EFLAGS_IOPL) {
    raiseError(env, EXC_GP, 0);
  }
}

/** IR: the image that PUSHF pushes. */
export function pushfImage(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  checkVm86(env);
  return getEflags(env) & ~(EFLAGS_RF | EFLAGS_VM);
}

/** IR: POPF of image `a` with operand size `imm`. */
export function popf(env: u32, a: u64, _b: u64, imm: i32): u64 {
  checkVm86(env);
  const hflags = load<u32>(env + ENV_HFLAGS);
  const cpl = hflags & HF_CPL;
  // CF PF AF ZF SF TF DF OF NT, and AC ID.
  let mask: u64 = 0x4dd5 | 0x240000;
  if (cpl <= (<u32>(load<u64>(env + ENV_EFLAGS) >> 12) & 3)) mask |= EFLAGS_IF;
  if (cpl === 0) mask |= EFLAGS_IOPL;
  setEflags(env, a, imm === 2 ? mask & 0xffff : mask);
  return 0;
}

/** IR: STI, after the translator's check of IOPL. The next instruction runs before an interrupt is taken. */
export function sti(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  const eflags = load<u64>(env + ENV_EFLAGS);
  if (eflags & EFLAGS_IF) return 0;
  store<u64>(env + ENV_EFLAGS, eflags | EFLAGS_IF);
  castShadow(env, INHIBIT_STI);
  return 0;
}

/** IR: HLT. */
export function halt(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  store<u32>(env + ENV_HALTED, HALTED_HLT);
  return 0;
}

/** IR: PAUSE: what the guest waits for may be another CPU's to do. */
export function pause(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  if (load<u32>(env + ENV_SHARING) & SHARING_NOW) {
    store<u32>(env + ENV_YIELDED, 1);
    store<u32>(env + ENV_EXIT_REQUEST, EXIT_REQUESTED);
  }
  return 0;
}

/** IR: STAC (imm 1) and CLAC (imm 0). */
export function setAlignmentCheck(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  setEflags(env, imm ? EFLAGS_AC : 0, EFLAGS_AC);
  return 0;
}

/** IR: CPUID. */
export function cpuid(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  hostCpuid(load<u32>(env + ENV_REGS), load<u32>(env + ENV_REGS + 8));
  store<u64>(env + ENV_REGS, load<u64>(env + ENV_SCRATCH));
  store<u64>(env + ENV_REGS + 24, load<u64>(env + ENV_SCRATCH + 8));
  store<u64>(env + ENV_REGS + 8, load<u64>(env + ENV_SCRATCH + 16));
  store<u64>(env + ENV_REGS + 16, load<u64>(env + ENV_SCRATCH + 24));
  return 0;
}

/** IR: BOUND: index `a` against the two signed bounds of `imm` bytes at linear address `b`. */
export function bound(env: u32, a: u64, b: u64, imm: i32): u64 {
  const index: i32 = imm === 2 ? <i32>(<i16>a) : <i32>a;
  if (index < boundAt(env, b, imm) || index > boundAt(env, b + imm, imm)) raise(env, EXC_BR);
  return 0;
}

function boundAt(env: u32, address: u64, size: i32): i32 {
  return size === 2 ? <i32>(<i16>loadU16(env, address)) : <i32>loadU32(env, address);
}

/** IR: MONITOR: no extensions in RCX (`a`). */
export function monitor(env: u32, a: u64, _b: u64, _imm: i32): u64 {
  if (a) raiseError(env, EXC_GP, 0);
  return 0;
}

/**
 * IR: MWAIT with extensions `a`. Where nobody else writes to memory, only an interrupt can end the wait; beside other CPUs
 * it ends at once, which it may.
 */
export function mwait(env: u32, a: u64, _b: u64, _imm: i32): u64 {
  if (a & ~1) raiseError(env, EXC_GP, 0);
  if (load<u32>(env + ENV_SHARING) & SHARING_EVER) return pause(env, 0, 0, 0);
  if (load<u64>(env + ENV_EFLAGS) & EFLAGS_IF) store<u32>(env + ENV_HALTED, HALTED_HLT);
  return 0;
}
