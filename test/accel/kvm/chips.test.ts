/** The kernel's chips and ours have one saved form: what one gives, the other takes. On the kernel's own, where there is one. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { IRQCHIP, SIZES } from "../../../accel/kvm/abi.ts";
import { counterOutput, decodeCounter, encodeCounter, KvmI8254 } from "../../../accel/kvm/chips/i8254.ts";
import { decodePic, encodePic, KvmI8259 } from "../../../accel/kvm/chips/i8259.ts";
import { decodeIoApic, encodeIoApic, KvmIoApic } from "../../../accel/kvm/chips/ioapic.ts";
import { decodeLocalApic, encodeLocalApic } from "../../../accel/kvm/chips/lapic.ts";
import { KvmClock } from "../../../accel/kvm/clock.ts";
import { encodeMessage, irqchipMode, KernelIrqchip } from "../../../accel/kvm/irqchip.ts";
import { emulatesGuests, type KvmSystem, openKvm } from "../../../accel/kvm/system.ts";
import { APIC_BROADCAST, DELIVERY_FIXED, DELIVERY_LOWEST, msiMessage } from "../../../core/bus/apic-bus.ts";
import { APIC_STATE, APIC_TIMER_STATE } from "../../../core/chips/apic.ts";
import { I8254_STATE } from "../../../core/chips/i8254.ts";
import { I8259_STATE } from "../../../core/chips/i8259.ts";
import { IOAPIC_STATE } from "../../../core/chips/ioapic.ts";
import { ManualClock } from "../../../core/clock.ts";
import { type State, StateArena, saveState } from "../../../core/state/state.ts";
import { I8254 } from "../../../plugins/devices/i8254/i8254.ts";
import { I8259 } from "../../../plugins/devices/i8259/i8259.ts";
import { whereKvm } from "../../tools/kvm.ts";

const view = (size: number): DataView<ArrayBuffer> => new DataView(new ArrayBuffer(size));
const write = ({ io }: I8254, ...pairs: readonly (readonly [number, number])[]): void => {
  for (const [port, value] of pairs) io.handler.write(port, value, 1);
};

/** A master with ICWs and a slave that waits for its third. */
function picState(arena: StateArena): State<typeof I8259_STATE> {
  const pic = new I8259({ name: "pic", arena, intr: { set() {} } });
  const master = (port: number, value: number): void => pic.masterIo.handler.write(port, value, 1);
  for (const value of [0x08, 0x04, 0x01, 0xa2]) master(1, value);
  pic.reset();
  master(0, 0x11);
  for (const value of [0x20, 0x04, 0x03, 0x5a]) master(1, value);
  master(0, 0x0b);
  pic.slaveIo.handler.write(0, 0x11, 1);
  pic.slaveIo.handler.write(1, 0x28, 1);
  pic.elcrIo.handler.write(1, 0x0c, 1);
  pic.irq(0).set(true);
  pic.irq(3).set(true);
  return arena.entry("pic")!.view as State<typeof I8259_STATE>;
}

test("8259A pair", () => {
  const arena = StateArena.create();
  const source = picState(arena);
  const there = arena.attach("there", I8259_STATE);
  const before = saveState(I8259_STATE, source);
  const { chip } = source;
  for (const [i, mask] of [0xf8, 0xde].entries()) {
    const registers = view(SIZES.kvm_irqchip);
    encodePic(chip[i], mask, registers);
    decodePic(registers, there.chip[i]);
    there.chip[i].int = chip[i].int;
    there.chip[i].icw4 = (there.chip[i].icw4 & ~1) | (chip[i].icw4 & 1);
  }
  assert.equal(saveState(I8259_STATE, there), before);
});

test("I/O APIC: asserted level-triggered pins are served, edges are not repeated", () => {
  const arena = StateArena.create();
  const [here, there] = [arena.attach("here", IOAPIC_STATE), arena.attach("there", IOAPIC_STATE)];
  here.low.fill(0x10000);
  here.low[4] = 0x0931;
  here.low[9] = 0xc932;
  here.high[9] = 0x03000000;
  here.id = 2;
  here.ioregsel = 0x10;
  here.levels = there.levels = (1 << 4) | (1 << 9);
  const registers = view(SIZES.kvm_irqchip);
  encodeIoApic(here, registers);
  assert.is(registers.getUint32(8 + 16, true), 1 << 9);
  decodeIoApic(registers, there);
  assert.equal(saveState(IOAPIC_STATE, there), saveState(IOAPIC_STATE, here));
});

