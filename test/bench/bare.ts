/**
 * Guest (e): loops on the bare machine, without firmware and without an operating system, each a kind of work of its
 * own. A 64 KiB firmware image switches to flat 32-bit code, copies itself to RAM and runs them one after the other;
 * marks go to the debug port, and at the end the machine is left through isa-debug-exit.
 */

import { assemble } from "../tools/asm.ts";

const IMAGE_SIZE = 0x10000;
const BODY_OFFSET = 0x100;
/** Where the loops run, below 1 MiB so that the A20 gate does not matter. */
const BODY_ADDRESS = 0x20000;
const STACK = 0x90000;
/** Everything the loops compute on lies from here on. */
const DATA = 0x200000;
export const BARE_RAM_MIB = 32;

const DEBUG_PORT = 0xe9;
const EXIT_PORT = 0x501;

const double = (value: number): string =>
  `0x${new DataView(Float64Array.of(value).buffer).getBigUint64(0, true).toString(16)}`;

/** Each leaves its result in EAX, may use all registers, and keeps the stack. */
const LOOPS: Readonly<Record<string, string>> = {
  "integer loop": `
    mov ecx, 100000000
    mov eax, 0x12345678
    alu: mov edx, eax
    shl edx, 13
    xor eax, edx
    mov edx, eax
    shr edx, 17
    xor eax, edx
    add eax, ecx
    dec ecx
    jnz alu`,
  "memory loop": `
    mov ecx, 100000000
    xor eax, eax
    xor ebx, ebx
    mem: mov edx, [${DATA} + ebx*4]
    add edx, ecx
    mov [${DATA} + ebx*4], edx
    add eax, edx
    inc ebx
    and ebx, 0x3fff
    dec ecx
    jnz mem`,
  "call and return": `
    mov ebx, 34
    call fib
    jmp fib_end
    fib: mov eax, ebx
    cmp ebx, 2
    jb fib_out
    push ebx
    dec ebx
    call fib
    pop ebx
    push eax
    sub ebx, 2
    call fib
    pop edx
    add eax, edx
    fib_out: ret
    fib_end: nop`,
  sieve: `
    mov ebp, 48
    sieve_again: mov edi, ${DATA}
    mov ecx, 1000000 / 4
    mov eax, 0x01010101
    rep stosd
    mov ebx, 2
    sieve_next: cmp byte [${DATA} + ebx], 0
    je sieve_step
    mov eax, ebx
    imul eax, ebx
    sieve_strike: cmp eax, 1000000
    jae sieve_step
    mov byte [${DATA} + eax], 0
    add eax, ebx
    jmp sieve_strike
    sieve_step: inc ebx
    cmp ebx, 1000
    jb sieve_next
    dec ebp
    jnz sieve_again
    xor eax, eax
    xor ebx, ebx
    sieve_count: movzx edx, byte [${DATA} + ebx]
    add eax, edx
    inc ebx
    cmp ebx, 1000000
    jb sieve_count`,
  "CRC by table": `
    xor ebx, ebx
    crc_table: mov eax, ebx
    mov ecx, 8
    crc_bit: shr eax, 1
    jnc crc_zero
    xor eax, 0xedb88320
    crc_zero: dec ecx
    jnz crc_bit
    mov [${DATA} + ebx*4], eax
    inc ebx
    cmp ebx, 256
    jb crc_table
    mov ebp, 40
    mov eax, 0xffffffff
    crc_again: mov esi, ${DATA} + 0x1000
    mov ecx, 1 << 20
    crc_byte: movzx edx, byte [esi]
    xor dl, al
    shr eax, 8
    xor eax, [${DATA} + edx*4]
    inc esi
    dec ecx
    jnz crc_byte
    dec ebp
    jnz crc_again`,
  "quicksort, indirect calls": `
    mov edi, ${DATA}
    mov ecx, 500000
    mov eax, 0x2545f491
    sort_fill: imul eax, eax, 1664525
    add eax, 1013904223
    stosd
    dec ecx
    jnz sort_fill
    mov esi, ${DATA}
    mov edi, ${DATA} + 4 * 499999
    call sort
    mov ecx, 500000
    mov esi, ${DATA}
    xor eax, eax
    sort_sum: imul eax, eax, 31
    add eax, [esi]
    add esi, 4
    dec ecx
    jnz sort_sum
    jmp sort_end
    compare: cmp eax, edx
    ret
    compare_pointer: dd compare
    sort: cmp esi, edi
    jae sort_done
    push esi
    push edi
    lea ebx, [esi + edi]
    shr ebx, 1
    and ebx, 0xfffffffc
    mov ebp, [ebx]
    sort_up: mov eax, [esi]
    mov edx, ebp
    call dword [compare_pointer]
    jge sort_down
    add esi, 4
    jmp sort_up
    sort_down: mov eax, ebp
    mov edx, [edi]
    call dword [compare_pointer]
    jge sort_swap
    sub edi, 4
    jmp sort_down
    sort_swap: cmp esi, edi
    ja sort_split
    mov eax, [esi]
    mov edx, [edi]
    mov [esi], edx
    mov [edi], eax
    add esi, 4
    sub edi, 4
    cmp esi, edi
    jbe sort_up
    sort_split: pop edx
    pop eax
    push esi
    push edx
    mov esi, eax
    call sort
    pop edi
    pop esi
    jmp sort
    sort_done: ret
    sort_end: nop`,
  "rep movsd of 800 MB": `
    mov ebp, 200
    copy: mov esi, ${DATA}
    mov edi, ${DATA} + 0x800000
    mov ecx, 1000000
    rep movsd
    dec ebp
    jnz copy
    mov eax, [${DATA} + 0x800000 + 1234]`,
  "Mandelbrot, x87": `
    fninit
    xor esi, esi
    mov edi, 200
    m87_y: mov ebx, 300
    m87_x: mov [integer], ebx
    fild dword [integer]
    fmul qword [step]
    fadd qword [left]
    mov [integer], edi
    fild dword [integer]
    fmul qword [step]
    fadd qword [top]
    fldz
    fldz
    mov ecx, 100
    m87_again: fld st1
    fmul st0, st0
    fld st1
    fmul st0, st0
    fld st1
    fadd st0, st1
    fld qword [four]
    fcomip st0, st1
    fstp st0
    jb m87_out
    fsubp st1, st0
    fadd st0, st4
    fxch st1
    fmulp st2, st0
    fxch st1
    fadd st0, st0
    fadd st0, st2
    dec ecx
    jnz m87_again
    jmp m87_inside
    m87_out: fstp st0
    fstp st0
    m87_inside: fstp st0
    fstp st0
    fstp st0
    fstp st0
    add esi, ecx
    dec ebx
    jnz m87_x
    dec edi
    jnz m87_y
    mov eax, esi`,
  "Mandelbrot, SSE2": `
    movsd xmm7, [four]
    xor esi, esi
    mov edi, 400
    m2_y: mov ebx, 600
    m2_x: cvtsi2sd xmm2, ebx
    mulsd xmm2, [half_step]
    addsd xmm2, [left]
    cvtsi2sd xmm3, edi
    mulsd xmm3, [half_step]
    addsd xmm3, [top]
    xorps xmm0, xmm0
    xorps xmm1, xmm1
    mov ecx, 100
    m2_again: movapd xmm4, xmm0
    mulsd xmm4, xmm4
    movapd xmm5, xmm1
    mulsd xmm5, xmm5
    movapd xmm6, xmm4
    addsd xmm6, xmm5
    ucomisd xmm7, xmm6
    jb m2_out
    mulsd xmm1, xmm0
    addsd xmm1, xmm1
    addsd xmm1, xmm3
    subsd xmm4, xmm5
    addsd xmm4, xmm2
    movapd xmm0, xmm4
    dec ecx
    jnz m2_again
    m2_out: add esi, ecx
    dec ebx
    jnz m2_x
    dec edi
    jnz m2_y
    mov eax, esi`,
};

