/** What the program of smp.ts stands on: the way into its mode, interrupt handlers, lock, barrier and output. */

export const SMP_MODES = ["real", "protected", "long"] as const;
export type SmpMode = (typeof SMP_MODES)[number];

export interface SmpProgram {
  readonly mode: SmpMode;
  readonly cpus: number;
  /** How often each CPU does each thing. */
  readonly rounds: number;
}
export const IMAGE_SIZE = 0x10000;
export const ADDRESS = 0x8000;
export const SIPI_VECTOR = ADDRESS >> 12;
export const STACK_TOP = 0x7000;
export const STACK_SIZE = 0x800;
export const SEL = { code32: 0x08, data: 0x10, code16: 0x18, data16: 0x20, code64: 0x28 };
export const TABLES = { pml4: 0x20000, pdpt: 0x21000, low: 0x22000, high: 0x23000, pages: 0x24000 };
export const PAGE = { virtual: 0x400000, even: 0x30000, odd: 0x31000 };

export const VECTOR = { nmi: 2, pair: 0x40, broadcast: 0x50, timer: 0x51, tick: 0x52, shootdown: 0x53, spurious: 0x5f };
export const VECTORS = 0x60;

/** Letters that each CPU writes without a lock, times the rounds. */
export const LETTERS = 4;
export const TICKS = 3;

export const APIC = {
  id: 0xfee00020,
  eoi: 0xfee000b0,
  logical: 0xfee000d0,
  spurious: 0xfee000f0,
  icrLow: 0xfee00300,
  icrHigh: 0xfee00310,
  timer: 0xfee00320,
  initialCount: 0xfee00380,
  divide: 0xfee003e0,
};
export const ICR = {
  init: 0x4500,
  sipi: 0x4600,
  fixed: 0x4000,
  nmi: 0x4400,
  logical: 0x800,
  all: 0x80000,
  others: 0xc0000,
};
export const IOAPIC = 0xfec00000;
export const HPET = 0xfed00000;
const PM_BASE = 0x600;
export const PM_TIMER = PM_BASE + 8;

export const store = (address: number, value: number | string): string =>
  `mov ebx, ${address}\nmov dword [fs:ebx], ${value}`;
export const load = (register: string, address: number): string => `mov ebx, ${address}\nmov ${register}, [fs:ebx]`;

/** Code that only the first CPU runs. */
export const first = (label: string, code: string): string => `test ebp, ebp\njne ${label}\n${code}\n${label}:`;
/** Code that each CPU repeats with ESI counting down. */
export const repeat = (label: string, times: number, code: string): string =>
  `mov esi, ${times}\n${label}:\n${code}\ndec esi\njne ${label}`;
/** Waits for a condition that another CPU or an interrupt makes true. */
export const spin = (label: string, compare: string, unless: string): string =>
  `${label}: pause\n${compare}\n${unless} ${label}`;
export const sleep = (label: string, compare: string, done: string): string =>
  `${label}: cli\n${compare}\n${done} ${label}_done\nsti\nhlt\njmp ${label}\n${label}_done: sti`;

