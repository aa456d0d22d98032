/**
 * The option ROMs that start what -kernel names: PnP expansion ROMs (BIOS Boot Specification 1.01, sections 3.3 and
 * 4.4; Plug and Play BIOS specification 1.0a, section 3.2) whose bootstrap entry vector pulls the parts out of fw_cfg
 * by DMA, to the addresses given there, and enters them: Linux at its real-mode setup code, a Multiboot kernel in
 * 32-bit protected mode.
 *
 * Memory used while loading: the stack below 0000:7C00, a DMA descriptor at 0000:7E00, scratch up to 0000:7E20. Nothing
 * is ever loaded there.
 */

import { FW_CFG } from "../../../core/firmware-config.ts";
import { checksum } from "../acpi/linker.ts";
import { Assembler } from "./assembler.ts";

/** The fw_cfg names under which firmware finds them. */
export const LINUXBOOT_ROM_FILE = "genroms/linuxboot.bin";
export const MULTIBOOT_ROM_FILE = "genroms/multiboot.bin";

const ROM_UNIT = 512;
const PNP_HEADER = 0x20;
const ROM_CHECKSUM = 0x06;
const PNP_CHECKSUM = PNP_HEADER + 9;

/** Low memory from here to 64 KiB is for the Multiboot information. */
export const MULTIBOOT_INFO_ADDRESS = 0x9000;
export const MULTIBOOT_INFO_END = 0x1_0000;
// Offsets in it.
const MEM_LOWER = 4;
const MEM_UPPER = 8;
const MMAP_LENGTH = 44;
const hex = (value: number): string => value.toString(16).padStart(2, "0");

/** The headers; code starts after them. The bootstrap entry vector is the label "boot". */
function header(product: string): Assembler {
  return new Assembler()
    .bytes(0x55, 0xaa, 0) // size, filled in at the end
    .op("31 c0", "xor ax, ax      ; initialisation: nothing to do")
    .op("cb", "retf")
    .bytes(0) // checksum
    .org(0x1a)
    .words(PNP_HEADER)
    .org(PNP_HEADER)
    .bytes(...new TextEncoder().encode("$PnP"), 1, 2) // revision, length in 16 bytes
    .words(0) // next header
    .bytes(0, 0) // reserved, checksum
    .bytes(0, 0, 0, 0) // device id
    .ref("", "abs16", "vendor", "")
    .ref("", "abs16", "product", "")
    .bytes(0, 0, 0, 0) // class, indicators
    .words(0, 0) // boot connection and disconnect vectors
    .ref("", "abs16", "boot", "")
    .words(0, 0)
    .label("vendor")
    .text("qemu-next")
    .label("product")
    .text(product);
}

/** Pads to whole units and sets size and checksums. */
function finish(code: Assembler): Uint8Array {
  const assembled = code.assemble();
  const rom = new Uint8Array(Math.ceil(assembled.length / ROM_UNIT) * ROM_UNIT);
  rom.set(assembled);
  rom[2] = rom.length / ROM_UNIT;
  rom[PNP_CHECKSUM] = checksum(rom.subarray(PNP_HEADER, PNP_HEADER + 32));
  rom[ROM_CHECKSUM] = checksum(rom);
  return rom;
}

/** boot: a stack, DS = 0, and a look whether fw_cfg can do DMA. */
function prologue(code: Assembler): Assembler {
  return code
    .label("boot")
    .op("fa", "cli")
    .op("31 c0", "xor ax, ax")
    .op("8e d0", "mov ss, ax")
    .op("bc 00 7c", "mov sp, 0x7c00")
    .op("8e d8", "mov ds, ax")
    .op("8e c0", "mov es, ax")
    .op("fb", "sti")
    .op("fc", "cld")
    .op("b8 01 00", "mov ax, FW_CFG_ID")
    .ref("e8", "rel16", "read32", "call read32")
    .op("a8 02", "test al, 2")
    .ref("0f 84", "rel16", "failed", "jz failed");
}

/** Loads one part: the addresses of its address, size and data items are in the table at `label`. */
const load = (code: Assembler, label: string): Assembler =>
  code.ref("be", "abs16", label, `mov si, ${label}`).ref("e8", "rel16", "load", "call load");

