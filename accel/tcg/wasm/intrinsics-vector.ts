/** Intrinsics of integer SIMD: see assembly/sse-int.ts for what the helpers do. */

import { xmmOffset } from "../env.ts";
import { I64, V128 } from "./encoder.ts";
import type { Choice, Intrinsic, Site } from "./intrinsics.ts";
import { type SimdName, shuffle, splat8, splat16, splat32, splat64, V, v128 } from "./intrinsics-opcodes.ts";
import { W } from "./opcodes.ts";

const ZERO = v128(new Array(16).fill(0));
const range = (from: number, count: number, step = 1): number[] =>
  Array.from({ length: count }, (_, i) => from + i * step);

const vector = (emit: (site: Site) => void): Intrinsic => ({ result: "vector", guarded: false, emit });
const value = (emit: (site: Site) => void): Intrinsic => ({ result: "value", guarded: false, emit });
const always = (intrinsic: Intrinsic): Choice => {
  return () => intrinsic;
};

/** The lanes of a byte shuffle that moves elements of `size` bytes. */
const elements = (size: number, indices: readonly number[]): number[] =>
  indices.flatMap((index) => range(index * size, size));
const field = (control: number, index: number): number => (control >> (2 * index)) & 3;

/** A shuffle of destination and source, by the immediate in a. */
const shuffled = (lanes: (control: number) => readonly number[]): Choice => {
  return ({ a }) => {
    if (a === undefined) return undefined;
    const chosen = lanes(a & 0xff);
    return vector((site) => {
      site.destination();
      site.source().op(...shuffle(chosen));
    });
  };
};

/** The same of source and zeros, or destination and zeros. */
const shiftedBytes = (lanes: (count: number) => readonly number[]): Choice => {
  return ({ a }) =>
    a === undefined
      ? undefined
      : vector((site) => void site.destination().op(...ZERO, ...shuffle(lanes(Math.min(a & 0xff, 16)))));
};

const palignr: Choice = ({ a }) => {
  if (a === undefined) return undefined;
  const count = Math.min(a & 0xff, 32);
  return vector((site) => {
    if (count < 16) {
      site.source();
      site.destination().op(...shuffle(range(count, 16)));
    } else site.destination().op(...ZERO, ...shuffle(range(count - 16, 16)));
  });
};

// ---- shifts: kind 0 left, 1 right, 2 arithmetic right; log2 of the element size

const SHIFTS: Readonly<Record<string, SimdName>> = {
  "0,1": "i16x8_shl",
  "0,2": "i32x4_shl",
  "0,3": "i64x2_shl",
  "1,1": "i16x8_shr_u",
  "1,2": "i32x4_shr_u",
  "1,3": "i64x2_shr_u",
  "2,1": "i16x8_shr_s",
  "2,2": "i32x4_shr_s",
};

const shiftImmediate: Choice = ({ a }) => {
  if (a === undefined) return undefined;
  const kind = (a >> 8) & 3;
  const log = (a >> 10) & 3;
  const bits = 8 << log;
  const name = SHIFTS[`${kind},${log}`];
  if (!name) return undefined;
  const count = a & 0xff;
  return vector(({ code, destination }) => {
    if (count >= bits && kind !== 2) code.op(...ZERO);
    else
      destination()
        .i32(Math.min(count, bits - 1))
        .op(...V[name]);
  });
};

/** The count is in the source's low half. */
function shiftBy(kind: number, log: number): Choice {
  const bits = 8 << log;
  const operation = V[SHIFTS[`${kind},${log}`]];
  const count = (site: Site): void => void site.source().op(...V.i64x2_extract_lane, 0);
  const emit = (site: Site): void => {
    const { code } = site;
    const amount = site.local(I64);
    count(site);
    code.set(amount);
    if (kind === 2) {
      site
        .destination()
        .get(amount)
        .i64(bits - 1)
        .get(amount)
        .i64(bits)
        .op(W.i64_lt_u, W.select);
      code.op(W.i32_wrap_i64, ...operation);
    } else {
      // All ones for counts in range.
      site
        .destination()
        .get(amount)
        .op(W.i32_wrap_i64, ...operation);
      code
        .i64(0)
        .get(amount)
        .i64(bits)
        .op(W.i64_lt_u, W.i64_extend_i32_u, W.i64_sub, ...V.i64x2_splat, ...V.v128_and);
    }
  };
  return always(vector(emit));
}

// ---- arithmetic

/** Puts both operands into locals; `emit` leaves the result. */
const withOperands = (emit: (site: Site, x: number, y: number) => void): Choice =>
  always(
    vector((site) => {
      const x = site.local(V128);
      const y = site.local(V128);
      site.destination().set(x);
      site.source().set(y);
      emit(site, x, y);
    }),
  );