/** From the reset vector, or from SIPI, to `main` in the mode, with a stack and EBP set. */
export const entry = ({ mode }: SmpProgram): string => `
  bits 16
  org ${ADDRESS}
  start:
  cli
  xor ax, ax
  mov ds, ax
  jmp 0:enter
  enter: lgdt [gdtr]
  mov eax, cr0
  and eax, 0x9fffffff
  or al, 1
  mov cr0, eax
  jmp dword ${SEL.code32}:flat
  bits 32
  flat: mov ax, ${SEL.data}
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov ss, ax
  mov ebp, [${APIC.id}]
  shr ebp, 24
  mov eax, ebp
  imul eax, eax, ${STACK_SIZE}
  mov esp, ${STACK_TOP}
  sub esp, eax
  ${first("prepared", "call prepare")}
  ${ENTER[mode]}
  jmp main

  bits 32
  prepare: in al, 0x92
  or al, 2
  and al, 0xfe
  out 0x92, al
  mov al, 0xff
  out 0x21, al
  out 0xa1, al
  mov al, 1
  out 0x61, al
  mov al, 0xb4
  out 0x43, al
  mov al, 0xff
  out 0x42, al
  mov al, 0
  out 0x42, al
  mov dword [${HPET + 0x10}], 1
  mov dx, 0xcf8
  mov eax, 0x80000b40
  out dx, eax
  mov dx, 0xcfc
  mov eax, ${PM_BASE + 1}
  out dx, eax
  mov dx, 0xcf8
  mov eax, 0x80000b80
  out dx, eax
  mov dx, 0xcfc
  mov al, 1
  out dx, al
  mov dx, ${PM_TIMER}
  in eax, dx
  mov [pm_last], eax
  mov edi, ${TABLES.pml4}
  mov ecx, 0x1400
  xor eax, eax
  rep stosd
  mov dword [${TABLES.pml4}], ${TABLES.pdpt + 3}
  mov dword [${TABLES.pdpt}], ${TABLES.low + 3}
  mov dword [${TABLES.pdpt + 24}], ${TABLES.high + 3}
  mov dword [${TABLES.low}], 0x83
  mov dword [${TABLES.low + 16}], ${TABLES.pages + 3}
  mov dword [${TABLES.high + 502 * 8}], 0xfec00093
  mov dword [${TABLES.high + 503 * 8}], 0xfee00093
  mov dword [${TABLES.pages}], ${PAGE.even + 3}
  mov dword [${PAGE.even}], 0
  mov dword [${PAGE.odd}], 1
  ${mode === "real" ? `mov esi, idt\nxor edi, edi\nmov ecx, ${VECTORS}\nrep movsd` : ""}
  ret`;

const ENTER: Readonly<Record<SmpMode, string>> = {
  real: `jmp ${SEL.code16}:small
    bits 16
    small: mov ax, ${SEL.data16}
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov eax, cr0
    and al, 0xfe
    mov cr0, eax
    jmp 0:in_mode
    in_mode: xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    lidt [idtr]`,
  protected: "lidt [idtr]",
  long: `mov eax, cr4
    or eax, 0x20
    mov cr4, eax
    mov eax, ${TABLES.pml4}
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x100
    wrmsr
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    jmp ${SEL.code64}:in_mode
    bits 64
    in_mode: lidt [idtr]`,
};

/** The end of a handler. In protected mode without IRET, for hosts whose KVM emulates guest code and not this instruction. */
const IRET: Readonly<Record<SmpMode, string>> = {
  real: "iretw",
  protected: "push eax\nmov eax, [esp + 12]\npush eax\npopfd\npop eax\nretf 4",
  long: "iretq",
};

const handlerOf = (vector: number, cpus: number): string => {
  if (vector >= VECTOR.pair && vector < VECTOR.pair + cpus) return `pair_${vector - VECTOR.pair}`;
  const name = Object.keys(VECTOR).find((key) => VECTOR[key as keyof typeof VECTOR] === vector);
  return name ? `on_${name}` : "on_fault";
};

const gateOf = (mode: SmpMode, handler: string): string =>
  mode === "real"
    ? `dw ${handler}, 0`
    : `dw ${handler}, ${mode === "long" ? SEL.code64 : SEL.code32}, 0x8e00, 0${mode === "long" ? "\ndd 0, 0" : ""}`;

