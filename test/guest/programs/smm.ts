/**
 * System management mode: entry through the APM port and the APIC, what the handler finds, RSM, relocation to SMRAM,
 * HLT, and what is held off meanwhile (Intel SDM volume 3, chapter 32; AMD APM volume 2, chapter 10). CPUs with long mode
 * save their state in another layout than those without.
 */

import { FINISHED, GuestProgram, VEC } from "./builder.ts";

const LAYOUTS = {
  64: { cpu: "max", smbase: 0xff00, revision: 0xfefc, eax: 0xfff8, autoHalt: 0xfec9, eip: 0xff78 },
  32: { cpu: "pentium3", smbase: 0xfef8, revision: 0xfefc, eax: 0xffd0, autoHalt: 0xff02, eip: 0xfff0 },
} as const;

const FIRST_BASE = 0x3_0000;
const SMRAM = 0xa_0000;
/** Where the handler notes what it sees. */
const SEEN = 0x2_0100;
const COUNT = SEEN;
const CS = SEEN + 4;
const CR0 = SEEN + 8;
const FLAGS = SEEN + 12;
const REVISION = SEEN + 16;
const EIP = SEEN + 20;
const EAX = SEEN + 24;
const HALT = SEEN + 28;
const DR7 = SEEN + 32;
const CR4 = SEEN + 36;
/** What the handler is to do besides, and where its save area is. */
const ORDER = SEEN + 40;
const NEW_BASE = SEEN + 44;
const NMI_COUNT = SEEN + 48;
const SEEN_NMI = SEEN + 52;
const CHANGE_EAX = 1;
const RELOCATE = 2;
const LEAVE_HALT = 4;
const SEND_NMI = 8;
const SEND_SMI = 16;

const APIC_SVR = 0xfee0_00f0;
const APIC_ICR = 0xfee0_0300;
const APIC_LINT0 = 0xfee0_0350;

