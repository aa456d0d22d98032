/** What stands behind a mnemonic: registers, memory, immediates, far pointers. */

export type Bits = 16 | 32 | 64;
export type RegisterClass = "general" | "segment" | "control" | "debug" | "mmx" | "xmm" | "ymm" | "x87";

export interface RegisterOperand {
  readonly kind: "register";
  readonly class: RegisterClass;
  readonly index: number;
  readonly size: number;
  /** AH CH DH BH: not with REX. SPL BPL SIL DIL: only with REX. */
  readonly rex?: boolean;
  readonly text: string;
}
export interface MemoryOperand {
  readonly kind: "memory";
  readonly size: number | undefined;
  readonly segment: number;
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly disp: bigint;
  /** Size of the registers in the address, undefined without any. */
  readonly addressSize: number | undefined;
  readonly relative: boolean;
}
export interface ImmediateOperand {
  readonly kind: "immediate";
  readonly value: bigint;
  readonly size: number | undefined;
  readonly short: boolean;
}
export interface FarOperand {
  readonly kind: "far";
  readonly selector: bigint;
  readonly offset: bigint;
  readonly size: number | undefined;
}
export type Operand = RegisterOperand | MemoryOperand | ImmediateOperand | FarOperand;

export const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"];
export const SEGMENT_PREFIX = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
export const SIZES: Readonly<Record<string, number>> = {
  byte: 1,
  word: 2,
  dword: 4,
  qword: 8,
  tword: 10,
  tbyte: 10,
  oword: 16,
  xmmword: 16,
  ymmword: 32,
};

export const REGISTERS = new Map<string, RegisterOperand>();

function register(
  text: string,
  kind: RegisterClass,
  index: number,
  size: number,
  rex: boolean | undefined = undefined,
): void {
  REGISTERS.set(text, { kind: "register", class: kind, index, size, ...(rex === undefined ? {} : { rex }), text });
}

for (const [index, name] of ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"].entries()) {
  register(name, "general", index, 2);
  register(`e${name}`, "general", index, 4);
  register(`r${name}`, "general", index, 8);
  if (index < 4) {
    register(`${name[0]}l`, "general", index, 1);
    register(`${name[0]}h`, "general", index + 4, 1, false);
  } else register(`${name}l`, "general", index, 1, true);
}
for (let index = 0; index < 16; index++) {
  if (index >= 8) {
    for (const [suffix, size] of Object.entries({ b: 1, w: 2, d: 4, "": 8 })) {
      register(`r${index}${suffix}`, "general", index, size);
    }
  }
  register(`xmm${index}`, "xmm", index, 16);
  register(`ymm${index}`, "ymm", index, 32);
  register(`cr${index}`, "control", index, 8);
  if (index < 8) {
    register(`dr${index}`, "debug", index, 8);
    register(`mm${index}`, "mmx", index, 8);
    register(`st${index}`, "x87", index, 10);
  }
}
for (const [index, name] of SEGMENTS.entries()) register(name, "segment", index, 2);
