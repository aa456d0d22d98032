/** Memory operands of instructions that load state: random images, mostly ones that can be loaded. */

import type { Insn } from "../../accel/tcg/x86/insn.ts";
import { randomFloatState } from "./float.ts";
import type { Random } from "./random.ts";
import { usesSelector } from "./rows.ts";

const MXCSR = 24;
const XSTATE_BV = 512;
const EFLAGS_TF = 0x100;

/** A selector: of either table, null, or beyond the tables. */
export function randomSelector(random: Random): number {
  const rpl = random.oneIn(3) ? random.below(4) : 3;
  switch (random.below(8)) {
    case 0:
      return rpl;
    case 1:
    case 2:
      return (random.below(7) << 3) | rpl;
    case 3:
      return ((16 + random.below(0x1ff0)) << 3) | (random.below(2) << 2) | rpl;
    default:
      return (random.below(10) << 3) | 4 | rpl;
  }
}

/** An image for `i`, or undefined where any bytes will do. `faults` allows what #GP answers, and unmasked exceptions. */
export function operandImage(i: Insn, random: Random, faults: boolean): Uint8Array | undefined {
  if (usesSelector(i.row)) {
    const at = i.row.operands.endsWith("Mp") ? i.opSize : 0;
    return bytes(at + 2, (view) => {
      if (at > 0) view.setUint16(0, random.u32(), true);
      view.setUint16(at, randomSelector(random), true);
    });
  }
  switch (i.row.name) {
    case "ldmxcsr": {
      const value =
        faults && random.oneIn(4) ? random.u32() : faults ? random.u32() & 0xffff : 0x1f80 | random.below(64);
      return bytes(4, (view) => view.setUint32(0, value, true));
    }
    case "fldcw":
      return bytes(2, (view) => view.setUint16(0, random.u32() | (faults ? 0 : 0x3f), true));
    case "fxrstor":
    case "xrstor":
      return bytes(576, (view, image) => {
        randomFloatState(random, image.subarray(0, 512), faults);
        for (let at = 6; at < 24; at++) image[at] = random.u32();
        if (faults && random.oneIn(8)) view.setUint32(MXCSR, random.u32(), true);
        image[XSTATE_BV] = random.below(4);
        if (faults && random.oneIn(6)) image[XSTATE_BV + random.below(64)] = random.u32();
      });
    case "frstor":
    case "fldenv":
      return bytes(108, (view, image) => {
        for (let at = 0; at < image.length; at++) image[at] = random.u32();
        if (!faults) view.setUint16(0, random.u32() | 0x3f, true);
      });
    case "popf":
      return bytes(8, (view) => view.setBigUint64(0, random.u64() & ~BigInt(EFLAGS_TF), true));
    case "bound":
      return random.oneIn(2) ? bytes(8, (view) => view.setInt32(0, -random.below(0x7fffffff), true)) : undefined;
    default:
      return undefined;
  }
}

function bytes(size: number, fill: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const made = new Uint8Array(size);
  fill(new DataView(made.buffer), made);
  return made;
}
