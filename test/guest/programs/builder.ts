/**
 * Guest programs that test what only privileged code can see. A program is a 64 KiB firmware image of our own; it
 * copies itself to RAM, enters flat 32-bit protected mode, runs its checks and leaves through isa-debug-exit. Each
 * check prints one line on port 0xe9: `ok 3 name` or `not ok 3 name: GOT instead of EXPECTED`.
 *
 * The text given to `code` runs in ring 0 of 32-bit protected mode, with flat segments, interrupts off and no paging,
 * and must leave them so. The other methods wrap code that runs elsewhere: ring 3, real mode, long mode. All registers
 * may be changed, except ESP.
 *
 * Memory: 0x500-0x8fff stacks, 0x10000-0x1ffff the program, 0x20000-0x7ffff free for the program,
 * 0x200000-0x20ffff page tables, the rest free.
 */

import { assemble } from "../../tools/asm.ts";
import { LIBRARY, TABLES } from "./library.ts";

export const IMAGE_SIZE = 0x10000;

/** Selectors of the descriptors every program has. */
export const SEL = {
  code32: 0x08,
  data32: 0x10,
  userCode32: 0x1b,
  userData32: 0x23,
  tss: 0x28,
  /** Base 0x10000: offsets are `label - image`. */
  code16: 0x30,
  data16: 0x38,
  code64: 0x40,
  userCode64: 0x4b,
  tss64: 0x50,
} as const;

const FIRST_FREE_SELECTOR = 0x60;

/** Exception vectors. */
export const VEC = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  XM: 19,
} as const;

/** What code that ends with `int 0x80` reports when nothing stopped it before. */
export const FINISHED = { vector: 0x80 } as const;
/** What code that runs past its end reports. */
const NO_FAULT = 0xff;

export interface Fault {
  readonly vector: number;
  readonly error?: number;
  /** Label or expression of the address the fault must report. */
  readonly at?: string;
  /** Expected CR2. */
  readonly cr2?: string | number;
}

export interface Descriptor {
  /** Number or expression. */
  readonly base?: number | string;
  /** In units of the granularity bit. */
  readonly limit?: number | string;
  /** Present, DPL, S and type bits. */
  readonly access: number;
  /** G, D/B, L and AVL: the upper half of byte 6. */
  readonly flags?: number;
}

export class GuestProgram {
  readonly name: string;
  readonly cpu: string;
  readonly #code: string[] = [];
  readonly #data: string[] = [];
  readonly #descriptors: string[] = [];
  #labels = 0;

  constructor(name: string, cpu = "max") {
    this.name = name;
    this.cpu = cpu;
  }

  /** A label no one else has. */
  label(): string {
    return `.l${this.#labels++}`;
  }

  code(text: string): this {
    this.#code.push(text);
    return this;
  }

  /** Lines placed outside the flow: tables, handlers. */
  data(text: string): this {
    this.#data.push(text);
    return this;
  }

