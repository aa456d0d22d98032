/** The instructions of the monitor's `x /i` and `xp /i`: address, bytes, mnemonic, laid out as QEMU's. */

/** Size of operands and addresses by default: what of 16, 32 and 64 bits the CPU's present mode has. */
export type CodeSize = 16 | 32 | 64;

/** One instruction as text. */
export interface Instruction {
  /** Bytes. */
  readonly length: number;
  readonly text: string;
}

/** What a plugin brings that reads a CPU's instructions; loaded when somebody asks for it. */
export interface Disassembler {
  load(): Promise<Disassemble>;
}

/** The instruction at the head of `bytes`; undefined when there are too few of them for one. */
export type Disassemble = (bytes: Uint8Array, codeSize: CodeSize, address: bigint) => Instruction | undefined;

/** No x86 instruction is longer. */
export const MAX_LENGTH = 15;
const BYTES_PER_LINE = 8;

const hex = (value: bigint, digits: number): string => value.toString(16).padStart(digits, "0");

/** Lines of `count` instructions; `read` answers the byte at an address, or undefined where nothing is mapped. */
export function disassembleMemory(
  start: bigint,
  count: number,
  read: (address: bigint) => number | undefined,
  disassemble: (bytes: Uint8Array, address: bigint) => Instruction | undefined,
): string {
  let text = "";
  let address = start;
  for (let i = 0; i < count; i++) {
    const bytes = readBytes(address, read);
    const instruction = disassemble(bytes, address);
    if (!instruction) return `${text}0x${hex(address, 8)}: unable to read memory\n`;
    text += layOut(address, bytes.subarray(0, instruction.length), instruction.text);
    address = BigInt.asUintN(64, address + BigInt(instruction.length));
  }
  return text;
}

function readBytes(address: bigint, read: (address: bigint) => number | undefined): Uint8Array {
  const bytes: number[] = [];
  while (bytes.length < MAX_LENGTH) {
    const byte = read(BigInt.asUintN(64, address + BigInt(bytes.length)));
    if (byte === undefined) break;
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

function layOut(address: bigint, bytes: Uint8Array, text: string): string {
  const [, mnemonic, operands] = /^((?:(?:lock|rep|repn?e) )*\S+) ?(.*)$/.exec(text) ?? ["", text, ""];
  let lines = "";
  for (let at = 0; at < bytes.length; at += BYTES_PER_LINE) {
    const shown = [...bytes.subarray(at, at + BYTES_PER_LINE)].map((byte) => byte.toString(16).padStart(2, "0"));
    const line = `0x${hex(address + BigInt(at), 8)}:  ${shown.join(" ")}`;
    const column = line.length + 3 * (BYTES_PER_LINE - shown.length) + 2;
    lines += at === 0 ? `${line.padEnd(column)}${`${mnemonic.padEnd(8)} ${operands}`.trimEnd()}\n` : `${line}\n`;
  }
  return lines;
}
