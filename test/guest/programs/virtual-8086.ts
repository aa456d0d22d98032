/** Virtual-8086 mode seen from its monitor (Intel SDM volume 3, chapter 21). */

import { type Fault, FINISHED, GuestProgram, VEC } from "./builder.ts";

const p = new GuestProgram("virtual-8086");

/** Runs 16-bit code in V86 mode, CS at the program, with `flags` besides VM; `int 0x80` ends it where IOPL is 3. */
function v86(name: string, code: string, fault: Fault, flags = 0x0002): void {
  const entry = p.label();
  p.data(`bits 16\n${entry}:\n${code}\nint 0x80\nbits 32`);
  p.fault(
    name,
    `push dword 0x1111
    push dword 0x2222
    push dword 0x3333
    push dword 0x4444
    push dword 0
    push dword 0x5000
    push dword ${flags | 0x20000}
    push dword 0x1000
    push dword ${entry} - image
    iretd`,
    fault,
  );
}

const IOPL3 = 0x3002;
v86("INT with IOPL 0 goes to the monitor", "nop", { vector: VEC.GP });
v86("INT with IOPL 3 goes through the IDT", "nop", FINISHED, IOPL3);
p.code("mov eax, [fault_flags]\nand eax, 0x20000");
p.equal("VM is in the pushed flags", "eax", 0x20000);
p.equal("CS", "[fault_cs]", 0x1000);
p.equal("SP", "[fault_sp]", 0x5000);
p.code("mov ebx, [fault_frame]");
p.equal("ES above SS", "[ebx+20]", 0x4444);
p.equal("then DS", "[ebx+24]", 0x3333);
p.equal("then FS", "[ebx+28]", 0x2222);
p.equal("then GS", "[ebx+32]", 0x1111);
p.equal("on the ring 0 stack", "ebx", "ring0_stack - 36");
for (const instruction of ["cli", "sti", "pushf", "popf", "iret"]) {
  v86(`${instruction} with IOPL 0`, instruction, { vector: VEC.GP });
}
for (const instruction of ["hlt", "clts", "mov eax, cr0", "lgdt [0]", "wbinvd"]) {
  v86(`${instruction} with IOPL 3`, instruction, { vector: VEC.GP }, IOPL3);
}
for (const instruction of ["sldt ax", "str ax", "lar ax, bx", "verr ax", "lldt ax"]) {
  v86(`${instruction} is no instruction`, instruction, { vector: VEC.UD }, IOPL3);
}
v86("CLI and PUSHF with IOPL 3", "cli\npushf\npop ax\nand ax, 0x200\nje .clear\nud2\n.clear: nop", FINISHED, IOPL3);
v86("a port closed by the map, whatever IOPL is", "in al, 0xed", { vector: VEC.GP }, IOPL3);
v86("an open port", "in al, 0x80", FINISHED, IOPL3);
v86("INT3 with IOPL 0", "int3", { vector: VEC.BP });
v86("a segment is 64 KiB", "xor bx, bx\nmov ds, bx\nmov eax, [0xfffd]", { vector: VEC.GP }, IOPL3);
v86("segments are selectors times 16", "mov bx, 0x2000\nmov ds, bx\nmov word [0x10], 0x77", FINISHED, IOPL3);
p.equal("as the monitor sees", "[0x20010]", 0x77);

