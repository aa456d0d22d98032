/**
 * Debug registers, single step and the resume flag. Intel SDM volume 3, chapter 18.
 *
 * What the run loop does:
 *  - While hflags has HF_TF, HF_DEBUG, HF_RF or HF_INHIBIT, blocks are one instruction long and every one ends at the
 *    main loop. Before it, `beforeInstruction(env)`; if that returns 1, an exception waits in env (an instruction
 *    breakpoint, a fault): deliver it instead. After it, if it did not fault, `afterInstruction(env)`; if that returns
 *    1, a #DB trap waits in env (rip is already the next instruction's): deliver it.
 *  - Outside that mode, whenever a block returned to the main loop and env.pendingDebug is not zero (a task switch with
 *    the T bit), `afterInstruction(env)` too.
 *  - afterInstruction also ends the shadow of MOV SS and STI: env.inhibit is set by the instruction that casts it, and
 *    cleared after the next one.
 *
 * Matches of data and I/O breakpoints are collected in env.pendingDebug while an instruction runs.
 */

import { EXC_DB, rethrow } from "./fault";
import { updateHflags } from "./flags";
import {
  ENV_CR4,
  ENV_DR,
  ENV_EFLAGS,
  ENV_EXC_ERROR,
  ENV_EXC_HAS_ERROR,
  ENV_EXC_VECTOR,
  ENV_HFLAGS,
  ENV_INHIBIT,
  ENV_PENDING_DEBUG,
  ENV_RIP,
  ENV_SEG_BASE,
  ENV_SHADOW_OVER,
  ENV_STEPPING,
  HF_CS64,
  HF_DEBUG,
  INHIBIT_MOV_SS,
} from "./generated/env";
import { CR4_DE, EFLAGS_RF, EFLAGS_TF, SEG_CS } from "./registers";

export const DR6_BD: u64 = 1 << 13;
export const DR6_BS: u64 = 1 << 14;
export const DR6_BT: u64 = 1 << 15;
export const DR7_GD: u64 = 1 << 13;
/** The bits of DR6 that read as ones. */
export const DR6_FIXED: u64 = 0xffff0ff0;
/** The bit of DR7 that reads as one. */
export const DR7_FIXED: u64 = 0x400;

const TYPE_EXECUTE: u32 = 0;
const TYPE_WRITE: u32 = 1;
const TYPE_IO: u32 = 2;
const TYPE_READ_WRITE: u32 = 3;

function dr(env: u32, index: u32): u64 {
  return load<u64>(env + ENV_DR + index * 8);
}

function breakpointType(dr7: u32, index: u32): u32 {
  return (dr7 >> (16 + index * 4)) & 3;
}

/** Length less one, which is also the mask of the address bits that do not count. */
function breakpointMask(dr7: u32, index: u32): u64 {
  const code = (dr7 >> (18 + index * 4)) & 3;
  return code === 2 ? 7 : <u64>code;
}

function isEnabled(dr7: u32, index: u32): bool {
  return ((dr7 >> (index * 2)) & 3) !== 0;
}

/** Whether an enabled data breakpoint touches the page (any access type: the match is exact later). */
export function pageHasDataBreakpoint(env: u32, page: u64): bool {
  const dr7 = <u32>dr(env, 7);
  for (let i: u32 = 0; i < 4; i++) {
    if (isEnabled(dr7, i) && breakpointType(dr7, i) & 1 && (dr(env, i) & ~0xfff) === page) return true;
  }
  return false;
}

/** The DR6 bits of breakpoints in DR7 with one of `types` (a bit set) that cover [address, address + size); 0 if none is enabled. */
function match(env: u32, address: u64, size: i32, types: u32): u32 {
  const dr7 = <u32>dr(env, 7);
  let bits: u32 = 0;
  let enabled = false;
  for (let i: u32 = 0; i < 4; i++) {
    if (!((types >> breakpointType(dr7, i)) & 1)) continue;
    const mask = breakpointMask(dr7, i);
    const start = dr(env, i) & ~mask;
    if (start + mask < address || start > address + <u64>(size - 1)) continue;
    bits |= 1 << i;
    if (isEnabled(dr7, i)) enabled = true;
  }
  return enabled ? bits : 0;
}

