/**
 * AES (FIPS 197), carry-less multiplication and SHA (FIPS 180-4) instructions. Intel SDM volume 2; helpers work in
 * place as those of sse-int.ts do.
 */

import { ENV_XMM } from "./generated/env";
import { destination, source } from "./sse-int";

// biome-ignore format: a table
const S_BOX = memory.data<u8>([
  0x63, 0x7c, 0x77, 0x7b, 0xf2, 0x6b, 0x6f, 0xc5, 0x30, 0x01, 0x67, 0x2b, 0xfe, 0xd7, 0xab, 0x76,
  0xca, 0x82, 0xc9, 0x7d, 0xfa, 0x59, 0x47, 0xf0, 0xad, 0xd4, 0xa2, 0xaf, 0x9c, 0xa4, 0x72, 0xc0,
  0xb7, 0xfd, 0x93, 0x26, 0x36, 0x3f, 0xf7, 0xcc, 0x34, 0xa5, 0xe5, 0xf1, 0x71, 0xd8, 0x31, 0x15,
  0x04, 0xc7, 0x23, 0xc3, 0x18, 0x96, 0x05, 0x9a, 0x07, 0x12, 0x80, 0xe2, 0xeb, 0x27, 0xb2, 0x75,
  0x09, 0x83, 0x2c, 0x1a, 0x1b, 0x6e, 0x5a, 0xa0, 0x52, 0x3b, 0xd6, 0xb3, 0x29, 0xe3, 0x2f, 0x84,
  0x53, 0xd1, 0x00, 0xed, 0x20, 0xfc, 0xb1, 0x5b, 0x6a, 0xcb, 0xbe, 0x39, 0x4a, 0x4c, 0x58, 0xcf,
  0xd0, 0xef, 0xaa, 0xfb, 0x43, 0x4d, 0x33, 0x85, 0x45, 0xf9, 0x02, 0x7f, 0x50, 0x3c, 0x9f, 0xa8,
  0x51, 0xa3, 0x40, 0x8f, 0x92, 0x9d, 0x38, 0xf5, 0xbc, 0xb6, 0xda, 0x21, 0x10, 0xff, 0xf3, 0xd2,
  0xcd, 0x0c, 0x13, 0xec, 0x5f, 0x97, 0x44, 0x17, 0xc4, 0xa7, 0x7e, 0x3d, 0x64, 0x5d, 0x19, 0x73,
  0x60, 0x81, 0x4f, 0xdc, 0x22, 0x2a, 0x90, 0x88, 0x46, 0xee, 0xb8, 0x14, 0xde, 0x5e, 0x0b, 0xdb,
  0xe0, 0x32, 0x3a, 0x0a, 0x49, 0x06, 0x24, 0x5c, 0xc2, 0xd3, 0xac, 0x62, 0x91, 0x95, 0xe4, 0x79,
  0xe7, 0xc8, 0x37, 0x6d, 0x8d, 0xd5, 0x4e, 0xa9, 0x6c, 0x56, 0xf4, 0xea, 0x65, 0x7a, 0xae, 0x08,
  0xba, 0x78, 0x25, 0x2e, 0x1c, 0xa6, 0xb4, 0xc6, 0xe8, 0xdd, 0x74, 0x1f, 0x4b, 0xbd, 0x8b, 0x8a,
  0x70, 0x3e, 0xb5, 0x66, 0x48, 0x03, 0xf6, 0x0e, 0x61, 0x35, 0x57, 0xb9, 0x86, 0xc1, 0x1d, 0x9e,
  0xe1, 0xf8, 0x98, 0x11, 0x69, 0xd9, 0x8e, 0x94, 0x9b, 0x1e, 0x87, 0xe9, 0xce, 0x55, 0x28, 0xdf,
  0x8c, 0xa1, 0x89, 0x0d, 0xbf, 0xe6, 0x42, 0x68, 0x41, 0x99, 0x2d, 0x0f, 0xb0, 0x54, 0xbb, 0x16,
]);

