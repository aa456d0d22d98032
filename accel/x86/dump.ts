/** The text of `info registers`, in QEMU's layout. */

/** A segment register or the like; `attributes` as in bits 8 to 23 of the descriptor's second word, where they are. */
export interface ShownSegment {
  readonly selector: number;
  readonly base: bigint;
  readonly limit: number;
  readonly attributes: number;
}

export interface ShownRegisters {
  /** RAX to R15 in the hardware's order. */
  readonly regs: ArrayLike<bigint>;
  readonly rip: bigint;
  readonly rflags: bigint;
  readonly cpl: number;
  /** An interrupt shadow holds interrupts off. */
  readonly inhibit: boolean;
  readonly a20: boolean;
  readonly smm: boolean;
  readonly halted: boolean;
  /** ES, CS, SS, DS, FS, GS. */
  readonly segments: readonly ShownSegment[];
  readonly ldt: ShownSegment;
  readonly tr: ShownSegment;
  readonly gdt: { readonly base: bigint; readonly limit: number };
  readonly idt: { readonly base: bigint; readonly limit: number };
  readonly cr0: bigint;
  readonly cr2: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly dr: ArrayLike<bigint>;
  readonly efer: bigint;
  readonly fpControl: number;
  /** With TOP in it. */
  readonly fpStatus: number;
  /** A bit for each physical register that is not empty. */
  readonly fpTags: number;
  readonly mxcsr: number;
  /** Physical x87 registers: mantissa, then sign and exponent. */
  readonly fpr: ArrayLike<bigint>;
  /** Low half, then high half of each. */
  readonly xmm: ArrayLike<bigint>;
}

const NAMES64 = ["RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", "RSP"];
const NAMES32 = ["EAX", "EBX", "ECX", "EDX", "ESI", "EDI", "EBP", "ESP"];
/** QEMU's order to the hardware's. */
const ORDER = [0, 3, 1, 2, 6, 7, 5, 4];
const SEGMENTS = ["ES", "CS", "SS", "DS", "FS", "GS"];
const CS = 1;
const EFER_LMA = 0x400n;
const ATTR_L = 1 << 21;

const hex = (value: number | bigint, digits: number): string =>
  BigInt.asUintN(64, BigInt(value)).toString(16).padStart(digits, "0");

function flagLetters(flags: bigint): string {
  const bit = (position: number, letter: string): string => ((flags >> BigInt(position)) & 1n ? letter : "-");
  return bit(10, "D") + bit(11, "O") + bit(7, "S") + bit(6, "Z") + bit(4, "A") + bit(2, "P") + bit(0, "C");
}

function segmentKind(attributes: number, long: boolean): string {
  const dpl = (attributes >> 13) & 3;
  const present = (attributes & 0x8000) !== 0;
  if (!present) return "";
  const type = (attributes >> 8) & 15;
  if ((attributes & 0x1000) === 0) {
    const system = ["Reserved", "TSS16-avl", "LDT", "TSS16-busy", "CallGate16", "TaskGate", "IntGate16", "TrapGate16"];
    const wide = [
      "Reserved",
      "TSS32-avl",
      "Reserved",
      "TSS32-busy",
      "CallGate32",
      "Reserved",
      "IntGate32",
      "TrapGate32",
    ];
    const name = type < 8 ? system[type] : wide[type - 8];
    return ` DPL=${dpl} ${long ? name.replace("32", "64") : name}`;
  }
  if (type & 8) {
    const size = long && attributes & 0x200000 ? "CS64" : attributes & 0x400000 ? "CS32" : "CS16";
    return ` DPL=${dpl} ${size} [${type & 4 ? "C" : "-"}${type & 2 ? "R" : "-"}${type & 1 ? "A" : "-"}]`;
  }
  const size = attributes & 0x400000 ? "DS  " : "DS16";
  return ` DPL=${dpl} ${size} [${type & 4 ? "E" : "-"}${type & 2 ? "W" : "-"}${type & 1 ? "A" : "-"}]`;
}

