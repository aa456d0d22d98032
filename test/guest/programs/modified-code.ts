/**
 * Code that changes: by stores of all kinds, through another address, by a new mapping, by DMA, once and in the middle of
 * loops that run long enough to be worth optimising (Intel SDM volume 3, section 8.1.3).
 */

import { GuestProgram } from "./builder.ts";

const p = new GuestProgram("modified-code");

const PD = 0x20_8000;
const PT = 0x20_9000;
const AT = 0x40_0000;
/** Pages of AT that nobody else uses. */
let free = 16;
const pages = (count: number): number => {
  free += count;
  return AT + (free - count) * 0x1000;
};

// The first 4 MiB to themselves, the next through small pages.
p.code(`mov edi, ${PD}
  mov ecx, 0x400
  xor eax, eax
  cld
  rep stosd
  mov eax, ${AT + 7}
  mov ecx, 0x400
  .entries: stosd
  add eax, 0x1000
  dec ecx
  jne .entries
  mov dword [${PD}], 0x87
  mov dword [${PD + 4}], ${PT + 7}
  mov eax, cr4
  or eax, 0x10
  mov cr4, eax
  mov eax, ${PD}
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax`);

/** Maps one page of AT to another. */
const map = (virtual: number, physical: number): string =>
  `mov dword [${PT + ((virtual - AT) >> 12) * 4}], ${physical + 7}\ninvlpg [${virtual}]`;
/** A function at `address`: MOV EAX, value; RET. */
const put = (address: number, value: number): string =>
  `mov byte [${address}], 0xb8\nmov dword [${address + 1}], ${value}\nmov byte [${address + 5}], 0xc3`;
/** Calls `address` and adds what it returns to EBX. */
const call = (address: number): string => `mov eax, ${address}\ncall eax\nadd ebx, eax`;

/** Changes what a function returns, from 1 to 2, by `change`; called before and after. */
function changed(name: string, change: (address: number) => string, address = pages(1)): void {
  p.code(`${put(address, 1)}\nxor ebx, ebx\n${call(address)}\n${change(address)}\n${call(address)}`);
  p.equal(name, "ebx", 3);
}

p.data(`align 16
  two: dd 0x000002b8, 0x90c300, 0, 0
  old_esp: dd 0
  long_two: dq 2
  ; Select item 0 and read one byte of it; all big-endian.
  dma: dd 0x0a000000, 0x01000000, 0, 0`);

// Kinds of stores
changed("a dword", (at) => `mov dword [${at + 1}], 2`);
changed("a byte", (at) => `mov byte [${at + 1}], 2`);
changed("an addition", (at) => `inc dword [${at + 1}]`);
changed("XCHG", (at) => `mov eax, 2\nxchg [${at + 1}], eax`);
changed("CMPXCHG", (at) => `mov eax, 1\nmov ecx, 2\nlock cmpxchg [${at + 1}], ecx`);
changed("BTS and BTR", (at) => `bts dword [${at + 1}], 1\nbtr dword [${at + 1}], 0`);
changed("MOVSD", (at) => `mov esi, two\nmov edi, ${at}\nmovsd`);
changed("REP MOVSB", (at) => `mov esi, two\nmov edi, ${at}\nmov ecx, 6\nrep movsb`);
changed("REP STOSB", (at) => `mov edi, ${at + 1}\nmov al, 2\nmov ecx, 1\nrep stosb`);
changed("REP STOSB downwards", (at) => `std\nmov edi, ${at + 1}\nmov al, 2\nmov ecx, 1\nrep stosb\ncld`);
changed("PUSH", (at) => `mov [old_esp], esp\nmov esp, ${at + 5}\npush dword 2\nmov esp, [old_esp]`);
changed(
  "PUSHA",
  (at) => `mov [old_esp], esp\nmov esp, ${at + 5}\nmov eax, 2\nmov ecx, 0xb8000000\npushad\nmov esp, [old_esp]`,
);
changed("FISTP", (at) => `fninit\nfld1\nfld1\nfaddp st1, st0\nfistp dword [${at + 1}]`);
changed("FISTP of a word", (at) => `fninit\nfild qword [long_two]\nfistp word [${at + 1}]`);
p.code("mov eax, cr4\nor eax, 0x200\nmov cr4, eax");
changed("MOVUPS", (at) => `movups xmm0, [two]\nmovups [${at}], xmm0`);
changed("MOVQ", (at) => `movq xmm0, [two]\nmovq [${at}], xmm0`);
const called = pages(1);
p.code(`${put(called, 1)}\nxor ebx, ebx\n${call(called)}\nmov [old_esp], esp\nmov esp, ${called + 5}\ncall .onto_code
  .onto_code: mov esp, [old_esp]\n${call(called)}`);
p.equal("CALL", "ebx", ".onto_code + 1");

// Places
const edge = pages(2) + 0xffd;
p.code(
  `${put(edge, 0x10001)}\nxor ebx, ebx\n${call(edge)}\nmov byte [${edge + 3}], 2\n${call(edge)}\nmov byte [${edge + 2}], 3\n${call(edge)}`,
);
p.equal("an instruction over two pages", "ebx", 0x10001 + 0x20001 + 0x20301);
const first = pages(4);
p.code(`${put(first + 0xffc, 0x0101_0101)}\nxor ebx, ebx\n${call(first + 0xffc)}
  mov dword [${first + 0x3000}], 0xc302\n${map(first + 0x1000, first + 0x3000)}\n${call(first + 0xffc)}`);
