/**
 * The interface of /dev/kvm: numbers of requests, sizes and layouts of structures for x86-64. Linux's
 * Documentation/virt/kvm/api.rst and the headers linux/kvm.h and asm/kvm.h. The kernel keeps all of it for ever.
 */

const KVMIO = 0xae;
const WRITE = 1;
const READ = 2;

/** A request number as ioctl(2) makes it from direction, size, type and number (asm-generic/ioctl.h). */
const request = (direction: number, number: number, size: number): number =>
  ((direction << 30) | (size << 16) | (KVMIO << 8) | number) >>> 0;

export const API_VERSION = 12;

/** Bytes of each structure; those that end in an array, without it. */
export const SIZES = {
  kvm_userspace_memory_region: 32,
  kvm_regs: 144,
  kvm_sregs: 312,
  kvm_segment: 24,
  kvm_dtable: 16,
  kvm_interrupt: 4,
  kvm_translation: 24,
  kvm_msrs: 8,
  kvm_msr_entry: 16,
  kvm_cpuid2: 8,
  kvm_cpuid_entry2: 40,
  kvm_signal_mask: 4,
  kvm_vcpu_events: 64,
  kvm_debugregs: 128,
  kvm_xsave: 4096,
  kvm_xcrs: 392,
  kvm_dirty_log: 16,
  kvm_irq_level: 8,
  kvm_irqchip: 520,
  kvm_pit_config: 64,
  kvm_pit_state2: 112,
  kvm_pit_channel_state: 24,
  kvm_reinject_control: 8,
  kvm_irq_routing: 8,
  kvm_irq_routing_entry: 48,
  kvm_msi: 32,
  kvm_lapic_state: 1024,
  kvm_mp_state: 4,
  kvm_clock_data: 48,
  kvm_enable_cap: 104,
  kvm_coalesced_mmio_zone: 16,
  kvm_coalesced_mmio: 24,
} as const;

const none = (number: number): number => request(0, number, 0);
const takes = (number: number, structure: keyof typeof SIZES): number => request(WRITE, number, SIZES[structure]);
const gives = (number: number, structure: keyof typeof SIZES): number => request(READ, number, SIZES[structure]);
const both = (number: number, structure: keyof typeof SIZES): number => request(READ | WRITE, number, SIZES[structure]);

export const KVM_GET_API_VERSION = none(0x00);
export const KVM_CREATE_VM = none(0x01);
export const KVM_CHECK_EXTENSION = none(0x03);
export const KVM_GET_VCPU_MMAP_SIZE = none(0x04);
export const KVM_GET_SUPPORTED_CPUID = both(0x05, "kvm_cpuid2");
export const KVM_CREATE_VCPU = none(0x41);
export const KVM_GET_DIRTY_LOG = takes(0x42, "kvm_dirty_log");
export const KVM_SET_USER_MEMORY_REGION = takes(0x46, "kvm_userspace_memory_region");
export const KVM_SET_TSS_ADDR = none(0x47);
export const KVM_SET_IDENTITY_MAP_ADDR = request(WRITE, 0x48, 8);
export const KVM_CREATE_IRQCHIP = none(0x60);
export const KVM_IRQ_LINE = takes(0x61, "kvm_irq_level");
export const KVM_GET_IRQCHIP = both(0x62, "kvm_irqchip");
export const KVM_SET_IRQCHIP = gives(0x63, "kvm_irqchip");
export const KVM_REGISTER_COALESCED_MMIO = takes(0x67, "kvm_coalesced_mmio_zone");
export const KVM_UNREGISTER_COALESCED_MMIO = takes(0x68, "kvm_coalesced_mmio_zone");
export const KVM_SET_GSI_ROUTING = takes(0x6a, "kvm_irq_routing");
export const KVM_REINJECT_CONTROL = none(0x71);
export const KVM_CREATE_PIT2 = takes(0x77, "kvm_pit_config");
export const KVM_SET_CLOCK = takes(0x7b, "kvm_clock_data");
export const KVM_GET_CLOCK = gives(0x7c, "kvm_clock_data");
export const KVM_RUN = none(0x80);
export const KVM_GET_REGS = gives(0x81, "kvm_regs");
export const KVM_SET_REGS = takes(0x82, "kvm_regs");
export const KVM_GET_SREGS = gives(0x83, "kvm_sregs");
export const KVM_SET_SREGS = takes(0x84, "kvm_sregs");
export const KVM_TRANSLATE = both(0x85, "kvm_translation");
export const KVM_INTERRUPT = takes(0x86, "kvm_interrupt");
export const KVM_GET_MSRS = both(0x88, "kvm_msrs");
export const KVM_SET_MSRS = takes(0x89, "kvm_msrs");
export const KVM_SET_SIGNAL_MASK = takes(0x8b, "kvm_signal_mask");
export const KVM_GET_LAPIC = gives(0x8e, "kvm_lapic_state");
export const KVM_SET_LAPIC = takes(0x8f, "kvm_lapic_state");
export const KVM_SET_CPUID2 = takes(0x90, "kvm_cpuid2");
export const KVM_GET_MP_STATE = gives(0x98, "kvm_mp_state");
export const KVM_SET_MP_STATE = takes(0x99, "kvm_mp_state");
export const KVM_NMI = none(0x9a);
export const KVM_GET_PIT2 = gives(0x9f, "kvm_pit_state2");
export const KVM_SET_PIT2 = takes(0xa0, "kvm_pit_state2");
export const KVM_ENABLE_CAP = takes(0xa3, "kvm_enable_cap");
export const KVM_KVMCLOCK_CTRL = none(0xad);
export const KVM_SIGNAL_MSI = takes(0xa5, "kvm_msi");
export const KVM_GET_VCPU_EVENTS = gives(0x9f, "kvm_vcpu_events");
export const KVM_SET_VCPU_EVENTS = takes(0xa0, "kvm_vcpu_events");
export const KVM_GET_DEBUGREGS = gives(0xa1, "kvm_debugregs");
export const KVM_SET_DEBUGREGS = takes(0xa2, "kvm_debugregs");
export const KVM_GET_XSAVE = gives(0xa4, "kvm_xsave");
export const KVM_SET_XSAVE = takes(0xa5, "kvm_xsave");
export const KVM_GET_XCRS = gives(0xa6, "kvm_xcrs");
export const KVM_SET_XCRS = takes(0xa7, "kvm_xcrs");

