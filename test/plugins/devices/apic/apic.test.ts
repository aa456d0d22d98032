import { test } from "uvu";
import * as assert from "uvu/assert";
import { ApicBus, msiMessage } from "../../../../core/bus/apic-bus.ts";
import { type AccessSize, readRegion, writeRegion } from "../../../../core/bus/io.ts";
import { ManualClock } from "../../../../core/clock.ts";
import { StateArena } from "../../../../core/state/state.ts";
import { LocalApic } from "../../../../plugins/devices/apic/apic.ts";
import { randomAccesses } from "../random-accesses.ts";

const ENABLE = 0x1ff;

function setUp(count = 1) {
  const arena = StateArena.create();
  const clock = new ManualClock();
  const bus = new ApicBus();
  const cpus = Array.from({ length: count }, (_, id) => {
    const log: string[] = [];
    const seen = { intr: false, log, external: -1 };
    const apic = new LocalApic({
      name: `apic${id}`,
      arena,
      clock,
      bus,
      id,
      x2apic: true,
      tscToNs: (tsc) => Number(tsc),
    });
    apic.connect(
      {
        setIntr: (level) => {
          seen.intr = level;
        },
        nmi: () => log.push("nmi"),
        smi: () => log.push("smi"),
        init: () => log.push("init"),
        sipi: (vector) => log.push(`sipi ${vector}`),
        setA20() {},
      },
      { acknowledge: () => seen.external },
    );
    apic.reset();
    return { apic, seen };
  });
  const read = (offset: number, size: AccessSize = 4): number => readRegion(bus.io, offset, size);
  const write = (offset: number, value: number, size: AccessSize = 4): void => writeRegion(bus.io, offset, value, size);
  const on = (cpu: number): void => {
    bus.current = cpu;
  };
  return { arena, clock, bus, cpus, apic: cpus[0].apic, seen: cpus[0].seen, read, write, on };
}

test("state after reset: software disabled, spurious vector FFh, entries masked, flat model", () => {
  const { read, apic } = setUp();
  assert.is(apic.base, 0xfee00900);
  assert.is(read(0x20), 0);
  assert.is(read(0x30), 0x50014);
  assert.is(read(0xf0), 0xff);
  assert.is(read(0xe0), 0xffffffff);
  for (const offset of [0x320, 0x330, 0x340, 0x360, 0x370]) assert.is(read(offset), 0x10000);
});

test("a self IPI is pending in IRR, moves to ISR when taken, and leaves with EOI", () => {
  const { read, write, apic, seen } = setUp();
  write(0xf0, ENABLE);
  write(0x300, 0x40051);
  assert.is(seen.intr, true);
  assert.is(read(0x220), 1 << 17);
  assert.is(apic.acknowledge(), 0x51);
  assert.is(seen.intr, false);
  assert.is(read(0x220), 0);
  assert.is(read(0x120), 1 << 17);
  assert.is(read(0xa0), 0x50, "PPR is the class in service");
  write(0xb0, 0);
  assert.is(read(0x120), 0);
  assert.is(read(0xa0), 0);
  assert.is(apic.acknowledge(), -1);
});

test("priorities: TPR holds its class and below, a higher class interrupts a lower one", () => {
  const { write, apic, seen } = setUp();
  write(0xf0, ENABLE);
  write(0x80, 0x50);
  write(0x300, 0x4005f);
  assert.is(seen.intr, false);
  write(0x300, 0x40060);
  assert.is(seen.intr, true);
  assert.is(apic.acknowledge(), 0x60);
  write(0x300, 0x40065);
  assert.is(seen.intr, false, "same class");
  write(0x300, 0x40071);
  assert.is(apic.acknowledge(), 0x71);
  write(0xb0, 0);
  assert.is(seen.intr, false);
  write(0xb0, 0);
  assert.is(apic.acknowledge(), 0x65);
  write(0xb0, 0);
  assert.is(apic.acknowledge(), -1);
  apic.tpr = 4;
  assert.is(apic.tpr, 4);
  assert.is(apic.acknowledge(), 0x5f);
});

