import { test } from "uvu";
import * as assert from "uvu/assert";
import { ManualClock, NS_PER_MS, NS_PER_SECOND, NS_PER_US } from "../../../../core/clock.ts";
import { StateArena } from "../../../../core/state/state.ts";
import { loadTime, secondsToAlarm, storeTime } from "../../../../plugins/devices/mc146818/calendar.ts";
import { Mc146818 } from "../../../../plugins/devices/mc146818/mc146818.ts";
import { checkHostileAccess, checkRoundTrip, TestLine } from "../checks.ts";

function setup(initialMs = Date.UTC(1999, 11, 31, 23, 59, 58, 250)) {
  const arena = StateArena.create();
  const clock = new ManualClock();
  const irq = new TestLine();
  const wall = { lead: initialMs };
  const alarms: number[] = [];
  const wallClock = { nowMs: () => Math.floor(wall.lead + clock.now() / NS_PER_MS) };
  const rtc = new Mc146818({ name: "rtc", arena, clock, irq, wallClock, alarm: () => alarms.push(clock.now()) });
  rtc.reset();
  const write = (index: number, value: number): void => {
    rtc.io.handler.write(0, index, 1);
    rtc.io.handler.write(1, value, 1);
  };
  const read = (index: number): number => {
    rtc.io.handler.write(0, index, 1);
    return rtc.io.handler.read(1, 1);
  };
  /** century, year, month, day, weekday, hours, minutes, seconds */
  const time = (): string =>
    [0x32, 9, 8, 7, 6, 4, 2, 0].map((index) => read(index).toString(16).padStart(2, "0")).join(" ");
  return { arena, clock, wall, alarms, irq, rtc, write, read, time };
}

test("power-on: BCD, 24 hours, the time given, valid RAM and time", () => {
  const { time, read, clock } = setup();
  assert.is(read(0x0b), 0x02);
  assert.is(read(0x0d), 0x80);
  assert.is(read(0x0a) & 0x7f, 0x26);
  assert.is(time(), "19 99 12 31 06 23 59 58");
  clock.advance(749 * NS_PER_MS);
  assert.is(read(0), 0x58);
  clock.advance(NS_PER_MS);
  assert.is(read(0), 0x59);
  clock.advance(NS_PER_SECOND);
  assert.is(time(), "20 00 01 01 07 00 00 00");
});

test("binary and 12-hour formats", () => {
  const { time, write, clock } = setup();
  write(0x0b, 0x06);
  assert.is(time(), "13 63 0c 1f 06 17 3b 3a");
  write(0x0b, 0x00);
  assert.is(time(), "19 99 12 31 06 91 59 58", "11 PM");
  clock.advance(2 * NS_PER_SECOND);
  assert.is(time(), "20 00 01 01 07 12 00 00", "12 AM");
});

test("SET stops the time for setting, the divider goes on", () => {
  const { time, write, clock, read } = setup();
  write(0x0b, 0x82);
  clock.advance(5 * NS_PER_SECOND);
  assert.is(time(), "19 99 12 31 06 23 59 58");
  for (const [index, value] of [
    [0x32, 0x20],
    [9, 0x26],
    [8, 0x02],
    [7, 0x28],
    [6, 0x07],
    [4, 0x12],
    [2, 0x34],
    [0, 0x56],
  ]) {
    write(index, value);
  }
  assert.is(read(0x0a) & 0x80, 0);
  write(0x0b, 0x02);
  assert.is(time(), "20 26 02 28 07 12 34 56");
  clock.advance(750 * NS_PER_MS);
  assert.is(read(0), 0x57);
  clock.advance(86_400 * NS_PER_SECOND);
  assert.is(time(), "20 26 03 01 01 12 34 57");
});

