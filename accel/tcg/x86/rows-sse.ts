/**
 * Opcode rows of MMX and of the moves and integer operations of SSE to SSSE3, and the state instructions (Intel SDM
 * volume 2, appendix A, tables ).
 */

import {
  duplicate,
  type Emit,
  emms,
  extractWord,
  insert,
  ldmxcsr,
  loadHalf,
  loadScalar,
  loadVector,
  type MmxForm,
  maskedStore,
  mmxInsertWord,
  mmxMovdLoad,
  mmxMovdStore,
  mmxMoveMask,
  mmxMovqLoad,
  mmxMovqStore,
  mmxPacked,
  mmxPalignr,
  mmxShift,
  mmxUnary,
  movddup,
  movdLoad,
  movdq2q,
  movdStore,
  moveMask,
  movhlps,
  movlhps,
  movnti,
  movq2dq,
  movqLoad,
  movqStore,
  packed,
  packedImmediate,
  packedUnary,
  pshufw,
  type ShiftKind,
  shiftBytes,
  shiftVector,
  stateImage,
  stmxcsr,
  storeHalf,
  storeScalar,
  storeVector,
} from "../translate/sse.ts";
import type { OpcodeRow } from "./insn.ts";
import { MEM, REG, rowsTo } from "./sse-rows.ts";

const rows: OpcodeRow[] = [];
const row = rowsTo(rows);

// Moves.
row(1, "none", 0x10, "movups", "Vps Wps", "sse", loadVector(false));
row(1, "66", 0x10, "movupd", "Vpd Wpd", "sse2", loadVector(false));
row(1, "f3", 0x10, "movss", "Vss Wss", "sse", loadScalar(4));
row(1, "f2", 0x10, "movsd", "Vsd Wsd", "sse2", loadScalar(8));
row(1, "none", 0x11, "movups", "Wps Vps", "sse", storeVector(false));
row(1, "66", 0x11, "movupd", "Wpd Vpd", "sse2", storeVector(false));
row(1, "f3", 0x11, "movss", "Wss Vss", "sse", storeScalar(4));
row(1, "f2", 0x11, "movsd", "Wsd Vsd", "sse2", storeScalar(8));
row(1, "none", 0x12, "movlps", "Vq Mq", "sse", loadHalf(false), MEM);
row(1, "none", 0x12, "movhlps", "Vq Uq", "sse", movhlps, REG);
row(1, "66", 0x12, "movlpd", "Vq Mq", "sse2", loadHalf(false), MEM);
row(1, "f3", 0x12, "movsldup", "Vx Wx", "sse3", duplicate(false));
row(1, "f2", 0x12, "movddup", "Vx Wq", "sse3", movddup);
row(1, "none", 0x13, "movlps", "Mq Vq", "sse", storeHalf(false), MEM);
row(1, "66", 0x13, "movlpd", "Mq Vq", "sse2", storeHalf(false), MEM);
row(1, "none", 0x16, "movhps", "Vq Mq", "sse", loadHalf(true), MEM);
row(1, "none", 0x16, "movlhps", "Vq Uq", "sse", movlhps, REG);
row(1, "66", 0x16, "movhpd", "Vq Mq", "sse2", loadHalf(true), MEM);
row(1, "f3", 0x16, "movshdup", "Vx Wx", "sse3", duplicate(true));
row(1, "none", 0x17, "movhps", "Mq Vq", "sse", storeHalf(true), MEM);
row(1, "66", 0x17, "movhpd", "Mq Vq", "sse2", storeHalf(true), MEM);
row(1, "none", 0x28, "movaps", "Vps Wps", "sse", loadVector(true));
row(1, "66", 0x28, "movapd", "Vpd Wpd", "sse2", loadVector(true));
row(1, "none", 0x29, "movaps", "Wps Vps", "sse", storeVector(true));
row(1, "66", 0x29, "movapd", "Wpd Vpd", "sse2", storeVector(true));
row(1, "none", 0x2b, "movntps", "Mps Vps", "sse", storeVector(true), MEM);
row(1, "66", 0x2b, "movntpd", "Mpd Vpd", "sse2", storeVector(true), MEM);
row(1, "none", 0x6e, "movd", "Pq Ey", "mmx", mmxMovdLoad);
row(1, "66", 0x6e, "movd", "Vq Ey", "sse2", movdLoad);
row(1, "none", 0x7e, "movd", "Ey Pq", "mmx", mmxMovdStore);
row(1, "66", 0x7e, "movd", "Ey Vq", "sse2", movdStore);
row(1, "f3", 0x7e, "movq", "Vq Wq", "sse2", movqLoad);
row(1, "66", 0xd6, "movq", "Wq Vq", "sse2", movqStore);
row(1, "none", 0x6f, "movq", "Pq Qq", "mmx", mmxMovqLoad);
row(1, "66", 0x6f, "movdqa", "Vx Wx", "sse2", loadVector(true));
row(1, "f3", 0x6f, "movdqu", "Vx Wx", "sse2", loadVector(false));
row(1, "none", 0x7f, "movq", "Qq Pq", "mmx", mmxMovqStore);
row(1, "66", 0x7f, "movdqa", "Wx Vx", "sse2", storeVector(true));
row(1, "f3", 0x7f, "movdqu", "Wx Vx", "sse2", storeVector(false));
row(1, "f2", 0xf0, "lddqu", "Vx Mx", "sse3", loadVector(false), MEM);
row(1, "none", 0xe7, "movntq", "Mq Pq", "sse", mmxMovqStore, MEM);
row(1, "66", 0xe7, "movntdq", "Mx Vx", "sse2", storeVector(true), MEM);
row(2, "66", 0x2a, "movntdqa", "Vx Mx", "sse4.1", loadVector(true), MEM);
row(1, "none", 0xc3, "movnti", "My Gy", "sse2", movnti, MEM);
row(1, "f3", 0xd6, "movq2dq", "Vdq Nq", "sse2", movq2dq, REG);
row(1, "f2", 0xd6, "movdq2q", "Pq Uq", "sse2", movdq2q, REG);
row(1, "none", 0xf7, "maskmovq", "Pq Nq", "sse", maskedStore(true), REG);
row(1, "66", 0xf7, "maskmovdqu", "Vx Ux", "sse2", maskedStore(false), REG);
row(1, "none", 0x77, "emms", "", "mmx", emms);

