/**
 * 16- and 32-bit gates, conforming code, parameters, outer returns, and faults during the delivery of faults (Intel SDM
 * volume 3, chapters 5, 6 and 21).
 */

import { FINISHED, GuestProgram, SEL, VEC } from "./builder.ts";

const p = new GuestProgram("gates");

const conforming = p.descriptor({ access: 0x9f });
const conforming3 = p.descriptor({ access: 0xff });
const code1 = p.descriptor({ access: 0xbb });
const data1 = p.descriptor({ access: 0xb3 }) | 1;
const user16 = p.descriptor({ base: "image", limit: 0xffff, access: 0xfb, flags: 0 }) | 3;
const userStack16 = p.descriptor({ base: 0x20000, limit: 0xffff, access: 0xf3, flags: 0 }) | 3;
const stack16 = p.descriptor({ base: 0x30000, limit: 0xffff, access: 0x93, flags: 0 });
const smallStack1 = p.descriptor({ base: 0x20000, limit: 0xff, access: 0xb3, flags: 4 }) | 1;
const absentStack1 = p.descriptor({ access: 0x33 }) | 1;
const absentStack3 = p.descriptor({ access: 0x73 }) | 3;
const absentCode = p.descriptor({ access: 0x1b });
const absentCode3 = p.descriptor({ access: 0x7b }) | 3;
const shortTss = p.descriptor({ base: "tss_two", limit: 15, access: 0x89, flags: 0 }, "short_descriptor");
const tssTwo = p.descriptor({ base: "tss_two", limit: 103, access: 0x89, flags: 0 }, "two_descriptor");
const tssWord = p.descriptor({ base: "tss_word", limit: 43, access: 0x81, flags: 0 }, "word_descriptor");
const doubleTss = p.descriptor({ base: "double_tss", limit: 103, access: 0x89, flags: 0 }, "double_descriptor");

const call16 = (selector: number, offset: string, count = 0): number =>
  p.gate({ selector, offset, type: 4, dpl: 3, count }) | 3;
const call32 = (selector: number, offset: string, count = 0): number =>
  p.gate({ selector, offset, type: 12, dpl: 3, count }) | 3;
const near = (label: string): string => `${label} - image`;

const words = call16(SEL.code16, near("take_words"), 3);
const wordsBig = call16(SEL.code16, `0x50000 + ${near("take_none")}`);
const doublewords = call32(SEL.code32, "take_31", 31);
const toConforming = call32(conforming, "same_ring", 5);
const toRing1 = call32(code1, "ring1", 1);
const fromRing1 = call32(SEL.code32, "ring0");
const toAbsent = call32(absentCode, "ring0");
const toNothing = call32(0, "ring0");
const toOuter = call32(SEL.userCode32 & ~3, "ring0");
const beyond = call32(SEL.code16, "0x10000");

p.data(`bits 16
  take_words:
  mov ebx, esp
  mov edx, [esp + 4]
  mov cx, [esp + 8]
  mov si, [esp + 10]
  retf 6
  take_none:
  mov ebx, esp
  retf
  int16:
  mov ebx, esp
  mov edx, [esp]
  mov cx, [esp + 4]
  mov esi, [esp + 6]
  pushf
  pop di
  iret
  int16_error:
  mov ebx, esp
  mov edx, [esp]
  jmp dword 8:int16_back
  bits 32
  int16_back: mov esp, [resume_esp]
  jmp dword [resume]

  same_ring:
  mov ebx, esp
  mov ecx, cs
  retf
  take_31:
  mov ebx, esp
  mov ecx, [esp + 8]
  mov edx, [esp + 8 + 30 * 4]
  mov esi, [esp + 8 + 31 * 4]
  retf 31 * 4
  ring1:
  mov [seen], esp
  mov [seen_cs], cs
  mov [seen_ss], ss
  mov ax, ${data1}
  mov gs, ax
  call ${fromRing1}:0
  mov [seen_back], cs
  retf 4
  ring0: mov [seen_inner], cs
  retf

  align 16
  tss_two: dd 0, ring0_stack, 0x10, 0x6800, ${data1}
  resb 0x66 - 20
  dw 0x68
  align 16
  tss_word: dw 0, 0x7000, ${stack16}, 0, 0, 0, 0
  resb 30
  align 16
  double_tss: dd 0, ring0_stack, 0x10, 0, 0, 0, 0, 0, double_task, 2
  dd 0, 0, 0, 0, 0x7000, 0, 0, 0
  dd 0x10, 8, 0x10, 0x10, 0x10, 0x10, 0, 0x680000
  double_task:
  pop dword [fault_error]
  mov dword [fault_vector], ${VEC.DF}
  mov esp, [resume_esp]
  jmp dword [resume]
  reset_task_register:
  push dword 2
  popfd
  clts
  and byte [gdt + ${SEL.tss} + 5], 0xfd
  and byte [two_descriptor + 5], 0xfd
  and byte [short_descriptor + 5], 0xfd
  and byte [word_descriptor + 5], 0xfd
  and byte [double_descriptor + 5], 0xfd
  mov ax, ${SEL.tss}
  ltr ax
  ret
  seen: dd 0
  seen_cs: dd 0
  seen_ss: dd 0
  seen_back: dd 0
  seen_inner: dd 0`);

