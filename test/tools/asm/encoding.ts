/** Encodes operands with a row: prefixes, opcode, ModRM, displacement, immediates. */

import type { OpcodeRow } from "../../../accel/tcg/x86/insn.ts";
import type { Candidate } from "./mnemonics.ts";
import {
  type Bits,
  type MemoryOperand,
  type Operand,
  REGISTERS,
  type RegisterClass,
  type RegisterOperand,
  SEGMENT_PREFIX,
} from "./operands.ts";

const fitsSigned = (value: bigint, bytes: number): boolean => BigInt.asIntN(bytes * 8, value) === value;
const fits = (value: bigint, bytes: number): boolean =>
  fitsSigned(value, bytes) || BigInt.asUintN(bytes * 8, value) === value;

export function little(value: bigint, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, at) => Number((value >> BigInt(8 * at)) & 0xffn));
}

/** Instructions whose byte immediate is sign-extended to the operand size. */
const SIGN_EXTENDED = /^(add|or|adc|sbb|and|sub|xor|cmp|imul|push)$/;

/** The row does not take these operands. */
export class Mismatch extends Error {}

/** One attempt to encode operands with a row. */
export class Encoding {
  opSize: number | undefined;
  addressSize: number | undefined;
  modrmReg: number | undefined;
  rm: RegisterOperand | MemoryOperand | undefined;
  opcodeRegister: number | undefined;
  vvvv = 0;
  vexL = 0;
  segment = -1;
  needsRex = false;
  forbidsRex = false;
  readonly immediates: { value: bigint; type: string }[] = [];
  readonly bits: Bits;
  readonly row: OpcodeRow;
  readonly address: number;

  constructor(bits: Bits, address: number, candidate: Candidate) {
    this.bits = bits;
    this.address = address;
    this.row = candidate.row;
    this.opSize = candidate.opSize;
    this.addressSize = candidate.addressSize;
  }

  sized(size: number): void {
    if (size === 1 || (this.opSize !== undefined && this.opSize !== size)) throw new Mismatch();
    this.opSize = size;
  }

  /** Checks an operand's size against its type letters; `v` types fix the operand size. */
  typed(type: string, size: number | undefined, isRegister: boolean): void {
    if (size === undefined) return;
    const expected: Readonly<Record<string, number>> = {
      b: 1,
      w: 2,
      d: 4,
      q: 8,
      t: 10,
      dq: 16,
      ps: 16,
      pd: 16,
      ss: 4,
      sd: 8,
    };
    if (type === "v" || (type === "y" && size > 2)) this.sized(size);
    else if (type === "z" && (size === 2 || size === 4)) this.sized(size);
    else if (type === "y" || type === "z" || type === "v") throw new Mismatch();
    else if (type in expected && expected[type] !== size && !(isRegister && type.length === 2)) throw new Mismatch();
  }

  general(operand: Operand, type: string): RegisterOperand {
    if (operand.kind !== "register" || operand.class !== "general") throw new Mismatch();
    this.typed(type, operand.size, true);
    this.use(operand);
    return operand;
  }

  use(operand: RegisterOperand): void {
    if (operand.rex === true) this.needsRex = true;
    if (operand.rex === false) this.forbidsRex = true;
  }

  of(operand: Operand, kind: RegisterClass): RegisterOperand {
    if (operand.kind !== "register" || operand.class !== kind) throw new Mismatch();
    return operand;
  }

  vector(operand: Operand): RegisterOperand {
    if (operand.kind !== "register" || (operand.class !== "xmm" && operand.class !== "ymm")) throw new Mismatch();
    if (operand.class === "ymm") this.vexL = 1;
    return operand;
  }

  memoryOr(operand: Operand, type: string, read: () => RegisterOperand): void {
    if (operand.kind === "memory") {
      this.typed(type, operand.size, false);
      this.rm = operand;
    } else this.rm = read();
  }

