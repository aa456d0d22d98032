/**
 * Timers measured against each other: the rates of all counters by the time-stamp counter, and how often and when they
 * interrupt. A busy host delays interrupts and lets some fall together, so that counts have wide limits; two readings
 * belong together when the time-stamp counter says that nothing came between.
 */

import { GuestProgram } from "./builder.ts";

const p = new GuestProgram("timers");

const APIC = 0xfee0_0000;
const LVT_TIMER = APIC + 0x320;
const INITIAL = APIC + 0x380;
const CURRENT = APIC + 0x390;
const DIVIDE = APIC + 0x3e0;
const HPET = 0xfed0_0000;
const PM_BASE = 0xb000;
const MS = 1_000_000;
const VECTOR = 0x50;
const ONE_SHOT = VECTOR;
const PERIODIC = VECTOR | 0x20000;
const TSC_DEADLINE = VECTOR | 0x40000;
const MASKED = 0x10000;

p.data(`
  ; EBX = what the reader at EBP reads, EDI = when.
  sample:
  rdtsc
  mov edi, eax
  call ebp
  rdtsc
  sub eax, edi
  cmp eax, 50000
  ja sample
  shr eax, 1
  add edi, eax
  ret
  ; Waits ECX nanoseconds.
  wait_ns: push esi
  rdtsc
  mov esi, eax
  wait_more: rdtsc
  sub eax, esi
  cmp eax, ecx
  jb wait_more
  pop esi
  ret
  ; EAX = whether the reader at EBP counts [hertz] within 1.6 %, over 5 ms.
  rate: call sample
  push edi
  push ebx
  mov ecx, ${5 * MS}
  call wait_ns
  call sample
  pop eax
  sub ebx, eax
  and ebx, [mask]
  pop eax
  sub edi, eax
  mov eax, edi
  mul dword [hertz]
  mov ecx, 1000000000
  div ecx
  mov ecx, eax
  sub ebx, eax
  jns rate_positive
  neg ebx
  rate_positive: shr ecx, 6
  cmp ebx, ecx
  setbe al
  movzx eax, al
  ret
  ; Waits for EBX interrupts, at most 2 s.
  wait_ticks: rdtsc
  sub eax, [started]
  cmp eax, ${2000 * MS}
  ja wait_ticks_end
  cmp [ticks], ebx
  jb wait_ticks
  wait_ticks_end: ret
  ; EAX = 1 if EAX is from EBX to ECX, else EAX with its top bit set.
  between: cmp eax, ebx
  jb not_between
  cmp eax, ecx
  ja not_between
  mov eax, 1
  ret
  not_between: or eax, 0x80000000
  ret
  read_pit: xor al, al
  out 0x43, al
  in al, 0x40
  mov bl, al
  in al, 0x40
  mov bh, al
  movzx ebx, bx
  neg ebx
  ret
  read_hpet: mov ebx, [${HPET + 0xf0}]
  ret
  read_pm: mov dx, ${PM_BASE + 8}
  in eax, dx
  mov ebx, eax
  ret
  read_apic: mov ebx, [${CURRENT}]
  neg ebx
  ret
  apic_tick: push eax
  inc dword [ticks]
  rdtsc
  mov [tick_at], eax
  mov dword [${APIC + 0xb0}], 0
  pop eax
  iretd
  pic_tick: push eax
  inc dword [ticks]
  rdtsc
  mov [tick_at], eax
  mov al, 0x20
  out 0x20, al
  pop eax
  iretd
  hertz: dd 0
  mask: dd 0
  ticks: dd 0
  tick_at: dd 0
  started: dd 0`);

const gate = (vector: number, handler: string): string =>
  `mov dword [idt + ${vector * 8}], (${handler} & 0xffff) | 0x80000
  mov dword [idt + ${vector * 8 + 4}], (${handler} & 0xffff0000) | 0x8e00`;
