/** The page-directory-pointer entries of PAE paging, which the CPU holds in registers. Intel SDM volume 3, section 4.4.1. */

import { ENV_PDPTES } from "./generated/env";
import { a20, physicalRead } from "./walk";

const P: u64 = 1;
/** Bits 2..1, 8..5 and those above the physical width. */
const RESERVED: u64 = 0x1e6 | (~0 << 40);

/** Loads the four entries that a CR3 value points at; false (and nothing loaded) if one has reserved bits set. */
export function loadPdptes(env: u32, cr3: u64): bool {
  const table = cr3 & 0xffffffe0;
  for (let i: u32 = 0; i < 4; i++) {
    const entry = physicalRead(env, a20(env, table + i * 8), 8);
    if (entry & P && entry & RESERVED) return false;
  }
  for (let i: u32 = 0; i < 4; i++) {
    store<u64>(env + ENV_PDPTES + i * 8, physicalRead(env, a20(env, table + i * 8), 8));
  }
  return true;
}
