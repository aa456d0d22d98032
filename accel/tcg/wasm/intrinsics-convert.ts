/** Intrinsics of conversions between floating point formats and integers: see assembly/sse-convert.ts. */

import { F32, F64, I64, V128 } from "./encoder.ts";
import type { Choice, Intrinsic } from "./intrinsics.ts";
import {
  always,
  DOUBLE,
  type Format,
  guarded,
  isNotNormal,
  lowFromSecond,
  notNative,
  plainLanes,
  replaceLow,
  requireLanes,
  requireNative,
  SINGLE,
} from "./intrinsics-format.ts";
import { F, f32, f64, shuffle, splat32, splatF64, V } from "./intrinsics-opcodes.ts";
import { W } from "./opcodes.ts";

/** Exact, up to `exact` in magnitude; rounded as MXCSR says beyond. */
const fromInteger = (format: Format, convert: readonly number[], bits: number): Choice =>
  always(
    guarded("vector", (site) => {
      const { code } = site;
      const number = site.local(I64);
      const result = site.local(format.type);
      const half = 2 ** bits;
      const whole = 2 * half;
      site
        .a()
        .tee(number)
        .i64(half | 0, Math.floor(half / 2 ** 32))
        .op(W.i64_add);
      code.i64(whole | 0, Math.floor(whole / 2 ** 32)).op(W.i64_gt_u);
      notNative(site).op(W.i32_and);
      site.slowIf();
      code
        .get(number)
        .op(...convert)
        .set(result);
      replaceLow(site, format, result);
    }),
  );

/** imm = bits of the result, bit 8 to truncate. */
const toInteger = (format: Format): Choice => {
  return ({ imm }) => {
    const bits = imm & 0xff;
    const double = format === DOUBLE;
    if (bits !== 32 && bits !== 64) return undefined;
    return guarded("value", (site) => {
      const { code } = site;
      const x = site.local(format.type);
      const whole = site.local(format.type);
      if (double) site.aDouble().set(x);
      else
        site
          .a()
          .op(W.i32_wrap_i64, ...F.f32_reinterpret_i32)
          .set(x);
      code
        .get(x)
        .op(...((imm & 0x100) !== 0 ? (double ? F.f64_trunc : F.f32_trunc) : format.nearest))
        .tee(whole);
      // The smallest integer takes the slow arm, too.
      code.op(...format.abs, ...format.number(2 ** (bits - 1)), ...format.compare.lt, W.i32_eqz);
      site.slowIf();
      notNative(site)
        .get(whole)
        .get(x)
        .op(...format.compare.eq, W.i32_eqz, W.i32_and);
      site.slowIf();
      code.get(whole).op(...(double ? F.i64_trunc_sat_f64_s : F.i64_trunc_sat_f32_s));
    });
  };
};

/** CVTSS2SD: exact unless the operand is a NaN or denormal. */
const widen = guarded("vector", (site) => {
  const { code } = site;
  const x = site.local(F32);
  const result = site.local(F64);
  site
    .source()
    .op(...SINGLE.extract)
    .tee(x)
    .op(...F.f32_abs, ...f32(SINGLE.minNormal), ...F.f32_ge);
  code.get(x).op(...f32(0), ...F.f32_eq, W.i32_or, W.i32_eqz);
  site.slowIf();
  code
    .get(x)
    .op(...F.f64_promote_f32)
    .set(result);
  replaceLow(site, DOUBLE, result);
});

const widenLanes = guarded("vector", (site) => {
  const { code } = site;
  const x = site.local(V128);
  // The upper two elements do not count.
  site
    .source()
    .op(...splat32(0), ...shuffle([0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]))
    .set(x);
  plainLanes(code, SINGLE, x);
  requireLanes(site, SINGLE);
  code.get(x).op(...V.f64x2_promote_low_f32x4);
});

/** CVTSD2SS: normal results, and zeros of zeros. */
const narrow = guarded("vector", (site) => {
  const { code } = site;
  const x = site.local(F64);
  const result = site.local(F32);
  requireNative(site);
  site
    .source()
    .op(...DOUBLE.extract)
    .tee(x)
    .op(...F.f32_demote_f64)
    .tee(result)
    .op(...F.i32_reinterpret_f32);
  isNotNormal(code, SINGLE);
  code.get(x).op(...f64(0), ...F.f64_ne, W.i32_and);
  site.slowIf();
  replaceLow(site, SINGLE, result);
});

const narrowLanes = guarded("vector", (site) => {
  const { code } = site;
  const x = site.local(V128);
  const wide = site.local(V128);
  const result = site.local(V128);
  requireNative(site);
  site
    .source()
    .tee(x)
    .op(...V.f32x4_demote_f64x2_zero)
    .tee(result)
    .op(...V.f64x2_promote_low_f32x4)
    .set(wide);
  code.get(wide).op(...V.f64x2_abs, ...splatF64(SINGLE.minNormal), ...V.f64x2_gt);
  code.get(wide).op(...V.f64x2_abs, ...splatF64(Infinity), ...V.f64x2_lt, ...V.v128_and);
  code.get(x).op(...splatF64(0), ...V.f64x2_eq, ...V.v128_or);
  requireLanes(site, DOUBLE);
  code.get(result);
});

/** CVTDQ2PD: always exact. */
const integersToDouble: Intrinsic = {
  result: "vector",
  guarded: false,
  emit: (site) => void site.source().op(...V.f64x2_convert_low_i32x4_s),
};

const LOW_HALF_FROM_SECOND = shuffle(lowFromSecond(8));

/** b = lanes. */
const integersToSingle: Choice = ({ b }) =>
  b !== 4 && b !== 2
    ? undefined
    : guarded("vector", (site) => {
        requireNative(site);
        if (b === 2) site.destination();
        site.source().op(...V.f32x4_convert_i32x4_s);
        if (b === 2) site.code.op(...LOW_HALF_FROM_SECOND);
      });

/** a = 1 to truncate. The smallest integer takes the slow arm. */
const toIntegers = (format: Format, convert: readonly number[]): Choice => {
  return ({ a, b }) => {
    if (a === undefined || (format === SINGLE && b !== 4)) return undefined;
    return guarded("vector", (site) => {
      const { code } = site;
      const whole = site.local(V128);
      requireNative(site);
      site
        .source()
        .op(...format.roundLanes[a === 0 ? 0 : 3])
        .tee(whole);
      code.op(...format.absLanes, ...format.splat(2 ** 31), ...format.compareLanes.lt);
      requireLanes(site, format);
      code.get(whole).op(...convert);
    });
  };
};

export const CONVERSION_INTRINSICS: Readonly<Record<string, Choice>> = {
  cvtsi2ss: fromInteger(SINGLE, F.f32_convert_i64_s, 24),
  cvtsi2sd: fromInteger(DOUBLE, F.f64_convert_i64_s, 53),
  cvtss2si: toInteger(SINGLE),
  cvtsd2si: toInteger(DOUBLE),
  cvtss2sd: always(widen),
  cvtsd2ss: always(narrow),
  cvtps2pd: always(widenLanes),
  cvtpd2ps: always(narrowLanes),
  cvtdq2pd: always(integersToDouble),
  cvtdq2ps: integersToSingle,
  cvtps2dq: toIntegers(SINGLE, V.i32x4_trunc_sat_f32x4_s),
  cvtpd2dq: toIntegers(DOUBLE, V.i32x4_trunc_sat_f64x2_s_zero),
};
