/**
 * A virtual machine of the kernel: memory slots, and the vCPUs over them. The machine's thread makes all of it; the threads
 * of further vCPUs use the same descriptors.
 */

import type { AcceleratorVm, VcpuEnvironment, VcpuThreading, VmEnvironment } from "../../core/accel.ts";
import type { CpuPins } from "../../core/cpu.ts";
import { apicIdOf, type CpuTopology } from "../../core/cpu-topology.ts";
import type { Properties } from "../../core/device.ts";
import { QemuError } from "../../core/errors.ts";
import type { Json } from "../../core/thread/mailbox.ts";
import * as abi from "./abi.ts";
import type { KvmApic } from "./chips/apic.ts";
import { kernelChips } from "./chips/types.ts";
import { KvmClock } from "./clock.ts";
import type { CoalescedWrites } from "./coalesced.ts";
import { type IrqchipMode, irqchipMode, KernelIrqchip } from "./irqchip.ts";
import { MemorySlots } from "./slots.ts";
import { type KvmSystem, openKvm } from "./system.ts";
import { KvmVcpu } from "./vcpu.ts";
import { VcpuWords, WORDS_SIZE } from "./words.ts";

/** The descriptors of a virtual machine, for another thread. */
interface KvmHandle {
  readonly vm: number;
  readonly vcpus: readonly number[];
  readonly irqchip: IrqchipMode;
}

export class KvmVm implements AcceleratorVm, VcpuThreading {
  readonly system: KvmSystem;
  /** The descriptor of the virtual machine. */
  readonly fd: number;
  /** Those of its vCPUs. */
  readonly vcpus: number[];
  /** Whether another thread has made it. */
  readonly attached: boolean;
  readonly words: readonly VcpuWords[];
  /** The interrupt controllers that are the kernel's. */
  readonly irqchip: KernelIrqchip | undefined;
  /** Its local APICs, by their IDs. */
  readonly apics: KvmApic[] = [];
  readonly chips: AcceleratorVm["chips"];
  readonly clock: KvmClock;
  /** In the machine's thread, where the host has it. */
  coalesced: CoalescedWrites | undefined;
  readonly #topology: CpuTopology;

  private constructor({ memory, bells, topology }: VmEnvironment, system: KvmSystem, handle: Partial<KvmHandle>) {
    const { vm, vcpus = [], irqchip = "off" } = handle;
    this.system = system;
    this.#topology = topology;
    this.attached = vm !== undefined;
    this.fd = vm ?? system.createVm();
    this.vcpus = [...vcpus];
    this.clock = new KvmClock(system.library, this.fd);
    if (irqchip !== "off") {
      this.irqchip = new KernelIrqchip(system.library, this.fd, irqchip);
      if (!this.attached) this.irqchip.create();
      this.chips = kernelChips(this.irqchip, this.apics);
    }
    const { buffer } = memory.memory;
    const words = memory.memory.reserve("kvm-vcpus", bells.length * WORDS_SIZE);
    this.words = bells.map((bell, i) => new VcpuWords(system.library, buffer, words + i * WORDS_SIZE, bell));
  }

  static async create(environment: VmEnvironment, properties: Properties): Promise<KvmVm> {
    const system = await openKvm();
    checkCount(environment, system);
    const vm = new KvmVm(environment, system, { irqchip: irqchipMode(system, properties) });
    const { memory, exclusively } = environment;
    new MemorySlots(system.library, vm.fd, memory, system.capability(abi.KVM_CAP_NR_MEMSLOTS), exclusively);
    return vm;
  }

  static async attach(environment: VmEnvironment, handle: Json): Promise<KvmVm> {
    return new KvmVm(environment, await openKvm(), handle as unknown as KvmHandle);
  }

  async createVcpu(environment: VcpuEnvironment): Promise<KvmVcpu> {
    const vcpu = new KvmVcpu(environment, this);
    if (!this.attached) vcpu.reset();
    return vcpu;
  }

  setRunning(running: boolean): void {
    if (!running) this.clock.stop();
    else {
      this.clock.start(this.vcpus);
      this.irqchip?.restartPit();
    }
  }

  get threading(): VcpuThreading {
    return this;
  }

  get handle(): Json {
    return { vm: this.fd, vcpus: this.vcpus, irqchip: this.irqchip?.mode ?? "off" };
  }

  pins(index: number): CpuPins {
    return this.words[index];
  }

  wake(index: number): void {
    this.words[index].wake();
  }

  settle(): void {
    this.coalesced?.flush();
  }

  /** The descriptor of a vCPU, made by the machine's thread. The kernel knows it by its APIC ID. */
  vcpu(index: number): number {
    const { library } = this.system;
    if (!this.attached) {
      this.vcpus.push(
        library.check("KVM_CREATE_VCPU", library.ioctl(this.fd, abi.KVM_CREATE_VCPU, apicIdOf(this.#topology, index))),
      );
    }
    return this.vcpus[index];
  }
}

/** @throws QemuError when the host's kernel does not take so many vCPUs; warns where it would rather not. */
function checkCount({ vcpus, log }: VmEnvironment, system: KvmSystem): void {
  const said = `Number of SMP cpus requested (${vcpus}) exceeds the`;
  const limit = system.capability(abi.KVM_CAP_MAX_VCPUS);
  if (vcpus > limit) throw new QemuError("too-many-cpus", `${said} maximum cpus supported by KVM (${limit})`);
  const recommended = system.capability(abi.KVM_CAP_NR_VCPUS);
  if (vcpus > recommended) log?.print(`qemu-next: warning: ${said} recommended cpus supported by KVM (${recommended})`);
}
