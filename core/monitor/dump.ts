/** Memory dumps and numbers of the monitor's `x`, `xp` and `print`: /fmt is a count, a format and a size. */

import { QemuError } from "../errors.ts";

export interface DumpFormat {
  readonly count: number;
  /** "i": instructions, which have no size. */
  readonly format: "x" | "d" | "u" | "o" | "c" | "i";
  /** Bytes per item. */
  readonly size: 1 | 2 | 4 | 8;
}

const SIZES = { b: 1, h: 2, w: 4, g: 8 } as const;
/** Items in one dump, so that a mistyped count does not flood the terminal. */
const MAX_COUNT = 65536;

/** Reads "/4xw"; the empty text means "/1xw". */
export function parseDumpFormat(text: string, fallback: DumpFormat = { count: 1, format: "x", size: 4 }): DumpFormat {
  if (text === "") return fallback;
  const match = /^\/(\d*)([a-z]*)$/.exec(text);
  if (!match) throw new QemuError("bad-format", `invalid char in format: '${text}'`);
  let { format, size } = fallback;
  for (const letter of match[2]) {
    if (Object.hasOwn(SIZES, letter)) size = SIZES[letter as keyof typeof SIZES];
    else if (/[xduoci]/.test(letter)) format = letter as DumpFormat["format"];
    else throw new QemuError("bad-format", `invalid char in format: '${letter}'`);
  }
  const count = match[1] === "" ? 1 : Number(match[1]);
  if (count > MAX_COUNT) throw new QemuError("bad-format", `at most ${MAX_COUNT} items`);
  return { count, format, size: format === "c" ? 1 : size };
}

function formatChar(value: number): string {
  const known = { 10: "\\n", 13: "\\r", 9: "\\t", 39: "\\'", 92: "\\\\" }[value];
  const printable = value >= 32 && value < 127;
  return `'${known ?? (printable ? String.fromCharCode(value) : `\\x${value.toString(16).padStart(2, "0")}`)}'`;
}

/** One value with leading blanks or zeros to the width that the size needs. */
export function formatValue(value: bigint, { format, size }: DumpFormat): string {
  const bits = size * 8;
  switch (format) {
    case "x":
    case "i":
      return `0x${value.toString(16).padStart(bits / 4, "0")}`;
    case "o":
      return (value === 0n ? "0" : `0${value.toString(8)}`).padStart(Math.ceil(bits / 3));
    case "u":
      return value.toString().padStart(Math.ceil((bits * 10) / 33));
    case "d":
      return BigInt.asIntN(bits, value)
        .toString()
        .padStart(Math.ceil((bits * 10) / 33));
    case "c":
      return formatChar(Number(value));
  }
}

/** Lines of a dump; `read` answers the byte at an address, or undefined where nothing is mapped. */
export function dumpMemory(start: bigint, format: DumpFormat, read: (address: bigint) => number | undefined): string {
  const perLine = (format.format === "c" ? 8 : 16) / format.size;
  let text = "";
  for (let item = 0; item < format.count; item++) {
    const address = BigInt.asUintN(64, start + BigInt(item * format.size));
    if (item % perLine === 0) text += `${item === 0 ? "" : "\n"}${address.toString(16).padStart(16, "0")}:`;
    let value = 0n;
    for (let i = 0; i < format.size; i++) {
      const byte = read(address + BigInt(i));
      if (byte === undefined) return `${text} Cannot access memory\n`;
      value |= BigInt(byte) << BigInt(i * 8);
    }
    text += ` ${formatValue(value, format)}`;
  }
  return `${text}\n`;
}

/**
 * Evaluates an expression of numbers, $registers, + - * / % & | ^ ~ and parentheses; values are 64-bit.
 * `register` answers undefined for an unknown name.
 */
export function evaluate(text: string, register: (name: string) => bigint | undefined): bigint {
  const tokens = text.match(/0x[0-9a-f]+|\d+|\$[a-z0-9_]+|[-+*/%&|^~()]|\S/gi) ?? [];
  let at = 0;
  const fail = (message: string): never => {
    throw new QemuError("bad-expression", message);
  };
  const binary = (
    next: () => bigint,
    operators: Readonly<Record<string, (a: bigint, b: bigint) => bigint>>,
  ): bigint => {
    let value = next();
    for (let operator = operators[tokens[at]]; operator; operator = operators[tokens[at]]) {
      at++;
      value = BigInt.asUintN(64, operator(value, next()));
    }
    return value;
  };
  const divide = (b: bigint): bigint => (b === 0n ? fail("division by zero") : b);
  const unary = (): bigint => {
    const token = tokens[at++];
    if (token === undefined) return fail("unexpected end of expression");
    if (token === "(") {
      const value = sum();
      return tokens[at++] === ")" ? value : fail("')' expected");
    }
    if (token === "-") return BigInt.asUintN(64, -unary());
    if (token === "+") return unary();
    if (token === "~") return BigInt.asUintN(64, ~unary());
    if (token.startsWith("$")) return register(token.slice(1).toLowerCase()) ?? fail(`unknown register '${token}'`);
    return /^\d/.test(token) ? BigInt.asUintN(64, BigInt(token)) : fail(`invalid char '${token}' in expression`);
  };
  const product = (): bigint =>
    binary(unary, { "*": (a, b) => a * b, "/": (a, b) => a / divide(b), "%": (a, b) => a % divide(b) });
  const logic = (): bigint => binary(product, { "&": (a, b) => a & b, "|": (a, b) => a | b, "^": (a, b) => a ^ b });
  const sum = (): bigint => binary(logic, { "+": (a, b) => a + b, "-": (a, b) => a - b });
  const value = sum();
  return at === tokens.length ? value : fail(`invalid char '${tokens[at]}' in expression`);
}
