/** What every guest program starts with: the way from the reset vector to `main`, the fault handlers, the checks. */

const VECTORS = 0x90;
const WITH_ERROR = new Set([8, 10, 11, 12, 13, 14, 17]);

const vectors = (width: 32 | 64): string =>
  Array.from({ length: VECTORS }, (_, vector) => {
    const error = WITH_ERROR.has(vector) ? "" : width === 32 ? "push dword 0" : "push 0";
    return `vector${width}_${vector}: ${error}\npush ${width === 32 ? "dword " : ""}${vector}\njmp common${width}`;
  }).join("\n");

/** Interrupt gates for all vectors; 0x80 may be called from ring 3, as may the breakpoint and overflow traps. */
const idt = (width: 32 | 64): string =>
  Array.from({ length: VECTORS }, (_, vector) => {
    const label = `vector${width}_${vector}`;
    const access = vector === 0x80 || vector === 3 || vector === 4 ? 0xee00 : 0x8e00;
    const selector = width === 32 ? 0x08 : 0x40;
    const high = width === 32 ? "" : "\ndd 0, 0";
    return `dw ${label} & 0xffff, ${selector}, ${access}, ${label} >> 16${high}`;
  }).join("\n");

export const LIBRARY = `
bits 16
org 0x10000
image:
start16:
  cli
  cld
  mov ax, 0xf000
  mov ds, ax
  mov ax, 0x1000
  mov es, ax
  xor si, si
  xor di, di
  mov cx, 0x8000
  rep movsw
  jmp 0x1000:in_ram - image
in_ram:
  in al, 0x92
  or al, 2
  and al, 0xfe
  out 0x92, al
  mov al, 0xff
  out 0x21, al
  out 0xa1, al
  mov ax, cs
  mov ds, ax
  lgdt [gdtr - image]
  mov eax, cr0
  or al, 1
  and eax, 0x9fffffff
  mov cr0, eax
  jmp dword 0x08:start32
bits 32
start32:
  mov ax, 0x10
  mov ds, ax
  mov esp, kernel_stack
  mov [saved_esp], esp
  call flat_again
  mov ax, 0x28
  ltr ax
  jmp main

long_stack equ 0x4000
user_stack equ 0x5000
ring0_stack equ 0x6000
kernel_stack equ 0x9000
; 4-level tables: 0 to 1 GiB in 2 MiB pages, but 0x400000-0x5fffff in 4 KiB pages of the table at PT64, all for
; users too; 0xfec00000 and 0xfee00000 as one 2 MiB page each.
PML4 equ 0x200000
PDPT64 equ 0x201000
PD64 equ 0x202000
PD64_HIGH equ 0x203000
PT64 equ 0x204000

; Flat segments, our IDT and the stack again, after code that has changed them.
flat_again:
  pop edx
  mov ax, 0x10
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov gs, ax
  mov ss, ax
  mov esp, [saved_esp]
  lidt [idtr]
  jmp edx

; All exceptions of 32-bit code: note what happened, then go on at [resume] in ring 0. At the top of the stack are the
; vector, the error code (or 0) and what the CPU pushed before it.
${vectors(32)}
common32:
  push eax
  mov ax, 0x10
  mov ds, ax
  pop dword [fault_eax]
  pop dword [fault_vector]
  pop dword [fault_error]
  mov eax, [esp]
  mov [fault_ip], eax
  mov eax, [esp+4]
  mov [fault_cs], eax
  mov eax, [esp+8]
  mov [fault_flags], eax
  mov eax, [esp+12]
  mov [fault_sp], eax
  mov eax, [esp+16]
  mov [fault_ss], eax
  mov [fault_frame], esp
  mov eax, cr2
  mov [fault_cr2], eax
  inc dword [fault_count]
  mov ax, 0x10
  mov es, ax
  mov fs, ax
  mov gs, ax
  mov ss, ax
  mov esp, [resume_esp]
  jmp dword [resume]

; EAX = vector << 16 | error code; DS and ES are flat again.
fault_summary:
  mov ax, 0x10
  mov ds, ax
  mov es, ax
  mov eax, [fault_vector]
  shl eax, 16
  or eax, [fault_error]
  ret

put:
  out 0xe9, al
  ret
; Prints the string at ESI.
puts:
  mov al, [esi]
  test al, al
  je puts_end
  out 0xe9, al
  inc esi
  jmp puts
puts_end:
  ret
; Prints EAX as 8 hexadecimal digits.
put_hex:
  mov ecx, 8
put_hex_next:
  rol eax, 4
  push eax
  and al, 15
  cmp al, 10
  jb put_hex_digit
  add al, 39
put_hex_digit:
  add al, 48
  out 0xe9, al
  pop eax
  dec ecx
  jne put_hex_next
  ret
; Prints EAX in decimal.
put_decimal:
  mov ebx, 10
  xor ecx, ecx
put_decimal_divide:
  xor edx, edx
  div ebx
  push edx
  inc ecx
  test eax, eax
  jne put_decimal_divide
put_decimal_next:
  pop eax
  add al, 48
  out 0xe9, al
  dec ecx
  jne put_decimal_next
  ret
; Prints the result's head: "ok 3 name", with ZF set when it is right; ESI is the name.
put_result:
  push esi
  mov esi, text_ok
  je put_result_head
  mov esi, text_not_ok
put_result_head:
  call puts
  inc dword [number]
  mov eax, [number]
  call put_decimal
  mov al, 32
  call put
  pop esi
  jmp puts

; check(name, expected, got), pushed from the last on. Keeps all registers and flags.
check:
  pushfd
  pushad
  cld
  mov ebp, esp
  mov esi, [ebp+40]
  mov eax, [ebp+48]
  cmp eax, [ebp+44]
  call put_result
  mov eax, [ebp+48]
  cmp eax, [ebp+44]
  je check_end
  mov esi, text_colon
  call puts
  mov eax, [ebp+48]
  call put_hex
  mov esi, text_instead
  call puts
  mov eax, [ebp+44]
  call put_hex
check_end:
  mov al, 10
  out 0xe9, al
  popad
  popfd
  ret 12

done:
  mov esi, text_done
  call puts
  xor eax, eax
  mov dx, 0xf4
  out dx, eax
  hlt

; Fills the page tables described above.
make_page_tables:
  mov edi, PML4
  mov ecx, 0x1400
  xor eax, eax
  rep stosd
  mov dword [PML4], PDPT64 + 7
  mov dword [PDPT64], PD64 + 7
  mov dword [PDPT64 + 24], PD64_HIGH + 7
  mov dword [PD64_HIGH + 502*8], 0xfec00093
  mov dword [PD64_HIGH + 503*8], 0xfee00093
  mov edi, PD64
  mov eax, 0x87
make_page_tables_large:
  mov [edi], eax
  add edi, 8
  add eax, 0x200000
  cmp eax, 0x40000000
  jb make_page_tables_large
  mov dword [PD64 + 16], PT64 + 7
  mov edi, PT64
  mov eax, 0x400007
make_page_tables_small:
  mov [edi], eax
  add edi, 8
  add eax, 0x1000
  cmp eax, 0x600000
  jb make_page_tables_small
  ret

; Turns long mode on; the caller jumps to 64-bit code next.
enter_long:
  call make_page_tables
  mov eax, cr4
  or eax, 0x620
  mov cr4, eax
  mov eax, PML4
  mov cr3, eax
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x901
  wrmsr
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  and byte [tss64_descriptor + 5], 0xfd
  ret
; Back in 32-bit code of ring 0: turns it off.
leave_long:
  mov eax, cr0
  and eax, 0x7ffeffff
  mov cr0, eax
  mov ecx, 0xc0000080
  rdmsr
  and eax, 0xfffff6fe
  wrmsr
  mov eax, cr4
  and eax, 0xffc0ffdf
  mov cr4, eax
  and byte [gdt + 0x28 + 5], 0xfd
  mov ax, 0x28
  ltr ax
  ret

bits 64
begin64:
  lidt [idtr64]
  mov ax, 0x50
  ltr ax
  mov ax, 0x10
  mov ds, ax
  mov es, ax
  mov ss, ax
  ret

${vectors(64)}
common64:
  mov [fault_eax], rax
  pop rax
  mov [fault_vector], rax
  pop rax
  mov [fault_error], rax
  mov rax, [rsp]
  mov [fault_ip], rax
  mov rax, [rsp+8]
  mov [fault_cs], rax
  mov rax, [rsp+16]
  mov [fault_flags], rax
  mov rax, [rsp+24]
  mov [fault_sp], rax
  mov rax, [rsp+32]
  mov [fault_ss], rax
  mov [fault_frame], rsp
  mov rax, cr2
  mov [fault_cr2], rax
  inc dword [fault_count]
  mov ax, 0x10
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov rsp, [resume_esp]
  jmp qword [resume]

fault_summary64:
  mov eax, [fault_vector]
  shl eax, 16
  or eax, [fault_error]
  ret

puts64:
  mov al, [rsi]
  test al, al
  je puts64_end
  out 0xe9, al
  inc rsi
  jmp puts64
puts64_end:
  ret
put_hex64:
  mov ecx, 16
put_hex64_next:
  rol rax, 4
  push rax
  and al, 15
  cmp al, 10
  jb put_hex64_digit
  add al, 39
put_hex64_digit:
  add al, 48
  out 0xe9, al
  pop rax
  dec ecx
  jne put_hex64_next
  ret

; check for 64-bit code and values.
check64:
  pushfq
  push rax
  push rbx
  push rcx
  push rdx
  push rsi
  push rbp
  cld
  mov rbp, rsp
  mov rsi, text_ok
  mov rax, [rbp+80]
  cmp rax, [rbp+72]
  je check64_head
  mov rsi, text_not_ok
check64_head:
  call puts64
  inc dword [number]
  mov eax, [number]
  mov ebx, 10
  xor ecx, ecx
check64_divide:
  xor edx, edx
  div ebx
  push rdx
  inc ecx
  test eax, eax
  jne check64_divide
check64_digit:
  pop rax
  add al, 48
  out 0xe9, al
  dec ecx
  jne check64_digit
  mov al, 32
  out 0xe9, al
  mov rsi, [rbp+64]
  call puts64
  mov rax, [rbp+80]
  cmp rax, [rbp+72]
  je check64_end
  mov rsi, text_colon
  call puts64
  mov rax, [rbp+80]
  call put_hex64
  mov rsi, text_instead
  call puts64
  mov rax, [rbp+72]
  call put_hex64
check64_end:
  mov al, 10
  out 0xe9, al
  pop rbp
  pop rsi
  pop rdx
  pop rcx
  pop rbx
  pop rax
  popfq
  ret 24

text_ok: db "ok ", 0
text_not_ok: db "not ok ", 0
text_colon: db ": ", 0
text_instead: db " instead of ", 0
text_done: db "done\\n", 0
`;

