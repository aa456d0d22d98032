/** What two threads do to each shared device at once. Each scenario answers what its test looks at. */

import type { InterruptController, IoApic, LocalApic } from "../../../../core/board.ts";
import { ApicBus } from "../../../../core/bus/apic-bus.ts";
import { RemoteCharHost } from "../../../../core/char/remote.ts";
import type { CpuPins } from "../../../../core/cpu.ts";
import type { Device, DeviceType } from "../../../../core/device.ts";
import { NO_IRQ, pulse } from "../../../../core/irq.ts";
import { defineState, u32 } from "../../../../core/state/state.ts";
import { Doorbell } from "../../../../core/thread/doorbell.ts";
import { Lock } from "../../../../core/thread/lock.ts";
import { ByteRing } from "../../../../core/thread/ring.ts";
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
import { FakeChardev } from "../../../core/char/fakes.ts";
import { randomNumbers } from "../checks.ts";
import { APIC_BASE, createBoard, HPET_BASE } from "./board.ts";
import { type Scenario, serveScenarios, type Thread } from "./two-threads.ts";

/** Level and edges of the device's line are words 0 and 1 of the counts; what a scenario counts itself follows. */
const LEVEL = 0;
const EDGES = 1;
const DONE = 4;
const INTR = 8;
const HANDLED = 12;

const COM1 = 0x3f8;

/** Makes a device in both threads, and resets it in the machine's. */
function ready(thread: Thread, ...devices: readonly Device[]): void {
  if (thread.role === 0) for (const device of devices) device.reset();
  thread.meet();
}

/** The bytes that a role sends: each role has its own half of the values. */
const byteOf = (role: number, i: number): number => role * 128 + (i % 100);

/** Whether each role's bytes arrived in order, each once. */
function inOrder(bytes: readonly number[], count: number): boolean {
  return [0, 1].every((role) => {
    const own = bytes.filter((byte) => byte >> 7 === role);
    return own.length === count && own.every((byte, i) => byte === byteOf(role, i));
  });
}

/** Takes out what has gone into the output ring, as the I/O thread does. */
function drainer({ plan, char }: Thread): { bytes: number[]; drain(): number } {
  const ring = new ByteRing(plan.char.output);
  const chunk = new Uint8Array(ring.capacity);
  const bytes: number[] = [];
  const drain = (): number => {
    const count = ring.read(chunk);
    for (let i = 0; i < count; i++) bytes.push(chunk[i]);
    if (ring.takeRoomRequest() && "poll" in char) char.poll();
    return count;
  };
  return { bytes, drain };
}

/** Two drivers send on one port, each byte once the transmitter is empty. */
const serialOutput: Scenario = (thread) => {
  const count = 35_000;
  const { ports, guest, role } = thread;
  ready(thread, thread.create(ISA_SERIAL));
  const { bytes, drain } = drainer(thread);
  ports.write(COM1 + 2, 1, 1);
  for (let i = 0; i < count; ) {
    const sent = guest.run(() => {
      if ((ports.read(COM1 + 5, 1) & 0x20) === 0) return false;
      ports.write(COM1, byteOf(role, i), 1);
      return true;
    });
    if (sent) i++;
    else if (role === 0) drain();
  }
  thread.count(DONE);
  if (role === 1) return undefined;
  thread.until("the other sender", () => drain() === 0 && thread.get(DONE) === 2);
  while (drain() > 0);
  return inOrder(bytes, count);
};

/** A terminal sends; the CPU reads when it is interrupted, and only then. */
const serialInput: Scenario = (thread) => {
  const count = 6000;
  const { ports, plan } = thread;
  const serial = thread.create(ISA_SERIAL);
  ready(thread, serial);
  if (thread.role === 0) {
    thread.clock.start();
    // What comes before the FIFO is on is lost.
    thread.meet();
    const host = new RemoteCharHost(new FakeChardev(), plan.char, new Doorbell(plan.buffer));
    for (let sent = 0; sent < count; ) {
      const room = Math.min(host.canReceive(), 50, count - sent);
      if (room > 0) host.receive(Uint8Array.from({ length: room }, (_, i) => sent + i));
      sent += room;
      thread.until("room for input", () => room > 0 || host.canReceive() > 0);
    }
    thread.until("the reader", () => thread.get(DONE) > 0);
    return undefined;
  }
  ports.write(COM1 + 2, 0b1000_0001, 1);
  ports.write(COM1 + 4, 0b1000, 1);
  ports.write(COM1 + 1, 1, 1);
  thread.meet();
  let wrong = 0;
  for (let got = 0; got < count; ) {
    thread.until(`the interrupt after ${got} bytes`, () => thread.get(LEVEL) === 1);
    while (ports.read(COM1 + 5, 1) & 1) if (ports.read(COM1, 1) !== (got++ & 0xff)) wrong++;
  }
  thread.count(DONE);
  return wrong;
};

