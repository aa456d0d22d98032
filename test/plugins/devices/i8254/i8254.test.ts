import { test } from "uvu";
import * as assert from "uvu/assert";
import { PIT_FREQUENCY, ticksAt, timeOfTick } from "../../../../core/chips/i8254.ts";
import { ManualClock, NS_PER_SECOND } from "../../../../core/clock.ts";
import { StateArena } from "../../../../core/state/state.ts";
import { I8254 } from "../../../../plugins/devices/i8254/i8254.ts";
import { checkHostileAccess, checkRoundTrip, TestLine } from "../checks.ts";

function setup() {
  const arena = StateArena.create();
  const clock = new ManualClock();
  const irq = new TestLine();
  const pit = new I8254({ name: "pit", arena, clock, irq });
  pit.reset();
  const write = (port: number, ...values: number[]): void => {
    for (const value of values) pit.io.handler.write(port, value, 1);
  };
  const read = (port: number): number => pit.io.handler.read(port, 1);
  /** Latches and reads a two-byte count. */
  const count = (n: number): number => {
    write(3, n << 6);
    return read(n) | (read(n) << 8);
  };
  let tick = 0;
  /** Goes to `ticks` ticks after the last `mark`. */
  const at = (ticks: number): void => clock.advance(timeOfTick(tick + ticks) - clock.now());
  const mark = (): void => {
    tick = ticksAt(clock.now());
  };
  const status = (n: number): number => {
    write(3, 0xe0 | (2 << n));
    return read(n);
  };
  return { arena, clock, irq, pit, write, read, count, at, mark, status };
}

const OUT = 0x80;
const NULL_COUNT = 0x40;

test("ticks and nanoseconds convert exactly over years", () => {
  for (const tick of [0, 1, 2, 1193181, 1193182, 1193183, 7_000_000_000_001]) {
    assert.is(ticksAt(timeOfTick(tick)), tick);
    if (tick > 0) assert.is(ticksAt(timeOfTick(tick) - 1), tick - 1);
  }
  assert.is(ticksAt(NS_PER_SECOND * 1e6), PIT_FREQUENCY * 1e6);
});

test("mode 0: OUT rises N + 1 clocks after the count was written, once", () => {
  const t = setup();
  t.write(3, 0b00_11_000_0);
  assert.is(t.status(0), NULL_COUNT | 0x30, "OUT low, null count, mode 0, both bytes");
  t.mark();
  t.write(0, 100, 0);
  assert.is(t.status(0) & NULL_COUNT, NULL_COUNT);
  t.at(1);
  assert.is(t.status(0) & NULL_COUNT, 0);
  assert.is(t.count(0), 100);
  t.at(41);
  assert.is(t.count(0), 60);
  t.at(100);
  assert.not(t.irq.level);
  t.at(101);
  assert.ok(t.irq.level);
  assert.is(t.count(0), 0);
  t.at(103);
  assert.is(t.count(0), 0xfffe, "it wraps and goes on");
  t.at(200_000);
  assert.ok(t.irq.level);
  t.write(0, 5);
  assert.not(t.irq.level, "the first byte of a new count stops it");
  t.at(300_000);
  assert.not(t.irq.level);
  t.write(0, 0);
  t.at(300_010);
  assert.ok(t.irq.level);
});

test("mode 0: GATE low holds the count", () => {
  const t = setup();
  const c2 = t.pit.channel(2);
  c2.setGate(true);
  t.write(3, 0b10_11_000_0);
  t.mark();
  t.write(2, 50, 0);
  t.at(11);
  c2.setGate(false);
  t.at(1000);
  assert.is(t.count(2), 40);
  assert.not(c2.out);
  c2.setGate(true);
  t.at(1039);
  assert.not(c2.out);
  t.at(1040);
  assert.ok(c2.out);
});

