/**
 * A guest program for several CPUs (Intel SDM volume 3, chapters 9 "Multiple-processor management" and 11 "APIC"): a
 * firmware image whose first CPU starts the others by INIT and SIPI; then all do the same work at once and meet at a
 * barrier after each piece. The same text is assembled for real mode (with FS opened to 4 GiB for the APICs), for flat
 * 32-bit code and for 64-bit code with paging. What it counts goes to port 0xe9, lines of all CPUs to the serial port;
 * the last CPU ends the machine through isa-debug-exit.
 *
 * EBP is the CPU's number, and its APIC's identifier, everywhere. `@ax` is the register of the mode's stack width.
 *
 * Memory: 0x3000-0x6fff stacks, 0x8000-0xffff the program, 0x20000-0x24fff page tables, 0x30000 and 0x31000 two pages
 * that are mapped at 0x400000 in turns.
 */

import { assemble } from "../../tools/asm.ts";
import {
  ADDRESS,
  APIC,
  entry,
  first,
  HPET,
  ICR,
  IMAGE_SIZE,
  IOAPIC,
  LETTERS,
  library,
  load,
  PAGE,
  PM_TIMER,
  repeat,
  SIPI_VECTOR,
  type SmpProgram,
  sleep,
  spin,
  store,
  TABLES,
  TICKS,
  VECTOR,
} from "./smp-library.ts";

/** The first CPU prints a counter, between two barriers. */
const report = (name: string, counter: string): string => {
  const label = name.replaceAll(/\W/g, "_");
  return `call barrier
    ${first(`${label}_said`, `mov esi, ${label}_text\nmov eax, [${counter}]\ncall put_line\njmp ${label}_said\n${label}_text: db "${name}: ", 0`)}
    call barrier`;
};

const wake = ({ cpus }: SmpProgram): string => `
  ${store(APIC.spurious, 0x100 | VECTOR.spurious)}
  ${store(APIC.logical, 0)}
  mov ecx, ebp
  mov eax, 0x01000000
  shl eax, cl
  mov [fs:ebx], eax
  lock inc dword [arrived]
  ${first(
    "all_here",
    `${cpus > 1 ? `${store(APIC.icrLow, ICR.init | ICR.others)}\nmov ecx, 10\ncall wait_ms` : ""}
    ${cpus > 1 ? `${store(APIC.icrLow, ICR.sipi | ICR.others | SIPI_VECTOR)}\nmov ecx, 1\ncall wait_ms` : ""}
    ${cpus > 1 ? store(APIC.icrLow, ICR.sipi | ICR.others | SIPI_VECTOR) : ""}
    ${spin("waiting", `cmp dword [arrived], ${cpus}`, "jb")}`,
  )}
  ${report("CPUs", "arrived")}`;

/** Counters: under the spinlock, and by locked instructions. */
const counting = ({ rounds }: SmpProgram): string => `
  ${repeat("locked", rounds, "call take\nmov eax, [guarded]\ninc eax\nmov [guarded], eax\ncall release")}
  ${report("counted under the lock", "guarded")}
  ${repeat(
    "atomic",
    rounds,
    `lock inc dword [atomic_count]
    mov eax, 1
    lock xadd [atomic_count], eax
    mov eax, [atomic_count]
    atomic_again: lea ecx, [eax + 1]
    lock cmpxchg [atomic_count], ecx
    jne atomic_again
    push @si
    mov eax, [atomic_count]
    mov edx, [atomic_count + 4]
    wide_again: mov ebx, eax
    mov ecx, edx
    add ebx, 1
    adc ecx, 0
    lock cmpxchg8b [atomic_count]
    jne wide_again
    pop @si`,
  )}
  ${report("counted by locked instructions", "atomic_count")}`;