test("local APIC, with a timer half way and one that has run out", () => {
  const arena = StateArena.create();
  const [here, there] = [arena.attach("here", APIC_STATE), arena.attach("there", APIC_STATE)];
  const [timer, other] = [arena.attach("timer", APIC_TIMER_STATE), arena.attach("other", APIC_TIMER_STATE)];
  Object.assign(here, { id: 3, tpr: 0x20, ldr: 8, dfr: 0xff, svr: 0x1ff, icrLow: 0x4611, icrHigh: 0x01000000 });
  here.lvt.set([0x20031, 0x10000, 0x10000, 0x700, 0x400, 0x100fe]);
  here.irr[1] = 0x80000000;
  here.isr[2] = 5;
  here.tmr[2] = 4;
  const now = 10_000;
  Object.assign(timer, { initialCount: 1000, divideConfig: 0b1010, loadedAt: now - 25_600, deadline: now + 102_400 });
  assert.is(decodeLocalApic(encodeLocalApic(3, here, timer, now), there, other, now), 800);
  assert.equal(saveState(APIC_STATE, there), saveState(APIC_STATE, here));
  assert.equal(saveState(APIC_TIMER_STATE, other), saveState(APIC_TIMER_STATE, timer));
  here.lvt[0] = 0x31;
  timer.deadline = 0;
  assert.is(decodeLocalApic(encodeLocalApic(3, here, timer, now), there, other, now), 0);
  assert.equal([other.initialCount, other.deadline], [0, 0]);
});

test("8254: registers, latches, half-written counts", () => {
  const clock = new ManualClock();
  const arena = StateArena.create();
  const pit = new I8254({ name: "pit", arena, clock, irq: { set() {} } });
  pit.reset();
  write(pit, [3, 0x34], [0, 0x10], [0, 0x27], [3, 0xb6], [2, 0x55], [3, 0x70], [1, 0x34], [1, 0x12], [3, 0x40]);
  const state = arena.entry("pit")!.view as State<typeof I8254_STATE>;
  const there = arena.attach("there", I8254_STATE);
  const registers = view(SIZES.kvm_pit_state2);
  for (const i of [0, 1, 2]) encodeCounter(state.counter[i], i, registers);
  for (const i of [0, 1, 2]) decodeCounter(registers, i, there.counter[i], 0);
  const shown = ({ counter }: typeof state): unknown =>
    counter.map(({ mode, bcd, rw, gate, low, writeHigh, readHigh, reload, countLatch, countLatched }) =>
      Object.entries({ mode, bcd, rw, gate, low, writeHigh, readHigh, reload, countLatch, countLatched }),
    );
  assert.equal(shown(there), shown(state));
});

test("OUT of a counter", () => {
  const high = (mode: number): string =>
    Array.from({ length: 10 }, (_, ticks) => (counterOutput(mode, 4, ticks) ? "1" : "0")).join("");
  assert.equal([0, 2, 3, 4].map(high), ["0000111111", "1110111011", "1100110011", "1111011111"]);
});

test("messages", () => {
  const message = { destination: APIC_BROADCAST, logical: false, deliveryMode: 0, vector: 0x31, level: false };
  for (const sent of [
    message,
    { ...message, destination: 3, logical: true, deliveryMode: DELIVERY_LOWEST },
    { ...message, destination: 0xff, logical: true, level: true },
  ]) {
    const { address, data } = encodeMessage(sent);
    assert.equal(msiMessage(address, data), sent);
  }
});

test("what kernel-irqchip means on a host", () => {
  const host = (without: readonly number[] = []): KvmSystem =>
    ({ capability: (number: number) => (without.includes(number) ? 0 : 1) }) as unknown as KvmSystem;
  const mode = (wanted: string | undefined, system = host()): string =>
    irqchipMode(system, { "kernel-irqchip": wanted });
  assert.equal(
    ["on", "split", "off"].map((wanted) => mode(wanted)),
    ["on", "split", "off"],
  );
  assert.is(mode(undefined), emulatesGuests() ? "off" : "on");
  assert.is(mode(undefined, host([33])), "off");
  assert.throws(() => mode("on", host([33])), /Create kernel irqchip failed: kvm does not support KVM_CAP_PIT2/);
  assert.throws(() => mode("split", host([121])), /Split IRQ chip mode not supported/);
});

