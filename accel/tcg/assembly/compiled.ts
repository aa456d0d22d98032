/**
 * The slow path of memory accesses in compiled regions. `place` is the fault point of the access shifted left by 5, plus
 * its size in bytes. 16-byte values pass through env.scratch + 1008.
 */

import { ENV_EXC_VECTOR, ENV_OP_POINTER, ENV_SCRATCH } from "./generated/env";
import { runsCode } from "./host";
import {
  PLACE_FAULT,
  PLACE_MMIO,
  PLACE_NOTIFY,
  resolveData,
  setFault,
  slowLoad,
  slowLoad128,
  slowStore,
  slowStore128,
} from "./mmu";
import { ACCESS_WRITE } from "./walk";

const BOUNCE: u32 = ENV_SCRATCH + 1008;
/** A store into the region that runs: it is left, and the instruction is run again by the interpreter. */
const EXC_OWN_CODE: i32 = 257;

function notePoint(env: u32, place: i32): void {
  store<u32>(env + ENV_OP_POINTER, place >> 5);
}

function hitsOwnCode(env: u32, address: u64, size: u32): bool {
  const place = resolveData(env, address, ACCESS_WRITE);
  if (place & (PLACE_FAULT | PLACE_MMIO) || !(place & PLACE_NOTIFY)) return false;
  return runsCode(<u32>place, size) !== 0;
}

/** Whether the store overwrites the running region; EXC_OWN_CODE is in env then, and nothing is written. */
function refuses(env: u32, address: u64, size: u32): bool {
  const inFirst: u32 = 0x1000 - (<u32>address & 0xfff);
  let hits = hitsOwnCode(env, address, min(size, inFirst));
  if (!hits && size > inFirst) hits = hitsOwnCode(env, address + inFirst, size - inFirst);
  if (hits) setFault(env, EXC_OWN_CODE, 0);
  else store<i32>(env + ENV_EXC_VECTOR, -1);
  return hits;
}

export function compiledLoad(env: u32, address: u64, place: i32): u64 {
  notePoint(env, place);
  return slowLoad(env, address, place & 31);
}

export function compiledStore(env: u32, address: u64, place: i32, value: u64): void {
  notePoint(env, place);
  if (!refuses(env, address, place & 31)) slowStore(env, address, place & 31, value);
}

export function compiledLoad128(env: u32, address: u64, place: i32): void {
  notePoint(env, place);
  slowLoad128(env, address, BOUNCE);
}

export function compiledStore128(env: u32, address: u64, place: i32): void {
  notePoint(env, place);
  if (!refuses(env, address, 16)) slowStore128(env, address, BOUNCE);
}