/** Devices with more than one step to an access, under the lock; each counts what came back as it should. */
const devices = ({ rounds }: SmpProgram): string => `
  ${repeat(
    "devices",
    rounds,
    `call take
    mov eax, esi
    add eax, ebp
    mov ecx, eax
    mov dx, 0x3ff
    out dx, al
    in al, dx
    cmp al, cl
    jne scratch_wrong
    inc dword [scratch]
    scratch_wrong: mov eax, ebp
    add al, 0x40
    out 0x70, al
    mov al, cl
    out 0x71, al
    mov al, 0x3f
    out 0x70, al
    mov eax, ebp
    add al, 0x40
    out 0x70, al
    in al, 0x71
    cmp al, cl
    jne cmos_wrong
    inc dword [cmos]
    cmos_wrong: mov al, 0x80
    out 0x43, al
    in al, 0x42
    in al, 0x42
    test al, al
    jne pit_wrong
    inc dword [pit]
    pit_wrong: ${load("eax", HPET + 0xf0)}
    cmp eax, [hpet_last]
    mov [hpet_last], eax
    jb hpet_wrong
    inc dword [hpet]
    hpet_wrong: mov dx, ${PM_TIMER}
    in eax, dx
    mov edx, eax
    sub eax, [pm_last]
    mov [pm_last], edx
    and eax, 0xffffff
    cmp eax, 0xf00000
    jae pm_wrong
    inc dword [pm]
    pm_wrong: mov al, cl
    out 0xa1, al
    in al, 0xa1
    cmp al, cl
    jne pic_wrong
    inc dword [pic]
    pic_wrong: mov al, 0xff
    out 0xa1, al
    mov edx, ecx
    or edx, 0x10000
    mov ebx, ${IOAPIC}
    mov dword [fs:ebx], 0x20
    mov [fs:ebx + 0x10], edx
    mov dword [fs:ebx], 0
    mov dword [fs:ebx], 0x20
    cmp [fs:ebx + 0x10], edx
    jne ioapic_wrong
    inc dword [ioapic]
    ioapic_wrong: mov dx, 0xcf8
    mov eax, 0x80000000
    out dx, eax
    mov dx, 0xcfc
    in eax, dx
    cmp eax, 0x12378086
    jne pci_wrong
    inc dword [pci]
    pci_wrong: mov dx, 0x510
    xor eax, eax
    out dx, ax
    mov dx, 0x511
    ${"in al, dx\nror eax, 8\n".repeat(4)}
    cmp eax, 0x554d4551
    jne config_wrong
    inc dword [config]
    config_wrong: call release`,
  )}
  ${report("scratch registers", "scratch")}
  ${report("CMOS bytes", "cmos")}
  ${report("PIT latches", "pit")}
  ${report("HPET readings in order", "hpet")}
  ${report("PM timer readings in order", "pm")}
  ${report("PIC masks", "pic")}
  ${report("I/O APIC entries", "ioapic")}
  ${report("PCI identifiers", "pci")}
  ${report("fw_cfg signatures", "config")}
  xor edi, edi
  ${repeat(
    "alone",
    rounds,
    `${load("eax", HPET + 0xf0)}
    cmp eax, edi
    mov edi, eax
    jb alone_wrong
    lock inc dword [hpet_alone]
    alone_wrong: mov eax, ebp
    add al, 65
    ${"out 0xe9, al\n".repeat(LETTERS)}`,
  )}
  call barrier
  ${first("letters_end", "mov al, 10\nout 0xe9, al")}
  ${report("HPET readings without the lock", "hpet_alone")}
  mov esi, 3
  serial: call take
  mov edi, serial_text
  mov eax, ebp
  add al, 65
  mov [edi], al
  serial_next: mov dx, 0x3fd
  in al, dx
  test al, 0x20
  je serial_next
  mov dx, 0x3f8
  mov al, [edi]
  test al, al
  je serial_end
  out dx, al
  inc edi
  jmp serial_next
  serial_end: call release
  dec esi
  jne serial
  call barrier`;

/** Interprocessor interrupts: to the next CPU and back, to halted ones, to groups; NMIs. */
const interrupts = ({ mode, cpus, rounds }: SmpProgram): string => `
  sti
  mov edi, ebp
  inc edi
  cmp edi, ${cpus}
  jb pair_has_next
  xor edi, edi
  pair_has_next: shl edi, 24
  ${repeat(
    "pairs",
    rounds,
    `mov ecx, [pair_count + ebp*4]
    mov ebx, ${APIC.icrHigh}
    mov [fs:ebx], edi
    mov eax, ebp
    add eax, ${ICR.fixed + VECTOR.pair}
    mov ebx, ${APIC.icrLow}
    mov [fs:ebx], eax
    ${spin("pair_wait", "cmp [pair_count + ebp*4], ecx", "je")}
    lock inc dword [pairs_seen]`,
  )}
  ${report("interrupts to the next CPU", "pairs_seen")}
  cli
  test ebp, ebp
  jne broadcast_sleep
  sti
  mov edi, ${cpus - 1}
  mov esi, ${rounds}
  broadcast: ${store(APIC.icrLow, ICR.fixed | ICR.others | VECTOR.broadcast)}
  ${spin("broadcast_wait", "cmp [broadcast_count], edi", "jne")}
  add edi, ${cpus - 1}
  dec esi
  jne broadcast
  jmp broadcast_end
  broadcast_sleep:
  ${sleep("broadcast_more", `cmp dword [broadcast_own + ebp*4], ${rounds}`, "je")}
  broadcast_end:
  ${report("interrupts to all others, halted", "broadcast_count")}
  ${first(
    "all_sent",
    `${store(APIC.icrLow, ICR.fixed | ICR.all | VECTOR.broadcast)}
    mov edi, ${rounds * (cpus - 1) + cpus}
    ${spin("all_wait", "cmp [broadcast_count], edi", "jne")}
    ${store(APIC.icrHigh, `0x${((1 << cpus) - 1).toString(16)} << 24`)}
    ${store(APIC.icrLow, ICR.fixed | ICR.logical | VECTOR.broadcast)}
    add edi, ${cpus}
    ${spin("logical_wait", "cmp [broadcast_count], edi", "jne")}`,
  )}
  ${report("interrupts with those to all, and to a logical group", "broadcast_count")}
  cli
  ${mode === "protected" ? "" : nmis(cpus, rounds)}`;

