/**
 * A small assembler for guest test programs: Intel syntax as nasm has it, 16-, 32- and 64-bit code. It encodes from the
 * opcode rows of the translator, so it knows exactly the instructions that exist there.
 *
 *   const { bytes, labels } = assemble(`
 *     bits 16
 *     org 0x7c00
 *   start:
 *     mov ax, [table + bx*2]     ; comment
 *     jmp 0x08:entry
 *   table: dw 1, 2, 3
 *   `);
 *
 * Directives: bits, org, db dw dd dq (numbers, labels, "strings"), resb, align, equ (`name equ value`). Expressions know
 * + - * / % << >> & | ~ ( ) $ and 'c'. Jumps take the short form where it reaches.
 */

import type { OpcodeRow } from "../../accel/tcg/x86/insn.ts";
import { OPCODE_ROWS } from "../../accel/tcg/x86/rows.ts";

export interface Program {
  readonly bytes: Uint8Array;
  readonly labels: ReadonlyMap<string, number>;
}

type Bits = 16 | 32 | 64;
type RegisterClass = "general" | "segment" | "control" | "debug" | "mmx" | "xmm" | "ymm" | "x87";

interface RegisterOperand {
  readonly kind: "register";
  readonly class: RegisterClass;
  readonly index: number;
  readonly size: number;
  /** AH CH DH BH: not with REX. SPL BPL SIL DIL: only with REX. */
  readonly rex?: boolean;
  readonly text: string;
}
interface MemoryOperand {
  readonly kind: "memory";
  readonly size: number | undefined;
  readonly segment: number;
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly disp: bigint;
  /** Size of the registers in the address, undefined without any. */
  readonly addressSize: number | undefined;
  readonly relative: boolean;
}
interface ImmediateOperand {
  readonly kind: "immediate";
  readonly value: bigint;
  readonly size: number | undefined;
  readonly short: boolean;
}
interface FarOperand {
  readonly kind: "far";
  readonly selector: bigint;
  readonly offset: bigint;
  readonly size: number | undefined;
}
type Operand = RegisterOperand | MemoryOperand | ImmediateOperand | FarOperand;

const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"];
const SEGMENT_PREFIX = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const SIZES: Readonly<Record<string, number>> = {
  byte: 1,
  word: 2,
  dword: 4,
  qword: 8,
  tword: 10,
  tbyte: 10,
  oword: 16,
  xmmword: 16,
  ymmword: 32,
};

const REGISTERS = new Map<string, RegisterOperand>();

function register(
  text: string,
  kind: RegisterClass,
  index: number,
  size: number,
  rex: boolean | undefined = undefined,
): void {
  REGISTERS.set(text, { kind: "register", class: kind, index, size, ...(rex === undefined ? {} : { rex }), text });
}

for (const [index, name] of ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"].entries()) {
  register(name, "general", index, 2);
  register(`e${name}`, "general", index, 4);
  register(`r${name}`, "general", index, 8);
  if (index < 4) {
    register(`${name[0]}l`, "general", index, 1);
    register(`${name[0]}h`, "general", index + 4, 1, false);
  } else register(`${name}l`, "general", index, 1, true);
}
for (let index = 0; index < 16; index++) {
  if (index >= 8) {
    for (const [suffix, size] of Object.entries({ b: 1, w: 2, d: 4, "": 8 })) {
      register(`r${index}${suffix}`, "general", index, size);
    }
  }
  register(`xmm${index}`, "xmm", index, 16);
  register(`ymm${index}`, "ymm", index, 32);
  register(`cr${index}`, "control", index, 8);
  if (index < 8) {
    register(`dr${index}`, "debug", index, 8);
    register(`mm${index}`, "mmx", index, 8);
    register(`st${index}`, "x87", index, 10);
  }
}
for (const [index, name] of SEGMENTS.entries()) register(name, "segment", index, 2);

const ALIASES: Readonly<Record<string, string>> = {
  jz: "je",
  jnz: "jne",
  jc: "jb",
  jnc: "jae",
  jnae: "jb",
  jnb: "jae",
  jna: "jbe",
  jnbe: "ja",
  jpe: "jp",
  jpo: "jnp",
  jnge: "jl",
  jnl: "jge",
  jng: "jle",
  jnle: "jg",
  setz: "sete",
  setnz: "setne",
  setc: "setb",
  setnc: "setae",
  cmovz: "cmove",
  cmovnz: "cmovne",
  cmovc: "cmovb",
  cmovnc: "cmovae",
  sal: "shl",
  loopz: "loope",
  loopnz: "loopne",
  xlatb: "xlat",
  retn: "ret",
  iret: "iretw",
  pusha: "pushaw",
  popa: "popaw",
  pushf: "pushfw",
  popf: "popfw",
};