export const library = ({ mode, cpus }: SmpProgram): string => `
  take: mov eax, 1
  xchg [spinlock], eax
  test eax, eax
  je taken
  take_wait: pause
  cmp dword [spinlock], 0
  jne take_wait
  jmp take
  taken: ret
  release: mov dword [spinlock], 0
  ret

  barrier: lock inc dword [barrier_count]
  inc dword [barrier_phase + ebp*4]
  mov eax, [barrier_phase + ebp*4]
  imul eax, eax, ${cpus}
  ${spin("barrier_wait", "cmp [barrier_count], eax", "jb")}
  ret

  ; Waits for ECX milliseconds of the HPET.
  wait_ms: mov ebx, ${HPET}
  mov eax, ${1e12 % 2 ** 32}
  mov edx, ${Math.floor(1e12 / 2 ** 32)}
  mov edi, [fs:ebx + 4]
  div edi
  imul ecx, eax
  mov edi, [fs:ebx + 0xf0]
  wait_more: mov eax, [fs:ebx + 0xf0]
  sub eax, edi
  cmp eax, ecx
  jb wait_more
  ret

  ; Prints the text at ESI, EAX in decimal and the end of the line.
  put_line: push @ax
  put_text: mov al, [esi]
  inc esi
  test al, al
  je put_number
  out 0xe9, al
  jmp put_text
  put_number: pop @ax
  mov ebx, 10
  xor ecx, ecx
  put_divide: xor edx, edx
  div ebx
  push @dx
  inc ecx
  test eax, eax
  jne put_divide
  put_digit: pop @ax
  add al, 48
  out 0xe9, al
  dec ecx
  jne put_digit
  mov al, 10
  out 0xe9, al
  ret

  ${Array.from({ length: cpus }, (_, i) => `pair_${i}: lock inc dword [pair_count + ${4 * i}]\njmp end_of_interrupt`).join("\n")}
  on_broadcast: lock inc dword [broadcast_count]
  inc dword [broadcast_own + ebp*4]
  jmp end_of_interrupt
  on_timer: lock inc dword [timer_count]
  inc dword [timer_own + ebp*4]
  jmp end_of_interrupt
  on_tick: inc dword [tick_own + ebp*4]
  jmp end_of_interrupt
  ${mode === "long" ? `on_shootdown: invlpg [${PAGE.virtual}]` : "on_shootdown:"}
  lock inc dword [shootdown_seen]
  end_of_interrupt: push @bx
  ${store(APIC.eoi, 0)}
  pop @bx
  ${IRET[mode]}
  on_nmi: lock inc dword [nmi_count]
  on_spurious: ${IRET[mode]}
  on_fault: mov esi, text_fault
  pop @ax
  call put_line
  mov al, 0x7f
  out 0xf4, al
  hlt

  patch: mov eax, 0x12345678
  ret
  patch_end:
  text_fault: db "fault at or with ", 0
  text_done: db "done: ", 0
  serial_text: db "? writes a whole line of its own", 10, 0

  align 8
  gdt: dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00009b000000ffff, 0x000093000000ffff, 0x00af9b000000ffff
  gdtr: dw 47
  dd gdt
  align 8
  idt: ${Array.from({ length: VECTORS }, (_, vector) => gateOf(mode, handlerOf(vector, cpus))).join("\n")}
  idtr: dw ${mode === "real" ? "0x3ff" : VECTORS * (mode === "long" ? 16 : 8) - 1}
  dd ${mode === "real" ? "0" : "idt"}, 0
  align 8
  ${COUNTERS.map((name) => `${name}: dq 0`).join("\n")}
  ${ARRAYS.map((name) => `${name}: resb ${4 * cpus}`).join("\n")}`;

const COUNTERS = [
  ...["spinlock", "barrier_count", "arrived", "guarded", "atomic_count", "scratch", "cmos", "pit", "hpet", "hpet_last"],
  ...["pm", "pm_last", "pic", "ioapic", "pci", "config"],
  ...["hpet_alone", "pairs_seen", "broadcast_count", "nmi_count", "timer_count", "tick_cpus", "ticks_over"],
  ...["patch_count", "shootdown_seen", "mapped_count"],
];
/** One of each for each CPU. */
const ARRAYS = ["barrier_phase", "pair_count", "broadcast_own", "timer_own", "tick_own"];