  operand(notation: string, operand: Operand): void {
    const type = notation.slice(1);
    const fixed = REGISTERS.get(notation.toLowerCase());
    if (/^[re](AX|CX|DX)$/.test(notation)) {
      const wanted = notation.slice(1).toLowerCase();
      const { index } = this.general(operand, "v");
      if (REGISTERS.get(wanted)!.index !== index) throw new Mismatch();
      return;
    }
    if (fixed !== undefined && notation === notation.toUpperCase()) {
      if (operand.kind !== "register" || operand.text !== fixed.text) throw new Mismatch();
      return;
    }
    if (notation === "STi") {
      this.rm = this.of(operand, "x87");
      return;
    }
    if (notation === "1") {
      if (operand.kind !== "immediate" || operand.value !== 1n) throw new Mismatch();
      return;
    }
    switch (notation[0]) {
      case "E":
        this.memoryOr(operand, type, () => this.general(operand, type));
        return;
      case "M":
        if (operand.kind !== "memory") throw new Mismatch();
        if (type !== "" && type !== "p" && type !== "a" && type !== "s") this.typed(type, operand.size, false);
        else if (operand.size !== undefined && (type !== "p" || this.row.operands === "Mp")) this.sized(operand.size);
        this.rm = operand;
        return;
      case "R":
        // PINSRW and its kin name a 32-bit register though they use 16 bits of it.
        this.memoryOr(operand, type, () => this.general(operand, type === "v" || type === "y" ? type : ""));
        return;
      case "G":
        this.modrmReg = this.general(operand, type).index;
        return;
      case "B":
        this.vvvv = this.general(operand, type).index;
        return;
      case "Z":
        this.opcodeRegister = this.general(operand, type).index;
        return;
      case "S":
        this.modrmReg = this.of(operand, "segment").index;
        return;
      case "C":
        this.modrmReg = this.of(operand, "control").index;
        return;
      case "D":
        this.modrmReg = this.of(operand, "debug").index;
        return;
      case "P":
        this.modrmReg = this.of(operand, "mmx").index;
        return;
      case "V":
        this.modrmReg = this.vector(operand).index;
        return;
      case "H":
        this.vvvv = this.vector(operand).index;
        return;
      case "Q":
      case "N":
        this.memoryOr(operand, type, () => this.of(operand, "mmx"));
        return;
      case "W":
      case "U":
        this.memoryOr(operand, type, () => this.vector(operand));
        return;
      case "O":
        if (operand.kind !== "memory" || operand.base >= 0 || operand.index >= 0 || operand.relative)
          throw new Mismatch();
        this.typed(type, operand.size, false);
        this.rm = operand;
        return;
      case "I":
      case "J":
        if (operand.kind !== "immediate") throw new Mismatch();
        if (operand.size !== undefined && notation[0] === "I" && type !== "b") this.typed(type, operand.size, false);
        if (operand.size !== undefined && operand.size > 1 && notation === "Ib") this.sized(operand.size);
        if (operand.size === 1 && type !== "b") throw new Mismatch();
        if (operand.short && type !== "b") throw new Mismatch();
        this.immediates.push({ value: operand.value, type: notation });
        return;
      case "A":
        if (operand.kind !== "far") throw new Mismatch();
        if (operand.size !== undefined) this.sized(operand.size);
        this.immediates.push({ value: operand.offset, type: "far" }, { value: operand.selector, type: "selector" });
        return;
    }
    throw new Mismatch();
  }

