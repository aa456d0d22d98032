/**
 * Makes instructions for the oracle from the opcode rows: any encoding a row allows, with memory operands that fall into
 * the range that the layout gives. Where the layout does not want faults, nothing that would fault.
 */

import { createInsn, Decoder } from "../../accel/tcg/x86/decoder.ts";
import type { Insn, OpcodeRow } from "../../accel/tcg/x86/insn.ts";
import { OPCODE_ROWS } from "../../accel/tcg/x86/rows.ts";
import { Examiner, HOLE, stackPlace } from "./examine.ts";
import { operandImage, randomSelector } from "./images.ts";
import { BORDERS, type Layout } from "./layout.ts";
import { type CpuImage, scratch } from "./native.ts";
import type { Random } from "./random.ts";
import { alignment, MASKMOV, needsModrm, operandSize, PORT_STRING, STRING, usesSelector } from "./rows.ts";

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
const GS = 5;
/** Prefixes by segment. */
const OVERRIDES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const PREFIXES = [...OVERRIDES, 0x66, 0x67, 0xf0, 0xf2, 0xf3];
/** Opcodes that 64-bit mode has not. */
const INVALID64 = [0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0xce, 0xd4, 0xd5];

/** One instruction for the oracle. */
export interface Generated {
  readonly bytes: readonly number[];
  readonly insn: Insn;
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
  readonly examiner: Examiner;

  constructor(rows: readonly OpcodeRow[], random: Random, layout: Layout) {
    this.#rows = rows;
    this.#random = random;
    this.#layout = layout;
    this.examiner = new Examiner(layout);
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
    if (!this.examiner.isAllowed(insn, image, address)) return undefined;
    if (random.oneIn(12)) return this.#prefixed(bytes, image, address);
    return { bytes: this.#layout.faults && random.oneIn(40) ? this.#invalid(bytes, insn) : bytes, insn };
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
    return this.examiner.isAllowed(insn, image, address) ? { bytes: longer, insn } : undefined;
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
    const place = name.startsWith("pop") ? stackPlace(layout, image) : this.examiner.operandPlace(i, image, address);
    const bytes = place && operandImage(i, random, layout.faults);
    if (!bytes || !layout.contains(place.linear, bytes.length)) return;
    const at = Number(place.linear - layout.scratch);
    if (layout.memory.every((range) => at < range.at || at + bytes.length > range.at + range.size)) return;
    scratch().set(bytes, at);
  }

  /** What `bytes` decode to. */
  decode(bytes: Uint8Array, offset: number): Insn | undefined {
    const insn = createInsn(OPCODE_ROWS[0]);
    return DECODER.decode(insn, bytes, offset, bytes.length - offset, this.#layout.bits) > 0 ? insn : undefined;
  }
}
