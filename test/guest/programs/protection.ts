/** Segments, privilege and gates (Intel SDM volume 3, chapters 5 and 6). */

import { FINISHED, GuestProgram, SEL, VEC } from "./builder.ts";

const p = new GuestProgram("protection");

const small = p.descriptor({ base: 0x20000, limit: 0xff, access: 0x93, flags: 4 }, "small");
const readOnly = p.descriptor({ base: 0x20000, limit: 0xff, access: 0x91, flags: 4 });
const down = p.descriptor({ base: 0x20000, limit: 0xff, access: 0x97, flags: 0 });
const absent = p.descriptor({ access: 0x13 });
const executeOnly = p.descriptor({ access: 0x99 });
const fresh = p.descriptor({ access: 0x92 }, "fresh");
const ring3Data = p.descriptor({ access: 0xf3 });
const conforming = p.descriptor({ access: 0x9f });

// Loads
p.quiet("a null selector may be loaded into DS", "xor ax, ax\nmov ds, ax");
p.fault("and not be used", "xor ax, ax\nmov ds, ax\nmov al, [0x100]", { vector: VEC.GP });
p.fault("a null selector in SS", "xor ax, ax\nmov ss, ax", { vector: VEC.GP });
p.fault("an absent data segment", `mov ax, ${absent}\nmov ds, ax`, { vector: VEC.NP, error: absent });
p.fault("an absent stack segment", `mov ax, ${absent}\nmov ss, ax`, { vector: VEC.SS, error: absent });
p.fault("execute-only into DS", `mov ax, ${executeOnly}\nmov ds, ax`, { vector: VEC.GP, error: executeOnly });
p.fault("read-only into SS", `mov ax, ${readOnly}\nmov ss, ax`, { vector: VEC.GP, error: readOnly });
p.fault("ring 3 data into SS", `mov ax, ${ring3Data}\nmov ss, ax`, { vector: VEC.GP, error: ring3Data });
p.fault("beyond the GDT", "mov ax, 0x7f8\nmov ds, ax", { vector: VEC.GP, error: 0x7f8 });
p.fault("the LDT without one", "mov ax, 0x0c\nmov ds, ax", { vector: VEC.GP, error: 0x0c });
p.fault("CS by MOV", "db 0x8e, 0xc8", { vector: VEC.UD });
p.quiet("a first load", `mov ax, ${fresh}\nmov ds, ax`);
p.equal("sets the accessed bit", "[fresh + 4]", 0x00cf_9300);

// Limits and rights
p.quiet("the last byte", `mov ax, ${small}\nmov ds, ax\nmov al, [0xff]`);
p.fault("a byte beyond", `mov ax, ${small}\nmov ds, ax\nmov al, [0x100]`, { vector: VEC.GP });
p.fault("a dword over the end", `mov ax, ${small}\nmov ds, ax\nmov eax, [0xfd]`, { vector: VEC.GP });
p.fault("beyond the stack", `mov ax, ${small}\nmov ss, ax\nmov esp, 0x80\nmov al, [ss:0x100]`, { vector: VEC.SS });
p.fault("a write to read-only", `mov ax, ${readOnly}\nmov ds, ax\nmov [0], al`, { vector: VEC.GP });
p.fault("a write to code", "mov [cs:0x20000], al", { vector: VEC.GP });
p.fault("a read of execute-only code", `jmp ${executeOnly}:.xo\n.xo:\nmov al, [cs:0x20000]`, { vector: VEC.GP });
p.quiet("expand-down above its limit", `mov ax, ${down}\nmov ds, ax\nmov al, [0x100]`);
p.fault("expand-down at its limit", `mov ax, ${down}\nmov ds, ax\nmov al, [0xff]`, { vector: VEC.GP });
p.fault("16-bit expand-down past 64 KiB", `mov ax, ${down}\nmov ds, ax\nmov al, [0x10000]`, { vector: VEC.GP });

// LAR, LSL, VERR, VERW, ARPL
p.code(`mov ax, ${small}\nlar ebx, ax\nlsl ecx, ax`);
p.equal("LAR", "ebx", 0x0040_9300);
p.equal("LSL", "ecx", 0xff);
p.code(`mov ax, ${readOnly}\nverw ax\nsetz bl\nverr ax\nsetz bh\nmovzx ebx, bx`);
p.equal("VERR and VERW of read-only", "ebx", 0x100);
p.code("mov ax, 0x10\nmov bx, 0x23\narpl ax, bx\nmovzx ebx, ax");
p.equal("ARPL", "ebx", 0x13);