/** Not in protected mode: only IRET ends an NMI. */
const nmis = (cpus: number, rounds: number): string => `
  ${first(
    "nmi_sent",
    `mov esi, ${rounds}
    mov edi, ${cpus - 1}
    nmi_again: ${store(APIC.icrLow, ICR.nmi | ICR.others)}
    ${spin("nmi_wait", "cmp [nmi_count], edi", "jne")}
    add edi, ${cpus - 1}
    dec esi
    jne nmi_again`,
  )}
  ${report("NMIs to all others, interrupts off", "nmi_count")}`;

/** Each CPU's APIC timer, and the PIT's interrupt through the I/O APIC to one CPU after the other. */
const timers = ({ cpus }: SmpProgram): string => `
  ${store(APIC.divide, 0xb)}
  ${store(APIC.timer, VECTOR.timer)}
  mov esi, 1
  timer_again: ${store(APIC.initialCount, 100_000)}
  ${sleep("timer_wait", "cmp [timer_own + ebp*4], esi", "je")}
  inc esi
  cmp esi, ${TICKS}
  jbe timer_again
  ${report("APIC timers", "timer_count")}
  cli
  ${first(
    "ticks_end",
    `mov al, 0x34
    out 0x43, al
    mov al, 0xa9
    out 0x40, al
    mov al, 4
    out 0x40, al
    sti
    xor edi, edi
    ticks_next: ${store(IOAPIC, 0x15)}
    mov ecx, edi
    shl ecx, 24
    mov [fs:ebx + 0x10], ecx
    ${store(IOAPIC, 0x14)}
    mov dword [fs:ebx + 0x10], ${VECTOR.tick}
    ${spin("ticks_wait", `cmp dword [tick_own + edi*4], ${TICKS}`, "jb")}
    mov dword [fs:ebx + 0x10], ${0x10000 | VECTOR.tick}
    inc dword [tick_cpus]
    inc edi
    cmp edi, ${cpus}
    jb ticks_next
    mov dword [ticks_over], 1
    jmp ticks_end`,
  )}
  ${spin("ticks_others", "sti\ncmp dword [ticks_over], 1", "jne")}
  cli
  ${report("CPUs that got the PIT's interrupt", "tick_cpus")}`;

/** One CPU changes the code that all run; in long mode, also the mapping that all use. */
const memory = ({ mode, cpus, rounds }: SmpProgram): string => `
  mov esi, 1
  patching:
  ${first("patched", "mov [patch_end - 5], esi")}
  call barrier
  xor eax, eax
  cpuid
  call patch
  cmp eax, esi
  jne patch_wrong
  lock inc dword [patch_count]
  patch_wrong: call barrier
  inc esi
  cmp esi, ${rounds}
  jbe patching
  ${report("calls of changed code", "patch_count")}
  ${mode === "long" ? shootdown(cpus, rounds) : ""}`;

const shootdown = (cpus: number, rounds: number): string => `
  sti
  mov esi, 1
  mapping: mov edi, [${PAGE.virtual}]
  call barrier
  ${first(
    "mapped",
    `mov eax, esi
    and eax, 1
    shl eax, 12
    add eax, ${PAGE.even + 3}
    mov [${TABLES.pages}], eax
    invlpg [${PAGE.virtual}]
    mov dword [shootdown_seen], 0
    ${store(APIC.icrLow, ICR.fixed | ICR.others | VECTOR.shootdown)}
    ${spin("shootdown_wait", `cmp dword [shootdown_seen], ${cpus - 1}`, "jne")}`,
  )}
  call barrier
  mov eax, esi
  and eax, 1
  cmp eax, [${PAGE.virtual}]
  jne mapping_wrong
  lock inc dword [mapped_count]
  mapping_wrong: call barrier
  inc esi
  cmp esi, ${rounds}
  jbe mapping
  cli
  ${report("readings through a changed mapping", "mapped_count")}`;