test("the first update comes 500 ms after a divider reset", () => {
  const { write, read, clock } = setup();
  write(0x0a, 0x76);
  clock.advance(10 * NS_PER_SECOND);
  assert.is(read(0), 0x58);
  write(0x0a, 0x26);
  clock.advance(499 * NS_PER_MS);
  assert.is(read(0), 0x58);
  clock.advance(NS_PER_MS);
  assert.is(read(0), 0x59);
});

test("UIP is high for 2.2 ms before each update", () => {
  const { read, clock } = setup(Date.UTC(2026, 0, 1));
  clock.advance(NS_PER_SECOND - 2300 * NS_PER_US);
  assert.is(read(0x0a) & 0x80, 0);
  clock.advance(100 * NS_PER_US);
  assert.is(read(0x0a) & 0x80, 0x80);
  assert.is(read(0), 0);
  clock.advance(2200 * NS_PER_US);
  assert.is(read(0x0a) & 0x80, 0);
  assert.is(read(0), 1);
});

test("update-ended interrupt; reading C clears it", () => {
  const { read, write, clock, irq } = setup(Date.UTC(2026, 0, 1));
  write(0x0b, 0x12);
  clock.advance(NS_PER_SECOND - 1);
  assert.not(irq.level);
  clock.advance(1);
  assert.ok(irq.level);
  clock.advance(3 * NS_PER_SECOND);
  assert.is(irq.edges, 1);
  assert.is(read(0x0c) & 0x90, 0x90);
  assert.not(irq.level);
  assert.is(read(0x0c), 0);
  clock.advance(NS_PER_SECOND);
  assert.is(irq.edges, 2);
});

test("flags are set without their enables, and interrupt once they are enabled", () => {
  const { read, write, clock, irq } = setup(Date.UTC(2026, 0, 1));
  clock.advance(NS_PER_SECOND);
  assert.not(irq.level);
  assert.is(read(0x0c), 0x50, "PF and UF; the alarm at 00:00:00 has passed");
  clock.advance(NS_PER_SECOND);
  write(0x0b, 0x12);
  assert.ok(irq.level);
});

test("periodic interrupt at the selected rate, on exact ticks", () => {
  const { read, write, clock, irq } = setup(Date.UTC(2026, 0, 1));
  read(0x0c);
  write(0x0b, 0x42);
  const start = irq.edges;
  for (let i = 0; i < 2 * 1024; i++) {
    clock.advance(clock.nextDeadline()! - clock.now());
    assert.ok(irq.level);
    assert.is(read(0x0c) & 0xc0, 0xc0);
  }
  assert.is(irq.edges - start, 2048);
  assert.is(clock.now(), 2 * NS_PER_SECOND);
  write(0x0a, 0x21);
  clock.advance(clock.nextDeadline()! - clock.now());
  assert.is(clock.now(), 2 * NS_PER_SECOND + NS_PER_SECOND / 256, "rate 1 is 256 Hz");
});

test("alarm: exact time and don't care", () => {
  const { read, write, clock, irq } = setup(Date.UTC(2026, 0, 1, 10, 0, 0));
  write(5, 0x10);
  write(3, 0x01);
  write(1, 0x30);
  read(0x0c);
  write(0x0b, 0x22);
  clock.advance(90 * NS_PER_SECOND - 1);
  assert.not(irq.level);
  clock.advance(1);
  assert.is(read(0x0c) & 0xa0, 0xa0);
  clock.advance(86_400 * NS_PER_SECOND);
  assert.is(irq.edges, 2);
  read(0x0c);
  write(5, 0xc0);
  write(3, 0xff);
  clock.advance(60 * NS_PER_SECOND);
  assert.is(irq.edges, 3, "every minute at 30 seconds");
});

test("an alarm whose interrupt is enabled is told to power management", () => {
  const { read, write, clock, alarms } = setup();
  write(5, 0xff);
  write(3, 0xff);
  write(1, 0x59);
  clock.advance(NS_PER_SECOND);
  assert.is(alarms.length, 0);
  assert.is(read(0x0c) & 0x20, 0x20, "it was flagged");
  write(0x0b, 0x22);
  clock.advance(60 * NS_PER_SECOND);
  assert.is(alarms.length, 1);
});

