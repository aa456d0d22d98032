/**
 * A local APIC in the kernel, as the machine wires it. The vCPU moves its registers (see vcpu.ts): they belong to the
 * thread that runs it.
 */

import type { LocalApic } from "../../../core/board.ts";
import {
  APIC_STATE,
  APIC_TIMER_STATE,
  type ApicState,
  type ApicTimerState,
  describeLocalApic,
} from "../../../core/chips/apic.ts";
import type { CpuPins, InterruptSource } from "../../../core/cpu.ts";
import type { Device } from "../../../core/device.ts";
import { type IrqLine, irqLine, NO_IRQ } from "../../../core/irq.ts";
import type { StateArena } from "../../../core/state/state.ts";

const NOBODY: InterruptSource = { acknowledge: () => -1 };

export class KvmApic implements Device, LocalApic {
  readonly port = undefined;
  readonly lint: readonly [IrqLine, IrqLine];
  readonly id: number;
  readonly state: ApicState;
  readonly timer: ApicTimerState;
  /** Reads the registers into `state` and `timer`; returns the timer's current count. */
  fetch = (): number => 0;
  #cpu: CpuPins | undefined;
  #pic = NOBODY;

  /** `ownPic`: the machine has an 8259 pair outside the kernel, whose INTR comes by LINT0. */
  constructor(name: string, arena: StateArena, id: number, ownPic: boolean) {
    this.id = id;
    this.state = arena.attach(name, APIC_STATE);
    this.timer = arena.attach(`${name}/timer`, APIC_TIMER_STATE);
    const intr = irqLine((level) => this.#cpu?.setIntr(level));
    const nmi = irqLine((level) => {
      if (level) this.#cpu?.nmi();
    });
    this.lint = [ownPic ? intr : NO_IRQ, nmi];
  }

  connect(cpu: CpuPins, pic: InterruptSource): void {
    this.#cpu = cpu;
    this.#pic = pic;
  }

  acknowledge(): number {
    return this.#pic.acknowledge();
  }

  describe(): string {
    const currentCount = this.fetch();
    const { divideConfig, initialCount } = this.timer;
    return describeLocalApic(this.id, this.state, { divideConfig, initialCount, currentCount });
  }

  /** The vCPU resets it. */
  reset(): void {}
}
