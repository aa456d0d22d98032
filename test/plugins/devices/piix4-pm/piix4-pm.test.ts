import { test } from "uvu";
import * as assert from "uvu/assert";
import { PortSpace } from "../../../../core/bus/io.ts";
import { PciBus } from "../../../../core/bus/pci.ts";
import { ManualClock, NS_PER_SECOND } from "../../../../core/clock.ts";
import { irqLine, NO_IRQ } from "../../../../core/irq.ts";
import { StateArena } from "../../../../core/state/state.ts";
import { Piix4Pm } from "../../../../plugins/devices/piix4-pm/piix4-pm.ts";
import { randomAccesses } from "../random-accesses.ts";

const BASE = 0x600;
const DEVFN = 0x0b;

function setUp(more: { smm?: boolean; disableS3?: boolean } = {}) {
  const arena = StateArena.create();
  const clock = new ManualClock();
  const ports = new PortSpace();
  const seen = { sci: false, smi: 0, off: 0, suspend: 0, wake: [] as string[], timerAt: -1 };
  const pm = new Piix4Pm({
    name: "pm",
    arena,
    clock,
    sci: irqLine((level) => {
      seen.sci = level;
    }),
    mapPorts: (base, region) => ports.map(base, region),
    timerAt: (port) => {
      seen.timerAt = port;
    },
    powerOff: () => seen.off++,
    suspend: () => seen.suspend++,
    wakeUp: (reason) => seen.wake.push(reason),
    ...more,
  });
  pm.onSmi(() => seen.smi++);
  const bus = new PciBus({ map: () => () => {} }, { input: () => 0, inputs: [NO_IRQ] });
  bus.plug(pm, DEVFN);
  ports.map(0xb2, pm.apm);
  ports.map(0xafe0, pm.gpe);
  bus.configWrite(DEVFN, 0x40, BASE | 1, 4);
  bus.configWrite(DEVFN, 0x80, 1, 1);
  return { arena, clock, ports, seen, pm, bus };
}

test("identifies itself as the 82371AB power management function", () => {
  const { bus } = setUp();
  assert.is(bus.configRead(DEVFN, 0, 4), 0x71138086);
  assert.is(bus.configRead(DEVFN, 8, 4), 0x06800003);
});

test("the I/O block is where PMBA says while PMIOSE is set", () => {
  const { bus, pm, ports, seen } = setUp();
  assert.is(bus.configRead(DEVFN, 0x40, 4), 0x601);
  assert.is(seen.timerAt, BASE + 8);
  assert.is(ports.read(BASE + 4, 2), 0);
  bus.configWrite(DEVFN, 0x40, 0xb001, 2);
  assert.is(ports.read(BASE + 4, 2), 0xffff);
  assert.is(ports.read(0xb004, 2), 0);
  assert.is(seen.timerAt, 0xb008);
  bus.configWrite(DEVFN, 0x80, 0, 1);
  assert.is(ports.read(0xb004, 2), 0xffff);
  assert.is(seen.timerAt, 0);
  bus.configWrite(DEVFN, 0x80, 1, 1);
  pm.reset();
  assert.is(seen.timerAt, 0);
});

test("the timer counts 24 bits at 3.579545 MHz", () => {
  const { clock, ports } = setUp();
  assert.is(ports.read(BASE + 8, 4), 0);
  clock.advance(NS_PER_SECOND);
  assert.is(ports.read(BASE + 8, 4), 3579545);
  clock.advance(9 * NS_PER_SECOND);
  assert.is(ports.read(BASE + 8, 4), 35795450 % 2 ** 24);
  assert.is(ports.read(BASE + 8, 2), 35795450 % 2 ** 16);
  assert.is(ports.read(BASE + 0xa, 2), (35795450 % 2 ** 24) >> 16);
});

test("TMROF_STS is set when bit 23 changes, and raises SCI", () => {
  const { clock, ports, seen } = setUp();
  ports.write(0xb2, 0xf1, 1);
  ports.write(BASE + 2, 1, 2);
  const half = Math.ceil((2 ** 23 / 3579545) * NS_PER_SECOND);
  clock.advance(half - 1000);
  assert.is(seen.sci, false);
  clock.advance(2000);
  assert.is(seen.sci, true);
  assert.is(ports.read(BASE, 2), 1);
  ports.write(BASE, 1, 2);
  assert.is(seen.sci, false);
  assert.is(ports.read(BASE, 2), 0);
  clock.advance(half);
  assert.is(seen.sci, true);
});

test("ACPI enable and disable go through the APM command port", () => {
  const { ports, seen, bus } = setUp();
  ports.write(0xb2, 0xf1, 1);
  assert.is(ports.read(BASE + 4, 2), 1);
  assert.is(ports.read(0xb2, 1), 0xf1);
  ports.write(0xb2, 0xf0, 1);
  assert.is(ports.read(BASE + 4, 2), 0);
  assert.is(seen.smi, 0);
  bus.configWrite(DEVFN, 0x5b, 0x02, 1);
  ports.write(0xb3, 0x5a, 1);
  ports.write(0xb2, 0x01, 1);
  assert.is(seen.smi, 1);
  assert.is(ports.read(0xb3, 1), 0x5a);
});

