/**
 * x87 control instructions and state images: FNINIT, FNCLEX, FLDCW, FNSTSW, FLDENV, FNSTENV, FRSTOR, FNSAVE. Intel SDM
 * volume 1, sections 8.1.8 to 8.1.10 (formats in figures 8-9 to 8-12).
 */

import {
  ENV_FP_CONTROL,
  ENV_FP_CS,
  ENV_FP_DP,
  ENV_FP_DS,
  ENV_FP_EMPTY,
  ENV_FP_IP,
  ENV_FP_OPCODE,
  ENV_FP_STATUS,
  ENV_FP_TOP,
  ENV_SCRATCH,
} from "./generated/env";
import { checkAlignment, loadU16, probeWrite, storeU16, storeU32 } from "./mmu";
import { A, classOf, NORMAL, unpack80, ZERO } from "./softfloat/core";
import { checkPending, SW_B, SW_ES, st, summarize } from "./x87";

/** imm bits of the environment instructions. */
const FORMAT_32: i32 = 1;
const FORMAT_PROTECTED: i32 = 2;

/** Images are read as a whole before anything changes. */
const BUFFER: u32 = ENV_SCRATCH + 256;

/** The status word with TOP. */
export function statusWord(env: u32): u32 {
  return load<u32>(env + ENV_FP_STATUS) | (load<u32>(env + ENV_FP_TOP) << 11);
}

export function setStatusWord(env: u32, value: u32): void {
  store<u32>(env + ENV_FP_TOP, (value >> 11) & 7);
  store<u32>(env + ENV_FP_STATUS, value & 0xc7ff);
}

/** Bits that are reserved read as on hardware: bit 6 as 1, bits 7 and 13-15 as 0. */
export function setControlWord(env: u32, value: u32): void {
  store<u32>(env + ENV_FP_CONTROL, (value & 0x1f3f) | 0x40);
}

/** The tag word: 2 bits a register in physical order. */
export function tagWord(env: u32): u32 {
  const top = load<u32>(env + ENV_FP_TOP);
  let tags: u32 = 0;
  for (let physical: u32 = 0; physical < 8; physical++) {
    let tag: u32 = 3;
    if (!load<u8>(env + ENV_FP_EMPTY + physical)) {
      const slot = st(env, (physical - top) & 7);
      unpack80(env + A, load<u64>(slot), load<u32>(slot, 8));
      const cls = classOf(env + A);
      tag = cls === NORMAL ? 0 : cls === ZERO ? 1 : 2;
    }
    tags |= tag << (physical * 2);
  }
  return tags;
}

function setTagWord(env: u32, tags: u32): void {
  for (let physical: u32 = 0; physical < 8; physical++) {
    store<u8>(env + ENV_FP_EMPTY + physical, ((tags >> (physical * 2)) & 3) === 3 ? 1 : 0);
  }
}

export function fninit(env: u32): void {
  store<u32>(env + ENV_FP_CONTROL, 0x37f);
  store<u32>(env + ENV_FP_STATUS, 0);
  store<u32>(env + ENV_FP_TOP, 0);
  store<u64>(env + ENV_FP_EMPTY, 0x0101010101010101);
  store<u32>(env + ENV_FP_OPCODE, 0);
  store<u32>(env + ENV_FP_CS, 0);
  store<u32>(env + ENV_FP_DS, 0);
  store<u64>(env + ENV_FP_IP, 0);
  store<u64>(env + ENV_FP_DP, 0);
}

/** FNINIT */
export function x87Init(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  fninit(env);
  return 0;
}

/** FNCLEX: exceptions, SF, ES and B. */
export function x87ClearExceptions(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  store<u32>(env + ENV_FP_STATUS, load<u32>(env + ENV_FP_STATUS) & 0x7f00);
  return 0;
}

/** FLDCW: a = the new control word. */
export function x87LoadControl(env: u32, a: u64, _b: u64, _imm: i32): u64 {
  checkPending(env);
  setControlWord(env, <u32>a);
  summarize(env);
  return 0;
}

/** FNSTSW */
export function x87StatusWord(env: u32, _a: u64, _b: u64, _imm: i32): u64 {
  return <u64>statusWord(env);
}

/** Bytes of an environment. */
function environmentSize(imm: i32): i32 {
  return imm & FORMAT_32 ? 28 : 14;
}

function storeField(env: u32, address: u64, index: u32, wide: bool, value: u32): void {
  if (wide) storeU32(env, address + index * 4, <u64>value);
  else storeU16(env, address + index * 2, <u64>value);
}

