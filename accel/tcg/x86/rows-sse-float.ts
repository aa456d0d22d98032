/** Opcode rows of SSE, SSE2 and SSE3 floating point (Intel SDM volume 2, appendix A, table A-3). */

import { packed } from "../translate/sse.ts";
import {
  convert,
  convertFromInteger,
  convertFromMmx,
  convertToInteger,
  convertToMmx,
  type FpForm,
  type FpOperation,
  fpApproximate,
  fpArithmetic,
  fpCompare,
  fpCompareFlags,
  fpHorizontal,
} from "../translate/sse-float.ts";
import type { OpcodeRow } from "./insn.ts";
import { rowsTo } from "./sse-rows.ts";

const rows: OpcodeRow[] = [];
const row = rowsTo(rows);

/** Prefix, feature and operands of the four forms. */
const FORMS: Readonly<Record<FpForm, readonly [prefix: OpcodeRow["prefix"], feature: string, operands: string]>> = {
  ps: ["none", "sse", "Vps Wps"],
  pd: ["66", "sse2", "Vpd Wpd"],
  ss: ["f3", "sse", "Vss Wss"],
  sd: ["f2", "sse2", "Vsd Wsd"],
};
const ALL: readonly FpForm[] = ["ps", "pd", "ss", "sd"];

const ARITHMETIC: readonly (readonly [byte: number, operation: FpOperation])[] = [
  [0x51, "sqrt"],
  [0x58, "add"],
  [0x59, "mul"],
  [0x5c, "sub"],
  [0x5d, "min"],
  [0x5e, "div"],
  [0x5f, "max"],
];
for (const [byte, operation] of ARITHMETIC) {
  for (const form of ALL) {
    const [prefix, feature, operands] = FORMS[form];
    row(1, prefix, byte, operation + form, operands, feature, fpArithmetic(operation, form));
  }
}
for (const form of ALL) {
  const [prefix, feature, operands] = FORMS[form];
  row(1, prefix, 0xc2, `cmp${form}`, `${operands} Ib`, feature, fpCompare(form));
}
for (const form of ["ps", "ss"] as const) {
  const [prefix, feature, operands] = FORMS[form];
  row(1, prefix, 0x52, `rsqrt${form}`, operands, feature, fpApproximate("rsqrt", form));
  row(1, prefix, 0x53, `rcp${form}`, operands, feature, fpApproximate("rcp", form));
}
row(1, "none", 0x2e, "ucomiss", "Vss Wss", "sse", fpCompareFlags("ss", true));
row(1, "66", 0x2e, "ucomisd", "Vsd Wsd", "sse2", fpCompareFlags("sd", true));
row(1, "none", 0x2f, "comiss", "Vss Wss", "sse", fpCompareFlags("ss", false));
row(1, "66", 0x2f, "comisd", "Vsd Wsd", "sse2", fpCompareFlags("sd", false));
row(1, "66", 0x7c, "haddpd", "Vpd Wpd", "sse3", fpHorizontal("add", "pd"));
row(1, "f2", 0x7c, "haddps", "Vps Wps", "sse3", fpHorizontal("add", "ps"));
row(1, "66", 0x7d, "hsubpd", "Vpd Wpd", "sse3", fpHorizontal("sub", "pd"));
row(1, "f2", 0x7d, "hsubps", "Vps Wps", "sse3", fpHorizontal("sub", "ps"));
row(1, "66", 0xd0, "addsubpd", "Vpd Wpd", "sse3", packed("addsubpd"));
row(1, "f2", 0xd0, "addsubps", "Vps Wps", "sse3", packed("addsubps"));

// Conversions.
row(1, "none", 0x2a, "cvtpi2ps", "Vps Qpi", "sse", convertFromMmx(false));
row(1, "66", 0x2a, "cvtpi2pd", "Vpd Qpi", "sse2", convertFromMmx(true));
row(1, "f3", 0x2a, "cvtsi2ss", "Vss Ey", "sse", convertFromInteger("cvtsi2ss"));
row(1, "f2", 0x2a, "cvtsi2sd", "Vsd Ey", "sse2", convertFromInteger("cvtsi2sd"));
for (const [byte, letter, truncate] of [
  [0x2c, "t", true],
  [0x2d, "", false],
] as const) {
  row(1, "none", byte, `cvt${letter}ps2pi`, "Ppi Wq", "sse", convertToMmx(false, truncate));
  row(1, "66", byte, `cvt${letter}pd2pi`, "Ppi Wpd", "sse2", convertToMmx(true, truncate));
  row(1, "f3", byte, `cvt${letter}ss2si`, "Gy Wss", "sse", convertToInteger("ss", truncate));
  row(1, "f2", byte, `cvt${letter}sd2si`, "Gy Wsd", "sse2", convertToInteger("sd", truncate));
}
row(1, "none", 0x5a, "cvtps2pd", "Vpd Wq", "sse2", convert("cvtps2pd", 8));
row(1, "66", 0x5a, "cvtpd2ps", "Vps Wpd", "sse2", convert("cvtpd2ps", 16));
row(1, "f3", 0x5a, "cvtss2sd", "Vsd Wss", "sse2", convert("cvtss2sd", 4));
row(1, "f2", 0x5a, "cvtsd2ss", "Vss Wsd", "sse2", convert("cvtsd2ss", 8));
row(1, "none", 0x5b, "cvtdq2ps", "Vps Wdq", "sse2", convert("cvtdq2ps", 16, 0, 4));
row(1, "66", 0x5b, "cvtps2dq", "Vdq Wps", "sse2", convert("cvtps2dq", 16, 0, 4));
row(1, "f3", 0x5b, "cvttps2dq", "Vdq Wps", "sse2", convert("cvtps2dq", 16, 1, 4));
row(1, "66", 0xe6, "cvttpd2dq", "Vdq Wpd", "sse2", convert("cvtpd2dq", 16, 1));
row(1, "f3", 0xe6, "cvtdq2pd", "Vpd Wq", "sse2", convert("cvtdq2pd", 8));
row(1, "f2", 0xe6, "cvtpd2dq", "Vdq Wpd", "sse2", convert("cvtpd2dq", 16, 0));

export const SSE_FLOAT_ROWS: readonly OpcodeRow[] = rows;
