/**
 * The operations of the intermediate representation: one row each, from which the interpreter, the code generators, the
 * constant folder and the tests are made.
 *
 * Values are 64-bit slots in env, or constants. A 32-bit op reads the low halves of its operands and writes a
 * zero-extended result, which is what x86-64 does with 32-bit registers. Vector values are 16-byte slots.
 *
 * A row's signature reads "result=operands": `i` is a 32-bit view of a slot, `l` all 64 bits, `v` 128 bits. `wasm` is
 * the instruction sequence that turns the operands on the stack into the result. `js` are the expressions of the
 * result's low and high half over the operands' halves `al`, `ah`, `bl`, `bh`, all int32; the second may name the first
 * one's value `x`; a high half that is absent is zero. Conditions have one that is true or false. Functions in them are
 * those of js/arithmetic.ts. Rows without `js` are run as wasm.
 */

import { SIMD, W } from "../wasm/opcodes.ts";

export type Signature = "i=i" | "l=l" | "l=i" | "i=l" | "i=ii" | "l=ll" | "i=ll" | "l=li" | "v=vv" | "v=v";

/** What the optimiser has to know. */
export type OpKind =
  /** Result depends on the operands alone. */
  | "pure"
  /** d = a */
  | "mov"
  /** d = cond(a, b) ? x : y */
  | "select"
  /** d = (a + (b << scale)) + displacement; `lea32` cuts to 32 bits. */
  | "lea"
  /** Guest memory; may fault. */
  | "load"
  | "store"
  /** Fields of env that are not slots. */
  | "envLoad"
  | "envStore"
  | "call"
  | "label"
  | "branch"
  | "condBranch"
  /** Leaves the block. */
  | "exit"
  /** Of the interpreter only: a compiled region. */
  | "region";

export interface OpRow {
  readonly name: string;
  readonly kind: OpKind;
  readonly signature?: Signature;
  readonly wasm?: readonly number[];
  readonly js?: readonly string[];
  /** Loads and stores: bytes, and how narrow loads are extended. */
  readonly size?: number;
  readonly access?: number;
  /** Deposits: the bits of a that b replaces. */
  readonly deposit?: { readonly position: number; readonly length: number };
  /** The operands go onto the stack in reverse order. */
  readonly swap?: boolean;
}

const rows: OpRow[] = [];

function row(entry: OpRow): void {
  rows.push(entry);
}

function pure(name: string, signature: Signature, wasm: readonly number[], ...js: string[]): void {
  row({ name, kind: "pure", signature, wasm, ...(js.length > 0 && { js }) });
}

row({ name: "mov", kind: "mov" });

/** Of a pair: the one that bit 5 of a rotation's count brings down, and the other. */
const NEAR = ["(bl & 32 ? ah : al)", "(bl & 32 ? al : ah)"];

