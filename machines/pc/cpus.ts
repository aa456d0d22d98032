/**
 * The CPUs of the board with their local APICs. INTR of the 8259 pair leads to LINT0 of every local APIC; SMI# to the
 * first CPU; the A20 gate and INIT of a reset to all.
 */

import type { AcceleratorVm, Vcpu } from "../../core/accel.ts";
import type { InterruptController, LocalApic } from "../../core/board.ts";
import type { ApicBus } from "../../core/bus/apic-bus.ts";
import type { PortSpace } from "../../core/bus/io.ts";
import { type IrqLine, irqLine, splitIrq } from "../../core/irq.ts";
import type { MachineRuntime } from "../../core/machine.ts";
import type { AddressSpace } from "../../core/memory/address-space.ts";
import type { BoardDevices } from "./board-devices.ts";

export interface CpuWires {
  readonly memory: AddressSpace;
  readonly ports: PortSpace;
  readonly apicBus: ApicBus;
  /** FERR# of any CPU. */
  readonly ferr: IrqLine;
  smmChanged(active: boolean): void;
}

export class Cpus {
  readonly vcpus: Vcpu[] = [];
  /** Where the 8259 pair leads. */
  readonly intr: IrqLine;
  readonly a20: IrqLine;
  readonly #runtime: MachineRuntime;
  readonly #vm: AcceleratorVm;
  readonly #apics: LocalApic[];
  readonly #wires: CpuWires;

  private constructor(runtime: MachineRuntime, vm: AcceleratorVm, apics: LocalApic[], wires: CpuWires) {
    this.#runtime = runtime;
    this.#vm = vm;
    this.#apics = apics;
    this.#wires = wires;
    this.intr = splitIrq(...apics.map(({ lint }) => lint[0]));
    this.a20 = irqLine((level) => {
      for (const vcpu of this.vcpus) vcpu.setA20(level);
    });
  }

  /** Makes the virtual machine and the local APICs; the CPUs follow when there is somebody to answer for interrupts. */
  static async create(runtime: MachineRuntime, devices: BoardDevices, wires: CpuWires): Promise<Cpus> {
    const apics: LocalApic[] = [];
    const { accelerator, options, log } = runtime;
    const { apicBus, memory } = wires;
    const vm = await accelerator.createVm({ memory, vcpus: options.smp, log }, options.acceleratorProperties);
    devices.replace(vm.chips ?? {});
    let cpus: Cpus | undefined;
    for (let index = 0; index < options.smp; index++) {
      const board = { apicBus, tscToNs: (tsc: bigint) => cpus!.vcpus[index].tscToNs(tsc) };
      apics.push(await devices.create<LocalApic>("apic", { properties: { id: String(index) }, board }));
    }
    cpus = new Cpus(runtime, vm, apics, wires);
    return cpus;
  }

  /** Makes the CPUs. */
  async start(pic: InterruptController): Promise<void> {
    const { options, services, wake, log } = this.#runtime;
    const { memory, ports, ferr } = this.#wires;
    for (const [index, apic] of this.#apics.entries()) {
      const vcpu = await this.#vm.createVcpu({
        memory,
        vcpus: options.smp,
        log,
        ports,
        clock: services.clock,
        interrupts: apic,
        apic: apic.port,
        model: options.cpu,
        index,
        wake,
        ferr: (level) => ferr.set(level),
        smmChanged: (active) => this.#wires.smmChanged(active),
      });
      this.vcpus.push(vcpu);
      apic.connect(vcpu, pic);
    }
  }

  reset(): void {
    for (const vcpu of this.vcpus) vcpu.reset();
  }

  /** `info lapic`. */
  describe(): string {
    return this.#apics[0].describe();
  }
}
