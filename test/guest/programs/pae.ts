/**
 * Paging of 32-bit code: PAE with NX, large pages, reserved bits, accessed and dirty bits, global pages, and what the
 * TLB may not remember (Intel SDM volume 3, sections 4.3, 4.4, 4.6 to 4.8 and 4.10).
 */

import { FINISHED, GuestProgram, VEC } from "./builder.ts";

const p = new GuestProgram("pae");

const PDPT = 0x20_8000;
const PD = 0x20_9000;
const PT = 0x20_a000;
const OTHER_PDPT = 0x20_b000;
const AT = 0x40_0000;
const LARGE = 0x60_0000;

const touch = (offset: number): string => `[${AT + offset}]`;
const page = (index: number): number => AT + index * 0x1000;
/** Sets the entry of a small page. */
const entry = (index: number, low: number, high = 0): string =>
  `mov dword [${PT + index * 8}], ${low}\nmov dword [${PT + index * 8 + 4}], ${high}\ninvlpg [${page(index)}]`;
const setEfer = (on: boolean): string =>
  `mov ecx, 0xc0000080\nrdmsr\n${on ? "or eax, 0x800" : "and eax, 0xfffff7ff"}\nwrmsr`;
const setCr4 = (set: number, clear = 0): string =>
  `mov eax, cr4\nand eax, ${0xffff_ffff - clear}\nor eax, ${set}\nmov cr4, eax`;
const PAGING = "mov eax, cr0\nor eax, 0x80000000\nmov cr0, eax";
const NO_PAGING = "mov eax, cr0\nand eax, 0x7ffeffff\nmov cr0, eax";
const RELOAD = "mov eax, cr3\nmov cr3, eax";
const PF = VEC.PF;

// Two large pages to themselves, then small ones, then a large one.
p.code(`mov edi, ${PDPT}
  mov ecx, 0x1000
  xor eax, eax
  cld
  rep stosd
  mov dword [${PDPT}], ${PD + 1}
  mov dword [${PD}], 0x87
  mov dword [${PD + 8}], 0x200087
  mov dword [${PD + 16}], ${PT + 7}
  mov dword [${PD + 24}], ${LARGE + 0x87}
  mov dword [${OTHER_PDPT}], ${PD + 1}
  ${entry(0, AT + 7)}
  ${entry(1, page(1) + 5)}
  ${entry(2, page(2) + 3)}
  ${setCr4(0x20)}
  mov eax, ${PDPT}
  mov cr3, eax`);

// PDPTEs
for (const [name, low, high] of [
  ["bit 1", PD + 3, 0],
  ["bit 2", PD + 5, 0],
  ["bit 5", PD + 0x21, 0],
  ["bit 8", PD + 0x101, 0],
  ["an address beyond the physical width", PD + 1, 0x100],
  ["NX", PD + 1, 0x8000_0000],
] as const) {
  p.code(`mov dword [${PDPT + 8}], ${low}\nmov dword [${PDPT + 12}], ${high}`);
  p.fault(`turning paging on with ${name} set in a PDPTE`, PAGING, { vector: VEC.GP });
}
p.code(`mov dword [${PDPT + 8}], ${PD + 2}\nmov dword [${PDPT + 12}], 0`);
p.quiet("an absent PDPTE may have anything", PAGING);
p.code("mov eax, cr0\nmov ebx, eax");
p.fault("an address under it", "mov eax, [0x40000004]", { vector: PF, error: 0, cr2: 0x4000_0004 });
p.code(`mov dword [${PDPT + 8}], ${PD + 1}`);
p.fault("PDPTEs are read with CR3 only", "invlpg [0x40000004]\nmov eax, [0x40000004]", { vector: PF, error: 0 });
p.quiet("and then are", `${RELOAD}\nmov eax, [0x40000004]`);
p.code(`mov dword [${OTHER_PDPT + 8}], ${PD + 0x201}\nmov eax, ${OTHER_PDPT}`);
p.quiet("bits 9 to 11 are free", "mov cr3, eax");
p.code(`mov dword [${OTHER_PDPT + 8}], ${PD + 3}\nmov eax, ${PDPT}\nmov cr3, eax\nmov eax, ${OTHER_PDPT}`);
p.fault("CR3 with a bad PDPTE", "mov cr3, eax", { vector: VEC.GP });
p.code("mov ebx, cr3");
p.equal("stays as it was", "ebx", PDPT);
p.code(`mov dword [${OTHER_PDPT + 8}], 0\nmov dword [${OTHER_PDPT + 32}], ${PD + 1}\nmov eax, ${OTHER_PDPT + 32}`);
p.quiet("a PDPT on a 32-byte boundary", `mov cr3, eax\nmov eax, ${touch(0)}`);
p.code(`mov eax, ${PDPT}\nmov cr3, eax`);