const rate = (name: string, reader: string, hertz: number | string, mask = 0xffff_ffff): void => {
  p.code(`mov dword [hertz], ${hertz}\nmov dword [mask], ${mask}\nmov ebp, ${reader}\ncall rate`);
  p.equal(name, "eax", 1);
};
/** Lets what is pending come. The write gives due timers a chance. */
const DRAIN = "out 0x80, al\nsti\nnop\nnop\nnop\ncli";
const START = "mov dword [ticks], 0\nrdtsc\nmov [started], eax";
/** One interrupt, not before `us` have passed, and no other. */
const once = (name: string, us: number, start: string): void => {
  p.code(`${DRAIN}\n${START}\n${start}\nsti\nmov ebx, 1\ncall wait_ticks\nmov ecx, ${4 * MS}\ncall wait_ns\n${DRAIN}`);
  p.equal(name, "[ticks]", 1);
  p.code(`mov eax, [tick_at]\nsub eax, [started]\nmov ebx, ${us * 1000}\nmov ecx, ${2000 * MS}\ncall between`);
  p.equal(`${name}, after its time`, "eax", 1);
};
/** Eight interrupts, not faster than every `us`. */
const periodic = (name: string, us: number, start: string): void => {
  p.code(`${DRAIN}\n${START}\n${start}\nsti\nmov ebx, 8\ncall wait_ticks\ncli`);
  p.code(`mov eax, [tick_at]\nsub eax, [started]\nmov ebx, ${us * 7900}\nmov ecx, ${2000 * MS}\ncall between`);
  p.equal(name, "eax", 1);
};
const never = (name: string, start: string): void => {
  p.code(`${start}\n${DRAIN}\n${START}\nsti\nmov ecx, ${4 * MS}\ncall wait_ns\n${DRAIN}`);
  p.equal(name, "[ticks]", 0);
};

/** Sets the PIC up anew, with nothing pending. */
const PIC = `mov al, 0x11\nout 0x20, al\nmov al, 0x40\nout 0x21, al\nmov al, 4\nout 0x21, al\nmov al, 1\nout 0x21, al
  mov al, 0xfe\nout 0x21, al`;
p.code(`${PIC}\nmov al, 0xff\nout 0x21, al\n${gate(0x40, "pic_tick")}\n${gate(VECTOR, "apic_tick")}
  mov dword [${APIC + 0xf0}], 0x1ff`);

// Rates
p.code("mov al, 0x34\nout 0x43, al\nxor al, al\nout 0x40, al\nout 0x40, al");
rate("the PIT", "read_pit", 1_193_182, 0xffff);
p.code(`mov dword [${HPET + 0x10}], 1\nmov edx, 0x38d7e\nmov eax, 0xa4c68000\ndiv dword [${HPET + 4}]\nmov esi, eax`);
p.code("cmp esi, 10000000\nsetae al\nmovzx eax, al");
p.equal("the HPET's period is 100 ns at most", "eax", 1);
rate("the HPET", "read_hpet", "esi");
p.code(`mov dx, 0xcf8\nmov eax, 0x80000b40\nout dx, eax\nmov dx, 0xcfc\nmov eax, ${PM_BASE + 1}\nout dx, eax
  mov dx, 0xcf8\nmov eax, 0x80000b80\nout dx, eax\nmov dx, 0xcfc\nmov al, 1\nout dx, al`);
rate("the ACPI timer", "read_pm", 3_579_545, 0xff_ffff);
for (const [code, divisor] of [0b1011, 0b0000, 0b0001, 0b0010, 0b0011, 0b1000, 0b1001, 0b1010].entries()) {
  p.code(`mov dword [${LVT_TIMER}], ${MASKED}\nmov dword [${DIVIDE}], ${divisor}\nmov dword [${INITIAL}], 0xffffffff`);
  rate(`the APIC timer divided by ${2 ** code}`, "read_apic", 1e9 / 2 ** code);
}
p.code(`mov dword [${DIVIDE}], 11\nmov dword [${INITIAL}], 0\nmov ebx, [${CURRENT}]`);
p.equal("an initial count of 0 stops it", "ebx", 0);

// The APIC timer
once("the APIC timer's one shot", 2000, `mov dword [${LVT_TIMER}], ${ONE_SHOT}\nmov dword [${INITIAL}], ${2 * MS}`);
p.code(`mov ebx, [${CURRENT}]`);
p.equal("after which it stands at 0", "ebx", 0);
periodic("the APIC timer's period", 1000, `mov dword [${LVT_TIMER}], ${PERIODIC}\nmov dword [${INITIAL}], ${MS}`);
never("the APIC timer when it is masked", `mov dword [${LVT_TIMER}], ${PERIODIC | MASKED}`);
never("and stopped", `mov dword [${INITIAL}], 0\nmov dword [${LVT_TIMER}], ${PERIODIC}`);
const deadline = (ms: number): string => `rdtsc\nadd eax, ${ms * MS}\nadc edx, 0\nmov ecx, 0x6e0\nwrmsr`;
p.code(`mov dword [${LVT_TIMER}], ${TSC_DEADLINE}`);
once("a TSC deadline", 3000, deadline(3));
p.code("mov ecx, 0x6e0\nrdmsr\nor eax, edx");
p.equal("which is cleared then", "eax", 0);
once("a TSC deadline in the past", 0, "mov eax, 1\nxor edx, edx\nmov ecx, 0x6e0\nwrmsr");
never("a TSC deadline that is cleared", `${deadline(2)}\nxor eax, eax\nxor edx, edx\nwrmsr`);
p.code(`mov dword [${LVT_TIMER}], ${MASKED}`);

