/**
 * Interrupts, far transfers, stacks and control registers of 64-bit mode (Intel SDM volume 3, chapters 5, 6 and 7; volume
 * 2, IRET, RET and CALL).
 */

import { FINISHED, GuestProgram, SEL, VEC } from "./builder.ts";

const p = new GuestProgram("long-mode");

const code32 = SEL.userCode32;
const data = SEL.userData32;
const compat0 = p.descriptor({ access: 0x9b });
const both = p.descriptor({ access: 0x9b, flags: 0xe });
const conforming = p.descriptor({ access: 0x9f, flags: 0xa });
const absent = p.descriptor({ access: 0x1b, flags: 0xa });
const small = p.descriptor({ base: 0x20000, limit: 0xff, access: 0xf3, flags: 4 }) | 3;

/** A system descriptor or gate of 16 bytes. */
function wide(low: Parameters<GuestProgram["descriptor"]>[0], high = "0", label = p.label()): number {
  const selector = p.descriptor(low, label);
  p.descriptor({ base: `((${high}) >> 16) & 0xffff`, limit: `(${high}) & 0xffff`, access: 0, flags: 0 });
  return selector;
}
/** A 64-bit call gate. */
function gate64(selector: number, offset: string, dpl: number): number {
  const gate = p.gate({ selector, offset, type: 0xc, dpl });
  p.descriptor({ limit: 0, access: 0, flags: 0 });
  return gate;
}
const tssFree = wide({ base: "tss64", limit: 103, access: 0x89, flags: 0 });
const tss16 = wide({ base: "tss64", limit: 103, access: 0x81, flags: 0 });
const tssOdd = wide({ base: "tss64", limit: 103, access: 0x89, flags: 0 }, "0x8000");
const ldt = wide({ base: "local_table", limit: 15, access: 0x82, flags: 0 }, "0", "ldt_descriptor");
const gate = gate64(SEL.code64, "through_gate", 3);
const gateInner = gate64(SEL.code64, "through_gate", 0);
const gateJump = gate64(SEL.code64, "jumped", 0);
const gateCompat = gate64(compat0, "through_gate", 3);
const gateConforming = gate64(conforming, "through_conforming", 3);

p.data(`align 8
  local_table: dq 0
  dw 0xffff, 0, 0xf300, 0xcf
  far64: dq 0
  dw 0
  bits 64
  through_gate:
  mov [seen_rsp], rsp
  mov eax, ss
  mov [seen_ss], eax
  mov eax, cs
  mov [seen_cs], eax
  mov rax, [rsp + 16]
  mov [seen_old_rsp], rax
  retfq
  through_conforming:
  mov eax, cs
  mov [seen_cs], eax
  mov [seen_rsp], rsp
  retfq
  jumped: int 0x80
  bits 32
  compat_end: int 0x80
  compat_limit: mov ax, ${small}
  mov ds, ax
  compat_beyond: mov al, [0x100]
  compat_far: call ${gate | 3}:0
  int 0x80
  seen_rsp: dq 0
  seen_ss: dq 0
  seen_cs: dq 0
  seen_old_rsp: dq 0`);

/** Sets byte 4 (IST) or 5 (type) of an entry of the IDT, or its selector. */
const idt = (vector: number, at: number, value: number, size = "byte"): string =>
  `mov ${size} [idt64 + ${vector * 16 + at}], ${value}`;
const farCall = (selector: number): string => `mov word [far64 + 8], ${selector}\ncall far qword [far64]`;
const farJump = (selector: number, target: string): string =>
  `mov word [far64 + 8], ${selector}\nmov rax, ${target}\nmov [far64], rax\njmp far qword [far64]`;
const iretq = (cs: number, rip: string, ss: number | string, rsp = "user_stack", flags = 2): string =>
  `push ${ss}\nmov rax, ${rsp}\npush rax\npush ${flags}\npush ${cs}\nmov rax, ${rip}\npush rax\niretq`;