/** Both write to the debug console, without asking whether it can take more. */
const debugcon: Scenario = (thread) => {
  const count = 40_000;
  const { ports, role } = thread;
  ready(thread, thread.create(ISA_DEBUGCON));
  const { bytes, drain } = drainer(thread);
  for (let i = 0; i < count; i++) ports.write(0xe9, byteOf(role, i), 1);
  thread.count(DONE);
  if (role === 1) return undefined;
  thread.until("the other writer", () => thread.get(DONE) === 2);
  while (drain() > 0);
  return inOrder(bytes, count);
};

/** Both tell the machine something: nothing is lost on the way. */
const events: Scenario = (thread) => {
  const { ports } = thread;
  const machine = { panic: () => thread.count(10), exit: () => thread.count(11) };
  ready(thread, thread.create(PVPANIC, { machine }), thread.create(ISA_DEBUG_EXIT, { machine }));
  for (let i = 0; i < 5000; i++) {
    ports.write(0x505, 1, 1);
    ports.write(0x501, i & 0xff, 1);
  }
  thread.meet();
  return [thread.get(10), thread.get(11)];
};

/** Each thread has its half of the 64-bit registers: what it writes it reads back, whatever the other one writes. */
const hpetRegisters: Scenario = (thread) => {
  const { memory, role } = thread;
  ready(thread, thread.create(HPET));
  let torn = 0;
  for (let i = 0; i < 10_000; i++) {
    for (const register of [0xf0, 0x108, 0x128, 0x148]) {
      const at = HPET_BASE + register + role * 4;
      const value = (Math.imul(i, 0x9e37_79b1) ^ register) >>> 0;
      memory.write(at, value, 4);
      if (memory.read(at, 4) !== value) torn++;
    }
  }
  return torn;
};

/** The CPU starts a one-shot timer again and again; it fires in the machine's thread, which writes to another timer. */
const hpetInterrupts: Scenario = (thread) => {
  const rounds = 300;
  const { memory, clock } = thread;
  ready(thread, thread.create(HPET, { board: { ioapicPin: () => thread.line(LEVEL) } }));
  const write = (register: number, value: number): void => memory.write(HPET_BASE + register, value, 4);
  if (thread.role === 0) {
    clock.start();
    thread.until("the CPU", () => {
      for (let i = 0; i < 20; i++) write(0x148, i);
      return thread.get(DONE) > 0;
    });
    return undefined;
  }
  write(0x100, (2 << 9) | (1 << 8) | (1 << 2));
  for (let i = 0; i < rounds; i++) {
    write(0x10, 0);
    write(0xf0, 0);
    write(0x108, 500);
    write(0x10, 1);
    thread.until(`interrupt ${i}`, () => thread.get(EDGES) > i);
  }
  thread.count(DONE);
  return thread.get(EDGES) - rounds;
};

/** One counter interrupts for the CPU, another one and the speaker's port are the machine's thread's. */
const intervalTimer: Scenario = (thread) => {
  const rounds = 300;
  const { ports, arena, clock, guest } = thread;
  const lock = Lock.attach(arena, "pit/lock");
  const pit = thread.create<Device & { channel(index: number): never }>(ISA_PIT, { lock });
  const speaker = thread.create(ISA_PCSPK, { lock, board: { speakerTimer: pit.channel(2) } });
  ready(thread, pit, speaker);
  const edges = thread.get(EDGES);
  thread.meet();
  if (thread.role === 0) {
    let torn = 0;
    let i = 0;
    clock.start();
    thread.until("the CPU", () => {
      const mode = i++ % 6;
      guest.run(() => {
        ports.write(0x43, 0b1011_0000 | (mode << 1), 1);
        ports.write(0x43, 0b1110_1000, 1);
      });
      if ((ports.read(0x42, 1) & 0x3f) !== (0b11_0000 | (mode << 1))) torn++;
      ports.write(0x61, i & 0xf, 1);
      if ((ports.read(0x61, 1) & 0xf) !== (i & 0xf)) torn++;
      return thread.get(DONE) > 0;
    });
    return torn;
  }
  for (let i = 0; i < rounds; i++) {
    guest.run(() => {
      ports.write(0x43, 0b0011_0000, 1);
      ports.write(0x40, 20, 1);
      ports.write(0x40, 0, 1);
    });
    thread.until(`interrupt ${i}`, () => thread.get(EDGES) - edges > i);
  }
  thread.count(DONE);
  return thread.get(EDGES) - edges - rounds;
};

