/**
 * Firmware for three CPUs that end, sleep, wait or fall in one of the ways that a CPU can while others halt or compute. Real
 * mode with a flat FS. All CPUs begin at the same place; what they have to know of each other lies in low memory.
 */

import { firmwareImage, OPEN_FS, OPEN_FS_TABLE } from "../../tools/firmware.ts";

/** Words that outlive a reset. */
const BOOTS = 0x600;
const ARRIVED = 0x604;
export const STEP = 0x608;
const COUNT = 0x60c;
const NMIS = 0x610;
const ICR = 0xfee00300;
const PM_BASE = 0x600;

/** Sends what `command` says to the CPU with the ID in EAX, or where the command's shorthand says. */
const send = (command: number, id = 0): string => `mov ebx, ${ICR + 16}
  mov dword [fs:ebx], ${id << 24}
  mov ebx, ${ICR}
  mov dword [fs:ebx], ${command}`;
const INIT = 0x4500;
const STARTUP = 0x46f0;
const NMI = 0x4400;
const SELF = 0x40000;
const ALL = 0x80000;
const OTHERS = 0xc0000;

export const put = (letter: string): string => `mov al, ${letter.charCodeAt(0)}\nout 0xe9, al`;
export const exit = (status: number): string => `mov al, ${status}\nout 0xf4, al`;
const pciWrite = (register: number, value: number): string => `mov dx, 0xcf8
  mov eax, ${0x80000000 + register}
  out dx, eax
  mov dx, 0xcfc
  mov eax, ${value}
  out dx, eax`;
const wait = (label: string, address: number, count: number): string =>
  `${label}: pause\ncmp dword [${address}], ${count}\njb ${label}`;
/** A fault for which there is no handler, nor one for what follows. */
const TRIPLE_FAULT = `lidt [cs:nothing]
  lgdt [cs:flat]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword 8:0xf0000+in_protected_mode
  bits 32
  in_protected_mode: mov ax, 0x500
  mov ds, ax
  bits 16`;

/** `first` is what the first CPU does after it has started the others, which do `others` and then nothing. */
export function firmware(first: string, others: string): Uint8Array {
  return firmwareImage(`cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    ${OPEN_FS}
    mov ebx, 0xfee00020
    mov eax, [fs:ebx]
    shr eax, 24
    mov ebp, eax
    shl eax, 8
    mov sp, 0x7000
    sub sp, ax
    mov word [8], on_nmi
    mov word [10], 0xf000
    test ebp, ebp
    jne others
    mov dword [${ARRIVED}], 0
    ${first}
    again: inc dword [${COUNT}]
    jmp again
    halt: cli
    hlt
    jmp halt
    others: lock inc dword [${ARRIVED}]
    ${others}
    rest: pause
    jmp rest
    on_nmi: lock inc dword [${NMIS}]
    iretw
    align 8
    ${OPEN_FS_TABLE}
    gdt2: dq 0, 0x00cf9b000000ffff
    flat: dw 15
    dd 0xf0000 + gdt2
    nothing: dw 0
    dd 0`);
}

export const start = `${send(OTHERS | INIT)}
  mov cx, 200
  later: in al, 0x80
  dec cx
  jne later
  ${send(OTHERS | STARTUP)}`;

export const meanwhile = (halts: boolean): string => (halts ? "jmp halt" : "jmp again");

/** CPUs 1 and 2 meet their ends together, twice; the third time one exits. Prints a B for each boot. */
export const tripleFaults = (halts: boolean): Uint8Array =>
  firmware(
    `${put("B")}
    inc dword [${BOOTS}]
    ${start}
    ${meanwhile(halts)}`,
    `${wait("both", ARRIVED, 2)}
    cmp dword [${BOOTS}], 3
    jne fault
    ${exit(5)}
    jmp rest
    fault: ${TRIPLE_FAULT}`,
  );

/** CPU 2 asks for what a device does: a write of `value` to `port`. */
export const writesPort = (halts: boolean, port: number, value: number): Uint8Array =>
  firmware(`${start}\n${meanwhile(halts)}`, `cmp ebp, 2\njne rest\nmov dx, ${port}\nmov al, ${value}\nout dx, al`);

