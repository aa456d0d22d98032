/**
 * Makes instructions for the oracle from the opcode rows: any encoding a row allows, with memory operands that fall into
 * a window of the scratch region and without anything that would fault in user mode.
 */

import { createInsn, Decoder } from "../../accel/tcg/x86/decoder.ts";
import { BASE_RIP, type Insn, type OpcodeRow } from "../../accel/tcg/x86/insn.ts";
import { OPCODE_ROWS } from "../../accel/tcg/x86/rows.ts";
import { resultUndefined } from "./flags.ts";
import type { CpuImage } from "./native.ts";
import type { Random } from "./random.ts";

/** Memory operands lie here, relative to the scratch region. */
export const WINDOW = 0x8000;
export const WINDOW_SIZE = 2048;
const MARGIN = 640;
const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;

/**
 * Not for user mode, not deterministic, exact to an ulp only (softfloat.test.ts has those), or not an instruction that
 * falls through. Control flow is made separately.
 */
const EXCLUDED =
  /^(ud\d|rdrand|rdseed|rdtscp?|rdpmc|rdpid|cpuid|hlt|int\d*|int|into|bound|i?ret.*|call.*|jmp.*|j[a-z]+|loop.*|jcxz.*|sys.*|in|insb?|outs?b?|cli|sti|popf.*|pushf.*|l[defgs]s|lss|[sl]?[gil]dt|ltr|str|smsw|lmsw|ver[rw]|lar|lsl|clts|invd|wbinvd|invlpg.*|invpcid|monitor|mwait|wrmsr|rdmsr|rsm|swapgs|stac|clac|xsetbv|xgetbv|xsave.*|xrstor.*|fxsave|fxrstor|f(n?)stenv|fn?save|fldenv|frstor|fldcw|ldmxcsr|vm.*|arpl|clflush.*|clwb|(rd|wr)[fg]sbase|icebp|maskmov.*|f2xm1|fyl2x|fyl2xp1|fptan|fpatan|fsin|fcos|fsincos)$/;

const SEGMENT_OPERAND = /\b([SCD][wdqy]|Ap|Mp|Ma|Ms|[DEFGCS]S)\b/;

/** Whether random operands of the row are fit for the oracle, on a host with these features. */
export function isEligible(row: OpcodeRow, hostFeatures: ReadonlySet<string>, bits: Bits = 64): boolean {
  if (row.mode === (bits === 64 ? "not64" : "64") || (bits === 32 && row.w === 1) || row.privileged || row.vex?.l === 1)
    return false;
  if (row.feature !== undefined && !hostFeatures.has(row.feature)) return false;
  if (row.name.split("/").some((name) => EXCLUDED.test(name))) return false;
  if (row.vex && /[VW][a-z]/.test(row.operands)) return false;
  return !SEGMENT_OPERAND.test(row.operands);
}

/** Whether the row uses x87, MMX or SSE registers. */
export const usesFloat = (row: OpcodeRow): boolean =>
  /\b[VWPQUN][a-z]/.test(row.operands) || /^(f|stmxcsr|emms)/.test(row.name);

/** One instruction for the oracle. */
export interface Generated {
  readonly bytes: readonly number[];
  readonly insn: Insn;
}

const DECODER = new Decoder(OPCODE_ROWS);

const dword = (value: number): number[] => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];
const SIXTEEN = /\b[EMQWU]?(dq|ps|pd|x)\b|[WM](dq|ps|pd|x)/;

export type Bits = 32 | 64;

export class Generator {
  readonly #bits: Bits;
  readonly #rows: readonly OpcodeRow[];
  readonly #random: Random;
  readonly #window: bigint;

  /** `scratch` is the address of the scratch region. */
  constructor(rows: readonly OpcodeRow[], random: Random, scratch: bigint, bits: Bits = 64) {
    this.#bits = bits;
    this.#rows = rows;
    this.#random = random;
    this.#window = scratch + BigInt(WINDOW);
  }

  /** Where RSP should point at first. */
  get stackPointer(): bigint {
    return this.#window + BigInt(WINDOW_SIZE / 2 + this.#random.below(4) * 8);
  }

