/** Single step, breakpoints, interrupt shadows, and code that changes itself (Intel SDM volume 3, chapters 6 and 18). */

import { GuestProgram, VEC } from "./builder.ts";

const p = new GuestProgram("debug");

p.fault("TF traps after the next instruction", "pushfd\nor dword [esp], 0x100\npopfd\nnop\n.tf: nop", {
  vector: VEC.DB,
  at: ".tf",
});
p.code("mov eax, dr6\nand eax, 0xe00f");
p.equal("DR6 says single step", "eax", 0x4000);
p.code("xor eax, eax\nmov dr6, eax");
p.fault("MOV SS holds the trap off", "mov bx, ss\npushfd\nor dword [esp], 0x100\npopfd\nmov ss, bx\nnop\n.ss: nop", {
  vector: VEC.DB,
  at: ".ss",
});
p.code("mov eax, .exec\nmov dr0, eax\nmov eax, 0x401\nmov dr7, eax");
p.fault("an instruction breakpoint is a fault", "nop\n.exec: nop", { vector: VEC.DB, at: ".exec" });
p.quiet("RF skips it once", "push dword 0x10002\npush dword 8\npush dword .exec2\niretd\n.exec2: nop");
p.code("mov eax, 0x20000\nmov dr1, eax\nmov eax, 0xd00408\nmov dr7, eax\nxor eax, eax\nmov dr6, eax");
p.quiet("a write breakpoint ignores reads", "mov eax, [0x20000]");
p.fault("and traps after a write", "mov [0x20002], al\n.write: nop", { vector: VEC.DB, at: ".write" });
p.code("mov eax, dr6\nand eax, 0xe00f");
p.equal("DR6 names the register", "eax", 2);
p.code("mov eax, 0x2400\nmov dr7, eax");
p.fault("GD guards the debug registers", ".gd: mov eax, dr0", { vector: VEC.DB, at: ".gd" });
p.code("mov eax, 0x400\nmov dr7, eax\nxor eax, eax\nmov dr6, eax");
p.fault("INT1", "db 0xf1\n.int1: nop", { vector: VEC.DB, at: ".int1" });

p.code(`mov ecx, 3
  xor ebx, ebx
  .again: mov byte [.patch + 1], 7
  .patch: mov al, 1
  movzx eax, al
  add ebx, eax
  mov byte [.patch + 1], 1
  dec ecx
  jne .again`);
p.equal("code written just ahead of itself runs as written", "ebx", 21);

// PIC at vector 0x40, timer channel 0 at about 1 kHz.
p.code(`mov al, 0x11
  out 0x20, al
  mov al, 0x40
  out 0x21, al
  mov al, 4
  out 0x21, al
  mov al, 1
  out 0x21, al
  mov al, 0xfe
  out 0x21, al
  mov al, 0x34
  out 0x43, al
  mov al, 0xa9
  out 0x40, al
  mov al, 4
  out 0x40, al`);
p.fault("the timer's interrupt ends HLT", "sti\nhlt\n.woken: nop", { vector: 0x40, at: ".woken" });
p.code("mov al, 0x20\nout 0x20, al");
p.fault(
  "STI lets one more instruction run",
  ".wait: mov al, 0x0a\nout 0x20, al\nin al, 0x20\ntest al, 1\nje .wait\nsti\nnop\n.shadow: nop",
  {
    vector: 0x40,
    at: ".shadow",
  },
);
p.code("mov al, 0x20\nout 0x20, al\nmov al, 0xff\nout 0x21, al");

export const debug = p;