/** What this accelerator cannot do without, by name. */
export const REQUIRED_CAPABILITIES = {
  KVM_CAP_USER_MEMORY: 3,
  KVM_CAP_SET_TSS_ADDR: 4,
  KVM_CAP_EXT_CPUID: 7,
  KVM_CAP_DESTROY_MEMORY_REGION_WORKS: 21,
  KVM_CAP_USER_NMI: 22,
  KVM_CAP_VCPU_EVENTS: 41,
  KVM_CAP_ADJUST_CLOCK: 39,
  KVM_CAP_DEBUGREGS: 50,
  KVM_CAP_XSAVE: 55,
  KVM_CAP_READONLY_MEM: 81,
  KVM_CAP_IMMEDIATE_EXIT: 136,
} as const;
export const KVM_CAP_SET_IDENTITY_MAP_ADDR = 37;
export const KVM_CAP_XCRS = 56;
export const KVM_CAP_NR_MEMSLOTS = 10;
export const KVM_CAP_NR_VCPUS = 9;
export const KVM_CAP_MAX_VCPUS = 66;
/** Its value is the page of the ring in the mapping of a vCPU. */
export const KVM_CAP_COALESCED_MMIO = 15;
export const KVM_CAP_COALESCED_PIO = 162;
export const KVM_CAP_TSC_DEADLINE_TIMER = 72;
export const KVM_CAP_SPLIT_IRQCHIP = 121;
/** What the interrupt controllers in the kernel need, by name. */
export const IRQCHIP_CAPABILITIES = {
  KVM_CAP_IRQCHIP: 0,
  KVM_CAP_MP_STATE: 14,
  KVM_CAP_IRQ_ROUTING: 25,
  KVM_CAP_PIT2: 33,
  KVM_CAP_PIT_STATE2: 35,
  KVM_CAP_SIGNAL_MSI: 77,
} as const;

export const KVM_MEM_LOG_DIRTY_PAGES = 1;
export const KVM_MEM_READONLY = 2;
export const CPUID_SIGNIFICANT_INDEX = 1;

/** struct kvm_run, the area that the kernel and we share. */
export const RUN = {
  request_interrupt_window: 0,
  immediate_exit: 1,
  exit_reason: 8,
  ready_for_interrupt_injection: 12,
  if_flag: 13,
  cr8: 16,
  apic_base: 24,
  /** KVM_EXIT_IO. */
  io_direction: 32,
  io_size: 33,
  io_port: 34,
  io_count: 36,
  io_data_offset: 40,
  /** KVM_EXIT_MMIO. */
  mmio_phys_addr: 32,
  mmio_data: 40,
  mmio_len: 48,
  mmio_is_write: 52,
  /** KVM_EXIT_FAIL_ENTRY, KVM_EXIT_UNKNOWN: the hardware's reason. */
  hardware_reason: 32,
  /** KVM_EXIT_INTERNAL_ERROR. */
  internal_suberror: 32,
  internal_ndata: 36,
  internal_data: 40,
  /** KVM_EXIT_IOAPIC_EOI. */
  eoi_vector: 32,
} as const;

export const EXIT = {
  UNKNOWN: 0,
  IO: 2,
  HLT: 5,
  MMIO: 6,
  IRQ_WINDOW_OPEN: 7,
  SHUTDOWN: 8,
  FAIL_ENTRY: 9,
  INTR: 10,
  SET_TPR: 11,
  INTERNAL_ERROR: 17,
  IOAPIC_EOI: 26,
} as const;

