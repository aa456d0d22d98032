/**
 * The CPUs of the board with their local APICs. INTR of the 8259 pair leads to LINT0 of every local APIC; SMI# to the
 * first CPU; the A20 gate and INIT of a reset to all.
 */

import type { AcceleratorVm, Vcpu, VcpuThreading, VmEnvironment } from "../../core/accel.ts";
import type { InterruptController, LocalApic } from "../../core/board.ts";
import type { ApicBus } from "../../core/bus/apic-bus.ts";
import type { PortSpace } from "../../core/bus/io.ts";
import { apicIdOf } from "../../core/cpu-topology.ts";
import { QemuError } from "../../core/errors.ts";
import { type IrqLine, irqLine, splitIrq } from "../../core/irq.ts";
import type { MachineRuntime } from "../../core/machine.ts";
import type { AddressSpace } from "../../core/memory/address-space.ts";
import type { InfoQuery } from "../../core/monitor/info.ts";
import type { SmpOptions } from "../../core/options/smp.ts";
import type { Lock } from "../../core/thread/lock.ts";
import { lockApic } from "../../core/thread/shared-device.ts";
import type { BoardDevices } from "./board-devices.ts";

/** APIC ID 255 means all of them. */
const MAX_APIC_ID = 254;

export interface CpuWires {
  readonly memory: AddressSpace;
  readonly ports: PortSpace;
  readonly apicBus: ApicBus;
  /** The lock of the interrupt controllers, in a machine of several threads. */
  readonly lock?: Lock;
  /** FERR# of any CPU. */
  readonly ferr: IrqLine;
  smmChanged(active: boolean): void;
}

export class Cpus {
  /** Those that this thread has. */
  readonly vcpus: Vcpu[] = [];
  /** Of all CPUs. */
  readonly apicIds: readonly number[];
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
    this.apicIds = findApicIds(runtime.options.smp);
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
    const { accelerator, options, threads } = runtime;
    const { apicBus, lock } = wires;
    const environment = vmEnvironment(runtime, wires);
    const apicIds = findApicIds(options.smp);
    const vm = threads?.remote
      ? await accelerator.attachVm!(environment, threads.remote.vm)
      : await accelerator.createVm(environment, options.acceleratorProperties);
    devices.replace(vm.chips ?? {});
    let cpus: Cpus | undefined;
    for (const [index, id] of apicIds.entries()) {
      const board = { apicBus, tscToNs: (tsc: bigint) => cpus!.#tscToNs(index, tsc) };
      apics.push(
        await devices.create<LocalApic>("apic", {
          properties: { id: String(id) },
          board,
          lock,
          clock: threads?.clockOf(index),
        }),
      );
    }
    cpus = new Cpus(runtime, vm, apics, wires);
    return cpus;
  }

  /** Makes the CPUs. */
  async start(pic: InterruptController): Promise<void> {
    const { options, services, threads } = this.#runtime;
    const { ports, apicBus, ferr, lock } = this.#wires;
    const environment = vmEnvironment(this.#runtime, this.#wires);
    for (const [index, apic] of this.#apics.entries()) {
      if (threads?.remote && index !== threads.self) {
        apic.connect(this.threading!.pins(index), pic);
        continue;
      }
      const { port } = apic;
      const vcpu = await this.#vm.createVcpu({
        ...environment,
        ports,
        clock: services.clock,
        interrupts: lock ? { acknowledge: () => lock.run(() => apic.acknowledge()) } : apic,
        apic: lock && port ? lockApic(port, lock) : port,
        model: options.cpu,
        index,
        wake: environment.bells[index],
        eoi: (vector) => (lock ? lock.run(() => apicBus.eoi(vector)) : apicBus.eoi(vector)),
        ferr: (level) => ferr.set(level),
        scheduled: () => {
          apicBus.current = index;
        },
        smmChanged: (active) => this.#wires.smmChanged(active),
      });
      this.vcpus.push(vcpu);
      apic.connect(vcpu, pic);
    }
  }

  /** For the threads of further vCPUs. */
  get threading(): VcpuThreading | undefined {
    return this.#vm.threading;
  }

  /** Asked by a local APIC, whose CPU runs in this thread. */
  #tscToNs(index: number, tsc: bigint): number {
    const vcpu = this.#runtime.threads?.remote ? this.vcpus[0] : this.vcpus[index];
    return vcpu.tscToNs(tsc);
  }

  setRunning(running: boolean): void {
    this.#vm.setRunning?.(running);
  }

  reset(): void {
    for (const vcpu of this.vcpus) vcpu.reset();
  }

  /** `info lapic`: of a CPU, or of the one with that APIC ID. */
  describe({ cpu, argument }: InfoQuery): string {
    const index = argument === undefined ? cpu : this.apicIds.indexOf(Number(argument));
    return this.#apics[index]?.describe() ?? "No CPU available\n";
  }
}

/** @throws QemuError when they do not fit. */
function findApicIds(smp: SmpOptions): number[] {
  const apicIds = Array.from({ length: smp.cpus }, (_, index) => apicIdOf(smp, index));
  const last = apicIds.at(-1)!;
  if (last <= MAX_APIC_ID) return apicIds;
  throw new QemuError("apic-id", `-smp: APIC IDs up to ${last}; this machine has none above ${MAX_APIC_ID}`, {
    hint: "use fewer sockets, or numbers of dies, cores and threads that are powers of two",
  });
}

function vmEnvironment({ options, threads, wake, log }: MachineRuntime, { memory }: CpuWires): VmEnvironment {
  const bells = threads?.bells ?? Array.from({ length: options.smp.cpus }, () => wake);
  const exclusively = threads && ((change: () => void): void => threads.exclusively(change));
  return { memory, vcpus: options.smp.cpus, topology: options.smp, bells, exclusively, log };
}