/** Mnemonics whose size suffix is that of the mode. */
const BY_MODE: Readonly<Record<string, readonly [string, string, string]>> = {
  iret: ["iretw", "iretd", "iretq"],
  pushf: ["pushfw", "pushfd", "pushfq"],
  popf: ["popfw", "popfd", "popfq"],
  pusha: ["pushaw", "pushad", "pushad"],
  popa: ["popaw", "popad", "popad"],
};

/** Mnemonics without operands that name their operand size. */
const SIZED = /^(pusha?f?|popa?f?|iret|retf|sysret|sysexit)([wdq])$/;

interface Candidate {
  readonly row: OpcodeRow;
  /** From a name such as "cbw/cwde/cdqe". */
  readonly opSize: number | undefined;
  readonly addressSize: number | undefined;
  readonly operands: readonly string[];
}

const CANDIDATES = new Map<string, Candidate[]>();
for (const row of OPCODE_ROWS) {
  const names = row.name.split("/");
  const sizes = names.length === 2 ? [2, 4] : [2, 4, 8];
  for (const [index, name] of names.entries()) {
    const size = names.length > 1 ? sizes[index] : undefined;
    const byAddress = row.name.startsWith("jcxz");
    const list = CANDIDATES.get(name) ?? [];
    CANDIDATES.set(name, list);
    list.push({
      row,
      opSize: byAddress ? undefined : size,
      addressSize: byAddress ? size : undefined,
      operands: row.operands === "" ? [] : row.operands.split(" "),
    });
  }
}

const fitsSigned = (value: bigint, bytes: number): boolean => BigInt.asIntN(bytes * 8, value) === value;
const fits = (value: bigint, bytes: number): boolean =>
  fitsSigned(value, bytes) || BigInt.asUintN(bytes * 8, value) === value;

function little(value: bigint, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, at) => Number((value >> BigInt(8 * at)) & 0xffn));
}

/** Instructions whose byte immediate is sign-extended to the operand size. */
const SIGN_EXTENDED = /^(add|or|adc|sbb|and|sub|xor|cmp|imul|push)$/;

class Mismatch extends Error {}

/** One attempt to encode operands with a row. */
class Encoding {
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

const TOKEN = /\s*(0x[0-9a-f_]+|0b[01_]+|\d[\d_]*|'(?:[^'\\]|\\.)'|[a-z_.?$][\w.?$]*|<<|>>|[-+*/%&|^~()$])/iy;

class Assembler {
  readonly labels = new Map<string, number>();
  bits: Bits = 16;
  origin = 0;
  address = 0;
  bytes: number[] = [];
  /** Whether labels may still be unknown. */
  first = true;
  line = 0;

  fail(message: string): never {
    throw new SyntaxError(`line ${this.line}: ${message}`);
  }

  // ---- expressions

  evaluate(text: string): bigint {
    const tokens: string[] = [];
    TOKEN.lastIndex = 0;
    const trimmed = text.trim();
    while (TOKEN.lastIndex < trimmed.length) {
      const at = TOKEN.lastIndex;
      const match = TOKEN.exec(trimmed);
      if (!match) this.fail(`cannot read '${trimmed.slice(at)}'`);
      tokens.push(match[1]);
    }
    let next = 0;
    const levels = ["|", "^", "&", "<< >>", "+ -", "* / %"].map((ops) => ops.split(" "));
    const primary = (): bigint => {
      const token = tokens[next++];
      if (token === undefined) this.fail(`expression expected in '${text}'`);
      if (token === "-") return -primary();
      if (token === "+") return primary();
      if (token === "~") return ~primary();
      if (token === "(") {
        const value = level(0);
        if (tokens[next++] !== ")") this.fail("')' expected");
        return value;
      }
      if (token === "$") return BigInt(this.address);
      if (token === "$$") return BigInt(this.origin);
      if (token[0] === "'") return BigInt(token.charCodeAt(1));
      if (/^\d/.test(token)) return BigInt(token.replaceAll("_", ""));
      const value = this.labels.get(token);
      if (value === undefined && !this.first) this.fail(`unknown label '${token}'`);
      return BigInt(value ?? this.address);
    };
    const level = (depth: number): bigint => {
      if (depth === levels.length) return primary();
      let left = level(depth + 1);
      while (levels[depth].includes(tokens[next])) {
        const op = tokens[next++];
        const right = level(depth + 1);
        if (op === "|") left |= right;
        else if (op === "^") left ^= right;
        else if (op === "&") left &= right;
        else if (op === "<<") left <<= right;
        else if (op === ">>") left >>= right;
        else if (op === "+") left += right;
        else if (op === "-") left -= right;
        else if (op === "*") left *= right;
        else left = op === "/" ? left / right : left % right;
      }
      return left;
    };
    const value = level(0);
    if (next < tokens.length) this.fail(`'${tokens[next]}' not expected in '${text}'`);
    return value;
  }