p.equal("an instruction whose second page is another now", "ebx", 0x0101_0101 + 0x0201_0101);
p.code(map(first + 0x1000, first + 0x1000));
const row = pages(4);
p.code(`mov byte [${row + 0xfff}], 0x90\n${put(row + 0x1000, 1)}\n${put(row + 0x2000, 2)}\nxor ebx, ebx\n${call(row + 0xfff)}
  ${map(row + 0x1000, row + 0x2000)}\n${call(row + 0xfff)}`);
p.equal("code that goes on in a page that is another now", "ebx", 3);
p.code(map(row + 0x1000, row + 0x1000));
const alias = pages(2);
p.code(map(alias + 0x1000, alias));
changed("through another address", (at) => `mov dword [${at + 0x1001}], 2`, alias);
p.code(`${put(alias, 1)}\nxor ebx, ebx\n${call(alias)}\n${call(alias + 0x1000)}\nmov dword [${alias + 0x1001}], 2
  ${call(alias)}\n${call(alias + 0x1000)}`);
p.equal("and executed through both", "ebx", 6);
const remapped = pages(2);
p.code(`${put(remapped, 1)}\n${put(remapped + 0x1000, 2)}\nxor ebx, ebx\n${call(remapped)}
  ${map(remapped, remapped + 0x1000)}\n${call(remapped)}\n${map(remapped, remapped)}\n${call(remapped)}`);
p.equal("a page that is another, and itself again", "ebx", 4);
const spread = pages(2) + 0xff0;
const template = spread + 0x800;
p.code(`${put(spread, 1)}\n${put(spread + 0x20, 2)}\n${put(template, 3)}\n${put(template + 0x20, 4)}\nxor ebx, ebx
  ${call(spread)}\n${call(spread + 0x20)}\nmov esi, ${template}\nmov edi, ${spread}\nmov ecx, 0x26\nrep movsb
  ${call(spread)}\n${call(spread + 0x20)}`);
p.equal("REP MOVSB over two pages of code", "ebx", 10);

// Inside a block
p.code(`mov ecx, 3\nxor ebx, ebx
  .behind: mov eax, 1
  add ebx, eax
  inc byte [.behind + 1]
  dec ecx
  jne .behind`);
p.equal("an instruction just behind", "ebx", 1 + 2 + 3);
p.code(`xor ebx, ebx\nmov ecx, 2
  .again: mov dword [.later + 1], 5
  .later: mov eax, 7
  add ebx, eax
  mov dword [.later + 1], 9
  dec ecx
  jne .again`);
p.equal("an instruction just ahead", "ebx", 10);
p.code(`xor eax, eax\n.over: mov dword [.over + 10], 0x90909040\ninc ebx\nnop\nnop\nnop`);
p.equal("the next one", "eax", 1);

// In loops
const hot = pages(1);
p.code(`${put(hot, 1)}\nxor ebx, ebx\nmov esi, 20000
  .hot: mov eax, ${hot}\ncall eax\nadd ebx, eax
  cmp esi, 10001
  jne .same\nmov dword [${hot + 1}], 2
  .same: dec esi
  jne .hot`);
p.equal("a function that changes after 10000 calls", "ebx", 30000);
p.code(`xor ebx, ebx\nmov ecx, 20000
  .self: mov eax, 1
  add ebx, eax
  cmp ecx, 10001
  jne .keep
  mov byte [.self + 1], 3
  .keep: dec ecx
  jne .self`);
p.equal("a loop that changes itself", "ebx", 10000 + 30000);
p.code(`xor ebx, ebx\nmov ecx, 20000
  .ahead: cmp ecx, 5000
  jne .unchanged
  mov byte [.changing + 1], 3
  .unchanged: nop
  .changing: mov eax, 1
  add ebx, eax
  dec ecx
  jne .ahead`);
p.equal("and ahead of itself", "ebx", 15000 + 15000);
p.code(`xor ebx, ebx\nmov ecx, 3000
  .often: mov byte [.value + 1], cl
  .value: mov al, 0
  movzx eax, al
  add ebx, eax
  dec ecx
  jne .often`);
p.equal(
  "and in every turn",
  "ebx",
  Array.from({ length: 3000 }, (_, i) => (i + 1) & 0xff).reduce((a, b) => a + b),
);
const swapped = pages(2);
p.code(`${put(swapped, 1)}\n${put(swapped + 0x1000, 3)}\nxor ebx, ebx\nmov esi, 6000
  .swap: mov edx, ${swapped + 0x27}\ntest esi, 1000\nje .even\nadd edx, 0x1000
  .even: cmp edx, [${PT + ((swapped - AT) >> 12) * 4}]
  je .mapped
  mov [${PT + ((swapped - AT) >> 12) * 4}], edx
  invlpg [${swapped}]
  .mapped: mov eax, ${swapped}\ncall eax\nadd ebx, eax
  dec esi
  jne .swap`);
let sum = 0;
for (let turn = 6000; turn > 0; turn--) sum += (turn & 1000) !== 0 ? 3 : 1;
p.equal("a page that changes under a loop", "ebx", sum);

// DMA of the firmware configuration device, whose item 0 starts with "Q".
changed(
  "DMA",
  (at) => `mov eax, ${at + 1}\nbswap eax\nmov [dma + 12], eax\nmov dx, 0x514\nxor eax, eax\nout dx, eax
    mov dx, 0x518\nmov eax, dma\nbswap eax\nout dx, eax\nsub ebx, 0x4f`,
);
p.code("mov eax, cr0\nand eax, 0x7fffffff\nmov cr0, eax\nmov eax, cr4\nand eax, 0xfffffdef\nmov cr4, eax");

export const modifiedCode = p;