/** Periodic interrupts for the CPU, which counts those that register C tells of; both use their part of the memory. */
const realTimeClock: Scenario = (thread) => {
  const rounds = 300;
  const { ports, guest, clock, role } = thread;
  ready(thread, thread.create(MC146818RTC));
  const read = (index: number): number => {
    ports.write(0x70, index, 1);
    return ports.read(0x71, 1);
  };
  const write = (index: number, value: number): void => {
    ports.write(0x70, index, 1);
    ports.write(0x71, value, 1);
  };
  let torn = 0;
  let at = 0;
  const memory = (): void => {
    const index = 0x40 + role * 0x20 + (at++ & 0x1f);
    guest.run(() => write(index, at & 0xff));
    if (guest.run(() => read(index)) !== (at & 0xff)) torn++;
  };
  if (role === 0) {
    clock.start();
    thread.until("the CPU", () => {
      memory();
      return thread.get(DONE) > 0;
    });
    return { torn };
  }
  guest.run(() => write(0x0a, 0x23));
  guest.run(() => write(0x0b, 0x42));
  let told = 0;
  const acknowledge = (): void => {
    if (guest.run(() => read(0x0c)) & 0x80) told++;
  };
  for (let i = 0; i < rounds; i++) {
    memory();
    thread.until(`interrupt ${i}`, () => thread.get(LEVEL) === 1);
    acknowledge();
  }
  guest.run(() => write(0x0b, 0x02));
  acknowledge();
  thread.count(DONE);
  return { torn, lost: thread.get(EDGES) - told, few: told < rounds };
};

/** The machine's thread pulses one line, the CPU another one and serves both, each pulse once the one before was served. */
const interruptController: Scenario = (thread) => {
  const rounds = 4000;
  const { ports, arena, role } = thread;
  const lock = Lock.attach(arena, "interrupts/lock");
  const wires = new IsaInterrupts(arena);
  const pic = thread.create<InterruptController & Device>(ISA_I8259, { lock, board: { intr: thread.line(INTR) } });
  wires.connect(pic, { pin: () => NO_IRQ });
  const [machine, cpu] = [4, 10].map((line) => lockLine(wires.source(line), lock));
  if (role === 0) {
    pic.reset();
    for (const [port, base] of [
      [0x20, 0x30],
      [0xa0, 0x38],
    ]) {
      ports.write(port, 0x11, 1);
      for (const word of [base, 4, 1, 0]) ports.write(port + 1, word, 1);
    }
  }
  thread.meet();
  if (role === 0) {
    let torn = 0;
    for (let i = 0; i < rounds; i++) {
      pulse(machine);
      ports.write(0x21, (i & 1) << 7, 1);
      if (ports.read(0x21, 1) !== (i & 1) << 7) torn++;
      thread.until(`interrupt 4, number ${i}`, () => thread.get(HANDLED + 4) > i);
    }
    thread.until("the CPU", () => thread.get(DONE) > 0);
    return { torn, statistics: wires.describe() };
  }
  const others: number[] = [];
  for (let sent = 0; thread.get(HANDLED + 4) < rounds || thread.get(HANDLED + 10) < rounds; ) {
    if (sent < rounds && thread.get(HANDLED + 10) === sent) {
      sent++;
      pulse(cpu);
    }
    thread.until("an interrupt", () => thread.get(INTR) === 1);
    const vector = lock.run(() => pic.acknowledge());
    if (vector === 0x34) thread.count(HANDLED + 4);
    else if (vector === 0x3a) thread.count(HANDLED + 10);
    else others.push(vector);
    if (vector >= 0x38) ports.write(0xa0, 0x20, 1);
    ports.write(0x20, 0x20, 1);
  }
  thread.count(DONE);
  return { others, waiting: thread.get(INTR) };
};

