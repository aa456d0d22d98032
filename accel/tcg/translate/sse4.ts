/** Emit functions of SSE4 string comparison and of XSAVE. */

import { HF_OSXSAVE, HF_TS, xmmOffset } from "../env.ts";
import { NONE } from "../ir/builder.ts";
import { OP } from "../ir/ops.ts";
import { type Emit, packedLike, places, sourceVector, sse } from "./sse.ts";
import { RAX, RDX } from "./translator.ts";

/** Bits above the immediate in the helper's first argument. */
const EXPLICIT = 0x100;
const WIDE = 0x400;
const UD = 6;
const NM = 7;

/** PCMPxSTRx: lengths in registers or by terminator, result as a mask or an index. */
export const compareStrings = (explicit: boolean, mask: boolean): Emit =>
  sse((t, i) => {
    const source = sourceVector(t, i, false);
    const control = (i.imm & 0x7f) | (explicit ? EXPLICIT : 0) | (i.rexW ? WIDE : 0);
    t.ir.callVoid(mask ? "pcmpstrm" : "pcmpstri", t.ir.constU(control), NONE, places(xmmOffset(i.reg), source));
    t.flagsFromHelper();
  });

/** BLENDPS (`words` 2) and BLENDPD (4) are word blends with each mask bit repeated. */
export const blendFloats = (words: 2 | 4): Emit =>
  packedLike("pblendw", 16, (t, i) => {
    let mask = 0;
    for (let bit = 0; bit < 8; bit++) mask |= ((i.imm >> Math.floor(bit / words)) & 1) << bit;
    return t.ir.constU(mask);
  });

/** XSAVE, XSAVEOPT (imm bit 1), XRSTOR: components in EDX:EAX. */
export const xsaveArea =
  (helper: "xsave" | "xrstor", optimized = false): Emit =>
  (t, i) => {
    const { ir } = t;
    if ((t.hflags & HF_OSXSAVE) === 0) {
      t.raise(UD);
      return;
    }
    if ((t.hflags & HF_TS) !== 0) {
      t.raise(NM);
      return;
    }
    const address = t.linear(i, 576, helper === "xsave");
    const high = ir.binary(OP.shl64, t.reg(RDX), ir.const(32));
    const mask = ir.binary(OP.or64, high, t.zext(t.reg(RAX), 4));
    ir.callVoid(helper, address, mask, (i.rexW ? 1 : 0) | (optimized ? 2 : 0));
  };
