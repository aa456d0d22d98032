/** Emit functions of SSE floating point: every operation is a helper working in place (assembly/sse-float.ts). */

import { xmmOffset } from "../env.ts";
import { NONE } from "../ir/builder.ts";
import { type Emit, mmxSource, packedLike, places, sourceLow, sourceScalar, sse, writeMmx } from "./sse.ts";
import { reportPending } from "./x87.ts";

/** Operation numbers of the helpers. */
export const FP_OPERATIONS = { add: 0, mul: 1, sub: 4, div: 6, min: 8, max: 9, sqrt: 10 } as const;
export type FpOperation = keyof typeof FP_OPERATIONS;
export type FpForm = "ps" | "pd" | "ss" | "sd";

/** Bytes of the source operand. */
const SIZE = { ps: 16, pd: 16, ss: 4, sd: 8 } as const;
const HELPER = { ps: "fpPacked32", pd: "fpPacked64", ss: "fpScalar32", sd: "fpScalar64" } as const;
const LANES = { ps: 4, pd: 2, ss: 1, sd: 1 } as const;

export const fpArithmetic = (operation: FpOperation, form: FpForm): Emit =>
  packedLike(HELPER[form], SIZE[form], (t) => t.ir.constU(FP_OPERATIONS[operation]));

/** HADDPS, HADDPD, HSUBPS, HSUBPD */
export const fpHorizontal = (operation: "add" | "sub", form: "ps" | "pd"): Emit =>
  packedLike(form === "ps" ? "fpHorizontal32" : "fpHorizontal64", 16, (t) => t.ir.constU(FP_OPERATIONS[operation]));

/** CMPPS and kin */
export const fpCompare = (form: FpForm): Emit =>
  packedLike(
    form === "ps" || form === "ss" ? "fpCompare32" : "fpCompare64",
    SIZE[form],
    (t, i) => t.ir.constU(i.imm & 7),
    (t) => t.ir.constU(LANES[form]),
  );

/** ROUNDPS and kin */
export const fpRound = (form: FpForm): Emit =>
  packedLike(
    form === "ps" || form === "ss" ? "fpRound32" : "fpRound64",
    SIZE[form],
    (t, i) => t.ir.constU(i.imm & 15),
    (t) => t.ir.constU(LANES[form]),
  );

/** RCPPS, RCPSS, RSQRTPS, RSQRTSS */
export const fpApproximate = (helper: "rcp" | "rsqrt", form: "ps" | "ss"): Emit =>
  packedLike(helper, SIZE[form], undefined, (t) => t.ir.constU(LANES[form]));

/** COMISS, COMISD and (quiet) UCOMISS, UCOMISD */
export const fpCompareFlags = (form: "ss" | "sd", quiet: boolean): Emit =>
  sse((t, i) => {
    const source = sourceLow(t, i, SIZE[form]);
    const helper = form === "ss" ? "comiss" : "comisd";
    t.ir.callVoid(helper, t.ir.constU(quiet ? 1 : 0), NONE, places(xmmOffset(i.reg), source));
    t.flagsFromHelper();
  });

/** Conversions between vectors: the operand has `size` bytes. */
export const convert = (helper: string, size: 4 | 8 | 16, a = 0, lanes = 0): Emit =>
  packedLike(
    helper,
    size,
    (t) => t.ir.constU(a),
    (t) => t.ir.constU(lanes),
  );

/** CVTSI2SS, CVTSI2SD */
export const convertFromInteger = (helper: string): Emit =>
  sse((t, i) => {
    const size = i.rexW ? 8 : 4;
    t.ir.callVoid(helper, t.sext(t.readE(i, size), size), NONE, xmmOffset(i.reg));
  });

/** CVTSS2SI, CVTSD2SI and the truncating forms */
export const convertToInteger = (form: "ss" | "sd", truncate: boolean): Emit =>
  sse((t, i) => {
    const value = sourceScalar(t, i, SIZE[form]);
    const size = i.rexW ? 8 : 4;
    const helper = form === "ss" ? "cvtss2si" : "cvtsd2si";
    t.writeReg(i.reg, size, t.ir.call(helper, value, NONE, size * 8 + (truncate ? 0x100 : 0)), true);
  });

/** CVTPI2PS and CVTPI2PD: a memory operand has nothing to do with the x87 state. */
export const convertFromMmx = (double: boolean): Emit =>
  sse((t, i) => {
    const { ir } = t;
    const source = ir.vtemp();
    ir.mov(source, t.isReg(i) ? mmxSource(t, i) : sourceScalar(t, i, 8));
    ir.mov(source + 8, ir.const(0));
    if (t.isReg(i)) ir.callVoid("mmxEnter");
    const helper = double ? "cvtdq2pd" : "cvtdq2ps";
    ir.callVoid(helper, NONE, ir.constU(2), places(xmmOffset(i.reg), source));
  });

/** CVTPS2PI, CVTPD2PI and the truncating forms */
export const convertToMmx = (double: boolean, truncate: boolean): Emit =>
  sse((t, i) => {
    const { ir } = t;
    reportPending(t);
    const source = sourceLow(t, i, double ? 16 : 8);
    const result = ir.vtemp();
    const helper = double ? "cvtpd2dq" : "cvtps2dq";
    ir.callVoid(helper, ir.constU(truncate ? 1 : 0), ir.constU(2), places(result, source));
    ir.callVoid("mmxEnter");
    writeMmx(t, i.reg, result);
  });