export const INTERNAL_ERROR_EMULATION = 1;
export const INTERNAL_ERROR_MAX_DATA = 16;

/** struct kvm_regs: where each general register is, in the hardware's order, then RIP and RFLAGS. */
export const REGS = {
  general: [0, 16, 24, 8, 48, 56, 32, 40, 64, 72, 80, 88, 96, 104, 112, 120],
  rip: 128,
  rflags: 136,
} as const;

/** struct kvm_sregs. */
export const SREGS = {
  cs: 0,
  ds: 24,
  es: 48,
  fs: 72,
  gs: 96,
  ss: 120,
  tr: 144,
  ldt: 168,
  gdt: 192,
  idt: 208,
  cr0: 224,
  cr2: 232,
  cr3: 240,
  cr4: 248,
  cr8: 256,
  efer: 264,
  apic_base: 272,
  interrupt_bitmap: 280,
} as const;

/** struct kvm_segment; the fields from `type` on are bytes. */
export const SEGMENT = {
  base: 0,
  limit: 8,
  selector: 12,
  type: 14,
  present: 15,
  dpl: 16,
  db: 17,
  s: 18,
  l: 19,
  g: 20,
  avl: 21,
  unusable: 22,
} as const;

/** struct kvm_dtable. */
export const DTABLE = { base: 0, limit: 8 } as const;

/** struct kvm_vcpu_events. */
export const EVENTS = {
  interrupt_injected: 8,
  interrupt_nr: 9,
  interrupt_soft: 10,
  interrupt_shadow: 11,
  nmi_injected: 12,
  nmi_pending: 13,
  nmi_masked: 14,
} as const;

/** struct kvm_debugregs: DR0 to DR3, then DR6 and DR7. */
export const DEBUGREGS = { db: 0, dr6: 32, dr7: 40 } as const;

/** The head of an XSAVE area (Intel SDM volume 1, section 13.4). */
export const XSAVE = { fcw: 0, fsw: 2, ftw: 4, fop: 6, fip: 8, fdp: 16, mxcsr: 24, st: 32, xmm: 160 } as const;

/** struct kvm_translation. */
export const TRANSLATION = { linear_address: 0, physical_address: 8, valid: 16 } as const;

/** struct kvm_mp_state. */
export const MP_STATE = { RUNNABLE: 0, UNINITIALIZED: 1, INIT_RECEIVED: 2, HALTED: 3 } as const;

/** The chips of KVM_GET_IRQCHIP, and where a chip's registers are in struct kvm_irqchip. */
export const IRQCHIP = { PIC_MASTER: 0, PIC_SLAVE: 1, IOAPIC: 2 } as const;
export const IRQCHIP_REGISTERS = 8;

/** struct kvm_pic_state: bytes. */
export const PIC_STATE = {
  last_irr: 0,
  irr: 1,
  imr: 2,
  isr: 3,
  priority_add: 4,
  irq_base: 5,
  read_reg_select: 6,
  poll: 7,
  special_mask: 8,
  init_state: 9,
  auto_eoi: 10,
  rotate_on_auto_eoi: 11,
  special_fully_nested_mode: 12,
  init4: 13,
  elcr: 14,
  elcr_mask: 15,
} as const;

/** struct kvm_ioapic_state. */
export const IOAPIC_STATE = { base_address: 0, ioregsel: 8, id: 12, irr: 16, redirtbl: 24 } as const;

/** struct kvm_pit_channel_state. */
export const PIT_CHANNEL = {
  count: 0,
  latched_count: 4,
  count_latched: 6,
  status_latched: 7,
  status: 8,
  read_state: 9,
  write_state: 10,
  write_latch: 11,
  rw_mode: 12,
  mode: 13,
  bcd: 14,
  gate: 15,
  count_load_time: 16,
} as const;
/** Flags of struct kvm_pit_state2, after the channels. */
export const PIT_FLAGS = 72;
export const PIT_FLAGS_HPET_LEGACY = 1;

/** struct kvm_irq_routing_entry, and its types. */
export const ROUTE = { gsi: 0, type: 4, irqchip: 16, pin: 20, address_lo: 16, address_hi: 20, data: 24 } as const;
export const ROUTE_IRQCHIP = 1;
export const ROUTE_MSI = 2;

/** struct kvm_clock_data. */
export const CLOCK = { clock: 0, flags: 8 } as const;

/** struct kvm_coalesced_mmio_ring, and struct kvm_coalesced_mmio of its entries. */
export const RING = { first: 0, last: 4, entries: 8, phys_addr: 0, len: 8, pio: 12, data: 16 } as const;
/** struct kvm_coalesced_mmio_zone. */
export const ZONE = { addr: 0, size: 8, pio: 12 } as const;