/** Products of words, low and high halves, both through `each`, then combined. */
const wideProducts = (sign: "s" | "u", each: (site: Site) => void, combine: readonly number[]): Choice =>
  withOperands((site, x, y) => {
    const { code } = site;
    code
      .get(x)
      .get(y)
      .op(...V[`i32x4_extmul_low_i16x8_${sign}`]);
    each(site);
    code
      .get(x)
      .get(y)
      .op(...V[`i32x4_extmul_high_i16x8_${sign}`]);
    each(site);
    code.op(...combine);
  });

const EVEN_WORDS = shuffle(elements(2, range(0, 8, 2)));
const ODD_WORDS = shuffle(elements(2, range(1, 8, 2)));
const EVEN_DWORDS = shuffle(elements(4, range(0, 4, 2)));
const ODD_DWORDS = shuffle(elements(4, range(1, 4, 2)));

/** Even elements of both operands with odd ones. */
const horizontal = (even: readonly number[], odd: readonly number[], operation: SimdName): Choice =>
  withOperands(({ code }, x, y) => {
    code
      .get(x)
      .get(y)
      .op(...even);
    code
      .get(x)
      .get(y)
      .op(...odd, ...V[operation]);
  });

/** Dwords 0 and 2 as they multiply to quadwords. */
const products = (operation: SimdName): Choice =>
  always(
    vector((site) => {
      const packed = shuffle(elements(4, [0, 2, 0, 2]));
      const zero = ZERO;
      site.destination().op(...zero, ...packed);
      site.source().op(...zero, ...packed, ...V[operation]);
    }),
  );

/** Negated where the source is negative, zero where it is zero. */
const signed = (shift: SimdName, bits: number, subtract: SimdName, equal: SimdName): Choice =>
  withOperands((site, x, y) => {
    const { code } = site;
    const negative = site.local(V128);
    code
      .get(y)
      .i32(bits - 1)
      .op(...V[shift])
      .set(negative);
    code
      .get(x)
      .get(negative)
      .op(...V.v128_xor)
      .get(negative)
      .op(...V[subtract]);
    code.get(y).op(...ZERO, ...V[equal], ...V.v128_andnot);
  });

/** Bits of the source where the mask in XMM0 is negative. */
const blendByXmm0 = (shift: SimdName, bits: number): Choice => {
  return ({ a }) =>
    a === xmmOffset(0)
      ? vector((site) => {
          site.source();
          site.destination();
          site
            .vector(a)
            .i32(bits - 1)
            .op(...V[shift], ...V.v128_bitselect);
        })
      : undefined;
};

// ---- elements and masks

const EXTRACT = [V.i8x16_extract_lane_u, V.i16x8_extract_lane_u, V.i32x4_extract_lane, V.i64x2_extract_lane] as const;
const REPLACE = [V.i8x16_replace_lane, V.i16x8_replace_lane, V.i32x4_replace_lane, V.i64x2_replace_lane] as const;

const extractElement: Choice = ({ a: log, b: index }) => {
  if (log === undefined || index === undefined || log > 3 || index >= 16 >> log) return undefined;
  return value((site) => {
    site.destination().op(...EXTRACT[log], index);
    if (log < 3) site.code.op(W.i64_extend_i32_u);
  });
};

const insertElement: Choice = ({ b }) => {
  if (b === undefined) return undefined;
  const log = b & 0xff;
  const index = b >> 8;
  if (log > 3 || index >= 16 >> log) return undefined;
  return vector((site) => {
    site.destination();
    site.a();
    if (log < 3) site.code.op(W.i32_wrap_i64);
    site.code.op(...REPLACE[log], index);
  });
};

const insertps: Choice = ({ a }) => {
  if (a === undefined) return undefined;
  const kept = v128(range(0, 16).map((byte) => ((a >> (byte >> 2)) & 1 ? 0 : 0xff)));
  return vector((site) => {
    site.destination();
    site.b().op(W.i32_wrap_i64, ...V.i32x4_replace_lane, (a >> 4) & 3);
    if (a & 15) site.code.op(...kept, ...V.v128_and);
  });
};

const moveMask: Choice = ({ a }) => {
  const operation = a === 0 ? V.i8x16_bitmask : a === 2 ? V.i32x4_bitmask : a === 3 ? V.i64x2_bitmask : undefined;
  return operation && value((site) => void site.destination().op(...operation, W.i64_extend_i32_u));
};

const ptest: Intrinsic = {
  result: "flags",
  guarded: false,
  emit: (site) => {
    const x = site.local(V128);
    const y = site.local(V128);
    site.destination().set(x);
    site.source().set(y);
    site.code
      .get(x)
      .get(y)
      .op(...V.v128_and, ...V.v128_any_true, W.i32_eqz)
      .i32(6)
      .op(W.i32_shl);
    site.code
      .get(y)
      .get(x)
      .op(...V.v128_andnot, ...V.v128_any_true, W.i32_eqz, W.i32_or, W.i64_extend_i32_u);
  },
};