await whereKvm(async () => {
  const system = await openKvm();
  const make = (): { irqchip: KernelIrqchip; arena: StateArena } => {
    const irqchip = new KernelIrqchip(system.library, system.createVm(), "on");
    irqchip.create();
    return { irqchip, arena: StateArena.create() };
  };

  test("the kernel's 8259 pair keeps what it is given, and latches its inputs", () => {
    const { irqchip, arena } = make();
    const pic = new KvmI8259(irqchip, "kernel", arena);
    pic.reset();
    assert.match(pic.describe(), /^pic0: irr=00 imr=00 isr=00/);
    pic.irq(0).set(true);
    pic.irq(12).set(true);
    assert.match(pic.describe(), /^pic0: irr=05 .*\npic1: irr=10 /);
    const before = saveState(I8259_STATE, arena.entry("kernel")!.view);
    pic.irq(12).set(false);
    pic.loaded();
    pic.saving();
    assert.equal(saveState(I8259_STATE, arena.entry("kernel")!.view), before);
    assert.is(pic.acknowledge(), -1);
  });

  test("the kernel's I/O APIC has the levels of its pins; pin 2 is the timer's, too", () => {
    const { irqchip, arena } = make();
    const ioapic = new KvmIoApic(irqchip, "ioapic", arena);
    ioapic.reset();
    for (const pin of [2, 4, 23]) ioapic.pin(pin).set(true);
    ioapic.pin(4).set(false);
    assert.match(ioapic.describe(), /levels {3}2 23$/);
    assert.is(irqchip.readChip(IRQCHIP.IOAPIC).getUint32(8 + 16, true) & 0x80_0014, 0x80_0004);
    ioapic.reset();
    irqchip.setPicLine(0, true);
    assert.is(irqchip.readChip(IRQCHIP.IOAPIC).getUint32(8 + 16, true) & 4, 4);
  });

  test("the kernel's 8254: gate and output of the speaker's counter, and what the HPET stands in for", () => {
    const { irqchip, arena } = make();
    const clock = new ManualClock();
    const pit = new KvmI8254({ irqchip, name: "pit", arena, clock, reinjection: true });
    pit.reset();
    const speaker = pit.channel(2);
    const state = arena.entry("pit")!.view as State<typeof I8254_STATE>;
    pit.saving();
    assert.equal([state.counter[0].mode, state.counter[2].gate, state.counter[0].reload], [3, false, 0x10000]);
    speaker.setGate(true);
    state.counter[2].mode = 0;
    state.counter[2].gate = true;
    state.counter[2].reload = 1;
    pit.loaded();
    for (let i = 0; i < 1000 && !speaker.out; i++);
    assert.ok(speaker.out);
    pit.hpetLegacy.set(true);
    assert.is(irqchip.readPit().getUint32(72, true), 1);
    pit.hpetLegacy.set(false);
    assert.is(irqchip.readPit().getUint32(72, true), 0);
    irqchip.restartPit();
  });

  test("a message that no local APIC takes is lost; one that the kernel cannot send is an error", () => {
    const { irqchip } = make();
    const message = { destination: 3, logical: false, deliveryMode: DELIVERY_FIXED, vector: 0x40, level: false };
    irqchip.signal(message);
    const without = new KernelIrqchip(system.library, system.createVm(), "split");
    assert.throws(() => without.signal(message), /KVM_SIGNAL_MSI failed/);
  });

  test("kvmclock stands still while the machine does", () => {
    const clock = new KvmClock(system.library, system.createVm());
    const first = clock.now;
    clock.start([]);
    clock.stop();
    const stopped = clock.now;
    assert.ok(stopped >= first);
    const until = performance.now() + 60;
    while (performance.now() < until);
    assert.is(clock.now, stopped);
    clock.start([]);
    assert.ok(clock.now >= stopped && clock.now < stopped + 50_000_000n);
    clock.now = 5_000_000_000n;
    assert.ok(clock.now >= 5_000_000_000n && clock.now < 5_500_000_000n);
  });
});

test.run();
