/**
 * Makes instructions for the oracle from the opcode rows: any encoding a row allows, with memory operands that fall into
 * the range that the layout gives. Where the layout does not want faults, nothing that would fault.
 */

import { createInsn, Decoder } from "../../accel/tcg/x86/decoder.ts";
import { BASE_RIP, type Insn, type OpcodeRow } from "../../accel/tcg/x86/insn.ts";
import { OPCODE_ROWS } from "../../accel/tcg/x86/rows.ts";
import { resultUndefined } from "./flags.ts";
import { operandImage, randomSelector } from "./images.ts";
import { BORDERS, type Layout } from "./layout.ts";
import { type CpuImage, scratch } from "./native.ts";
import type { Random } from "./random.ts";
import {
  accessesMemory,
  alignment,
  MASKMOV,
  needsModrm,
  operandSize,
  PORT_STRING,
  pointerFields,
  STACK,
  STRING,
  storedInParts,
  usesSelector,
} from "./rows.ts";

const MARGIN = 640;
const MAX_LENGTH = 15;
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
const GS = 5;
/** Prefixes by segment. */
const OVERRIDES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const EFLAGS_TF = 0x100;
const EFLAGS_AC = 0x40000n;
/** Index of a segment of Linux's whose limit depends on the CPU that runs. */
const CPU_NUMBER = 15;
/** The first address that is not canonical. */
const HOLE = 2n ** 47n;
const PREFIXES = [...OVERRIDES, 0x66, 0x67, 0xf0, 0xf2, 0xf3];
/** Opcodes that 64-bit mode has not. */
const INVALID64 = [0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0xce, 0xd4, 0xd5];

/** One instruction for the oracle. */
export interface Generated {
  readonly bytes: readonly number[];
  readonly insn: Insn;
}

/** A stretch of code that the mnemonic stands for. */
export interface Transfer {
  readonly name: string;
  readonly bytes: readonly number[];
}

/** Selectors of code that is executable in ring 3. */
const CODE_SELECTORS = [0x07, 0x23, 0x33, 0x37, 0x3f];

interface Place {
  readonly linear: bigint;
  readonly size: number;
}

const DECODER = new Decoder(OPCODE_ROWS);

const word = (value: number): number[] => [value & 255, (value >> 8) & 255];
const dword = (value: number): number[] => [...word(value), ...word(value >> 16)];
/** Base and index registers of 16-bit addressing, by ModRM.rm. */
const BASE16 = [RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX];
const INDEX16 = [RSI, RDI, RSI, RDI, -1, -1, -1, -1];

export class Generator {
  readonly #layout: Layout;
  readonly #rows: readonly OpcodeRow[];
  readonly #random: Random;

  constructor(rows: readonly OpcodeRow[], random: Random, layout: Layout) {
    this.#rows = rows;
    this.#random = random;
    this.#layout = layout;
  }

  /** Where RSP should point at first; what the stack's address size leaves of it is random. */
  stackPointer(): bigint {
    const random = this.#random;
    const { range, scratch, stackSize, faults, bits } = this.#layout;
    const near = faults && random.oneIn(2);
    const at = near ? random.pick(BORDERS) + random.below(64) - 24 : range.at + range.size / 2 + random.below(4) * 8;
    const offset = this.#layout.offset(SS, scratch + BigInt(at), stackSize);
    return bits === 64 ? offset : this.#widened(offset, stackSize);
  }

