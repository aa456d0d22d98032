/** Where the next instruction is: what the run loop asks before it looks for a block. */

import { raise, rethrow } from "./fault";
import { ENV_EXC_VECTOR, ENV_HFLAGS, ENV_RIP, ENV_SCRATCH, ENV_SEG_BASE, HF_CS64 } from "./generated/env";
import { fetchPage, PLACE_FAULT, PLACE_MMIO } from "./mmu";

/** Results that are no addresses. */
const FETCH_FAULT: u32 = 0;
const FETCH_MMIO: u32 = 1;
const CS_BASE: u32 = ENV_SEG_BASE + 8;

function locate(env: u32, offset: u64): u32 {
  let linear = load<u64>(env + ENV_RIP) + load<u64>(env + CS_BASE) + offset;
  if (!(load<u32>(env + ENV_HFLAGS) & HF_CS64)) linear &= 0xffffffff;
  store<i32>(env + ENV_EXC_VECTOR, -1);
  const place = fetchPage(env, linear);
  if (place & PLACE_FAULT) return FETCH_FAULT;
  if (place & PLACE_MMIO) {
    store<u64>(env + ENV_SCRATCH, place & ((1 << 52) - 1));
    return FETCH_MMIO;
  }
  return <u32>place;
}

/**
 * Shared-memory address of the byte `offset` after CS:rip; 0 with the exception in env if it cannot be fetched; 1 with
 * the guest-physical address in scratch if there is no plain memory.
 */
export function locateCode(env: u32, offset: u32): u32 {
  return locate(env, offset);
}

/** The vector of a block whose second page has moved: not an exception of the guest's, the run loop translates anew. */
const EXC_STALE_BLOCK: i32 = 256;

/** IR: at the start of a block that goes on in the next page: that page must still be at `imm`. */
export function checkNextPage(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const linear = load<u64>(env + ENV_RIP) + load<u64>(env + CS_BASE);
  const place = locate(env, 0x1000 - (linear & 0xfff));
  if (place === FETCH_FAULT) rethrow();
  if (place !== <u32>imm) raise(env, EXC_STALE_BLOCK);
  return 0;
}