// Bitwise, shuffles, masks.
for (const [byte, name, operation] of [
  [0x54, "and", "v_v128_and"],
  [0x55, "andn", "v_andn"],
  [0x56, "or", "v_v128_or"],
  [0x57, "xor", "v_v128_xor"],
  [0x14, "unpckl", "v_unpack_low_"],
  [0x15, "unpckh", "v_unpack_high_"],
] as const) {
  const sized = operation.endsWith("_");
  row(1, "none", byte, `${name}ps`, "Vps Wps", "sse", packed(sized ? `${operation}32` : operation));
  row(1, "66", byte, `${name}pd`, "Vpd Wpd", "sse2", packed(sized ? `${operation}64` : operation));
}
row(1, "none", 0xc6, "shufps", "Vps Wps Ib", "sse", packedImmediate("shufps"));
row(1, "66", 0xc6, "shufpd", "Vpd Wpd Ib", "sse2", packedImmediate("shufpd"));
row(1, "none", 0x50, "movmskps", "Gy Ups", "sse", moveMask(2), REG);
row(1, "66", 0x50, "movmskpd", "Gy Upd", "sse2", moveMask(3), REG);
row(1, "none", 0xd7, "pmovmskb", "Gd Nq", "sse", mmxMoveMask, REG);
row(1, "66", 0xd7, "pmovmskb", "Gd Ux", "sse2", moveMask(0), REG);
row(1, "none", 0x70, "pshufw", "Pq Qq Ib", "sse", pshufw);
row(1, "66", 0x70, "pshufd", "Vx Wx Ib", "sse2", packedImmediate("pshufd"));
row(1, "f3", 0x70, "pshufhw", "Vx Wx Ib", "sse2", packedImmediate("pshufhw"));
row(1, "f2", 0x70, "pshuflw", "Vx Wx Ib", "sse2", packedImmediate("pshuflw"));
row(1, "none", 0xc4, "pinsrw", "Pq Rw Ib", "sse", mmxInsertWord);
row(1, "66", 0xc4, "pinsrw", "Vdq Rw Ib", "sse2", insert(1));
row(1, "none", 0xc5, "pextrw", "Gd Nq Ib", "sse", extractWord(true), REG);
row(1, "66", 0xc5, "pextrw", "Gd Udq Ib", "sse2", extractWord(false), REG);