for (const [name, op, js32, ...js64] of [
  ["add", "add", "al + bl | 0", "al + bl | 0", "ah + bh + (x >>> 0 < al >>> 0 ? 1 : 0) | 0"],
  ["sub", "sub", "al - bl | 0", "al - bl | 0", "ah - bh - (al >>> 0 < bl >>> 0 ? 1 : 0) | 0"],
  [
    "mul",
    "mul",
    "Math.imul(al, bl)",
    "Math.imul(al, bl)",
    "mulHigh(al, bl) + Math.imul(al, bh) + Math.imul(ah, bl) | 0",
  ],
  ["and", "and", "al & bl", "al & bl", "ah & bh"],
  ["or", "or", "al | bl", "al | bl", "ah | bh"],
  ["xor", "xor", "al ^ bl", "al ^ bl", "ah ^ bh"],
  ["shl", "shl", "al << bl", "bl & 32 ? 0 : al << bl", "bl & 32 ? al << bl : ah << bl | al >>> 1 >>> ~bl"],
  [
    "shr",
    "shr_u",
    "al >>> bl | 0",
    "bl & 32 ? ah >>> bl | 0 : al >>> bl | ah << 1 << ~bl",
    "bl & 32 ? 0 : ah >>> bl | 0",
  ],
  ["sar", "shr_s", "al >> bl", "bl & 32 ? ah >> bl : al >>> bl | ah << 1 << ~bl", "bl & 32 ? ah >> 31 : ah >> bl"],
  [
    "rotl",
    "rotl",
    "al << bl | al >>> 1 >>> ~bl",
    `${NEAR[0]} << bl | ${NEAR[1]} >>> 1 >>> ~bl`,
    `${NEAR[1]} << bl | ${NEAR[0]} >>> 1 >>> ~bl`,
  ],
  [
    "rotr",
    "rotr",
    "al >>> bl | al << 1 << ~bl",
    `${NEAR[0]} >>> bl | ${NEAR[1]} << 1 << ~bl`,
    `${NEAR[1]} >>> bl | ${NEAR[0]} << 1 << ~bl`,
  ],
] as const) {
  pure(`${name}32`, "i=ii", [W[`i32_${op}`]], js32);
  pure(`${name}64`, "l=ll", [W[`i64_${op}`]], ...js64);
}
/** a & ~b */
pure("andc32", "i=ii", [W.i32_const, 0x7f, W.i32_xor, W.i32_and], "al & ~bl");
pure("andc64", "l=ll", [W.i64_const, 0x7f, W.i64_xor, W.i64_and], "al & ~bl", "ah & ~bh");
pure("not32", "i=i", [W.i32_const, 0x7f, W.i32_xor], "~al");
pure("not64", "l=l", [W.i64_const, 0x7f, W.i64_xor], "~al", "~ah");
/** Zero extensions to 64 bits. */
pure("ext8u", "i=i", [W.i32_const, 0xff, 0x01, W.i32_and], "al & 0xff");
pure("ext16u", "i=i", [W.i32_const, 0xff, 0xff, 0x03, W.i32_and], "al & 0xffff");
pure("ext32u", "l=i", [W.i64_extend_i32_u], "al");
/** Sign extensions to 32 bits (zero above) and to 64. */
pure("ext8s32", "i=i", [W.i32_extend8_s], "al << 24 >> 24");
pure("ext16s32", "i=i", [W.i32_extend16_s], "al << 16 >> 16");
pure("ext8s64", "l=l", [W.i64_extend8_s], "al << 24 >> 24", "x >> 31");
pure("ext16s64", "l=l", [W.i64_extend16_s], "al << 16 >> 16", "x >> 31");
pure("ext32s64", "l=i", [W.i64_extend_i32_s], "al", "x >> 31");
/** Leading and trailing zeros; 32 or 64 for zero. */
pure("clz32", "i=i", [W.i32_clz], "Math.clz32(al)");
pure("clz64", "l=l", [W.i64_clz], "ah ? Math.clz32(ah) : 32 + Math.clz32(al)");
pure("ctz32", "i=i", [W.i32_ctz], "ctz(al)");
pure("ctz64", "l=l", [W.i64_ctz], "al ? ctz(al) : 32 + ctz(ah)");
pure("popcnt32", "i=i", [W.i32_popcnt], "popcount(al)");
pure("popcnt64", "l=l", [W.i64_popcnt], "popcount(al) + popcount(ah)");
/** Replaces byte 0, byte 1 or the low 16 bits of a by b's low bits. */
for (const [name, position, length] of [
  ["put8", 0, 8],
  ["put8h", 8, 8],
  ["put16", 0, 16],
] as const) {
  row({ name, kind: "pure", signature: "l=ll", deposit: { position, length } });
}
/** Byte 1: (a >> 8) & 0xff. */
pure("get8h", "i=i", [W.i32_const, 8, W.i32_shr_u, W.i32_const, 0xff, 0x01, W.i32_and], "al >>> 8 & 0xff");

/** Comparison by name, and its wasm for both widths. */
export const CONDITIONS = ["eq", "ne", "lt", "ge", "le", "gt", "ltu", "geu", "leu", "gtu", "tsteq", "tstne"] as const;
export type Condition = (typeof CONDITIONS)[number];