/** The subroutines, the tables of keys, and what to do when loading fails. */
function epilogue(
  code: Assembler,
  parts: Readonly<Record<string, readonly [addr: number, size: number, data: number]>>,
): Assembler {
  code
    .label("read32") // AX: key; returns EAX; DX lost
    .op("ba 10 05", "mov dx, 0x510")
    .op("ef", "out dx, ax")
    .op("42", "inc dx");
  for (let i = 0; i < 4; i++) code.op("ec", "in al, dx").op("66 c1 c8 08", "ror eax, 8");
  code
    .op("c3", "ret")
    .label("load") // SI: table of keys
    .op("2e 8b 44 02", "mov ax, [cs:si + 2]")
    .ref("e8", "rel16", "read32", "call read32")
    .op("66 85 c0", "test eax, eax")
    .ref("74", "rel8", "loaded", "jz loaded")
    .op("66 0f c8", "bswap eax")
    .op("66 a3 04 7e", "mov [0x7e04], eax   ; length")
    .op("2e 8b 04", "mov ax, [cs:si]")
    .ref("e8", "rel16", "read32", "call read32")
    .op("66 0f c8", "bswap eax")
    .op("66 a3 0c 7e", "mov [0x7e0c], eax   ; address, low half")
    .op("66 31 c0", "xor eax, eax")
    .op("66 a3 08 7e", "mov [0x7e08], eax   ; and high half")
    .op("ba 14 05", "mov dx, 0x514")
    .op("66 ef", "out dx, eax")
    .op("2e 8b 44 04", "mov ax, [cs:si + 4]")
    .op("66 c1 e0 10", "shl eax, 16")
    .op("b0 0a", "mov al, SELECT | READ")
    .op("66 0f c8", "bswap eax")
    .op("66 a3 00 7e", "mov [0x7e00], eax   ; control")
    .op("66 b8 00 00 7e 00", "mov eax, bswap(0x7e00)")
    .op("b2 18", "mov dl, 0x18")
    .op("66 ef", "out dx, eax")
    .label("wait")
    .op("66 a1 00 7e", "mov eax, [0x7e00]")
    .op("66 0f c8", "bswap eax")
    .op("66 a9 fe ff ff ff", "test eax, ~ERROR")
    .ref("75", "rel8", "wait", "jnz wait")
    .op("a8 01", "test al, ERROR")
    .ref("75", "rel8", "failed", "jnz failed")
    .label("loaded")
    .op("c3", "ret")
    .label("failed")
    .ref("be", "abs16", "message", "mov si, message")
    .label("print")
    .op("2e ac", "lodsb cs:[si]")
    .op("84 c0", "test al, al")
    .ref("74", "rel8", "printed", "jz printed")
    .op("b4 0e", "mov ah, 0x0e")
    .op("bb 07 00", "mov bx, 7")
    .op("cd 10", "int 0x10")
    .ref("eb", "rel8", "print", "jmp print")
    .label("printed")
    .op("cd 18", "int 0x18           ; the next boot device")
    .ref("eb", "rel8", "printed", "jmp printed")
    .label("message")
    .text("The kernel could not be loaded through fw_cfg.\r\n");
  for (const [label, keys] of Object.entries(parts)) code.label(label).words(...keys);
  return code;
}

/** Loads setup, command line, kernel and initrd, and enters the setup code 0x20 segments of 16 bytes into it. */
export function linuxBootRom(): Uint8Array {
  const code = prologue(header("Linux loader ROM"));
  for (const part of ["setup", "cmdline", "kernel", "initrd"]) load(code, part);
  code
    .op("b8 16 00", "mov ax, FW_CFG_SETUP_ADDR")
    .ref("e8", "rel16", "read32", "call read32")
    .op("66 c1 e8 04", "shr eax, 4")
    .op("fa", "cli")
    .op("8e d8", "mov ds, ax")
    .op("8e c0", "mov es, ax")
    .op("8e e0", "mov fs, ax")
    .op("8e e8", "mov gs, ax")
    .op("8e d0", "mov ss, ax")
    .op("bc f0 ff", "mov sp, 0xfff0")
    .op("83 c0 20", "add ax, 0x20")
    .op("50", "push ax")
    .op("6a 00", "push 0")
    .op("cb", "retf");
  return finish(
    epilogue(code, {
      setup: [FW_CFG.SETUP_ADDR, FW_CFG.SETUP_SIZE, FW_CFG.SETUP_DATA],
      cmdline: [FW_CFG.CMDLINE_ADDR, FW_CFG.CMDLINE_SIZE, FW_CFG.CMDLINE_DATA],
      kernel: [FW_CFG.KERNEL_ADDR, FW_CFG.KERNEL_SIZE, FW_CFG.KERNEL_DATA],
      initrd: [FW_CFG.INITRD_ADDR, FW_CFG.INITRD_SIZE, FW_CFG.INITRD_DATA],
    }),
  );
}

/**
 * Loads the kernel (with its modules behind it, KERNEL_*) and the Multiboot information (INITRD_*, in the first 64 KiB),
 * appends the memory map of INT 15h E820 to the information, and enters the kernel as the Multiboot specification
 * 0.6.96, section 3.2, says.
 */
