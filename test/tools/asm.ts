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

import { Encoding, little, Mismatch } from "./asm/encoding.ts";
import { ALIASES, BY_MODE, CANDIDATES, SIZED } from "./asm/mnemonics.ts";
import { type Bits, type MemoryOperand, type Operand, REGISTERS, SEGMENTS, SIZES } from "./asm/operands.ts";

export interface Program {
  readonly bytes: Uint8Array;
  readonly labels: ReadonlyMap<string, number>;
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