  // ---- operands

  operand(text: string): Operand {
    let rest = text.trim();
    let size: number | undefined;
    let short = false;
    for (;;) {
      const match = /^(byte|word|dword|qword|tword|tbyte|oword|xmmword|ymmword|short|near|far|strict)\b\s*/i.exec(rest);
      if (!match) break;
      const word = match[1].toLowerCase();
      if (word in SIZES) size = SIZES[word];
      if (word === "short") short = true;
      rest = rest.slice(match[0].length);
    }
    const known = REGISTERS.get(
      rest
        .toLowerCase()
        .replace(/^st\((\d)\)$/, "st$1")
        .replace(/^st$/, "st0"),
    );
    if (known) return known;
    if (rest.startsWith("[")) {
      if (!rest.endsWith("]")) this.fail(`']' expected in '${text}'`);
      return this.memory(rest.slice(1, -1), size);
    }
    const colon = rest.indexOf(":");
    if (colon >= 0) {
      const selector = this.evaluate(rest.slice(0, colon));
      return { kind: "far", selector, offset: this.evaluate(rest.slice(colon + 1)), size };
    }
    return { kind: "immediate", value: this.evaluate(rest), size, short };
  }

  memory(text: string, size: number | undefined): MemoryOperand {
    let inner = text.trim();
    let segment = -1;
    let relative = false;
    const prefix = /^([c-gs]s)\s*:/i.exec(inner);
    if (prefix) {
      segment = SEGMENTS.indexOf(prefix[1].toLowerCase());
      inner = inner.slice(prefix[0].length).trim();
    }
    if (/^rel\b/i.test(inner)) {
      relative = true;
      inner = inner.slice(3);
    }
    let base = -1;
    let index = -1;
    let scale = 0;
    let addressSize: number | undefined;
    const constant: string[] = [];
    for (const term of inner.match(/[+-]?[^+-]+/g) ?? []) {
      const scaled = /^\+?\s*(\w+)\s*(?:\*\s*([1248]))?\s*$/.exec(term);
      const found = scaled ? REGISTERS.get(scaled[1].toLowerCase()) : undefined;
      if (!scaled || found?.class !== "general") {
        constant.push(term);
        continue;
      }
      if (addressSize !== undefined && addressSize !== found.size) this.fail(`address sizes differ in '${text}'`);
      addressSize = found.size;
      const factor = scaled[2] === undefined ? 0 : Math.log2(Number(scaled[2]));
      if (base < 0 && scaled[2] === undefined) base = found.index;
      else if (index < 0) {
        index = found.index;
        scale = factor;
      } else this.fail(`too many registers in '${text}'`);
    }
    // RSP cannot be an index.
    if (index === 4 && scale === 0 && addressSize !== 2) [base, index] = [index, base];
    const disp = constant.length > 0 ? this.evaluate(constant.join("").trim().replace(/^\+/, "")) : 0n;
    return { kind: "memory", size, segment, base, index, scale, disp, addressSize, relative };
  }

  // ---- statements

  emit(bytes: readonly number[]): void {
    this.bytes.push(...bytes);
    this.address += bytes.length;
  }