const setGate = (vector: number, selector: number, offset: string, access: number): string =>
  `mov dword [idt + ${vector * 8}], (${selector << 16}) | ((${offset}) & 0xffff)
  mov dword [idt + ${vector * 8 + 4}], ((${offset}) & 0xffff0000) | ${access << 8}`;
const normalGate = (vector: number): string => setGate(vector, 8, `vector32_${vector}`, 0x8e);
const taskGate = (vector: number): string => setGate(vector, doubleTss, "0", 0xe5);

/** Code in ring 0 of 16-bit protected mode, with the flat stack. */
function in16(code: string): void {
  const [inside, back] = [p.label(), p.label()];
  p.code(`jmp ${SEL.code16}:${inside} - image\nbits 16\n${inside}:\n${code}
    jmp dword ${SEL.code32}:${back}\nbits 32\n${back}:`);
}
/** Code in ring 3 of 16-bit protected mode, with a 16-bit stack at SP 8000, until `int 0x80`. */
function in16User(name: string, code: string): void {
  const entry = p.label();
  p.data(`bits 16\n${entry}:\n${code}\nint 0x80\nbits 32`);
  p.fault(
    name,
    `push dword ${userStack16}\npush dword 0x8000\npush dword 2\npush dword ${user16}\npush dword ${entry} - image\niretd`,
    FINISHED,
  );
}
/** A register as it was when `int 0x80` ended ring 3. */
const kept = (registers: string[]): string =>
  registers.map((register, at) => `mov [0x20100 + ${at * 4}], ${register}`).join("\n");
const word = (name: string, register: string, expected: number | string): void => {
  p.code(`and ${register}, 0xffff`);
  p.equal(name, register, expected);
};

// Interrupt and trap gates of 16 bits
p.code(setGate(0x30, SEL.code16, `0x70000 + ${near("int16")}`, 0x86));
in16("mov ebp, esp\nsti\nint 0x30\n.after16: cli\nmov eax, esp");
p.equal("a 16-bit interrupt gate uses 16 bits of its offset, and IRET pops words", "eax", "ebp");
p.code("sub ebp, ebx");
p.equal("it pushes three words", "ebp", 6);
p.equal("CS and IP", "edx", `(${SEL.code16 << 16}) | (${near(".after16")})`);
p.code("and ecx, 0x202");
p.equal("flags", "ecx", 0x202);
p.code("and edi, 0x202");
p.equal("and clears IF", "edi", 2);
p.code(setGate(0x30, SEL.code16, near("int16"), 0x87));
in16("sti\nint 0x30\ncli");
p.code("and edi, 0x202");
p.equal("a 16-bit trap gate does not", "edi", 0x202);
p.code(setGate(0x30, SEL.code16, near("int16"), 0xe6));
in16User("a 16-bit gate from ring 3", `int 0x30\n.after_user: mov bp, sp`);
p.equal("pushes five words on the stack of ring 0", "ebx", "ring0_stack - 10");
p.equal("with SS and SP above the flags", "esi", (userStack16 << 16) | 0x8000);
p.equal("the first two are CS and IP", "edx", `(${user16 << 16}) | (${near(".after_user")})`);
word("and back in ring 3 with SP", "ebp", 0x8000);
p.equal("and SS", "[fault_ss]", userStack16);
p.code(setGate(VEC.GP, SEL.code16, near("int16_error"), 0x86));
p.code("mov dword [fault_vector], 0");
p.fault("an exception through a 16-bit gate", "mov ax, 0x7f8\n.gp16: mov ds, ax", { vector: 0xff });
p.equal("pushes its error code and IP as words", "edx", "0x7f8 | ((.gp16 & 0xffff) << 16)");
p.code("mov eax, [resume_esp]\nsub eax, ebx");
p.equal("eight bytes in all", "eax", 8);
p.code(normalGate(VEC.GP));

