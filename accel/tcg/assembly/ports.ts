/** Port I/O with its permission checks. Intel SDM volume 1, section 19.5. */

import { matchPortBreakpoints } from "./debug";
import { EXC_GP, raiseError } from "./fault";
import {
  ENV_HFLAGS,
  ENV_TR_ATTR,
  ENV_TR_BASE,
  ENV_TR_LIMIT,
  HF_CPL,
  HF_IOPL_SHIFT,
  HF_PE,
  HF_VM,
} from "./generated/env";
import { portIn, portOut } from "./host";
import { checkAlignment, loadU16K, probeWrite } from "./mmu";
import { ATTR_P } from "./registers";
import { attrType, TYPE_TSS32, TYPE_TSS32_BUSY } from "./segments";

const TSS_IOMAP: u64 = 0x66;

/** Raises #GP(0) unless the ports [port, port + size) may be used here. */
export function checkPort(env: u32, port: u32, size: u32): void {
  const hflags = load<u32>(env + ENV_HFLAGS);
  if (!(hflags & HF_PE)) return;
  if (!(hflags & HF_VM) && (hflags & HF_CPL) <= ((hflags >> HF_IOPL_SHIFT) & 3)) return;
  const attr = load<u32>(env + ENV_TR_ATTR);
  const type = attrType(attr);
  const limit = load<u32>(env + ENV_TR_LIMIT);
  if (!(attr & ATTR_P) || (type !== TYPE_TSS32 && type !== TYPE_TSS32_BUSY) || limit < 0x67) {
    raiseError(env, EXC_GP, 0);
  }
  const base = load<u64>(env + ENV_TR_BASE);
  const at = <u32>loadU16K(env, base + TSS_IOMAP) + (port >> 3);
  // Two bytes are read, even if the ports' bits lie in one.
  if (at + 1 > limit) raiseError(env, EXC_GP, 0);
  const bits = <u32>loadU16K(env, base + at) >> (port & 7);
  if (bits & ((1 << size) - 1)) raiseError(env, EXC_GP, 0);
}

/** IR: raises #GP(0) unless `imm` bytes may be read or written at port `a`. */
export function permitPort(env: u32, a: u64, _b: u64, imm: i32): u64 {
  checkPort(env, <u32>a & 0xffff, imm);
  return 0;
}

/** IR: IN of `imm` bytes from port `a`. */
export function ioIn(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const port = <u32>a & 0xffff;
  checkPort(env, port, imm);
  const value = portIn(port, imm);
  matchPortBreakpoints(env, port, imm);
  return value;
}

/** IR: OUT of the `imm` bytes in `b` to port `a`. */
export function ioOut(env: u32, a: u64, b: u64, imm: i32): u64 {
  const port = <u32>a & 0xffff;
  checkPort(env, port, imm);
  portOut(port, imm, imm === 4 ? <u32>b : <u32>b & ((1 << (imm * 8)) - 1));
  matchPortBreakpoints(env, port, imm);
  return 0;
}

/** IR: raises what a store of `imm` bytes at linear address `a` would raise: before INS reads its port, for one. */
export function probeStore(env: u32, a: u64, _b: u64, imm: i32): u64 {
  checkAlignment(env, a, imm);
  probeWrite(env, a, imm);
  return 0;
}