/** The wasm that compares two operands on the stack and leaves 0 or 1. */
export function conditionWasm(condition: Condition, width: 32 | 64): number[] {
  const prefix = width === 32 ? "i32_" : "i64_";
  if (condition === "tsteq") return [W[`${prefix}and`], W[`${prefix}eqz`]];
  if (condition === "tstne")
    return width === 32 ? [W.i32_and, W.i32_eqz, W.i32_eqz] : [W.i64_and, W.i64_eqz, W.i32_eqz];
  if (condition === "eq" || condition === "ne") return [W[`${prefix}${condition}`]];
  const unsigned = condition.endsWith("u");
  const base = (unsigned ? condition.slice(0, -1) : condition) as "lt" | "ge" | "le" | "gt";
  return [W[`${prefix}${base}_${unsigned ? "u" : "s"}`]];
}

const OPERATORS = { lt: "<", ge: ">=", le: "<=", gt: ">" } as const;

/** The JavaScript of a comparison. */
export function conditionJs(condition: Condition, width: 32 | 64): string {
  const wide = width === 64;
  if (condition === "tsteq") return wide ? "(al & bl | ah & bh) === 0" : "(al & bl) === 0";
  if (condition === "tstne") return wide ? "(al & bl | ah & bh) !== 0" : "(al & bl) !== 0";
  if (condition === "eq") return wide ? "al === bl && ah === bh" : "al === bl";
  if (condition === "ne") return wide ? "al !== bl || ah !== bh" : "al !== bl";
  const unsigned = condition.endsWith("u") ? " >>> 0" : "";
  const operator = OPERATORS[condition.slice(0, 2) as keyof typeof OPERATORS];
  if (!wide) return `al${unsigned} ${operator} bl${unsigned}`;
  return `(ah === bh ? al >>> 0 ${operator} bl >>> 0 : ah${unsigned} ${operator} bh${unsigned})`;
}

for (const condition of CONDITIONS) {
  pure(`set_${condition}32`, "i=ii", conditionWasm(condition, 32), `${conditionJs(condition, 32)} ? 1 : 0`);
  pure(`set_${condition}64`, "i=ll", conditionWasm(condition, 64), `${conditionJs(condition, 64)} ? 1 : 0`);
}
/** A branch or select for each comparison. */
function conditional(prefix: string, kind: OpKind): void {
  for (const condition of CONDITIONS) {
    for (const [width, signature] of [
      [32, "i=ii"],
      [64, "i=ll"],
    ] as const) {
      const wasm = conditionWasm(condition, width);
      row({ name: `${prefix}_${condition}${width}`, kind, signature, wasm, js: [conditionJs(condition, width)] });
    }
  }
}
conditional("br", "condBranch");
/** Branches if a is a canonical 48-bit address: bits 63..47 all equal. */
row({
  name: "br_canonical",
  kind: "condBranch",
  signature: "i=l",
  wasm: [W.i64_const, 47, W.i64_shr_s, W.i64_const, 1, W.i64_add, W.i64_const, 2, W.i64_lt_u],
  js: ["(ah >> 15) + 1 >>> 0 < 2"],
});
conditional("sel", "select");

row({ name: "lea32", kind: "lea" });
row({ name: "lea64", kind: "lea" });

for (const [name, size, access] of [
  ["ld8u", 1, W.i64_load8_u],
  ["ld16u", 2, W.i64_load16_u],
  ["ld32u", 4, W.i64_load32_u],
  ["ld64", 8, W.i64_load],
  ["ld8s64", 1, W.i64_load8_s],
  ["ld16s64", 2, W.i64_load16_s],
  ["ld32s64", 4, W.i64_load32_s],
  ["ld128", 16, 0],
] as const) {
  row({ name, kind: "load", size, access });
}
for (const [name, size, access] of [
  ["st8", 1, W.i64_store8],
  ["st16", 2, W.i64_store16],
  ["st32", 4, W.i64_store32],
  ["st64", 8, W.i64_store],
  ["st128", 16, 0],
] as const) {
  row({ name, kind: "store", size, access });
}

