/** What memory an instruction of the oracle touches, and whether the layout wants that. */

import { BASE_RIP, type Insn } from "../../accel/tcg/x86/insn.ts";
import { resultUndefined } from "./flags.ts";
import type { Layout } from "./layout.ts";
import { type CpuImage, scratch } from "./native.ts";
import {
  accessesMemory,
  alignment,
  MASKMOV,
  operandSize,
  PORT_STRING,
  pointerFields,
  STACK,
  STRING,
  storedInParts,
  usesSelector,
} from "./rows.ts";

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;
const ES = 0;
const SS = 2;
const DS = 3;
const FS = 4;
const EFLAGS_TF = 0x100;
const EFLAGS_AC = 0x40000n;
/** Index of a segment of Linux's whose limit depends on the CPU that runs. */
const CPU_NUMBER = 15;
/** The first address that is not canonical. */
export const HOLE = 2n ** 47n;

/** A linear address and a number of bytes. */
export interface Place {
  readonly linear: bigint;
  readonly size: number;
}

/** The top of the stack. */
export function stackPlace(layout: Layout, { gpr }: CpuImage): Place {
  const offset = BigInt.asUintN(layout.stackSize * 8, gpr[RSP]);
  return { linear: layout.linear(SS, offset), size: 8 };
}

