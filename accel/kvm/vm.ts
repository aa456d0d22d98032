/** A virtual machine of the kernel: memory slots, and the vCPUs over them. */

import type { AcceleratorVm, VcpuEnvironment, VmEnvironment } from "../../core/accel.ts";
import type { Properties } from "../../core/device.ts";
import * as abi from "./abi.ts";
import { checkProperties } from "./properties.ts";
import { MemorySlots } from "./slots.ts";
import { type KvmSystem, openKvm } from "./system.ts";
import { KvmVcpu } from "./vcpu.ts";

export class KvmVm implements AcceleratorVm {
  readonly system: KvmSystem;
  /** The descriptor of the virtual machine. */
  readonly fd: number;

  private constructor(environment: VmEnvironment, system: KvmSystem) {
    this.system = system;
    this.fd = system.createVm();
    new MemorySlots(system.library, this.fd, environment.memory, system.capability(abi.KVM_CAP_NR_MEMSLOTS));
  }

  static async create(environment: VmEnvironment, properties: Properties): Promise<KvmVm> {
    checkProperties(properties);
    return new KvmVm(environment, await openKvm());
  }

  /** Called in the thread that will run it. */
  async createVcpu(environment: VcpuEnvironment): Promise<KvmVcpu> {
    const vcpu = new KvmVcpu(environment, this);
    vcpu.reset();
    return vcpu;
  }
}
