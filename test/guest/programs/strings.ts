/**
 * Repeated string instructions that stop in the middle: page faults, limits, breakpoints, single step; and addresses that
 * wrap (Intel SDM volume 2, REP; volume 3, section 6.5).
 */

import { GuestProgram, VEC } from "./builder.ts";

const p = new GuestProgram("strings");

const PD = 0x20_8000;
const PT = 0x20_9000;
const AT = 0x40_0000;
const FROM = 0x3_0000;
const TO = 0x3_8000;
/** Absent; the page above it is read-only, and then an absent one again. */
const ABSENT = AT + 0x2000;
const READ_ONLY = AT + 0x3000;
const OTHER_ABSENT = AT + 0x4000;

const small = p.descriptor({ base: FROM, limit: 0xff, access: 0x93, flags: 4 });
const down = p.descriptor({ base: FROM, limit: 0xff, access: 0x97, flags: 4 });
const readOnly = p.descriptor({ base: FROM, limit: 0xffff, access: 0x91, flags: 4 });

p.code(`mov edi, ${PD}
  mov ecx, 0x800
  xor eax, eax
  cld
  rep stosd
  mov dword [${PD}], 0x87
  mov dword [${PD + 4}], ${PT + 7}
  mov dword [${PT}], ${AT + 7}
  mov dword [${PT + 4}], ${AT + 0x1007}
  mov dword [${PT + 12}], ${READ_ONLY + 5}
  mov eax, cr4
  or eax, 0x10
  mov cr4, eax
  mov eax, ${PD}
  mov cr3, eax
  mov edi, ${FROM}
  mov ecx, 0x2000
  mov eax, 0x04030201
  .pattern: stosd
  add eax, 0x04040404
  dec ecx
  jne .pattern
  mov esi, ${FROM}
  mov edi, ${READ_ONLY}
  mov ecx, 0x400
  rep movsd
  mov eax, cr0
  or eax, 0x80010000
  mov cr0, eax`);

interface Case {
  readonly esi?: number;
  readonly edi?: number;
  readonly ecx: number;
  /** How many elements are done at the fault. */
  readonly done: number;
  readonly size?: number;
  readonly down?: boolean;
  readonly fault: { vector: number; error?: number; cr2?: number };
  readonly before?: string;
  readonly after?: string;
}

/** Runs a repeated instruction that must fault, and checks the registers then. DS and ES are flat again afterwards. */
function stops(name: string, code: string, test: Case): void {
  const { esi = 0x55555555, edi = 0x66666666, ecx, done, size = 1, fault, before = "", after = "" } = test;
  const step = (test.down ? -size : size) * done;
  const at = p.label();
  p.fault(
    name,
    `mov eax, 0x77777777\nmov esi, ${esi}\nmov edi, ${edi}\nmov ecx, ${ecx}\nmov edx, 0x80\n${before}
    ${test.down ? "std" : "cld"}\n${at}: ${code}`,
    { ...fault, at },
  );
  p.code("cld");
  p.equal(`${name}: ECX`, "ecx", ecx - done);
  if (test.esi !== undefined) p.equal(`${name}: ESI`, "esi", esi + step);
  if (test.edi !== undefined) p.equal(`${name}: EDI`, "edi", edi + step);
  p.code(after);
}

const PF = VEC.PF;
const below = (bytes: number): number => ABSENT - bytes;