test("software disable masks the local vector table and takes no fixed interrupts", () => {
  const { read, write, seen } = setUp();
  write(0xf0, ENABLE);
  write(0x320, 0x40);
  write(0xf0, 0xff);
  assert.is(read(0x320), 0x10040);
  write(0x320, 0x40);
  assert.is(read(0x320), 0x10040);
  write(0x300, 0x40051);
  assert.is(seen.intr, false);
});

test("timer: one-shot at bus clock over divider, current count computed from the clock", () => {
  const { read, write, clock, apic, seen } = setUp();
  write(0xf0, ENABLE);
  write(0x3e0, 0b0011); // by 16
  write(0x320, 0x30);
  write(0x380, 1000);
  clock.advance(160);
  assert.is(read(0x390), 990);
  clock.advance(15839);
  assert.is(seen.intr, false);
  clock.advance(1);
  assert.is(apic.acknowledge(), 0x30);
  assert.is(read(0x390), 0);
  clock.advance(1e6);
  assert.is(seen.intr, false);
});

test("timer: periodic reloads", () => {
  const { read, write, clock, apic } = setUp();
  write(0xf0, ENABLE);
  write(0x3e0, 0b1011); // by 1
  write(0x320, 0x20030);
  write(0x380, 100_000);
  for (let i = 0; i < 3; i++) {
    clock.advance(100_000);
    assert.is(apic.acknowledge(), 0x30);
    write(0xb0, 0);
    assert.is(read(0x390), 100_000);
  }
  write(0x380, 0);
  clock.advance(1e6);
  assert.is(apic.acknowledge(), -1);
});

test("timer: TSC deadline fires once and clears itself", () => {
  const { write, clock, apic } = setUp();
  write(0xf0, ENABLE);
  write(0x320, 0x40030);
  apic.tscDeadline = 5000n;
  write(0x380, 10);
  clock.advance(4999);
  assert.is(apic.acknowledge(), -1);
  assert.is(apic.tscDeadline, 5000n);
  clock.advance(1);
  assert.is(apic.acknowledge(), 0x30);
  assert.is(apic.tscDeadline, 0n);
});

test("virtual wire: the 8259's INTR passes through LINT0", () => {
  const { write, apic, seen } = setUp();
  seen.external = 0x08;
  apic.lint[0].set(true);
  assert.is(seen.intr, true);
  assert.is(apic.acknowledge(), 0x08);
  apic.lint[0].set(false);
  assert.is(seen.intr, false);
  write(0xf0, ENABLE);
  write(0x350, 0x10700);
  apic.lint[0].set(true);
  assert.is(seen.intr, false, "masked");
  write(0x350, 0x700);
  assert.is(seen.intr, true);
});

test("with the APIC switched off the pins are INTR and NMI", () => {
  const { apic, seen } = setUp();
  assert.is(apic.setBase(0xfee00100), true);
  apic.lint[0].set(true);
  assert.is(seen.intr, true);
  apic.lint[1].set(true);
  assert.equal(seen.log, ["nmi"]);
});

test("LINT1 as NMI, LINT0 as an edge and as a level", () => {
  const { read, write, apic, seen } = setUp();
  write(0xf0, ENABLE);
  write(0x360, 0x400);
  apic.lint[1].set(true);
  assert.equal(seen.log, ["nmi"]);
  write(0x350, 0x45);
  apic.lint[0].set(true);
  assert.is(apic.acknowledge(), 0x45);
  write(0xb0, 0);
  assert.is(apic.acknowledge(), -1);
  apic.lint[0].set(false);
  write(0x350, 0x8045);
  apic.lint[0].set(true);
  assert.is(read(0x350), 0xc045, "remote IRR");
  assert.is(apic.acknowledge(), 0x45);
  write(0xb0, 0);
  assert.is(apic.acknowledge(), 0x45, "still asserted");
  apic.lint[0].set(false);
  write(0xb0, 0);
  assert.is(apic.acknowledge(), -1);
});

