/**
 * WebAssembly opcodes that only intrinsics use: floating point, and SIMD beyond the IR's. WebAssembly Core
 * Specification 2.0, section 5.4. Entries are the bytes to write.
 */

/** Scalar floating point. */
export const F = {
  f32_const: [0x43],
  f64_const: [0x44],
  f32_eq: [0x5b],
  f32_lt: [0x5d],
  f32_gt: [0x5e],
  f32_le: [0x5f],
  f32_ge: [0x60],
  f64_eq: [0x61],
  f64_ne: [0x62],
  f64_lt: [0x63],
  f64_gt: [0x64],
  f64_le: [0x65],
  f64_ge: [0x66],
  f32_abs: [0x8b],
  f32_trunc: [0x8f],
  f32_nearest: [0x90],
  f32_sqrt: [0x91],
  f32_add: [0x92],
  f32_sub: [0x93],
  f32_mul: [0x94],
  f32_div: [0x95],
  f64_abs: [0x99],
  f64_trunc: [0x9d],
  f64_nearest: [0x9e],
  f64_sqrt: [0x9f],
  f64_add: [0xa0],
  f64_sub: [0xa1],
  f64_mul: [0xa2],
  f64_div: [0xa3],
  f32_convert_i64_s: [0xb4],
  f32_demote_f64: [0xb6],
  f64_convert_i64_s: [0xb9],
  f64_promote_f32: [0xbb],
  i32_reinterpret_f32: [0xbc],
  i64_reinterpret_f64: [0xbd],
  f32_reinterpret_i32: [0xbe],
  f64_reinterpret_i64: [0xbf],
  i64_trunc_sat_f32_s: [0xfc, 0x04],
  i64_trunc_sat_f64_s: [0xfc, 0x06],
} as const;

const OPS = {
  i8x16_shuffle: 0x0d,
  i8x16_swizzle: 0x0e,
  i64x2_splat: 0x12,
  i8x16_extract_lane_u: 0x16,
  i8x16_replace_lane: 0x17,
  i16x8_extract_lane_u: 0x19,
  i16x8_replace_lane: 0x1a,
  i32x4_extract_lane: 0x1b,
  i32x4_replace_lane: 0x1c,
  i64x2_extract_lane: 0x1d,
  i64x2_replace_lane: 0x1e,
  f32x4_extract_lane: 0x1f,
  f32x4_replace_lane: 0x20,
  f64x2_extract_lane: 0x21,
  f64x2_replace_lane: 0x22,
  i8x16_eq: 0x23,
  i16x8_eq: 0x2d,
  i32x4_eq: 0x37,
  f32x4_eq: 0x41,
  f32x4_ne: 0x42,
  f32x4_lt: 0x43,
  f32x4_gt: 0x44,
  f32x4_le: 0x45,
  f32x4_ge: 0x46,
  f64x2_eq: 0x47,
  f64x2_ne: 0x48,
  f64x2_lt: 0x49,
  f64x2_gt: 0x4a,
  f64x2_le: 0x4b,
  f64x2_ge: 0x4c,
  v128_and: 0x4e,
  v128_andnot: 0x4f,
  v128_or: 0x50,
  v128_xor: 0x51,
  v128_bitselect: 0x52,
  v128_any_true: 0x53,
  f32x4_demote_f64x2_zero: 0x5e,
  f64x2_promote_low_f32x4: 0x5f,
  i32x4_all_true: 0xa3,
  i64x2_all_true: 0xc3,
  i8x16_bitmask: 0x64,
  i32x4_bitmask: 0xa4,
  i64x2_bitmask: 0xc4,
  f32x4_ceil: 0x67,
  f32x4_floor: 0x68,
  f32x4_trunc: 0x69,
  f32x4_nearest: 0x6a,
  f64x2_ceil: 0x74,
  f64x2_floor: 0x75,
  f64x2_trunc: 0x7a,
  f64x2_nearest: 0x94,
  i8x16_shr_s: 0x6c,
  i8x16_sub: 0x71,
  i8x16_sub_sat_u: 0x73,
  i16x8_extadd_pairwise_i8x16_u: 0x7d,
  i32x4_extadd_pairwise_i16x8_u: 0x7f,
  i16x8_narrow_i32x4_s: 0x85,
  i16x8_shl: 0x8b,
  i16x8_shr_s: 0x8c,
  i16x8_shr_u: 0x8d,
  i16x8_add: 0x8e,
  i16x8_add_sat_s: 0x8f,
  i16x8_sub: 0x91,
  i16x8_sub_sat_s: 0x92,
  i16x8_mul: 0x95,
  i32x4_shl: 0xab,
  i32x4_shr_s: 0xac,
  i32x4_shr_u: 0xad,
  i32x4_add: 0xae,
  i32x4_sub: 0xb1,
  i32x4_extmul_low_i16x8_s: 0xbc,
  i32x4_extmul_high_i16x8_s: 0xbd,
  i32x4_extmul_low_i16x8_u: 0xbe,
  i32x4_extmul_high_i16x8_u: 0xbf,
  i64x2_shl: 0xcb,
  i64x2_shr_s: 0xcc,
  i64x2_shr_u: 0xcd,
  i64x2_add: 0xce,
  i64x2_extmul_low_i32x4_s: 0xdc,
  i64x2_extmul_low_i32x4_u: 0xde,
  f32x4_abs: 0xe0,
  f32x4_sqrt: 0xe3,
  f32x4_add: 0xe4,
  f32x4_sub: 0xe5,
  f32x4_mul: 0xe6,
  f32x4_div: 0xe7,
  f64x2_abs: 0xec,
  f64x2_sqrt: 0xef,
  f64x2_add: 0xf0,
  f64x2_sub: 0xf1,
  f64x2_mul: 0xf2,
  f64x2_div: 0xf3,
  i32x4_trunc_sat_f32x4_s: 0xf8,
  f32x4_convert_i32x4_s: 0xfa,
  i32x4_trunc_sat_f64x2_s_zero: 0xfc,
  f64x2_convert_low_i32x4_s: 0xfe,
} as const;