  #string(text: string): string {
    const label = this.label();
    this.data(`${label}: db ${JSON.stringify(text)}, 0`);
    return label;
  }

  /** Adds a descriptor to the GDT; returns its selector (RPL 0). `label` names its address. */
  descriptor(descriptor: Descriptor, label = this.label()): number {
    const { base = 0, limit = 0xfffff, access, flags = 0xc } = descriptor;
    const selector = FIRST_FREE_SELECTOR + 8 * this.#descriptors.length;
    const bytes = [
      `${label}: dw (${limit}) & 0xffff, (${base}) & 0xffff`,
      `db ((${base}) >> 16) & 0xff, ${access}, (((${limit}) >> 16) & 0xf) | ${flags << 4}, ((${base}) >> 24) & 0xff`,
    ];
    this.#descriptors.push(bytes.join("\n"));
    return selector;
  }

  /** Adds a call, interrupt, trap or task gate; `type` is 4 bits. */
  gate(gate: { selector: number; offset?: string; type: number; dpl?: number; count?: number }): number {
    const { selector, offset = "0", type, dpl = 0, count = 0 } = gate;
    const label = this.label();
    const index = this.#descriptors.length;
    const access = 0x80 | (dpl << 5) | type;
    this.#descriptors.push(
      `${label}: dw (${offset}) & 0xffff, ${selector}\ndb ${count}, ${access}\ndw ((${offset}) >> 16) & 0xffff`,
    );
    return FIRST_FREE_SELECTOR + 8 * index;
  }

  /** Checks a 32-bit register, memory operand or constant. */
  equal(name: string, got: string, expected: number | string): this {
    const source = got.startsWith("[") ? `dword ${got}` : got;
    const value = typeof expected === "number" ? expected >>> 0 : expected;
    return this.code(`push ${source}
      push dword ${value}
      push dword ${this.#string(name)}
      call check`);
  }

  /** The same for a 64-bit value, in 64-bit code. */
  equal64(name: string, got: string, expected: bigint | number | string): this {
    const source = got.startsWith("[") ? `qword ${got}` : got;
    const constant = this.label();
    this.data(`${constant}: dq ${typeof expected === "string" ? expected : BigInt.asUintN(64, BigInt(expected))}`);
    return this.code(`push ${source}
      push qword [${constant}]
      push ${this.#string(name)}
      call check64`);
  }

  /** Runs code in ring 0 that must end with a fault (or with `int 0x80`), and checks which. */
  fault(name: string, code: string, { vector, error = 0, at, cr2 }: Fault): this {
    const after = this.label();
    this.code(`mov dword [resume], ${after}
      mov [resume_esp], esp
      mov dword [fault_vector], ${NO_FAULT}
      mov dword [fault_error], 0
      ${code}
      ${after}:
      call fault_summary`);
    this.equal(name, "eax", (vector << 16) | error);
    if (at !== undefined) this.equal(`${name}: address`, "[fault_ip]", at);
    if (cr2 !== undefined) this.equal(`${name}: CR2`, "[fault_cr2]", cr2);
    return this;
  }

  /** Runs code that must not fault. */
  quiet(name: string, code: string): this {
    return this.fault(name, code, { vector: NO_FAULT });
  }

  /** Runs 32-bit code in ring 3 until a fault or its end (FINISHED). */
  user(name: string, code: string, fault: Fault = FINISHED, { flags = 2 }: { flags?: number } = {}): this {
    const entry = this.label();
    return this.fault(
      name,
      `push dword ${SEL.userData32}
      push dword user_stack
      push dword ${flags}
      push dword ${SEL.userCode32}
      push dword ${entry}
      mov ax, ${SEL.userData32}
      mov ds, ax
      mov es, ax
      iretd
      ${entry}:
      ${code}
      int 0x80`,
      fault,
    );
  }

  /** Runs 16-bit code in real mode with CS, DS and ES at the program; offsets are `label - image`. SS:SP is 0:8000. */
  real(code: string): this {
    const [in16, inReal, back] = [this.label(), this.label(), this.label()];
    return this.code(`mov [saved_esp], esp
      jmp ${SEL.code16}:${in16} - image
      bits 16
      ${in16}:
      mov ax, ${SEL.data16}
      mov ds, ax
      mov es, ax
      mov fs, ax
      mov gs, ax
      mov ss, ax
      mov eax, cr0
      and al, 0xfe
      mov cr0, eax
      jmp 0x1000:${inReal} - image
      ${inReal}:
      mov ax, cs
      mov ds, ax
      mov es, ax
      xor ax, ax
      mov ss, ax
      mov sp, 0x8000
      lidt [real_idtr - image]
      ${code}
      cli
      mov ax, cs
      mov ds, ax
      lgdt [gdtr - image]
      mov eax, cr0
      or al, 1
      mov cr0, eax
      jmp dword ${SEL.code32}:${back}
      bits 32
      ${back}:
      call flat_again`);
  }

  /** Runs code in 64-bit mode with memory below 1 GiB mapped to itself (see `make_page_tables`). */
  long(body: () => void): this {
    const [in64, back] = [this.label(), this.label()];
    this.code(`mov [saved_esp], esp
      call enter_long
      jmp ${SEL.code64}:${in64}
      bits 64
      ${in64}:
      call begin64`);
    body();
    return this.code(`mov rsp, long_stack
      push ${SEL.code32}
      push ${back}
      retfq
      bits 32
      ${back}:
      mov ax, ${SEL.data32}
      mov ss, ax
      mov esp, [saved_esp]
      call leave_long
      call flat_again`);
  }

  /** `fault` for 64-bit code. */
  fault64(name: string, code: string, { vector, error = 0, at, cr2 }: Fault): this {
    const after = this.label();
    this.code(`mov dword [resume], ${after}
      mov [resume_esp], rsp
      mov dword [fault_vector], ${NO_FAULT}
      mov dword [fault_error], 0
      ${code}
      ${after}:
      call fault_summary64`);
    this.equal64(name, "rax", (vector << 16) | error);
    if (at !== undefined) this.equal64(`${name}: address`, "[fault_ip]", at);
    if (cr2 !== undefined) this.equal64(`${name}: CR2`, "[fault_cr2]", cr2);
    return this;
  }

  quiet64(name: string, code: string): this {
    return this.fault64(name, code, { vector: NO_FAULT });
  }

  /** Runs 64-bit code in ring 3 until a fault or its end (FINISHED). */
  user64(name: string, code: string, fault: Fault = FINISHED, { flags = 2 }: { flags?: number } = {}): this {
    const entry = this.label();
    return this.fault64(
      name,
      `push ${SEL.userData32}
      push user_stack
      push ${flags}
      push ${SEL.userCode64}
      push ${entry}
      iretq
      ${entry}:
      ${code}
      int 0x80`,
      fault,
    );
  }

  source(): string {
    return [
      LIBRARY,
      "bits 32\nmain:",
      ...this.#code,
      "jmp done",
      "bits 32",
      ...this.#data,
      TABLES(this.#descriptors.join("\n")),
    ].join("\n");
  }

  /** The firmware image: the program from its start, and the reset vector in its last 16 bytes. */
  image(): Uint8Array {
    const { bytes, labels } = assemble(this.source());
    const start = labels.get("start16")! - labels.get("image")!;
    if (bytes.length > IMAGE_SIZE - 16) throw new RangeError(`program ${this.name} is too long`);
    const image = new Uint8Array(IMAGE_SIZE);
    image.set(bytes);
    image.set([0xea, start & 0xff, start >> 8, 0x00, 0xf0], IMAGE_SIZE - 16);
    return image;
  }
}