// What instructions do that are the same everywhere but for segments
v86(
  "far calls and returns",
  "call 0x1000:.far_sub - image\njmp .far_done\n.far_sub: retf\n.far_done: nop",
  FINISHED,
  IOPL3,
);
v86(
  "IRET with IOPL 3 keeps IOPL and VM",
  "pushf\npushf\npop ax\nand ax, 0x0fff\npush ax\npush cs\npush .iret_to - image\niret\n.iret_to: nop",
  FINISHED,
  IOPL3,
);
p.code("mov eax, [fault_flags]\nand eax, 0x23000");
p.equal("as the flags show", "eax", 0x2_3000);
v86(
  "POPF does not change IOPL",
  "push word 0\npopf\npushf\npop ax\ntest ax, 0x3000\njne .iopl_kept\nud2\n.iopl_kept: nop",
  FINISHED,
  IOPL3,
);
v86(
  "32-bit operands",
  "mov eax, 0x12345678\npush eax\npop ebx\ncmp eax, ebx\nje .same32\nud2\n.same32: nop",
  FINISHED,
  IOPL3,
);
v86("32-bit addresses within 64 KiB", "mov ebx, 0x100\nmov ax, [ebx]", FINISHED, IOPL3);
v86("and beyond", "mov ebx, 0x10000\n.beyond: mov ax, [ebx]", { vector: VEC.GP });
v86("a stack beyond", "mov ebp, 0x10000\nmov ax, [ebp]", { vector: VEC.SS });
v86("a word at the end of a segment", "mov ax, [0xffff]", { vector: VEC.GP });
v86(
  "a far jump to any selector",
  "jmp 0x1001:.any - image - 16\n.any: mov ax, cs\ncmp ax, 0x1001\nje .is_any\nud2\n.is_any: nop",
  FINISHED,
  IOPL3,
);
v86("an exception", "xor cx, cx\ndiv cx", { vector: VEC.DE });
p.equal("with CS as a segment", "[fault_cs]", 0x1000);
v86("single step", "nop\n.stepped86: nop", { vector: VEC.DB }, 0x0102);
v86("POPF sets TF", "push word 0x3102\npopf\nnop", { vector: VEC.DB }, IOPL3);
v86("STI and a hardware interrupt's shadow", "sti\nnop\ncli", FINISHED, IOPL3);
for (const instruction of ["arpl ax, bx", "lsl ax, bx", "verw ax", "ltr ax", "sgdt [0x8000]"]) {
  if (instruction.startsWith("sgdt")) v86(`${instruction} works`, instruction, FINISHED, IOPL3);
  else v86(`${instruction} is no instruction either`, instruction, { vector: VEC.UD }, IOPL3);
}
v86("SMSW works", "smsw ax\ntest al, 1\njne .pe\nud2\n.pe: nop", FINISHED, IOPL3);
v86("LMSW does not", "lmsw ax", { vector: VEC.GP }, IOPL3);
v86("MOV to DR", "mov dr0, eax", { vector: VEC.GP }, IOPL3);
v86("RDMSR", "rdmsr", { vector: VEC.GP }, IOPL3);
v86("CPUID", "xor eax, eax\ncpuid", FINISHED, IOPL3);
v86("INT3 with IOPL 3", "int3", { vector: VEC.BP }, IOPL3);
v86("INTO with IOPL 0", "mov al, 0x7f\ninc al\ninto", { vector: VEC.OF });
v86("BOUND", "mov ax, 1\nbound ax, [.bounds86 - image]\n.bounds86: dw 5, 9", { vector: VEC.BR });

// Gates from virtual-8086 mode lead to ring 0 only, and not to conforming code.
const conforming = p.descriptor({ access: 0x9f });
const ring1 = p.descriptor({ access: 0xbb });
const gate = (selector: number, dpl = 3): string =>
  `mov dword [idt + ${0x31 * 8}], (vector32_49 & 0xffff) | ${selector << 16}\nmov dword [idt + ${0x31 * 8 + 4}], (vector32_49 & 0xffff0000) | ${(0x8e | (dpl << 5)) << 8}`;
p.code(gate(8));
v86("INT through a gate of ring 3", "int 0x31", { vector: 0x31 }, IOPL3);
p.code(gate(8, 0));
v86("INT through a gate of ring 0", "int 0x31", { vector: VEC.GP, error: 0x31 * 8 + 2 }, IOPL3);
p.code(gate(conforming));
v86("INT to conforming code", "int 0x31", { vector: VEC.GP, error: conforming }, IOPL3);
p.code(gate(ring1));
v86("INT to ring 1", "int 0x31", { vector: VEC.GP, error: ring1 }, IOPL3);

// Interrupts of 16 bits push words; of 32 bits segments with zeros above.
p.code("mov dword [ring0_stack - 8], -1\nmov dword [ring0_stack - 20], -1");
v86("a 32-bit gate", "nop", FINISHED, IOPL3);
p.equal("pushes whole doublewords", "[ring0_stack - 8]", 0x2222);

export const virtual8086 = p;
