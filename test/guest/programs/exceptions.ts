/**
 * Exceptions of arithmetic: x87, MMX and SSE with all settings of CR0 and CR4, and those of integer instructions (Intel
 * SDM volume 3, sections 2.5, 6.15 and 14.1; volume 1, section 8.7 on the AT's way of reporting).
 */

import { FINISHED, GuestProgram, VEC } from "./builder.ts";

const p = new GuestProgram("exceptions");

const MP = 2;
const EM = 4;
const TS = 8;
const NE = 0x20;
const OSFXSR = 0x200;
const OSXMMEXCPT = 0x400;

p.data(`align 16
  area: resb 512
  zeros: dd 0, 0, 0, 0
  ones: dd 0x3f800000, 0x3f800000, 0x3f800000, 0x3f800000
  bad_mxcsr: dd 0x11f80
  good_mxcsr: dd 0xffc0
  unmasked_mxcsr: dd 0x1d80
  default_mxcsr: dd 0x1f80
  unmasked: dw 0x37b
  masked: dw 0x37f
  status: dd 0
  bounds: dd 5, 10`);

/** Sets the bits of CR0 and CR4 that matter here. */
const setting = (cr0: number, cr4: number): string =>
  `mov eax, cr0\nand eax, ${0xffff_ffff - (MP | EM | TS | NE)}\nor eax, ${cr0}\nmov cr0, eax
  mov eax, cr4\nand eax, ${0xffff_ffff - (OSFXSR | OSXMMEXCPT)}\nor eax, ${cr4}\nmov cr4, eax`;

const X87 = "fld1";
const MMX = "pxor mm0, mm0";
const SSE = "xorps xmm0, xmm0";
const WAIT = "fwait";
const SAVE = "fxsave [area]";
const CONTROL = "ldmxcsr [default_mxcsr]";
const SETTINGS: [name: string, cr0: number, cr4: number, faults: Record<string, number>][] = [
  ["nothing set", NE, OSFXSR, {}],
  ["without OSFXSR", NE, 0, { [SSE]: VEC.UD, [CONTROL]: VEC.UD }],
  ["with TS", NE | TS, OSFXSR, { [X87]: VEC.NM, [MMX]: VEC.NM, [SSE]: VEC.NM, [SAVE]: VEC.NM, [CONTROL]: VEC.NM }],
  ["with TS, without OSFXSR", NE | TS, 0, { [X87]: 7, [MMX]: 7, [SSE]: VEC.UD, [SAVE]: 7, [CONTROL]: VEC.UD }],
  ["with MP", NE | MP, OSFXSR, {}],
  ["with TS and MP", NE | TS | MP, OSFXSR, { [X87]: 7, [MMX]: 7, [SSE]: 7, [SAVE]: 7, [CONTROL]: 7, [WAIT]: 7 }],
  ["with EM", NE | EM, OSFXSR, { [X87]: VEC.NM, [MMX]: VEC.UD, [SSE]: VEC.UD, [SAVE]: VEC.NM, [CONTROL]: VEC.UD }],
  ["with EM and TS", NE | EM | TS, OSFXSR, { [X87]: 7, [MMX]: VEC.UD, [SSE]: VEC.UD, [SAVE]: 7, [CONTROL]: VEC.UD }],
];
for (const [name, cr0, cr4, faults] of SETTINGS) {
  p.code(`${setting(NE, 0)}\nfninit\n${setting(cr0, cr4)}`);
  for (const code of [X87, MMX, SSE, WAIT, SAVE, CONTROL]) {
    const vector = faults[code];
    if (vector === undefined) p.quiet(`${code} ${name}`, code);
    else p.fault(`${code} ${name}`, code, { vector });
  }
  p.quiet(`what is no SSE state ${name}`, "sfence\nmfence\nmovnti [area], eax\npopcnt eax, ebx\ncrc32 eax, ebx\npause");
}
p.code(`${setting(NE | TS, 0)}\nclts`);
p.quiet("CLTS clears TS", "fld1");