// biome-ignore format: a table
const INVERSE_S_BOX = memory.data<u8>([
  0x52, 0x09, 0x6a, 0xd5, 0x30, 0x36, 0xa5, 0x38, 0xbf, 0x40, 0xa3, 0x9e, 0x81, 0xf3, 0xd7, 0xfb,
  0x7c, 0xe3, 0x39, 0x82, 0x9b, 0x2f, 0xff, 0x87, 0x34, 0x8e, 0x43, 0x44, 0xc4, 0xde, 0xe9, 0xcb,
  0x54, 0x7b, 0x94, 0x32, 0xa6, 0xc2, 0x23, 0x3d, 0xee, 0x4c, 0x95, 0x0b, 0x42, 0xfa, 0xc3, 0x4e,
  0x08, 0x2e, 0xa1, 0x66, 0x28, 0xd9, 0x24, 0xb2, 0x76, 0x5b, 0xa2, 0x49, 0x6d, 0x8b, 0xd1, 0x25,
  0x72, 0xf8, 0xf6, 0x64, 0x86, 0x68, 0x98, 0x16, 0xd4, 0xa4, 0x5c, 0xcc, 0x5d, 0x65, 0xb6, 0x92,
  0x6c, 0x70, 0x48, 0x50, 0xfd, 0xed, 0xb9, 0xda, 0x5e, 0x15, 0x46, 0x57, 0xa7, 0x8d, 0x9d, 0x84,
  0x90, 0xd8, 0xab, 0x00, 0x8c, 0xbc, 0xd3, 0x0a, 0xf7, 0xe4, 0x58, 0x05, 0xb8, 0xb3, 0x45, 0x06,
  0xd0, 0x2c, 0x1e, 0x8f, 0xca, 0x3f, 0x0f, 0x02, 0xc1, 0xaf, 0xbd, 0x03, 0x01, 0x13, 0x8a, 0x6b,
  0x3a, 0x91, 0x11, 0x41, 0x4f, 0x67, 0xdc, 0xea, 0x97, 0xf2, 0xcf, 0xce, 0xf0, 0xb4, 0xe6, 0x73,
  0x96, 0xac, 0x74, 0x22, 0xe7, 0xad, 0x35, 0x85, 0xe2, 0xf9, 0x37, 0xe8, 0x1c, 0x75, 0xdf, 0x6e,
  0x47, 0xf1, 0x1a, 0x71, 0x1d, 0x29, 0xc5, 0x89, 0x6f, 0xb7, 0x62, 0x0e, 0xaa, 0x18, 0xbe, 0x1b,
  0xfc, 0x56, 0x3e, 0x4b, 0xc6, 0xd2, 0x79, 0x20, 0x9a, 0xdb, 0xc0, 0xfe, 0x78, 0xcd, 0x5a, 0xf4,
  0x1f, 0xdd, 0xa8, 0x33, 0x88, 0x07, 0xc7, 0x31, 0xb1, 0x12, 0x10, 0x59, 0x27, 0x80, 0xec, 0x5f,
  0x60, 0x51, 0x7f, 0xa9, 0x19, 0xb5, 0x4a, 0x0d, 0x2d, 0xe5, 0x7a, 0x9f, 0x93, 0xc9, 0x9c, 0xef,
  0xa0, 0xe0, 0x3b, 0x4d, 0xae, 0x2a, 0xf5, 0xb0, 0xc8, 0xeb, 0xbb, 0x3c, 0x83, 0x53, 0x99, 0x61,
  0x17, 0x2b, 0x04, 0x7e, 0xba, 0x77, 0xd6, 0x26, 0xe1, 0x69, 0x14, 0x63, 0x55, 0x21, 0x0c, 0x7d,
]);

/** Multiplication by x in GF(2^8), four bytes at once. */
function times2(x: u32): u32 {
  return ((x & 0x7f7f7f7f) << 1) ^ (((x >> 7) & 0x01010101) * 0x1b);
}

function mixColumn(x: u32): u32 {
  const y = rotr<u32>(x, 8);
  // 2a + 3b + c + d for each byte
  return times2(x ^ y) ^ y ^ rotr<u32>(x ^ y, 16);
}

