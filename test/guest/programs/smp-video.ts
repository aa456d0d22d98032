/**
 * Three CPUs fill the text window in turns and look what the one before has written, between changes of the VGA's
 * registers; the last to write is not the first CPU.
 */

import { exit, firmware, meanwhile, put, STEP, start } from "./smp-ends.ts";

const CPUS = 3;
/** More than the kernel collects at once. */
const CELLS = 200;
/** By CPU 1. */
const LAST_TURN = 10;

/** VGA text mode, as far as memory is concerned (miscellaneous output, sequencer, graphics controller). */
const TEXT_MODE = [
  [0x3c2, 0x67, 1],
  [0x3c4, 0x0302, 2],
  [0x3c4, 0x0204, 2],
  [0x3ce, 0x1005, 2],
  [0x3ce, 0x0e06, 2],
  [0x3ce, 0xff08, 2],
] as const;

const out = (port: number, value: number, size: 1 | 2): string =>
  `mov dx, ${port}\nmov ax, ${value}\nout dx, ${size === 1 ? "al" : "ax"}`;

/** Exits with 1 where a CPU does not see what another one has written; prints D when the last turn is over. */
export const textInTurns = (halts: boolean): Uint8Array =>
  firmware(
    `${TEXT_MODE.map(([port, value, size]) => out(port, value, size)).join("\n")}
    ${start}
    jmp turns`,
    `turns: cld
    mov ax, 0xb800
    mov es, ax
    mov esi, ebp
    turn: pause
    cmp [${STEP}], esi
    jne turn
    mov eax, esi
    add eax, 0x740
    test esi, esi
    je write
    cmp [es:${(CELLS - 1) * 2}], ax
    jne wrong
    cmp [es:0], ax
    jne wrong
    write: mov ebx, eax
    ; No plane is written to.
    ${out(0x3c4, 0x0002, 2)}
    mov word [es:${(CELLS - 1) * 2}], 0x7e7e
    ${out(0x3c4, 0x0302, 2)}
    mov eax, ebx
    inc eax
    xor di, di
    mov cx, ${CELLS}
    rep stosw
    inc dword [${STEP}]
    cmp esi, ${LAST_TURN}
    je last
    add esi, ${CPUS}
    cmp esi, ${LAST_TURN}
    jbe turn
    test ebp, ebp
    jne rest
    ${meanwhile(halts)}
    last: ${put("D")}
    jmp rest
    wrong: ${exit(1)}
    jmp rest`,
  );

/** What a cell of the window shows in the end. */
export const LAST_CELL = 0x741 + LAST_TURN;