// #MF
const DIVIDE = "fninit\nfldcw [unmasked]\nfld1\nfldz\n";
p.code(`${setting(NE, OSFXSR | OSXMMEXCPT)}`);
p.quiet("a masked division by zero", "fninit\nfld1\nfldz\nfdivp st1, st0\nfwait");
p.quiet("an unmasked one does not fault itself", `${DIVIDE}.divide: fdivp st1, st0`);
p.code("fnstsw\nand eax, 0x84bf\nmov ecx, eax");
p.equal("ES, B and ZE are set", "ecx", 0x8084);
for (const code of ["fwait", "fld1", "fldcw [masked]", "fxch st1", "pxor mm1, mm1", "fnop", "emms", "frstor [area]"]) {
  p.fault(`${code} reports it`, `.report: ${code}`, { vector: VEC.MF, at: ".report" });
}
p.quiet("FNSTSW, FNSTCW, FXSAVE and SSE do not", "fnstsw\nfnstcw [status]\nfxsave [area]\nxorps xmm1, xmm1");
p.code("fnstenv [area]");
p.equal("the instruction pointer is that of the division", "[area + 12]", ".divide");
p.quiet("FNSTENV masks it", "fwait");
p.quiet("and keeps its flag", "fldcw [masked]\nfwait");
p.fault("unmasking a flag that is set", "fldcw [unmasked]\n.unmasked: fwait", { vector: VEC.MF, at: ".unmasked" });
p.quiet("FNCLEX clears it", "fnclex\nfwait");
p.quiet("FNINIT too", `${DIVIDE}fdivp st1, st0\nfninit\nfwait`);
p.quiet("FNSAVE too", `${DIVIDE}fdivp st1, st0\nfnsave [area]\nfwait`);
p.user("in ring 3", `${DIVIDE}fdivp st1, st0\nfwait`, { vector: VEC.MF });
p.code("fninit");

// #XM
const DIVPS = "movaps xmm0, [ones]\nldmxcsr [unmasked_mxcsr]\n.divps: divps xmm0, [zeros]";
p.fault("an unmasked SSE exception", DIVPS, { vector: VEC.XM, at: ".divps" });
p.code("stmxcsr [status]\nmovd ebx, xmm0");
p.equal("sets its flag", "[status]", 0x1d84);
p.equal("and leaves the destination", "ebx", 0x3f80_0000);
p.code(setting(NE, OSFXSR));
p.fault("without OSXMMEXCPT", DIVPS.replace(".divps", ".divps2"), { vector: VEC.UD, at: ".divps2" });
p.quiet("a masked one", "ldmxcsr [default_mxcsr]\ndivps xmm0, [zeros]");
p.quiet("all bits of MXCSR but the upper half", "ldmxcsr [good_mxcsr]\nldmxcsr [default_mxcsr]");
p.fault("a reserved bit of MXCSR", "ldmxcsr [bad_mxcsr]", { vector: VEC.GP });
p.fault("a reserved bit in FXRSTOR's image", "fxsave [area]\nmov byte [area + 26], 1\nfxrstor [area]", {
  vector: VEC.GP,
});
p.fault("FXSAVE off its boundary", "fxsave [area + 8]", { vector: VEC.GP });
p.fault("MOVAPS off its boundary", "movaps xmm0, [ones + 4]", { vector: VEC.GP });
p.fault("an operand off its boundary", "addps xmm0, [ones + 4]", { vector: VEC.GP });
p.quiet("MOVUPS", "movups xmm0, [ones + 4]");

