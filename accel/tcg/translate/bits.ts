/** Bit tests and scans, counts, byte swaps, BMI1, BMI2, CRC32, random numbers. */

import { CC_BMI, CC_C, CC_EFLAGS, CC_LOGIC, CC_POPCNT } from "../env.ts";
import { NONE, type Value } from "../ir/builder.ts";
import { OP } from "../ir/ops.ts";
import type { Insn, OpcodeRow } from "../x86/insn.ts";
import type { Translator } from "./translator.ts";

type Emit = OpcodeRow["emit"];

export type BitOp = "bt" | "bts" | "btr" | "btc";

function changeBit(t: Translator, op: BitOp, size: number, a: Value, mask: Value): Value {
  if (op === "bts") return t.ir.binary(t.op(OP.or32, size), a, mask);
  if (op === "btr") return t.ir.binary(t.op(OP.andc32, size), a, mask);
  return t.ir.binary(t.op(OP.xor32, size), a, mask);
}

/** BT, BTS, BTR, BTC. With a register as bit offset, a memory operand is a bit string of any length. */
export const bitTest =
  (op: BitOp, immediate: boolean): Emit =>
  (t, i) => {
    const { ir } = t;
    const size = i.opSize;
    const limit = size * 8 - 1;
    const offset = immediate ? ir.const(i.imm & limit) : t.readG(i);
    const bit = immediate ? offset : ir.binary(OP.and32, offset, ir.const(limit));
    let address: Value = NONE;
    if (!t.isReg(i)) {
      let ea = t.ea(i);
      if (!immediate) {
        const unit = size === 8 ? 6 : size === 4 ? 5 : 4;
        const index = ir.binary(OP.sar64, t.sext(offset, size), ir.const(unit));
        ea = ir.lea(i.addrSize === 8 ? 64 : 32, ea, index, unit - 3, 0);
        if (i.addrSize === 2) ea = ir.unary(OP.ext16u, ea);
      }
      address = t.segAddress(t.segmentOf(i), ea, size, op !== "bt");
    }
    const a = address === NONE ? t.readE(i) : t.load(address, size);
    // The bit at bit 1: CF. OF is undefined.
    const above = immediate ? ir.const((i.imm & limit) - 1) : ir.binary(OP.sub32, bit, ir.const(1));
    const carry = ir.binary(t.op(OP.rotr32, size), a, above);
    if (op === "bt") {
      t.setCarry(carry);
      return;
    }
    const result = changeBit(t, op, size, a, ir.binary(t.op(OP.shl32, size), ir.const(1), bit));
    if (address !== NONE) t.store(address, result, size);
    t.setCarry(carry);
    if (address === NONE) t.writeE(i, result);
  };

/** BSF and BSR: a source of zero leaves the destination alone. */
export const bitScan =
  (reverse: boolean): Emit =>
  (t, i) => {
    const { ir } = t;
    const size = i.opSize;
    const operand = size === 8 ? t.readE(i) : t.zext(t.readE(i), size);
    const wide = size === 8;
    const position = reverse
      ? ir.binary(OP.xor32, ir.unary(wide ? OP.clz64 : OP.clz32, operand), ir.const(wide ? 63 : 31))
      : ir.unary(wide ? OP.ctz64 : OP.ctz32, operand);
    const destination = t.reg(i.reg);
    const replaced = size === 2 ? ir.binary(OP.put16, destination, position) : position;
    const result = ir.select(OP.sel_eq64, operand, ir.const(0), destination, replaced);
    t.setCc(CC_LOGIC, size, operand);
    ir.mov(destination, result);
  };

/** LZCNT and TZCNT: CF if the source is zero, ZF if the result is. */
export const countZeros =
  (leading: boolean): Emit =>
  (t, i) => {
    const { ir } = t;
    const size = i.opSize;
    const operand = t.readE(i);
    let result: Value;
    if (size === 2) {
      result = leading
        ? ir.binary(OP.sub32, ir.unary(OP.clz32, t.zext(operand, 2)), ir.const(16))
        : ir.unary(OP.ctz32, ir.binary(OP.or32, operand, ir.const(0x10000)));
    } else result = ir.unary(t.op(leading ? OP.clz32 : OP.ctz32, size), operand);
    t.setCc(CC_BMI, size, result, ir.binary(OP.set_eq32, result, ir.const(size * 8)));
    t.writeG(i, result);
  };

export const populationCount: Emit = (t, i) => {
  const operand = i.opSize === 8 ? t.readE(i) : t.zext(t.readE(i), i.opSize);
  const result = t.ir.unary(OP.popcnt64, operand);
  t.setCc(CC_POPCNT, 8, result);
  t.writeG(i, result);
};