/** Notes the data breakpoints that an access hits. */
export function matchDataBreakpoints(env: u32, address: u64, size: i32, isWrite: bool): void {
  const types: u32 = isWrite ? (1 << TYPE_WRITE) | (1 << TYPE_READ_WRITE) : 1 << TYPE_READ_WRITE;
  note(env, match(env, address, size, types));
}

/** Notes the I/O breakpoints that a port access hits. */
export function matchPortBreakpoints(env: u32, port: u32, size: i32): void {
  if (load<u32>(env + ENV_HFLAGS) & HF_DEBUG && load<u64>(env + ENV_CR4) & CR4_DE) {
    note(env, match(env, port, size, 1 << TYPE_IO));
  }
}

function note(env: u32, bits: u32): void {
  if (bits) store<u32>(env + ENV_PENDING_DEBUG, load<u32>(env + ENV_PENDING_DEBUG) | bits);
}

/** Sets #DB in env. `error` 1 marks a general-detect fault, which pushes RF set. */
function setDebugException(env: u32, isGeneralDetect: u32): void {
  store<i32>(env + ENV_EXC_VECTOR, EXC_DB);
  store<u32>(env + ENV_EXC_ERROR, isGeneralDetect);
  store<u32>(env + ENV_EXC_HAS_ERROR, 0);
}

/** See the head of this file: 1 when an instruction breakpoint fires. */
export function beforeInstruction(env: u32): i32 {
  const hflags = load<u32>(env + ENV_HFLAGS);
  const eflags = load<u64>(env + ENV_EFLAGS);
  const inhibit = load<u32>(env + ENV_INHIBIT);
  if (hflags & HF_DEBUG && !(eflags & EFLAGS_RF) && inhibit !== INHIBIT_MOV_SS) {
    let address = load<u64>(env + ENV_RIP);
    if (!(hflags & HF_CS64)) address = (address + load<u64>(env + ENV_SEG_BASE + SEG_CS * 8)) & 0xffffffff;
    const bits = match(env, address, 1, 1 << TYPE_EXECUTE);
    if (bits) {
      store<u64>(env + ENV_DR + 6 * 8, dr(env, 6) | bits);
      setDebugException(env, 0);
      return 1;
    }
  }
  store<u32>(env + ENV_STEPPING, eflags & EFLAGS_TF ? 1 : 0);
  store<u32>(env + ENV_SHADOW_OVER, inhibit);
  if (eflags & EFLAGS_RF) {
    store<u64>(env + ENV_EFLAGS, eflags & ~EFLAGS_RF);
    updateHflags(env);
  }
  return 0;
}

/** See the head of this file: 1 when a debug trap is due. */
export function afterInstruction(env: u32): i32 {
  const inhibit = load<u32>(env + ENV_INHIBIT);
  if (load<u32>(env + ENV_SHADOW_OVER)) {
    // The instruction in the shadow is done. (It cannot cast another: that is masked in castShadow.)
    store<u32>(env + ENV_SHADOW_OVER, 0);
    store<u32>(env + ENV_INHIBIT, 0);
    updateHflags(env);
  } else if (inhibit === INHIBIT_MOV_SS) {
    // Traps on MOV SS itself wait for the next instruction; its single step is lost.
    store<u32>(env + ENV_STEPPING, 0);
    return 0;
  }
  let pending = <u64>load<u32>(env + ENV_PENDING_DEBUG);
  if (load<u32>(env + ENV_STEPPING)) pending |= DR6_BS;
  store<u32>(env + ENV_STEPPING, 0);
  if (!pending) return 0;
  store<u32>(env + ENV_PENDING_DEBUG, 0);
  store<u64>(env + ENV_DR + 6 * 8, dr(env, 6) | pending);
  setDebugException(env, 0);
  return 1;
}

/** STI and MOV SS: holds interrupts off for one instruction. A shadow does not follow a shadow. */
export function castShadow(env: u32, kind: u32): void {
  if (load<u32>(env + ENV_INHIBIT)) return;
  store<u32>(env + ENV_INHIBIT, kind);
  updateHflags(env);
}

/** Raises #DB as a fault if DR7.GD forbids access to debug registers. */
export function checkGeneralDetect(env: u32): void {
  const dr7 = dr(env, 7);
  if (!(dr7 & DR7_GD)) return;
  store<u64>(env + ENV_DR + 6 * 8, dr(env, 6) | DR6_BD);
  store<u64>(env + ENV_DR + 7 * 8, dr7 & ~DR7_GD);
  setDebugException(env, 1);
  rethrow();
}