// Accessed and dirty bits
p.code(`${entry(0, AT + 7)}\nmov dword [${PD + 16}], ${PT + 7}\n${RELOAD}\nmov eax, ${touch(4)}`);
p.equal("a read sets the accessed bit", `[${PT}]`, AT + 0x27);
p.equal("above, too", `[${PD + 16}]`, PT + 0x27);
p.code(`mov ${touch(4)}, eax`);
p.equal("a write the dirty bit, although the page is known", `[${PT}]`, AT + 0x67);
p.code(`mov dword [${PT}], ${AT + 7}\ninvlpg ${touch(0)}\nadd dword ${touch(8)}, 1`);
p.equal("a read and write in one", `[${PT}]`, AT + 0x67);
p.code(`mov dword [${PD + 24}], ${LARGE + 0x87}\n${RELOAD}\nmov eax, [${LARGE}]`);
p.equal("in a large page", `[${PD + 24}]`, LARGE + 0xa7);
p.code(`mov [${LARGE}], eax`);
p.equal("and its dirty bit", `[${PD + 24}]`, LARGE + 0xe7);

// Rights
p.code("mov eax, cr0\nor eax, 0x10000\nmov cr0, eax");
p.fault("a write to a read-only page with WP", `mov ${touch(0x1000)}, eax`, { vector: PF, error: 3, cr2: page(1) });
p.user("a write in ring 3", `mov ${touch(0x1000)}, eax`, { vector: PF, error: 7 });
p.user("a read of ring 0's", `mov eax, ${touch(0x2000)}`, { vector: PF, error: 5 });
p.user("a read and write of an absent page is a write", `add ${touch(0x3000)}, eax`, { vector: PF, error: 6 });
const MODIFY = [
  "inc dword @",
  "xchg @, eax",
  "shl dword @, 1",
  "bts dword @, 1",
  "not byte @",
  "lock xadd @, eax",
  "cmpxchg8b @",
];
for (const code of MODIFY) {
  p.fault(`so is ${code}`, code.replace("@", touch(0x3ff0)), { vector: PF, error: 2, cr2: page(3) + 0xff0 });
}
for (const code of ["cmp eax, @", "test @, eax", "bt dword @, 1", "push dword @", "mul dword @", "imul eax, @"]) {
  p.fault(`not ${code}`, code.replace("@", touch(0x3ff0)), { vector: PF, error: 0 });
}
p.fault("POP into an absent page", `push eax\npop dword ${touch(0x3000)}`, { vector: PF, error: 2 });
p.user("a push on an absent page", `mov esp, ${page(4)}\npush eax`, { vector: PF, error: 6, cr2: page(4) - 4 });
p.code(`mov dword [${PD + 16}], ${PT + 5}\n${RELOAD}`);
p.fault("the directory's W counts too", `mov ${touch(0)}, eax`, { vector: PF, error: 3 });
p.code(`mov dword [${PD + 16}], ${PT + 3}\n${RELOAD}`);
p.user("and U", `mov eax, ${touch(0)}`, { vector: PF, error: 5 });
p.code(`mov dword [${PD + 16}], ${PT + 7}\n${RELOAD}`);

// NX
p.code(`mov byte [${page(5)}], 0xc3`.replace(String(page(5)), String(LARGE)));
p.code(`${entry(5, LARGE + 7, 0x8000_0000)}\nmov ebx, ${page(5)}`);
p.fault("NX without EFER.NXE is reserved", "mov al, [ebx]", { vector: PF, error: 9 });
p.fault("for a fetch too, which nothing marks", "call ebx", { vector: PF, error: 9 });
p.fault("a fetch from an absent page without NXE", `mov eax, ${page(3)}\njmp eax`, {
  vector: PF,
  error: 0,
  cr2: page(3),
});
p.code(setEfer(true));
p.quiet("NX with NXE: a read", "mov al, [ebx]");
p.fault("a fetch", "call ebx", { vector: PF, error: 0x11, cr2: page(5), at: `${page(5)}` });
p.fault("a fetch from an absent page", `mov eax, ${page(3)}\njmp eax`, { vector: PF, error: 0x10, cr2: page(3) });
p.user("a fetch in ring 3", "call ebx", { vector: PF, error: 0x15 });
p.code(`${entry(5, LARGE + 7)}`);
p.quiet("without NX", "call ebx");
p.code(`mov dword [${PD + 20}], 0x80000000\n${RELOAD}`);
p.fault("NX of the directory", "call ebx", { vector: PF, error: 0x11 });
p.code(`mov dword [${PD + 20}], 0\n${RELOAD}`);
// An instruction that goes on in a page that must not be executed.
p.code(`mov dword [${LARGE + 0xffe}], 0x0001b8\n${entry(5, LARGE + 7)}\n${entry(6, page(1) + 5, 0x8000_0000)}`);
p.fault("an instruction that runs into NX", `mov eax, ${page(5) + 0xffe}\njmp eax`, {
  vector: PF,
  error: 0x11,
  cr2: page(6),
  at: `${page(5) + 0xffe}`,
});

