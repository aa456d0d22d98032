/**
 * Limits of code and stack segments, the I/O permission map, the A20 gate, memory that is mapped differently while it
 * runs, and CPU structures in places where no memory is (Intel SDM volume 3, chapters 5 and 19; Intel 290549, PAM).
 */

import { FINISHED, GuestProgram, SEL, VEC } from "./builder.ts";

const p = new GuestProgram("memory");

const AT = 0x2_0000;
const codeAt = p.descriptor({ base: AT, limit: 0xff, access: 0x9b, flags: 4 });
const code16 = p.descriptor({ base: AT, limit: 0xffff, access: 0x9b, flags: 0 });
const stack = p.descriptor({ base: AT, limit: 0xff, access: 0x93, flags: 4 });
const stackDown = p.descriptor({ base: AT, limit: 0xff, access: 0x97, flags: 4 });
const stack16 = p.descriptor({ base: AT, limit: 0xffff, access: 0x93, flags: 0 });
const tssShort = p.descriptor({ base: "tss_two", limit: 103, access: 0x89, flags: 0 });
const tssMap = p.descriptor({ base: "tss_two", limit: 104, access: 0x89, flags: 0 });
const tssWord = p.descriptor({ base: "tss_two", limit: 43, access: 0x81, flags: 0 });
const ldtNowhere = p.descriptor({ base: 0xd000_0000, limit: 0xfff, access: 0x82, flags: 0 });

p.data(`align 16
  tss_two: dd 0, ring0_stack, 0x10
  resb 0x66 - 12
  dw 0x68
  db 0
  map_rest: db 0xff, 0xff
  old_esp: dd 0
  align 4
  nowhere: dw 0xfff
  dd 0xd0000000
  saved_gdt: dq 0`);

// Code and its limit
const bytes = (at: number, text: string): string =>
  text
    .split(" ")
    .map((byte, i) => `mov byte [${AT + at + i}], 0x${byte}`)
    .join("\n");
p.code(bytes(0xfe, "90 90 90 90"));
p.fault("code that runs over its limit", `jmp ${codeAt}:0xfe`, { vector: VEC.GP, at: "0x100" });
p.equal("faults in its segment", "[fault_cs]", codeAt);
p.code(bytes(0xfc, "b8 01 00 00 00"));
p.fault("an instruction over the limit", `jmp ${codeAt}:0xfc`, { vector: VEC.GP, at: "0xfc" });
p.code(bytes(0xfb, "b8 01 00 00 00"));
p.fault("one that just fits", `jmp ${codeAt}:0xfb`, { vector: VEC.GP, at: "0x100" });
p.code(bytes(0x10, "eb 7e"));
p.code(bytes(0x90, "e9 80 00 00 00"));
p.fault("a jump beyond", `jmp ${codeAt}:0x10`, { vector: VEC.GP, at: "0x90" });
p.code(bytes(0x10, "75 7e 74 7c"));
p.fault("a conditional jump that is taken", `xor eax, eax\njmp ${codeAt}:0x10`, { vector: VEC.GP, at: "0x90" });
p.code(bytes(0x10, "b8 00 01 00 00 ff e0"));
p.fault("a jump through a register", `jmp ${codeAt}:0x10`, { vector: VEC.GP, at: "0x15" });
p.code(bytes(0x10, "68 00 01 00 00 c3"));
p.fault("RET beyond", `jmp ${codeAt}:0x10`, { vector: VEC.GP, at: "0x15" });
p.code(bytes(0xfff0, "eb 1e") + `\n${bytes(0x10, "cd 80")}`);
p.fault("16-bit code wraps", `jmp ${code16}:0xfff0`, FINISHED);
p.code(`mov word [${AT + 0xfffe}], 0x9090`);
p.fault("but does not run over the end", `jmp ${code16}:0xfffe`, { vector: VEC.GP, at: "0x10000" });

// Stacks and their limits
const on = (selector: number, esp: number, code: string): string =>
  `mov ax, ${selector}\nmov ss, ax\nmov esp, ${esp}\n${code}`;
