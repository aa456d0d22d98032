/** Request numbers and structures against the values that the kernel's public headers give on x86-64. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../../../accel/kvm/abi.ts";

const DECLARED: Readonly<Record<string, unknown>> = { ...abi };

const REQUESTS: Readonly<Partial<Record<keyof typeof abi, number>>> = {
  KVM_GET_API_VERSION: 0xae00,
  KVM_CREATE_VM: 0xae01,
  KVM_CHECK_EXTENSION: 0xae03,
  KVM_GET_VCPU_MMAP_SIZE: 0xae04,
  KVM_GET_SUPPORTED_CPUID: 0xc008ae05,
  KVM_CREATE_VCPU: 0xae41,
  KVM_GET_DIRTY_LOG: 0x4010ae42,
  KVM_SET_USER_MEMORY_REGION: 0x4020ae46,
  KVM_SET_TSS_ADDR: 0xae47,
  KVM_SET_IDENTITY_MAP_ADDR: 0x4008ae48,
  KVM_CREATE_IRQCHIP: 0xae60,
  KVM_IRQ_LINE: 0x4008ae61,
  KVM_GET_IRQCHIP: 0xc208ae62,
  KVM_SET_IRQCHIP: 0x8208ae63,
  KVM_REGISTER_COALESCED_MMIO: 0x4010ae67,
  KVM_UNREGISTER_COALESCED_MMIO: 0x4010ae68,
  KVM_SET_GSI_ROUTING: 0x4008ae6a,
  KVM_REINJECT_CONTROL: 0xae71,
  KVM_CREATE_PIT2: 0x4040ae77,
  KVM_SET_CLOCK: 0x4030ae7b,
  KVM_GET_CLOCK: 0x8030ae7c,
  KVM_RUN: 0xae80,
  KVM_GET_REGS: 0x8090ae81,
  KVM_SET_REGS: 0x4090ae82,
  KVM_GET_SREGS: 0x8138ae83,
  KVM_SET_SREGS: 0x4138ae84,
  KVM_TRANSLATE: 0xc018ae85,
  KVM_INTERRUPT: 0x4004ae86,
  KVM_GET_MSRS: 0xc008ae88,
  KVM_SET_MSRS: 0x4008ae89,
  KVM_SET_SIGNAL_MASK: 0x4004ae8b,
  KVM_GET_LAPIC: 0x8400ae8e,
  KVM_SET_LAPIC: 0x4400ae8f,
  KVM_SET_CPUID2: 0x4008ae90,
  KVM_GET_MP_STATE: 0x8004ae98,
  KVM_SET_MP_STATE: 0x4004ae99,
  KVM_NMI: 0xae9a,
  KVM_GET_PIT2: 0x8070ae9f,
  KVM_SET_PIT2: 0x4070aea0,
  KVM_ENABLE_CAP: 0x4068aea3,
  KVM_SIGNAL_MSI: 0x4020aea5,
  KVM_KVMCLOCK_CTRL: 0xaead,
  KVM_GET_VCPU_EVENTS: 0x8040ae9f,
  KVM_SET_VCPU_EVENTS: 0x4040aea0,
  KVM_GET_DEBUGREGS: 0x8080aea1,
  KVM_SET_DEBUGREGS: 0x4080aea2,
  KVM_GET_XSAVE: 0x9000aea4,
  KVM_SET_XSAVE: 0x5000aea5,
  KVM_GET_XCRS: 0x8188aea6,
  KVM_SET_XCRS: 0x4188aea7,
};

test("request numbers", () => {
  for (const [name, value] of Object.entries(REQUESTS)) assert.is(DECLARED[name], value, name);
  const declared = Object.keys(DECLARED).filter((name) => /^KVM_(?!CAP_|MEM_)/.test(name));
  assert.equal(declared.sort(), Object.keys(REQUESTS).sort(), "every request is checked");
});

test("layouts fill their structures", () => {
  const { SREGS, SEGMENT, REGS, SIZES, DTABLE } = abi;
  assert.is(SEGMENT.unusable + 2, SIZES.kvm_segment);
  assert.is(DTABLE.limit + 8, SIZES.kvm_dtable);
  const order = ["cs", "ds", "es", "fs", "gs", "ss", "tr", "ldt"] as const;
  order.forEach((name, i) => {
    assert.is(SREGS[name], i * SIZES.kvm_segment, name);
  });
  assert.is(SREGS.gdt, order.length * SIZES.kvm_segment);
  assert.is(SREGS.idt, SREGS.gdt + SIZES.kvm_dtable);
  assert.is(SREGS.cr0, SREGS.idt + SIZES.kvm_dtable);
  assert.is(SREGS.interrupt_bitmap + 256 / 8, SIZES.kvm_sregs);
  assert.equal(
    [...REGS.general].sort((a, b) => a - b),
    Array.from({ length: 16 }, (_, i) => i * 8),
  );
  assert.is(abi.ZONE.pio + 4, SIZES.kvm_coalesced_mmio_zone);
  assert.is(abi.RING.data + 8, SIZES.kvm_coalesced_mmio);
  assert.is(REGS.rflags + 8, SIZES.kvm_regs);
});

test.run();