function inverseMixColumn(x: u32): u32 {
  // The inverse is the forward matrix after adding 4 (a + c) to a and c, 4 (b + d) to b and d.
  const u = times2(times2(x ^ rotr<u32>(x, 16)));
  return mixColumn(x ^ u);
}

/** SubBytes and MixColumns of a byte in row 0 to 3 (1 KiB each), forward and inverse: FIPS 197 as tables. */
const FORWARD = memory.data(4096);
const INVERSE = memory.data(4096);
for (let value: u32 = 0; value < 256; value++) {
  const forward = mixColumn(load<u8>(S_BOX + value));
  const inverse = inverseMixColumn(load<u8>(INVERSE_S_BOX + value));
  for (let row: u32 = 0; row < 4; row++) {
    store<u32>(FORWARD + row * 1024 + value * 4, rotl<u32>(forward, row * 8));
    store<u32>(INVERSE + row * 1024 + value * 4, rotl<u32>(inverse, row * 8));
  }
}

function mixed(table: usize, row0: u32, row1: u32, row2: u32, row3: u32): u32 {
  return (
    load<u32>(table + (row0 & 0xff) * 4) ^
    load<u32>(table + ((row1 >> 8) & 0xff) * 4, 1024) ^
    load<u32>(table + ((row2 >> 16) & 0xff) * 4, 2048) ^
    load<u32>(table + (row3 >> 24) * 4, 3072)
  );
}

function substituted(box: usize, row0: u32, row1: u32, row2: u32, row3: u32): u32 {
  return (
    <u32>load<u8>(box + (row0 & 0xff)) |
    ((<u32>load<u8>(box + ((row1 >> 8) & 0xff))) << 8) |
    ((<u32>load<u8>(box + ((row2 >> 16) & 0xff))) << 16) |
    ((<u32>load<u8>(box + (row3 >> 24))) << 24)
  );
}

// ShiftRows takes the byte in row r from r columns further on, its inverse from r columns before.

export function aesenc(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const x0 = load<u32>(d);
  const x1 = load<u32>(d, 4);
  const x2 = load<u32>(d, 8);
  const x3 = load<u32>(d, 12);
  const s = source(env, imm);
  const y0 = load<u32>(s) ^ mixed(FORWARD, x0, x1, x2, x3);
  const y1 = load<u32>(s, 4) ^ mixed(FORWARD, x1, x2, x3, x0);
  const y2 = load<u32>(s, 8) ^ mixed(FORWARD, x2, x3, x0, x1);
  const y3 = load<u32>(s, 12) ^ mixed(FORWARD, x3, x0, x1, x2);
  v128.store(d, i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(y0), 1, y1), 2, y2), 3, y3));
  return 0;
}

export function aesenclast(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const x0 = load<u32>(d);
  const x1 = load<u32>(d, 4);
  const x2 = load<u32>(d, 8);
  const x3 = load<u32>(d, 12);
  const s = source(env, imm);
  const y0 = load<u32>(s) ^ substituted(S_BOX, x0, x1, x2, x3);
  const y1 = load<u32>(s, 4) ^ substituted(S_BOX, x1, x2, x3, x0);
  const y2 = load<u32>(s, 8) ^ substituted(S_BOX, x2, x3, x0, x1);
  const y3 = load<u32>(s, 12) ^ substituted(S_BOX, x3, x0, x1, x2);
  v128.store(d, i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(y0), 1, y1), 2, y2), 3, y3));
  return 0;
}

export function aesdec(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const x0 = load<u32>(d);
  const x1 = load<u32>(d, 4);
  const x2 = load<u32>(d, 8);
  const x3 = load<u32>(d, 12);
  const s = source(env, imm);
  const y0 = load<u32>(s) ^ mixed(INVERSE, x0, x3, x2, x1);
  const y1 = load<u32>(s, 4) ^ mixed(INVERSE, x1, x0, x3, x2);
  const y2 = load<u32>(s, 8) ^ mixed(INVERSE, x2, x1, x0, x3);
  const y3 = load<u32>(s, 12) ^ mixed(INVERSE, x3, x2, x1, x0);
  v128.store(d, i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(y0), 1, y1), 2, y2), 3, y3));
  return 0;
}