/** `value` with its bytes in reverse order. */
export function swapBytes(t: Translator, value: Value, size: number): Value {
  const { ir } = t;
  if (size === 2) {
    const word = t.zext(value, 2);
    return ir.binary(OP.or32, ir.binary(OP.shl32, word, ir.const(8)), ir.binary(OP.shr32, word, ir.const(8)));
  }
  if (size === 4) {
    const odd = ir.binary(OP.and32, ir.binary(OP.rotl32, value, ir.const(8)), ir.const(0x00ff00ff));
    const even = ir.binary(OP.and32, ir.binary(OP.rotr32, value, ir.const(8)), ir.const(0xff00ff00 | 0));
    return ir.binary(OP.or32, odd, even);
  }
  const exchange = (from: Value, by: number, mask: Value): Value => {
    const up = ir.binary(OP.shl64, ir.binary(OP.and64, from, mask), ir.const(by));
    return ir.binary(OP.or64, up, ir.binary(OP.and64, ir.binary(OP.shr64, from, ir.const(by)), mask));
  };
  const bytes = exchange(value, 8, ir.const(0x00ff00ff, 0x00ff00ff));
  const words = exchange(bytes, 16, ir.const(0x0000ffff, 0x0000ffff));
  return ir.binary(OP.rotl64, words, ir.const(32));
}

/** BSWAP; with a 16-bit operand the result is undefined, in hardware zero. */
export const bswap: Emit = (t, i) => {
  const result = i.opSize === 2 ? t.ir.const(0) : swapBytes(t, t.reg(i.rm), i.opSize);
  t.writeReg(i.rm, i.opSize, result, true);
};

export const movbeLoad: Emit = (t, i) => {
  t.writeG(i, swapBytes(t, t.readE(i), i.opSize));
};

export const movbeStore: Emit = (t, i) => {
  t.writeE(i, swapBytes(t, t.readG(i), i.opSize));
};

/** VEX-encoded instructions exist in protected mode only. */
export const vexOnly =
  (emit: Emit): Emit =>
  (t, i) => {
    if (t.protectedMode && !t.vm86) emit(t, i);
    else t.raise(6);
  };

/** ANDN "Gy By Ey" */
export const andn: Emit = (t, i) => {
  const result = t.ir.binary(t.op(OP.andc32, i.opSize), t.readE(i), t.reg(i.vvvv));
  t.setCc(CC_LOGIC, i.opSize, result);
  t.writeG(i, result);
};

/** BLSR, BLSMSK, BLSI "By Ey": CF says whether the source is zero (BLSI: is not). */
export const lowestBit =
  (op: "blsr" | "blsmsk" | "blsi"): Emit =>
  (t, i) => {
    const { ir } = t;
    const size = i.opSize;
    const operand = t.zext(t.readE(i), size);
    const zero = ir.const(0);
    const result =
      op === "blsi"
        ? ir.binary(t.op(OP.and32, size), ir.binary(t.op(OP.sub32, size), zero, operand), operand)
        : ir.binary(
            t.op(op === "blsr" ? OP.and32 : OP.xor32, size),
            ir.binary(t.op(OP.sub32, size), operand, ir.const(1)),
            operand,
          );
    t.setCc(CC_BMI, size, result, ir.binary(op === "blsi" ? OP.set_ne64 : OP.set_eq64, operand, zero));
    t.writeReg(i.vvvv, size, result, true);
  };

/** BEXTR "Gy Ey By": start in bits 0-7 of the control register, length in bits 8-15. */
export const bitExtract: Emit = (t, i) => {
  const { ir } = t;
  const size = i.opSize;
  const bits = ir.const(size * 8);
  const operand = t.zext(t.readE(i), size);
  const control = t.reg(i.vvvv);
  const start = t.zext(control, 1);
  const length = ir.unary(OP.get8h, control);
  const zero = ir.const(0);
  const shifted = ir.select(OP.sel_geu32, start, bits, zero, ir.binary(OP.shr64, operand, start));
  const cut = ir.binary(OP.andc64, shifted, ir.binary(OP.shl64, ir.const(-1), length));
  const result = ir.select(OP.sel_geu32, length, bits, shifted, cut);
  t.setCc(CC_BMI, size, result, zero);
  t.writeG(i, result);
};

/** BZHI "Gy Ey By": CF if the index is beyond the operand. */
export const zeroHighBits: Emit = (t, i) => {
  const { ir } = t;
  const size = i.opSize;
  const bits = ir.const(size * 8);
  const operand = t.readE(i);
  const index = t.zext(t.reg(i.vvvv), 1);
  const cut = ir.binary(OP.andc64, operand, ir.binary(OP.shl64, ir.const(-1), index));
  const result = ir.select(OP.sel_geu32, index, bits, operand, cut);
  t.setCc(CC_BMI, size, result, ir.binary(OP.set_geu32, index, bits));
  t.writeG(i, result);
};

/** PDEP and PEXT "Gy By Ey" */
export const depositExtract =
  (helper: "pdep" | "pext"): Emit =>
  (t, i) => {
    const mask = t.zext(t.readE(i), i.opSize);
    t.writeG(i, t.ir.call(helper, t.reg(i.vvvv), mask));
  };

/** CRC32 (Castagnoli) of 1 to 8 bytes; the result has 32 bits whatever the destination's size. */
export const crc32 =
  (byte: boolean): Emit =>
  (t, i) => {
    const size = byte ? 1 : i.opSize;
    const value = t.readE(i, size);
    t.writeReg(i.reg, 4, t.ir.call("crc32", t.reg(i.reg), value, size), true);
  };

/** RDRAND and RDSEED: there is always a number, CF says so. */
export const random: Emit = (t: Translator, i: Insn) => {
  const value = t.ir.call("readRandom");
  t.setCc(CC_EFLAGS, 4, NONE, t.ir.constU(CC_C));
  t.writeE(i, value);
};