const quietOn = (name: string, selector: number, esp: number, code: string): void => {
  p.quiet(
    name,
    `mov [old_esp], esp\n${on(selector, esp, code)}\nmov ecx, esp\nmov ax, 0x10\nmov ss, ax\nmov esp, [old_esp]`,
  );
};
// #SS has to be delivered on another stack: from ring 0 through a task gate, so it is told apart in ring 3 here.
const userStack = p.descriptor({ base: AT, limit: 0xff, access: 0xf3, flags: 4 }) | 3;
const userDown = p.descriptor({ base: AT, limit: 0xff, access: 0xf7, flags: 4 }) | 3;
const userWord = p.descriptor({ base: AT, limit: 0xffff, access: 0xf3, flags: 0 }) | 3;
const userFlat16 = p.descriptor({ access: 0xf3, flags: 8 }) | 3;
const SS = { vector: VEC.SS } as const;
p.user("a push at the bottom", on(userStack, 4, "push eax\npush eax"), SS);
p.user("a push from above the limit", on(userStack, 0x108, "push eax"), SS);
p.user("a push at the limit", on(userStack, 0x100, "push eax"));
p.user("a push over the limit", on(userStack, 0x102, "push eax"), SS);
p.user("a pop at the limit", on(userStack, 0xfc, "pop eax"));
p.user("a pop over the limit", on(userStack, 0xfd, "pop eax"), SS);
p.user("PUSHA that runs out", on(userStack, 28, "pushad"), SS);
p.user("ENTER that runs out", on(userStack, 0x20, "enter 0x40, 0"), SS);
p.user("CALL that runs out", on(userStack, 2, "call .called\n.called: nop"), SS);
p.user("an expand-down stack", on(userDown, 0x104, "push eax"));
p.user("below its limit", on(userDown, 0x103, "push eax"), SS);
p.user("SP wraps by words", on(userWord, 0, "push ax\ncmp esp, 0xfffe\nje .wrapped\nud2\n.wrapped: nop"));
p.user("not in the middle of one", on(userWord, 1, "push ax"), SS);
p.user("nor of a doubleword", on(userWord, 2, "push eax"), SS);
p.user("only SP counts", on(userWord, 0x1234_0010, "push ax\ncmp esp, 0x1234000e\nje .high\nud2\n.high: nop"));
p.user("POP wraps", on(userWord, 0xfffe, "pop ax\ncmp esp, 0\nje .popped\nud2\n.popped: nop"));
p.user(
  "a 16-bit stack in a segment of 4 GiB",
  on(userFlat16, 0x5_5000, "push eax\ncmp esp, 0x54ffc\nje .flat16\nud2\n.flat16: nop"),
);
p.user(
  "its EBP has 16 bits in LEAVE",
  on(userFlat16, 0x5_5000, "mov ebp, 0x66665000\nleave\ncmp sp, 0x5004\nje .left\nud2\n.left: nop"),
);
quietOn("a stack in ring 0", stack, 0x80, "push eax");
p.equal("moves", "ecx", 0x7c);
quietOn("an expand-down one", stackDown, 0x8000, "push eax");
quietOn("one of 16 bits", stack16, 0x8000, "push ax");

// The I/O permission map
const useTss = (selector: number): string => `and byte [gdt + ${selector} + 5], 0xfd\nmov ax, ${selector}\nltr ax`;
const RESTORE = `and byte [gdt + ${SEL.tss} + 5], 0xfd\nmov ax, ${SEL.tss}\nltr ax`;
p.code(useTss(tssShort));
p.user("a map beyond the limit", "in al, 0", { vector: VEC.GP });
p.code(useTss(tssMap));
p.user("a map of one byte: two are read", "in al, 0", { vector: VEC.GP });
p.code(`mov byte [gdt + ${tssMap}], 105\n${useTss(tssMap)}`);
p.user("with the byte behind it", "in al, 0");
p.user("the last port", "in al, 7");
p.user("a word over the end", "in ax, 7", { vector: VEC.GP });
p.user("one more", "in al, 8", { vector: VEC.GP });
p.user("INSB too", "mov dx, 8\nmov edi, 0x20000\ninsb", { vector: VEC.GP });
p.user("and OUTSB", "mov dx, 8\nmov esi, 0x20000\noutsb", { vector: VEC.GP });
p.code(`mov word [tss_two + 2], 0x6000\nmov word [tss_two + 4], 0x10\n${useTss(tssWord)}`);
p.user("a 16-bit TSS has none", "in al, 0", { vector: VEC.GP });
p.code(`mov dword [tss_two + 4], ring0_stack\nmov dword [tss_two], 0\n${RESTORE}`);