export function multibootRom(): Uint8Array {
  const code = prologue(header("Multiboot loader ROM"));
  for (const part of ["kernel", "info"]) load(code, part);
  code
    .op("b8 0b 00", "mov ax, FW_CFG_INITRD_SIZE")
    .ref("e8", "rel16", "read32", "call read32")
    .op("66 89 c7", "mov edi, eax")
    .op("b8 0a 00", "mov ax, FW_CFG_INITRD_ADDR")
    .ref("e8", "rel16", "read32", "call read32")
    .op("01 c7", "add di, ax         ; where the map starts")
    .op("89 c5", "mov bp, ax         ; the information")
    .op("cd 12", "int 0x12           ; KiB below 640")
    .op(`3e 89 46 ${hex(MEM_LOWER)}`, "mov [ds:bp + mem_lower], ax")
    .op("57", "push di")
    .op("66 31 db", "xor ebx, ebx")
    .label("map")
    .op("83 c7 04", "add di, 4          ; the entry's size goes before it")
    .op("66 b8 20 e8 00 00", "mov eax, 0xe820")
    .op("66 ba 50 41 4d 53", "mov edx, 'SMAP'")
    .op("66 b9 14 00 00 00", "mov ecx, 20")
    .op("55", "push bp")
    .op("cd 15", "int 0x15")
    .op("5d", "pop bp")
    .ref("72", "rel8", "undo", "jc undo")
    .op("66 3d 50 41 4d 53", "cmp eax, 'SMAP'")
    .ref("75", "rel8", "undo", "jne undo")
    .op("66 c7 45 fc 14 00 00 00", "mov dword [di - 4], 20")
    .op("66 81 3d 00 00 10 00", "cmp dword [di], 0x100000")
    .ref("75", "rel8", "next", "jne next")
    .op("66 8b 45 08", "mov eax, [di + 8]")
    .op("66 c1 e8 0a", "shr eax, 10")
    .op(`66 3e 89 46 ${hex(MEM_UPPER)}`, "mov [ds:bp + mem_upper], eax")
    .label("next")
    .op("83 c7 14", "add di, 20")
    .op("66 85 db", "test ebx, ebx")
    .ref("74", "rel8", "mapped", "jz mapped")
    .op("81 ff c0 ff", "cmp di, 0xffc0     ; room for another")
    .ref("72", "rel8", "map", "jb map")
    .ref("eb", "rel8", "mapped", "jmp mapped")
    .label("undo")
    .op("83 ef 04", "sub di, 4")
    .label("mapped")
    .op("58", "pop ax")
    .op("29 c7", "sub di, ax")
    .op("66 0f b7 ff", "movzx edi, di")
    .op("66 0f b7 ed", "movzx ebp, bp")
    .op(`66 3e 89 7e ${hex(MMAP_LENGTH)}`, "mov [ds:bp + mmap_length], edi")
    .op("b8 10 00", "mov ax, FW_CFG_KERNEL_ENTRY")
    .ref("e8", "rel16", "read32", "call read32")
    .op("66 89 c6", "mov esi, eax")
    .op("e4 92", "in al, 0x92        ; A20 on")
    .op("0c 02", "or al, 2")
    .op("24 fe", "and al, 0xfe")
    .op("e6 92", "out 0x92, al")
    .op("fa", "cli")
    .op("66 31 c9", "xor ecx, ecx")
    .op("8c c9", "mov cx, cs")
    .op("66 c1 e1 04", "shl ecx, 4         ; this ROM's address")
    .ref("66 b8", "abs32", "gdt", "mov eax, gdt")
    .op("66 01 c8", "add eax, ecx")
    .op("c7 06 10 7e 17 00", "mov word [0x7e10], 23")
    .op("66 a3 12 7e", "mov [0x7e12], eax")
    .op("66 0f 01 16 10 7e", "lgdt [0x7e10]")
    .ref("66 b8", "abs32", "flat", "mov eax, flat")
    .op("66 01 c8", "add eax, ecx")
    .op("66 6a 08", "push dword 8")
    .op("66 50", "push eax")
    .op("0f 20 c0", "mov eax, cr0")
    .op("0c 01", "or al, 1")
    .op("0f 22 c0", "mov cr0, eax")
    .op("66 cb", "retf               ; to 32-bit code")
    .label("flat")
    .op("66 b8 10 00", "mov ax, 0x10")
    .op("8e d8", "mov ds, ax")
    .op("8e c0", "mov es, ax")
    .op("8e e0", "mov fs, ax")
    .op("8e e8", "mov gs, ax")
    .op("8e d0", "mov ss, ax")
    .op("89 eb", "mov ebx, ebp")
    .op("b8 02 b0 ad 2b", "mov eax, 0x2badb002")
    .op("ff e6", "jmp esi")
    .label("gdt")
    .bytes(0, 0, 0, 0, 0, 0, 0, 0)
    .bytes(0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0) // 0x08: code, 32-bit, flat
    .bytes(0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0); // 0x10: data, flat
  return finish(
    epilogue(code, {
      kernel: [FW_CFG.KERNEL_ADDR, FW_CFG.KERNEL_SIZE, FW_CFG.KERNEL_DATA],
      info: [FW_CFG.INITRD_ADDR, FW_CFG.INITRD_SIZE, FW_CFG.INITRD_DATA],
    }),
  );
}
