/**
 * Non-maskable and external interrupts: what holds them off and for how long (Intel SDM volume 3, sections 6.7 and 6.8;
 * volume 2, STI, MOV and IRET).
 */

import { FINISHED, GuestProgram, SEL, VEC } from "./builder.ts";

const p = new GuestProgram("interrupts");

const APIC_SVR = 0xfee0_00f0;
const APIC_ICR = 0xfee0_0300;
const APIC_ICR_HIGH = 0xfee0_0310;
const APIC_LINT0 = 0xfee0_0350;
const NMI = 0x4400;
const EXTINT = 0x700;
const nmiTask = p.descriptor({ base: "nmi_tss", limit: 103, access: 0x89, flags: 0 }, "nmi_descriptor");

/** Sends this CPU an NMI. */
const SEND = `mov dword [${APIC_ICR_HIGH}], 0\nmov dword [${APIC_ICR}], ${NMI}`;
/** Long enough for anything that is not held off. */
const WAIT = (label: string): string => `mov ecx, 2000\n${label}: dec ecx\njne ${label}`;
const gate = (vector: number, offset: string, access = 0x8e): string =>
  `mov dword [idt + ${vector * 8}], ((${offset}) & 0xffff) | 0x80000
  mov dword [idt + ${vector * 8 + 4}], ((${offset}) & 0xffff0000) | ${access << 8}`;
const normalGate = (vector: number): string => gate(vector, `vector32_${vector}`);
/** Channel 0 of the timer interrupts once, at about 1 ms. */
const SHOT = "mov al, 0x30\nout 0x43, al\nmov al, 0xa9\nout 0x40, al\nmov al, 4\nout 0x40, al";
const EOI = "mov al, 0x20\nout 0x20, al";
/** Waits until the PIC has the timer's request. */
const PENDING = (label: string): string =>
  `${SHOT}\n${label}: mov al, 0x0a\nout 0x20, al\nin al, 0x20\ntest al, 1\nje ${label}`;

p.data(`
  ; Each notes its letter in the journal.
  nmi_sends: call note_nmi
  push eax
  push ecx
  ${SEND}
  ${WAIT(".nmi_wait")}
  mov eax, [journal_end]
  mov [journal_seen], eax
  pop ecx
  pop eax
  mov dword [idt + 16], (nmi_plain & 0xffff) | 0x80000
  iretd
  nmi_plain: call note_nmi
  iretd
  nmi_nested: call note_nmi
  push eax
  push ecx
  mov dword [idt + 16], (nmi_plain & 0xffff) | 0x80000
  ${SEND}
  ${WAIT(".nested_wait")}
  call note_wait
  int 0x31
  nmi_after_int: call note_end
  pop ecx
  pop eax
  iretd
  plain_iret: iretd
  nmi_bad_iret: call note_nmi
  push eax
  push ecx
  mov dword [idt + 16], (nmi_plain & 0xffff) | 0x80000
  ${SEND}
  ${WAIT(".bad_wait")}
  call note_wait
  ${gate(VEC.GP, "after_bad")}
  push dword 2
  push dword 0
  push dword 0
  iretd
  after_bad:
  add esp, 28
  call note_end
  pop ecx
  pop eax
  iretd
  nmi_address: push eax
  mov eax, [esp + 4]
  mov [seen_address], eax
  inc dword [nmi_count]
  cmp eax, [bad_address]
  jne nmi_not_bad
  inc dword [bad_count]
  nmi_not_bad: pop eax
  iretd
  timer_noted: push eax
  mov al, 0x74
  call note
  ${EOI}
  pop eax
  iretd
  nmi_and_timer: call note_nmi
  push eax
  push ecx
  mov dword [idt + 16], (nmi_plain & 0xffff) | 0x80000
  ${PENDING(".timer_pending")}
  ${SEND}
  ${WAIT(".both_wait")}
  call note_wait
  or dword [esp + 16], 0x200
  pop ecx
  pop eax
  iretd
  int2_sends: call note_nmi
  push eax
  push ecx
  mov dword [idt + 16], (nmi_plain & 0xffff) | 0x80000
  ${SEND}
  ${WAIT(".int2_wait")}
  call note_end
  pop ecx
  pop eax
  iretd
  note_nmi: push eax
  mov al, 0x6e
  call note
  pop eax
  ret
  note_wait: push eax
  mov al, 0x77
  call note
  pop eax
  ret
  note_end: push eax
  mov al, 0x65
  call note
  pop eax
  ret
  note: push ebx
  mov ebx, [journal_end]
  mov [journal + ebx], al
  inc dword [journal_end]
  pop ebx
  ret
  align 16
  nmi_tss: dd 0, 0, 0, 0, 0, 0, 0, 0, nmi_task, 2
  dd 0, 0, 0, 0, 0x7000, 0, 0, 0
  dd 0x10, 8, 0x10, 0x10, 0x10, 0x10, 0, 0x680000
  nmi_task: call note_nmi
  mov dword [idt + 16], (nmi_plain & 0xffff) | 0x80000
  mov dword [idt + 20], (nmi_plain & 0xffff0000) | 0x8e00
  ${SEND}
  ${WAIT(".task_wait")}
  call note_wait
  iretd
  jmp nmi_task
  journal: dq 0, 0
  journal_end: dd 0
  journal_seen: dd 0
  seen_address: dd 0
  bad_address: dd 0
  bad_count: dd 0
  nmi_count: dd 0`);

