/** Intrinsics of integer arithmetic: see assembly/integer.ts for what the helpers do. */

import { I64 } from "./encoder.ts";
import type { Choice, Site } from "./intrinsics.ts";
import { W } from "./opcodes.ts";

/** Pushes the upper half of a product, by four products of halves. */
function mulHigh(site: Site, x: number, y: number): void {
  const { code } = site;
  const middle = site.local(I64);
  const low = (local: number): void => void code.get(local).i64(-1, 0).op(W.i64_and);
  const high = (local: number): void => void code.get(local).i64(32).op(W.i64_shr_u);
  const upper = (): void => void code.i64(32).op(W.i64_shr_u);
  high(x);
  low(y);
  code.op(W.i64_mul);
  low(x);
  low(y);
  code.op(W.i64_mul);
  upper();
  code.op(W.i64_add).set(middle);
  high(x);
  high(y);
  code.op(W.i64_mul);
  high(middle);
  code.op(W.i64_add);
  low(x);
  high(y);
  code.op(W.i64_mul);
  low(middle);
  code.op(W.i64_add);
  upper();
  code.op(W.i64_add);
}

const product = (signed: boolean): Choice => {
  return () => ({
    result: "value",
    guarded: false,
    emit: (site) => {
      const { code } = site;
      const x = site.local(I64);
      const y = site.local(I64);
      site.a().set(x);
      site.b().set(y);
      mulHigh(site, x, y);
      if (!signed) return;
      for (const [sign, other] of [
        [x, y],
        [y, x],
      ]) {
        code.get(sign).i64(63).op(W.i64_shr_s).get(other).op(W.i64_and, W.i64_sub);
      }
    },
  });
};

export const FLAG_INTRINSICS: Readonly<Record<string, Choice>> = {
  mulHighUnsigned: product(false),
  mulHighSigned: product(true),
};
