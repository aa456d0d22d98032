/** Intermediate code as text, for -d op and the golden files: one op a line, constants in hexadecimal. */

import { CPU_STATE, ENV } from "../env.ts";
import { CONST_BASE, type IrCode, NONE, type Value } from "./builder.ts";
import { OP_ROWS } from "./ops.ts";

const REGISTERS = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split(" ");

/** Slots that have numbers: start, size, count, name. */
const ARRAYS: readonly (readonly [number, number, number, (index: number) => string])[] = [
  [ENV.regs, 8, 16, (index) => REGISTERS[index]],
  [ENV.xmm, 8, 32, (index) => halfName("xmm", index)],
  [ENV.temps, 8, 256, (index) => `t${index}`],
  [ENV.vtemps, 8, 64, (index) => halfName("v", index)],
];
const halfName = (prefix: string, half: number): string => `${prefix}${half >> 1}${half & 1 ? ".high" : ""}`;

/** A place in env by name: a register, a temporary, or a field and the distance from its start. */
export function slotName(offset: number): string {
  for (const [start, size, count, name] of ARRAYS) {
    if (offset < start || offset >= start + size * count) continue;
    const index = Math.floor((offset - start) / size);
    return withRest(name(index), (offset - start) % size);
  }
  let name = "env";
  let base = 0;
  for (const [field, start] of Object.entries(CPU_STATE.offsets)) {
    if (start <= offset && start >= base) [name, base] = [field, start];
  }
  return withRest(name, offset - base);
}

const withRest = (name: string, rest: number): string => (rest === 0 ? name : `${name}+${rest}`);

/** The ops of a block. `helperName` gives a helper's name by its number. */
export function printIr(ir: IrCode, helperName: (number: number) => string): string {
  const value = (v: Value): string => {
    if (v === NONE) return "-";
    if (v < CONST_BASE) return slotName(v);
    const high = BigInt(ir.constHigh[v - CONST_BASE] >>> 0);
    return `$0x${((high << 32n) | BigInt(ir.constLow[v - CONST_BASE] >>> 0)).toString(16)}`;
  };
  const lines: string[] = [];
  let insn = 0;
  for (let i = 0; i < ir.count; i++) {
    for (; insn < ir.insns && ir.insnOp[insn] <= i; insn++) {
      lines.push(` ---- +0x${ir.insnOffset[insn].toString(16)} ccOp=${ir.insnCcOp[insn]}`);
    }
    const { name, kind } = OP_ROWS[ir.op[i]];
    const [d, a, b] = [ir.d[i], ir.a[i], ir.b[i]].map(value);
    const [c, e] = [ir.c[i], ir.e[i]];
    const line = {
      label: `L${c}:`,
      branch: `${name} L${c}`,
      condBranch: `${name} ${a}, ${b}, L${c}`,
      exit: name === "exit_chain" ? `${name} ${c}` : name,
      lea: `${name} ${d}, ${a} + (${b} << ${Math.max(c, 0)}) + ${e}`,
      select: `${name} ${d}, ${a}, ${b}, ${value(c)}, ${value(e)}`,
      store: `${name} [${a}], ${b}`,
      load: `${name} ${d}, [${a}]`,
      call: `${name} ${d}, ${helperName(c)}(${a}, ${b}, 0x${(e >>> 0).toString(16)})`,
      mov: `${name} ${d}, ${a}`,
      pure: ir.b[i] === NONE ? `${name} ${d}, ${a}` : `${name} ${d}, ${a}, ${b}`,
      envLoad: `${name} ${d}, ${a}`,
      envStore: `${name} ${a}, ${b}`,
      region: name,
    }[kind];
    lines.push(kind === "label" ? line : `  ${line}`);
  }
  return lines.join("\n");
}