// Call gates of 16 bits
in16(`mov ebp, esp\ncall ${wordsBig & ~3}:0x1234\nmov eax, esp`);
p.equal("a 16-bit call gate in ring 0 returns with its stack", "eax", "ebp");
p.code("sub ebp, ebx");
p.equal("it pushes two words", "ebp", 4);
in16User(
  "a 16-bit call gate from ring 3",
  `push word 0x1111\npush word 0x2222\npush word 0x3333\ncall ${words}:0\nmov bp, sp`,
);
p.equal("copies words", "edx", 0x2222_3333);
word("of all arguments", "ecx", 0x1111);
word("below SP, which was", "esi", 0x8000 - 6);
p.equal("to the stack of ring 0", "ebx", "ring0_stack - 14");
word("and releases them on both", "ebp", 0x8000);

// Call gates of 32 bits
const pushes = Array.from({ length: 31 }, (_, at) => `push dword ${0x100 + at}`).join("\n");
p.user(
  "a call gate with 31 arguments",
  `${pushes}\ncall ${doublewords}:0\n${kept(["ebx", "ecx", "edx", "esi", "esp"])}`,
);
p.equal("on the stack of ring 0", "[0x20100]", "ring0_stack - 33 * 4 - 8");
p.equal("the last", "[0x20104]", 0x11e);
p.equal("the first", "[0x20108]", 0x100);
p.equal("then ESP", "[0x2010c]", "user_stack - 31 * 4");
p.equal("all released", "[0x20110]", "user_stack");
p.user("a call gate to conforming code", `call ${toConforming}:0\n${kept(["ebx", "ecx"])}`);
p.equal("copies nothing", "[0x20100]", "user_stack - 8");
p.equal("and stays in ring 3", "[0x20104]", conforming | 3);
p.user("a call gate to an absent segment", `call ${toAbsent}:0`, { vector: VEC.NP, error: absentCode });
p.user("a call gate to nothing", `call ${toNothing}:0`, { vector: VEC.GP });
p.fault("a call gate outwards", `call ${toOuter & ~3}:0`, { vector: VEC.GP, error: SEL.userCode32 & ~3 });
p.user("a call gate beyond its segment", `call ${beyond}:0`, { vector: VEC.GP });
p.user("a jump through a gate to an inner ring", `jmp ${fromRing1}:0`, { vector: VEC.GP, error: SEL.code32 });
p.fault("a call to conforming code of ring 3", `call ${conforming3}:0`, { vector: VEC.GP, error: conforming3 });

// Ring 1
const useTwo = `mov ax, ${tssTwo}\nltr ax`;
p.code(useTwo);
p.user(
  "from ring 3 to ring 1, to ring 0 and back",
  `mov eax, esp\npush dword 9\ncall ${toRing1}:0\n${kept(["gs", "esp"])}`,
);
p.equal("ring 1", "[seen_cs]", code1 | 1);
p.equal("on its stack", "[seen]", 0x6800 - 20);
p.equal("of its segment", "[seen_ss]", data1);
p.equal("ring 0", "[seen_inner]", SEL.code32);
p.equal("ring 1 again", "[seen_back]", code1 | 1);
word("segments of ring 1 are lost in ring 3", "dword [0x20100]", 0);
p.equal("where ESP is what it was", "[0x20104]", "user_stack");
for (const [name, selector, vector] of [
  ["no stack segment", 0, VEC.TS],
  ["a stack segment of another ring", SEL.data32 | 1, VEC.TS],
  ["one with another RPL", data1 & ~3, VEC.TS],
  ["one beyond the GDT", 0x7f9, VEC.TS],
  ["an absent one", absentStack1, VEC.SS],
  ["one that is too small", smallStack1, VEC.SS],
] as const) {
  p.code(`mov dword [tss_two + 16], ${selector}`);
  p.user(`a gate to ring 1 with ${name}`, `call ${toRing1}:0`, { vector, error: selector & 0xfffc });
}
p.code(`mov dword [tss_two + 16], 0x7f9\n${setGate(0x31, code1, "ring1", 0xee)}`);
p.user("an interrupt to ring 1 with a bad stack", "int 0x31", { vector: VEC.TS, error: 0x7f8 });
p.code(setGate(VEC.UD, code1, "ring1", 0x8e));
p.user("an exception to ring 1 with a bad stack", "ud2", { vector: VEC.TS, error: 0x7f9 });
p.code(`${normalGate(VEC.UD)}\nmov dword [tss_two + 16], ${data1}\nand byte [short_descriptor + 5], 0xfd`);
p.code(`mov ax, ${shortTss}\nltr ax`);
p.user("a TSS too short for ring 1", `call ${toRing1}:0`, { vector: VEC.TS, error: shortTss });
p.code("call reset_task_register");

