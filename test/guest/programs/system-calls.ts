/**
 * SYSCALL, SYSRET, SYSENTER and SYSEXIT (AMD APM volume 3; Intel SDM volume 2), in long mode. The vendors differ: on an
 * AMD CPU SYSCALL works outside 64-bit code too and SYSENTER does not exist in long mode, on an Intel CPU it is the other
 * way round.
 */

import { FINISHED, GuestProgram, SEL, VEC } from "./builder.ts";

const MSR = {
  efer: 0xc000_0080,
  star: 0xc000_0081,
  lstar: 0xc000_0082,
  cstar: 0xc000_0083,
  sfmask: 0xc000_0084,
  sysenterCs: 0x174,
  sysenterEsp: 0x175,
  sysenterEip: 0x176,
} as const;

const wrmsr = (index: number, low: number | string, high: number | string = 0): string =>
  `mov ecx, ${index}\nmov eax, ${low}\nmov edx, ${high}\nwrmsr`;

export function systemCalls(vendor: "amd" | "intel"): GuestProgram {
  const p = new GuestProgram(`system-calls-${vendor}`, vendor === "amd" ? "max" : "kvm64");
  const amd = vendor === "amd";

  // In the order that SYSENTER and SYSEXIT want; SYSRET wants the last three.
  const kernelCode = p.descriptor({ access: 0x9b, flags: 0xa });
  const kernelData = p.descriptor({ access: 0x93 });
  const code32 = p.descriptor({ access: 0xfb }) | 3;
  const data = p.descriptor({ access: 0xf3 }) | 3;
  const code64 = p.descriptor({ access: 0xfb, flags: 0xa }) | 3;
  const data64 = p.descriptor({ access: 0xf3 }) | 3;

  // Every entry point notes what it finds and ends the check, or goes back if [answer] says so.
  p.data(`bits 64
    entry:
    mov [seen_rcx], rcx
    mov [seen_r11], r11
    mov [seen_rsp], rsp
    mov rsp, 0x4800
    pushfq
    pop rax
    mov [seen_flags], rax
    mov eax, cs
    mov [seen_cs], eax
    mov eax, ss
    mov [seen_ss], eax
    jmp qword [answer]
    finish: int 0x80
    back64:
    mov rsp, [seen_rsp]
    sysretq
    back32:
    mov rsp, [seen_rsp]
    sysretd
    back_exit:
    mov rcx, [seen_rsp]
    mov rdx, after_exit
    sysexitq
    after_exit: int 0x80
    back_exit32:
    mov ecx, 0x4f00
    mov edx, in_compat
    sysexit
    bits 32
    in_compat: mov eax, 1
    dec eax
    dec eax
    mov ebx, esp
    int 0x80
    from_compat: syscall
    after_compat: int 0x80
    enter_compat: sysenter
    legacy_entry:
    mov [seen_rcx], ecx
    mov [seen_rsp], esp
    mov esp, 0x4800
    pushfd
    pop dword [seen_flags]
    mov [seen_cs], cs
    mov [seen_ss], ss
    jmp dword [answer]
    legacy_return: mov esp, [seen_rsp]
    sysretd
    legacy_exit: mov ecx, [seen_rsp]
    mov edx, legacy_after
    sysexit
    legacy_after: int 0x80
    seen_rcx: dq 0
    seen_r11: dq 0
    seen_rsp: dq 0
    seen_flags: dq 0
    seen_cs: dq 0
    seen_ss: dq 0
    answer: dq 0`);

  /** 32-bit code in ring 3 of long mode. */
  const compat = (label: string): string =>
    `push ${data}\npush user_stack\npush 2\npush ${code32}\npush ${label}\niretq`;

  p.long(() => {
    p.code(wrmsr(MSR.star, "legacy_entry", (code32 << 16) | kernelCode));
    p.code(wrmsr(MSR.lstar, "entry"));
    p.code(wrmsr(MSR.cstar, "entry"));
    p.code(wrmsr(MSR.sfmask, 0x4700));
    p.code("mov qword [answer], finish");

    // SYSCALL
    p.user64("SYSCALL", "std\nstc\nsyscall\n.after_call: nop");
    p.equal64("CS", "[seen_cs]", kernelCode);
    p.equal64("SS", "[seen_ss]", kernelData);
    p.equal64("RCX is the return address", "[seen_rcx]", ".after_call");
    p.equal64("RSP stays", "[seen_rsp]", "user_stack");
    p.code("mov rax, [seen_r11]\nand eax, 0x4701");
    p.equal64("R11 has the flags", "rax", 0x401);
    p.code("mov rax, [seen_flags]\nand eax, 0x4701");
    p.equal64("less those of the mask", "rax", 1);
    p.equal64("in ring 0", "[fault_cs]", kernelCode);
    p.fault64("SYSCALL in ring 0", "syscall", FINISHED);
    p.equal64("has the same CS", "[seen_cs]", kernelCode);

    // SYSRET
    p.code("mov qword [answer], back64");
    p.user64("SYSRET", "std\nsyscall\n.after_back: nop");
    p.equal64("goes to ring 3", "[fault_cs]", code64);
    p.equal64("with its SS", "[fault_ss]", data);
    p.equal64("and its stack", "[fault_sp]", "user_stack");
    p.code("mov rax, [fault_flags]\nand eax, 0x700");
    p.equal64("and its flags", "rax", 0x400);
    p.code("mov qword [answer], back32");
    p.user64("SYSRET to compatibility mode", "syscall\nbits 32\nmov eax, 1\ndec eax\ndec eax\nint 0x80\nbits 64");
    p.equal64("goes to the first of the three", "[fault_cs]", code32);
    p.equal64("where code is 32-bit", "[fault_eax]", 0xffff_ffff);
    p.fault64(
      "SYSRET cuts RCX and takes flags from R11, but not RF and VM",
      "mov rcx, 0x1234567800000000 + in_compat\nmov r11, 0x33202\nmov rsp, 0x4f00\nsysretd",
      FINISHED,
    );
    p.code("mov rax, [fault_flags]\nand eax, 0x33300");
    p.equal64("IOPL and IF came", "rax", 0x3200);
    p.fault64("SYSRET to no canonical address", "mov rcx, 0x800000000000\nmov r11, 2\n.bad_return: sysretq", {
      vector: VEC.GP,
      at: ".bad_return",
    });
    p.equal64("faults in ring 0", "[fault_cs]", SEL.code64);
    p.user64("SYSRET in ring 3", "mov rcx, .no\n.no: sysretq", { vector: VEC.GP });

    // TF
    p.code("mov qword [answer], finish");
    p.user64("SYSCALL with TF masked is not stepped over", "push 0x102\npopfq\nsyscall");
    p.code(wrmsr(MSR.sfmask, 0x4600));
    p.user64("SYSCALL with TF", "push 0x102\npopfq\nsyscall", { vector: VEC.DB, at: "entry" });
    p.equal64("traps in ring 0", "[fault_cs]", kernelCode);
    p.code(wrmsr(MSR.sfmask, 0x4700));
    p.code("mov qword [answer], back64");

    // What makes them undefined
    p.code(`mov ecx, ${MSR.efer}\nrdmsr\nand eax, 0xfffffffe\nwrmsr`);
    p.user64("SYSCALL without EFER.SCE", "syscall", { vector: VEC.UD });
    p.fault64("SYSRET without EFER.SCE", "sysretq", { vector: VEC.UD });
    p.user64("in ring 3 too", "sysretq", { vector: VEC.UD });
    p.code(`mov ecx, ${MSR.efer}\nrdmsr\nor eax, 1\nwrmsr`);

    // MSRs
    for (const [name, msr] of Object.entries({ LSTAR: MSR.lstar, CSTAR: MSR.cstar, SYSENTER_EIP: MSR.sysenterEip })) {
      p.fault64(`${name} is canonical`, wrmsr(msr, 0, 0x8000), { vector: VEC.GP });
      p.quiet64(`${name} in the upper half`, wrmsr(msr, "entry", 0xffff_8000));
      p.quiet64(`${name} again`, wrmsr(msr, "entry"));
    }
    p.fault64("SFMASK has 32 bits", wrmsr(MSR.sfmask, 0x4700, 1), { vector: VEC.GP });

    // Compatibility mode
    if (amd) {
      p.code(`mov qword [answer], finish\n${wrmsr(MSR.lstar, 0)}`);
      p.fault64("SYSCALL from compatibility mode uses CSTAR", compat("from_compat"), FINISHED);
      p.equal64("RCX", "[seen_rcx]", "after_compat");
      p.equal64("in 64-bit code", "[fault_cs]", kernelCode);
      p.code(wrmsr(MSR.lstar, "entry"));
    } else {
      p.fault64("SYSCALL from compatibility mode", compat("from_compat"), { vector: VEC.UD, at: "from_compat" });
    }

    // SYSENTER and SYSEXIT
    p.code(wrmsr(MSR.sysenterCs, kernelCode | 3));
    p.code(wrmsr(MSR.sysenterEsp, 0x4780));
    p.code("mov qword [answer], finish");
    if (amd) {
      p.user64("SYSENTER", "sysenter", { vector: VEC.UD });
      p.fault64("SYSENTER from compatibility mode", compat("enter_compat"), { vector: VEC.UD });
      p.fault64("SYSEXIT", "sysexitq", { vector: VEC.UD });
    } else {
      p.user64("SYSENTER", "std\nsysenter", FINISHED, { flags: 0x202 });
      p.equal64("its CS", "[seen_cs]", kernelCode);
      p.equal64("its SS", "[seen_ss]", kernelData);
      p.equal64("its RSP", "[seen_rsp]", 0x4780);
      p.code("mov rax, [seen_flags]\nand eax, 0x20600");
      p.equal64("IF is off, DF stays", "rax", 0x400);
      p.code("cld");
      p.code("mov qword [answer], back_exit");
      p.user64("SYSEXIT", "sysenter\nud2");
      p.equal64("to ring 3", "[fault_cs]", code64);
      p.equal64("and its stack segment", "[fault_ss]", data64);
      p.equal64("with RSP from RCX", "[fault_sp]", 0x4780);
      p.code("mov qword [answer], back_exit32");
      p.fault64("SYSENTER from compatibility mode, and back", compat("enter_compat"), FINISHED);
      p.equal64("with 32-bit code", "[fault_cs]", code32);
      p.equal64("and stack segment", "[fault_ss]", data);
      p.equal64("at ECX", "[fault_sp]", 0x4f00);
      p.fault64("SYSEXIT to no canonical address", "mov rdx, 0x800000000000\nmov rcx, 0x4000\nsysexitq", {
        vector: VEC.GP,
      });
      p.fault64("nor stack", "mov rcx, 0x800000000000\nmov rdx, entry\nsysexitq", { vector: VEC.GP });
      p.user64("SYSEXIT in ring 3", "sysexitq", { vector: VEC.GP });
      p.code(wrmsr(MSR.sysenterCs, 3));
      p.user64("SYSENTER without a CS", "sysenter", { vector: VEC.GP });
      p.fault64("SYSEXIT without a CS", "sysexitq", { vector: VEC.GP });
    }
  });

  // Without long mode
  const ring3 = "mov ax, ds\nmov es, ax";
  p.code("mov dword [answer], finish_legacy");
  p.data("finish_legacy: int 0x80");
  p.code(`mov ecx, ${MSR.efer}\nrdmsr\nor eax, 1\nwrmsr`);
  const legacyCode = p.descriptor({ access: 0x9b });
  p.descriptor({ access: 0x93 });
  p.descriptor({ access: 0xfb });
  p.descriptor({ access: 0xf3 });
  p.code(wrmsr(MSR.star, "legacy_entry", ((legacyCode + 16) << 16) | legacyCode));
  if (amd) {
    p.user("SYSCALL in legacy mode", `${ring3}\nsyscall\n.after_legacy: nop`, FINISHED, { flags: 0x202 });
    p.equal("goes to STAR's entry", "[seen_rcx]", ".after_legacy");
    p.equal("in ring 0", "[fault_cs]", legacyCode);
    p.code("mov eax, [seen_flags]\nand eax, 0x200");
    p.equal("with IF off", "eax", 0);
    p.code("mov dword [answer], legacy_return");
    p.user("SYSRET in legacy mode", `${ring3}\nsyscall\nnop`);
    p.equal("back in ring 3", "[fault_cs]", (legacyCode + 16) | 3);
    p.equal("with its stack segment", "[fault_ss]", (legacyCode + 24) | 3);
    p.code("mov eax, [fault_flags]\nand eax, 0x200");
    p.equal("and IF on", "eax", 0x200);
  } else {
    p.user("SYSCALL in legacy mode", "syscall", { vector: VEC.UD });
    p.fault("SYSRET in legacy mode", "sysretd", { vector: VEC.UD });
  }
  p.code(wrmsr(MSR.sysenterCs, legacyCode));
  p.code(wrmsr(MSR.sysenterEsp, 0x4700));
  p.code(wrmsr(MSR.sysenterEip, "legacy_entry"));
  p.code("mov dword [answer], finish_legacy");
  p.user("SYSENTER in legacy mode", "sysenter");
  p.equal("enters ring 0", "[fault_cs]", legacyCode);
  p.equal("at SYSENTER_ESP", "[seen_rsp]", 0x4700);
  p.code("mov dword [answer], legacy_exit");
  p.user("SYSEXIT in legacy mode", "sysenter");
  p.equal("leaves to ring 3", "[fault_cs]", (legacyCode + 16) | 3);
  p.equal("with ESP from ECX", "[fault_sp]", 0x4700);
  return p;
}
