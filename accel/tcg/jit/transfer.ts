/**
 * Where the last instruction of a block leads, read from its bytes: enough to choose blocks for a region. Opcodes are
 * those of the Intel SDM, volume 2, appendix A.
 */

export interface Transfer {
  /** "none": not a transfer; the block may end here because the run loop has to see what the instruction did. */
  readonly kind: "call" | "return" | "jump" | "none";
  /** Distances from the block's start. */
  readonly ways: readonly number[];
}

const signed8 = (value: number): number => (value << 24) >> 24;

/** Bytes of a prefix: operand size, LOCK, REPNE, REP, segment, address size; REX in 64-bit code. */
const isPrefix = (byte: number, wide: boolean): boolean =>
  byte === 0x66 ||
  (byte & 0xfc) === 0xf0 ||
  (byte & 0xe7) === 0x26 ||
  (byte & 0xfc) === 0x64 ||
  (wide && byte >> 4 === 4);

/** The block at `phys` has `length` bytes; its last instruction starts `last` bytes from there. */
export function transferOf(memory: Uint8Array, phys: number, last: number, length: number, wide: boolean): Transfer {
  const end = phys + length;
  let at = phys + last;
  let narrow = false;
  for (; at < end && isPrefix(memory[at], wide); at++) narrow ||= memory[at] === 0x66;
  const opcode = memory[at];
  const near = (): number[] => {
    if (narrow) return [];
    const i = end - 4;
    return [length + (memory[i] | (memory[i + 1] << 8) | (memory[i + 2] << 16) | (memory[i + 3] << 24))];
  };
  const short = (): number[] => (narrow ? [] : [length + signed8(memory[end - 1])]);
  if (opcode === 0xe8) return { kind: "call", ways: near() };
  if (opcode === 0xe9) return { kind: "jump", ways: near() };
  if (opcode === 0xeb) return { kind: "jump", ways: short() };
  if (opcode >> 4 === 7 || (opcode >= 0xe0 && opcode <= 0xe3)) return { kind: "jump", ways: [...short(), length] };
  if (opcode === 0x0f && memory[at + 1] >> 4 === 8) return { kind: "jump", ways: [...near(), length] };
  if (opcode === 0xc3 || opcode === 0xc2) return { kind: "return", ways: [] };
  if (opcode === 0xff) {
    const group = (memory[at + 1] >> 3) & 7;
    if (group === 2) return { kind: "call", ways: [] };
    if (group >= 3 && group <= 5) return { kind: "jump", ways: [] };
  }
  return { kind: "none", ways: [length] };
}
