/** Paging of 32-bit code, and of 64-bit code with NX, SMEP and SMAP (Intel SDM volume 3, chapter 4). */

import { GuestProgram, VEC } from "./builder.ts";

const p = new GuestProgram("paging");
const PD = 0x20_8000;
const PT = 0x20_9000;
const AT = 0x40_0000;

// 32-bit tables: the first 4 MiB as one large page, the second through a table of 4 KiB pages.
p.code(`mov edi, ${PD}
  mov ecx, 0x800
  xor eax, eax
  rep stosd
  mov dword [${PD}], 0x87
  mov dword [${PD + 4}], ${PT + 7}
  mov dword [${PT}], ${AT + 7}
  mov dword [${PT + 4}], ${AT + 0x1000 + 5}
  mov dword [${PT + 8}], ${AT + 0x2000 + 3}
  mov dword [${PT + 16}], ${AT + 0x3000 + 7}
  mov eax, cr4
  or eax, 0x10
  mov cr4, eax
  mov eax, ${PD}
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax`);
const touch = (offset: number): string => `[${AT + offset}]`;
p.code(`mov eax, ${touch(0)}`);
p.equal("a read sets the accessed bit", `[${PT}]`, AT + 0x27);
p.code(`mov dword ${touch(0)}, 1`);
p.equal("a write sets the dirty bit", `[${PT}]`, AT + 0x67);
p.equal("in the directory too, accessed alone", `[${PD + 4}]`, PT + 0x27);
p.fault("a read of an absent page", `mov eax, ${touch(0x3004)}`, { vector: VEC.PF, error: 0, cr2: AT + 0x3004 });
p.fault("a write of an absent page", `mov ${touch(0x3004)}, eax`, { vector: VEC.PF, error: 2, cr2: AT + 0x3004 });
p.fault("a read that runs into an absent page", `mov eax, ${touch(0x2ffe)}`, {
  vector: VEC.PF,
  cr2: AT + 0x3000,
});
p.quiet("ring 0 writes read-only pages without WP", `mov ${touch(0x1000)}, eax`);
p.code("mov eax, cr0\nor eax, 0x10000\nmov cr0, eax");
p.fault("and not with it", `mov ${touch(0x1000)}, eax`, { vector: VEC.PF, error: 3 });
p.user("ring 3 reads a user page", `mov eax, ${touch(0x1000)}`);
p.user("and does not write it", `mov ${touch(0x1000)}, eax`, { vector: VEC.PF, error: 7 });
p.user("nor reads one of ring 0", `mov eax, ${touch(0x2000)}`, { vector: VEC.PF, error: 5, cr2: AT + 0x2000 });
p.user("nor an absent one", `mov eax, ${touch(0x3000)}`, { vector: VEC.PF, error: 4 });
p.code(`mov dword ${touch(0x1ffc)}, 0x11223344`.replace(`${AT + 0x1ffc}`, `${AT + 0x0ffc}`));
p.code(`mov dword ${touch(0x4000)}, 0\nmov eax, ${touch(0x4000)}`);
p.code(`mov dword [${PT + 16}], ${AT + 7}\ninvlpg ${touch(0x4000)}\nmov ebx, ${touch(0x4ffc)}`);
p.equal("INVLPG forgets a page", "ebx", 0x1122_3344);
p.code(`mov edi, ${AT + 0x2ff8}\nmov ecx, 4\nmov eax, 0x5a5a5a5a`);
p.fault("REP STOS stops at an absent page", "rep stosd", { vector: VEC.PF, error: 2, cr2: AT + 0x3000 });
p.equal("with ECX where it was", "ecx", 2);
p.equal("and EDI", "edi", AT + 0x3000);
p.code("mov eax, cr0\nand eax, 0x7ffeffff\nmov cr0, eax");

p.long(() => {
  const page = (index: number, flags: string): string =>
    `mov rax, ${flags}\nmov [PT64 + ${index * 8}], rax\ninvlpg [${AT + index * 0x1000}]`;
  p.code("mov byte [0x401000], 0xc3\nmov byte [0x402000], 0xc3");
  p.code(page(1, "0x8000000000401003"));
  p.fault64("no execution in an NX page", "mov rax, 0x401000\ncall rax", {
    vector: VEC.PF,
    error: 0x11,
    cr2: 0x40_1000,
  });
  p.code(page(2, "0x0008000000402003"));
  p.fault64("a reserved bit", "mov rax, [0x402000]", { vector: VEC.PF, error: 0x9 });
  p.code(`${page(2, "0x402007")}\nand byte [PD64], 0xfb\nmov rax, cr3\nmov cr3, rax`);
  p.code("mov rax, cr4\nor eax, 0x100000\nmov cr4, rax");
  p.fault64("SMEP", "mov rax, 0x402000\njmp rax", { vector: VEC.PF, error: 0x11 });
  p.code("mov rax, cr4\nor eax, 0x200000\nmov cr4, rax\nclac");
  p.fault64("SMAP", "mov rax, [0x402000]", { vector: VEC.PF, error: 1 });
  p.quiet64("SMAP with AC", "stac\nmov rax, [0x402000]\nclac");
  p.code("mov rax, cr4\nand eax, 0xffcfffff\nmov cr4, rax\nor byte [PD64], 4\nmov rax, cr3\nmov cr3, rax");
  p.fault64("an address that is not canonical", "mov rax, 0x800000000000\nmov rbx, [rax]", { vector: VEC.GP });
  p.fault64("the same on the stack", "mov rbp, 0x800000000000\nmov rbx, [rbp]", { vector: VEC.SS });
  p.user64("ring 3 of 64-bit code", "nop");
  p.equal64("the stack of an interrupt", "[fault_frame]", "ring0_stack - 40");
  p.user64("IRETQ from ring 3 to ring 0", "push 0x10\npush 0x5000\npush 2\npush 0x40\npush 0x10000\niretq", {
    vector: VEC.GP,
    error: 0x40,
  });
});

export const paging = p;