  data(size: number, text: string): void {
    for (const item of splitOperands(text)) {
      const string = /^"((?:[^"\\]|\\.)*)"$/.exec(item);
      if (string) {
        const value = JSON.parse(`"${string[1]}"`) as string;
        this.emit([...value].flatMap((character) => little(BigInt(character.codePointAt(0)!), size)));
      } else this.emit(little(this.evaluate(item), size));
    }
  }

  instruction(mnemonic: string, text: string): void {
    const prefixes: number[] = [];
    let name = mnemonic;
    const prefixByte: Readonly<Record<string, number>> = {
      lock: 0xf0,
      rep: 0xf3,
      repe: 0xf3,
      repz: 0xf3,
      repne: 0xf2,
      repnz: 0xf2,
    };
    while (name in prefixByte) {
      prefixes.push(prefixByte[name]);
      const match = /^(\w+)\s*(.*)$/.exec(text);
      if (!match) this.fail(`instruction expected after '${name}'`);
      name = match[1].toLowerCase();
      text = match[2];
    }
    if (name === "nop" && text === "") {
      this.emit([0x90]);
      return;
    }
    const operands = text === "" ? [] : splitOperands(text).map((item) => this.operand(item));
    const string = /^((?:mov|sto|lod|cmp|sca|in|out)s)([bwdq])$/.exec(name);
    if (string && operands.length === 0) {
      this.string(string[1], string[2], prefixes);
      return;
    }
    if (name in BY_MODE && !CANDIDATES.has(name)) name = BY_MODE[name][this.bits === 16 ? 0 : this.bits === 32 ? 1 : 2];
    const explicit = /^(jmp|call)f$/.test(name);
    if (explicit) name = name.slice(0, -1);
    const far = explicit || (/^(jmp|call)$/.test(name) && (operands[0]?.kind === "far" || /^far\b/i.test(text)));
    const names = far
      ? [`${name}f`, `${name} far`, name]
      : [name, ALIASES[name] ?? name, ...(name === "movq" ? ["movd"] : [])];
    let candidates = [...new Set(names)].flatMap((candidate) => CANDIDATES.get(candidate) ?? []);
    const sized = candidates.length === 0 ? SIZED.exec(name) : null;
    if (sized) {
      const opSize = { w: 2, d: 4, q: 8 }[sized[2] as "w" | "d" | "q"];
      candidates = (CANDIDATES.get(sized[1]) ?? []).map((candidate) => ({ ...candidate, opSize }));
    }
    if (candidates.length === 0) this.fail(`unknown instruction '${name}'`);
    let best: number[] | undefined;
    for (const candidate of candidates) {
      if (candidate.operands.length !== operands.length) continue;
      if (operands[0]?.kind === "memory" && far !== /M[p]/.test(candidate.row.operands) && /^(jmp|call)/.test(name))
        continue;
      try {
        const encoding = new Encoding(this.bits, this.address, candidate);
        candidate.operands.forEach((notation, index) => {
          encoding.operand(notation, operands[index]);
        });
        const bytes = encoding.encode(prefixes);
        if (!best || bytes.length < best.length) best = bytes;
      } catch (error) {
        if (!(error instanceof Mismatch)) throw error;
      }
    }
    if (!best) this.fail(`no form of '${name}' takes '${text}' in ${this.bits}-bit code`);
    this.emit(best);
  }

  /** MOVSB and its kin, without operands. */
  string(name: string, suffix: string, prefixes: readonly number[]): void {
    const found = CANDIDATES.get(suffix === "b" ? `${name}b` : name)?.find(({ row }) => row.map === 0);
    if (!found) this.fail(`unknown instruction '${name}${suffix}'`);
    const size = { b: undefined, w: 2, d: 4, q: 8 }[suffix];
    this.emit(new Encoding(this.bits, this.address, { ...found, opSize: size }).encode(prefixes));
  }

  statement(source: string): void {
    let text = source;
    const label = /^([a-z_.][\w.]*):/i.exec(text);
    if (label) {
      this.labels.set(label[1], this.address);
      text = text.slice(label[0].length).trim();
    }
    if (text === "") return;
    const constant = /^([a-z_.][\w.]*)\s+equ\s+(.*)$/i.exec(text);
    if (constant) {
      this.labels.set(constant[1], Number(this.evaluate(constant[2])));
      return;
    }
    const [, word, rest] = /^(\S+)\s*(.*)$/.exec(text)!;
    const name = word.toLowerCase();
    switch (name) {
      case "bits":
        this.bits = Number(rest) as Bits;
        return;
      case "org":
        this.origin = this.address = Number(this.evaluate(rest));
        return;
      case "align": {
        const boundary = Number(this.evaluate(rest));
        while (this.address % boundary !== 0) this.emit([0x90]);
        return;
      }
      case "resb":
        this.emit(new Array(Number(this.evaluate(rest))).fill(0));
        return;
      case "db":
      case "dw":
      case "dd":
      case "dq":
        this.data({ db: 1, dw: 2, dd: 4, dq: 8 }[name], rest);
        return;
    }
    this.instruction(name, rest);
  }

  pass(lines: readonly string[]): void {
    this.bytes = [];
    this.address = this.origin = 0;
    this.bits = 16;
    for (const [index, line] of lines.entries()) {
      this.line = index + 1;
      this.statement(line);
    }
  }
}

/** Splits at commas outside brackets and quotes. */
function splitOperands(text: string): string[] {
  return (text.match(/(?:"(?:[^"\\]|\\.)*"|'[^']*'|\[[^\]]*\]|\([^)]*\)|[^,])+/g) ?? []).map((item) => item.trim());
}

function stripComment(line: string): string {
  return (/^(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^;"'])*/.exec(line)?.[0] ?? "").trim();
}

const MAX_PASSES = 20;

/** Assembles a program; throws SyntaxError with the line number. */
export function assemble(source: string): Program {
  const lines = source.split("\n").map(stripComment);
  const assembler = new Assembler();
  assembler.pass(lines);
  assembler.first = false;
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const before = [...assembler.labels.values()].join();
    const { length } = assembler.bytes;
    assembler.pass(lines);
    if (before === [...assembler.labels.values()].join() && length === assembler.bytes.length) {
      return { bytes: Uint8Array.from(assembler.bytes), labels: assembler.labels };
    }
  }
  throw new SyntaxError("jump sizes do not settle");
}
