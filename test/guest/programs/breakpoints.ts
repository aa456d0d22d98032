/**
 * Breakpoint registers of all types and lengths, and single step through instructions that change the flow (Intel SDM
 * volume 3, sections 18.2 and 18.3).
 */

import { FINISHED, GuestProgram, SEL, VEC } from "./builder.ts";

const p = new GuestProgram("breakpoints");

const DATA = 0x2_0000;
const EXECUTE = 0;
const WRITE = 1;
const IO = 2;
const READ_WRITE = 3;
/** DR7 for one breakpoint: its number, type, length less one; global. */
const enable = (index: number, type: number, length: number): number =>
  0x400 | (2 << (index * 2)) | (type << (16 + index * 4)) | (length << (18 + index * 4));
const DISABLE = "mov ecx, 0x400\nmov dr7, ecx";
const watch = (index: number, address: number | string, type: number, length = 0): string =>
  `mov ecx, ${address}\nmov dr${index}, ecx\nxor ecx, ecx\nmov dr6, ecx\nmov ecx, ${enable(index, type, length)}\nmov dr7, ecx`;
const TF = "pushfd\nor dword [esp], 0x100\npopfd";

/** Runs code with breakpoints set and checks where it trapped and what DR6 says. */
function traps(name: string, setup: string, code: string, at: string, dr6: number): void {
  p.fault(name, `${setup}\n${code}`, { vector: VEC.DB, at });
  p.code(`mov ebx, dr6\nand ebx, 0xe00f\n${DISABLE}`);
  p.equal(`${name}: DR6`, "ebx", dr6);
}
function quiet(name: string, setup: string, code: string): void {
  p.quiet(name, `${setup}\n${code}`);
  p.code(DISABLE);
}

// Data
for (const [length, mask] of [
  [0, 0],
  [1, 1],
  [3, 3],
] as const) {
  const bytes = mask + 1;
  const at = DATA + 0x10;
  traps(
    `${bytes} bytes, the first`,
    watch(0, at, WRITE, length),
    `mov [${at}], al\n.first${bytes}: nop`,
    `.first${bytes}`,
    1,
  );
  traps(
    `${bytes} bytes, the last`,
    watch(1, at, WRITE, length),
    `mov [${at + mask}], al\n.last${bytes}: nop`,
    `.last${bytes}`,
    2,
  );
  quiet(
    `${bytes} bytes, before and behind`,
    watch(2, at, WRITE, length),
    `mov [${at - 1}], al\nmov [${at + bytes}], al`,
  );
  traps(
    `${bytes} bytes, a dword that overlaps`,
    watch(3, at, WRITE, length),
    `mov [${at - 3}], eax\n.over${bytes}: nop`,
    `.over${bytes}`,
    8,
  );
}
traps("an address is cut to its length", watch(0, DATA + 3, WRITE, 3), `mov [${DATA}], al\n.cut: nop`, ".cut", 1);
traps("reads", watch(0, DATA, READ_WRITE), `mov al, [${DATA}]\n.reads: nop`, ".reads", 1);
traps("and writes", watch(0, DATA, READ_WRITE), `mov [${DATA}], al\n.writes: nop`, ".writes", 1);
quiet("fetches are no reads", watch(0, ".fetched", READ_WRITE), "nop\n.fetched: nop");
traps(
  "an operand over two pages",
  watch(0, DATA + 0x1000, WRITE),
  `mov [${DATA + 0xffe}], eax\n.pages: nop`,
  ".pages",
  1,
);
traps("PUSH", `${watch(0, "0x5ffc", WRITE, 3)}\nmov ebp, esp\nmov esp, 0x6000`, "push eax\n.push: nop", ".push", 1);
traps("CALL", `${watch(0, "0x5ffc", WRITE, 3)}\nmov esp, 0x6000`, "call .callee\nnop\n.callee: nop", ".callee", 1);
traps(
  "MOVS has two operands",
  watch(0, DATA + 0x20, WRITE),
  `mov esi, ${DATA}\nmov edi, ${DATA + 0x20}\nmovsb\n.movs: nop`,
  ".movs",
  1,
);
traps("XCHG reads and writes", watch(0, DATA, WRITE), `xchg [${DATA}], eax\n.xchg: nop`, ".xchg", 1);
traps("FXSAVE", watch(0, DATA + 0xa0, WRITE), `fxsave [${DATA}]\n.fxsave: nop`, ".fxsave", 1);
traps("FNSTENV", watch(0, DATA + 0x18, WRITE), `fnstenv [${DATA}]\n.fnstenv: nop`, ".fnstenv", 1);
traps(
  "MOVUPS",
  "mov ecx, cr4\nor ecx, 0x200\nmov cr4, ecx\n" + watch(0, DATA + 15, WRITE),
  `movups [${DATA}], xmm0\n.movups: nop`,
  ".movups",
  1,
);
p.code(`mov dword [${DATA + 4}], .target`);
traps("JMP through memory", watch(0, DATA + 4, READ_WRITE), `jmp dword [${DATA + 4}]\n.target: nop`, ".target", 1);
p.fault("a fault comes before the trap", `${watch(0, DATA, READ_WRITE)}\nmov eax, [${DATA}]\nud2`, { vector: VEC.DB });
p.code(DISABLE);
p.fault(
  "an access that faults does not trap",
  `${watch(0, DATA, READ_WRITE)}\nxor ecx, ecx\n.none: div dword [${DATA + 0x400}]`,
  {
    vector: VEC.DE,
    at: ".none",
  },
);
p.code(DISABLE);
traps(
  "all that match are in DR6, enabled or not",
  `mov ecx, ${DATA}\nmov dr0, ecx\nmov dr1, ecx\nxor ecx, ecx\nmov dr6, ecx\nmov ecx, 0x110402\nmov dr7, ecx`,
  `mov [${DATA}], al\n.both: nop`,
  ".both",
  3,
);
traps(
  "DR6 is never cleared by the CPU",
  `mov ecx, 4\nmov dr6, ecx\nmov ecx, ${DATA}\nmov dr0, ecx\nmov ecx, ${enable(0, WRITE, 0)}\nmov dr7, ecx`,
  `mov [${DATA}], al\n.kept: nop`,
  ".kept",
  5,
);
p.code("mov ebx, dr6\nmov ecx, dr7");
p.equal("the fixed bits of DR6", "ebx", 0xffff_0ff5);
p.equal("and of DR7", "ecx", 0x400);
p.code("xor eax, eax\nmov dr6, eax\nmov dr4, eax\nmov ebx, dr4\nmov ecx, dr5");
p.equal("DR4 is DR6", "ebx", 0xffff_0ff0);
p.equal("DR5 is DR7", "ecx", 0x400);