// A20
const a20 = (on: boolean): string => `in al, 0x92\n${on ? "or al, 2" : "and al, 0xfd"}\nout 0x92, al`;
p.code(`mov dword [0x1000], 0x11111111\nmov dword [0x101000], 0x22222222\n${a20(false)}
  mov ebx, [0x101000]\nmov dword [0x101004], 0x33333333\n${a20(true)}\nmov ecx, [0x101000]\nmov edx, [0x1004]`);
p.equal("A20 off: a read wraps", "ebx", 0x1111_1111);
p.equal("on again", "ecx", 0x2222_2222);
p.equal("a write wrapped", "edx", 0x3333_3333);
const put = (address: number, value: number): string =>
  `mov byte [${address}], 0xb8\nmov dword [${address + 1}], ${value}\nmov byte [${address + 5}], 0xc3`;
p.code(`${put(0x1100, 1)}\n${put(0x10_1100, 2)}\nxor ebx, ebx\nmov ecx, 0x101100\ncall ecx\nadd ebx, eax
  push ecx\n${a20(false)}\npop ecx\ncall ecx\nshl ebx, 4\nadd ebx, eax\n${a20(true)}\nmov ecx, 0x101100\ncall ecx\nshl ebx, 4\nadd ebx, eax`);
p.equal("code changes with it", "ebx", 0x212);

// The memory controller's PAM registers: E4000 is in the upper half of register 5E.
const pam = (value: number): string =>
  `mov dx, 0xcf8\nmov eax, 0x8000005c\nout dx, eax\nmov dx, 0xcfe\nin al, dx\nand al, 0x0f\nor al, ${value}\nout dx, al`;
const SHADOW = 0xe_4000;
p.code(`${pam(0x30)}\n${put(SHADOW, 7)}\nmov ecx, ${SHADOW}\ncall ecx\nmov ebx, eax
  ${pam(0x10)}\nmov dword [${SHADOW + 1}], 8\nmov ecx, ${SHADOW}\ncall ecx\nmov esi, eax
  ${pam(0x00)}\nmov edi, [${SHADOW}]\nmov dword [${SHADOW + 1}], 9
  ${pam(0x30)}\nmov ecx, ${SHADOW}\ncall ecx\nmov edx, eax`);
p.equal("shadow memory runs", "ebx", 7);
p.equal("keeps what it has when it is read-only", "esi", 7);
p.equal("is hidden when it is off", "edi", 0xffff_ffff);
p.equal("and comes back as it was", "edx", 7);
p.code(pam(0));

// Structures where nothing is: reads are all ones
p.code("sgdt [saved_gdt]");
p.quiet("a segment from a GDT that is nowhere", "lgdt [nowhere]\nmov ax, 0x1b\nmov fs, ax\nlgdt [saved_gdt]");
p.code("lgdt [saved_gdt]\nxor ax, ax\nmov fs, ax");
p.code(`mov ax, ${ldtNowhere}\nlldt ax`);
p.quiet("an LDT that is nowhere has code and data of ring 3", "mov ax, 0x0f\nmov fs, ax");
p.code("xor ax, ax\nmov fs, ax\nlldt ax");
p.fault("code that is nowhere", "mov eax, 0xd0000000\njmp eax", { vector: VEC.UD, at: "0xd0000000" });
p.quiet("a stack that is nowhere", "mov [old_esp], esp\nmov esp, 0xd0001000\npush eax\npop ebx\nmov esp, [old_esp]");
p.equal("reads as ones", "ebx", 0xffff_ffff);
p.quiet(
  "everything else there",
  `mov esi, 0xd0000000\nmov edi, 0xd0002000\nmov ecx, 0x400\nrep movsd\nlock inc dword [esi]
  lock cmpxchg8b [esi]\nfxsave [0xd0000100]\nfnsave [esi]\nbts dword [esi], 5\nsidt [esi]\nmov al, [0xffc00000]`,
);
export const memory = p;