test("IPIs: physical, flat and cluster logical, shorthands, INIT and startup", () => {
  const { write, cpus, on, bus } = setUp(3);
  for (let cpu = 0; cpu < 3; cpu++) {
    on(cpu);
    write(0xf0, ENABLE);
    write(0xd0, 1 << (24 + cpu));
  }
  const taken = (): number[] =>
    cpus.map(({ apic }, cpu) => {
      const vector = apic.acknowledge();
      on(cpu);
      if (vector >= 0) write(0xb0, 0);
      return vector;
    });
  const send = (high: number, low: number): number[] => {
    on(0);
    write(0x310, high);
    write(0x300, low);
    return taken();
  };
  assert.equal(send(1 << 24, 0x41), [-1, 0x41, -1]);
  assert.equal(send(0xff000000, 0x41), [0x41, 0x41, 0x41]);
  assert.equal(send(0x06000000, 0x842), [-1, 0x42, 0x42]);
  assert.equal(send(0, 0x80043), [0x43, 0x43, 0x43]);
  assert.equal(send(0, 0xc0044), [-1, 0x44, 0x44]);
  for (let cpu = 0; cpu < 3; cpu++) {
    on(cpu);
    write(0xe0, 0x0fffffff);
    write(0xd0, (0x10 | (1 << cpu)) << 24);
  }
  assert.equal(send(0x13000000, 0x845), [0x45, 0x45, -1]);
  assert.equal(send(0x23000000, 0x845), [-1, -1, -1]);
  on(1);
  write(0x80, 0x20);
  on(0);
  write(0x80, 0x30);
  assert.equal(send(0x17000000, 0x946), [-1, -1, 0x46], "lowest priority");
  on(0);
  write(0x300, 0xcc500);
  write(0x300, 0xc8500);
  write(0x300, 0xc0609);
  write(0x300, 0xc0400);
  write(0x300, 0xc0200);
  assert.equal(cpus[0].seen.log, []);
  assert.equal(cpus[1].seen.log, ["init", "sipi 9", "nmi", "smi"]);
  bus.deliver(msiMessage(0xfee00000, 0x4050));
  assert.equal(taken(), [0x50, -1, -1]);
});

test("end of a level-triggered interrupt is broadcast to the I/O APICs", () => {
  const { bus, write, read, apic } = setUp();
  const ends: number[] = [];
  bus.onEoi((vector) => ends.push(vector));
  write(0xf0, ENABLE);
  bus.deliver({ destination: 0, logical: false, deliveryMode: 0, vector: 0x61, level: true });
  assert.is(read(0x1b0), 2);
  assert.is(apic.acknowledge(), 0x61);
  write(0xb0, 0);
  assert.equal(ends, [0x61]);
  write(0x300, 0x40061);
  apic.acknowledge();
  write(0xb0, 0);
  assert.equal(ends, [0x61], "an edge is not");
});

test("ESR collects errors and shows them after a write", () => {
  const { read, write, seen, apic } = setUp();
  write(0xf0, ENABLE);
  write(0x370, 0x33);
  write(0x300, 0x40005);
  assert.is(read(0x280), 0);
  assert.is(apic.acknowledge(), 0x33);
  write(0x280, 0);
  assert.is(read(0x280), 0x20);
  write(0x280, 0);
  assert.is(read(0x280), 0);
  write(0xb0, 0);
  assert.is(read(0x3d0), 0);
  write(0x280, 0);
  assert.is(read(0x280), 0x80);
  assert.is(seen.intr, true);
});

