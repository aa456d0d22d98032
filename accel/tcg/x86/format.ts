/** Prints decoded instructions in Intel syntax: for `-d in_asm`, the monitor's x/i and test failures. */

import { BASE_RIP, type Insn } from "./insn.ts";

const NAMES64 = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"];
const NAMES8 = ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"];
const NAMES8_HIGH = ["ah", "ch", "dh", "bh"];
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs", "?", "?"];

/** Name of a general register of `size` bytes. */
export function registerName(index: number, size: number, rex: boolean): string {
  if (index >= 8) return `r${index}${size === 8 ? "" : size === 4 ? "d" : size === 2 ? "w" : "b"}`;
  if (size === 1) return !rex && index >= 4 ? NAMES8_HIGH[index - 4] : NAMES8[index];
  const name = NAMES64[index];
  return size === 8 ? name : size === 4 ? `e${name.slice(1)}` : name.slice(1);
}

function hex(value: bigint): string {
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/** The immediate as an unsigned number of `size` bytes. */
function unsignedImm(i: Insn, size: number): bigint {
  return BigInt.asUintN(size * 8, (BigInt(i.immHigh) << 32n) | BigInt(i.imm >>> 0));
}

/** Bytes of an operand by its type letters; undefined when the type does not say. */
function sizeOfType(i: Insn, type: string): number | undefined {
  switch (type) {
    case "b":
      return 1;
    case "w":
      return 2;
    case "d":
    case "ss":
      return 4;
    case "q":
    case "sd":
      return 8;
    case "v":
      return i.opSize;
    case "z":
      return i.opSize === 2 ? 2 : 4;
    case "y":
      return i.rexW ? 8 : 4;
    case "t":
      return 10;
    case "dq":
    case "ps":
    case "pd":
      return 16;
    case "x":
      return i.vexL ? 32 : 16;
  }
  return undefined;
}

const SIZE_NAMES: Readonly<Record<number, string>> = {
  1: "byte ",
  2: "word ",
  4: "dword ",
  8: "qword ",
  10: "tbyte ",
  16: "xmmword ",
  32: "ymmword ",
};

function memory(i: Insn, size: number | undefined, nextAddress: bigint | undefined): string {
  const terms: string[] = [];
  const disp = (BigInt(i.dispHigh) << 32n) | BigInt(i.disp >>> 0);
  let text: string;
  if (i.base === BASE_RIP && nextAddress !== undefined) {
    text = `rel ${hex(BigInt.asUintN(i.addrSize * 8, nextAddress + disp))}`;
  } else {
    if (i.base === BASE_RIP) terms.push(i.addrSize === 8 ? "rip" : "eip");
    else if (i.base >= 0) terms.push(registerName(i.base, i.addrSize, true));
    if (i.index >= 0) terms.push(registerName(i.index, i.addrSize, true) + (i.scale > 0 ? `*${1 << i.scale}` : ""));
    text = terms.join("+");
    if (terms.length === 0) text = hex(BigInt.asUintN(i.addrSize * 8, disp));
    else if (disp !== 0n) text += disp < 0n ? hex(disp) : `+${hex(disp)}`;
  }
  const segment = i.segment >= 0 ? `${SEGMENTS[i.segment]}:` : "";
  return `${size === undefined ? "" : (SIZE_NAMES[size] ?? "")}${segment}[${text}]`;
}

/** Instructions whose byte immediate is sign-extended to the operand size. */
const SIGN_EXTENDED = /^(add|or|adc|sbb|and|sub|xor|cmp|imul|push)$/;

const vectorName = (i: Insn, index: number): string => `${i.vex && i.vexL ? "ymm" : "xmm"}${index}`;

function operand(i: Insn, notation: string, nextAddress: bigint | undefined): string {
  const method = notation[0];
  const type = notation.slice(1);
  const size = sizeOfType(i, type);
  switch (notation) {
    case "rAX":
      return registerName(0, i.opSize, true);
    case "eAX":
      return registerName(0, i.opSize === 2 ? 2 : 4, true);
    case "rDX":
      return registerName(2, i.opSize, true);
    case "STi":
      return `st${i.rm & 7}`;
    case "Ap":
      return `${hex(BigInt(i.imm2))}:${hex(unsignedImm(i, i.opSize === 2 ? 2 : 4))}`;
  }
  if (!/^[A-Z][a-z]*$/.test(notation)) return notation.toLowerCase();
  switch (method) {
    case "E":
    case "M":
    case "Q":
    case "W":
    case "R":
    case "U":
    case "N":
      if (i.mod !== 3) return memory(i, size, nextAddress);
      if (method === "Q" || method === "N") return `mm${i.rm & 7}`;
      if (method === "W" || method === "U") return vectorName(i, i.rm);
      return registerName(i.rm, size ?? i.opSize, i.rex);
    case "G":
      return registerName(i.reg, size ?? i.opSize, i.rex);
    case "Z":
      return registerName(i.rm, size ?? i.opSize, i.rex);
    case "B":
      return registerName(i.vvvv, size ?? i.opSize, true);
    case "H":
      return vectorName(i, i.vvvv);
    case "V":
      return vectorName(i, i.reg);
    case "P":
      return `mm${i.reg & 7}`;
    case "S":
      return SEGMENTS[i.reg & 7];
    case "C":
      return `cr${i.reg}`;
    case "D":
      return `dr${i.reg}`;
    case "O":
      return memory(i, undefined, nextAddress);
    case "I": {
      // Narrow immediates are sign-extended to the operand size where there is one.
      const extended =
        type === "z" || (type === "b" && SIGN_EXTENDED.test(i.row.name) && !/[EA][bL]/.test(i.row.operands));
      const sizeName = i.row.name === "push" && i.prefix66 ? SIZE_NAMES[i.opSize] : "";
      return sizeName + hex(unsignedImm(i, extended ? i.opSize : (size ?? 1)));
    }
    case "J": {
      if (nextAddress === undefined) return `$${i.imm + i.length >= 0 ? "+" : ""}${hex(BigInt(i.imm + i.length))}`;
      return hex(BigInt.asUintN(i.opSize * 8, nextAddress + BigInt(i.imm)));
    }
  }
  return notation.toLowerCase();
}

/** String instructions: their operands are shown by the suffix alone. */
const STRING = /^(movs|stos|lods|cmps|scas|ins|outs)b?$/;

/** Names that depend on the operand size are written "16-bit/32-bit/64-bit"; JCXZ goes by the address size. */
function mnemonic(i: Insn): string {
  const names = i.row.name.split("/");
  const size = i.row.name.startsWith("jcxz") ? i.addrSize : i.opSize;
  const name = names[Math.min(size >> 2, names.length - 1)];
  return STRING.test(name) && !name.endsWith("b") ? name + "wdq"[size >> 2] : name;
}

const REP_PREFIXED = /^(ins|outs|movs|lods|stos)[bwdq]/;
const REPE_PREFIXED = /^(cmps|scas)[bwdq]/;

/** `address` (of the instruction) makes relative targets absolute; without it they are shown as "$+n". */
export function format(i: Insn, address?: bigint): string {
  const next = address === undefined ? undefined : address + BigInt(i.length);
  const name = mnemonic(i);
  // XCHG with the accumulator is NOP.
  if (i.row.byte === 0x90 && i.row.map === 0 && i.row.name === "xchg" && i.rm === 0) return "nop";
  let prefix = i.lock ? "lock " : "";
  if (i.rep !== 0) {
    if (REP_PREFIXED.test(name)) prefix += "rep ";
    else if (REPE_PREFIXED.test(name)) prefix += i.rep === 0xf3 ? "repe " : "repne ";
  }
  const operands = i.row.operands === "" || STRING.test(i.row.name) ? [] : i.row.operands.split(" ");
  let enterLevel = false;
  const texts = operands.map((notation) => {
    // The second of two immediates is in imm2.
    if (notation === "Ib" && enterLevel) return hex(BigInt(i.imm2));
    if (notation[0] === "I") enterLevel = true;
    return operand(i, notation, next);
  });
  return `${prefix}${name}${texts.length > 0 ? " " : ""}${texts.join(", ")}`;
}