// A 16-bit TSS
p.code(`mov ax, ${tssWord}\nltr ax`);
p.user("a stack from a 16-bit TSS", "nop");
p.equal("has its SP", "[fault_frame]", 0x7000 - 20);
p.equal("and base", "[0x36ff8]", "user_stack");
p.code("call reset_task_register");

// Returns
const retf = (cs: number, ss: number, eip = "0x10000"): string =>
  `push dword ${ss}\npush dword user_stack\npush dword ${cs}\npush dword ${eip}\nretf`;
const iretd = (cs: number, ss: number, eip = "0x10000"): string =>
  `push dword ${ss}\npush dword user_stack\npush dword 2\npush dword ${cs}\npush dword ${eip}\niretd`;
for (const [name, go] of [
  ["RETF", retf],
  ["IRET", iretd],
] as const) {
  p.fault(`${name} to ring 3 with no SS`, go(SEL.userCode32, 0), { vector: VEC.GP });
  p.fault(`${name} with SS of ring 0`, go(SEL.userCode32, SEL.data32), { vector: VEC.GP, error: SEL.data32 });
  p.fault(`${name} with SS of another RPL`, go(SEL.userCode32, SEL.userData32 & ~3), {
    vector: VEC.GP,
    error: SEL.userData32 & ~3,
  });
  p.fault(`${name} with an absent SS`, go(SEL.userCode32, absentStack3), { vector: VEC.SS, error: absentStack3 & ~3 });
  p.fault(`${name} to nothing`, go(0, 0), { vector: VEC.GP });
  p.fault(`${name} to data`, go(SEL.data32, SEL.data32), { vector: VEC.GP, error: SEL.data32 });
  p.fault(`${name} to an absent segment`, go(absentCode3, SEL.userData32), { vector: VEC.NP, error: absentCode3 & ~3 });
  p.fault(`${name} to code of ring 0 with RPL 3`, go(SEL.code32 | 3, SEL.userData32), {
    vector: VEC.GP,
    error: SEL.code32,
  });
  p.fault(`${name} to conforming code of ring 3 in ring 0`, go(conforming3, SEL.data32), {
    vector: VEC.GP,
    error: conforming3,
  });
  p.fault(`${name} beyond the limit`, go(user16, SEL.userData32), { vector: VEC.GP });
  p.fault(`${name} to conforming code in ring 3`, go(conforming | 3, SEL.userData32, "end_user"), FINISHED);
  p.user(`${name} to an inner ring`, go(SEL.code32, SEL.data32), { vector: VEC.GP, error: SEL.code32 });
}
p.data("end_user: int 0x80");
p.code("mov ax, 0x23\nmov ds, ax\nmov ax, 0x10\nmov es, ax");
p.fault(
  "RETF with a count to ring 3",
  `push dword ${SEL.userData32}\npush dword user_stack - 16\npush dword 1\npush dword 2\npush dword ${SEL.userCode32}
  push dword .with_count\nretf 8\n.with_count: mov bx, ds\nmov cx, es\nint 0x80`,
  FINISHED,
);
p.equal("releases on both stacks", "[fault_sp]", "user_stack - 8");
word("keeps DS of ring 3", "ebx", 0x23);
word("and drops ES of ring 0", "ecx", 0);