// Page faults upwards
stops("REP MOVSD from an absent page", "rep movsd", {
  ...{ esi: below(16), edi: TO, ecx: 10, done: 4, size: 4 },
  before: `mov dword [${TO + 12}], 0\nmov dword [${below(4)}], 0x1234\nmov dword [${TO + 16}], 0x99`,
  fault: { vector: PF, error: 0, cr2: ABSENT },
});
p.equal("the fourth was moved", `[${TO + 12}]`, 0x1234);
p.equal("the fifth not", `[${TO + 16}]`, 0x99);
stops("REP MOVSB to an absent page", "rep movsb", {
  ...{ esi: FROM, edi: below(7), ecx: 4096, done: 7 },
  fault: { vector: PF, error: 2, cr2: ABSENT },
});
p.equal("the last byte there", `[${below(4)}]`, 0x07060504);
stops("REP MOVSW whose element runs into an absent page", "rep movsw", {
  ...{ esi: FROM, edi: below(5), ecx: 8, done: 2, size: 2 },
  before: `mov byte [${below(1)}], 0xee`,
  fault: { vector: PF, error: 2, cr2: ABSENT },
});
p.equal("which is written in no part", `[${below(4)}]`, 0xee040302);
stops("REP MOVSD to a read-only page", "rep movsd", {
  ...{ esi: FROM, edi: READ_ONLY, ecx: 1, done: 0, size: 4 },
  fault: { vector: PF, error: 3, cr2: READ_ONLY },
});
stops("REP STOSB", "rep stosb", {
  ...{ edi: below(0x1800), ecx: 0x2000, done: 0x1800 },
  fault: { vector: PF, error: 2, cr2: ABSENT },
});
p.equal("over two pages", `[${below(4)}]`, 0x77777777);
stops("REP STOSD whose element runs into an absent page", "rep stosd", {
  ...{ edi: below(6), ecx: 3, done: 1, size: 4 },
  fault: { vector: PF, error: 2, cr2: ABSENT },
});
stops("REP LODSB", "rep lodsb", {
  ...{ esi: OTHER_ABSENT - 3, ecx: 9, done: 3 },
  fault: { vector: PF, error: 0, cr2: OTHER_ABSENT },
  after: "mov ebx, [fault_eax]",
});
p.equal("AL is the last byte", "ebx", 0x7777_7700 | ((0x04030201 + 0x3ff * 0x04040404) >>> 24));
stops("REPNE SCASB", "repne scasb", {
  ...{ edi: OTHER_ABSENT - 3, ecx: 9, done: 3 },
  fault: { vector: PF, error: 0, cr2: OTHER_ABSENT },
});
stops("REPE CMPSB from an absent page", "repe cmpsb", {
  ...{ esi: OTHER_ABSENT - 5, edi: FROM + 0xffb, ecx: 9, done: 5 },
  fault: { vector: PF, error: 0, cr2: OTHER_ABSENT },
});
stops("REPE CMPSD to an absent page", "repe cmpsd", {
  ...{ esi: FROM + 0xff0, edi: OTHER_ABSENT - 16, ecx: 9, done: 4, size: 4 },
  fault: { vector: PF, error: 0, cr2: OTHER_ABSENT },
});
stops("REP OUTSB", "rep outsb", {
  ...{ esi: OTHER_ABSENT - 2, ecx: 9, done: 2 },
  fault: { vector: PF, error: 0, cr2: OTHER_ABSENT },
});
// The configuration device answers with "QEMU", a byte for each read.
stops("REP INSB", "rep insb", {
  ...{ edi: below(2), ecx: 4, done: 2 },
  before: "mov dx, 0x510\nxor ax, ax\nout dx, ax\nmov dx, 0x511",
  fault: { vector: PF, error: 2, cr2: ABSENT },
});
p.code(`mov dword [${PT + 8}], ${ABSENT + 7}\nmov dx, 0x511\nrep insb`);
p.equal("reads nothing that it cannot store", `[${below(2)}]`, 0x554d4551);
p.code(`mov dword [${PT + 8}], 0\ninvlpg [${ABSENT}]`);