  /** The bytes; throws Mismatch if the operands cannot be encoded this way. */
  encode(prefixes: readonly number[]): number[] {
    const { row, bits } = this;
    if (row.mode === "64" && bits !== 64) throw new Mismatch();
    if (row.mode === "not64" && bits === 64) throw new Mismatch();
    const modeSize = bits === 16 ? 2 : 4;
    const wide = bits === 64 && row.size64 !== undefined;
    const opSize = this.opSize ?? (wide ? 8 : modeSize);
    const bytes = [...prefixes];
    const head: number[] = [];
    let rexW = false;
    if (opSize === 8 && !wide) {
      if (bits !== 64) throw new Mismatch();
      rexW = true;
    } else if (opSize === 8 && bits !== 64) throw new Mismatch();
    if (wide && opSize === 4) throw new Mismatch();
    const usesSize = this.opSize !== undefined && opSize >= 2 && opSize <= 4 && opSize !== modeSize;
    if (row.w === 1) rexW = true;
    if (row.w === 0 && rexW) throw new Mismatch();
    const rm = this.rm;
    if (row.mod === "reg" && rm?.kind === "memory") throw new Mismatch();
    if (row.mod === "mem" && rm?.kind !== "memory") throw new Mismatch();

    const tail: number[] = [];
    let rexB = 0;
    let rexX = 0;
    const isMoffs = row.operands.includes("O");
    let relative: { at: number; disp: bigint } | undefined;
    let addressSize = this.addressSize;
    if (rm?.kind === "memory") {
      addressSize = rm.addressSize ?? bits / 8;
      this.segment = rm.segment;
      if (isMoffs) tail.push(...little(rm.disp, addressSize));
      else relative = this.#memory(rm, addressSize, tail);
      rexB = rm.base >= 8 ? 1 : 0;
      rexX = rm.index >= 8 ? 1 : 0;
    } else if (rm) {
      tail.push(0xc0 | (this.#regField() << 3) | (rm.index & 7));
      rexB = rm.index >> 3;
    } else if (row.reg !== undefined || row.rm !== undefined) {
      tail.push((row.mod === "mem" ? 0 : 0xc0) | (this.#regField() << 3) | (row.rm ?? 0));
    }
    const opcode = row.byte;
    if (this.opcodeRegister !== undefined) {
      if ((opcode & 7) !== (this.opcodeRegister & 7)) throw new Mismatch();
      rexB = this.opcodeRegister >> 3;
    }
    const rexR = (this.modrmReg ?? 0) >> 3;
    const afterTail = tail.length;
    for (const { value, type } of this.immediates) this.#immediate(value, type, opSize, tail);

    if (this.segment >= 0) bytes.push(SEGMENT_PREFIX[this.segment]);
    if (addressSize !== undefined && addressSize * 8 !== bits) {
      if (bits === 64 ? addressSize !== 4 : addressSize === 8) throw new Mismatch();
      bytes.push(0x67);
    }
    if (usesSize && row.prefix !== "66" && row.prefix !== "none" && row.vex === undefined) bytes.push(0x66);
    if (row.vex) {
      const pp = { none: 0, "66": 1, f3: 2, f2: 3 }[row.prefix ?? "none"];
      const w = (row.vex.w ?? (rexW ? 1 : 0)) << 7;
      const l = (row.vex.l ?? this.vexL) << 2;
      const last = w | ((~this.vvvv & 15) << 3) | l | pp;
      head.push(0xc4, (rexR ? 0 : 0x80) | (rexX ? 0 : 0x40) | (rexB ? 0 : 0x20) | row.map, last);
    } else {
      if (row.prefix !== undefined && row.prefix !== "none") head.push(Number.parseInt(row.prefix, 16));
      const rex = (rexW ? 8 : 0) | (rexR << 2) | (rexX << 1) | rexB;
      if (rex !== 0 || this.needsRex) {
        if (bits !== 64 || this.forbidsRex) throw new Mismatch();
        head.push(0x40 | rex);
      }
      if (row.map > 0) head.push(0x0f);
      if (row.map > 1) head.push(row.map === 2 ? 0x38 : 0x3a);
    }
    head.push(opcode);
    bytes.push(...head);
    const tailAt = bytes.length;
    bytes.push(...tail);
    if (relative) {
      const target = relative.disp - BigInt(this.address + bytes.length);
      little(target, 4).forEach((byte, at) => {
        bytes[tailAt + relative.at + at] = byte;
      });
    }
    this.#branches(bytes, tailAt + afterTail, opSize);
    return bytes;
  }

  #regField(): number {
    return (this.row.reg ?? this.modrmReg ?? 0) & 7;
  }

  /** Relative targets count from the end of the instruction. */
  #branches(bytes: number[], at: number, opSize: number): void {
    const branch = this.immediates.find(({ type }) => type[0] === "J");
    if (!branch) return;
    const size = branch.type === "Jb" ? 1 : opSize === 2 ? 2 : 4;
    const distance = branch.value - BigInt(this.address + bytes.length);
    if (size === 1 && !fitsSigned(distance, 1)) throw new Mismatch();
    little(distance, size).forEach((byte, index) => {
      bytes[at + index] = byte;
    });
  }

  #immediate(value: bigint, type: string, opSize: number, tail: number[]): void {
    const zSize = opSize === 2 ? 2 : 4;
    switch (type) {
      case "Ib":
        if (SIGN_EXTENDED.test(this.row.name) && !/[EA][bL]/.test(this.row.operands)) {
          if (!fits(value, opSize) || !fitsSigned(BigInt.asIntN(opSize * 8, value), 1)) throw new Mismatch();
        } else if (!fits(value, 1)) throw new Mismatch();
        tail.push(...little(value, 1));
        return;
      case "Iw":
      case "selector":
        if (!fits(value, 2)) throw new Mismatch();
        tail.push(...little(value, 2));
        return;
      case "Iz":
        if (opSize === 8 ? !fitsSigned(BigInt.asIntN(64, value), 4) : !fits(value, zSize)) throw new Mismatch();
        tail.push(...little(value, zSize));
        return;
      case "Id":
        tail.push(...little(value, 4));
        return;
      case "Iv":
        if (!fits(value, opSize)) throw new Mismatch();
        tail.push(...little(value, opSize));
        return;
      case "far":
        tail.push(...little(value, zSize));
        return;
      case "Jb":
        tail.push(0);
        return;
      case "Jz":
        tail.push(...little(0n, zSize));
        return;
    }
    throw new Mismatch();
  }

  /** ModRM, SIB and displacement. */
  #memory(m: MemoryOperand, addressSize: number, tail: number[]): { at: number; disp: bigint } | undefined {
    const reg = this.#regField() << 3;
    if (addressSize === 2) {
      const key = [m.base, m.index]
        .filter((index) => index >= 0)
        .sort()
        .join(",");
      const rm = ["3,6", "3,7", "5,6", "5,7", "6", "7", "5", "3"].indexOf(key);
      const disp = BigInt.asIntN(16, m.disp);
      if (key === "") tail.push(reg | 6, ...little(disp, 2));
      else if (rm < 0 || m.scale !== 0) throw new Mismatch();
      else if (disp === 0n && rm !== 6) tail.push(reg | rm);
      else if (fitsSigned(disp, 1)) tail.push(0x40 | reg | rm, ...little(disp, 1));
      else tail.push(0x80 | reg | rm, ...little(disp, 2));
      return undefined;
    }
    const disp = addressSize === 4 ? BigInt.asIntN(32, m.disp) : m.disp;
    if (m.base < 0 && m.index < 0 && this.bits === 64 && m.relative) {
      tail.push(reg | 5);
      const at = tail.length;
      tail.push(0, 0, 0, 0);
      return { at, disp: m.disp };
    }
    if (!fitsSigned(disp, 4)) throw new Mismatch();
    if (m.base < 0) {
      if (m.index < 0 && this.bits !== 64) tail.push(reg | 5);
      else tail.push(reg | 4, (m.scale << 6) | ((m.index < 0 ? 4 : m.index & 7) << 3) | 5);
      tail.push(...little(disp, 4));
      return undefined;
    }
    const small = fitsSigned(disp, 1);
    const mod = disp === 0n && (m.base & 7) !== 5 ? 0 : small ? 0x40 : 0x80;
    if (m.index >= 0 || (m.base & 7) === 4) {
      tail.push(mod | reg | 4, (m.scale << 6) | ((m.index < 0 ? 4 : m.index & 7) << 3) | (m.base & 7));
    } else tail.push(mod | reg | (m.base & 7));
    if (mod !== 0) tail.push(...little(disp, small ? 1 : 4));
    return undefined;
  }
}