// The PIT
const pit = (mode: number, count: number): string =>
  `mov al, ${0x30 | (mode << 1)}\nout 0x43, al\nmov al, ${count & 0xff}\nout 0x40, al\nmov al, ${count >> 8}\nout 0x40, al`;
p.code(`${pit(0, 0xffff)}\n${PIC}`);
once("PIT mode 0", 2000, pit(0, 2400));
p.code("mov al, 0xe2\nout 0x43, al\nin al, 0x40\nmovzx ebx, al\nand ebx, 0xff");
p.equal("its output is high then", "ebx", 0xb0);
periodic("PIT mode 2", 1000, pit(2, 1193));
// Its output is high now, so that programming it again makes no edge.
p.code(pit(2, 0xffff));
periodic("PIT mode 3", 2000, pit(3, 2386));
p.code(pit(0, 0xffff));
p.code(
  "in al, 0x61\nand al, 0xfc\nout 0x61, al\nmov al, 0xb0\nout 0x43, al\nmov al, 0x55\nout 0x42, al\nmov al, 0x17\nout 0x42, al",
);
p.code(`rdtsc\nmov esi, eax\nin al, 0x61\nor al, 1\nout 0x61, al
  .gate2: in al, 0x61\ntest al, 0x20\nje .gate2
  rdtsc\nsub eax, esi\nmov ebx, ${5 * MS - MS / 100}\nmov ecx, ${2000 * MS}\ncall between`);
p.equal("channel 2 counts 5 ms behind its gate", "eax", 1);

// The HPET, in the place of PIT and RTC
p.code(PIC);
p.code(`mov dword [${HPET + 0x10}], 0\nmov dword [${HPET + 0xf0}], 0\nmov dword [${HPET + 0xf4}], 0`);
p.code(`mov eax, 0xd4a51000\nmov edx, 0xe8\ndiv dword [${HPET + 4}]\nmov esi, eax`);
once(
  "an HPET comparison",
  2000,
  `lea eax, [esi*2]\nmov dword [${HPET + 0x100}], 4\nmov [${HPET + 0x108}], eax\nmov dword [${HPET + 0x10c}], 0\nmov dword [${HPET + 0x10}], 3`,
);
p.code(`mov dword [${HPET + 0x10}], 0\nmov dword [${HPET + 0xf0}], 0\nmov dword [${HPET + 0xf4}], 0`);
periodic(
  "the HPET's period",
  1000,
  `mov dword [${HPET + 0x100}], 0x4c\nmov [${HPET + 0x108}], esi\nmov [${HPET + 0x108}], esi\nmov dword [${HPET + 0x10}], 3`,
);
p.code(
  `mov dword [${HPET + 0x100}], 0\nmov dword [${HPET + 0x10}], 0\nmov ebx, [${HPET + 0xf0}]\nmov ecx, ${MS}\ncall wait_ns\nsub ebx, [${HPET + 0xf0}]`,
);
p.equal("the HPET's counter stands when it is off", "ebx", 0);

// The RTC's periodic flag, at 1024 Hz
p.code(`mov al, 0x0a\nout 0x70, al\nmov al, 0x26\nout 0x71, al\nmov al, 0x0b\nout 0x70, al\nin al, 0x71\nor al, 0x40\nmov ah, al
  mov al, 0x0b\nout 0x70, al\nmov al, ah\nout 0x71, al\nmov al, 0x0c\nout 0x70, al\nin al, 0x71
  xor ebx, ebx\nrdtsc\nmov esi, eax
  .rtc: mov al, 0x0c\nout 0x70, al\nin al, 0x71\nshl al, 2\nadc ebx, 0\nrdtsc\nsub eax, esi
  cmp eax, ${2000 * MS}\nja .rtc_end\ncmp ebx, 8\njb .rtc
  .rtc_end: mov ebx, ${6_700_000}\nmov ecx, ${2000 * MS}\ncall between`);
p.equal("the RTC's periodic flag", "eax", 1);
p.code("mov al, 0xff\nout 0x21, al");

export const timers = p;