export const VECTOR_INTRINSICS: Readonly<Record<string, Choice>> = {
  pshufd: shuffled((c) =>
    elements(
      4,
      [0, 1, 2, 3].map((i) => 4 + field(c, i)),
    ),
  ),
  pshufw: shuffled((c) => [
    ...elements(
      2,
      [0, 1, 2, 3].map((i) => 8 + field(c, i)),
    ),
    ...range(8, 8),
  ]),
  pshuflw: shuffled((c) => [
    ...elements(
      2,
      [0, 1, 2, 3].map((i) => 8 + field(c, i)),
    ),
    ...range(24, 8),
  ]),
  pshufhw: shuffled((c) => [
    ...range(16, 8),
    ...elements(
      2,
      [0, 1, 2, 3].map((i) => 12 + field(c, i)),
    ),
  ]),
  shufps: shuffled((c) => elements(4, [field(c, 0), field(c, 1), 4 + field(c, 2), 4 + field(c, 3)])),
  shufpd: shuffled((c) => elements(8, [c & 1, 2 + ((c >> 1) & 1)])),
  pblendw: shuffled((c) =>
    elements(
      2,
      range(0, 8).map((i) => i + ((c >> i) & 1) * 8),
    ),
  ),
  pslldq: shiftedBytes((count) => range(0, 16).map((byte) => (byte < count ? 16 : byte - count))),
  psrldq: shiftedBytes((count) => range(count, 16)),
  palignr,
  pshufb: always(
    vector((site) => {
      // Bit 7 selects zero, bits 4 to 6 do not count.
      site.destination();
      site.source().op(...splat8(0x8f), ...V.v128_and, ...V.i8x16_swizzle);
    }),
  ),
  shiftImmediate,
  psllw: shiftBy(0, 1),
  pslld: shiftBy(0, 2),
  psllq: shiftBy(0, 3),
  psrlw: shiftBy(1, 1),
  psrld: shiftBy(1, 2),
  psrlq: shiftBy(1, 3),
  psraw: shiftBy(2, 1),
  psrad: shiftBy(2, 2),
  pmulhw: wideProducts("s", ({ code }) => void code.i32(16).op(...V.i32x4_shr_s), V.i16x8_narrow_i32x4_s),
  pmulhuw: wideProducts("u", () => {}, ODD_WORDS),
  pmulhrsw: wideProducts(
    "s",
    ({ code }) =>
      void code
        .i32(14)
        .op(...V.i32x4_shr_s, ...splat32(1), ...V.i32x4_add)
        .i32(1)
        .op(...V.i32x4_shr_s),
    EVEN_WORDS,
  ),
  pmuludq: products("i64x2_extmul_low_i32x4_u"),
  pmuldq: products("i64x2_extmul_low_i32x4_s"),
  pmaddubsw: withOperands(({ code }, x, y) => {
    code.get(x).op(...splat16(0xff), ...V.v128_and);
    code
      .get(y)
      .i32(8)
      .op(...V.i16x8_shl)
      .i32(8)
      .op(...V.i16x8_shr_s, ...V.i16x8_mul);
    code
      .get(x)
      .i32(8)
      .op(...V.i16x8_shr_u);
    code
      .get(y)
      .i32(8)
      .op(...V.i16x8_shr_s, ...V.i16x8_mul, ...V.i16x8_add_sat_s);
  }),
  psadbw: withOperands((site, x, y) => {
    const { code } = site;
    const sums = site.local(V128);
    code
      .get(x)
      .get(y)
      .op(...V.i8x16_sub_sat_u)
      .get(y)
      .get(x)
      .op(...V.i8x16_sub_sat_u, ...V.v128_or);
    code.op(...V.i16x8_extadd_pairwise_i8x16_u, ...V.i32x4_extadd_pairwise_i16x8_u).tee(sums);
    code.i32(32).op(...V.i64x2_shr_u);
    code.get(sums).op(...splat64(0xffffffffn), ...V.v128_and, ...V.i64x2_add);
  }),
  phaddw: horizontal(EVEN_WORDS, ODD_WORDS, "i16x8_add"),
  phaddd: horizontal(EVEN_DWORDS, ODD_DWORDS, "i32x4_add"),
  phaddsw: horizontal(EVEN_WORDS, ODD_WORDS, "i16x8_add_sat_s"),
  phsubw: horizontal(EVEN_WORDS, ODD_WORDS, "i16x8_sub"),
  phsubd: horizontal(EVEN_DWORDS, ODD_DWORDS, "i32x4_sub"),
  phsubsw: horizontal(EVEN_WORDS, ODD_WORDS, "i16x8_sub_sat_s"),
  psignb: signed("i8x16_shr_s", 8, "i8x16_sub", "i8x16_eq"),
  psignw: signed("i16x8_shr_s", 16, "i16x8_sub", "i16x8_eq"),
  psignd: signed("i32x4_shr_s", 32, "i32x4_sub", "i32x4_eq"),
  pblendvb: blendByXmm0("i8x16_shr_s", 8),
  blendvps: blendByXmm0("i32x4_shr_s", 32),
  blendvpd: blendByXmm0("i64x2_shr_s", 64),
  moveMask,
  extractElement,
  insertElement,
  insertps,
  ptest: always(ptest),
};
