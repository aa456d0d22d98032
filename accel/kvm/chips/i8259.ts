/** The 8259A pair in the kernel. Invariant: its registers are in the kernel only; the arena has them while it is saved. */

import type { InterruptController } from "../../../core/board.ts";
import { describePics, I8259_STATE, type PicState } from "../../../core/chips/i8259.ts";
import type { Device } from "../../../core/device.ts";
import { type IrqLine, irqLine } from "../../../core/irq.ts";
import type { State, StateArena } from "../../../core/state/state.ts";
import { IRQCHIP, IRQCHIP_REGISTERS, PIC_STATE } from "../abi.ts";
import type { KernelIrqchip } from "../irqchip.ts";

const CHIPS = [IRQCHIP.PIC_MASTER, IRQCHIP.PIC_SLAVE];
const ELCR_MASKS = [0xf8, 0xde];
const ICW1 = 0b1_0000;
const ICW1_IC4 = 0b1;
const ICW4_8086 = 0b1;
const ICW4_AEOI = 0b10;
const ICW4_SFNM = 0b1_0000;

/** Registers as struct kvm_pic_state. */
export function encodePic(chip: PicState, elcrMask: number, view: DataView): void {
  const set = (name: keyof typeof PIC_STATE, value: number | boolean): void =>
    view.setUint8(IRQCHIP_REGISTERS + PIC_STATE[name], Number(value));
  set("last_irr", chip.lines);
  set("irr", chip.irr);
  set("imr", chip.imr);
  set("isr", chip.isr);
  set("priority_add", chip.top);
  set("irq_base", chip.base);
  set("read_reg_select", chip.readIsr);
  set("poll", chip.poll);
  set("special_mask", chip.specialMask);
  set("init_state", chip.icw === 0 ? 0 : chip.icw - 1);
  set("auto_eoi", (chip.icw4 & ICW4_AEOI) !== 0);
  set("rotate_on_auto_eoi", chip.rotateOnAeoi);
  set("special_fully_nested_mode", (chip.icw4 & ICW4_SFNM) !== 0);
  set("init4", chip.icw1 & ICW1_IC4);
  set("elcr", chip.elcr & elcrMask);
  set("elcr_mask", elcrMask);
}

/** The reverse. INT is found anew by whoever loads it. */
export function decodePic(view: DataView, chip: PicState): void {
  const get = (name: keyof typeof PIC_STATE): number => view.getUint8(IRQCHIP_REGISTERS + PIC_STATE[name]);
  chip.lines = get("last_irr");
  chip.irr = get("irr");
  chip.imr = get("imr");
  chip.isr = get("isr");
  chip.top = get("priority_add") & 7;
  chip.base = get("irq_base");
  chip.readIsr = get("read_reg_select") !== 0;
  chip.poll = get("poll") !== 0;
  chip.specialMask = get("special_mask") !== 0;
  chip.icw = get("init_state") === 0 ? 0 : get("init_state") + 1;
  chip.icw4 = ICW4_8086 | (get("auto_eoi") ? ICW4_AEOI : 0) | (get("special_fully_nested_mode") ? ICW4_SFNM : 0);
  chip.rotateOnAeoi = get("rotate_on_auto_eoi") !== 0;
  chip.icw1 = ICW1 | (get("init4") ? ICW1_IC4 : 0);
  chip.elcr = get("elcr");
}

export class KvmI8259 implements Device, InterruptController {
  readonly #irqchip: KernelIrqchip;
  readonly #state: State<typeof I8259_STATE>;
  readonly #inputs: readonly IrqLine[];

  constructor(irqchip: KernelIrqchip, name: string, arena: StateArena) {
    this.#irqchip = irqchip;
    this.#state = arena.attach(name, I8259_STATE);
    this.#inputs = Array.from({ length: 16 }, (_, line) => irqLine((level) => this.#irqchip.setPicLine(line, level)));
  }

  irq(line: number): IrqLine {
    return this.#inputs[line];
  }

  /** The CPU gets the vector inside the kernel. */
  acknowledge(): number {
    return -1;
  }

  describe(): string {
    this.saving();
    return describePics(this.#state.chip);
  }

  /** The inputs keep their levels. */
  reset(): void {
    for (const [i, number] of CHIPS.entries()) {
      const chip = this.#irqchip.readChip(number);
      const lines = chip.getUint8(IRQCHIP_REGISTERS + PIC_STATE.last_irr);
      new Uint8Array(chip.buffer, IRQCHIP_REGISTERS).fill(0);
      chip.setUint8(IRQCHIP_REGISTERS + PIC_STATE.last_irr, lines);
      chip.setUint8(IRQCHIP_REGISTERS + PIC_STATE.elcr_mask, ELCR_MASKS[i]);
      this.#irqchip.writeChip(chip);
    }
  }

  saving(): void {
    for (const [i, number] of CHIPS.entries()) decodePic(this.#irqchip.readChip(number), this.#state.chip[i]);
  }

  loaded(): void {
    for (const [i, number] of CHIPS.entries()) {
      const chip = this.#irqchip.readChip(number);
      encodePic(this.#state.chip[i], ELCR_MASKS[i], chip);
      this.#irqchip.writeChip(chip);
    }
  }
}