// Execution
traps("execution", watch(0, ".exec", EXECUTE), "nop\n.exec: nop", ".exec", 1);
p.code("mov ebx, [fault_flags]\nand ebx, 0x10000");
p.equal("pushes RF clear", "ebx", 0);
quiet("not in the middle of an instruction", watch(0, ".middle + 1", EXECUTE), ".middle: mov eax, 5");
traps("at a jump's target", watch(2, ".jumped", EXECUTE), "jmp .jumped\nnop\n.jumped: nop", ".jumped", 4);
traps(
  "the second time round a loop",
  `${watch(0, ".loop", EXECUTE)}`,
  "mov ecx, 2\n.loop: dec ecx\njne .loop",
  ".loop",
  1,
);
quiet(
  "POPF does not set RF, IRET does",
  watch(0, ".resumed", EXECUTE),
  `push dword 0x10002\npush dword ${SEL.code32}\npush dword .resumed\niretd\n.resumed: nop`,
);
p.fault(
  "which holds for one instruction",
  `${watch(0, ".later", EXECUTE)}\npush dword 0x10002\npush dword 8\npush dword .rf\niretd\n.rf: nop\n.later: nop`,
  {
    vector: VEC.DB,
    at: ".later",
  },
);
p.code(DISABLE);
p.code(`${watch(0, ".ss_shadow", EXECUTE)}\nmov bx, ss`);
p.quiet("MOV SS holds off the next instruction's", "mov ss, bx\n.ss_shadow: nop");
p.code(DISABLE);
p.fault(
  "the fault's own RF skips the breakpoint when it returns",
  `${watch(0, ".faulting", EXECUTE)}
  push dword 0x10002\npush dword ${SEL.code32}\npush dword .faulting\niretd\n.faulting: ud2`,
  { vector: VEC.UD, at: ".faulting" },
);
p.code(`mov ebx, [fault_flags]\nand ebx, 0x10000\n${DISABLE}`);
p.equal("faults push RF", "ebx", 0x1_0000);
p.fault("INT pushes it clear", "int 0x80", FINISHED);
p.code("mov ebx, [fault_flags]\nand ebx, 0x10000");
p.equal("so do traps", "ebx", 0);
p.user("in ring 3", "nop\n.user_exec: nop", FINISHED);
p.code(watch(1, ".user_exec", EXECUTE));
p.user("a breakpoint in ring 3", "nop\nnop\njmp .user_exec", { vector: VEC.DB });
p.code(DISABLE);