export function aesdeclast(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const x0 = load<u32>(d);
  const x1 = load<u32>(d, 4);
  const x2 = load<u32>(d, 8);
  const x3 = load<u32>(d, 12);
  const s = source(env, imm);
  const y0 = load<u32>(s) ^ substituted(INVERSE_S_BOX, x0, x3, x2, x1);
  const y1 = load<u32>(s, 4) ^ substituted(INVERSE_S_BOX, x1, x0, x3, x2);
  const y2 = load<u32>(s, 8) ^ substituted(INVERSE_S_BOX, x2, x1, x0, x3);
  const y3 = load<u32>(s, 12) ^ substituted(INVERSE_S_BOX, x3, x2, x1, x0);
  v128.store(d, i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(y0), 1, y1), 2, y2), 3, y3));
  return 0;
}

export function aesimc(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  for (let column: u32 = 0; column < 16; column += 4) store<u32>(d + column, inverseMixColumn(load<u32>(s + column)));
  return 0;
}

function substituteWord(x: u32): u32 {
  return (
    <u32>load<u8>(S_BOX + (x & 0xff)) |
    ((<u32>load<u8>(S_BOX + ((x >> 8) & 0xff))) << 8) |
    ((<u32>load<u8>(S_BOX + ((x >> 16) & 0xff))) << 16) |
    ((<u32>load<u8>(S_BOX + (x >> 24))) << 24)
  );
}

/** AESKEYGENASSIST: a = round constant. */
export function aeskeygenassist(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  const x1 = substituteWord(load<u32>(s, 4));
  const x3 = substituteWord(load<u32>(s, 12));
  store<u32>(d, x1);
  store<u32>(d, rotr<u32>(x1, 8) ^ <u32>a, 4);
  store<u32>(d, x3, 8);
  store<u32>(d, rotr<u32>(x3, 8) ^ <u32>a, 12);
  return 0;
}

/** PCLMULQDQ: a = immediate, bit 0 and bit 4 choose the halves. */
export function pclmulqdq(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const x = load<u64>(d + ((<u32>a & 1) << 3));
  let y = load<u64>(source(env, imm) + ((<u32>a & 16) >> 1));
  let low: u64 = 0;
  let high: u64 = 0;
  while (y !== 0) {
    const n = ctz(y);
    low ^= x << n;
    if (n !== 0) high ^= x >> (64 - n);
    y &= y - 1;
  }
  store<u64>(d, low);
  store<u64>(d, high, 8);
  return 0;
}

// --- SHA: element 3 of a vector is the first word of the standard's notation

export function sha1msg1(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  const w2 = load<u32>(d, 4);
  const w3 = load<u32>(d);
  const w4 = load<u32>(s, 12);
  const w5 = load<u32>(s, 8);
  store<u32>(d, load<u32>(d, 12) ^ w2, 12);
  store<u32>(d, load<u32>(d, 8) ^ w3, 8);
  store<u32>(d, w2 ^ w4, 4);
  store<u32>(d, w3 ^ w5);
  return 0;
}

export function sha1msg2(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  const w16 = rotl<u32>(load<u32>(d, 12) ^ load<u32>(s, 8), 1);
  const w17 = rotl<u32>(load<u32>(d, 8) ^ load<u32>(s, 4), 1);
  const w18 = rotl<u32>(load<u32>(d, 4) ^ load<u32>(s), 1);
  const w19 = rotl<u32>(load<u32>(d) ^ w16, 1);
  store<u32>(d, w16, 12);
  store<u32>(d, w17, 8);
  store<u32>(d, w18, 4);
  store<u32>(d, w19);
  return 0;
}