// Downwards
stops("REP MOVSB downwards from an absent page", "rep movsb", {
  ...{ esi: READ_ONLY + 4, edi: TO + 0x104, ecx: 10, done: 5, down: true },
  fault: { vector: PF, error: 0, cr2: READ_ONLY - 1 },
});
p.equal("moved what it could", `[${TO + 0x100}]`, 0x04030201);
stops("REP STOSD downwards to a read-only page", "rep stosd", {
  ...{ edi: READ_ONLY + 8, ecx: 10, done: 0, size: 4, down: true },
  fault: { vector: PF, error: 3, cr2: READ_ONLY + 8 },
});
stops("REP LODSW downwards, whose element runs into an absent page", "rep lodsw", {
  ...{ esi: READ_ONLY + 3, ecx: 10, done: 2, size: 2, down: true },
  fault: { vector: PF, error: 0, cr2: READ_ONLY - 1 },
});
stops("REPNE SCASB downwards", "repne scasb", {
  ...{ edi: READ_ONLY + 2, ecx: 10, done: 3, down: true },
  fault: { vector: PF, error: 0, cr2: READ_ONLY - 1 },
});

// Limits and rights of segments
const useDs = (selector: number): string => `mov bx, ${selector}\nmov ds, bx`;
const useEs = (selector: number): string => `mov bx, ${selector}\nmov es, bx`;
stops("REP LODSB to the limit", "rep lodsb", {
  ...{ esi: 0xf0, ecx: 0x20, done: 0x10 },
  before: useDs(small),
  fault: { vector: VEC.GP },
});
stops("REP MOVSD over the limit", "rep movsd", {
  ...{ esi: 0xf2, edi: TO, ecx: 0x20, done: 3, size: 4 },
  before: useDs(small),
  fault: { vector: VEC.GP },
});
stops("REP STOSB to the limit", "rep stosb", {
  ...{ edi: 0xf8, ecx: 0x20, done: 8 },
  before: useEs(small),
  fault: { vector: VEC.GP },
});
stops("REP STOSB down to the limit of an expand-down segment", "rep stosb", {
  ...{ edi: 0x10f, ecx: 0x20, done: 0x10, down: true },
  before: useEs(down),
  fault: { vector: VEC.GP },
});
stops("REP STOSB to a read-only segment", "rep stosb", {
  ...{ edi: 0, ecx: 2, done: 0 },
  before: useEs(readOnly),
  fault: { vector: VEC.GP },
});
stops("REP STOSB to a null segment", "rep stosb", {
  ...{ edi: 0, ecx: 2, done: 0 },
  before: useEs(0),
  fault: { vector: VEC.GP },
});
stops("REP LODSB downwards past 0", "rep lodsb", {
  ...{ esi: 2, ecx: 9, done: 3, down: true },
  before: useDs(small),
  fault: { vector: VEC.GP },
});
p.quiet("nothing is touched when ECX is 0", `${useDs(small)}\nmov esi, 0x1000\nxor ecx, ecx\nrep lodsb`);

// Addresses of 16 bits
p.code(`mov dword [0xfffc], 0x44332211\nmov dword [0], 0x88776655\nmov dword [0x9000], 0\nmov dword [0x9004], 0
  mov esi, 0xaaaafffd\nmov edi, 0xbbbb9000\nmov ecx, 0xcccc0006\ndb 0x67\nrep movsb`);
p.equal("SI wraps", "esi", 0xaaaa_0003);
p.equal("DI does not", "edi", 0xbbbb_9006);
p.equal("CX counts", "ecx", 0xcccc_0000);
p.equal("the bytes before", "[0x9000]", 0x5544_3322);
p.equal("and after", "[0x9004]", 0x7766);
p.code("std\nmov esi, 0x12340001\nmov ecx, 4\nxor eax, eax\ndb 0x67\nrep lodsb\ncld");
p.equal("SI wraps downwards", "esi", 0x1234_fffd);
p.equal("to the last byte", "eax", 0x33);
p.code("mov edi, 0x1111fffe\nmov ecx, 0x22220004\nmov eax, 0x99\ndb 0x67\nrep stosb");
p.equal("DI wraps", "edi", 0x1111_0002);
p.equal("and stores at both ends", "[0xfffc]", 0x9999_2211);
p.equal("of 64 KiB", "[0]", 0x8877_9999);
p.code("mov ecx, 0x10000\nmov esi, 0x9000\ndb 0x67\nrep lodsb");
p.equal("CX counts, not ECX", "esi", 0x9000);