p.long(() => {
  // Interrupt stacks
  p.fault64("an interrupt in ring 0 aligns the stack", "mov rsp, 0x4ffd\nint 0x80", FINISHED);
  p.equal64("to 16 bytes", "[fault_frame]", 0x4ff0 - 40);
  p.equal64("and pushes RSP as it was", "[fault_sp]", 0x4ffd);
  p.code("mov qword [tss64 + 4], ring0_stack + 9");
  p.user64("an interrupt from ring 3 takes RSP0", "nop");
  p.equal64("aligned too", "[fault_frame]", "ring0_stack - 40");
  p.equal64("the stack segment it pushed", "[fault_ss]", data);
  p.code("mov qword [tss64 + 4], ring0_stack");
  p.user64("an exception with an error code", "mov ax, 0x7f8\nmov ds, ax", { vector: VEC.GP, error: 0x7f8 });
  p.equal64("has it below the frame", "[fault_frame]", "ring0_stack - 40");
  p.code(idt(0x80, 4, 1));
  p.fault64("an interrupt stack in ring 0", "int 0x80", FINISHED);
  p.equal64("is that of the table", "[fault_frame]", 0x7000 - 40);
  p.user64("and from ring 3", "int 0x80");
  p.equal64("the same", "[fault_frame]", 0x7000 - 40);
  p.code(`${idt(0x80, 4, 2)}\nmov rax, 0x800000000000\nmov [tss64_ist + 8], rax`);
  p.fault64("an interrupt stack that is not canonical", "int 0x80", { vector: VEC.SS });
  p.code("mov qword [tss64_ist + 8], 0x7800\nmov rsp, [resume_esp]");
  p.fault64("an interrupt stack at 0x7800", "int 0x80", FINISHED);
  p.equal64("by its number", "[fault_frame]", 0x7800 - 40);
  p.code(idt(0x80, 4, 0));
  p.fault64("INT to a gate of ring 0", `${iretq(SEL.userCode64, ".in3", data)}\n.in3: int 0x81`, {
    vector: VEC.GP,
    error: 0x81 * 8 + 2,
  });

  // Gates
  p.code(idt(0x21, 5, 0x86));
  p.fault64("a 16-bit gate", "int 0x21", { vector: VEC.GP, error: 0x21 * 8 + 2 });
  p.code(idt(0x21, 5, 0x85));
  p.fault64("a task gate", "int 0x21", { vector: VEC.GP, error: 0x21 * 8 + 2 });
  p.code(idt(0x21, 5, 0x0e));
  p.fault64("an absent gate", "int 0x21", { vector: VEC.NP, error: 0x21 * 8 + 2 });
  p.code(`${idt(0x21, 5, 0x8e)}\n${idt(0x21, 2, compat0, "word")}`);
  p.fault64("a handler in 32-bit code", "int 0x21", { vector: VEC.GP, error: compat0 });
  p.code(idt(0x21, 2, both, "word"));
  p.fault64("a handler with both L and D", "int 0x21", { vector: VEC.GP, error: both });
  p.code(idt(0x21, 2, absent, "word"));
  p.fault64("a handler in an absent segment", "int 0x21", { vector: VEC.NP, error: absent });
  p.code(idt(0x21, 2, 0, "word"));
  p.fault64("a handler without a segment", "int 0x21", { vector: VEC.GP });
  p.code(`${idt(0x21, 2, SEL.code64, "word")}\n${idt(0x21, 8, 0x8000, "dword")}`);
  p.fault64("a handler that is not canonical", "int 0x21", { vector: VEC.GP });
  p.code(`${idt(0x21, 8, 0, "dword")}\n${idt(0x21, 5, 0x8f)}`);
  p.fault64("a trap gate", "sti\nint 0x21", { vector: 0x21 });
  p.code("mov rax, [fault_flags]\nand eax, 0x200");
  p.equal64("pushes IF", "rax", 0x200);
  p.code("cli");
  p.fault64("beyond the IDT", "int 0x90", { vector: VEC.GP, error: 0x90 * 8 + 2 });

  // IRETQ
  p.fault64(
    "IRETQ in ring 0 restores RSP",
    `${iretq(SEL.code64, ".here", SEL.data32, "0x4f08")}\n.here: int 0x80`,
    FINISHED,
  );
  p.equal64("to an odd place", "[fault_sp]", 0x4f08);
  p.fault64("IRETQ to a null SS in ring 0", `${iretq(SEL.code64, ".null", 0)}\n.null: int 0x80`, FINISHED);
  p.equal64("which is kept", "[fault_ss]", 0);
  p.fault64("IRETQ to a null SS in ring 3", iretq(SEL.userCode64, "compat_end", 3), { vector: VEC.GP });
  p.fault64("IRETQ to a null SS in compatibility mode", iretq(compat0, "compat_end", 0), { vector: VEC.GP });
  p.fault64("IRETQ to no canonical address", iretq(SEL.userCode64, "0x800000000000", data), { vector: VEC.GP });
  p.equal64("faults in ring 0", "[fault_cs]", SEL.code64);
  p.fault64("IRETQ with NT", "push 0x4002\npopfq\niretq", { vector: VEC.GP });
  p.code("push 2\npopfq");
  p.fault64("IRETQ to code with both L and D", iretq(both, "compat_end", SEL.data32), { vector: VEC.GP, error: both });
  p.fault64("IRETQ to compatibility mode", iretq(code32, "compat_end", data, "0x1234567800004f04"), FINISHED);
  p.equal64("cuts RSP", "[fault_sp]", 0x4f04);
  p.fault64("limits count in compatibility mode", iretq(code32, "compat_limit", data), {
    vector: VEC.GP,
    at: "compat_beyond",
  });
  p.code(idt(VEC.SS, 4, 1));
  p.fault64("IRETQ with a stack that is not canonical", "mov rsp, 0x800000000000\niretq", { vector: VEC.SS });
  p.code(idt(VEC.SS, 4, 0));

  // Far calls and returns
  p.fault64("a far call through a gate from compatibility mode", iretq(code32, "compat_far", data), FINISHED);
  p.user64("a far call through a gate", farCall(gate | 3));
  p.equal64("runs in ring 0", "[seen_cs]", SEL.code64);
  p.equal64("on RSP0, with four quadwords", "[seen_rsp]", "ring0_stack - 32");
  p.equal64("of which the third is RSP", "[seen_old_rsp]", "user_stack");
  p.equal64("and no stack segment", "[seen_ss]", 0);
  p.equal64("and returns", "[fault_sp]", "user_stack");
  p.user64("a gate of ring 0", farCall(gateInner | 3), { vector: VEC.GP, error: gateInner });
  p.user64("a gate to 32-bit code", farCall(gateCompat | 3), { vector: VEC.GP, error: compat0 });
  p.user64("a gate to conforming code", farCall(gateConforming | 3));
  p.equal64("stays in ring 3", "[seen_cs]", conforming | 3);
  p.equal64("with two quadwords on the same stack", "[seen_rsp]", "user_stack - 16");
  p.fault64("a jump through a gate", farJump(gateJump, "0"), FINISHED);
  p.fault64("a far jump with a null selector", farJump(0, "compat_end"), { vector: VEC.GP });
  p.fault64("a far jump to a TSS", farJump(tssFree, "0"), { vector: VEC.GP, error: tssFree });
  p.fault64("a far jump beyond the canonical range", farJump(SEL.code64, "0x800000000000"), { vector: VEC.GP });
  p.fault64("RETFQ to no canonical address", `push ${SEL.code64}\nmov rax, 0x800000000000\npush rax\nretfq`, {
    vector: VEC.GP,
  });
  p.fault64("RETFQ to an absent segment", `push ${absent}\npush 0\nretfq`, { vector: VEC.NP, error: absent });

  // Near transfers to addresses that are not canonical
  const bad = "mov rax, 0x800000000000";
  p.fault64("JMP to no canonical address", `${bad}\n.jump: jmp rax`, { vector: VEC.GP, at: ".jump" });
  p.fault64("CALL to one", `${bad}\n.call: call rax`, { vector: VEC.GP, at: ".call" });
  p.code("mov rax, [fault_sp]\nsub rax, [resume_esp]");
  p.equal64("pushes nothing", "rax", 0);
  p.fault64("RET to one", `${bad}\npush rax\n.ret: ret`, { vector: VEC.GP, at: ".ret" });

  // Stacks that are not canonical
  p.code(`${idt(VEC.SS, 4, 1)}\n${idt(VEC.GP, 4, 1)}`);
  const offStack = (code: string): string => `mov rax, 0x800000000100\nmov rsp, rax\nmov rbp, rax\n${code}`;
  for (const code of ["push 1", "pop rcx", "call far_away", "ret", "ret 8", "leave", "enter 8, 0", "pushfq", "popfq"]) {
    p.fault64(`${code} off the stack`, offStack(code), { vector: VEC.SS });
  }
  for (const code of ["mov rcx, [rsp]", "add [rbp + 8], rcx", "movaps xmm0, [rsp]", "fld qword [rbp]", "push fs"]) {
    p.fault64(`${code} off the stack`, offStack(code), { vector: VEC.SS });
  }
  for (const code of ["retfq", "pop qword [0x4000]", "push qword [0x4000]", "call qword [0x4000]", "lidt [rbp]"]) {
    p.fault64(`${code} off the stack`, offStack(code), { vector: VEC.SS });
  }
  p.fault64("an override to FS", offStack("mov rcx, [fs:rbp]"), { vector: VEC.GP });
  p.fault64("a base of R13", `${bad}\nmov r13, rax\nmov rcx, [r13]`, { vector: VEC.GP });
  p.fault64("PUSH from elsewhere", `${bad}\npush qword [rax]`, { vector: VEC.GP });
  p.fault64("a string", `${bad}\nmov rsi, rax\nmovsb`, { vector: VEC.GP });
  p.fault64("an index of RBP", `${bad}\nmov rbp, rax\nmov rcx, [rbp*2]\nmov rcx, [rbp*1 + 0]`, { vector: VEC.GP });
  p.code(`${idt(VEC.SS, 4, 0)}\n${idt(VEC.GP, 4, 0)}`);
  p.data("far_away: ud2");

  // LDTR and TR
  p.fault64("LTR of a busy TSS", `mov ax, ${SEL.tss64}\nltr ax`, { vector: VEC.GP, error: SEL.tss64 });
  p.fault64("LTR of a 16-bit TSS", `mov ax, ${tss16}\nltr ax`, { vector: VEC.GP, error: tss16 });
  p.fault64("LTR with a base that is not canonical", `mov ax, ${tssOdd}\nltr ax`, { vector: VEC.GP, error: tssOdd });
  p.quiet64("LLDT", `mov ax, ${ldt}\nlldt ax\nmov ax, 0x0f\nmov ds, ax`);
  p.fault64("beyond the LDT", "mov ax, 0x17\nmov ds, ax", { vector: VEC.GP, error: 0x14 });
  p.code("mov dword [ldt_descriptor + 12], 0x1f00");
  p.fault64("LLDT of a descriptor with type bits above", `mov ax, ${ldt}\nlldt ax`, { vector: VEC.GP, error: ldt });
  p.code("xor eax, eax\nlldt ax");

  // Control registers
  p.fault64("CR4.PAE cannot be cleared", "mov rax, cr4\nand eax, 0xffffffdf\nmov cr4, rax", { vector: VEC.GP });
  p.fault64("nor CR0.PG in 64-bit code", "mov rax, cr0\nand eax, 0x7fffffff\nmov cr0, rax", { vector: VEC.GP });
  p.fault64("nor CR0.PE", "mov rax, cr0\nand eax, 0xfffffffe\nmov cr0, rax", { vector: VEC.GP });
  p.fault64("CR0 has 32 bits", "mov rax, cr0\nmov rcx, 0x100000000\nor rax, rcx\nmov cr0, rax", { vector: VEC.GP });
  p.fault64("NW without CD", "mov rax, cr0\nor eax, 0x20000000\nmov cr0, rax", { vector: VEC.GP });
  p.fault64("reserved bits of CR3", "mov rax, cr3\nmov rcx, 0x10000000000000\nor rax, rcx\nmov cr3, rax", {
    vector: VEC.GP,
  });
  p.fault64("reserved bits of CR4", "mov rax, cr4\nor eax, 0x80000000\nmov cr4, rax", { vector: VEC.GP });
  p.fault64("CR8 has four bits", "mov eax, 16\nmov cr8, rax", { vector: VEC.GP });
  p.code("mov eax, 5\nmov cr8, rax\nmov ebx, 0xfee00080\nmov ebx, [rbx]\nmov rcx, cr8\nxor eax, eax\nmov cr8, rax");
  p.equal64("CR8 is the task priority", "rbx", 0x50);
  p.equal64("and reads back", "rcx", 5);
  p.fault64("CR1", "db 0x0f, 0x20, 0xc8", { vector: VEC.UD });
  p.fault64("DR7 has 32 bits", "mov rax, 0x100000400\nmov dr7, rax", { vector: VEC.GP });
  p.fault64("EFER.LME cannot change while paging is on", "mov ecx, 0xc0000080\nrdmsr\nand eax, 0xfffffeff\nwrmsr", {
    vector: VEC.GP,
  });
  p.fault64("reserved bits of EFER", "mov ecx, 0xc0000080\nrdmsr\nor eax, 2\nwrmsr", { vector: VEC.GP });
  p.fault64("an MSR that does not exist", "mov ecx, 0x12345678\nrdmsr", { vector: VEC.GP });

  // Segment bases
  p.code("mov ecx, 0xc0000101\nmov eax, 0x20000\nxor edx, edx\nwrmsr\nmov ecx, 0xc0000102\nmov eax, 0x21000\nwrmsr");
  p.code("mov dword [0x20010], 1\nmov dword [0x21010], 2\nmov ebx, [gs:0x10]\nswapgs\nmov ecx, [gs:0x10]\nswapgs");
  p.equal64("GS has its base", "rbx", 1);
  p.equal64("SWAPGS", "rcx", 2);
  p.user64("SWAPGS in ring 3", "swapgs", { vector: VEC.GP });
  p.fault64("a base that is not canonical", "mov ecx, 0xc0000101\nxor eax, eax\nmov edx, 0x8000\nwrmsr", {
    vector: VEC.GP,
  });
  p.fault64("WRFSBASE without CR4.FSGSBASE", "wrfsbase rax", { vector: VEC.UD });
  p.code(
    "mov rax, cr4\nor eax, 0x10000\nmov cr4, rax\nmov eax, 0x21000\nwrgsbase rax\nmov ebx, [gs:0x10]\nrdgsbase rcx",
  );
  p.equal64("WRGSBASE", "rbx", 2);
  p.equal64("RDGSBASE", "rcx", 0x2_1000);
  p.fault64("WRFSBASE with one", "mov rax, 0x800000000000\nwrfsbase rax", { vector: VEC.GP });
  p.code("mov rax, cr4\nand eax, 0xfffeffff\nmov cr4, rax");
  p.code("mov ax, 0x10\nmov gs, ax\nmov ebx, [gs:0x20010]");
  p.equal64("a load of GS sets its base", "rbx", 1);

  // What 64-bit code does not have
  for (const [name, bytes] of Object.entries({
    "PUSH ES": "0x06",
    "POP DS": "0x1f",
    DAA: "0x27",
    AAM: "0xd4, 10",
    PUSHA: "0x60",
    BOUND: "0x62, 0",
    "CALL FAR with an immediate": "0x9a, 0, 0, 0, 0, 8, 0",
    "JMP FAR with an immediate": "0xea, 0, 0, 0, 0, 8, 0",
    LES: "0xc4, 0",
    INTO: "0xce",
    SALC: "0xd6",
    "group 1 at 82": "0x82, 0xc0, 0",
  })) {
    p.fault64(`no ${name}`, `.at: db ${bytes}`, { vector: VEC.UD });
  }
});

export const longMode = p;
