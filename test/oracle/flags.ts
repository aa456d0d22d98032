/**
 * The arithmetic flags as instructions use them: which ones an instruction leaves undefined (Intel SDM volume 2), and
 * which ones it reads. Results that the SDM leaves undefined are listed too.
 */

import type { Insn } from "../../accel/tcg/x86/insn.ts";

const C = 0x001;
const P = 0x004;
const A = 0x010;
const Z = 0x040;
const S = 0x080;
const O = 0x800;
export const ALL_FLAGS = C | P | A | Z | S | O;

/** Flags left undefined, by mnemonic, whatever the operands. */
const UNDEFINED: Readonly<Record<string, number>> = {
  and: A,
  or: A,
  xor: A,
  test: A,
  mul: S | Z | A | P,
  imul: S | Z | A | P,
  div: ALL_FLAGS,
  idiv: ALL_FLAGS,
  bsf: C | O | S | A | P,
  bsr: C | O | S | A | P,
  lzcnt: O | S | A | P,
  tzcnt: O | S | A | P,
  bt: O | S | A | P,
  bts: O | S | A | P,
  btr: O | S | A | P,
  btc: O | S | A | P,
  andn: A | P,
  bextr: A | S | P,
  blsi: A | P,
  blsr: A | P,
  blsmsk: A | P,
  bzhi: A | P,
  daa: O,
  das: O,
  aaa: O | S | Z | P,
  aas: O | S | Z | P,
  aam: O | A | C,
  aad: O | A | C,
};

const CONDITION_FLAGS = [O, O, C, C, Z, Z, C | Z, C | Z, S, S, P, P, S | O, S | O, Z | S | O, Z | S | O];
const CONDITION = new Map(
  "o no b ae e ne be a s ns p np l ge le g".split(" ").map((name, code) => [name, CONDITION_FLAGS[code]]),
);

/** Flags whose value the instruction depends on (not those it passes on). */
export function flagsRead(name: string): number {
  if (/^(adc|sbb|rcl|rcr|adcx|cmc|salc)$/.test(name)) return C;
  if (/^da[as]$/.test(name)) return A | C;
  if (/^aa[as]$/.test(name)) return A;
  if (name === "adox") return O;
  if (name === "loope" || name === "loopne") return Z;
  if (name === "lahf") return C | P | A | Z | S;
  if (name.startsWith("pushf")) return ALL_FLAGS;
  const condition = /^(?:j|set|cmov)([a-z]+)$/.exec(name);
  if (condition) return CONDITION.get(condition[1]) ?? 0;
  const x87 = /^fcmov(n?)([beu]+)$/.exec(name);
  if (x87) return C | Z | P;
  return 0;
}

/** Flags written with a defined value, or kept as they were where they were defined before. */
export function flagsDefined(name: string): number {
  if (/^(add|sub|cmp|neg|adc|sbb|xadd|cmpxchg|popcnt|u?comis[sd]|f(u?)comip?)$/.test(name)) return ALL_FLAGS;
  if (/^(and|or|xor|test)$/.test(name)) return ALL_FLAGS & ~A;
  if (/^(inc|dec)$/.test(name)) return ALL_FLAGS & ~C;
  if (/^(clc|stc)$/.test(name)) return C;
  if (name === "sahf") return ALL_FLAGS & ~O;
  return 0;
}

/** Count of a shift or rotate as the CPU takes it: `cl` is what CL holds. */
function shiftCount(i: Insn, cl: number): number {
  const operands = i.row.operands;
  const raw = operands.endsWith("CL") ? cl : operands.endsWith("Ib") ? i.imm : 1;
  return raw & (i.opSize === 8 && !operands.startsWith("Eb") ? 63 : 31);
}

/** Flags the instruction leaves undefined. */
export function flagsUndefined(i: Insn, cl: number): number {
  const { name } = i.row;
  switch (name) {
    case "shl":
    case "shr":
    case "sar": {
      const count = shiftCount(i, cl);
      const bits = i.row.operands.startsWith("Eb") ? 8 : i.opSize * 8;
      if (count === 0) return 0;
      return A | (count === 1 ? 0 : O) | (count >= bits ? C : 0);
    }
    case "shld":
    case "shrd": {
      const count = shiftCount(i, cl);
      if (count === 0) return 0;
      return count > i.opSize * 8 ? ALL_FLAGS : A | (count === 1 ? 0 : O);
    }
    case "rol":
    case "ror":
    case "rcl":
    case "rcr":
      return shiftCount(i, cl) <= 1 ? 0 : O;
  }
  return UNDEFINED[name] ?? 0;
}

/** Whether the SDM leaves the result itself undefined. */
export function resultUndefined(i: Insn, cl: number): boolean {
  const { name } = i.row;
  if (name === "bswap") return i.opSize === 2;
  if (name === "shld" || name === "shrd") return shiftCount(i, cl) > i.opSize * 8;
  return false;
}
