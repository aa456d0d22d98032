/**
 * FXSAVE, FXRSTOR, XSAVE, XSAVEOPT, XRSTOR and MXCSR. Intel SDM volume 1, sections 10.5 and 13.
 *
 * Components: x87 (XCR0 bit 0), SSE (bit 1), AVX (bit 2: upper halves of YMM, kept but without instructions of its own).
 */

import { EXC_GP, raiseError } from "./fault";
import {
  ENV_CR4,
  ENV_EFER,
  ENV_FP_CONTROL,
  ENV_FP_CS,
  ENV_FP_DP,
  ENV_FP_DS,
  ENV_FP_EMPTY,
  ENV_FP_IP,
  ENV_FP_OPCODE,
  ENV_HFLAGS,
  ENV_MXCSR,
  ENV_SCRATCH,
  ENV_XCR0,
  ENV_XMM,
  ENV_YMM_HIGH,
  HF_CPL,
  HF_CS64,
} from "./generated/env";
import { checkAlignment, loadU64, probeRead, probeWrite, storeU16, storeU32, storeU64 } from "./mmu";
import { CR4_OSFXSR } from "./registers";
import { st, summarize } from "./x87";
import { fninit, setControlWord, setStatusWord, statusWord } from "./x87-env";

export const MXCSR_MASK: u32 = 0xffff;
const EFER_FFXSR: u64 = 1 << 14;
const XCR0_X87: u64 = 1;
const XCR0_SSE: u64 = 2;
const XCR0_AVX: u64 = 4;
const MXCSR_OFFSET: u32 = 24;
const XMM_OFFSET: u32 = 160;
const LEGACY_SIZE: u32 = 512;
const HEADER_SIZE: u32 = 64;
const YMM_OFFSET: u32 = LEGACY_SIZE + HEADER_SIZE;
const BUFFER: u32 = ENV_SCRATCH + 256;

/** imm of the save and restore helpers: REX.W. */
const REX_W: i32 = 1;

function requireAlignment(env: u32, address: u64, alignment: u64): void {
  checkAlignment(env, address, 4);
  if (address & (alignment - 1)) raiseError(env, EXC_GP, 0);
}

function xmmCount(env: u32): u32 {
  return load<u32>(env + ENV_HFLAGS) & HF_CS64 ? 16 : 8;
}

/** FFXSR: in ring 0 of 64-bit mode the XMM registers are left out. */
function fastForm(env: u32): bool {
  const hflags = load<u32>(env + ENV_HFLAGS);
  return (load<u64>(env + ENV_EFER) & EFER_FFXSR) !== 0 && (hflags & HF_CS64) !== 0 && (hflags & HF_CPL) === 0;
}

/** Valid bits by physical register. */
function abridgedTags(env: u32): u32 {
  let tags: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) if (!load<u8>(env + ENV_FP_EMPTY + i)) tags |= 1 << i;
  return tags;
}

function saveX87(env: u32, address: u64, wide: bool): void {
  storeU16(env, address, <u64>load<u32>(env + ENV_FP_CONTROL));
  storeU16(env, address + 2, <u64>statusWord(env));
  storeU16(env, address + 4, <u64>abridgedTags(env));
  storeU16(env, address + 6, <u64>load<u32>(env + ENV_FP_OPCODE));
  if (wide) {
    storeU64(env, address + 8, load<u64>(env + ENV_FP_IP));
    storeU64(env, address + 16, load<u64>(env + ENV_FP_DP));
  } else {
    storeU32(env, address + 8, load<u64>(env + ENV_FP_IP));
    storeU32(env, address + 12, <u64>load<u32>(env + ENV_FP_CS));
    storeU32(env, address + 16, load<u64>(env + ENV_FP_DP));
    storeU32(env, address + 20, <u64>load<u32>(env + ENV_FP_DS));
  }
  for (let i: u32 = 0; i < 8; i++) {
    const slot = st(env, i);
    storeU64(env, address + 32 + i * 16, load<u64>(slot));
    storeU64(env, address + 40 + i * 16, load<u64>(slot, 8) & 0xffff);
  }
}

function saveXmm(env: u32, address: u64): void {
  const count = xmmCount(env) * 2;
  for (let i: u32 = 0; i < count; i++) storeU64(env, address + XMM_OFFSET + i * 8, load<u64>(env + ENV_XMM + i * 8));
}

/** Reads a part of an image into the buffer. */
function readImage(env: u32, address: u64, from: u32, to: u32): void {
  for (let offset = from; offset < to; offset += 8) store<u64>(env + BUFFER + offset, loadU64(env, address + offset));
}