for (const [name, size, access] of [
  ["envld8u", 1, W.i64_load8_u],
  ["envld16u", 2, W.i64_load16_u],
  ["envld32u", 4, W.i64_load32_u],
] as const) {
  row({ name, kind: "envLoad", size, access });
}
for (const [name, size, access] of [
  ["envst8", 1, W.i64_store8],
  ["envst16", 2, W.i64_store16],
  ["envst32", 4, W.i64_store32],
] as const) {
  row({ name, kind: "envStore", size, access });
}

/** Calls helper(env, a, b, imm) and stores its 64-bit result; `callv` has no result slot. */
row({ name: "call", kind: "call" });
row({ name: "callv", kind: "call" });
row({ name: "label", kind: "label" });
row({ name: "br", kind: "branch" });
/** Goes on with the block at rip: same page as this block, linked directly once known. */
row({ name: "exit_chain", kind: "exit" });
/** Goes on with the block at rip, looked up by address and mode. */
row({ name: "exit_lookup", kind: "exit" });
/** Returns to the main loop, which looks at interrupts and modes. */
row({ name: "exit_main", kind: "exit" });

row({ name: "vmov", kind: "mov", signature: "v=v" });
const simd = (op: number): number[] => (op < 0x80 ? [0xfd, op] : [0xfd, (op & 0x7f) | 0x80, op >> 7]);
for (const [name, op] of Object.entries(SIMD)) {
  if (/^(v128_(load|store|const|not|andnot)|i8x16_(shuffle|swizzle)|.*_abs$|.*_extend_low_)/.test(name)) continue;
  pure(`v_${name}`, "v=vv", simd(op));
}
/** ~a & b, as PANDN. */
row({ name: "v_andn", kind: "pure", signature: "v=vv", wasm: simd(SIMD.v128_andnot), swap: true });

for (const name of ["i8x16_abs", "i16x8_abs", "i32x4_abs"] as const) pure(`v_${name}`, "v=v", simd(SIMD[name]));
/** PMOVSX, PMOVZX */
for (const sign of ["s", "u"] as const) {
  const bw = simd(SIMD[`i16x8_extend_low_i8x16_${sign}`]);
  const wd = simd(SIMD[`i32x4_extend_low_i16x8_${sign}`]);
  const dq = simd(SIMD[`i64x2_extend_low_i32x4_${sign}`]);
  pure(`v_extend_bw_${sign}`, "v=v", bw);
  pure(`v_extend_bd_${sign}`, "v=v", [...bw, ...wd]);
  pure(`v_extend_bq_${sign}`, "v=v", [...bw, ...wd, ...dq]);
  pure(`v_extend_wd_${sign}`, "v=v", wd);
  pure(`v_extend_wq_${sign}`, "v=v", [...wd, ...dq]);
  pure(`v_extend_dq_${sign}`, "v=v", dq);
}
/** Interleaves the elements of the low or high halves: PUNPCKL*, PUNPCKH*. */
for (const [half, first] of [
  ["low", 0],
  ["high", 8],
] as const) {
  for (const size of [1, 2, 4, 8]) {
    const lanes = Array.from({ length: 16 }, (_, byte) => {
      const element = Math.floor(byte / size);
      return first + Math.floor(element / 2) * size + (byte % size) + (element % 2) * 16;
    });
    pure(`v_unpack_${half}_${size * 8}`, "v=vv", [...simd(SIMD.i8x16_shuffle), ...lanes]);
  }
}

export const OP_ROWS: readonly OpRow[] = rows;

/** Opcode number by name. The copy has fast properties; what `fromEntries` makes is a hash table. */
export const OP: Readonly<Record<string, number>> = {
  ...Object.fromEntries(rows.map(({ name }, index) => [name, index])),
};

const WIDE = Int16Array.from(rows, ({ name }) => (name.endsWith("32") ? (OP[`${name.slice(0, -2)}64`] ?? -1) : -1));

/** The 64-bit op that belongs to a 32-bit one: "add64" to "add32". */
export function wideOf(narrow: number): number {
  return WIDE[narrow];
}