/** The firmware image: copies itself to RAM from the reset vector. */
export function smpImage(program: SmpProgram): Uint8Array {
  const wide = program.mode === "long" ? "r" : "e";
  const source = [
    entry(program),
    `bits ${{ real: 16, protected: 32, long: 64 }[program.mode]}\nmain:`,
    ...[wake, counting, devices, interrupts, timers, memory].map((part) => part(program)),
    first("not_first", "mov esi, text_done\nxor eax, eax\ncall put_line"),
    "call barrier",
    `cmp ebp, ${program.cpus - 1}\njne stop\nxor eax, eax\nout 0xf4, al\nstop: cli\nhlt\njmp stop`,
    library(program),
  ].join("\n");
  const { bytes } = assemble(source.replaceAll("@", wide));
  const copy = assemble(`bits 16
    cli
    cld
    xor ax, ax
    mov es, ax
    mov ax, cs
    mov ds, ax
    xor si, si
    mov di, ${ADDRESS}
    mov cx, ${bytes.length}
    rep movsb
    jmp 0:${ADDRESS}`).bytes;
  const image = new Uint8Array(IMAGE_SIZE);
  const at = IMAGE_SIZE - 16 - copy.length;
  if (bytes.length > at || ADDRESS + bytes.length > 0x10000) throw new RangeError("the program is too long");
  image.set(bytes);
  image.set(copy, at);
  image.set([0xea, at & 0xff, at >> 8, 0x00, 0xf0], IMAGE_SIZE - 16);
  return image;
}

/** What the program writes to port 0xe9, with its letters sorted, and to the serial port, with its lines sorted. */
export function smpReport({ mode, cpus, rounds }: SmpProgram): { debug: string; serial: string } {
  const all = cpus * rounds;
  const letters = Array.from({ length: cpus }, (_, cpu) => String.fromCharCode(65 + cpu));
  const others = (cpus - 1) * rounds;
  const lines = [
    `CPUs: ${cpus}`,
    `counted under the lock: ${all}`,
    `counted by locked instructions: ${4 * all}`,
    `scratch registers: ${all}`,
    `CMOS bytes: ${all}`,
    `PIT latches: ${all}`,
    `HPET readings in order: ${all}`,
    `PM timer readings in order: ${all}`,
    `PIC masks: ${all}`,
    `I/O APIC entries: ${all}`,
    `PCI identifiers: ${all}`,
    `fw_cfg signatures: ${all}`,
    letters.map((letter) => letter.repeat(LETTERS * rounds)).join(""),
    `HPET readings without the lock: ${all}`,
    `interrupts to the next CPU: ${all}`,
    `interrupts to all others, halted: ${others}`,
    `interrupts with those to all, and to a logical group: ${others + 2 * cpus}`,
    ...(mode === "protected" ? [] : [`NMIs to all others, interrupts off: ${others}`]),
    `APIC timers: ${TICKS * cpus}`,
    `CPUs that got the PIT's interrupt: ${cpus}`,
    `calls of changed code: ${all}`,
    ...(mode === "long" ? [`readings through a changed mapping: ${all}`] : []),
    "done: 0",
  ];
  const serial = letters.flatMap((letter) => Array(3).fill(`${letter} writes a whole line of its own`));
  return { debug: `${lines.join("\n")}\n`, serial: `${serial.join("\n")}\n` };
}

/** Puts what came without an order into the order of `smpReport`. */
export function inOrder(debug: string, serial: string): { debug: string; serial: string } {
  const sorted = debug.replace(/^[A-H]+$/m, (letters) => [...letters].sort().join(""));
  return { debug: sorted, serial: serial.split("\n").filter(Boolean).sort().join("\n").concat("\n") };
}

/** QEMU's options, but the accelerator, that run an image; the serial port goes to a file. */
export function smpOptions({ cpus }: SmpProgram, image: string, serial: string): string[] {
  return [
    ...["-nodefaults", "-display", "none", "-m", "16", "-bios", image, "-no-reboot", "-smp", String(cpus)],
    ...["-debugcon", "stdio", "-serial", `file:${serial}`, "-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
  ];
}
