/**
 * What the chips soldered to a PC board offer to each other and to the machine that wires them. A machine creates them
 * by name like any device, hands them these ports in `DeviceContext.board`, and uses them through these interfaces.
 */

import type { ApicBus } from "./bus/apic-bus.ts";
import type { IsaDmaChannel } from "./bus/isa-dma.ts";
import type { PciIrqRouting } from "./bus/pci.ts";
import type { CpuPins, InterruptSource, LocalApicPort } from "./cpu.ts";
import type { IrqLine } from "./irq.ts";

/** Lines and chips that only a board can wire; each board device says which of them it needs. */
export interface BoardPorts {
  /** INTR of the CPU, driven by the interrupt controllers. */
  readonly intr?: IrqLine;
  /** The address line 20 gate: true lets A20 through. Its writers share it; the last one wins. */
  readonly a20?: IrqLine;
  /** Channel 2 of the interval timer, for port 0x61. */
  readonly speakerTimer?: TimerChannel;
  /** Between local APICs, I/O APIC and message-signalled interrupts. */
  readonly apicBus?: ApicBus;
  /** The time (ns on the clock) at which the time-stamp counter reaches a value; absent without TSC deadline mode. */
  readonly tscToNs?: (tsc: bigint) => number;
  /** Input of the I/O APIC, for the HPET's own routes. */
  readonly ioapicPin?: (pin: number) => IrqLine;
  /** True while the HPET replaces the interval timer on interrupt 0 and the RTC on interrupt 8. */
  readonly hpetLegacy?: IrqLine;
  /** Told of the PM timer's port whenever that changes; 0 is nowhere. */
  readonly pmTimerAt?: (port: number) => void;
  /** The real-time clock's alarm, for power management. */
  readonly rtcAlarm?: () => void;
}

/** The pair of 8259A, as the machine uses it. */
export interface InterruptController {
  /** Interrupt request input 0 to 15 (2 is the cascade, and is not for use). */
  irq(line: number): IrqLine;
  /** The interrupt acknowledge cycle: returns the vector. */
  acknowledge(): number;
  /** For `info pic`. */
  describe(): string;
}

/** One counter of the 8254, as the chips around it see it. */
export interface TimerChannel {
  setGate(level: boolean): void;
  /** Level of the OUT pin now. */
  readonly out: boolean;
}

export interface IntervalTimer {
  /** Counter 0 to 2. */
  channel(index: number): TimerChannel;
  /** Asserted while the HPET stands in for it; absent when the board cuts off its interrupt line. */
  readonly hpetLegacy?: IrqLine;
}

export interface IsaDmaController {
  /** Channel 0 to 3 (bytes) and 5 to 7 (words). */
  channel(index: number): IsaDmaChannel;
}

/** The floppy controller. */
export interface FloppyController {
  /** What drive 0 (A) or 1 (B) is, for the CMOS memory and ACPI: 5.25" 1.2M, 3.5" 1.44M or 2.88M. */
  driveType(index: number): "none" | "120" | "144" | "288";
}

/** An IDE disk, for the CMOS memory. */
export interface FixedDisk {
  /** Among the four of a PC: 0 is the primary master, 1 its slave. */
  readonly position: number;
}

/** The battery-backed memory of the real-time clock, where boards leave their configuration. */
export interface Cmos {
  /** Sets byte 0 to 127. */
  setCmos(index: number, value: number): void;
  cmos(index: number): number;
}

/** The PCI host bridge. */
export interface HostBridge {
  /** The CPU enters or leaves system management mode. */
  setSmm(active: boolean): void;
}

/** The bridge that leads PCI interrupts to ISA interrupt lines. */
export interface InterruptRouter {
  readonly routing: PciIrqRouting;
  /** The ISA interrupt that PIRQ 0 to 3 leads to now, or undefined. */
  irqOfPirq(index: number): number | undefined;
}

/** What wakes a suspended machine. */
export type WakeReason = "power-button" | "sleep-button" | "rtc" | "pm-timer" | "other";

/** ACPI fixed hardware. */
export interface PowerManagement {
  /** Connects the CPU's SMI pin. */
  onSmi(smi: () => void): void;
  powerButton(): void;
  sleepButton(): void;
  rtcAlarm(): void;
  /** Raises a general purpose event, 0 to 15. */
  raiseGpe(event: number): void;
  /** The sleep states besides S5: whether there is S3, and the SLP_TYP of S4. */
  readonly sleepStates: { readonly s3: boolean; readonly s4: number | undefined };
  /** In S3. */
  readonly suspended: boolean;
  /** Leaves S3: called after the reset that a wake-up event brings. */
  wake(reason: WakeReason): void;
}

/** A local APIC, as the machine wires it. */
export interface LocalApic extends InterruptSource {
  /** How its CPU reaches it; undefined when it is inside the accelerator. */
  readonly port: LocalApicPort | undefined;
  /** Connects the CPU, and the 8259 pair that answers for external interrupts. */
  connect(cpu: CpuPins, pic: InterruptSource): void;
  /** LINT0 carries INTR of the 8259 pair, LINT1 carries NMI. */
  readonly lint: readonly [IrqLine, IrqLine];
  /** For `info lapic`. */
  describe(): string;
}

export interface IoApic {
  /** Interrupt input 0 to 23. */
  pin(index: number): IrqLine;
  /** For `info pic`. */
  describe(): string;
}
