/** Intermediate code as text, for -d op and the golden files: one op a line, constants in hexadecimal. */

import { CPU_STATE, ENV } from "../env.ts";
import { CONST_BASE, type IrCode, NONE, type Value } from "./builder.ts";
import { OP_ROWS } from "./ops.ts";

const REGISTERS = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split(" ");

/** A place in env by name: a register, a temporary, or a field and the distance from its start. */
export function slotName(slot: Value): string {
  const within = (start: number, size: number, count: number): number =>
    slot >= start && slot < start + size * count ? Math.floor((slot - start) / size) : -1;
  const half = (start: number): string => ((slot - start) % 16 === 8 ? ".high" : "");
  const register = within(ENV.regs, 8, 16);
  if (register >= 0) return REGISTERS[register];
  const xmm = within(ENV.xmm, 16, 16);
  if (xmm >= 0) return `xmm${xmm}${half(ENV.xmm)}`;
  const temp = within(ENV.temps, 8, 256);
  if (temp >= 0) return `t${temp}`;
  const vector = within(ENV.vtemps, 16, 32);
  if (vector >= 0) return `v${vector}${half(ENV.vtemps)}`;
  let name = "env";
  let base = 0;
  for (const [field, offset] of Object.entries(CPU_STATE.offsets)) {
    if (offset <= slot && offset >= base) [name, base] = [field, offset];
  }
  return slot === base ? name : `${name}+${slot - base}`;
}

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
    for (; insn < ir.insnOp.length && ir.insnOp[insn] <= i; insn++) {
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