// Faults while a fault is delivered
const DF = { vector: VEC.DF };
const absentGate = (vector: number): string => `and byte [idt + ${vector * 8 + 5}], 0x7f`;
p.fault("INT to an absent gate", `${absentGate(0x30)}\nint 0x30`, { vector: VEC.NP, error: 0x30 * 8 + 2 });
p.fault("#UD through an absent gate is #NP", `${absentGate(VEC.UD)}\nud2`, { vector: VEC.NP, error: VEC.UD * 8 + 3 });
p.code(normalGate(VEC.UD));
for (const [name, vector, code] of [
  ["#GP", VEC.GP, "mov ax, 0x7f8\nmov ds, ax"],
  ["#NP", VEC.NP, `mov ax, ${absentCode}\nmov ds, ax`],
  ["#DE", VEC.DE, "xor ecx, ecx\ndiv ecx"],
] as const) {
  p.fault(`${name} through an absent gate`, `${absentGate(vector)}\n${code}`, DF);
  p.code(normalGate(vector));
}
p.fault("a #GP handler that is no code", `mov word [idt + ${VEC.GP * 8 + 2}], 0x10\nmov ax, 0x7f8\nmov ds, ax`, DF);
p.code(normalGate(VEC.GP));
p.code(
  "mov dword [short_idt], (15 * 8 - 1) | ((idt & 0xffff) << 16)\nmov word [short_idt + 4], idt >> 16\nlidt [short_idt]",
);
p.data("align 4\nshort_idt: dq 0");
p.fault("a vector beyond the IDT", "int 0x20", { vector: VEC.GP, error: 0x20 * 8 + 2 });
p.code("lidt [idtr]");

// With a bad stack for ring 0 only a task gate helps
p.code(`${taskGate(VEC.DF)}\nmov dword [tss + 8], 0`);
p.user("#GP without a stack", "cli", DF);
p.code("call reset_task_register");
p.user("#UD without a stack: #TS, and again", "ud2", DF);
p.code(`call reset_task_register\nmov dword [tss + 8], ${SEL.data32}`);
p.equal("the double fault's task is linked to the first", "[double_tss]", SEL.tss);

// With paging: 4 MiB pages to themselves, but the second through a table of small pages.
const PD = 0x20_8000;
const PT = 0x20_9000;
p.code(`mov edi, ${PD}
  mov ecx, 0x800
  xor eax, eax
  rep stosd
  mov dword [${PD}], 0x87
  mov dword [${PD + 4}], ${PT + 7}
  mov dword [${PT}], 0x400007
  mov dword [${PT + 8}], 0x402007
  mov eax, cr4
  or eax, 0x10
  mov cr4, eax
  mov eax, ${PD}
  mov cr3, eax
  mov [double_tss + 0x1c], eax
  mov [tss + 0x1c], eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax`);
const PF = { vector: VEC.PF, cr2: 0x40_1ff8 };
p.fault("a page fault on a stack that is absent too", "mov esp, 0x402000\nmov eax, [0x401ff8]", DF);
p.code("call reset_task_register");
p.fault("#UD on an absent stack: #PF, and again", "mov esp, 0x402000\nud2", DF);
p.code("call reset_task_register");
p.code(normalGate(VEC.DF));
p.fault("a page fault through an absent gate", `${absentGate(VEC.PF)}\nmov eax, [0x401ff8]`, DF);
p.code(normalGate(VEC.PF));
// An IDT whose entries up to 13 lie on the absent page at 0x401000.
p.code(`mov esi, idt + 14 * 8\nmov edi, 0x402000\nmov ecx, ${(0x90 - 14) * 2}\ncld\nrep movsd
  mov dword [short_idt], 0x47f | ((0x401f90 & 0xffff) << 16)\nmov word [short_idt + 4], 0x40\nlidt [short_idt]`);
p.fault("#GP, then a page fault for its gate", "mov ax, 0x7f8\nmov ds, ax", { ...PF, cr2: 0x40_1f90 + VEC.GP * 8 });
p.code("mov eax, cr0\nand eax, 0x7fffffff\nmov cr0, eax\nmov eax, cr4\nand eax, 0xffffffef\nmov cr4, eax\nlidt [idtr]");

// An external interrupt through an absent gate
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
  mov al, 0x30
  out 0x43, al
  mov al, 0xa9
  out 0x40, al
  mov al, 4
  out 0x40, al
  ${absentGate(0x40)}`);
p.fault("an external interrupt through an absent gate", "sti\nhlt\n.external: nop", {
  vector: VEC.NP,
  error: 0x40 * 8 + 3,
  at: ".external",
});
p.code("mov al, 0x20\nout 0x20, al\nmov al, 0xff\nout 0x21, al");

export const gates = p;
