/**
 * Interrupt lines: the only way a device talks to an interrupt controller. A line has a level; edges are made by
 * changing it. The receiver keeps the level in its own state, so a line itself holds none.
 */

export interface IrqLine {
  /** Drives the line: true is asserted. Repeating the present level is harmless. */
  set(level: boolean): void;
}

/** A line that calls a function. */
export function irqLine(set: (level: boolean) => void): IrqLine {
  return { set };
}

/** A line that leads nowhere. */
export const NO_IRQ: IrqLine = { set() {} };

/** Asserts and releases the line: one edge. */
export function pulse(line: IrqLine): void {
  line.set(true);
  line.set(false);
}

/** One line driven into several receivers. */
export function splitIrq(...lines: readonly IrqLine[]): IrqLine {
  return irqLine((level) => {
    for (const line of lines) line.set(level);
  });
}