/** Runs code with an empty journal and checks what is in it then (up to four letters). */
function journal(name: string, code: string, expected: string): void {
  p.code(`mov dword [journal_end], 0\nmov dword [journal], 0\n${code}`);
  const value = [...expected].reduce((sum, letter, at) => sum + letter.charCodeAt(0) * 2 ** (8 * at), 0);
  p.equal(name, "[journal]", value);
}

// NMI
p.fault("an NMI with IF off", `${SEND}\n${WAIT(".first")}`, { vector: VEC.NMI });
// That handler never returned: NMIs are held off still.
p.quiet("a second one is held off", `${SEND}\n${WAIT(".second")}`);
p.fault("until an IRET", `push dword 2\npush dword ${SEL.code32}\npush dword .unblocked\niretd\n.unblocked: nop\nud2`, {
  vector: VEC.NMI,
  at: ".unblocked",
});
p.code(`push dword 2\npush dword ${SEL.code32}\npush dword .unblock\niretd\n.unblock:`);
journal("an NMI in the handler waits for its IRET", `${gate(2, "nmi_sends")}\n${SEND}\n${WAIT(".third")}`, "nn");
p.equal("it did not come before", "[journal_seen]", 1);
journal(
  "any IRET lets it in",
  `${gate(0x31, "plain_iret")}\n${gate(2, "nmi_nested")}\n${SEND}\n${WAIT(".fourth")}`,
  "nwne",
);
journal("one that faults, too", `${gate(2, "nmi_bad_iret")}\n${SEND}\n${WAIT(".fifth")}`, "nwne");
p.code(normalGate(VEC.GP));
journal("INT 2 holds nothing off", `${gate(2, "int2_sends")}\nint 2`, "nne");
journal(
  "an NMI through a task gate",
  `mov dword [idt + 16], ${nmiTask << 16}\nmov dword [idt + 20], 0x8500\n${SEND}\n${WAIT(".task")}\nclts`,
  "nwn",
);

// External interrupts
p.code(`mov al, 0x11
  out 0x20, al
  mov al, 0x40
  out 0x21, al
  mov al, 4
  out 0x21, al
  mov al, 1
  out 0x21, al
  mov al, 0xfe
  out 0x21, al`);
