/** Raising guest exceptions from helpers. None of these functions returns. */

import { ENV_EXC_ERROR, ENV_EXC_HAS_ERROR, ENV_EXC_VECTOR } from "./generated/env";
import { throwFault } from "./host";

export const EXC_DE: i32 = 0;
export const EXC_DB: i32 = 1;
export const EXC_BP: i32 = 3;
export const EXC_OF: i32 = 4;
export const EXC_BR: i32 = 5;
export const EXC_UD: i32 = 6;
export const EXC_NM: i32 = 7;
export const EXC_DF: i32 = 8;
export const EXC_TS: i32 = 10;
export const EXC_NP: i32 = 11;
export const EXC_SS: i32 = 12;
export const EXC_GP: i32 = 13;
export const EXC_PF: i32 = 14;
export const EXC_MF: i32 = 16;
export const EXC_AC: i32 = 17;
export const EXC_XM: i32 = 19;
/**
 * An access to an address that is not canonical. The run loop makes it #SS or #GP by looking at the instruction; where
 * it does not, in the delivery of an event, it is #GP.
 */
export const EXC_NON_CANONICAL: i32 = 258;

/** Raises an exception without an error code. */
export function raise(env: u32, vector: i32): void {
  store<i32>(env + ENV_EXC_VECTOR, vector);
  store<u32>(env + ENV_EXC_HAS_ERROR, 0);
  throwFault();
  unreachable();
}

/** Raises an exception with an error code. */
export function raiseError(env: u32, vector: i32, error: u32): void {
  store<i32>(env + ENV_EXC_VECTOR, vector);
  store<u32>(env + ENV_EXC_ERROR, error);
  store<u32>(env + ENV_EXC_HAS_ERROR, 1);
  throwFault();
  unreachable();
}

/** Throws the exception that env already describes. */
export function rethrow(): void {
  throwFault();
  unreachable();
}

/** IR: raises vector `imm` without an error code. */
export function raiseException(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  raise(env, imm);
  return 0;
}

/** IR: raises vector `imm` with error code `a`. */
export function raiseExceptionError(env: u32, a: u64, _b: u64, imm: i32): u64 {
  raiseError(env, imm, <u32>a);
  return 0;
}
