/**
 * The interrupt wires of the board. Every ISA interrupt line is shared: it is asserted while any of its sources asserts
 * it, and it leads to the 8259 pair and to the I/O APIC (line 0 to pin 2, the others to the pin of the same number).
 */

import type { InterruptController, IoApic } from "../../core/board.ts";
import { QemuError } from "../../core/errors.ts";
import { type IrqLine, irqLine } from "../../core/irq.ts";
import { array, bool, defineState, f64, type State, type StateArena, u8, u16 } from "../../core/state/state.ts";

const LINES = 16;
const IOAPIC_PIN_OF_TIMER = 2;
const TIMER_IRQ = 0;
const RTC_IRQ = 8;

/** Sources of all lines together: what a machine's devices ask for, and two gates. */
const MAX_SOURCES = 512;

/** In the arena, because any thread of a machine drives them. Devices do so again after loading. */
const WIRES = defineState(
  "isa-interrupts",
  1,
  {},
  {
    unsaved: {
      /** By source, in the order of creation: the level that it drives. */
      levels: array(u8, MAX_SOURCES),
      /** By line: how many sources assert it. */
      asserted: array(u16, LINES),
      /** Assertions of each line since power-on, for `info irq`. */
      counts: array(f64, LINES),
      hpetLegacy: bool,
    },
  },
);

export class IsaInterrupts {
  readonly #s: State<typeof WIRES>;
  readonly #levels: Uint8Array;
  #sources = 0;
  #pic: Pick<InterruptController, "irq"> | undefined;
  #ioapic: Pick<IoApic, "pin"> | undefined;
  /** What the HPET's legacy replacement cuts off: where the level that is driven meanwhile is kept. */
  readonly #gated: { readonly level: number; readonly output: IrqLine }[] = [];
  /** Asserted while the HPET stands in for the interval timer and the RTC. */
  readonly hpetLegacy: IrqLine = irqLine((on) => this.#setHpetLegacy(on));

  constructor(arena: StateArena) {
    this.#s = arena.attach("isa-interrupts", WIRES);
    this.#levels = this.#s.levels;
  }

  connect(pic: Pick<InterruptController, "irq">, ioapic: Pick<IoApic, "pin">): void {
    this.#pic = pic;
    this.#ioapic = ioapic;
  }

  /** A new source on line 0 to 15. */
  source(line: number): IrqLine {
    const source = this.#place();
    const levels = this.#levels;
    const { asserted } = this.#s;
    return irqLine((next) => {
      if (next === (levels[source] !== 0)) return;
      levels[source] = next ? 1 : 0;
      asserted[line] += next ? 1 : -1;
      if (asserted[line] === (next ? 1 : 0)) this.#drive(line, next);
    });
  }

  /** A source that the HPET's legacy replacement cuts off: the interval timer's and the RTC's. */
  legacySource(line: number): IrqLine {
    const output = this.source(line);
    if (line !== TIMER_IRQ && line !== RTC_IRQ) return output;
    const level = this.#place();
    this.#gated.push({ level, output });
    return irqLine((next) => {
      this.#levels[level] = next ? 1 : 0;
      output.set(next && !this.#s.hpetLegacy);
    });
  }

  /** `info irq`. */
  describe(): string {
    const lines = Array.from(this.#s.counts).flatMap((count, line) =>
      count > 0 ? [`${String(line).padStart(2)}: ${count}\n`] : [],
    );
    return `IRQ statistics for isa-i8259:\n${lines.join("")}`;
  }

  #place(): number {
    if (this.#sources === MAX_SOURCES) {
      throw new QemuError("isa-irq", `devices ask for more than ${MAX_SOURCES} interrupt lines in all`);
    }
    return this.#sources++;
  }

  #drive(line: number, level: boolean): void {
    if (level) this.#s.counts[line]++;
    this.#pic?.irq(line).set(level);
    this.#ioapic?.pin(line === TIMER_IRQ ? IOAPIC_PIN_OF_TIMER : line).set(level);
  }

  #setHpetLegacy(on: boolean): void {
    this.#s.hpetLegacy = on;
    for (const { level, output } of this.#gated) output.set(this.#levels[level] !== 0 && !on);
  }
}