// Integers
p.fault("DIV by zero", "xor ecx, ecx\n.div: div ecx", { vector: VEC.DE, at: ".div" });
p.fault("a quotient that is too big", "mov edx, 1\nxor eax, eax\nmov ecx, 1\ndiv ecx", { vector: VEC.DE });
p.fault("IDIV of the least number by -1", "mov eax, 0x80000000\ncdq\nmov ecx, -1\nidiv ecx", { vector: VEC.DE });
p.fault("AAM 0", "db 0xd4, 0", { vector: VEC.DE });
p.fault("BOUND below", "mov eax, 4\n.bound: bound eax, [bounds]", { vector: VEC.BR, at: ".bound" });
p.fault("BOUND above", "mov eax, 11\nbound eax, [bounds]", { vector: VEC.BR });
p.quiet("BOUND inside", "mov eax, 10\nbound eax, [bounds]");
p.fault("INTO with OF", "mov al, 0x7f\ninc al\ninto\n.after_into: nop", { vector: VEC.OF, at: ".after_into" });
p.quiet("INTO without", "xor eax, eax\ninto");
p.fault("INT3", "int3\n.after_int3: nop", { vector: VEC.BP, at: ".after_int3" });
for (const [name, bytes] of [
  ["UD2", "0x0f, 0x0b"],
  ["UD1", "0x0f, 0xb9, 0xc0"],
  ["LOCK of a register", "0xf0, 0x01, 0xc0"],
  ["LOCK of MOV", "0xf0, 0x89, 0x00"],
  ["LOCK of CMP", "0xf0, 0x39, 0x00"],
  ["LEA of a register", "0x8d, 0xc0"],
  ["an undefined member of group 5", "0xff, 0xf8"],
  ["an undefined member of group 11", "0xc7, 0xc8"],
] as const) {
  p.fault(name, `.undefined: db ${bytes}`, { vector: VEC.UD });
}
p.fault(
  "more than 15 bytes",
  "db 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90",
  {
    vector: VEC.GP,
  },
);

// #AC
const MISALIGNED = "mov eax, [area + 1]";
p.code("mov eax, cr0\nor eax, 0x40000\nmov cr0, eax");
p.user("a misaligned access in ring 3 with AM and AC", MISALIGNED, { vector: VEC.AC }, { flags: 0x40002 });
p.user("without AC", MISALIGNED);
p.user("an aligned one", "mov eax, [area + 4]\nmov ax, [area + 2]\nmov al, [area + 1]", FINISHED, { flags: 0x40002 });
p.user("a word", "mov ax, [area + 1]", { vector: VEC.AC }, { flags: 0x40002 });
p.user("the stack", "dec esp\npush eax", { vector: VEC.AC }, { flags: 0x40002 });
p.quiet("in ring 0", `push dword 0x40002\npopfd\n${MISALIGNED}`);
p.code("push dword 2\npopfd\nmov eax, cr0\nand eax, 0xfffbffff\nmov cr0, eax");
p.user("without AM", MISALIGNED, FINISHED, { flags: 0x40002 });

// Without NE an exception is reported by IRQ 13
p.code(`${setting(0, OSFXSR)}
  mov al, 0x11
  out 0x20, al
  out 0xa0, al
  mov al, 0x40
  out 0x21, al
  mov al, 0x48
  out 0xa1, al
  mov al, 4
  out 0x21, al
  mov al, 2
  out 0xa1, al
  mov al, 1
  out 0x21, al
  out 0xa1, al
  mov al, 0xfb
  out 0x21, al
  mov al, 0xdf
  out 0xa1, al`);
const IRQ13 = { vector: 0x4d } as const;
const RELEASE = "xor al, al\nout 0xf0, al\nfnclex\nmov al, 0x20\nout 0xa0, al\nout 0x20, al";
p.fault("IRQ 13 reports it without NE", `${DIVIDE}.divide13: fdivp st1, st0\nsti\nfld1\nnop\nnop`, IRQ13);
p.code("fnstenv [area]");
p.equal("and FNSTENV says where it was", "[area + 12]", ".divide13");
p.code(RELEASE);
p.quiet("once", "sti\nnop\nfld1\ncli");
p.fault("and again", `${DIVIDE}fdivp st1, st0\nsti\nnop\nfwait\nnop\nnop`, IRQ13);
p.quiet("port F0 lets the handler go on", "xor al, al\nout 0xf0, al\nfld1\nfwait");
p.code(`${RELEASE}\nmov al, 0xff\nout 0x21, al\nout 0xa1, al\n${setting(NE, 0)}\nfninit`);

export const exceptions = p;