  /**
   * An instruction at `address` for the registers in `image`. With `free`, registers other than RSP may be changed so
   * that operands suit; otherwise they are what an instruction before has left. Undefined when this try does not work.
   */
  next(image: CpuImage, memory: Uint8Array, address: bigint, free: boolean): Generated | undefined {
    const random = this.#random;
    const row = random.pick(this.#rows);
    const bytes = this.#encode(row, image, address, free);
    if (!bytes) return undefined;
    const insn = createInsn(row);
    const length = DECODER.decode(insn, Uint8Array.from(bytes), 0, bytes.length, this.#bits);
    if (length !== bytes.length || insn.row.name !== row.name) return undefined;
    if (free) this.#adjust(insn, image);
    return this.#isSafe(insn, image, memory, address) ? { bytes, insn } : undefined;
  }

  // ---- encoding

  #encode(row: OpcodeRow, image: CpuImage, address: bigint, free: boolean): number[] | undefined {
    const random = this.#random;
    const sized = /[vzy]( |$)|^$|rAX|^Z|^I/.test(row.operands);
    const prefixes: number[] = [];
    let rex = random.oneIn(2) ? 0x40 | random.below(8) : 0;
    if (this.#bits === 32) rex = 0;
    const wide = row.w === 1 || (sized && row.w !== 0 && random.oneIn(3));
    if (wide && this.#bits === 64) rex |= 0x48;
    else if (row.prefix === undefined || (sized && row.prefix !== "66" && row.prefix !== "none")) {
      if (random.oneIn(4) && row.size64 !== "f64") prefixes.push(0x66);
    }
    if (random.oneIn(40)) prefixes.push(random.pick(this.#bits === 64 ? [0x26, 0x2e, 0x36, 0x3e] : [0x26, 0x36, 0x3e]));
    const modrm = this.#needsModrm(row);
    const mod = row.mod ?? (random.oneIn(2) ? "mem" : "reg");
    const narrow = this.#bits === 64 && modrm && mod === "mem" && random.oneIn(10);
    if (narrow) prefixes.push(0x67);
    if (row.lock && modrm && mod === "mem" && random.oneIn(8)) prefixes.push(0xf0);
    if (row.prefix !== undefined && row.prefix !== "none" && !row.vex) prefixes.push(Number.parseInt(row.prefix, 16));
    if (/^(movs|stos|lods)b?$/.test(row.name) && random.oneIn(2)) prefixes.push(0xf3);
    if (/^(cmps|scas)b?$/.test(row.name) && random.oneIn(2)) prefixes.push(random.pick([0xf2, 0xf3]));
    const regField = row.reg ?? random.below(8);

    const tail: number[] = [];
    const immediates = this.#immediates(row, (rex & 8) !== 0, prefixes.includes(0x66));
    let relativeAt = -1;
    if (this.#bits === 32 && row.name === "lea" && random.oneIn(2)) {
      prefixes.push(0x67);
      tail.push(...this.#address16(regField));
    } else if (modrm && mod === "reg") tail.push(0xc0 | (regField << 3) | (row.rm ?? random.below(8)));
    else if (modrm) {
      const operand = this.#memoryOperand(row, image, rex, narrow, free);
      if (!operand) return undefined;
      tail.push(operand.bytes[0] | (regField << 3), ...operand.bytes.slice(1));
      if (operand.relative) relativeAt = 1;
    }
    const head: number[] = [];
    if (row.vex) {
      const payload =
        ((rex & 4) === 0 ? 0x80 : 0) | ((rex & 2) === 0 ? 0x40 : 0) | ((rex & 1) === 0 ? 0x20 : 0) | row.map;
      const vvvv = /\b[BH][a-z]/.test(row.operands) ? 15 - random.below(this.#bits >> 2) : 15;
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
      const target = this.#target(row);
      const disp = Number(target - address) - bytes.length;
      bytes.splice(prefixes.length + head.length + relativeAt, 4, ...dword(disp));
    }
    return bytes.length > 15 ? undefined : bytes;
  }

  #needsModrm(row: OpcodeRow): boolean {
    if (row.reg !== undefined || row.mod !== undefined || row.rm !== undefined) return true;
    return row.operands.split(" ").some((operand) => /^[EGMRNPQUVW]([a-z]|$)/.test(operand));
  }

  #immediates(row: OpcodeRow, rexW: boolean, prefix66: boolean): number[] {
    const random = this.#random;
    const wide = rexW ? 8 : prefix66 && row.prefix !== "66" ? 2 : 4;
    const bytes: number[] = [];
    for (const operand of row.operands.split(" ")) {
      const type = operand.slice(1);
      let size = 0;
      if (operand[0] === "I") size = type === "b" ? 1 : type === "w" ? 2 : type === "v" ? wide : Math.min(wide, 4);
      if (operand[0] === "O") {
        const target = this.#target(row);
        for (let k = 0; k < this.#bits >> 3; k++) bytes.push(Number((target >> BigInt(8 * k)) & 255n));
      }
      const value = random.integer();
      for (let k = 0; k < size; k++) bytes.push(Number((value >> BigInt(8 * k)) & 255n));
    }
    return bytes;
  }

  /** An address for a memory operand. */
  #target(row: OpcodeRow): bigint {
    const random = this.#random;
    const offset = MARGIN + random.below(WINDOW_SIZE - 2 * MARGIN);
    return this.#window + BigInt(SIXTEEN.test(row.operands) || row.name === "cmpxchg16b" ? offset & ~15 : offset);
  }

  /** ModRM and displacement of a 16-bit address: for LEA, as the window cannot be reached that way. */
  #address16(regField: number): number[] {
    const random = this.#random;
    const mod = random.below(3);
    const rm = random.below(8);
    const size = mod === 0 ? (rm === 6 ? 2 : 0) : mod;
    return [(mod << 6) | (regField << 3) | rm, ...Array.from({ length: size }, () => random.below(256))];
  }

  /** ModRM (without reg), SIB and displacement; sets base or index in `image` if `free`. */
  #memoryOperand(
    row: OpcodeRow,
    image: CpuImage,
    rex: number,
    narrow: boolean,
    free: boolean,
  ): { bytes: number[]; relative: boolean } | undefined {
    const random = this.#random;
    const { gpr } = image;
    const target = this.#target(row);
    const width = narrow ? 32 : this.#bits;
    const rexX = (rex & 2) << 2;
    const rexB = (rex & 1) << 3;
    if (random.oneIn(8)) {
      if (this.#bits === 32) return { bytes: [5, ...dword(Number(target))], relative: false };
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
    const indexValue = index < 0 ? 0n : gpr[index] << BigInt(scale);
    let disp: bigint;
    if (base >= 0 && base !== RSP && free) {
      disp = random.oneIn(3) ? 0n : BigInt.asIntN(random.pick([8, 32]), random.integer());
      const value = BigInt.asUintN(width, target - indexValue - disp);
      gpr[base] = narrow ? value | (random.u64() << 32n) : value;
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

  /** Registers that the instruction takes as addresses or counts without naming them. */
  #adjust(i: Insn, image: CpuImage): void {
    const { gpr } = image;
    const random = this.#random;
    const { name, operands } = i.row;
    const target = this.#target(i.row);
    if (/^(movs|stos|lods|cmps|scas)b?$/.test(name)) {
      gpr[RSI] = target;
      gpr[RDI] = this.#target(i.row);
      gpr[RCX] = BigInt(random.below(8));
    }
    if (name === "xlat") gpr[RBX] = target;
    if (name === "leave" || name === "enter") gpr[RBP] = target;
    if (name.startsWith("bt") && operands === "Ev Gv" && i.mod !== 3) {
      const offset = BigInt(random.below(4000) - 2000);
      const wanted = i.reg !== RSP && i.reg !== i.base && i.reg !== i.index;
      if (wanted)
        gpr[i.reg] =
          i.opSize === 8 ? BigInt.asUintN(64, offset) : BigInt.asUintN(i.opSize * 8, offset) | (random.u64() << 32n);
    }
    if (/^i?div$/.test(name) && random.oneIn(2))
      gpr[RDX] =
        name === "div" ? BigInt(random.below(3)) : BigInt.asIntN(64, gpr[RAX]) < 0n ? 0xffff_ffff_ffff_ffffn : 0n;
  }

  #inWindow(address: bigint): boolean {
    return address >= this.#window && address < this.#window + BigInt(WINDOW_SIZE - 64);
  }

  /** Whether the instruction cannot fault and touches nothing outside the window. */
  #isSafe(i: Insn, image: CpuImage, memory: Uint8Array, address: bigint): boolean {
    const { gpr } = image;
    const { name, operands } = i.row;
    if (resultUndefined(i, Number(gpr[RCX] & 255n))) return false;
    const touchesMemory = (i.modrm >= 0 && i.mod !== 3) || /^O|O[bv]$/.test(operands);
    const isAddress = /^(lea|nop|prefetch.*)$/.test(name);
    let at = 0n;
    if (touchesMemory && !isAddress) {
      at = this.#effectiveAddress(i, gpr, address);
      if (!this.#inWindow(at)) return false;
      if (name.startsWith("bt") && operands === "Ev Gv") {
        const bit = BigInt.asIntN(i.opSize * 8, gpr[i.reg]);
        at = BigInt.asUintN(i.addrSize * 8, at + (bit >> BigInt(Math.log2(i.opSize * 8))) * BigInt(i.opSize));
        if (!this.#inWindow(at)) return false;
      }
      if ((SIXTEEN.test(operands) || name === "cmpxchg16b") && (at & 15n) !== 0n) return false;
    }
    if (/^(push|pop|call|ret)/.test(name) && !this.#inWindow(gpr[RSP] - 64n)) return false;
    if (name === "aam" && (i.imm & 255) === 0) return false;
    if (name === "enter") {
      if ((i.imm & 0xffff) > 128 || !this.#inWindow(gpr[RSP] - 450n) || !this.#inWindow(gpr[RBP] - 256n)) return false;
    }
    if (name === "leave" && !this.#inWindow(gpr[RBP])) return false;
    if (name === "xlat" && !this.#inWindow(BigInt.asUintN(i.addrSize * 8, gpr[RBX]) + 255n)) return false;
    if (name === "xlat" && !this.#inWindow(BigInt.asUintN(i.addrSize * 8, gpr[RBX]))) return false;
    if (/^(movs|stos|lods|cmps|scas)b?$/.test(name)) {
      if (i.rep !== 0 && gpr[RCX] > 16n) return false;
      if (!this.#inWindow(gpr[RSI] - 128n) || !this.#inWindow(gpr[RDI] - 128n)) return false;
      if (!this.#inWindow(gpr[RSI] + 128n) || !this.#inWindow(gpr[RDI] + 128n)) return false;
    }
    if (name === "div" || name === "idiv") return this.#divides(i, image, memory, at);
    return true;
  }

  #effectiveAddress(i: Insn, gpr: BigUint64Array, address: bigint): bigint {
    let sum = (BigInt(i.dispHigh) << 32n) | BigInt(i.disp >>> 0);
    if (i.base === BASE_RIP) sum += address + BigInt(i.length);
    else if (i.base >= 0) sum += gpr[i.base];
    if (i.index >= 0) sum += gpr[i.index] << BigInt(i.scale);
    return BigInt.asUintN(i.addrSize * 8, sum);
  }

  /** Whether a DIV or IDIV has a quotient that fits. */
  #divides(i: Insn, image: CpuImage, memory: Uint8Array, at: bigint): boolean {
    const { gpr } = image;
    const size = i.row.operands === "Eb" ? 1 : i.opSize;
    const bits = size * 8;
    let raw = 0n;
    if (i.mod !== 3) {
      const offset = Number(at - this.#window) + WINDOW;
      for (let k = size - 1; k >= 0; k--) raw = (raw << 8n) | BigInt(memory[offset + k]);
    } else if (size === 1 && !i.rex && i.rm >= 4) raw = gpr[i.rm - 4] >> 8n;
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
    if (!this.#inWindow(image.gpr[RSP] - 64n)) return undefined;
    // Changes a register and no flag, so that it shows whether it was jumped over: lea r, [r + imm8]
    const register = random.pick([0, 2, 3, 6, 7]);
    const wide = this.#bits === 64;
    const marker = [...(wide ? [0x48] : []), 0x8d, 0x40 | (register << 3) | register, random.below(128)];
    const size = marker.length;
    switch (random.below(8)) {
      case 0:
      case 1:
        return [0x70 | random.below(16), size, ...marker];
      case 2:
        return [0x0f, 0x80 | random.below(16), ...dword(size), ...marker];
      case 3:
        return [...(random.oneIn(2) ? [0x67] : []), 0xe0 | random.below(4), size, ...marker];
      case 4:
        return random.oneIn(2) ? [0xe8, ...dword(size), ...marker] : [0xeb, size, ...marker];
      case 5: // lea rax, [rip+2] or mov eax, ...; push rax; ret
        return [...this.#addressOf(address, 2), 0x50, 0xc3];
      case 6: // the same with ret 16
        return [...this.#addressOf(address, 4), 0x50, 0xc2, 0x10, 0x00];
      default: // jmp or call rax
        return [...this.#addressOf(address, 2), 0xff, random.oneIn(2) ? 0xe0 : 0xd0];
    }
  }

  /** Code at `address` that loads into rAX the address `distance` bytes after its end. */
  #addressOf(address: bigint, distance: number): number[] {
    if (this.#bits === 64) return [0x48, 0x8d, 0x05, ...dword(distance)];
    return [0xb8, ...dword(Number(address) + 5 + distance)];
  }

  /** Disassembly order: what `bytes` decode to, for reports. */
  decode(bytes: Uint8Array, offset: number): Insn | undefined {
    const insn = createInsn(OPCODE_ROWS[0]);
    return DECODER.decode(insn, bytes, offset, bytes.length - offset, this.#bits) > 0 ? insn : undefined;
  }
}