function restoreX87(env: u32, wide: bool): void {
  const at = env + BUFFER;
  setControlWord(env, load<u16>(at));
  setStatusWord(env, load<u16>(at + 2));
  const tags = <u32>load<u8>(at + 4);
  for (let i: u32 = 0; i < 8; i++) store<u8>(env + ENV_FP_EMPTY + i, (tags >> i) & 1 ? 0 : 1);
  store<u32>(env + ENV_FP_OPCODE, load<u16>(at + 6) & 0x7ff);
  if (wide) {
    store<u64>(env + ENV_FP_IP, load<u64>(at + 8));
    store<u64>(env + ENV_FP_DP, load<u64>(at + 16));
    store<u32>(env + ENV_FP_CS, 0);
    store<u32>(env + ENV_FP_DS, 0);
  } else {
    store<u64>(env + ENV_FP_IP, <u64>load<u32>(at + 8));
    store<u32>(env + ENV_FP_CS, load<u16>(at + 12));
    store<u64>(env + ENV_FP_DP, <u64>load<u32>(at + 16));
    store<u32>(env + ENV_FP_DS, load<u16>(at + 20));
  }
  for (let i: u32 = 0; i < 8; i++) {
    const slot = st(env, i);
    store<u64>(slot, load<u64>(at + 32 + i * 16));
    store<u64>(slot, <u64>load<u16>(at + 40 + i * 16), 8);
  }
  summarize(env);
}

function restoreXmm(env: u32): void {
  const count = xmmCount(env) * 2;
  for (let i: u32 = 0; i < count; i++) store<u64>(env + ENV_XMM + i * 8, load<u64>(env + BUFFER + XMM_OFFSET + i * 8));
}

/** FXSAVE at a */
export function fxsave(env: u32, address: u64, _b: u64, imm: i32): u64 {
  requireAlignment(env, address, 16);
  probeWrite(env, address, LEGACY_SIZE);
  saveX87(env, address, (imm & REX_W) !== 0);
  storeU32(env, address + MXCSR_OFFSET, <u64>load<u32>(env + ENV_MXCSR));
  storeU32(env, address + MXCSR_OFFSET + 4, <u64>MXCSR_MASK);
  if (!fastForm(env)) saveXmm(env, address);
  return 0;
}

/** FXRSTOR */
export function fxrstor(env: u32, address: u64, _b: u64, imm: i32): u64 {
  requireAlignment(env, address, 16);
  readImage(env, address, 0, LEGACY_SIZE);
  const useSse = (load<u64>(env + ENV_CR4) & CR4_OSFXSR) !== 0;
  const mxcsr = load<u32>(env + BUFFER + MXCSR_OFFSET);
  if (mxcsr & ~MXCSR_MASK) raiseError(env, EXC_GP, 0);
  restoreX87(env, (imm & REX_W) !== 0);
  store<u32>(env + ENV_MXCSR, mxcsr);
  if (useSse && !fastForm(env)) restoreXmm(env);
  return 0;
}

/** LDMXCSR: a = the new value. */
export function ldmxcsr(env: u32, a: u64, _b: u64, _imm: i32): u64 {
  if (<u32>a & ~MXCSR_MASK) raiseError(env, EXC_GP, 0);
  store<u32>(env + ENV_MXCSR, <u32>a);
  return 0;
}

/** Components that an XSAVE asks for and that exist: b = EDX:EAX. */
function requested(env: u32, mask: u64): u64 {
  return mask & load<u64>(env + ENV_XCR0);
}

/** Components that are not in their initial configuration. */
function inUse(env: u32): u64 {
  let components: u64 = 0;
  const initial =
    load<u32>(env + ENV_FP_CONTROL) === 0x37f &&
    statusWord(env) === 0 &&
    abridgedTags(env) === 0 &&
    (load<u64>(env + ENV_FP_IP) | load<u64>(env + ENV_FP_DP)) === 0 &&
    (load<u32>(env + ENV_FP_OPCODE) | load<u32>(env + ENV_FP_CS) | load<u32>(env + ENV_FP_DS)) === 0;
  let bits: u64 = 0;
  for (let i: u32 = 0; i < 8; i++) bits |= load<u64>(st(env, i)) | load<u64>(st(env, i), 8);
  if (!initial || bits) components |= XCR0_X87;
  const count = xmmCount(env) * 2;
  bits = 0;
  for (let i: u32 = 0; i < count; i++) bits |= load<u64>(env + ENV_XMM + i * 8);
  if (bits) components |= XCR0_SSE;
  bits = 0;
  for (let i: u32 = 0; i < count; i++) bits |= load<u64>(env + ENV_YMM_HIGH + i * 8);
  if (bits) components |= XCR0_AVX;
  return components;
}

