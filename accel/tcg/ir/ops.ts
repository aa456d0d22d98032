/**
 * The operations of the intermediate representation: one row each, from which the interpreter, the code generators, the
 * constant folder and the tests are made.
 *
 * Values are 64-bit slots in env, or constants. A 32-bit op reads the low halves of its operands and writes a
 * zero-extended result, which is what x86-64 does with 32-bit registers. Vector values are 16-byte slots.
 *
 * A row's signature reads "result=operands": `i` is a 32-bit view of a slot, `l` all 64 bits, `v` 128 bits. `wasm` is
 * the instruction sequence that turns the operands on the stack into the result.
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

function pure(name: string, signature: Signature, ...wasm: number[]): void {
  row({ name, kind: "pure", signature, wasm });
}

row({ name: "mov", kind: "mov" });

for (const [name, op] of Object.entries({
  add: "add",
  sub: "sub",
  mul: "mul",
  and: "and",
  or: "or",
  xor: "xor",
  shl: "shl",
  shr: "shr_u",
  sar: "shr_s",
  rotl: "rotl",
  rotr: "rotr",
})) {
  pure(`${name}32`, "i=ii", W[`i32_${op}` as keyof typeof W]);
  pure(`${name}64`, "l=ll", W[`i64_${op}` as keyof typeof W]);
}
/** a & ~b */
pure("andc32", "i=ii", W.i32_const, 0x7f, W.i32_xor, W.i32_and);
pure("andc64", "l=ll", W.i64_const, 0x7f, W.i64_xor, W.i64_and);
pure("not32", "i=i", W.i32_const, 0x7f, W.i32_xor);
pure("not64", "l=l", W.i64_const, 0x7f, W.i64_xor);
/** Zero extensions to 64 bits. */
pure("ext8u", "i=i", W.i32_const, 0xff, 0x01, W.i32_and);
pure("ext16u", "i=i", W.i32_const, 0xff, 0xff, 0x03, W.i32_and);
pure("ext32u", "l=i", W.i64_extend_i32_u);
/** Sign extensions to 32 bits (zero above) and to 64. */
pure("ext8s32", "i=i", W.i32_extend8_s);
pure("ext16s32", "i=i", W.i32_extend16_s);
pure("ext8s64", "l=l", W.i64_extend8_s);
pure("ext16s64", "l=l", W.i64_extend16_s);
pure("ext32s64", "l=i", W.i64_extend_i32_s);
/** Leading and trailing zeros; 32 or 64 for zero. */
pure("clz32", "i=i", W.i32_clz);
pure("clz64", "l=l", W.i64_clz);
pure("ctz32", "i=i", W.i32_ctz);
pure("ctz64", "l=l", W.i64_ctz);
pure("popcnt32", "i=i", W.i32_popcnt);
pure("popcnt64", "l=l", W.i64_popcnt);
/** Replaces byte 0, byte 1 or the low 16 bits of a by b's low bits. */
for (const [name, position, length] of [
  ["put8", 0, 8],
  ["put8h", 8, 8],
  ["put16", 0, 16],
] as const) {
  row({ name, kind: "pure", signature: "l=ll", deposit: { position, length } });
}
/** Byte 1: (a >> 8) & 0xff. */
pure("get8h", "i=i", W.i32_const, 8, W.i32_shr_u, W.i32_const, 0xff, 0x01, W.i32_and);

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

for (const condition of CONDITIONS) {
  pure(`set_${condition}32`, "i=ii", ...conditionWasm(condition, 32));
  pure(`set_${condition}64`, "i=ll", ...conditionWasm(condition, 64));
}
for (const condition of CONDITIONS) {
  row({ name: `br_${condition}32`, kind: "condBranch", signature: "i=ii", wasm: conditionWasm(condition, 32) });
  row({ name: `br_${condition}64`, kind: "condBranch", signature: "i=ll", wasm: conditionWasm(condition, 64) });
}
/** Branches if a is a canonical 48-bit address: bits 63..47 all equal. */
row({
  name: "br_canonical",
  kind: "condBranch",
  signature: "i=l",
  wasm: [W.i64_const, 47, W.i64_shr_s, W.i64_const, 1, W.i64_add, W.i64_const, 2, W.i64_lt_u],
});
for (const condition of CONDITIONS) {
  row({ name: `sel_${condition}32`, kind: "select", signature: "i=ii", wasm: conditionWasm(condition, 32) });
  row({ name: `sel_${condition}64`, kind: "select", signature: "i=ll", wasm: conditionWasm(condition, 64) });
}

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
  pure(`v_${name}`, "v=vv", ...simd(op));
}
/** ~a & b, as PANDN. */
row({ name: "v_andn", kind: "pure", signature: "v=vv", wasm: simd(SIMD.v128_andnot), swap: true });

for (const name of ["i8x16_abs", "i16x8_abs", "i32x4_abs"] as const) pure(`v_${name}`, "v=v", ...simd(SIMD[name]));
/** PMOVSX, PMOVZX */
for (const sign of ["s", "u"] as const) {
  const bw = simd(SIMD[`i16x8_extend_low_i8x16_${sign}`]);
  const wd = simd(SIMD[`i32x4_extend_low_i16x8_${sign}`]);
  const dq = simd(SIMD[`i64x2_extend_low_i32x4_${sign}`]);
  pure(`v_extend_bw_${sign}`, "v=v", ...bw);
  pure(`v_extend_bd_${sign}`, "v=v", ...bw, ...wd);
  pure(`v_extend_bq_${sign}`, "v=v", ...bw, ...wd, ...dq);
  pure(`v_extend_wd_${sign}`, "v=v", ...wd);
  pure(`v_extend_wq_${sign}`, "v=v", ...wd, ...dq);
  pure(`v_extend_dq_${sign}`, "v=v", ...dq);
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
    pure(`v_unpack_${half}_${size * 8}`, "v=vv", ...simd(SIMD.i8x16_shuffle), ...lanes);
  }
}

export const OP_ROWS: readonly OpRow[] = rows;

/** Opcode number by name. */
export const OP: Readonly<Record<string, number>> = Object.fromEntries(rows.map(({ name }, index) => [name, index]));