export function dumpRegisters(s: ShownRegisters): string {
  const long = (s.efer & EFER_LMA) !== 0n;
  const code64 = long && (s.segments[CS].attributes & ATTR_L) !== 0;
  const width = code64 ? 16 : 8;
  const mask = code64 ? -1n : 0xffffffffn;
  const flags = s.rflags;
  const lines: string[] = [];
  const names = code64 ? NAMES64 : NAMES32;
  const value = (index: number): string => hex(s.regs[index] & mask, width);
  lines.push(
    names
      .slice(0, 4)
      .map((name, i) => `${name}=${value(ORDER[i])}`)
      .join(" "),
  );
  lines.push(
    names
      .slice(4)
      .map((name, i) => `${name}=${value(ORDER[i + 4])}`)
      .join(" "),
  );
  if (code64) {
    for (const start of [8, 12]) {
      lines.push([0, 1, 2, 3].map((i) => `${`R${start + i}`.padEnd(3)}=${value(start + i)}`).join(" "));
    }
  }
  const ip = code64 ? "RIP" : "EIP";
  const fl = code64 ? "RFL" : "EFL";
  lines.push(
    `${ip}=${hex(s.rip & mask, width)} ${fl}=${hex(flags, 8)} [${flagLetters(flags)}] CPL=${s.cpl} II=${s.inhibit ? 1 : 0} ` +
      `A20=${s.a20 ? 1 : 0} SMM=${s.smm ? 1 : 0} HLT=${s.halted ? 1 : 0}`,
  );
  const segment = (name: string, { selector, base, limit, attributes }: ShownSegment): string =>
    `${name.padEnd(3)}=${hex(selector & 0xffff, 4)} ${hex(base, long ? 16 : 8)} ${hex(limit, 8)} ${hex(attributes, 8)}${segmentKind(attributes, long)}`;
  for (const [i, name] of SEGMENTS.entries()) {
    lines.push(segment(name, s.segments[i]));
  }
  lines.push(segment("LDT", s.ldt));
  lines.push(segment("TR", s.tr));
  const table = long ? 16 : 8;
  lines.push(`GDT=     ${hex(s.gdt.base, table)} ${hex(s.gdt.limit, 8)}`);
  lines.push(`IDT=     ${hex(s.idt.base, table)} ${hex(s.idt.limit, 8)}`);
  lines.push(`CR0=${hex(s.cr0, 8)} CR2=${hex(s.cr2, table)} CR3=${hex(s.cr3, table)} CR4=${hex(s.cr4, 8)}`);
  lines.push([0, 1, 2, 3].map((i) => `DR${i}=${hex(s.dr[i], table)}`).join(" "));
  lines.push(`DR6=${hex(s.dr[6], table)} DR7=${hex(s.dr[7], table)}`);
  lines.push(`EFER=${hex(s.efer, 16)}`);
  const top = (s.fpStatus >> 11) & 7;
  lines.push(
    `FCW=${hex(s.fpControl, 4)} FSW=${hex(s.fpStatus, 4)} [ST=${top}] FTW=${hex(s.fpTags, 2)} MXCSR=${hex(s.mxcsr, 8)}`,
  );
  for (let i = 0; i < 8; i += 2) {
    lines.push(
      [i, i + 1].map((r) => `FPR${r}=${hex(s.fpr[r * 2], 16)} ${hex(s.fpr[r * 2 + 1] & 0xffffn, 4)}`).join(" "),
    );
  }
  const count = code64 ? 16 : 8;
  for (let i = 0; i < count; i += 2) {
    lines.push(
      [i, i + 1]
        .map((r) => `XMM${String(r).padStart(2, "0")}=${hex(s.xmm[r * 2 + 1], 16)}${hex(s.xmm[r * 2], 16)}`)
        .join(" "),
    );
  }
  return `${lines.join("\n")}\n`;
}
