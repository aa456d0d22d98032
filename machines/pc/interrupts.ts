/**
 * The interrupt wires of the board. Every ISA interrupt line is shared: it is asserted while any of its sources asserts
 * it, and it leads to the 8259 pair and to the I/O APIC (line 0 to pin 2, the others to the pin of the same number).
 */

import type { InterruptController, IoApic } from "../../core/board.ts";
import { type IrqLine, irqLine } from "../../core/irq.ts";

const LINES = 16;
const IOAPIC_PIN_OF_TIMER = 2;
const TIMER_IRQ = 0;
const RTC_IRQ = 8;

/** Several sources on one wire. */
class SharedLine {
  #asserted = 0;
  readonly #output: IrqLine;

  constructor(output: IrqLine) {
    this.#output = output;
  }

  /** A new source. */
  input(): IrqLine {
    let level = false;
    return irqLine((next) => {
      if (next === level) return;
      level = next;
      this.#asserted += next ? 1 : -1;
      if (this.#asserted === (next ? 1 : 0)) this.#output.set(next);
    });
  }
}

export class IsaInterrupts {
  readonly #lines: SharedLine[];
  #pic: InterruptController | undefined;
  #ioapic: IoApic | undefined;
  #hpetLegacy = false;
  /** Assertions of each line since power-on, for `info irq`. */
  readonly #counts = new Float64Array(LINES);
  /** What the HPET's legacy replacement cuts off, with the levels driven meanwhile. */
  readonly #gated: { line: number; level: boolean; output: IrqLine }[] = [];
  /** Asserted while the HPET stands in for the interval timer and the RTC. */
  readonly hpetLegacy: IrqLine = irqLine((on) => this.#setHpetLegacy(on));

  constructor() {
    this.#lines = Array.from(
      { length: LINES },
      (_, line) =>
        new SharedLine(
          irqLine((level) => {
            if (level) this.#counts[line]++;
            this.#pic?.irq(line).set(level);
            this.#ioapic?.pin(line === TIMER_IRQ ? IOAPIC_PIN_OF_TIMER : line).set(level);
          }),
        ),
    );
  }

  connect(pic: InterruptController, ioapic: IoApic): void {
    this.#pic = pic;
    this.#ioapic = ioapic;
  }

  /** A new source on line 0 to 15. */
  source(line: number): IrqLine {
    return this.#lines[line].input();
  }

  /** A source that the HPET's legacy replacement cuts off: the interval timer's and the RTC's. */
  legacySource(line: number): IrqLine {
    const output = this.source(line);
    if (line !== TIMER_IRQ && line !== RTC_IRQ) return output;
    const gate = { line, level: false, output };
    this.#gated.push(gate);
    return irqLine((level) => {
      gate.level = level;
      output.set(level && !this.#hpetLegacy);
    });
  }

  /** `info irq`. */
  describe(): string {
    const lines = [...this.#counts].flatMap((count, line) =>
      count > 0 ? [`${String(line).padStart(2)}: ${count}\n`] : [],
    );
    return `IRQ statistics for isa-i8259:\n${lines.join("")}`;
  }

  #setHpetLegacy(on: boolean): void {
    this.#hpetLegacy = on;
    for (const { level, output } of this.#gated) output.set(level && !on);
  }
}