export function sha1nexte(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  const e = rotl<u32>(load<u32>(d, 12), 30);
  const x = v128.load(s);
  v128.store(d, x);
  store<u32>(d, load<u32>(d, 12) + e, 12);
  return 0;
}

/** SHA1RNDS4: a = which of the four functions. */
export function sha1rnds4(env: u32, a: u64, _b: u64, imm: i32): u64 {
  const p = destination(env, imm);
  const s = source(env, imm);
  const kind = <u32>a & 3;
  const k: u32 = kind === 0 ? 0x5a827999 : kind === 1 ? 0x6ed9eba1 : kind === 2 ? 0x8f1bbcdc : 0xca62c1d6;
  let x = load<u32>(p, 12);
  let b = load<u32>(p, 8);
  let c = load<u32>(p, 4);
  let d = load<u32>(p);
  // The first word comes with E added already.
  let e: u32 = 0;
  for (let round: u32 = 0; round < 4; round++) {
    const f = kind === 0 ? (b & c) ^ (~b & d) : kind === 2 ? (b & c) ^ (b & d) ^ (c & d) : b ^ c ^ d;
    const next = f + rotl<u32>(x, 5) + load<u32>(s + 12 - round * 4) + e + k;
    e = d;
    d = c;
    c = rotl<u32>(b, 30);
    b = x;
    x = next;
  }
  store<u32>(p, x, 12);
  store<u32>(p, b, 8);
  store<u32>(p, c, 4);
  store<u32>(p, d);
  return 0;
}

/** SHA256RNDS2: two rounds with the words in XMM0; the destination holds C D G H, the source A B E F. */
export function sha256rnds2(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const p = destination(env, imm);
  const s = source(env, imm);
  let a = load<u32>(s, 12);
  let b = load<u32>(s, 8);
  let e = load<u32>(s, 4);
  let f = load<u32>(s);
  let c = load<u32>(p, 12);
  let d = load<u32>(p, 8);
  let g = load<u32>(p, 4);
  let h = load<u32>(p);
  for (let round: u32 = 0; round < 2; round++) {
    const wk = load<u32>(env + ENV_XMM + round * 4);
    const choose = (e & f) ^ (~e & g);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const sum1 = rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25);
    const sum0 = rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22);
    const t = choose + sum1 + wk + h;
    h = g;
    g = f;
    f = e;
    e = t + d;
    d = c;
    c = b;
    b = a;
    a = t + majority + sum0;
  }
  store<u32>(p, a, 12);
  store<u32>(p, b, 8);
  store<u32>(p, e, 4);
  store<u32>(p, f);
  return 0;
}

function sigma0(x: u32): u32 {
  return rotr<u32>(x, 7) ^ rotr<u32>(x, 18) ^ (x >> 3);
}

function sigma1(x: u32): u32 {
  return rotr<u32>(x, 17) ^ rotr<u32>(x, 19) ^ (x >> 10);
}

export function sha256msg1(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const w4 = load<u32>(source(env, imm));
  const w0 = load<u32>(d);
  const w1 = load<u32>(d, 4);
  const w2 = load<u32>(d, 8);
  const w3 = load<u32>(d, 12);
  store<u32>(d, w0 + sigma0(w1));
  store<u32>(d, w1 + sigma0(w2), 4);
  store<u32>(d, w2 + sigma0(w3), 8);
  store<u32>(d, w3 + sigma0(w4), 12);
  return 0;
}

export function sha256msg2(env: u32, _a: u64, _b: u64, imm: i32): u64 {
  const d = destination(env, imm);
  const s = source(env, imm);
  const w14 = load<u32>(s, 8);
  const w15 = load<u32>(s, 12);
  const w16 = load<u32>(d) + sigma1(w14);
  const w17 = load<u32>(d, 4) + sigma1(w15);
  const w18 = load<u32>(d, 8) + sigma1(w16);
  const w19 = load<u32>(d, 12) + sigma1(w17);
  store<u32>(d, w16);
  store<u32>(d, w17, 4);
  store<u32>(d, w18, 8);
  store<u32>(d, w19, 12);
  return 0;
}