/** Packed integer operations: opcode, name, operation, the feature of the MMX form, how that follows from 128 bits. */
const INTEGER: readonly (readonly [
  byte: number,
  name: string,
  operation: string,
  mmxFeature?: string,
  form?: MmxForm,
  size?: number,
])[] = [
  [0x60, "punpcklbw", "v_unpack_low_8", "mmx", "lanes", 4],
  [0x61, "punpcklwd", "v_unpack_low_16", "mmx", "lanes", 4],
  [0x62, "punpckldq", "v_unpack_low_32", "mmx", "lanes", 4],
  [0x63, "packsswb", "v_i8x16_narrow_i16x8_s", "mmx", "joined"],
  [0x64, "pcmpgtb", "v_i8x16_gt_s", "mmx"],
  [0x65, "pcmpgtw", "v_i16x8_gt_s", "mmx"],
  [0x66, "pcmpgtd", "v_i32x4_gt_s", "mmx"],
  [0x67, "packuswb", "v_i8x16_narrow_i16x8_u", "mmx", "joined"],
  [0x68, "punpckhbw", "v_unpack_high_8", "mmx", "high"],
  [0x69, "punpckhwd", "v_unpack_high_16", "mmx", "high"],
  [0x6a, "punpckhdq", "v_unpack_high_32", "mmx", "high"],
  [0x6b, "packssdw", "v_i16x8_narrow_i32x4_s", "mmx", "joined"],
  [0x6c, "punpcklqdq", "v_unpack_low_64"],
  [0x6d, "punpckhqdq", "v_unpack_high_64"],
  [0x74, "pcmpeqb", "v_i8x16_eq", "mmx"],
  [0x75, "pcmpeqw", "v_i16x8_eq", "mmx"],
  [0x76, "pcmpeqd", "v_i32x4_eq", "mmx"],
  [0xd1, "psrlw", "psrlw", "mmx"],
  [0xd2, "psrld", "psrld", "mmx"],
  [0xd3, "psrlq", "psrlq", "mmx"],
  [0xd4, "paddq", "v_i64x2_add", "sse2"],
  [0xd5, "pmullw", "v_i16x8_mul", "mmx"],
  [0xd8, "psubusb", "v_i8x16_sub_sat_u", "mmx"],
  [0xd9, "psubusw", "v_i16x8_sub_sat_u", "mmx"],
  [0xda, "pminub", "v_i8x16_min_u", "sse"],
  [0xdb, "pand", "v_v128_and", "mmx"],
  [0xdc, "paddusb", "v_i8x16_add_sat_u", "mmx"],
  [0xdd, "paddusw", "v_i16x8_add_sat_u", "mmx"],
  [0xde, "pmaxub", "v_i8x16_max_u", "sse"],
  [0xdf, "pandn", "v_andn", "mmx"],
  [0xe0, "pavgb", "v_i8x16_avgr_u", "sse"],
  [0xe1, "psraw", "psraw", "mmx"],
  [0xe2, "psrad", "psrad", "mmx"],
  [0xe3, "pavgw", "v_i16x8_avgr_u", "sse"],
  [0xe4, "pmulhuw", "pmulhuw", "sse"],
  [0xe5, "pmulhw", "pmulhw", "mmx"],
  [0xe8, "psubsb", "v_i8x16_sub_sat_s", "mmx"],
  [0xe9, "psubsw", "v_i16x8_sub_sat_s", "mmx"],
  [0xea, "pminsw", "v_i16x8_min_s", "sse"],
  [0xeb, "por", "v_v128_or", "mmx"],
  [0xec, "paddsb", "v_i8x16_add_sat_s", "mmx"],
  [0xed, "paddsw", "v_i16x8_add_sat_s", "mmx"],
  [0xee, "pmaxsw", "v_i16x8_max_s", "sse"],
  [0xef, "pxor", "v_v128_xor", "mmx"],
  [0xf1, "psllw", "psllw", "mmx"],
  [0xf2, "pslld", "pslld", "mmx"],
  [0xf3, "psllq", "psllq", "mmx"],
  [0xf4, "pmuludq", "pmuludq", "sse2"],
  [0xf5, "pmaddwd", "v_i32x4_dot_i16x8_s", "mmx"],
  [0xf6, "psadbw", "psadbw", "sse"],
  [0xf8, "psubb", "v_i8x16_sub", "mmx"],
  [0xf9, "psubw", "v_i16x8_sub", "mmx"],
  [0xfa, "psubd", "v_i32x4_sub", "mmx"],
  [0xfb, "psubq", "v_i64x2_sub", "sse2"],
  [0xfc, "paddb", "v_i8x16_add", "mmx"],
  [0xfd, "paddw", "v_i16x8_add", "mmx"],
  [0xfe, "paddd", "v_i32x4_add", "mmx"],
];
for (const [byte, name, operation, mmxFeature, form, size] of INTEGER) {
  row(1, "66", byte, name, "Vx Wx", "sse2", packed(operation));
  if (mmxFeature) {
    row(1, "none", byte, name, size === 4 ? "Pq Qd" : "Pq Qq", mmxFeature, mmxPacked(operation, form, size));
  }
}