journal(
  "an NMI comes before an interrupt",
  `${gate(0x40, "timer_noted")}\n${gate(2, "nmi_and_timer")}\n${SEND}\n${WAIT(".both")}\ncli`,
  "nwnt",
);
p.code(normalGate(0x40));
const TIMER = { vector: 0x40 } as const;
p.fault("POPF with IF casts no shadow", `${PENDING(".popf")}\npush dword 0x202\npopfd\n.after_popf: nop`, {
  ...TIMER,
  at: ".after_popf",
});
p.code(EOI);
p.fault(
  "nor does IRET",
  `${PENDING(".iret")}\npush dword 0x202\npush dword ${SEL.code32}\npush dword .after_iret\niretd\n.after_iret: nop`,
  { ...TIMER, at: ".after_iret" },
);
p.code(EOI);
p.quiet("CLI in the shadow of STI", `${PENDING(".sticli")}\nsti\ncli\n${WAIT(".sticli_wait")}`);
p.fault("a second STI casts none", "sti\nsti\n.second_sti: nop", { ...TIMER, at: ".second_sti" });
p.code(EOI);
p.fault("INT in the shadow of STI", `${PENDING(".int")}\nsti\nint 0x80`, FINISHED);
p.fault("then HLT ends at once", "sti\nhlt\n.halted: nop", { ...TIMER, at: ".halted" });
p.code(EOI);
p.code(PENDING(".ring3"));
p.user("an interrupt in ring 3 asks for no privilege", "nop\nud2", TIMER, { flags: 0x202 });
p.equal("before the first instruction", "[fault_cs]", SEL.userCode32);
p.code(EOI);
p.user("but INT does", "int 0x40", { vector: VEC.GP, error: 0x40 * 8 + 2 });
p.fault("a fault in the shadow of STI ends it", `${PENDING(".sti_fault")}\nsti\n.sti_ud: ud2`, {
  vector: VEC.UD,
  at: ".sti_ud",
});
p.fault("and the interrupt comes later", "sti\nnop\n.after_sti: nop", { ...TIMER, at: ".after_sti" });
p.code(EOI);

// NMI from the timer, by LINT0
p.code(`mov dword [${APIC_SVR}], 0x1ff`);
p.code(`${gate(2, "nmi_address")}\nmov dword [${APIC_LINT0}], ${NMI}\nmov al, 0xfe\nout 0x21, al`);
p.code(`mov dword [nmi_count], 0\n${SHOT}\nhlt\n.nmi_woken: nop`);
p.equal("an NMI ends HLT with IF off", "[seen_address]", ".nmi_woken");
// The interrupt output of the PIC has to fall before the next edge.
const ACKNOWLEDGE = "mov al, 0x0c\nout 0x20, al\nin al, 0x20\nmov al, 0x20\nout 0x20, al";
p.code(`${ACKNOWLEDGE}
  mov dword [bad_address], .after_ss
  mov edx, 40
  mov bx, ss
  .ss_shots: mov dword [nmi_count], 0
  ${SHOT}
  .ss_loop: mov ss, bx
  .after_ss: nop
  cmp dword [nmi_count], 0
  je .ss_loop
  ${ACKNOWLEDGE}
  dec edx
  jne .ss_shots`);
p.equal("no NMI comes between MOV SS and the next instruction", "[bad_count]", 0);
p.code(`mov dword [bad_address], .after_ss2\nmov dword [seen_address], 0
  ${SEND.replace(/.*\n/, "")}\nmov ss, bx\n.after_ss2: nop\nnop\n${WAIT(".ss_wait")}`);
p.equal("not even one that was sent just before", "[bad_count]", 0);
p.code(`cmp dword [seen_address], 0\nsetne al\nmovzx eax, al`);
p.equal("which comes after it", "eax", 1);
p.code(`mov dword [${APIC_LINT0}], ${EXTINT}\nmov al, 0xff\nout 0x21, al`);

export const interrupts = p;