export type SimdName = keyof typeof OPS;

/** SIMD, with its prefix. */
export const V = Object.fromEntries(
  Object.entries(OPS).map(([name, op]) => [name, op < 0x80 ? [0xfd, op] : [0xfd, (op & 0x7f) | 0x80, op >> 7]]),
) as unknown as Readonly<Record<SimdName, readonly number[]>>;

const littleEndian = (size: number, write: (view: DataView) => void): number[] => {
  const bytes = new Uint8Array(size);
  write(new DataView(bytes.buffer));
  return [...bytes];
};

/** Instructions with immediates. */
export const f32 = (value: number): number[] => [
  ...F.f32_const,
  ...littleEndian(4, (v) => v.setFloat32(0, value, true)),
];
export const f64 = (value: number): number[] => [
  ...F.f64_const,
  ...littleEndian(8, (v) => v.setFloat64(0, value, true)),
];
export const v128 = (bytes: readonly number[]): number[] => [0xfd, 0x0c, ...bytes];
export const shuffle = (lanes: readonly number[]): number[] => [...V.i8x16_shuffle, ...lanes];

const repeat = (bytes: readonly number[]): number[] =>
  v128(Array.from({ length: 16 }, (_, i) => bytes[i % bytes.length]));
/** Constant vectors of equal elements. */
export const splat8 = (value: number): number[] => repeat([value & 0xff]);
export const splat16 = (value: number): number[] => repeat([value & 0xff, (value >> 8) & 0xff]);
export const splat32 = (value: number): number[] => repeat(littleEndian(4, (v) => v.setUint32(0, value, true)));
export const splat64 = (value: bigint): number[] => repeat(littleEndian(8, (v) => v.setBigUint64(0, value, true)));
export const splatF32 = (value: number): number[] => repeat(littleEndian(4, (v) => v.setFloat32(0, value, true)));
export const splatF64 = (value: number): number[] => repeat(littleEndian(8, (v) => v.setFloat64(0, value, true)));