function storeEnvironment(env: u32, address: u64, imm: i32): void {
  const wide = (imm & FORMAT_32) !== 0;
  const high: u32 = 0xffff0000;
  storeField(env, address, 0, wide, load<u32>(env + ENV_FP_CONTROL) | high);
  storeField(env, address, 1, wide, statusWord(env) | high);
  storeField(env, address, 2, wide, tagWord(env) | high);
  const ip = load<u32>(env + ENV_FP_IP);
  const dp = load<u32>(env + ENV_FP_DP);
  const cs = load<u32>(env + ENV_FP_CS);
  const ds = load<u32>(env + ENV_FP_DS);
  const opcode = load<u32>(env + ENV_FP_OPCODE) & 0x7ff;
  if (imm & FORMAT_PROTECTED) {
    storeField(env, address, 3, wide, ip);
    storeField(env, address, 4, wide, wide ? cs | (opcode << 16) : cs);
    storeField(env, address, 5, wide, dp);
    storeField(env, address, 6, wide, ds | high);
  } else {
    const linearIp = (cs << 4) + ip;
    const linearDp = (ds << 4) + dp;
    storeField(env, address, 3, wide, (linearIp & 0xffff) | high);
    storeField(env, address, 4, wide, ((linearIp >> 16) << 12) | opcode);
    storeField(env, address, 5, wide, (linearDp & 0xffff) | high);
    storeField(env, address, 6, wide, (linearDp >> 16) << 12);
  }
}

/** Takes over an environment that lies in the buffer. */
function takeEnvironment(env: u32, imm: i32): void {
  const wide = (imm & FORMAT_32) !== 0;
  const step: u32 = wide ? 4 : 2;
  const at = env + BUFFER;
  setControlWord(env, load<u16>(at));
  setStatusWord(env, load<u16>(at + step));
  setTagWord(env, load<u16>(at + step * 2));
  const f3 = wide ? load<u32>(at + 12) : <u32>load<u16>(at + 6);
  const f4 = wide ? load<u32>(at + 16) : <u32>load<u16>(at + 8);
  const f5 = wide ? load<u32>(at + 20) : <u32>load<u16>(at + 10);
  const f6 = wide ? load<u32>(at + 24) : <u32>load<u16>(at + 12);
  if (imm & FORMAT_PROTECTED) {
    store<u64>(env + ENV_FP_IP, <u64>f3);
    store<u32>(env + ENV_FP_CS, f4 & 0xffff);
    store<u32>(env + ENV_FP_OPCODE, wide ? (f4 >> 16) & 0x7ff : 0);
    store<u64>(env + ENV_FP_DP, <u64>f5);
    store<u32>(env + ENV_FP_DS, f6 & 0xffff);
  } else {
    store<u64>(env + ENV_FP_IP, <u64>((f3 & 0xffff) | (((f4 >> 12) & 0xffff) << 16)));
    store<u32>(env + ENV_FP_CS, 0);
    store<u32>(env + ENV_FP_OPCODE, f4 & 0x7ff);
    store<u64>(env + ENV_FP_DP, <u64>((f5 & 0xffff) | (((f6 >> 12) & 0xffff) << 16)));
    store<u32>(env + ENV_FP_DS, 0);
  }
  summarize(env);
}

/** Images consist of words or doublewords. */
function checkImageAlignment(env: u32, address: u64, imm: i32): void {
  checkAlignment(env, address, imm & FORMAT_32 ? 4 : 2);
}

function readImage(env: u32, address: u64, size: u32, imm: i32): void {
  checkImageAlignment(env, address, imm);
  const at = env + BUFFER;
  for (let offset: u32 = 0; offset < size; offset += 2) store<u16>(at + offset, <u16>loadU16(env, address + offset));
}

/** FNSTENV at a; then all exceptions are masked. */
export function x87StoreEnvironment(env: u32, address: u64, _b: u64, imm: i32): u64 {
  checkImageAlignment(env, address, imm);
  probeWrite(env, address, environmentSize(imm));
  storeEnvironment(env, address, imm);
  store<u32>(env + ENV_FP_CONTROL, load<u32>(env + ENV_FP_CONTROL) | 0x3f);
  store<u32>(env + ENV_FP_STATUS, load<u32>(env + ENV_FP_STATUS) & ~(SW_ES | SW_B));
  return 0;
}

/** FLDENV */
export function x87LoadEnvironment(env: u32, address: u64, _b: u64, imm: i32): u64 {
  checkPending(env);
  readImage(env, address, environmentSize(imm), imm);
  takeEnvironment(env, imm);
  return 0;
}

/** FNSAVE: environment and registers, then FNINIT. */
export function x87Save(env: u32, address: u64, _b: u64, imm: i32): u64 {
  const size = environmentSize(imm);
  checkImageAlignment(env, address, imm);
  probeWrite(env, address, size + 80);
  storeEnvironment(env, address, imm);
  for (let i: u32 = 0; i < 8; i++) {
    const slot = st(env, i);
    const at = address + size + i * 10;
    for (let offset: u32 = 0; offset < 10; offset += 2) storeU16(env, at + offset, <u64>load<u16>(slot + offset));
  }
  fninit(env);
  return 0;
}

/** FRSTOR */
export function x87Restore(env: u32, address: u64, _b: u64, imm: i32): u64 {
  checkPending(env);
  const size = environmentSize(imm);
  readImage(env, address, size + 80, imm);
  takeEnvironment(env, imm);
  const at = env + BUFFER + size;
  for (let i: u32 = 0; i < 8; i++) {
    const slot = st(env, i);
    store<u64>(slot, load<u64>(at + i * 10));
    store<u64>(slot, <u64>load<u16>(at + i * 10 + 8), 8);
  }
  return 0;
}
