/** Opcode rows of SSE4.1, SSE4.2, AES, PCLMULQDQ, SHA and XSAVE (Intel SDM volume 2, appendix A, tables ). */

import {
  extract,
  insert,
  insertps,
  packed,
  packedByXmm0,
  packedImmediate,
  packedUnary,
  ptest,
} from "../translate/sse.ts";
import { fpRound } from "../translate/sse-float.ts";
import { blendFloats, compareStrings, xsaveArea } from "../translate/sse4.ts";
import type { OpcodeRow } from "./insn.ts";
import { MEM, rowsTo } from "./sse-rows.ts";

const rows: OpcodeRow[] = [];
const row = rowsTo(rows);

const SSE41: readonly (readonly [byte: number, name: string, operation: string])[] = [
  [0x28, "pmuldq", "pmuldq"],
  [0x29, "pcmpeqq", "v_i64x2_eq"],
  [0x2b, "packusdw", "v_i16x8_narrow_i32x4_u"],
  [0x38, "pminsb", "v_i8x16_min_s"],
  [0x39, "pminsd", "v_i32x4_min_s"],
  [0x3a, "pminuw", "v_i16x8_min_u"],
  [0x3b, "pminud", "v_i32x4_min_u"],
  [0x3c, "pmaxsb", "v_i8x16_max_s"],
  [0x3d, "pmaxsd", "v_i32x4_max_s"],
  [0x3e, "pmaxuw", "v_i16x8_max_u"],
  [0x3f, "pmaxud", "v_i32x4_max_u"],
  [0x40, "pmulld", "v_i32x4_mul"],
  [0x41, "phminposuw", "phminposuw"],
];
for (const [byte, name, operation] of SSE41) row(2, "66", byte, name, "Vx Wx", "sse4.1", packed(operation));
row(2, "66", 0x37, "pcmpgtq", "Vx Wx", "sse4.2", packed("v_i64x2_gt_s"));
for (const [byte, sign, prefix] of [
  [0x20, "s", "pmovsx"],
  [0x30, "u", "pmovzx"],
] as const) {
  for (const [index, kind, operand, size] of [
    [0, "bw", "Wq", 8],
    [1, "bd", "Wd", 4],
    [2, "bq", "Ww", 2],
    [3, "wd", "Wq", 8],
    [4, "wq", "Wd", 4],
    [5, "dq", "Wq", 8],
  ] as const) {
    row(2, "66", byte + index, prefix + kind, `Vx ${operand}`, "sse4.1", packedUnary(`v_extend_${kind}_${sign}`, size));
  }
}
row(2, "66", 0x10, "pblendvb", "Vx Wx", "sse4.1", packedByXmm0("pblendvb"));
row(2, "66", 0x14, "blendvps", "Vx Wx", "sse4.1", packedByXmm0("blendvps"));
row(2, "66", 0x15, "blendvpd", "Vx Wx", "sse4.1", packedByXmm0("blendvpd"));
row(2, "66", 0x17, "ptest", "Vx Wx", "sse4.1", ptest);
row(3, "66", 0x08, "roundps", "Vps Wps Ib", "sse4.1", fpRound("ps"));
row(3, "66", 0x09, "roundpd", "Vpd Wpd Ib", "sse4.1", fpRound("pd"));
row(3, "66", 0x0a, "roundss", "Vss Wss Ib", "sse4.1", fpRound("ss"));
row(3, "66", 0x0b, "roundsd", "Vsd Wsd Ib", "sse4.1", fpRound("sd"));
row(3, "66", 0x0c, "blendps", "Vps Wps Ib", "sse4.1", blendFloats(2));
row(3, "66", 0x0d, "blendpd", "Vpd Wpd Ib", "sse4.1", blendFloats(4));
row(3, "66", 0x0e, "pblendw", "Vx Wx Ib", "sse4.1", packedImmediate("pblendw"));
row(3, "66", 0x14, "pextrb", "Eb Vdq Ib", "sse4.1", extract(0));
row(3, "66", 0x15, "pextrw", "Ew Vdq Ib", "sse4.1", extract(1));
row(3, "66", 0x16, "pextrd", "Ed Vdq Ib", "sse4.1", extract(2), { w: 0 });
row(3, "66", 0x16, "pextrq", "Eq Vdq Ib", "sse4.1", extract(3), { w: 1 });
row(3, "66", 0x17, "extractps", "Ed Vdq Ib", "sse4.1", extract(2));
row(3, "66", 0x20, "pinsrb", "Vdq Eb Ib", "sse4.1", insert(0));
row(3, "66", 0x21, "insertps", "Vdq Wd Ib", "sse4.1", insertps);
row(3, "66", 0x22, "pinsrd", "Vdq Ed Ib", "sse4.1", insert(2), { w: 0 });
row(3, "66", 0x22, "pinsrq", "Vdq Eq Ib", "sse4.1", insert(3), { w: 1 });
row(3, "66", 0x40, "dpps", "Vps Wps Ib", "sse4.1", packedImmediate("dpps"));
row(3, "66", 0x41, "dppd", "Vpd Wpd Ib", "sse4.1", packedImmediate("dppd"));
row(3, "66", 0x42, "mpsadbw", "Vx Wx Ib", "sse4.1", packedImmediate("mpsadbw"));
row(3, "66", 0x60, "pcmpestrm", "Vdq Wdq Ib", "sse4.2", compareStrings(true, true));
row(3, "66", 0x61, "pcmpestri", "Vdq Wdq Ib", "sse4.2", compareStrings(true, false));
row(3, "66", 0x62, "pcmpistrm", "Vdq Wdq Ib", "sse4.2", compareStrings(false, true));
row(3, "66", 0x63, "pcmpistri", "Vdq Wdq Ib", "sse4.2", compareStrings(false, false));

row(3, "66", 0x44, "pclmulqdq", "Vdq Wdq Ib", "pclmulqdq", packedImmediate("pclmulqdq"));
for (const [byte, name] of [
  [0xdb, "aesimc"],
  [0xdc, "aesenc"],
  [0xdd, "aesenclast"],
  [0xde, "aesdec"],
  [0xdf, "aesdeclast"],
] as const) {
  row(2, "66", byte, name, "Vdq Wdq", "aes", packed(name));
}
row(3, "66", 0xdf, "aeskeygenassist", "Vdq Wdq Ib", "aes", packedImmediate("aeskeygenassist"));
for (const [byte, name] of [
  [0xc8, "sha1nexte"],
  [0xc9, "sha1msg1"],
  [0xca, "sha1msg2"],
  [0xcb, "sha256rnds2"],
  [0xcc, "sha256msg1"],
  [0xcd, "sha256msg2"],
] as const) {
  row(2, "none", byte, name, "Vdq Wdq", "sha-ni", packed(name));
}
row(3, "none", 0xcc, "sha1rnds4", "Vdq Wdq Ib", "sha-ni", packedImmediate("sha1rnds4"));

row(1, "none", 0xae, "xsave", "M", "xsave", xsaveArea("xsave"), { reg: 4, ...MEM });
row(1, "none", 0xae, "xrstor", "M", "xsave", xsaveArea("xrstor"), { reg: 5, ...MEM });
row(1, "none", 0xae, "xsaveopt", "M", "xsaveopt", xsaveArea("xsave", true), { reg: 6, ...MEM });

export const SSE4_ROWS: readonly OpcodeRow[] = rows;
