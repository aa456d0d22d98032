/** Hardware task switches (Intel SDM volume 3, chapter 8). */

import { FINISHED, GuestProgram, SEL, VEC } from "./builder.ts";

const p = new GuestProgram("tasks");

const TSS = { access: 0x89, flags: 0, limit: 103 } as const;
const AVAILABLE = 0x89;
const BUSY = 0x8b;

const other = p.descriptor({ ...TSS, base: "other" }, "other_descriptor");
const fault = p.descriptor({ ...TSS, base: "fault_task" }, "fault_descriptor");
const short = p.descriptor({ ...TSS, base: "other", limit: 102 });
const absentTss = p.descriptor({ ...TSS, base: "other", access: 0x09 });
const tss16 = p.descriptor({ base: "other16", limit: 43, access: 0x81, flags: 0 }, "other16_descriptor");
const ldt = p.descriptor({ base: "local_table", limit: 15, access: 0x82, flags: 0 }, "ldt_descriptor");
const gate = p.gate({ selector: other, type: 5, dpl: 3 });
const gateInner = p.gate({ selector: other, type: 5 });
const gateNull = p.gate({ selector: 0, type: 5 });
const gateLocal = p.gate({ selector: other | 4, type: 5 });
const absentData = p.descriptor({ access: 0x13 });
const absentCode = p.descriptor({ access: 0x1b });
const userData = p.descriptor({ access: 0xf3 });
const smallCode = p.descriptor({ base: "image", limit: 0xff, access: 0x9b, flags: 4 });

/** A 32-bit TSS. */
function tss(
  label: string,
  eip: string,
  fields: { cr3?: number; cs?: number; data?: number; ldt?: number } = {},
): void {
  const { cr3 = 0, cs = SEL.code32, data = SEL.data32, ldt: local = 0 } = fields;
  p.data(`align 16
    ${label}: dd 0, ring0_stack, 0x10, 0, 0, 0, 0, ${cr3}, ${eip}, 2
    dd 0xa0a0a0a0, 0xc0c0c0c0, 0xd0d0d0d0, 0xb0b0b0b0, 0x7000, 0xb1b1b1b1, 0x51515151, 0xd1d1d1d1
    dd ${data}, ${cs}, ${data}, ${data}, ${data}, ${data}, ${local}, 0x680000`);
}
tss("pristine", "task");
tss("other", "task");
tss("fault_task", "task_fault");
p.data(`align 16
  other16: dw 0, 0, 0, 0, 0, 0, 0, task16 - image, 2
  dw 0xa0a0, 0xc0c0, 0xd0d0, 0xb0b0, 0x7000, 0xb1b1, 0x5151, 0xd1d1, 0x10, ${SEL.code16}, 0x10, 0x10, 0
  bits 16
  task16:
  mov [seen_eax], eax
  mov word [seen_sp], sp
  mov ax, 0x1234
  jmp ${SEL.tss}:0
  bits 32
  local_table: dq 0
  dw 0xffff, 0, 0x9302, 0xcf

  ; What a task finds, and back by a jump.
  task:
  mov [seen_eax], eax
  mov [seen_edi], edi
  mov [seen_sp], esp
  pushfd
  pop dword [seen_flags]
  str [seen_tr]
  sldt [seen_ldt]
  mov [seen_ds], ds
  smsw [seen_cr0]
  mov eax, [other]
  mov [seen_link], eax
  mov al, [gdt + ${SEL.tss} + 5]
  mov [seen_main_type], al
  mov al, [other_descriptor + 5]
  mov [seen_other_type], al
  clts
  mov eax, 0x11111111
  jmp dword [leave_by]
  by_jump: jmp ${SEL.tss}:0
  by_jump_end:
  mov eax, 0x22222222
  jmp task
  by_iret: iretd
  by_iret_end: mov eax, 0x33333333
  jmp task

  ; Takes exceptions with an error code that befall the other task.
  task_fault:
  pop dword [fault_error]
  mov eax, [expected_vector]
  mov [fault_vector], eax
  mov eax, [fault_task]
  mov [seen_link], eax
  mov esp, [resume_esp]
  jmp dword [resume]

  ; Back to the first task, whoever is running; all others become available.
  reset_tasks:
  mov ax, 0x10
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov gs, ax
  mov ss, ax
  push dword 2
  popfd
  clts
  xor eax, eax
  lldt ax
  mov byte [gdt + ${SEL.tss} + 5], ${AVAILABLE}
  mov byte [other_descriptor + 5], ${AVAILABLE}
  mov byte [fault_descriptor + 5], ${AVAILABLE}
  mov byte [other16_descriptor + 5], 0x81
  mov ax, ${SEL.tss}
  ltr ax
  mov esi, pristine
  mov edi, other
  mov ecx, 26
  rep movsd
  ret

  leave_by: dd by_jump
  expected_vector: dd 0
  seen_eax: dd 0
  seen_edi: dd 0
  seen_sp: dd 0
  seen_flags: dd 0
  seen_tr: dd 0
  seen_ldt: dd 0
  seen_ds: dd 0
  seen_cr0: dd 0
  seen_link: dd 0
  seen_main_type: dd 0
  seen_other_type: dd 0`);