/** The tables and variables at the end of a program; `descriptors` follow those every program has. */
export const TABLES = (descriptors: string): string => `
align 16
gdt:
  dq 0
  dw 0xffff, 0, 0x9b00, 0xcf
  dw 0xffff, 0, 0x9300, 0xcf
  dw 0xffff, 0, 0xfb00, 0xcf
  dw 0xffff, 0, 0xf300, 0xcf
  dw 103 + 36, tss & 0xffff, 0x8900 + (tss >> 16), 0
  dw 0xffff, 0, 0x9b01, 0
  dw 0xffff, 0, 0x9301, 0
  dw 0xffff, 0, 0x9b00, 0xaf
  dw 0xffff, 0, 0xfb00, 0xaf
tss64_descriptor:
  dw 103, tss64 & 0xffff, 0x8900 + (tss64 >> 16), 0
  dd 0, 0
${descriptors}
gdt_end:
gdtr: dw gdt_end - gdt - 1
  dd gdt, 0
idt:
${idt(32)}
idt_end:
idtr: dw idt_end - idt - 1
  dd idt, 0
idt64:
${idt(64)}
idt64_end:
idtr64: dw idt64_end - idt64 - 1
  dd idt64, 0
real_idtr: dw 0x3ff
  dd 0
align 16
tss:
  dd 0, ring0_stack, 0x10
  resb 0x66 - 12
  dw 0x68
; Ports 0 to 0xff, all allowed but 0xed; the byte after the map is all ones.
tss_io_map:
  resb 29
  db 0x20
  resb 2
  db 0xff
  resb 4
align 16
tss64:
  dd 0
  dq ring0_stack, 0, 0, 0
tss64_ist: dq 0x7000, 0, 0, 0, 0, 0, 0
  dd 0, 0, 0x680000
align 8
number: dq 0
resume: dq 0
resume_esp: dq 0
saved_esp: dq 0
fault_vector: dq 0
fault_error: dq 0
fault_ip: dq 0
fault_cs: dq 0
fault_flags: dq 0
fault_sp: dq 0
fault_ss: dq 0
fault_cr2: dq 0
fault_eax: dq 0
fault_frame: dq 0
fault_count: dq 0
`;