export function smm(bits: 32 | 64): GuestProgram {
  const layout = LAYOUTS[bits];
  const p = new GuestProgram(`smm-${bits}`, layout.cpu);
  const trigger = "out 0xb2, al";
  const order = (what: number): string => `mov dword [${ORDER}], ${what}`;
  const ones = (mask: number, name: string, source: string, expected: number): void => {
    p.code(`mov eax, ${source}\nand eax, ${mask}`);
    p.equal(name, "eax", expected);
  };

  // Position-independent: it runs at SMBASE + 8000. DS has base 0, which 32-bit addresses through EDI use; EBP is SMBASE.
  p.data(`bits 16
    handler:
    xor edi, edi
    mov eax, cs
    mov ebp, [edi + ${NEW_BASE}]
    mov [edi + ${CS}], eax
    inc dword [edi + ${COUNT}]
    mov eax, cr0
    mov [edi + ${CR0}], eax
    mov eax, cr4
    mov [edi + ${CR4}], eax
    mov eax, dr7
    mov [edi + ${DR7}], eax
    mov esp, 0x7ff0
    pushfd
    pop dword [edi + ${FLAGS}]
    mov eax, [ebp + ${layout.revision}]
    mov [edi + ${REVISION}], eax
    mov eax, [ebp + ${layout.eip}]
    mov [edi + ${EIP}], eax
    mov eax, [ebp + ${layout.eax}]
    mov [edi + ${EAX}], eax
    movzx eax, byte [ebp + ${layout.autoHalt}]
    mov [edi + ${HALT}], eax
    mov ebx, [edi + ${ORDER}]
    test bl, ${CHANGE_EAX}
    je handler_relocate
    mov dword [ebp + ${layout.eax}], 0x12345678
    handler_relocate:
    test bl, ${RELOCATE}
    je handler_halt
    mov dword [ebp + ${layout.smbase}], ${SMRAM}
    mov dword [edi + ${NEW_BASE}], ${SMRAM}
    handler_halt:
    test bl, ${LEAVE_HALT}
    je handler_nmi
    cmp byte [ebp + ${layout.autoHalt}], 1
    jne handler_nmi
    cmp dword [edi + ${COUNT}], 2
    jb handler_nmi
    mov byte [ebp + ${layout.autoHalt}], 0
    mov al, 0xff
    out 0x21, al
    handler_nmi:
    test bl, ${SEND_NMI}
    je handler_smi
    mov dword [edi + ${APIC_ICR + 16}], 0
    mov dword [edi + ${APIC_ICR}], 0x4400
    mov ecx, 1000
    handler_wait: dec ecx
    jne handler_wait
    mov eax, [edi + ${NMI_COUNT}]
    mov [edi + ${SEEN_NMI}], eax
    handler_smi:
    test bl, ${SEND_SMI}
    je handler_acknowledge
    mov dword [edi + ${ORDER}], 0
    mov dword [edi + ${APIC_ICR + 16}], 0
    mov dword [edi + ${APIC_ICR}], 0x4200
    mov ecx, 1000
    handler_wait2: dec ecx
    jne handler_wait2
    mov eax, [edi + ${COUNT}]
    mov [edi + ${SEEN_NMI}], eax
    handler_acknowledge:
    ; The timer's interrupt comes as an SMI too: the 8259 has to see it acknowledged.
    mov al, 0x0c
    out 0x20, al
    in al, 0x20
    mov al, 0x20
    out 0x20, al
    rsm
    handler_end:
    bits 32
    count_nmi: inc dword [${NMI_COUNT}]
    iretd`);

  p.code(`mov edi, ${SEEN}\nmov ecx, 16\nxor eax, eax\ncld\nrep stosd\nmov dword [${NEW_BASE}], ${FIRST_BASE}
    mov esi, handler\nmov edi, ${FIRST_BASE + 0x8000}\nmov ecx, handler_end - handler\nrep movsb`);
  // Bit 25 of the power management function's DEVACTB lets writes to port B2 raise SMIs.
  p.code(`mov dx, 0xcf8\nmov eax, 0x80000b58\nout dx, eax\nmov dx, 0xcfc\nin eax, dx\nor eax, 0x2000000\nout dx, eax`);
  p.fault("RSM outside", "rsm", { vector: VEC.UD });

  p.code(`mov eax, 0x11110000\nmov ebx, 0x22222222\nmov ecx, 0x33333333\nmov edx, 0x44444444\nmov esi, 0x55555555
    mov edi, 0x66666666\nmov ebp, 0x77777777\nstd\nstc\n${trigger}
    .next: mov [${SEEN + 56}], eax\nmov eax, [${COUNT}]\npushfd\ncld`);
  p.equal("an SMI through the APM port comes before the next instruction", "eax", 1);
  p.code("pop eax\nand eax, 0x401");
  p.equal("keeps the flags", "eax", 0x401);
  p.equal("and EAX", `[${SEEN + 56}]`, 0x1111_0000);
  p.equal("and EBX", "ebx", 0x2222_2222);
  p.equal("and ECX", "ecx", 0x3333_3333);
  p.equal("and EBP", "ebp", 0x7777_7777);
  p.equal("and EDI", "edi", 0x6666_6666);
  p.equal("its CS", `[${CS}]`, FIRST_BASE >> 4);
  ones(0x8000_000d, "paging and protection are off", `[${CR0}]`, 0);
  p.equal("flags are clear", `[${FLAGS}]`, 2);
  p.equal("so is CR4", `[${CR4}]`, 0);
  p.equal("and DR7", `[${DR7}]`, 0x400);
  p.equal("the saved EIP", `[${EIP}]`, ".next");
  p.equal("the saved EAX", `[${EAX}]`, 0x1111_0000);
  ones(0x2_0000, "the revision allows relocation", `[${REVISION}]`, 0x2_0000);
  p.equal("not from HLT", `[${HALT}]`, 0);
  p.code(`${order(CHANGE_EAX)}\n${trigger}\nmov ebx, eax`);
  p.equal("the handler can change registers", "ebx", 0x1234_5678);
  p.code(order(0));
  p.user("from ring 3", `mov dx, 0xb2\n${trigger}\nmov ax, cs\nand ax, 3\ncmp ax, 3\nje .still\nud2\n.still: nop`);
  p.code(`mov dword [${COUNT}], 0\nmov dword [${APIC_ICR + 16}], 0\nmov dword [${APIC_ICR}], 0x4200\nmov ecx, 1000
    .sent: dec ecx\njne .sent`);
  p.equal("through the APIC", `[${COUNT}]`, 1);
  p.code("mov eax, cr0\nor eax, 8\nmov cr0, eax");
  p.fault("CR0 and DR7 are kept", `mov eax, 0x2401\nmov dr7, eax\n${trigger}\n.guarded: mov ebx, dr7`, {
    vector: VEC.DB,
    at: ".guarded",
  });
  p.code("mov eax, 0x400\nmov dr7, eax\nmov ebx, cr0\nclts\nand ebx, 0x80000009");
  p.equal("PE and TS", "ebx", 9);

  // Relocation to SMRAM, whose contents are seen by nobody else.
  const smram = (value: number): string =>
    `mov dx, 0xcf8\nmov eax, 0x80000070\nout dx, eax\nmov dx, 0xcfe\nmov al, ${value}\nout dx, al`;
  p.code(`${order(RELOCATE)}\n${trigger}\n${order(0)}\n${smram(0x4a)}
    mov esi, handler\nmov edi, ${SMRAM + 0x8000}\nmov ecx, handler_end - handler\nrep movsb
    mov edx, [handler]\ncmp [${SMRAM + 0x8000}], edx\nsete bl\nmovzx ebx, bl
    ${smram(0x0a)}\nmov edx, [handler]\ncmp [${SMRAM + 0x8000}], edx\nsetne cl\nmovzx ecx, cl\nmov dword [${COUNT}], 0\nmov dword [${FIRST_BASE + 0x8000}], 0xffffffff\n${trigger}`);
  p.equal("SMRAM is open", "ebx", 1);
  p.equal("and closed", "ecx", 1);
  p.equal("the handler runs there", `[${COUNT}]`, 1);
  p.equal("with its CS", `[${CS}]`, SMRAM >> 4);

  // What is held off
  p.code(`mov dword [idt + 16], (count_nmi & 0xffff) | 0x80000\n${order(SEND_NMI)}\n${trigger}\n${order(0)}\nnop`);
  p.equal("an NMI waits", `[${SEEN_NMI}]`, 0);
  p.equal("for RSM", `[${NMI_COUNT}]`, 1);
  p.code(`mov dword [${COUNT}], 0\n${order(SEND_SMI)}\n${trigger}\nnop`);
  p.equal("a second SMI waits", `[${SEEN_NMI}]`, 1);
  p.equal("and comes after RSM", `[${COUNT}]`, 2);

  // HLT: SMIs from the timer, by LINT0
  p.code(`mov dword [${COUNT}], 0\n${order(LEAVE_HALT)}
    mov al, 0x11\nout 0x20, al\nmov al, 0x40\nout 0x21, al\nmov al, 4\nout 0x21, al\nmov al, 1\nout 0x21, al
    mov dword [${APIC_SVR}], 0x1ff\nmov dword [${APIC_LINT0}], 0x200
    mov al, 0xfe\nout 0x21, al\nmov al, 0x34\nout 0x43, al\nmov al, 0xa9\nout 0x40, al\nmov al, 4\nout 0x40, al
    hlt\n.after_halt: mov dword [${APIC_LINT0}], 0x700`);
  p.equal("RSM goes back to HLT, unless the handler says no", `[${COUNT}]`, 2);
  p.equal("with EIP after it", `[${EIP}]`, ".after_halt");
  p.equal("as the save area says", `[${HALT}]`, 1);
  p.code(order(0));

  // Other modes
  const v86 = p.label();
  p.data(`bits 16\n${v86}: ${trigger}\nmov ax, cs\ncmp ax, 0x1000\njne .bad86\nint 0x80\n.bad86: hlt\nbits 32`);
  p.fault(
    "from virtual-8086 mode",
    `push dword 0\npush dword 0\npush dword 0\npush dword 0\npush dword 0\npush dword 0x5000\npush dword 0x23002
    push dword 0x1000\npush dword ${v86} - image\niretd`,
    FINISHED,
  );
  p.code("mov eax, [fault_flags]\nand eax, 0x20000");
  p.equal("which goes on", "eax", 0x2_0000);
  if (bits === 64) {
    p.long(() => {
      p.code(`mov r15, 0x123456789abcdef0\nmov rbx, 0xfedcba9876543210\nmov dword [${COUNT}], 0\n${trigger}
        mov r14, cr3\nmov r13, cr4`);
      p.code(`mov eax, [${COUNT}]`);
      p.equal64("from 64-bit code", "rax", 1);
      p.equal64("R15", "r15", 0x1234_5678_9abc_def0n);
      p.equal64("RBX", "rbx", 0xfedc_ba98_7654_3210n);
      p.equal64("CR3", "r14", "PML4");
      p.equal64("CR4", "r13", 0x620);
      p.code("mov ecx, 0xc0000080\nrdmsr\nand eax, 0xd00");
      p.equal64("EFER", "rax", 0xd00);
      p.user64(
        "from ring 3 of 64-bit code",
        `push 0x3002\npopfq\nmov r12, 5\n${trigger}\ncmp r12, 5\nje .same12\nud2\n.same12: nop`,
        FINISHED,
        {
          flags: 0x3002,
        },
      );
    });
  }
  return p;
}