test("without SMM, firmware finds APMC_EN set and no SMI comes", () => {
  const { ports, seen, bus } = setUp({ smm: false });
  assert.is(bus.configRead(DEVFN, 0x58, 4) & 0x2000000, 0x2000000);
  ports.write(0xb2, 0x01, 1);
  assert.is(seen.smi, 0);
});

test("the power button is a fixed event", () => {
  const { ports, seen, pm } = setUp();
  ports.write(0xb2, 0xf1, 1);
  ports.write(BASE + 2, 0x100, 2);
  pm.powerButton();
  assert.is(seen.sci, true);
  assert.is(ports.read(BASE + 1, 1), 1);
  ports.write(BASE + 1, 1, 1);
  assert.is(seen.sci, false);
  pm.sleepButton();
  assert.is(seen.sci, false, "not enabled");
  assert.is(ports.read(BASE, 2), 0x200);
});

test("general purpose events", () => {
  const { ports, seen, pm } = setUp();
  ports.write(0xb2, 0xf1, 1);
  pm.raiseGpe(9);
  assert.is(ports.read(0xafe0, 2), 0x200);
  assert.is(seen.sci, false);
  ports.write(0xafe3, 0x02, 1);
  assert.is(seen.sci, true);
  ports.write(0xafe0, 0x200, 2);
  assert.is(seen.sci, false);
});

test("SUS_EN with type 0 is off, 1 suspends, 2 is off after S4", () => {
  const { ports, seen, pm } = setUp();
  ports.write(BASE + 4, 0x2001, 2);
  assert.is(seen.off, 1);
  assert.is(ports.read(BASE + 4, 2), 1, "SUS_EN reads as zero");
  ports.write(BASE + 5, 0x28, 1);
  assert.is(seen.off, 2);
  assert.is(ports.read(BASE + 4, 2), 0x801, "a byte write keeps the other byte");
  ports.write(BASE + 4, 0x2401, 2);
  assert.is(seen.suspend, 1);
  pm.powerButton();
  assert.equal(seen.wake, ["power-button"]);
  assert.is(pm.suspended, true);
  pm.reset();
  assert.is(pm.suspended, false, "a reset ends S3 too");
});

test("in S3 the RTC's alarm and the PM timer wake a guest that has enabled them", () => {
  const { ports, seen, pm, clock } = setUp();
  ports.write(BASE + 2, 0x400, 2);
  pm.rtcAlarm();
  assert.is(ports.read(BASE, 2) & 0x400, 0x400, "awake, the alarm is an event");
  ports.write(BASE, 0x400, 2);
  ports.write(BASE + 4, 0x2400, 2);
  pm.rtcAlarm();
  assert.equal(seen.wake, ["rtc"]);
  ports.write(BASE + 2, 1, 2);
  pm.rtcAlarm();
  assert.equal(seen.wake, ["rtc"], "not enabled");
  clock.advance(3 * NS_PER_SECOND);
  assert.equal(seen.wake, ["rtc", "pm-timer"]);
});

test("wake-up leaves WAK_STS and its reason behind", () => {
  const { ports, pm, bus } = setUp();
  ports.write(BASE + 4, 0x2401, 2);
  pm.reset();
  pm.wake("rtc");
  bus.configWrite(DEVFN, 0x40, BASE, 4);
  bus.configWrite(DEVFN, 0x80, 1, 1);
  assert.is(ports.read(BASE, 2), 0x8400);
  assert.is(pm.suspended, false);
});

test("a disabled sleep state does nothing", () => {
  const { ports, seen } = setUp({ disableS3: true });
  ports.write(BASE + 4, 0x2400, 2);
  assert.is(seen.suspend, 0);
});

test("SMBus transactions end with a device error", () => {
  const { bus, ports } = setUp();
  bus.configWrite(DEVFN, 0x90, 0x701, 4);
  bus.configWrite(DEVFN, 0xd2, 9, 1);
  ports.write(0x704, 0xa1, 1);
  ports.write(0x702, 0x48, 1);
  assert.is(ports.read(0x700, 1), 0x04);
  assert.is(ports.read(0x702, 1), 0x08);
  ports.write(0x700, 0x1e, 1);
  assert.is(ports.read(0x700, 1), 0);
});

test("state round trip", () => {
  const { arena, ports, pm, clock, seen } = setUp();
  ports.write(0xb2, 0xf1, 1);
  ports.write(BASE + 2, 0x101, 2);
  clock.advance(12345678);
  pm.powerButton();
  const saved = arena.save();
  pm.reset();
  assert.is(seen.sci, false);
  assert.is(ports.read(BASE, 2), 0xffff);
  arena.load(saved);
  pm.loaded();
  assert.is(ports.read(BASE, 2), 0x100);
  assert.is(seen.sci, true);
  assert.equal(arena.save(), saved);
});

test("any accesses are harmless", () => {
  const { bus, ports, clock, pm } = setUp();
  randomAccesses(4000, (random, size) => {
    bus.configWrite(DEVFN, 0x10 + (random() % 0xf0), random(), size);
    ports.write(BASE + (random() % 64), random(), size);
    ports.read(BASE + (random() % 64), size);
    ports.write(0xafe0 + (random() % 4), random(), size);
    ports.write(0xb2 + (random() % 2), random() & 0xff, 1);
    clock.advance(random() % 1e9);
    pm.powerButton();
  });
});

test.run();
