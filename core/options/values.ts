/** Values as QEMU's command line spells them, and the words it refuses them with. */

import { QemuError } from "../errors.ts";

const ON = ["on", "yes", "true", "y"];
const OFF = ["off", "no", "false", "n"];

const bad = (message: string, hint?: string): QemuError => new QemuError("bad-value", message, { hint });

export function parseBool(name: string, value: string): boolean {
  if (ON.includes(value)) return true;
  if (OFF.includes(value)) return false;
  throw bad(`Parameter '${name}' expects 'on' or 'off'`);
}

const SUFFIXES = "bkMGTPE";
const SIZE_HINT =
  "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\nand exabytes, respectively.";

/** A size in bytes; `unit` is what a number without suffix counts ("b", "k", "M", ...). */
export function parseSize(name: string, value: string, unit = "b"): number {
  const match = /^(0x[0-9a-f]+|\d+(?:\.\d+)?)([bkmgtpe]?)$/i.exec(value);
  const suffix = match?.[2] || unit;
  const power = SUFFIXES.toLowerCase().indexOf(suffix.toLowerCase());
  const size = match ? Number(match[1]) * 1024 ** power : Number.NaN;
  if (!(size < 2 ** 64)) throw bad(`Parameter '${name}' expects a non-negative number below 2^64`, SIZE_HINT);
  return Math.floor(size);
}

/** A whole number, decimal, 0x hexadecimal or 0 octal, from `min` to `max`. */
export function parseInteger(name: string, value: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
  const octal = /^0[0-7]+$/.test(value);
  const valid = octal || /^-?(0x[0-9a-f]+|\d+)$/i.test(value);
  const magnitude = octal ? Number.parseInt(value, 8) : Number(value.replace("-", ""));
  const number = value.startsWith("-") ? -magnitude : magnitude;
  if (!valid || number < min || number > max) throw bad(`Parameter '${name}' expects a number from ${min} to ${max}`);
  return number;
}

/** One of a list of words. */
export function parseChoice<T extends string>(name: string, value: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw bad(`Parameter '${name}' does not accept value '${value}'`, `it accepts ${choices.join(", ")}`);
}

/** A UUID in its canonical spelling. */
export function parseUuid(value: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)) return value.toLowerCase();
  throw bad("failed to parse UUID string: wrong format.");
}
