/**
 * INIT, and what it leaves alone (Intel SDM volume 3, section 10.1). The program starts again at the reset vector; a mark
 * in memory tells how often it has.
 */

import { GuestProgram } from "./builder.ts";

const p = new GuestProgram("reset");

const MARK = 0x2_0000;
const LEFT = 0x2_0010;
const APIC_ICR = 0xfee0_0300;
const LSTAR = 0xc000_0082;

p.code(`cmp dword [${MARK}], 0x5a5a5a5a
  je .again
  mov dword [${MARK}], 0x5a5a5a5a
  fninit
  fldpi
  mov eax, cr4
  or eax, 0x200
  mov cr4, eax
  ldmxcsr [mxcsr]
  movups xmm3, [mxcsr]
  mov ecx, ${LSTAR}
  mov eax, 0x1234
  xor edx, edx
  wrmsr
  mov ecx, 0xc0000080
  mov eax, 1
  wrmsr
  mov eax, 0x401
  mov dr7, eax
  mov eax, 0x10101010
  mov dr0, eax
  mov cr2, eax
  mov eax, cr0
  or eax, 0x10008
  mov cr0, eax
  rdtsc
  mov [${LEFT}], eax
  mov [${LEFT + 4}], edx
  mov dword [${APIC_ICR + 16}], 0
  mov dword [${APIC_ICR}], 0x4500
  .wait: jmp .wait
  mxcsr: dd 0x3f80, 1, 2, 3
  .again:`);
p.code("mov ebx, cr0\nmov ecx, cr2\nmov edx, cr4");
p.equal("WP and TS of CR0 are clear", "ebx", 0x11);
p.equal("CR2 is clear", "ecx", 0);
p.equal("so is CR4", "edx", 0);
p.code("mov ebx, dr7\nmov ecx, dr0\nmov edx, dr6");
p.equal("DR7", "ebx", 0x400);
p.equal("DR0", "ecx", 0);
p.equal("DR6", "edx", 0xffff_0ff0);
p.code(`mov dword [${LEFT + 8}], 0\nfnstsw [${LEFT + 8}]\nfistp dword [${LEFT + 12}]`);
p.equal("x87 registers stay", `[${LEFT + 8}]`, 0x3800);
p.equal("with their values", `[${LEFT + 12}]`, 3);
p.code(`mov eax, cr4\nor eax, 0x200\nmov cr4, eax\nstmxcsr [${LEFT + 8}]\nmovups [${LEFT + 16}], xmm3`);
p.equal("MXCSR stays", `[${LEFT + 8}]`, 0x3f80);
p.equal("and XMM registers", `[${LEFT + 28}]`, 3);
p.code(`mov ecx, ${LSTAR}\nrdmsr\nmov ebx, eax\nmov ecx, 0xc0000080\nrdmsr`);
p.equal("and MSRs", "ebx", 0x1234);
p.equal("but EFER", "eax", 0);
p.code(`rdtsc\nsub eax, [${LEFT}]\nsbb edx, [${LEFT + 4}]\nmov ebx, edx`);
p.equal("the time-stamp counter goes on", "ebx", 0);
p.code("mov ecx, 0x1b\nrdmsr\nand eax, 0x900");
p.equal("and the APIC is on", "eax", 0x900);
p.code(`mov dword [${MARK}], 0`);

export const reset = p;
