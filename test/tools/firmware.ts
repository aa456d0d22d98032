/** Firmware of tests: an image of 64 KiB that begins in real mode at its first byte, F000:0000. */

import { assemble } from "./asm.ts";

const IMAGE_SIZE = 0x10000;
const RESET_VECTOR = 0xfff0;

/** Opens FS to all 4 GiB in real mode, for the local APIC's registers and their like; BX and EAX are lost. */
export const OPEN_FS = `lgdt [cs:open_fs_table]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov bx, 8
    mov fs, bx
    and al, 0xfe
    mov cr0, eax`;

/** What that takes, to be placed where no code runs into it. */
export const OPEN_FS_TABLE = `open_fs_segments: dq 0, 0x00cf93000000ffff
    open_fs_table: dw 15
    dd 0xf0000 + open_fs_segments`;

/** The image of a program, which is text for `assemble`. */
export function firmwareImage(source: string): Uint8Array {
  const image = new Uint8Array(IMAGE_SIZE);
  image.set(assemble(`bits 16\n${source}`).bytes);
  // jmp 0xf000:0
  image.set([0xea, 0x00, 0x00, 0x00, 0xf0], RESET_VECTOR);
  return image;
}