// Ports
p.code("mov ecx, cr4\nor ecx, 8\nmov cr4, ecx");
traps("IN", watch(0, 0x80, IO), "in al, 0x80\n.in: nop", ".in", 1);
traps("OUT", watch(0, 0x80, IO), "out 0x80, al\n.out: nop", ".out", 1);
traps("a word over the port", watch(0, 0x81, IO), "in ax, 0x80\n.in_word: nop", ".in_word", 1);
quiet("another port", watch(0, 0x82, IO), "in ax, 0x80");
traps("OUTSB", watch(0, 0x80, IO), `mov dx, 0x80\nmov esi, ${DATA}\noutsb\n.outsb: nop`, ".outsb", 1);
p.fault("DR4 with CR4.DE", "mov eax, dr4", { vector: VEC.UD });
p.code("mov ecx, cr4\nand ecx, 0xfffffdf7\nmov cr4, ecx");
quiet("without CR4.DE ports do not count", watch(0, 0x80, IO), "in al, 0x80");

// General detect
p.fault("GD in front of a write", `mov eax, 0x2400\nmov dr7, eax\n.gd: mov dr0, eax`, { vector: VEC.DB, at: ".gd" });
p.code("mov ebx, dr7\nmov ecx, dr6\nand ecx, 0xe00f\nxor eax, eax\nmov dr6, eax");
p.equal("is cleared for the handler", "ebx", 0x400);
p.equal("with BD in DR6", "ecx", 0x2000);

// Single step
const steps = (name: string, code: string, at: string, extra = 0): void => {
  traps(name, "xor ecx, ecx\nmov dr6, ecx", code, at, 0x4000 | extra);
};
steps("over a jump", `${TF}\njmp .stepped\nnop\n.stepped: nop`, ".stepped");
steps("over a call", `${TF}\ncall .stepped_call\nnop\n.stepped_call: nop`, ".stepped_call");
steps("over a jump that is not taken", `xor eax, eax\n${TF}\njne .never\n.not_taken: nop\n.never: nop`, ".not_taken");
steps("over POPF that clears TF", `pushfd\n${TF}\npopfd\n.cleared: nop`, ".cleared");
steps("over PUSHF", `${TF}\npushfd\n.pushed: nop`, ".pushed");
p.code("mov eax, [fault_sp]\nand eax, 0x100");
p.equal("which pushes TF", "eax", 0x100);
steps(
  "IRET that sets TF traps after the next",
  `push dword 0x102\npush dword 8\npush dword .iret_tf\niretd\n.iret_tf: nop\n.after_iret_tf: nop`,
  ".after_iret_tf",
);
steps("CPUID", `${TF}\ncpuid\n.cpuid: nop`, ".cpuid");
steps("a far jump", `${TF}\njmp ${SEL.code32}:.far\n.far: nop`, ".far");
steps("a write to CR0", `mov eax, cr0\n${TF}\nmov cr0, eax\n.cr0: nop`, ".cr0");
p.fault("not over INT", `${TF}\nint 0x80`, FINISHED);
p.code("mov ebx, [fault_flags]\nand ebx, 0x100");
p.equal("which pushes TF", "ebx", 0x100);
p.fault("nor over an instruction that faults", `${TF}\n.step_ud: ud2`, { vector: VEC.UD, at: ".step_ud" });
p.fault("INT3 with TF", `${TF}\nint3\n.step_int3: nop`, { vector: VEC.BP, at: ".step_int3" });
p.code(`xor ecx, ecx\nmov dr6, ecx`);
p.user("into ring 3", "nop\n.in_user: nop", { vector: VEC.DB, at: ".in_user" }, { flags: 0x102 });
traps(
  "a step and a data breakpoint in one",
  watch(0, DATA, WRITE),
  `${TF}\nmov [${DATA}], al\n.step_data: nop`,
  ".step_data",
  0x4001,
);
p.fault(
  "a breakpoint at the instruction after a step",
  `${watch(0, ".next_exec", EXECUTE)}\n${TF}\nnop\n.next_exec: nop`,
  {
    vector: VEC.DB,
    at: ".next_exec",
  },
);
p.code(`mov ebx, dr6\nand ebx, 0x4000\n${DISABLE}`);
p.equal("has BS", "ebx", 0x4000);

export const breakpoints = p;