/** The CPUs interrupt each other, and the machine's thread holds a level-triggered pin until the other CPU has served it. */
const apics: Scenario = (thread) => {
  const rounds = 2000;
  const { memory, arena, role } = thread;
  const lock = Lock.attach(arena, "interrupts/lock");
  const apicBus = new ApicBus();
  apicBus.current = role;
  const messages = lockRegion(apicBus.io, lock);
  memory.map("apic-msi", APIC_BASE, messages.length, { kind: "io", region: messages }, 1);
  const locals = [0, 1].map((id) => {
    const local = thread.create<LocalApic & Device>(APIC, {
      name: `apic${id}`,
      lock,
      board: { apicBus },
      properties: { id },
    });
    const pins = { setIntr: (level: boolean) => Atomics.store(thread.counts, INTR + id, level ? 1 : 0) };
    lock.run(() => local.connect(pins as unknown as CpuPins, { acknowledge: () => -1 }));
    return local;
  });
  const ioapic = thread.create<IoApic & Device>(IOAPIC, { lock, board: { apicBus } });
  thread.meet();
  ready(thread, ...locals, ioapic);
  const pin = lockLine(ioapic.pin(16), lock);
  const write = (register: number, value: number): void => memory.write(APIC_BASE + register, value, 4);
  write(0xf0, 0x1ff);
  if (role === 0) {
    memory.write(0xfec0_0000, 0x10 + 32, 4);
    memory.write(0xfec0_0010, 0x8060, 4);
    memory.write(0xfec0_0000, 0x11 + 32, 4);
    memory.write(0xfec0_0010, 1 << 24, 4);
  }
  thread.meet();
  const seen = new Map<number, number>();
  const serve = (): void => {
    while (thread.get(INTR + role) === 1) {
      const vector = lock.run(() => locals[role].acknowledge());
      seen.set(vector, (seen.get(vector) ?? 0) + 1);
      if (vector === 0x60) pin.set(false);
      write(0xb0, 0);
      thread.count(HANDLED + (vector >> 4));
    }
  };
  for (let i = 0; i < rounds; i++) {
    if (role === 0) pin.set(true);
    write(0x310, (1 - role) << 24);
    write(0x300, 0x4000 | ((4 + role) << 4));
    thread.until(`the answer to interrupt ${i}`, () => {
      serve();
      return thread.get(HANDLED + 4 + role) > i && (role === 1 || thread.get(HANDLED + 6) > i);
    });
  }
  thread.count(DONE);
  thread.until("the other CPU", () => {
    serve();
    return thread.get(DONE) === 2;
  });
  thread.meet();
  return { seen: [...seen].sort(([a], [b]) => a - b), inService: memory.read(APIC_BASE + 0x120, 4) };
};

/** Random accesses to all of them, from both. */
const hostile: Scenario = (thread) => {
  const { arena, clock, role } = thread;
  const board = createBoard(thread);
  ready(thread, ...board.devices);
  if (role === 0) clock.start();
  const random = randomNumbers(0x1234_5678 + role);
  let wrong = 0;
  for (let i = 0; i < 20_000; i++) {
    const access = board.randomAccess(random);
    const value = board.access(access);
    if (value !== undefined && value >= 2 ** (8 * access.size)) wrong++;
    if (random(50) === 0) {
      board.acknowledge();
      clock.poll();
    }
  }
  thread.meet();
  return { wrong, saved: JSON.stringify(arena.save()) };
};

const CROSSED = defineState("crossed", 1, { calls: u32, answered: u32, refused: u32 });

/** A device that reads another one's port whenever it is written to, as DMA does. */
const crossed = (name: string, port: number, other: number): DeviceType => ({
  name,
  bus: "ISA",
  category: "Misc",
  properties: {},
  userCreatable: false,
  placement: "shared",
  create({ arena, ports }) {
    const state = arena.attach(name, CROSSED);
    const write = (): void => {
      state.calls++;
      const value = ports.read(other, 1);
      if (value === 0x5a) state.answered++;
      if (value === 0xff) state.refused++;
    };
    ports.map(port, { name, length: 1, handler: { read: () => 0x5a, write } });
    return { reset() {} };
  },
});

/** Two devices that reach for each other, one in each thread. */
const deadlock: Scenario = (thread) => {
  const { ports, arena, role } = thread;
  ready(thread, thread.create(crossed("a", 0x80, 0x90)), thread.create(crossed("b", 0x90, 0x80)));
  for (let i = 0; i < 10_000; i++) ports.write(0x80 + role * 0x10, 0, 1);
  thread.meet();
  const { calls, answered, refused } = arena.save()[role === 0 ? "a" : "b"].fields as Record<string, number>;
  return { calls, settled: answered + refused, answered };
};

export const SCENARIOS = {
  deadlock,
  serialOutput,
  serialInput,
  debugcon,
  events,
  hpetRegisters,
  hpetInterrupts,
  intervalTimer,
  realTimeClock,
  interruptController,
  apics,
  hostile,
} as const satisfies Readonly<Record<string, Scenario>>;

serveScenarios(SCENARIOS);
