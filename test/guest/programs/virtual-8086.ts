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

export const virtual8086 = p;