test("seconds to the alarm", () => {
  const cmos = new Uint8Array(128);
  cmos[0x0b] = 6;
  const at = (h: number, m: number, s: number): number => h * 3600 + m * 60 + s;
  const alarm = (h: number, m: number, s: number, now: number): number | undefined => {
    [cmos[5], cmos[3], cmos[1]] = [h, m, s];
    return secondsToAlarm(cmos, now);
  };
  assert.is(alarm(0xff, 0xff, 0xff, 59), 1);
  assert.is(alarm(1, 2, 3, at(1, 2, 3)), 86_400);
  assert.is(alarm(1, 2, 3, at(1, 2, 4)), 86_399);
  assert.is(alarm(0, 0, 0, at(23, 59, 59)), 1);
  assert.is(alarm(0xff, 0, 0, at(5, 0, 0)), 3600);
  assert.is(alarm(0xff, 0xff, 0, at(5, 10, 0)), 60);
  assert.is(alarm(25, 0, 0, 0), undefined);
  assert.is(alarm(0, 60, 0, 0), undefined);
  assert.is(alarm(0, 0, 99, 0), undefined);
});

test("every hour of the day survives all four formats", () => {
  const cmos = new Uint8Array(128);
  for (const b of [0, 2, 4, 6]) {
    cmos[0x0b] = b;
    for (let hour = 0; hour < 24; hour++) {
      const time = Date.UTC(2024, 1, 29, hour, 7, 42) / 1000;
      storeTime(cmos, time);
      assert.is(loadTime(cmos), time);
    }
  }
});

test("the time follows the wall clock when the machine had stood still", () => {
  const { wall, clock, time, write } = setup(Date.UTC(2026, 0, 1));
  clock.advance(NS_PER_SECOND);
  wall.lead += 3600_400;
  assert.is(time(), "20 26 01 01 05 01 00 01");
  wall.lead += 700;
  assert.is(time(), "20 26 01 01 05 01 00 02", "by whole seconds");
  write(4, 0x12);
  wall.lead -= 10_000;
  assert.is(time(), "20 26 01 01 05 11 59 53", "what the guest has set moves along");
});

test("memory, index and its NMI bit", () => {
  const { read, write, rtc } = setup();
  rtc.setCmos(0x10, 0x40);
  assert.is(read(0x10), 0x40);
  write(0xff, 0xa5);
  assert.is(read(0x7f), 0xa5);
  assert.is(rtc.cmos(0x7f), 0xa5);
  assert.is(read(0x37), read(0x32), "the PS/2 century byte");
  write(0x0d, 0);
  assert.is(read(0x0d), 0x80);
});

test("a reset keeps time and memory, and clears the enables", () => {
  const { read, write, clock, rtc, irq, time } = setup();
  write(0x0b, 0x72);
  write(0x40, 0x99);
  clock.advance(5 * NS_PER_SECOND);
  rtc.reset();
  assert.not(irq.level);
  assert.is(read(0x0b), 0x02);
  assert.is(read(0x0c) & 0x80, 0);
  assert.is(read(0x40), 0x99);
  assert.is(time(), "20 00 01 01 07 00 00 03");
});

test("state", () => {
  const { arena, write, clock, rtc, irq, time } = setup();
  write(0x0b, 0x52);
  clock.advance(NS_PER_SECOND);
  const shown = time();
  const next = clock.nextDeadline();
  irq.level = false;
  checkRoundTrip(arena, () => rtc.loaded());
  assert.ok(irq.level);
  assert.is(time(), shown);
  assert.is(clock.nextDeadline(), next);
});

test("hostile accesses", () => {
  const { rtc, clock } = setup();
  checkHostileAccess([rtc.io], (random) => clock.advance(random(2 ** 20)));
});

test.run();