test("mode 1: each rising edge of GATE makes a pulse of N clocks", () => {
  const t = setup();
  const c2 = t.pit.channel(2);
  t.write(3, 0b10_01_001_0);
  t.write(2, 10);
  assert.ok(c2.out);
  assert.is(t.status(2) & NULL_COUNT, NULL_COUNT, "not loaded before the trigger");
  t.mark();
  c2.setGate(true);
  t.at(1);
  assert.not(c2.out);
  assert.is(t.status(2) & NULL_COUNT, 0);
  t.at(10);
  assert.not(c2.out);
  t.at(11);
  assert.ok(c2.out);
  c2.setGate(false);
  c2.setGate(true);
  t.at(16);
  c2.setGate(false);
  c2.setGate(true);
  t.at(26);
  assert.not(c2.out, "retriggered");
  t.at(27);
  assert.ok(c2.out);
});

test("mode 2: one clock low in N; counts from N to 1", () => {
  const t = setup();
  t.write(3, 0b00_11_010_0);
  t.mark();
  t.write(0, 10, 0);
  const { edges } = t.irq;
  t.at(1);
  assert.is(t.count(0), 10);
  t.at(10);
  assert.is(t.count(0), 1);
  assert.is(t.status(0) & OUT, 0);
  t.at(11);
  assert.is(t.count(0), 10);
  assert.is(t.status(0) & OUT, OUT);
  assert.is(t.irq.edges, edges + 1);
  t.at(1 + 1000);
  assert.is(t.irq.edges, edges + 100);
});

test("mode 2: a new count takes over at the end of the period", () => {
  const t = setup();
  t.write(3, 0b00_01_010_0);
  t.mark();
  t.write(0, 100);
  t.at(31);
  const { edges } = t.irq;
  t.write(0, 20);
  assert.is(t.status(0) & NULL_COUNT, NULL_COUNT);
  t.write(3, 0);
  assert.is(t.read(0), 70);
  t.at(101);
  assert.is(t.irq.edges, edges + 1);
  assert.is(t.status(0) & NULL_COUNT, 0);
  t.write(3, 0);
  assert.is(t.read(0), 20);
  t.at(201);
  assert.is(t.irq.edges, edges + 6);
});

test("mode 2: GATE low stops and forces OUT high, its rise reloads", () => {
  const t = setup();
  const c2 = t.pit.channel(2);
  c2.setGate(true);
  t.write(3, 0b10_01_010_0);
  t.mark();
  t.write(2, 10);
  t.at(10);
  assert.not(c2.out);
  c2.setGate(false);
  assert.ok(c2.out);
  t.at(50);
  c2.setGate(true);
  t.at(51);
  t.write(3, 0x80);
  assert.is(t.read(2), 10);
});

test("mode 3: high and low halves, counting by two", () => {
  const t = setup();
  const c2 = t.pit.channel(2);
  c2.setGate(true);
  t.write(3, 0b10_11_111_0);
  assert.is((t.status(2) >> 1) & 7, 3, "mode 7 is mode 3");
  t.mark();
  t.write(2, 8, 0);
  const seen = Array.from({ length: 8 }, (_, i) => {
    t.at(1 + i);
    return [t.count(2), c2.out];
  });
  assert.equal(seen, [
    [8, true],
    [6, true],
    [4, true],
    [2, true],
    [8, false],
    [6, false],
    [4, false],
    [2, false],
  ]);
  t.write(3, 0b10_11_011_0);
  t.mark();
  t.write(2, 5, 0);
  const odd = Array.from({ length: 6 }, (_, i) => {
    t.at(1 + i);
    return [t.count(2), c2.out];
  });
  assert.equal(odd, [
    [4, true],
    [2, true],
    [0, true],
    [4, false],
    [2, false],
    [4, true],
  ]);
});

test("mode 3: a new count takes over at the end of the half period", () => {
  const t = setup();
  t.write(3, 0b00_01_011_0);
  t.mark();
  t.write(0, 100);
  t.at(11);
  const { edges } = t.irq;
  t.write(0, 20);
  t.at(50);
  assert.is(t.status(0) & OUT, OUT);
  t.at(51);
  assert.is(t.status(0) & OUT, 0, "the old high half has ended");
  t.at(60);
  assert.is(t.irq.edges, edges);
  t.at(61);
  assert.is(t.irq.edges, edges + 1, "the new low half has ended");
  t.at(81);
  assert.is(t.irq.edges, edges + 2);
});