const reset = (): void => {
  p.code("call reset_tasks");
};
const bit = (name: string, value: string, mask: number, expected: number): void => {
  p.code(`mov eax, ${value}\nand eax, ${mask}`);
  p.equal(name, "eax", expected);
};

// JMP
p.code(`mov eax, 0x12345678\nmov ebp, 0x87654321\nstc\njmp ${other}:0\n.back_jump: setc bl\nmovzx ebx, bl`);
p.equal("JMP to a TSS and back keeps EAX", "eax", 0x1234_5678);
p.equal("and EBP", "ebp", 0x8765_4321);
p.equal("and the flags", "ebx", 1);
p.equal("the task starts with its EAX", "[seen_eax]", 0xa0a0_a0a0);
p.equal("and EDI", "[seen_edi]", 0xd1d1_d1d1);
p.equal("and ESP", "[seen_sp]", 0x7000);
p.equal("and TR", "[seen_tr]", other);
p.equal("with its TSS busy", "[seen_other_type]", BUSY);
p.equal("and the old one not", "[seen_main_type]", AVAILABLE);
p.equal("and no back link", "[seen_link]", 0);
bit("nor NT", "[seen_flags]", 0x4000, 0);
bit("and CR0.TS", "[seen_cr0]", 8, 8);
p.equal("which returned by a jump", "[other + 0x20]", "by_jump_end");
p.equal("with its EAX saved", "[other + 0x28]", 0x1111_1111);
p.equal("and CS", "[other + 0x4c]", SEL.code32);
p.equal("the first task's EIP was saved", "[tss + 0x20]", ".back_jump");
p.equal("and EAX", "[tss + 0x28]", 0x1234_5678);
bit("and the flags", "[tss + 0x24]", 1, 1);
p.code("smsw ax\nmovzx ebx, ax\nstr cx\nmovzx ecx, cx\nmovzx edx, byte [other_descriptor + 5]\nclts");
bit("TS is set again", "ebx", 8, 8);
p.equal("TR is the first", "ecx", SEL.tss);
p.equal("the other is available", "edx", AVAILABLE);
p.code(`jmp ${other}:0`);
p.equal("a second jump goes on where it was", "[seen_eax]", 0x2222_2222);
reset();

