/** All shared devices of a PC on one board, wired as the machine wires them, and random accesses to them. */

import type { InterruptController, IntervalTimer, IoApic, LocalApic } from "../../../../core/board.ts";
import { ApicBus } from "../../../../core/bus/apic-bus.ts";
import type { AccessSize } from "../../../../core/bus/io.ts";
import type { CharPort } from "../../../../core/char/port.ts";
import type { Device } from "../../../../core/device.ts";
import { Lock } from "../../../../core/thread/lock.ts";
import { lockLine, lockRegion } from "../../../../core/thread/shared-device.ts";
import { IsaInterrupts } from "../../../../machines/pc/interrupts.ts";
import { APIC } from "../../../../plugins/devices/apic/index.ts";
import { ISA_DEBUGCON } from "../../../../plugins/devices/debugcon/index.ts";
import { ISA_DEBUG_EXIT } from "../../../../plugins/devices/debugexit/index.ts";
import { HPET } from "../../../../plugins/devices/hpet/index.ts";
import { ISA_PIT } from "../../../../plugins/devices/i8254/index.ts";
import { ISA_I8259 } from "../../../../plugins/devices/i8259/index.ts";
import { IOAPIC } from "../../../../plugins/devices/ioapic/index.ts";
import { MC146818RTC } from "../../../../plugins/devices/mc146818/index.ts";
import { ISA_PCSPK } from "../../../../plugins/devices/pcspk/index.ts";
import { PVPANIC } from "../../../../plugins/devices/pvpanic/index.ts";
import { ISA_SERIAL } from "../../../../plugins/devices/serial/index.ts";
import type { Thread } from "./two-threads.ts";

export const HPET_BASE = 0xfed0_0000;
export const APIC_BASE = 0xfee0_0000;
const IOAPIC_BASE = 0xfec0_0000;

/** What the machine around them was told, by word of the counts. */
export const BOARD_COUNTS = { intr: 40, nmi: 41, smi: 42, init: 43, panic: 44, exit: 45, alarm: 46 } as const;

export interface Access {
  readonly space: "ports" | "memory";
  readonly at: number;
  readonly size: AccessSize;
  /** Absent for a read. */
  readonly value: number | undefined;
}

/** `serial` is what the serial port leads to; the debug console has the thread's channel. */
export function createBoard(thread: Thread, serial?: CharPort) {
  const { ports, memory, arena } = thread;
  const lock = Lock.attach(arena, "interrupts/lock");
  const timerLock = Lock.attach(arena, "pit/lock");
  const wires = new IsaInterrupts(arena);
  const apicBus = new ApicBus();
  const isaIrq = (line: number) => lockLine(wires.source(line), lock);
  const legacyIrq = (line: number) => lockLine(wires.legacySource(line), lock);
  const local = thread.create<LocalApic & Device>(APIC, { lock, board: { apicBus } });
  const messages = lockRegion(apicBus.io, lock);
  memory.map("apic-msi", APIC_BASE, messages.length, { kind: "io", region: messages }, 1);
  const intr = { set: (level: boolean) => local.lint[0].set(level) };
  const pic = thread.create<InterruptController & Device>(ISA_I8259, { lock, board: { intr } });
  const ioapic = thread.create<IoApic & Device>(IOAPIC, { lock, board: { apicBus } });
  wires.connect(pic, ioapic);
  const count = (what: keyof typeof BOARD_COUNTS) => () => thread.count(BOARD_COUNTS[what]);
  const pins = { nmi: count("nmi"), smi: count("smi"), init: count("init"), sipi() {}, setA20() {} };
  const setIntr = (level: boolean): void => void Atomics.store(thread.counts, BOARD_COUNTS.intr, level ? 1 : 0);
  lock.run(() => local.connect({ ...pins, setIntr }, pic));
  const machine = { panic: count("panic"), shutdown() {}, exit: count("exit") };
  const pit = thread.create<IntervalTimer & Device>(ISA_PIT, { isaIrq: legacyIrq, lock: timerLock });
  const hpetWires = {
    ioapicPin: (pin: number) => lockLine(ioapic.pin(pin), lock),
    hpetLegacy: lockLine(wires.hpetLegacy, lock),
  };
  const devices: Device[] = [
    local,
    pic,
    ioapic,
    pit,
    thread.create(ISA_PCSPK, { lock: timerLock, board: { speakerTimer: pit.channel(2) } }),
    thread.create(MC146818RTC, { isaIrq: legacyIrq, board: { rtcAlarm: count("alarm") } }),
    thread.create(HPET, { isaIrq, board: hpetWires }),
    thread.create(ISA_SERIAL, { isaIrq, chardev: serial }),
    thread.create(ISA_DEBUGCON, { name: "debugcon" }),
    thread.create(PVPANIC, { machine }),
    thread.create(ISA_DEBUG_EXIT, { machine }),
  ];
  const regions = ports.mappings();
  const windows = [IOAPIC_BASE, APIC_BASE, HPET_BASE];
  return {
    devices,
    wires,
    acknowledge: () => lock.run(() => local.acknowledge()),
    randomAccess(random: (below: number) => number): Access {
      const inMemory = random(3) === 0;
      const { base, region } = regions[random(regions.length)];
      const size: AccessSize = inMemory ? 4 : ([1, 2, 4] as const)[random(3)];
      const at = inMemory ? windows[random(3)] + (random(0x100) << 2) : base + random(region.length);
      const value = random(2) ? random(2 ** 32) >>> (32 - 8 * size) : undefined;
      return { space: inMemory ? "memory" : "ports", at, size, value };
    },
    /** Answers what a read has read. */
    access({ space, at, size, value }: Access): number | undefined {
      if (value === undefined) return thread[space].read(at, size);
      thread[space].write(at, value, size);
      return undefined;
    },
  };
}