  /**
   * An instruction at `address` for the registers in `image`. With `free`, registers other than RSP and memory may be
   * changed so that operands suit; otherwise they are what an instruction before has left. Undefined when this try does
   * not work.
   */
  next(image: CpuImage, address: bigint, free: boolean): Generated | undefined {
    const random = this.#random;
    const row = random.pick(this.#rows);
    const bytes = this.#encode(row, image, address, free);
    if (!bytes) return undefined;
    const insn = createInsn(row);
    const length = DECODER.decode(insn, Uint8Array.from(bytes), 0, bytes.length, this.#layout.bits);
    if (length !== bytes.length || insn.row.name !== row.name) return undefined;
    if (free) this.#adjust(insn, image, address);
    if (!this.#isAllowed(insn, image, address)) return undefined;
    if (random.oneIn(12)) return this.#prefixed(bytes, image, address);
    return { bytes: this.#layout.faults && random.oneIn(40) ? this.#invalid(bytes, insn) : bytes, insn };
  }

  /**
   * Offsets in scratch where the instruction stores what is not architectural: pointers of x87 images, or all bytes of
   * operands that may be stored in part before a fault.
   */
  undefinedBytes(i: Insn, image: CpuImage, address: bigint): number[] {
    const place = this.#operandPlace(i, image, address);
    if (!place) return [];
    const at = Number(place.linear - this.#layout.scratch);
    const offsets = storedInParts(i) && this.#layout.faults ? [...Array(place.size).keys()] : pointerFields(i);
    return offsets.map((offset) => at + offset);
  }

  /** The instruction with more prefixes than it needs: repeated, without a meaning, or a REX that does not count. */
  #prefixed(bytes: readonly number[], image: CpuImage, address: bigint): Generated | undefined {
    const random = this.#random;
    const { bits } = this.#layout;
    const more = bits === 64 ? [0x66, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x40 | random.below(16)] : [0x66, 0xf2, 0xf3];
    const longer = [...bytes];
    for (let count = 1 + random.below(4); count > 0; count--) {
      const prefixes = longer.findIndex((byte) => !PREFIXES.includes(byte));
      longer.splice(random.below(prefixes + 1), 0, random.pick(more));
    }
    const insn = this.decode(Uint8Array.from(longer), 0);
    if (insn?.length !== longer.length || !this.#rows.includes(insn.row)) return undefined;
    return this.#isAllowed(insn, image, address) ? { bytes: longer, insn } : undefined;
  }

  /** The instruction made invalid, or too long. */
  #invalid(bytes: readonly number[], i: Insn): readonly number[] {
    const random = this.#random;
    if (random.oneIn(4)) return [...Array(MAX_LENGTH + 1 - bytes.length).fill(random.pick([0x26, 0x3e])), ...bytes];
    if (i.vex) return [random.pick([0x66, 0xf2, 0xf3, 0xf0]), ...bytes];
    if (!i.lock && !(i.row.lock && i.mod !== 3)) return [0xf0, ...bytes];
    return this.#layout.bits === 64 ? [random.pick(INVALID64), ...bytes] : bytes;
  }

  // ---- encoding

  #encode(row: OpcodeRow, image: CpuImage, address: bigint, free: boolean): number[] | undefined {
    const random = this.#random;
    const { bits } = this.#layout;
    const sized = /[vzy]( |$)|^$|rAX|^Z|^I/.test(row.operands);
    const prefixes: number[] = [];
    let rex = bits === 64 && random.oneIn(2) ? 0x40 | random.below(8) : 0;
    const wide = row.w === 1 || (sized && row.w !== 0 && random.oneIn(3));
    if (wide && bits === 64) rex |= 0x48;
    else if (row.prefix === undefined || (sized && row.prefix !== "66" && row.prefix !== "none")) {
      if (random.oneIn(bits === 16 ? 2 : 4) && row.size64 !== "f64") prefixes.push(0x66);
    }
    let segment = -1;
    if (random.oneIn(20)) {
      segment = random.pick(bits === 64 ? [0, 1, 2, 3, GS, GS] : [0, 2, 3, GS]);
      prefixes.push(OVERRIDES[segment]);
      if (bits === 64 && segment < 4) segment = -1;
    }
    const modrm = needsModrm(row);
    const mod = row.mod ?? (random.oneIn(2) ? "mem" : "reg");
    let addrSize = bits >> 3;
    if (bits === 16 ? random.oneIn(3) : bits === 64 ? random.oneIn(10) : row.name === "lea" && random.oneIn(2)) {
      prefixes.push(0x67);
      addrSize = bits === 32 ? 2 : 4;
    }
    if (row.lock && modrm && mod === "mem" && random.oneIn(8)) prefixes.push(0xf0);
    if (row.prefix !== undefined && row.prefix !== "none" && !row.vex) prefixes.push(Number.parseInt(row.prefix, 16));
    if (/^(movs|stos|lods|ins|outs)b?$/.test(row.name) && random.oneIn(2)) prefixes.push(0xf3);
    if (/^(cmps|scas)b?$/.test(row.name) && random.oneIn(2)) prefixes.push(random.pick([0xf2, 0xf3]));
    const regField = row.reg ?? random.below(8);

    const tail: number[] = [];
    const opSize = this.#operandSize(row, (rex & 8) !== 0, prefixes.includes(0x66));
    const immediates = this.#immediates(row, opSize, addrSize, segment);
    let relativeAt = -1;
    if (modrm && mod === "reg") tail.push(0xc0 | (regField << 3) | (row.rm ?? random.below(8)));
    else if (modrm) {
      const operand =
        addrSize === 2
          ? this.#memoryOperand16(row, image, segment, free)
          : this.#memoryOperand(row, image, rex, addrSize, segment, free);
      if (!operand) return undefined;
      tail.push(operand.bytes[0] | (regField << 3), ...operand.bytes.slice(1));
      if (operand.relative) relativeAt = 1;
    }
    const head: number[] = [];
    if (row.vex) {
      const payload =
        ((rex & 4) === 0 ? 0x80 : 0) | ((rex & 2) === 0 ? 0x40 : 0) | ((rex & 1) === 0 ? 0x20 : 0) | row.map;
      const vvvv = /\b[BH][a-z]/.test(row.operands) ? 15 - random.below(bits === 64 ? 16 : 8) : 15;
      const w = row.vex.w ?? (rex & 8) >> 3;
      head.push(0xc4, payload, (w << 7) | (vvvv << 3) | { none: 0, "66": 1, f3: 2, f2: 3 }[row.prefix ?? "none"]);
      if (prefixes.some((prefix) => [0x66, 0xf0, 0xf2, 0xf3].includes(prefix))) return undefined;
    } else {
      if (rex !== 0) head.push(rex);
      if (row.map > 0) head.push(0x0f);
      if (row.map > 1) head.push(row.map === 2 ? 0x38 : 0x3a);
    }
    head.push(row.byte);
    const bytes = [...prefixes, ...head, ...tail, ...immediates];
    if (relativeAt >= 0) {
      const target = this.#layout.offset(segment < 0 ? DS : segment, this.#target(row), 8);
      const disp = BigInt.asIntN(64, target - address - BigInt(bytes.length));
      bytes.splice(prefixes.length + head.length + relativeAt, 4, ...dword(Number(BigInt.asIntN(32, disp))));
    }
    return bytes.length > MAX_LENGTH ? undefined : bytes;
  }

  #operandSize(row: OpcodeRow, rexW: boolean, prefix66: boolean): number {
    if (rexW) return 8;
    if (row.vex || row.prefix === "66") return 4;
    return (this.#layout.bits === 16) === prefix66 ? 4 : 2;
  }

  #immediates(row: OpcodeRow, opSize: number, addrSize: number, segment: number): number[] {
    const random = this.#random;
    const bytes: number[] = [];
    const push = (value: bigint, size: number): void => {
      for (let k = 0; k < size; k++) bytes.push(Number((value >> BigInt(8 * k)) & 255n));
    };
    for (const operand of row.operands.split(" ")) {
      const type = operand.slice(1);
      const size = type === "b" ? 1 : type === "w" ? 2 : type === "v" ? opSize : Math.min(opSize, 4);
      if (operand[0] === "I") push(random.integer(), size);
      if (operand[0] === "O")
        push(this.#layout.offset(segment < 0 ? DS : segment, this.#target(row), addrSize), addrSize);
    }
    return bytes;
  }

  /** A linear address for a memory operand. */
  #target(row: OpcodeRow): bigint {
    const random = this.#random;
    const { range, faults, scratch, bits } = this.#layout;
    const size = operandSize(row);
    const aligned = alignment(row);
    let at = range.at + MARGIN + random.below(range.size - 2 * MARGIN);
    if (faults && random.oneIn(2)) {
      const span = random.pick([8, 16, size]);
      at = random.pick(BORDERS) + random.below(2 * span) - span;
    }
    if (!(faults && random.oneIn(8))) at &= -aligned;
    if (faults && bits === 64 && random.oneIn(24)) return (HOLE + 0x10000n) << BigInt(random.below(9));
    return scratch + BigInt(at);
  }

  /** A value whose low `size` bytes are as given; what is above is random within the registers of the mode. */
  #widened(value: bigint, size: number): bigint {
    return this.#layout.bits === 64
      ? value | ((this.#random.u64() << BigInt(size * 8)) & 0xffff_ffff_ffff_ffffn)
      : BigInt.asUintN(32, value | (this.#random.u64() << BigInt(size * 8)));
  }

  /** ModRM and displacement of a 16-bit address. */
  #memoryOperand16(
    row: OpcodeRow,
    image: CpuImage,
    override: number,
    free: boolean,
  ): { bytes: number[]; relative: boolean } {
    const random = this.#random;
    const { gpr } = image;
    const rm = random.below(8);
    const none = rm === 6 && random.oneIn(2);
    const segment = override >= 0 ? override : !none && BASE16[rm] === RBP ? SS : DS;
    const target = this.#layout.offset(segment, this.#target(row), 2);
    if (none) return { bytes: [6, ...word(Number(target))], relative: false };
    const index = INDEX16[rm] < 0 ? 0n : gpr[INDEX16[rm]];
    if (free && random.oneIn(2)) {
      const mod = random.below(rm === 6 ? 2 : 3) + (rm === 6 ? 1 : 0);
      const disp = mod === 0 ? 0 : mod === 1 ? (random.u32() << 24) >> 24 : random.u32() & 0xffff;
      gpr[BASE16[rm]] = this.#widened(BigInt.asUintN(16, target - index - BigInt(disp)), 2);
      return { bytes: [(mod << 6) | rm, ...word(disp).slice(0, mod)], relative: false };
    }
    const disp = Number(BigInt.asIntN(16, target - index - gpr[BASE16[rm]]));
    const short = disp >= -128 && disp <= 127 && random.oneIn(2);
    return { bytes: [(short ? 0x40 : 0x80) | rm, ...word(disp).slice(0, short ? 1 : 2)], relative: false };
  }

  /** ModRM (without reg), SIB and displacement; sets base or index in `image` if `free`. */
  #memoryOperand(
    row: OpcodeRow,
    image: CpuImage,
    rex: number,
    addrSize: number,
    override: number,
    free: boolean,
  ): { bytes: number[]; relative: boolean } | undefined {
    const random = this.#random;
    const { gpr } = image;
    const width = addrSize * 8;
    const rexX = (rex & 2) << 2;
    const rexB = (rex & 1) << 3;
    const linear = this.#target(row);
    const offsetIn = (segment: number): bigint =>
      this.#layout.offset(override >= 0 ? override : segment, linear, addrSize);
    if (random.oneIn(8)) {
      if (this.#layout.bits !== 64) return { bytes: [5, ...dword(Number(offsetIn(DS)))], relative: false };
      return { bytes: [5, 0, 0, 0, 0], relative: true };
    }
    const sib = random.oneIn(2);
    const scale = random.below(4);
    const baseField = random.below(8);
    const indexField = random.below(8);
    if (!sib && baseField === 4) return undefined;
    const index = sib && (indexField | rexX) !== 4 ? indexField | rexX : -1;
    const noBase = sib && baseField === 5 && random.oneIn(2);
    const base = noBase ? -1 : baseField | rexB;
    if (index === base) return undefined;
    const target = offsetIn(base === RBP || base === RSP ? SS : DS);
    const indexValue = index < 0 ? 0n : gpr[index] << BigInt(scale);
    let disp: bigint;
    if (base >= 0 && base !== RSP && free) {
      disp = random.oneIn(3) ? 0n : BigInt.asIntN(random.pick([8, 32]), random.integer());
      gpr[base] = this.#widened(BigInt.asUintN(width, target - indexValue - disp), addrSize);
    } else {
      const sum = indexValue + (base < 0 ? 0n : gpr[base]);
      disp = BigInt.asIntN(width, target - sum);
      if (BigInt.asIntN(32, disp) !== disp) return undefined;
    }
    const value = Number(disp);
    const disp8 = value >= -128 && value <= 127 && !noBase && random.oneIn(2);
    const none = value === 0 && baseField !== 5 && random.oneIn(2);
    const mod = noBase || none ? 0 : disp8 ? 0x40 : 0x80;
    const bytes = sib ? [mod | 4, (scale << 6) | (indexField << 3) | (noBase ? 5 : baseField)] : [mod | baseField];
    if (noBase || mod === 0x80) bytes.push(...dword(value));
    else if (mod === 0x40) bytes.push(value & 255);
    return { bytes, relative: false };
  }

  // ---- operands that need care

  /** Sets registers that the instruction takes as addresses or counts without naming them, and memory that it loads. */
  #adjust(i: Insn, image: CpuImage, address: bigint): void {
    const { gpr } = image;
    const random = this.#random;
    const layout = this.#layout;
    const { name, operands } = i.row;
    const source = i.segment >= 0 && (layout.bits !== 64 || i.segment >= 4) ? i.segment : DS;
    const offset = (segment: number, size: number): bigint =>
      this.#widened(layout.offset(segment, this.#target(i.row), size), size);
    if (STRING.test(name) || PORT_STRING.test(name)) {
      // Which upper halves a repeated instruction with 32-bit addresses clears depends on instruction and count.
      const size = layout.bits === 64 ? 8 : i.addrSize;
      gpr[RSI] = offset(source, size);
      gpr[RDI] = offset(ES, size);
      gpr[RCX] = this.#widened(BigInt(random.below(8)), size);
    }
    if (MASKMOV.test(name)) gpr[RDI] = offset(source, i.addrSize);
    if (name === "xlat") gpr[RBX] = offset(source, i.addrSize);
    if (name === "leave" || name === "enter") gpr[RBP] = offset(SS, layout.stackSize);
    if (name.startsWith("bt") && operands === "Ev Gv" && i.mod !== 3) {
      const wanted = i.reg !== RSP && i.reg !== i.base && i.reg !== i.index;
      const bit = BigInt.asUintN(i.opSize * 8, BigInt(random.below(4000) - 2000));
      if (wanted) gpr[i.reg] = this.#widened(bit, i.opSize);
    }
    if (/^i?div$/.test(name) && random.oneIn(2)) {
      const negative = BigInt.asIntN(64, gpr[RAX]) < 0n ? 0xffff_ffff_ffff_ffffn : 0n;
      gpr[RDX] = name === "div" ? BigInt(random.below(3)) : BigInt.asUintN(layout.bits === 64 ? 64 : 32, negative);
    }
    // Components that both sides have: x87 and SSE.
    if (/^xsave|^xrstor/.test(name)) gpr[RAX] = this.#widened(BigInt(random.below(4)), 1) & ~0xfffffn;
    if (/^xsave|^xrstor/.test(name)) gpr[RAX] |= BigInt(random.below(4));
    if (usesSelector(i.row) && i.mod === 3 && i.rm !== RSP)
      gpr[i.rm] = this.#widened(BigInt(randomSelector(random)), 2);
    const place = name.startsWith("pop") ? this.#stackPlace(image) : this.#operandPlace(i, image, address);
    const bytes = place && operandImage(i, random, layout.faults);
    if (!bytes || !layout.contains(place.linear, bytes.length)) return;
    const at = Number(place.linear - layout.scratch);
    if (layout.memory.every((range) => at < range.at || at + bytes.length > range.at + range.size)) return;
    scratch().set(bytes, at);
  }

  #stackPlace(image: CpuImage): Place {
    const { stackSize } = this.#layout;
    const offset = BigInt.asUintN(stackSize * 8, image.gpr[RSP]);
    return { linear: this.#layout.linear(SS, offset), size: 8 };
  }

  /** What the ModRM or moffs operand reaches; undefined if there is none in memory. */
  #operandPlace(i: Insn, image: CpuImage, address: bigint): Place | undefined {
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
    const operand = this.#operandPlace(i, image, address);
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
  #isAllowed(i: Insn, image: CpuImage, address: bigint): boolean {
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
    const place = i.row.name === "pop" ? this.#stackPlace(image) : this.#operandPlace(i, image, address);
    if (!place) return i.mod === 3 ? Number(image.gpr[i.rm] & 0xffffn) : 0;
    const linear = place.linear + BigInt(i.row.operands.endsWith("Mp") ? i.opSize : 0);
    return this.#isPlain({ linear, size: 2 }) ? Number(this.#memory(linear, 2)) : 0;
  }

  /** Whether a POPF would set TF. */
  #popsTrap(image: CpuImage): boolean {
    const place = this.#stackPlace(image);
    return !this.#isPlain(place) || (Number(this.#memory(place.linear, 2)) & EFLAGS_TF) !== 0;
  }

  /** Whether what an instruction loads into MXCSR and the XSAVE header's bits are valid. */
  #loadsState(i: Insn, image: CpuImage, address: bigint): boolean {
    const place = this.#operandPlace(i, image, address);
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
    const place = this.#operandPlace(i, image, address);
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

  /** A short stretch of code with a jump, call, return or loop in it that ends by falling through. */
  controlFlow(image: CpuImage, address: bigint): number[] | undefined {
    const random = this.#random;
    const { bits } = this.#layout;
    const stack = this.#stackPlace(image);
    if (!this.#layout.contains(stack.linear - 64n, 128)) return undefined;
    // Changes a register and no flag, so that it shows whether it was jumped over: lea r, [r + imm8]
    const register = random.pick([0, 2, 3, 6, 7]);
    const sizePrefixes = { 16: [0x66, 0x67], 32: [], 64: [0x48] }[bits];
    const marker = [...sizePrefixes, 0x8d, 0x40 | (register << 3) | register, random.below(128)];
    const size = marker.length;
    const near = bits === 16 ? word(size) : dword(size);
    switch (random.below(8)) {
      case 0:
      case 1:
        return [0x70 | random.below(16), size, ...marker];
      case 2:
        return [0x0f, 0x80 | random.below(16), ...near, ...marker];
      case 3:
        return [...(random.oneIn(2) ? [0x67] : []), 0xe0 | random.below(4), size, ...marker];
      case 4:
        return random.oneIn(2) ? [0xe8, ...near, ...marker] : [0xeb, size, ...marker];
      case 5: // lea rax, [rip+2] or mov eax, ...; push rax; ret
        return [...this.#addressOf(address, 2), 0x50, 0xc3];
      case 6: // the same with ret 16
        return [...this.#addressOf(address, 4), 0x50, 0xc2, 0x10, 0x00];
      default: // jmp or call rax
        return [...this.#addressOf(address, 2), 0xff, random.oneIn(2) ? 0xe0 : 0xd0];
    }
  }

  /** A far jump, call or return to what follows it, or to a segment that is no code. */
  farTransfer(image: CpuImage, address: bigint): Transfer | undefined {
    const random = this.#random;
    const { bits } = this.#layout;
    const stack = this.#stackPlace(image);
    if (!this.#layout.contains(stack.linear - 64n, 128)) return undefined;
    const own = { 16: 0x07, 32: 0x23, 64: 0x33 }[bits];
    let selector = (own & ~3) | random.below(4);
    if (random.oneIn(2)) selector = randomSelector(random);
    if (CODE_SELECTORS.includes(selector | 3) && (selector | 3) !== own) return undefined;
    const push = (value: number): number[] => [0x68, ...(bits === 16 ? word(value) : dword(value))];
    if (bits === 64) {
      const target = [...this.#addressOf(address, 0).slice(0, 3), ...dword(3), 0x50];
      if (random.oneIn(2)) return { name: "retf", bytes: [...push(selector), ...target, 0x48, 0xcb] };
      const ss = random.oneIn(2) ? 0x2b : randomSelector(random);
      return { name: "iret", bytes: [...push(ss), 0x54, 0x9c, ...push(selector), ...target, 0x48, 0xcf] };
    }
    const size = bits >> 3;
    const pointer = (length: number): number[] => {
      const target = Number(address) + length;
      return [...(bits === 16 ? word(target) : dword(target)), ...word(selector)];
    };
    switch (random.below(4)) {
      case 0:
        return { name: "jmpf", bytes: [0xea, ...pointer(3 + size)] };
      case 1:
        return { name: "callf", bytes: [0x9a, ...pointer(3 + size)] };
      case 2:
        return { name: "retf", bytes: [...push(selector), ...push(Number(address) + 3 + 2 * size), 0xcb] };
      default:
        return { name: "iret", bytes: [0x9c, ...push(selector), ...push(Number(address) + 4 + 2 * size), 0xcf] };
    }
  }

  /** Code at `address` that loads into rAX the address `distance` bytes after its end. */
  #addressOf(address: bigint, distance: number): number[] {
    const { bits } = this.#layout;
    if (bits === 64) return [0x48, 0x8d, 0x05, ...dword(distance)];
    if (bits === 16) return [0xb8, ...word(Number(address) + 3 + distance)];
    return [0xb8, ...dword(Number(address) + 5 + distance)];
  }

  /** What `bytes` decode to. */
  decode(bytes: Uint8Array, offset: number): Insn | undefined {
    const insn = createInsn(OPCODE_ROWS[0]);
    return DECODER.decode(insn, bytes, offset, bytes.length - offset, this.#layout.bits) > 0 ? insn : undefined;
  }
}