// Far jumps
p.fault("a jump to data", `jmp ${SEL.data32}:0`, { vector: VEC.GP, error: SEL.data32 });
p.fault("a jump to selector 0", "jmp 0:0", { vector: VEC.GP });
p.fault("a jump to ring 3", `jmp ${SEL.userCode32 & ~3}:0`, { vector: VEC.GP, error: SEL.userCode32 & ~3 });

// Ring 3
p.user("code in ring 3 runs", "nop");
p.equal("with the ring 0 stack of the TSS", "[fault_frame]", "ring0_stack - 20");
p.equal("from its own stack", "[fault_sp]", "user_stack");
for (const instruction of ["cli", "sti", "hlt", "clts", "mov eax, cr0", "mov cr3, eax", "mov dr7, eax", "wbinvd"]) {
  p.user(`${instruction} in ring 3`, instruction, { vector: VEC.GP });
}
for (const instruction of ["rdmsr", "wrmsr", "lgdt [0]", "lidt [0]", "invlpg [0]", "lmsw ax", "ltr ax", "lldt ax"]) {
  p.user(`${instruction} in ring 3`, instruction, { vector: VEC.GP });
}
p.user("an allowed port", "in al, 0x80");
p.user("a port closed by the map", "in al, 0xed", { vector: VEC.GP });
p.user("a word over an open and a closed port", "in ax, 0xec", { vector: VEC.GP });
p.user("a port beyond the map", "mov dx, 0x1000\nin al, dx", { vector: VEC.GP });
p.user("IOPL 3 opens all", "mov dx, 0x1000\nin al, dx\ncli", FINISHED, { flags: 0x3002 });
p.user("INT to a gate of ring 0", "int 0x21", { vector: VEC.GP, error: 0x21 * 8 + 2 });
p.user("INT3 to a gate of ring 3", "int3", { vector: VEC.BP });
p.user("ring 0 data", `mov ax, ${SEL.data32}\nmov ds, ax`, { vector: VEC.GP, error: SEL.data32 });
p.user(
  "conforming code",
  `call ${conforming}:.conforming\nint 0x80\n.conforming: mov ax, cs\nand ax, 3\ncmp ax, 3\njne .bad\nretf\n.bad: ud2`,
);
p.user(
  "POPF changes neither IF nor IOPL",
  "push dword 0x3202\npopfd\npushfd\npop eax\nand eax, 0x3200\nje .kept\nud2\n.kept: nop",
);

// Call gates
const gate32 = p.gate({ selector: SEL.code32, offset: "gate_target", type: 0xc, dpl: 3, count: 2 });
const gateInner = p.gate({ selector: SEL.code32, offset: "gate_target", type: 0xc, dpl: 0 });
const gateData = p.gate({ selector: SEL.data32, type: 0xc, dpl: 3 });
p.data(`gate_target:
  mov eax, [esp+8]
  mov [0x20000], eax
  mov eax, [esp+12]
  mov [0x20004], eax
  mov [0x20008], esp
  retf 8`);
p.user(
  "a call gate copies its arguments",
  `push dword 0x11\npush dword 0x22\ncall ${gate32 | 3}:0\ncmp esp, user_stack\nje .same\nud2\n.same: nop`,
);
p.equal("the last argument", "[0x20000]", 0x22);
p.equal("the first argument", "[0x20004]", 0x11);
p.equal("on the inner stack", "[0x20008]", "ring0_stack - 24");
p.user("a gate of ring 0", `call ${gateInner | 3}:0`, { vector: VEC.GP, error: gateInner });
p.user("a gate to data", `call ${gateData | 3}:0`, { vector: VEC.GP, error: SEL.data32 });
p.user(
  "an outer return nullifies inner segments",
  `push dword 0\npush dword 0\ncall ${gate32 | 3}:0\nmov ax, ds\ncmp ax, ${SEL.userData32}\nje .kept2\nud2\n.kept2: nop`,
);

// Flags at interrupts
p.fault("NT, TF and IF are off in a handler", "int 0x80", FINISHED);
p.fault("IRET with NT and no back link", "pushfd\nor dword [esp], 0x4000\npopfd\niretd", { vector: VEC.TS });
p.code("push dword 2\npopfd");

export const protection = p;
