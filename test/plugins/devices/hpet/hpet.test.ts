import { test } from "uvu";
import * as assert from "uvu/assert";
import { readRegion, writeRegion } from "../../../../core/bus/io.ts";
import { ManualClock } from "../../../../core/clock.ts";
import { type IrqLine, irqLine } from "../../../../core/irq.ts";
import { StateArena } from "../../../../core/state/state.ts";
import { Hpet } from "../../../../plugins/devices/hpet/hpet.ts";
import { randomAccesses } from "../random-accesses.ts";

/** A host that is so busy that much time passes between two looks at the clock. */
class BusyClock extends ManualClock {
  #late = 0;

  override now(): number {
    this.#late += 700_000;
    return super.now() + this.#late;
  }
}

function setUp(clock = new ManualClock()) {
  const arena = StateArena.create();
  const edges: Record<string, number> = {};
  const levels: Record<string, boolean> = {};
  const line = (name: string): IrqLine =>
    irqLine((level) => {
      if (level && !levels[name]) edges[name] = (edges[name] ?? 0) + 1;
      levels[name] = level;
    });
  const lines = new Map<number, IrqLine>();
  const pin = (index: number): IrqLine => {
    const known = lines.get(index) ?? line(`pin${index}`);
    lines.set(index, known);
    return known;
  };
  const hpet = new Hpet({
    name: "hpet",
    arena,
    clock,
    legacyIrqs: [line("irq0"), line("irq8")],
    ioapicPin: pin,
    routes: 0xff0004,
    legacyReplacement: line("legacy"),
  });
  hpet.reset();
  const read = (offset: number): number => readRegion(hpet.io, offset, 4);
  const write = (offset: number, value: number): void => writeRegion(hpet.io, offset, value, 4);
  return { arena, clock, hpet, read, write, edges, levels };
}

const timer = (index: number): number => 0x100 + index * 0x20;

test("capabilities: three timers, 64 bits, legacy replacement, 10 ns", () => {
  const { read } = setUp();
  assert.is(read(0), 0x8086a201);
  assert.is(read(4), 10_000_000);
  assert.is(read(timer(0)), 0x30, "timer 0 is periodic and 64 bits wide");
  assert.is(read(timer(1)), 0x20);
  assert.is(read(timer(2) + 4), 0xff0004);
  assert.is(read(timer(0) + 8), 0xffffffff);
});

test("on a busy host, comparisons that pass while they are set up still come", () => {
  const { clock, write, edges } = setUp(new BusyClock());
  write(timer(0), 0x14c);
  write(timer(0) + 8, 50_000);
  write(timer(0) + 8, 50_000);
  write(timer(1), 4);
  write(timer(1) + 8, 20_000);
  write(timer(1) + 12, 0);
  write(0x10, 3);
  for (let i = 0; i < 20; i++) clock.fireDue(clock.now());
  assert.is(edges.irq8, 1);
  assert.ok(edges.irq0 >= 10, `${edges.irq0} periods`);
});

test("the main counter counts while enabled, and can be set while it stands", () => {
  const { clock, read, write } = setUp();
  clock.advance(1000);
  assert.is(read(0xf0), 0);
  write(0xf0, 0xfffffff0);
  write(0xf4, 1);
  write(0x10, 1);
  clock.advance(1000);
  assert.is(read(0xf0), 84);
  assert.is(read(0xf4), 2, "carry");
  write(0xf0, 0);
  assert.is(read(0xf0), 84, "not while it runs");
  write(0x10, 0);
  clock.advance(1000);
  assert.is(read(0xf0), 84);
});

test("one-shot, edge triggered, through the I/O APIC", () => {
  const { clock, write, edges } = setUp();
  write(timer(1), (16 << 9) | 0x04);
  write(timer(1) + 8, 500);
  write(timer(1) + 12, 0);
  write(0x10, 1);
  clock.advance(4999);
  assert.is(edges["pin16"], undefined);
  clock.advance(1);
  assert.is(edges["pin16"], 1);
  clock.advance(1e9);
  assert.is(edges["pin16"], 1);
});

test("periodic with VAL_SET: first comparison and period are written in turn", () => {
  const { clock, read, write, edges } = setUp();
  write(timer(0), (2 << 9) | 0x100 | 0x40 | 0x08 | 0x04);
  write(timer(0) + 8, 10_000);
  write(timer(0) + 8, 100_000);
  write(0x10, 1);
  clock.advance(100_000);
  assert.is(edges["pin2"], 1);
  assert.is(read(timer(0) + 8), 110_000);
  clock.advance(3_000_000);
  assert.is(edges["pin2"], 4);
});

test("legacy replacement takes interrupts 0 and 8", () => {
  const { clock, write, edges, levels } = setUp();
  write(0x10, 3);
  assert.is(levels["legacy"], true);
  for (const index of [0, 1]) {
    write(timer(index), 0x104);
    write(timer(index) + 8, 1000);
  }
  clock.advance(10_000);
  assert.is(edges["irq0"], 1);
  assert.is(edges["irq8"], 1);
  write(0x10, 1);
  assert.is(levels["legacy"], false);
});

test("a level stays until its status bit is cleared", () => {
  const { clock, read, write, levels } = setUp();
  write(timer(2), (20 << 9) | 0x100 | 0x04 | 0x02);
  write(timer(2) + 8, 1000);
  write(0x10, 1);
  clock.advance(10_000);
  assert.is(levels["pin20"], true);
  assert.is(read(0x20), 4);
  write(0x20, 3);
  assert.is(levels["pin20"], true);
  write(0x20, 4);
  assert.is(levels["pin20"], false);
});

test("32-bit timers fire again when the counter wraps", () => {
  const { clock, write, edges } = setUp();
  write(timer(1), (17 << 9) | 0x104);
  write(timer(1) + 8, 1000);
  write(0x10, 1);
  clock.advance(10_000);
  assert.is(edges["pin17"], 1);
  clock.advance(2 ** 32 * 10);
  assert.is(edges["pin17"], 2);
});

test("an absurd period does not take the host with it", () => {
  const { clock, write, edges } = setUp();
  write(timer(0), (2 << 9) | 0x100 | 0x40 | 0x08 | 0x04);
  write(timer(0) + 8, 1);
  write(timer(0) + 8, 1);
  write(0x10, 1);
  clock.advance(1_000_000);
  assert.ok(edges["pin2"] >= 40 && edges["pin2"] <= 60);
});

test("state round trip, with a timer running", () => {
  const { arena, clock, hpet, write, edges, levels } = setUp();
  write(0x10, 3);
  write(timer(0), 0x104);
  write(timer(0) + 8, 1000);
  clock.advance(5000);
  const saved = arena.save();
  hpet.reset();
  assert.is(levels["legacy"], false);
  clock.advance(1);
  arena.load(saved);
  hpet.loaded();
  assert.equal(arena.save(), saved);
  assert.is(levels["legacy"], true);
  clock.advance(4999);
  assert.is(edges["irq0"], 1);
});

test("any accesses are harmless", () => {
  const { clock, hpet } = setUp();
  randomAccesses(4000, (random, size) => {
    const offset = random() % 3 === 0 ? random() % 0x400 : timer(random() % 3) + (random() % 4) * 4;
    writeRegion(hpet.io, offset, random() % 2 ? random() : random() & 0xffff, size);
    if (random() % 8 === 0) writeRegion(hpet.io, 0x10, random(), 4);
    readRegion(hpet.io, random() % 0x400, size);
    clock.advance(random() % 100_000);
  });
});

test.run();