// Single step and breakpoints
const TF = "pushfd\nor dword [esp], 0x100\npopfd";
p.fault("single step stops after an element", `mov edi, ${TO}\nmov ecx, 3\nmov eax, 1\n${TF}\n.stepped: rep stosb`, {
  vector: VEC.DB,
  at: ".stepped",
});
p.equal("with two to go", "ecx", 2);
p.fault("and after the last goes on", `mov edi, ${TO}\nmov ecx, 1\n${TF}\n.stepped1: rep stosb\n.after_step: nop`, {
  vector: VEC.DB,
  at: ".after_step",
});
p.fault("or with none", `mov edi, ${TO}\nxor ecx, ecx\n${TF}\n.stepped0: rep stosb\n.after_none: nop`, {
  vector: VEC.DB,
  at: ".after_none",
});
p.code(`mov eax, ${TO + 5}\nmov dr0, eax\nmov eax, 0x10401\nmov dr7, eax\nxor eax, eax\nmov dr6, eax`);
p.fault("a write breakpoint", `mov edi, ${TO}\nmov ecx, 100\n.watched: rep stosb`, { vector: VEC.DB, at: ".watched" });
p.equal("stops after that byte", "ecx", 94);
p.equal("with EDI behind it", "edi", TO + 6);
p.code(`mov eax, 0x30401\nmov dr7, eax\nxor eax, eax\nmov dr6, eax`);
p.fault("a breakpoint on reads", `mov esi, ${TO}\nmov ecx, 100\n.read: rep lodsd`, { vector: VEC.DB, at: ".read" });
p.equal("stops after the element that has it", "ecx", 98);
p.code("mov eax, 0x400\nmov dr7, eax\nxor eax, eax\nmov dr6, eax");

// Interrupts in between
p.code(`mov al, 0x11
  out 0x20, al
  mov al, 0x40
  out 0x21, al
  mov al, 4
  out 0x21, al
  mov al, 1
  out 0x21, al
  mov al, 0xfe
  out 0x21, al
  mov dword [idt + 0x200], (ticks & 0xffff) | 0x80000
  mov al, 0x34
  out 0x43, al
  mov al, 200
  out 0x40, al
  xor al, al
  out 0x40, al
  mov edx, 500
  .fill: mov edi, ${FROM}
  mov eax, edx
  mov ecx, 0x40000
  sti
  .between: rep stosb
  cli
  cmp ecx, 0
  jne .broken
  cmp edi, ${FROM + 0x40000}
  jne .broken
  dec edx
  jne .fill
  .broken:`);
p.data(`ticks: push eax
  mov al, 0x20
  out 0x20, al
  cmp dword [esp + 4], .between
  jne .elsewhere
  inc dword [tick_count]
  test byte [esp + 14], 1
  jne .elsewhere
  inc dword [without_rf]
  .elsewhere: pop eax
  iretd
  tick_count: dd 0
  without_rf: dd 0`);
p.equal("interrupts do not disturb a repetition", "edx", 0);
p.code("cmp dword [tick_count], 0\nsetne al\nmovzx eax, al");
p.equal("there were some", "eax", 1);
p.code("cmp dword [without_rf], 1\nsetbe al\nmovzx eax, al");
p.equal("with RF set, but for one before the first element", "eax", 1);
p.code(
  "mov al, 0xff\nout 0x21, al\nmov eax, cr0\nand eax, 0x7ffeffff\nmov cr0, eax\nmov eax, cr4\nand eax, 0xffffffef\nmov cr4, eax",
);

export const strings = p;