/** CPU 1 suspends the machine while CPU 2 computes; woken, the first CPU prints W, starts both again, and one exits. */
export const suspends = (halts: boolean): Uint8Array =>
  firmware(
    `mov al, 0x0f
    out 0x70, al
    in al, 0x71
    cmp al, 0xfe
    jne cold
    ${put("W")}
    mov dword [${STEP}], 1
    cold: ${pciWrite(0xb40, PM_BASE + 1)}
    ${pciWrite(0xb80, 1)}
    ${start}
    ${meanwhile(halts)}`,
    `${wait("both", ARRIVED, 2)}
    cmp ebp, 2
    je rest
    cmp dword [${STEP}], 1
    je over
    ${put("S")}
    mov dx, ${PM_BASE + 4}
    mov ax, 0x2400
    out dx, ax
    jmp rest
    over: ${exit(6)}`,
  );

/** What CPU 1 does until INIT finds it. */
const STATES = [
  "cli\nhlt",
  "rest0: jmp rest0",
  "rest1: in al, 0x64\njmp rest1",
  "mov ax, 0xa000\nmov es, ax\nrest2: mov al, [es:0]\nmov [es:4], al\njmp rest2",
  send(SELF | INIT),
  `sti\nrest4: hlt\njmp rest4`,
  "mov ebx, 0xfed000f0\nrest5: mov eax, [fs:ebx]\njmp rest5",
];
const ROUNDS = 4;

/**
 * INIT and startup IPI for CPU 1 in each of its states, a dot each; then a flood of startup IPIs and NMIs, which it survives
 * (F); then it sends INIT to the first CPU, which begins anew and prints I; at last the first one sends INIT to all, itself
 * included, and then finds itself alone: A.
 */
export const interrupted = (): Uint8Array =>
  firmware(
    `cmp dword [${STEP}], ${STATES.length + 2}
    je alone
    cmp dword [${STEP}], ${STATES.length + 1}
    je init_came
    mov dword [${BOOTS}], ${ROUNDS}
    next_round: mov dword [${STEP}], 0
    next: mov dword [${ARRIVED}], 0
    ${send(INIT, 1)}
    ; Not only once: what CPU 1 sends to itself may come between the two.
    arrives: ${send(STARTUP, 1)}
    in al, 0x80
    cmp dword [${ARRIVED}], 0
    je arrives
    ${put(".")}
    mov cx, 50
    a_while: in al, 0x80
    dec cx
    jne a_while
    inc dword [${STEP}]
    cmp dword [${STEP}], ${STATES.length}
    jne next
    dec dword [${BOOTS}]
    jne next_round
    mov dword [${ARRIVED}], 0
    ${send(INIT, 1)}
    ${send(STARTUP, 1)}
    ${wait("counts", ARRIVED, 1)}
    mov dword [${NMIS}], 0
    mov cx, 300
    flood: ${send(STARTUP, 1)}
    ${send(NMI, 1)}
    dec cx
    jne flood
    mov dword [${COUNT}], 0
    ${wait("flooded", COUNT, 100)}
    ${wait("nmi", NMIS, 1)}
    ${put("F")}
    inc dword [${STEP}]
    jmp again_here
    again_here: jmp again_here
    init_came: ${put("I")}
    inc dword [${STEP}]
    ${send(ALL | INIT)}
    fatal: jmp fatal
    alone: ${put("A")}
    ${exit(7)}
    jmp halt`,
    `${STATES.map((state, i) => `cmp dword [${STEP}], ${i}\njne not${i}\n${state}\njmp rest\nnot${i}:`).join("\n")}
    count: inc dword [${COUNT}]
    cmp dword [${STEP}], ${STATES.length + 1}
    jne count
    ${send(INIT, 0)}`,
  );

/** What `interrupted` prints. */
export const INTERRUPTED = `${".".repeat(STATES.length * ROUNDS)}FIA`;

/** Each CPU runs random bytes, from a place of its own on. */
export function garbage(seed: number): Uint8Array {
  const program = firmware(`${start}\nmov ax, 0x2000\njmp ax`, "mov ax, bp\nshl ax, 12\nadd ax, 0x2800\njmp ax");
  let state = seed;
  return program.map((byte, at) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return at >= 0x2000 && at < 0xf000 ? state >>> 24 : byte;
  });
}
