/** Creates a board's devices by name, with what the board gives each of them, and keeps them for reset and `info qtree`. */

import type { BoardPorts } from "../../core/board.ts";
import type { PortSpace } from "../../core/bus/io.ts";
import type { IsaDmaChannel } from "../../core/bus/isa-dma.ts";
import type { MemoryBlock, PciBus } from "../../core/bus/pci.ts";
import type { Clock } from "../../core/clock.ts";
import type { Device, DeviceContext, DeviceType } from "../../core/device.ts";
import type { IrqLine } from "../../core/irq.ts";
import type { DeviceNode, MachineRuntime } from "../../core/machine.ts";
import type { AddressSpace } from "../../core/memory/address-space.ts";
import { resolveDeviceProperties } from "../../core/options/properties.ts";
import { Lock } from "../../core/thread/lock.ts";
import { absentDevice } from "../../core/thread/owned-device.ts";
import { lockDevice } from "../../core/thread/shared-device.ts";
import type { BootOrder } from "./boot-order.ts";

export interface BoardBuses {
  readonly ports: PortSpace;
  readonly memory: AddressSpace;
  readonly pci: PciBus;
  isaIrq(line: number): IrqLine;
  isaDma(channel: number): IsaDmaChannel;
  optionRom(file: string): MemoryBlock | undefined;
  readonly bootOrder: BootOrder;
}

export interface Placement {
  /** The id a user gave. */
  readonly id?: string;
  readonly properties?: Readonly<Record<string, string>>;
  /** What only the board can wire. */
  readonly board?: BoardPorts;
  /** Other interrupt lines than the usual ones. */
  readonly isaIrq?: (line: number) => IrqLine;
  /** A lock that it shares with others, in a machine of several threads. */
  readonly lock?: Lock;
  /** Where its timers fire. */
  readonly clock?: Clock;
}

export class BoardDevices {
  readonly nodes: DeviceNode[] = [];
  readonly #runtime: MachineRuntime;
  readonly #buses: BoardBuses;
  #replacements: Readonly<Record<string, DeviceType>> = {};

  constructor(runtime: MachineRuntime, buses: BoardBuses) {
    this.#runtime = runtime;
    this.#buses = buses;
  }

  /** Types to be taken in place of others, by the names of these; their states are saved under the same names. */
  replace(types: Readonly<Record<string, DeviceType>>): void {
    this.#replacements = types;
  }

  /** Creates a device; `T` is what the machine uses it as. */
  async create<T = Device>(driver: string, placement: Placement = {}): Promise<T & Device> {
    const type = this.#replacements[driver] ?? (await this.#runtime.deviceType(driver));
    const { options, services } = this.#runtime;
    const properties = resolveDeviceProperties(type, placement.properties ?? {}, options.globals);
    const sameType = this.nodes.filter((node) => node.type.name === type.name).length;
    const name = placement.id ?? `${driver in this.#replacements ? driver : type.name}.${sameType}`;
    const { ports, memory, pci, bootOrder } = this.#buses;
    const context: DeviceContext = {
      ...services,
      clock: placement.clock ?? services.clock,
      name,
      ports,
      memory,
      dma: memory.dma,
      pci,
      isaIrq: placement.isaIrq ?? ((line) => this.#buses.isaIrq(line)),
      isaDma: (channel) => this.#buses.isaDma(channel),
      board: placement.board,
      optionRom: (file) => this.#buses.optionRom(file),
      bootEntry: (index, bus, path) => bootOrder.addDevice(index, bus, path),
    };
    const device = type.create(this.#inThread(context, type, placement.lock), properties);
    this.nodes.push({ type, id: placement.id, name, properties, device });
    return device as T & Device;
  }

  /** What a device of a machine with several threads gets in this one. */
  #inThread(context: DeviceContext, { placement }: DeviceType, lock: Lock | undefined): DeviceContext {
    const { threads } = this.#runtime;
    if (!threads) return context;
    if (placement === "shared") return lockDevice(context, lock ?? Lock.attach(context.arena, `${context.name}/lock`));
    return threads.remote ? absentDevice(context) : context;
  }

  reset(): void {
    for (const { device } of this.nodes) device.reset();
  }

  /** Before their state is saved. */
  saving(): void {
    for (const { device } of this.nodes) device.saving?.();
  }

  /** After their state was loaded. */
  loaded(): void {
    for (const { device } of this.nodes) device.loaded?.();
  }

  /** The reset at the end of S3. */
  wakeReset(): void {
    for (const { device } of this.nodes) {
      if (device.wakeReset) device.wakeReset();
      else device.reset();
    }
  }
}