test("x2APIC: registers are MSRs, the memory page is gone, reserved bits fault", () => {
  const { apic, read, seen } = setUp();
  assert.is(apic.readMsr(2), undefined);
  assert.is(apic.setBase(0xfee00500), false, "EXTD without EN");
  assert.is(apic.setBase(0xfee00d00), true);
  assert.is(apic.setBase(0xfee00900), false, "back to xAPIC needs a switch-off");
  assert.is(read(0x30), 0xffffffff);
  assert.equal(apic.readMsr(3), { lo: 0x50014, hi: 0 });
  assert.equal(apic.readMsr(0xd), { lo: 1, hi: 0 });
  assert.is(apic.readMsr(0xe), undefined, "no DFR");
  assert.is(apic.readMsr(0x31), undefined);
  assert.is(apic.writeMsr(0xf, ENABLE, 0), true);
  assert.is(apic.writeMsr(0xf, 0x10000, 0), false);
  assert.is(apic.writeMsr(0x3, 0, 0), false);
  assert.is(apic.writeMsr(0x3f, 0x77, 0), true);
  assert.is(seen.intr, true);
  assert.is(apic.acknowledge(), 0x77);
  assert.is(apic.writeMsr(0xb, 1, 0), false);
  assert.is(apic.writeMsr(0xb, 0, 0), true);
  assert.is(apic.writeMsr(0x30, 0x4088, 0), true);
  assert.is(apic.acknowledge(), 0x88);
  assert.is(apic.setBase(0xfee00100), true);
  assert.is(apic.setBase(0xfee00d00), false);
  assert.is(apic.setBase(0xfee00900), true);
  assert.is(read(0xf0), 0xff, "reset on the way");
});

test("IA32_APIC_BASE refuses reserved bits", () => {
  const { apic } = setUp();
  assert.is(apic.setBase(0xfee00901), false);
  assert.is(apic.setBase(2 ** 41), false);
});

test("describe lists what info lapic shows", () => {
  const { apic, write } = setUp();
  write(0xf0, ENABLE);
  write(0x300, 0x40051);
  assert.match(apic.describe(), /IRR\t 81 \n/);
  assert.match(apic.describe(), /LVT0\t 0x00000700 active-hi edge {30}ExtINT \(vec 0\)\n/);
  assert.match(apic.describe(), /LVT1\t 0x00010000 active-hi edge {2}masked {22}Fixed {2}\(vec 0\)\n/);
  assert.match(apic.describe(), /LVTT\t 0x00010000 active-hi edge {2}masked {9}one-shot {5}Fixed {2}\(vec 0\)\n/);
  assert.match(apic.describe(), /ICR\t 0x00040051 physical edge de-assert self\nICR2\t 0x00000000\n/);
});

test("state round trip, timer included", () => {
  const { arena, apic, write, clock, seen } = setUp();
  write(0xf0, ENABLE);
  write(0x320, 0x20030);
  write(0x3e0, 0b1011);
  write(0x380, 50_000);
  write(0x300, 0x40071);
  const saved = arena.save();
  apic.reset();
  assert.is(seen.intr, false);
  arena.load(saved);
  apic.loaded();
  assert.equal(arena.save(), saved);
  assert.is(seen.intr, true);
  assert.is(apic.acknowledge(), 0x71);
  write(0xb0, 0);
  clock.advance(50_000);
  assert.is(apic.acknowledge(), 0x30);
});

test("any accesses are harmless", () => {
  const { read, write, clock, cpus, on } = setUp(2);
  randomAccesses(5000, (random, size) => {
    on(random() % 2);
    write(random() % 0x400, random(), size);
    write((random() % 0x40) << 4, random());
    read(random() % 0x10000, size);
    const { apic } = cpus[random() % 2];
    apic.lint[(random() % 2) as 0 | 1].set((random() & 1) !== 0);
    apic.acknowledge();
    apic.tscDeadline = BigInt(random()) << 32n;
    if (random() % 50 === 0) apic.setBase(0xfee00000 + (random() & 0xd00));
    apic.writeMsr(random() & 0x3f, random(), random() & 1);
    apic.readMsr(random() & 0xff);
    if (random() % 100 === 0) clock.advance(random() % 100_000);
  });
});

test.run();