test("mode 4 strobes once, mode 5 on each trigger", () => {
  const t = setup();
  const c2 = t.pit.channel(2);
  c2.setGate(true);
  t.write(3, 0b10_01_100_0);
  t.mark();
  t.write(2, 10);
  t.at(10);
  assert.ok(c2.out);
  t.at(11);
  assert.not(c2.out);
  t.at(12);
  assert.ok(c2.out);
  t.at(11 + 65536);
  assert.ok(c2.out, "no second strobe after the wrap");
  c2.setGate(false);
  t.write(3, 0b10_01_101_0);
  t.write(2, 3);
  t.mark();
  c2.setGate(true);
  t.at(4);
  assert.not(c2.out);
  t.at(5);
  assert.ok(c2.out);
});

test("mode 4 on counter 0 interrupts at the end of its strobe", () => {
  const t = setup();
  t.write(3, 0b00_01_100_0);
  t.mark();
  const { edges } = t.irq;
  t.write(0, 10);
  t.at(11);
  assert.is(t.irq.edges, edges);
  t.at(12);
  assert.is(t.irq.edges, edges + 1);
});

test("BCD counts in decimal, zero is 10000", () => {
  const t = setup();
  t.write(3, 0b00_11_000_1);
  t.mark();
  t.write(0, 0x00, 0x12);
  t.at(2);
  assert.is(t.count(0), 0x1199);
  t.write(3, 0b00_11_010_1);
  t.mark();
  t.write(0, 0, 0);
  t.at(2);
  assert.is(t.count(0), 0x9999);
});

test("a latched count stays until it is read; status comes first", () => {
  const t = setup();
  t.write(3, 0b00_11_010_0);
  t.mark();
  t.write(0, 0x34, 0x12);
  t.at(1);
  t.write(3, 0);
  t.at(100);
  t.write(3, 0);
  t.write(3, 0b1100_0010);
  assert.is(t.read(0), OUT | 0b11_010_0, "status of the read-back command");
  assert.is(t.read(0), 0x34);
  assert.is(t.read(0), 0x12);
  assert.is(t.read(0), (0x1234 - 99) & 0xff, "the live count again");
});

test("channel 0 keeps to the clock without drift", () => {
  const t = setup();
  t.write(3, 0b00_11_010_0);
  t.write(0, 1193 & 0xff, 1193 >> 8);
  const { edges } = t.irq;
  t.clock.advance(10 * NS_PER_SECOND);
  assert.is(t.irq.edges - edges, Math.floor((10 * PIT_FREQUENCY - 1) / 1193));
});

test("a late timer makes up for the edges it missed", () => {
  const t = setup();
  t.write(3, 0b00_01_010_0);
  t.write(0, 100);
  const { edges } = t.irq;
  // The thread was away for ten periods: ManualClock's own firing is stepped over by firing late.
  const late = timeOfTick(1001);
  Object.defineProperty(t.clock, "now", { value: () => late });
  for (let i = 0; i < 50; i++) t.clock.fireDue(late);
  assert.is(t.irq.edges - edges, 10);
});

test("count 1 in the periodic modes makes no interrupt storm", () => {
  const t = setup();
  for (const mode of [2, 3]) {
    t.write(3, 0b00_01_000_0 | (mode << 1));
    t.write(0, 1);
    assert.is(t.clock.nextDeadline(), undefined);
  }
});

test("state", () => {
  const t = setup();
  t.write(3, 0b00_11_010_0);
  t.write(0, 0x34, 0x12);
  t.clock.advance(12345);
  t.write(3, 0);
  t.read(0);
  const before = t.clock.nextDeadline();
  checkRoundTrip(t.arena, () => t.pit.loaded());
  assert.is(t.clock.nextDeadline(), before);
});

test("hostile accesses", () => {
  const t = setup();
  checkHostileAccess([t.pit.io], (random) => {
    if (random(4) === 0) t.pit.channel(2).setGate(random(2) === 0);
    const due = t.clock.nextDeadline();
    t.clock.advance(random(2000));
    if (due !== undefined && random(10) === 0) t.clock.advance(Math.min(100_000, Math.max(0, due - t.clock.now())));
  });
});

test.run();