// Reserved bits
p.code(entry(7, AT + 7, 0x10_0000));
p.fault("bit 52", `mov eax, ${touch(0x7000)}`, { vector: PF, error: 9 });
p.user("and a write in ring 3", `mov ${touch(0x7000)}, eax`, { vector: PF, error: 0xf });
p.code(entry(7, AT + 7, 0x100));
p.fault("an address beyond the physical width", `mov eax, ${touch(0x7000)}`, { vector: PF, error: 9 });
p.code(entry(7, AT + 6, 0x100));
p.fault("an absent page has no reserved bits", `mov eax, ${touch(0x7000)}`, { vector: PF, error: 0 });
p.code(`mov dword [${PD + 24}], ${LARGE + 0x2087}\n${RELOAD}`);
p.fault("bit 13 of a large page", `mov eax, [${LARGE}]`, { vector: PF, error: 9 });
p.code(`mov dword [${PD + 24}], ${LARGE + 0x1087}\n${RELOAD}`);
p.quiet("bit 12 is its PAT", `mov eax, [${LARGE}]`);

// Global pages
p.code(`mov dword [${AT + 0x10}], 0x11111111\nmov dword [${LARGE + 0x10}], 0x22222222\n${setCr4(0x80)}`);
p.code(`${entry(8, AT + 0x107)}\nmov ecx, ${touch(0x8010)}\nmov dword [${PT + 64}], ${LARGE + 0x107}`);
p.code(`invlpg ${touch(0x8000)}\nmov ebx, ${touch(0x8010)}`);
p.equal("a global page is read", "ecx", 0x1111_1111);
p.equal("INVLPG forgets it", "ebx", 0x2222_2222);
p.code(`mov dword [${PT + 64}], ${AT + 0x107}\n${setCr4(0, 0x80)}\nmov ebx, ${touch(0x8010)}`);
p.equal("so does CR4.PGE", "ebx", 0x1111_1111);
p.code(
  `${setCr4(0x80)}\n${entry(9, AT + 7)}\nmov ecx, ${touch(0x9010)}\nmov dword [${PT + 72}], ${LARGE + 7}\n${RELOAD}`,
);
p.code(`mov ebx, ${touch(0x9010)}`);
p.equal("CR3 forgets what is not global", "ebx", 0x2222_2222);
p.code(`mov dword [${PT + 72}], ${LARGE + 5}\ninvlpg ${touch(0x9000)}\nmov ebx, ${touch(0x9010)}`);
p.code(`mov dword [${PT + 72}], ${LARGE + 7}`);
p.quiet("more rights need no INVLPG", `mov ${touch(0x9010)}, ebx`);
p.code(`${setCr4(0, 0x80)}\n${NO_PAGING}\n${setCr4(0, 0x20)}\n${setEfer(false)}`);

// Two levels: PSE
p.code(`mov edi, ${PD}
  mov ecx, 0x800
  xor eax, eax
  rep stosd
  mov dword [${PD}], 0x87
  mov dword [${PD + 4}], ${PT + 0x87}
  mov dword [${PT}], ${LARGE + 7}
  mov dword [${LARGE}], 0x33333333
  mov dword [${PD + 8}], 0x200087
  mov dword [${PD + 12}], 0x2087
  ${setCr4(0x10)}
  mov eax, ${PD}
  mov cr3, eax
  ${PAGING}`);
p.fault("bit 21 of a 4 MiB page", "mov eax, [0x800000]", { vector: PF, error: 9 });
p.fault(
  "PSE-36: an address that is nowhere",
  "mov eax, [0xc00000]\ncmp eax, -1\njne .nowhere\nint 0x80\n.nowhere:",
  FINISHED,
);
p.code(`mov edi, ${PT + 0x1000}\nmov eax, 7\nmov ecx, 1024
  .fill: mov [edi], eax\nadd edi, 4\nadd eax, 4096\ndec ecx\njne .fill\nmov dword [${PD}], ${PT + 0x1000 + 7}`);
p.code(`${setCr4(0, 0x10)}\nmov ebx, [${AT}]`);
p.equal("without PSE bit 7 of a directory entry is nothing", "ebx", 0x3333_3333);
p.code(
  `mov dword [${PT + 8}], ${LARGE + 5}\nmov dword [${PT + 4}], ${LARGE + 0x2007}\n${RELOAD}\nmov dword [${page(2) - 4}], 0x44444444`,
);
p.code("mov eax, cr0\nor eax, 0x10000\nmov cr0, eax");
p.fault("a write that runs into a read-only page", `mov dword [${page(2) - 2}], -1`, {
  vector: PF,
  error: 3,
  cr2: page(2),
});
p.equal("has written nothing", `[${page(2) - 4}]`, 0x4444_4444);
p.user("nor has a push", `mov esp, ${page(2) + 2}\npush eax`, { vector: PF, error: 7, cr2: page(2) });
p.equal("anything", `[${page(2) - 4}]`, 0x4444_4444);
p.code(NO_PAGING);

export const pae = p;