// CALL and IRET
p.code(`mov dword [leave_by], by_iret\ncall ${other}:0\n.back_call: nop`);
p.equal("CALL links back", "[seen_link]", SEL.tss);
bit("sets NT", "[seen_flags]", 0x4000, 0x4000);
p.equal("leaves the old task busy", "[seen_main_type]", BUSY);
p.equal("and makes the new one busy", "[seen_other_type]", BUSY);
p.equal("until IRET", "[gdt + 0x28 + 4]", "0x8b00 + (tss >> 16)");
p.code("movzx eax, byte [other_descriptor + 5]");
p.equal("which frees it", "eax", AVAILABLE);
bit("and saves it without NT", "[other + 0x24]", 0x4000, 0);
p.equal("after the IRET", "[other + 0x20]", "by_iret_end");
p.code("pushfd\npop eax");
bit("the caller has no NT", "eax", 0x4000, 0);
p.equal("and went on after the call", "[tss + 0x20]", ".back_call");
reset();

// Gates
p.quiet("CALL through a task gate", `call ${gate}:0`);
p.equal("reaches its TSS", "[seen_tr]", other);
reset();
p.user("CALL through a task gate of ring 3", `mov eax, 7\ncall ${gate | 3}:0\ncmp eax, 7\nje .same\nud2\n.same: nop`);
p.equal("and back to ring 3", "[fault_cs]", SEL.userCode32);
p.equal("from ring 0", "[seen_ds]", SEL.data32);
reset();
p.user("a task gate of ring 0", `call ${gateInner | 3}:0`, { vector: VEC.GP, error: gateInner });
p.user("a TSS of ring 0", `call ${other | 3}:0`, { vector: VEC.GP, error: other });
p.fault("a task gate to nothing", `jmp ${gateNull}:0`, { vector: VEC.GP });
p.fault("a task gate to the LDT", `jmp ${gateLocal}:0`, { vector: VEC.GP, error: other | 4 });

// Interrupts through task gates
const taskGate = (vector: number, selector: number): string =>
  `mov dword [idt + ${vector * 8}], ${selector << 16}\nmov dword [idt + ${vector * 8 + 4}], 0xe500`;
const noTaskGate = (vector: number): string =>
  `mov dword [idt + ${vector * 8}], (vector32_${vector} & 0xffff) | 0x80000
  mov dword [idt + ${vector * 8 + 4}], (vector32_${vector} & 0xffff0000) | 0x8e00`;
p.code(taskGate(0x30, other));
p.quiet("an interrupt through a task gate", "mov ebx, 5\nint 0x30\n.back_int: nop");
p.equal("returns by IRET", "ebx", 5);
p.equal("after INT", "[tss + 0x20]", ".back_int");
reset();
p.user("the same from ring 3", "int 0x30");
p.equal("whose CS is saved", "[tss + 0x4c]", SEL.userCode32);
reset();
p.code(`mov word [idt + ${0x30 * 8 + 2}], ${SEL.tss}`);
p.fault("a task gate to the running task", "int 0x30", { vector: VEC.GP, error: SEL.tss });
p.code(`mov word [idt + ${0x30 * 8 + 2}], ${absentTss}`);
p.fault("a task gate to an absent TSS", "int 0x30", { vector: VEC.NP, error: absentTss });
p.code(`${taskGate(VEC.GP, fault)}\nmov dword [expected_vector], ${VEC.GP}`);
p.fault("an exception through a task gate pushes its error code", ".faulting: mov ax, 0x7f8\nmov ds, ax", {
  vector: VEC.GP,
  error: 0x7f8,
});
p.equal("with a link back", "[seen_link]", SEL.tss);
p.equal("and the address of the instruction", "[tss + 0x20]", ".faulting + 4");
bit("and RF", "[tss + 0x24]", 0x10000, 0x10000);
p.code(noTaskGate(VEC.GP));
reset();