for (const [byte, log] of [
  [0x71, 1],
  [0x72, 2],
  [0x73, 3],
] as const) {
  const letter = "?wdq"[log];
  for (const [reg, kind] of [
    [2, "r"],
    [4, "a"],
    [6, "l"],
  ] as readonly (readonly [number, ShiftKind])[]) {
    if (log === 3 && kind === "a") continue;
    const name = kind === "a" ? `psra${letter}` : kind === "r" ? `psrl${letter}` : `psll${letter}`;
    row(1, "none", byte, name, "Nq Ib", "mmx", mmxShift(kind, log), { reg, ...REG });
    row(1, "66", byte, name, "Ux Ib", "sse2", shiftVector(kind, log), { reg, ...REG });
  }
}
row(1, "66", 0x73, "psrldq", "Ux Ib", "sse2", shiftBytes("psrldq"), { reg: 3, ...REG });
row(1, "66", 0x73, "pslldq", "Ux Ib", "sse2", shiftBytes("pslldq"), { reg: 7, ...REG });

// SSSE3.
const SSSE3: readonly (readonly [byte: number, name: string, form: MmxForm])[] = [
  [0x01, "phaddw", "joined"],
  [0x02, "phaddd", "joined"],
  [0x03, "phaddsw", "joined"],
  [0x04, "pmaddubsw", "lanes"],
  [0x05, "phsubw", "joined"],
  [0x06, "phsubd", "joined"],
  [0x07, "phsubsw", "joined"],
  [0x08, "psignb", "lanes"],
  [0x09, "psignw", "lanes"],
  [0x0a, "psignd", "lanes"],
  [0x0b, "pmulhrsw", "lanes"],
];
for (const [byte, name, form] of SSSE3) {
  row(2, "none", byte, name, "Pq Qq", "ssse3", mmxPacked(name, form));
  row(2, "66", byte, name, "Vx Wx", "ssse3", packed(name));
}
row(2, "none", 0x00, "pshufb", "Pq Qq", "ssse3", mmxPacked("pshufb64"));
row(2, "66", 0x00, "pshufb", "Vx Wx", "ssse3", packed("pshufb"));
for (const [byte, name, lanes] of [
  [0x1c, "pabsb", "i8x16"],
  [0x1d, "pabsw", "i16x8"],
  [0x1e, "pabsd", "i32x4"],
] as const) {
  row(2, "none", byte, name, "Pq Qq", "ssse3", mmxUnary(`v_${lanes}_abs`));
  row(2, "66", byte, name, "Vx Wx", "ssse3", packedUnary(`v_${lanes}_abs`, 16));
}
row(3, "none", 0x0f, "palignr", "Pq Qq Ib", "ssse3", mmxPalignr);
row(3, "66", 0x0f, "palignr", "Vx Wx Ib", "ssse3", packedImmediate("palignr"));

// State and fences.
row(1, "none", 0xae, "fxsave", "M", "fxsr", stateImage("fxsave"), { reg: 0, ...MEM });
row(1, "none", 0xae, "fxrstor", "M", "fxsr", stateImage("fxrstor"), { reg: 1, ...MEM });
row(1, "none", 0xae, "ldmxcsr", "Md", "sse", ldmxcsr, { reg: 2, ...MEM });
row(1, "none", 0xae, "stmxcsr", "Md", "sse", stmxcsr, { reg: 3, ...MEM });
const nothing: Emit = () => {};
row(1, "none", 0xae, "lfence", "", "sse2", nothing, { reg: 5, ...REG });
row(1, "none", 0xae, "mfence", "", "sse2", nothing, { reg: 6, ...REG });
row(1, "none", 0xae, "sfence", "", "sse", nothing, { reg: 7, ...REG });
/** A cache line write-back needs a readable address and does nothing here. */
const touch: Emit = (t, i) => {
  t.load(t.linear(i, 1, false), 1);
};
row(1, "none", 0xae, "clflush", "Mb", "clflush", touch, { reg: 7, ...MEM });
row(1, "66", 0xae, "clflushopt", "Mb", "clflushopt", touch, { reg: 7, ...MEM });
row(1, "66", 0xae, "clwb", "Mb", "clwb", touch, { reg: 6, ...MEM });

export const SSE_ROWS: readonly OpcodeRow[] = rows;