/** XSAVE and (imm bit 1) XSAVEOPT at a; b = EDX:EAX. */
export function xsave(env: u32, address: u64, mask: u64, imm: i32): u64 {
  requireAlignment(env, address, 64);
  const components = requested(env, mask);
  const used = inUse(env);
  // XSAVEOPT does not write what is in its initial configuration.
  const write = imm & 2 ? components & used : components;
  const avx = (write & XCR0_AVX) !== 0;
  if (write & XCR0_X87) probeWrite(env, address, XMM_OFFSET);
  if (components & (XCR0_SSE | XCR0_AVX)) probeWrite(env, address + MXCSR_OFFSET, 8);
  if (write & XCR0_SSE) probeWrite(env, address + XMM_OFFSET, xmmCount(env) * 16);
  if (avx) probeWrite(env, address + YMM_OFFSET, xmmCount(env) * 16);
  probeWrite(env, address + LEGACY_SIZE, HEADER_SIZE);
  const header = loadU64(env, address + LEGACY_SIZE);
  if (write & XCR0_X87) saveX87(env, address, (imm & REX_W) !== 0);
  if (components & (XCR0_SSE | XCR0_AVX)) {
    storeU32(env, address + MXCSR_OFFSET, <u64>load<u32>(env + ENV_MXCSR));
    storeU32(env, address + MXCSR_OFFSET + 4, <u64>MXCSR_MASK);
  }
  if (write & XCR0_SSE) saveXmm(env, address);
  if (avx) {
    const count = xmmCount(env) * 2;
    for (let i: u32 = 0; i < count; i++) {
      storeU64(env, address + YMM_OFFSET + i * 8, load<u64>(env + ENV_YMM_HIGH + i * 8));
    }
  }
  storeU64(env, address + LEGACY_SIZE, (header & ~components) | (components & used));
  return 0;
}

/** XRSTOR; b = EDX:EAX. */
export function xrstor(env: u32, address: u64, mask: u64, imm: i32): u64 {
  requireAlignment(env, address, 64);
  const components = requested(env, mask);
  if (components & (XCR0_SSE | XCR0_AVX)) readImage(env, address, MXCSR_OFFSET, MXCSR_OFFSET + 8);
  const present = loadU64(env, address + LEGACY_SIZE);
  // The compacted form (XCOMP_BV bit 63) is not advertised: both reserved words have to be zero.
  const reserved = loadU64(env, address + LEGACY_SIZE + 8) | loadU64(env, address + LEGACY_SIZE + 16);
  if (present & ~load<u64>(env + ENV_XCR0) || reserved) raiseError(env, EXC_GP, 0);
  const restore = components & present;
  if (restore & XCR0_AVX) probeRead(env, address + YMM_OFFSET, xmmCount(env) * 16);
  if (restore & XCR0_SSE) readImage(env, address, XMM_OFFSET, XMM_OFFSET + xmmCount(env) * 16);
  if (restore & XCR0_X87) readImage(env, address, 0, XMM_OFFSET);
  if (components & (XCR0_SSE | XCR0_AVX)) {
    const mxcsr = load<u32>(env + BUFFER + MXCSR_OFFSET);
    if (mxcsr & ~MXCSR_MASK) raiseError(env, EXC_GP, 0);
    store<u32>(env + ENV_MXCSR, mxcsr);
  }
  if (restore & XCR0_X87) {
    restoreX87(env, (imm & REX_W) !== 0);
  } else if (components & XCR0_X87) {
    fninit(env);
    for (let i: u32 = 0; i < 8; i++) {
      store<u64>(st(env, i), 0);
      store<u64>(st(env, i), 0, 8);
    }
  }
  const bytes = xmmCount(env) * 16;
  if (restore & XCR0_SSE) restoreXmm(env);
  else if (components & XCR0_SSE) memory.fill(env + ENV_XMM, 0, bytes);
  if (restore & XCR0_AVX) {
    for (let i: u32 = 0; i < bytes; i += 8) {
      store<u64>(env + ENV_YMM_HIGH + i, loadU64(env, address + YMM_OFFSET + i));
    }
  } else if (components & XCR0_AVX) {
    memory.fill(env + ENV_YMM_HIGH, 0, bytes);
  }
  return 0;
}