// Errors before the switch
p.fault("JMP to a busy TSS", `jmp ${SEL.tss}:0`, { vector: VEC.GP, error: SEL.tss });
p.fault("CALL to a busy TSS", `call ${SEL.tss}:0`, { vector: VEC.GP, error: SEL.tss });
p.fault("an absent TSS", `jmp ${absentTss}:0`, { vector: VEC.NP, error: absentTss });
p.fault("a short TSS", `jmp ${short}:0`, { vector: VEC.TS, error: short });
const nested = "push dword 0x4002\npopfd";
p.fault("IRET to a link that is no TSS", `mov word [tss], 8\n${nested}\niretd`, { vector: VEC.TS, error: 8 });
p.code("push dword 2\npopfd");
p.fault("IRET to a link that is not busy", `mov word [tss], ${other}\n${nested}\niretd`, {
  vector: VEC.TS,
  error: other,
});
p.code("push dword 2\npopfd\nmov word [tss], 0");

// Errors in the new task
const field = (offset: number, value: number | string): string => `mov dword [other + ${offset}], ${value}`;
function bad(name: string, setup: string, vector: number, error: number): void {
  p.code(`${taskGate(vector, fault)}\nmov dword [expected_vector], ${vector}\n${setup}`);
  p.fault(name, `jmp ${other}:0`, { vector, error });
  p.equal(`${name}: in the new task`, "[seen_link]", other);
  p.equal(`${name}: before its first instruction`, "[other + 0x20]", "task");
  p.code(noTaskGate(vector));
  reset();
}
bad("an LDT that is none", field(0x60, SEL.data32), VEC.TS, SEL.data32);
bad("an LDT in the LDT", field(0x60, ldt | 4), VEC.TS, ldt | 4);
bad("a null CS", field(0x4c, 0), VEC.TS, 0);
bad("CS with data", field(0x4c, SEL.data32), VEC.TS, SEL.data32);
bad("CS of another ring", field(0x4c, SEL.userCode32 & ~3), VEC.TS, SEL.userCode32 & ~3);
bad("an absent CS", field(0x4c, absentCode), VEC.NP, absentCode);
bad("a null SS", field(0x50, 0), VEC.TS, 0);
bad("SS with code", field(0x50, SEL.code32), VEC.TS, SEL.code32);
bad("SS of another ring", field(0x50, userData), VEC.TS, userData);
bad("an absent SS", field(0x50, absentData), VEC.SS, absentData);
bad("SS beyond the GDT", field(0x50, 0x7f8), VEC.TS, 0x7f8);
bad("DS beyond the GDT", field(0x54, 0x7f8), VEC.TS, 0x7f8);
bad("an absent ES", field(0x48, absentData), VEC.NP, absentData);
bad("GS with a TSS", field(0x5c, SEL.tss), VEC.TS, SEL.tss);
p.code(`${field(0x20, 0x100)}\n${field(0x4c, smallCode)}`);
p.fault("EIP beyond the limit of CS", `jmp ${other}:0`, { vector: VEC.GP, at: "0x100" });
p.code("str ax\nmovzx eax, ax");
p.equal("faults in the new task", "eax", other);
reset();

// T bit and debug registers
p.code(`${field(0x64, 0x680001)}\nmov eax, 0x401\nmov dr7, eax\nxor eax, eax\nmov dr0, eax\nmov dr6, eax`);
p.fault("the T bit traps before the first instruction", `jmp ${other}:0`, { vector: VEC.DB, at: "task" });
p.code("mov eax, dr6\nand eax, 0xe00f\nmov ebx, dr7");
p.equal("with BT in DR6", "eax", 0x8000);
p.equal("local breakpoints are off", "ebx", 0x400);
reset();

