/** The rows a mnemonic may mean: the names that programs write, and those that the opcode rows have. */

import type { OpcodeRow } from "../../../accel/tcg/x86/insn.ts";
import { OPCODE_ROWS } from "../../../accel/tcg/x86/rows.ts";

export const ALIASES: Readonly<Record<string, string>> = {
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
export const BY_MODE: Readonly<Record<string, readonly [string, string, string]>> = {
  iret: ["iretw", "iretd", "iretq"],
  pushf: ["pushfw", "pushfd", "pushfq"],
  popf: ["popfw", "popfd", "popfq"],
  pusha: ["pushaw", "pushad", "pushad"],
  popa: ["popaw", "popad", "popad"],
};

/** Mnemonics without operands that name their operand size. */
export const SIZED = /^(pusha?f?|popa?f?|iret|retf|sysret|sysexit)([wdq])$/;

export interface Candidate {
  readonly row: OpcodeRow;
  /** From a name such as "cbw/cwde/cdqe". */
  readonly opSize: number | undefined;
  readonly addressSize: number | undefined;
  readonly operands: readonly string[];
}

export const CANDIDATES = new Map<string, Candidate[]>();
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