export class Examiner {
  readonly #layout: Layout;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /**
   * Offsets in scratch where the instruction stores what is not architectural: pointers of x87 images, or all bytes of
   * operands that may be stored in part before a fault.
   */
  undefinedBytes(i: Insn, image: CpuImage, address: bigint): number[] {
    const place = this.operandPlace(i, image, address);
    if (!place) return [];
    const at = Number(place.linear - this.#layout.scratch);
    const offsets = storedInParts(i) && this.#layout.faults ? [...Array(place.size).keys()] : pointerFields(i);
    return offsets.map((offset) => at + offset);
  }

  /** What the ModRM or moffs operand reaches; undefined if there is none in memory. */
  operandPlace(i: Insn, image: CpuImage, address: bigint): Place | undefined {
    if (!accessesMemory(i)) return undefined;
    const { gpr } = image;
    const layout = this.#layout;
    let sum = (BigInt(i.dispHigh) << 32n) | BigInt(i.disp >>> 0);
    if (i.base === BASE_RIP) sum += address + BigInt(i.length);
    else if (i.base >= 0) sum += gpr[i.base];
    if (i.index >= 0) sum += gpr[i.index] << BigInt(i.scale);
    let offset = BigInt.asUintN(i.addrSize * 8, sum);
    if (i.row.name.startsWith("bt") && i.row.operands === "Ev Gv") {
      const bit = BigInt.asIntN(i.opSize * 8, gpr[i.reg]);
      offset += (bit >> BigInt(Math.log2(i.opSize * 8))) * BigInt(i.opSize);
      offset = BigInt.asUintN(i.addrSize * 8, offset);
    }
    return { linear: layout.linear(this.#segment(i), offset), size: operandSize(i.row) };
  }

  #segment(i: Insn): number {
    if (i.segment >= 0 && (this.#layout.bits !== 64 || i.segment >= 4)) return i.segment;
    return i.base === RSP || i.base === RBP ? SS : DS;
  }

  /** Everything the instruction may touch. */
  #places(i: Insn, image: CpuImage, address: bigint): Place[] {
    const { gpr } = image;
    const layout = this.#layout;
    const { name } = i.row;
    const places: Place[] = [];
    const operand = this.operandPlace(i, image, address);
    if (operand) places.push(operand);
    const implicit = (segment: number, register: number, size: number, before: number, after: number): void => {
      const linear = layout.linear(segment, BigInt.asUintN(size * 8, gpr[register]));
      places.push({ linear: linear - BigInt(before), size: before + after });
    };
    const source = i.segment >= 0 && (layout.bits !== 64 || i.segment >= 4) ? i.segment : DS;
    const { stackSize } = layout;
    if (STRING.test(name) || PORT_STRING.test(name)) {
      if (!/^(stos|scas|ins)/.test(name)) implicit(source, RSI, i.addrSize, 128, 128);
      if (!/^(lods|outs)/.test(name)) implicit(ES, RDI, i.addrSize, 128, 128);
    }
    if (MASKMOV.test(name)) implicit(source, RDI, i.addrSize, 0, 16);
    if (name === "xlat") implicit(source, RBX, i.addrSize, 0, 256);
    if (name === "enter") implicit(SS, RSP, stackSize, 450, 0);
    if (name === "enter" || name === "leave") implicit(SS, RBP, stackSize, name === "enter" ? 256 : 0, 8);
    if (STACK.test(name)) implicit(SS, RSP, stackSize, 64, 64);
    return places;
  }

  /** Whether the instruction touches nothing outside the range and faults only where that is wanted. */
  isAllowed(i: Insn, image: CpuImage, address: bigint): boolean {
    const { gpr } = image;
    const layout = this.#layout;
    const { name, operands } = i.row;
    if (resultUndefined(i, Number(gpr[RCX] & 255n))) return false;
    for (const { linear, size } of this.#places(i, image, address)) {
      const inHole = linear >= HOLE && linear + BigInt(size) <= 2n ** 64n - HOLE;
      if (!layout.contains(linear, size) && !(inHole && layout.faults)) return false;
      if (!layout.faults && linear % BigInt(alignment(i.row)) !== 0n) return false;
    }
    if ((STRING.test(name) || PORT_STRING.test(name)) && i.rep !== 0)
      if (BigInt.asUintN(i.addrSize * 8, gpr[RCX]) > 16n) return false;
    if (name === "enter" && (i.imm & 0xffff) > 128) return false;
    if (/^xsave|^xrstor/.test(name) && gpr[RAX] & 0xffffcn) return false;
    if (name === "int" && [3, 4, 0x80].includes(i.imm & 0xff)) return false;
    if (layout.faults && this.#faultsDiffer(i, image, address)) return false;
    if (name === "popf" && this.#popsTrap(image)) return false;
    if (operands === "Sw Ew" && (i.reg & 7) === FS) return false;
    if (usesSelector(i.row) && this.#selector(i, image, address) >> 3 === CPU_NUMBER) return false;
    if (layout.faults) return true;
    if (name === "aam" && (i.imm & 255) === 0) return false;
    if (name === "ldmxcsr" || name === "fxrstor" || name === "xrstor") return this.#loadsState(i, image, address);
    if (name === "div" || name === "idiv") return this.#divides(i, image, address);
    return true;
  }

  /** Whether how the instruction faults depends on the implementation. */
  #faultsDiffer(i: Insn, image: CpuImage, address: bigint): boolean {
    const { name } = i.row;
    const { bits } = this.#layout;
    const places = this.#places(i, image, address);
    const alignmentChecked = (image.rflags & EFLAGS_AC) !== 0n;
    // MASKMOV may look at bytes where its mask is zero; POPA may have changed registers.
    if (MASKMOV.test(name) || name.startsWith("popa"))
      return alignmentChecked || !places.every((p) => this.#isPlain(p));
    // Segment checks of a store come late where an unmasked exception suppresses it, and alignment before #SS.
    if (/^f(ist|isttp|st|bst)p?$/.test(name)) return bits !== 64 && (image.fx[0] & 0x3f) !== 0x3f;
    // XRSTOR may look at the legacy area before or after it finds its header invalid.
    if (name === "xrstor" && !this.#isPlain(places[0])) {
      const header = { linear: places[0].linear + 512n, size: 64 };
      if (!this.#isPlain(header) || this.#memory(header.linear, 64) > 3n) return true;
    }
    const misaligned = places.length > 0 && places[0].linear % BigInt(alignment(i.row)) !== 0n;
    return misaligned && (alignmentChecked || (bits !== 64 && this.#segment(i) === SS) || alignment(i.row) === 64);
  }

  /** Bytes of scratch at a linear address. */
  #memory(linear: bigint, size: number): bigint {
    const at = Number(linear - this.#layout.scratch);
    let value = 0n;
    for (let k = size - 1; k >= 0; k--) value = (value << 8n) | BigInt(scratch()[at + k]);
    return value;
  }

  /** Whether all segments and pages let code write there. */
  #isPlain(place: Place): boolean {
    const at = Number(place.linear - this.#layout.scratch);
    return this.#layout.memory.some((range) => at >= range.at && at + place.size <= range.at + range.size);
  }

  /** The selector that an instruction loads or looks at; 0 where it cannot be read. */
  #selector(i: Insn, image: CpuImage, address: bigint): number {
    const place = i.row.name === "pop" ? stackPlace(this.#layout, image) : this.operandPlace(i, image, address);
    if (!place) return i.mod === 3 ? Number(image.gpr[i.rm] & 0xffffn) : 0;
    const linear = place.linear + BigInt(i.row.operands.endsWith("Mp") ? i.opSize : 0);
    return this.#isPlain({ linear, size: 2 }) ? Number(this.#memory(linear, 2)) : 0;
  }

  /** Whether a POPF would set TF. */
  #popsTrap(image: CpuImage): boolean {
    const place = stackPlace(this.#layout, image);
    return !this.#isPlain(place) || (Number(this.#memory(place.linear, 2)) & EFLAGS_TF) !== 0;
  }

  /** Whether what an instruction loads into MXCSR and the XSAVE header's bits are valid. */
  #loadsState(i: Insn, image: CpuImage, address: bigint): boolean {
    const place = this.operandPlace(i, image, address);
    if (!place) return false;
    const mxcsr = this.#memory(place.linear + (i.row.name === "ldmxcsr" ? 0n : 24n), 4);
    if (mxcsr >> 16n !== 0n || (mxcsr & 0x1f80n) !== 0x1f80n) return false;
    if (i.row.name !== "xrstor") return true;
    return this.#memory(place.linear + 512n, 64) < 4n;
  }

  /** Whether a DIV or IDIV has a quotient that fits. */
  #divides(i: Insn, image: CpuImage, address: bigint): boolean {
    const { gpr } = image;
    const size = i.row.operands === "Eb" ? 1 : i.opSize;
    const bits = size * 8;
    const place = this.operandPlace(i, image, address);
    let raw = 0n;
    if (place) raw = this.#memory(place.linear, size);
    else if (size === 1 && !i.rex && i.rm >= 4) raw = gpr[i.rm - 4] >> 8n;
    else raw = gpr[i.rm];
    const low = BigInt.asUintN(bits, gpr[RAX]);
    const high = size === 1 ? BigInt.asUintN(8, gpr[RAX] >> 8n) : BigInt.asUintN(bits, gpr[RDX]);
    const dividend = (high << BigInt(bits)) | low;
    if (i.row.name === "div") {
      const divisor = BigInt.asUintN(bits, raw);
      return divisor !== 0n && high < divisor;
    }
    const divisor = BigInt.asIntN(bits, raw);
    if (divisor === 0n) return false;
    const quotient = BigInt.asIntN(bits * 2, dividend) / divisor;
    return BigInt.asIntN(bits, quotient) === quotient;
  }
}