// LDT, and tasks of ring 3 and virtual-8086 mode
p.code(`mov dword [leave_by], by_jump\n${field(0x60, ldt)}\n${field(0x5c, 0x0c)}\njmp ${other}:0`);
p.equal("a task has its LDT", "[seen_ldt]", ldt);
p.code("sldt ax\nmovzx eax, ax");
p.equal("and the first task none", "eax", 0);
reset();
const fields3 = [0x48, 0x50, 0x54, 0x58, 0x5c].map((offset) => field(offset, SEL.userData32)).join("\n");
p.data("task3: int 0x80");
p.code(`${fields3}\n${field(0x4c, SEL.userCode32)}\n${field(0x20, "task3")}`);
p.fault("a task in ring 3", `jmp ${other}:0`, FINISHED);
p.equal("has its CS", "[fault_cs]", SEL.userCode32);
p.equal("and its ring 0 stack", "[fault_frame]", "ring0_stack - 20");
reset();
const fields86 = [0x48, 0x50, 0x54, 0x58, 0x5c].map((offset) => field(offset, 0x1000)).join("\n");
p.data("bits 16\ntask86: mov byte [task86_mark - image], 1\nint 0x80\ntask86_mark: dd 0\nbits 32");
p.code(`${fields86}\n${field(0x4c, 0x1000)}\n${field(0x20, "task86 - image")}\n${field(0x24, 0x23002)}`);
p.fault("a task in virtual-8086 mode", `jmp ${other}:0`, FINISHED);
p.equal("ran with its segments", "[task86_mark]", 1);
p.equal("and its CS", "[fault_cs]", 0x1000);
reset();

// 16-bit
p.code(`mov eax, 0xaaaabbbb\njmp ${tss16}:0`);
p.equal("from a 16-bit task back to a 32-bit one", "eax", 0xaaaa_bbbb);
bit("a 16-bit task has its AX", "[seen_eax]", 0xffff, 0xa0a0);
bit("and SP", "[seen_sp]", 0xffff, 0x7000);
bit("and its state is saved in words", "[other16 + 0x12]", 0xffff, 0x1234);
p.code("movzx eax, byte [other16_descriptor + 5]");
p.equal("and it is available", "eax", 0x81);
reset();
p.code("mov word [other16_descriptor], 42");
p.fault("a short 16-bit TSS", `jmp ${tss16}:0`, { vector: VEC.TS, error: tss16 });

// CR3
const PD = 0x20_8000;
p.code(`mov edi, ${PD}
  mov ecx, 0x800
  xor eax, eax
  rep stosd
  mov dword [${PD}], 0x87
  mov dword [${PD + 8}], 0x800087
  mov dword [${PD + 0x1000}], 0x87
  mov dword [${PD + 0x1008}], 0xc00087
  mov dword [0x800000], 1
  mov dword [0xc00000], 2
  mov eax, cr4
  or eax, 0x10
  mov cr4, eax
  mov eax, ${PD}
  mov cr3, eax
  mov [tss + 0x1c], eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  ${field(0x1c, PD + 0x1000)}
  ${field(0x20, "task_paged")}
  mov ebx, [0x800000]
  jmp ${other}:0
  mov ecx, [0x800000]
  mov edx, cr3`);
p.data(`task_paged: mov eax, [0x800000]
  mov [seen_eax], eax
  jmp ${SEL.tss}:0`);
p.equal("one task sees one page", "ebx", 1);
p.equal("the other another", "[seen_eax]", 2);
p.equal("and the first its own again", "ecx", 1);
p.equal("by CR3", "edx", PD);
p.code("mov eax, cr0\nand eax, 0x7fffffff\nmov cr0, eax\nmov eax, cr4\nand eax, 0xffffffef\nmov cr4, eax");
reset();

// A hardware interrupt
p.code(`mov dword [leave_by], task_timer
  ${taskGate(0x40, other)}
  mov al, 0x11
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
  sti
  hlt
  .woken: cli`);
p.data("task_timer: mov al, 0x20\nout 0x20, al\nmov al, 0xff\nout 0x21, al\niretd");
p.equal("a hardware interrupt through a task gate", "[seen_link]", SEL.tss);
p.equal("ends HLT", "[tss + 0x20]", ".woken");
bit("with IF as it was", "[tss + 0x24]", 0x200, 0x200);

export const tasks = p;