/** Names of rows have blanks, marks do not. */
const markName = (loop: string): string => loop.replaceAll(/[ ,]+/g, "-");

export const BARE_ROWS = Object.keys(LOOPS).map(markName);

function body(): string {
  const loops = Object.values(LOOPS).map(
    (code, i) => `
    mov esi, begin_${i}
    call print
    ${code}
    push eax
    mov esi, end_${i}
    call print
    pop eax
    call print_number`,
  );
  const texts = BARE_ROWS.map(
    (name, i) => `
    begin_${i}: db "@@ begin ${name}", 10, 0
    end_${i}: db "@@ end ${name} ", 0`,
  );
  return `
    bits 32
    org ${BODY_ADDRESS}
    mov esp, ${STACK}
    mov eax, cr4
    or eax, 0x600
    mov cr4, eax
    ${loops.join("\n")}
    mov dx, ${EXIT_PORT}
    xor eax, eax
    out dx, al
    stop: hlt
    jmp stop

    print: mov dx, ${DEBUG_PORT}
    print_next: lodsb
    test al, al
    jz print_done
    out dx, al
    jmp print_next
    print_done: ret

    print_number: mov ebx, eax
    mov dx, ${DEBUG_PORT}
    mov ecx, 8
    print_digit: rol ebx, 4
    mov eax, ebx
    and eax, 15
    mov al, [digits + eax]
    out dx, al
    dec ecx
    jnz print_digit
    mov al, 10
    out dx, al
    ret

    digits: db "0123456789abcdef"
    ${texts.join("\n")}
    align 8
    integer: dq 0
    step: dq ${double(3 / 300)}
    half_step: dq ${double(3 / 600)}
    left: dq ${double(-2)}
    top: dq ${double(-1)}
    four: dq ${double(4)}`;
}

/** The firmware image: runs from the reset vector. */
export function bareImage(): Uint8Array {
  const loops = assemble(body()).bytes;
  const entry = assemble(`
    bits 16
    org 0xf0000
    start: cli
    lgdt [cs:gdtr - start]
    mov eax, cr0
    or eax, 1
    mov cr0, eax
    jmp dword 0x08:protected
    bits 32
    protected: mov ax, 0x10
    mov ds, ax
    mov ss, ax
    mov es, ax
    cld
    mov esi, start + ${BODY_OFFSET}
    mov edi, ${BODY_ADDRESS}
    mov ecx, ${Math.ceil(loops.length / 4)}
    rep movsd
    jmp dword ${BODY_ADDRESS}
    align 8
    gdt: dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
    gdtr: dw 0x17
    dd gdt`).bytes;
  if (entry.length > BODY_OFFSET || BODY_OFFSET + loops.length > IMAGE_SIZE - 16) {
    throw new RangeError("the loops do not fit into the image");
  }
  const image = new Uint8Array(IMAGE_SIZE);
  image.set(entry);
  image.set(loops, BODY_OFFSET);
  image.set([0xea, 0x00, 0x00, 0x00, 0xf0], IMAGE_SIZE - 16);
  return image;
}

/** Options of QEMU that run the image. */
export function bareOptions(image: string): string[] {
  return [
    ...["-nodefaults", "-display", "none", "-m", String(BARE_RAM_MIB), "-bios", image, "-no-reboot"],
    ...["-debugcon", "stdio", "-device", `isa-debug-exit,iobase=${EXIT_PORT}`],
  ];
}
