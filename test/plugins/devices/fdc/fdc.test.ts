import { test } from "uvu";
import * as assert from "uvu/assert";
import { MemoryBlockPort } from "../../../../core/block/port.ts";
import { PortSpace } from "../../../../core/bus/io.ts";
import type { IsaDmaChannel } from "../../../../core/bus/isa-dma.ts";
import { ManualClock, NS_PER_MS } from "../../../../core/clock.ts";
import type { DeviceContext } from "../../../../core/device.ts";
import { irqLine, NO_IRQ } from "../../../../core/irq.ts";
import { PluginHost } from "../../../../core/plugin/host.ts";
import { type SavedState, StateArena } from "../../../../core/state/state.ts";
import { Fdc } from "../../../../plugins/devices/fdc/fdc.ts";
import { geometryOf } from "../../../../plugins/devices/fdc/geometry.ts";
import plugin from "../../../../plugins/devices/fdc/index.ts";

const DOR = 0x3f2;
const MSR = 0x3f4;
const FIFO = 0x3f5;
const DIR = 0x3f7;
const SIZE_144 = 1_474_560;

/** A DMA channel with its count and memory, the way the 8237 ends a transfer. */
class Channel implements IsaDmaChannel {
  memory: Uint8Array = new Uint8Array(0);
  at = 0;
  masked = true;
  request = false;

  program(memory: Uint8Array): void {
    this.memory = memory;
    this.at = 0;
    this.masked = false;
  }

  toMemory(data: Uint8Array) {
    const count = this.masked ? 0 : Math.min(data.length, this.memory.length - this.at);
    this.memory.set(data.subarray(0, count), this.at);
    return this.#moved(count);
  }

  fromMemory(into: Uint8Array) {
    const count = this.masked ? 0 : Math.min(into.length, this.memory.length - this.at);
    into.set(this.memory.subarray(this.at, this.at + count));
    return this.#moved(count);
  }

  setRequest(on: boolean): void {
    this.request = on;
  }

  #moved(count: number) {
    this.at += count;
    const terminal = !this.masked && this.at === this.memory.length;
    if (terminal) this.masked = true;
    return { count, terminal };
  }
}

class Bench {
  readonly arena = StateArena.create();
  readonly clock = new ManualClock();
  readonly ports = new PortSpace();
  readonly channel = new Channel();
  readonly fdc: Fdc;
  readonly a: MemoryBlockPort;
  irq = false;
  rises = 0;

  constructor(bytes = SIZE_144) {
    this.fdc = new Fdc({
      name: "fdc",
      arena: this.arena,
      clock: this.clock,
      dma: this.channel,
      irq: irqLine((level) => {
        if (level && !this.irq) this.rises++;
        this.irq = level;
      }),
    });
    this.ports.map(0x3f0, this.fdc.io);
    this.ports.map(0x3f7, this.fdc.rateIo);
    const image = new Uint8Array(bytes);
    for (let at = 0; at < bytes; at += 512) image.fill(at >> 9, at, at + 512);
    this.a = new MemoryBlockPort(image);
    this.fdc.attach(0, this.a);
  }

  in(port: number): number {
    return this.ports.read(port, 1);
  }

  out(port: number, value: number): void {
    this.ports.write(port, value, 1);
  }

  /** Reset as a driver does it, motor A on, 500 kb/s, DMA mode. */
  start(): this {
    this.out(DOR, 0x00);
    this.out(DOR, 0x1c);
    for (let i = 0; i < 4; i++) this.command(0x08);
    this.out(DIR, 0);
    this.command(0x03, 0xaf, 0x02);
    this.rises = 0;
    return this;
  }

  send(...bytes: number[]): void {
    for (const byte of bytes) {
      assert.is(this.in(MSR) & 0xc0, 0x80, "ready for a byte");
      this.out(FIFO, byte);
    }
  }

  results(): number[] {
    this.a.complete();
    const bytes: number[] = [];
    while ((this.in(MSR) & 0xd0) === 0xd0) bytes.push(this.in(FIFO));
    assert.is(this.in(MSR) & 0xf0, 0x80, "ready for the next command");
    return bytes;
  }

  command(...bytes: number[]): number[] {
    this.send(...bytes);
    return this.results();
  }

  seek(cylinder: number): void {
    this.command(0x0f, 0, cylinder);
    assert.equal(this.command(0x08), [0x20, cylinder]);
  }
}

const read = (c: number, h: number, r: number, eot = 18, code = 0xe6): number[] => [
  code,
  h << 2,
  c,
  h,
  r,
  2,
  eot,
  27,
  255,
];

test("reset: an interrupt, and four sense interrupts", () => {
  const bench = new Bench();
  assert.is(bench.in(MSR), 0, "held in reset after power-on");
  bench.out(DOR, 0x0c);
  assert.is(bench.in(MSR), 0x80);
  assert.ok(bench.irq);
  for (let i = 0; i < 4; i++) {
    assert.equal(bench.command(0x08), [0xc0 | i, 0]);
    assert.not.ok(bench.irq);
  }
  assert.equal(bench.command(0x08), [0x80], "nothing more pending");
  assert.is(bench.rises, 1);
});

test("DMAGATE off keeps the interrupt off the bus", () => {
  const bench = new Bench();
  bench.out(DOR, 0x04);
  assert.not.ok(bench.irq);
  bench.out(DOR, 0x0c);
  assert.ok(bench.irq);
});

test("VERSION, PART ID, invalid commands and SCAN", () => {
  const bench = new Bench().start();
  assert.equal(bench.command(0x10), [0x90]);
  assert.equal(bench.command(0x18), [0x41]);
  for (const invalid of [0x00, 0x11, 0x19, 0x1d, 0x1f, 0xff]) assert.equal(bench.command(invalid), [0x80]);
  assert.not.ok(bench.irq);
});

test("SEEK, RECALIBRATE and relative SEEK", () => {
  const bench = new Bench().start();
  bench.send(0x0f, 0, 40);
  assert.ok(bench.irq);
  assert.is(bench.in(MSR) & 1, 1, "drive 0 busy until sensed");
  assert.equal(bench.command(0x08), [0x20, 40]);
  assert.is(bench.in(MSR), 0x80);
  bench.command(0x8f, 0, 10);
  assert.equal(bench.command(0x08), [0x20, 30]);
  bench.command(0xcf, 0, 15);
  assert.equal(bench.command(0x08), [0x20, 45]);
  bench.command(0x07, 0);
  assert.equal(bench.command(0x08), [0x20, 0]);
  bench.command(0x07, 1);
  assert.equal(bench.command(0x08), [0x71, 0], "no drive B: no track 0");
});

test("READ DATA by DMA ends at terminal count with the next address", () => {
  const bench = new Bench().start();
  bench.seek(1);
  const memory = new Uint8Array(3 * 512);
  bench.channel.program(memory);
  bench.rises = 0;
  bench.send(...read(1, 1, 5));
  assert.is(bench.in(MSR), 0x10, "busy");
  assert.not.ok(bench.irq);
  assert.equal(bench.results(), [0x04, 0, 0, 1, 1, 8, 2]);
  assert.is(bench.rises, 1);
  assert.not.ok(bench.irq, "reading the result clears the interrupt");
  assert.not.ok(bench.channel.request);
  const first = (1 * 2 + 1) * 18 + 4;
  assert.equal([memory[0], memory[512], memory[1535]], [first, first + 1, first + 2]);
});

test("READ DATA, multi-track: goes on with head 1", () => {
  const bench = new Bench().start();
  const memory = new Uint8Array(36 * 512);
  bench.channel.program(memory);
  assert.equal(bench.command(...read(0, 0, 1)), [0x04, 0, 0, 1, 0, 1, 2]);
  assert.ok(memory.every((byte, i) => byte === i >> 9));
});

test("READ DATA ends with EN at the end of the cylinder without terminal count", () => {
  const bench = new Bench().start();
  bench.channel.program(new Uint8Array(4 * 512));
  assert.equal(bench.command(...read(0, 0, 17, 18, 0x46)), [0x40, 0x80, 0, 0, 0, 18, 2]);
});

test("terminal count inside a sector", () => {
  const bench = new Bench().start();
  const memory = new Uint8Array(100);
  bench.channel.program(memory);
  assert.equal(bench.command(...read(0, 0, 3)), [0, 0, 0, 0, 0, 4, 2]);
  assert.is(memory[99], 2);
  bench.channel.program(new Uint8Array(100).fill(0xee));
  assert.equal(bench.command(...read(0, 0, 3, 18, 0xc5)), [0, 0, 0, 0, 0, 4, 2]);
  assert.is(bench.a.bytes[2 * 512 + 99], 0xee);
  assert.is(bench.a.bytes[2 * 512 + 100], 0, "the rest of the sector is zeros");
});

test("WRITE DATA", () => {
  const bench = new Bench().start();
  bench.channel.program(new Uint8Array(1024).fill(0x99));
  assert.equal(bench.command(...read(0, 0, 18, 18, 0xc5)), [0x04, 0, 0, 0, 1, 2, 2]);
  assert.ok(bench.a.bytes.subarray(17 * 512, 19 * 512).every((byte) => byte === 0x99));
  bench.a.readOnly = true;
  bench.channel.program(new Uint8Array(512));
  assert.equal(bench.command(...read(0, 0, 1, 18, 0xc5)).slice(0, 3), [0x40, 0x02, 0]);
  assert.equal(bench.command(0x04, 0x04), [0x28 | 0x40 | 0x10 | 0x04]);
});

test("addresses that do not match", () => {
  const bench = new Bench().start();
  const fails = (...bytes: number[]): number[] => {
    bench.channel.program(new Uint8Array(512));
    return bench.command(...bytes).slice(0, 3);
  };
  assert.equal(fails(...read(1, 0, 1)), [0x40, 0x04, 0x10], "wrong cylinder");
  assert.equal(fails(...read(0, 0, 0)), [0x40, 0x04, 0]);
  assert.equal(fails(...read(0, 0, 19, 30)), [0x40, 0x04, 0]);
  assert.equal(fails(0xe6, 0, 0, 1, 1, 2, 18, 27, 255), [0x40, 0x04, 0], "wrong head");
  assert.equal(fails(0xe6, 0, 0, 0, 1, 3, 18, 27, 255), [0x40, 0x04, 0], "wrong size");
  assert.equal(fails(...read(0, 0, 1, 18, 0xa6)), [0x40, 0x05, 0], "FM");
  assert.equal(fails(0xe6, 1, 0, 0, 1, 2, 18, 27, 255), [0x41, 0x05, 0], "no drive");
  bench.out(DIR, 2);
  assert.equal(fails(...read(0, 0, 1)), [0x40, 0x05, 0], "wrong data rate");
  bench.out(DIR, 0);
  bench.a.nextError = "eio";
  assert.equal(fails(...read(0, 0, 1)), [0x40, 0x20, 0x20], "data error");
});

test("implied seek", () => {
  const bench = new Bench().start();
  bench.command(0x13, 0, 0x57, 0);
  bench.channel.program(new Uint8Array(512));
  assert.equal(bench.command(...read(33, 0, 1)), [0x20, 0, 0, 33, 0, 2, 2]);
});

test("READ ID, by data rate", () => {
  const bench = new Bench().start();
  bench.seek(7);
  bench.rises = 0;
  assert.equal(bench.command(0x4a, 4), [0x04, 0, 0, 7, 1, 1, 2]);
  assert.is(bench.rises, 1);
  bench.out(DIR, 2);
  assert.equal(bench.command(0x4a, 0).slice(0, 2), [0x40, 0x05]);
});

test("VERIFY and READ TRACK", () => {
  const bench = new Bench().start();
  assert.equal(bench.command(0xf6, 0x80, 0, 0, 1, 2, 18, 27, 20), [0x04, 0, 0, 0, 1, 3, 2], "20 sectors");
  assert.equal(bench.command(0x76, 0, 0, 0, 1, 2, 18, 27, 255), [0, 0, 0, 1, 0, 1, 2], "to the end");
  const memory = new Uint8Array(19 * 512);
  bench.channel.program(memory);
  assert.equal(bench.command(0x42, 0, 0, 0, 9, 2, 18, 27, 255).slice(0, 3), [0, 0, 0]);
  assert.is(memory[17 * 512], 17);
});

test("non-DMA transfers: RQM and an interrupt for each sector", () => {
  const bench = new Bench().start();
  bench.command(0x03, 0xaf, 0x03);
  bench.rises = 0;
  bench.send(...read(0, 0, 17, 18, 0x46));
  for (let sector = 16; sector < 18; sector++) {
    bench.a.complete();
    assert.ok(bench.irq);
    assert.is(bench.in(MSR), 0xf0);
    for (let i = 0; i < 512; i++) assert.is(bench.in(FIFO), sector);
    assert.is(bench.in(MSR) & 0x20, sector === 16 ? 0x20 : 0);
  }
  assert.equal(bench.results().slice(0, 2), [0x40, 0x80]);
  assert.is(bench.rises, 3);
  bench.send(...read(0, 0, 18, 18, 0x45));
  assert.is(bench.in(MSR), 0xb0);
  for (let i = 0; i < 512; i++) bench.out(FIFO, 0x42);
  assert.equal(bench.results().slice(0, 2), [0x40, 0x80]);
  assert.is(bench.a.bytes[17 * 512 + 511], 0x42);
});

test("FORMAT TRACK fills the sectors whose addresses it gets", () => {
  const bench = new Bench().start();
  bench.seek(2);
  const marks = Uint8Array.from({ length: 18 * 4 }, (_, i) => [2, 0, (i >> 2) + 1, 2][i & 3]);
  bench.channel.program(marks);
  bench.send(0x4d, 0, 2, 18, 0x6c, 0xf6);
  assert.equal(bench.results().slice(0, 3), [0, 0, 0]);
  const track = 2 * 36 * 512;
  assert.ok(bench.a.bytes.subarray(track, track + 18 * 512).every((byte) => byte === 0xf6));
  assert.is(bench.a.bytes[track - 1], 71);
  assert.is(bench.a.bytes[track + 18 * 512], (2 * 36 + 18) & 0xff);
  bench.channel.program(new Uint8Array(255 * 4).fill(0xff));
  bench.send(0x4d, 0, 2, 255, 0x6c, 0xf6);
  assert.equal(bench.results().slice(0, 3), [0, 0, 0], "addresses of no sector");
});

test("a masked DMA channel: waits a turn of the disk, then overruns", () => {
  const bench = new Bench().start();
  bench.send(...read(0, 0, 1));
  bench.a.complete();
  assert.ok(bench.channel.request);
  bench.clock.advance(5 * NS_PER_MS);
  bench.channel.program(new Uint8Array(512));
  bench.clock.advance(NS_PER_MS);
  assert.equal(bench.results().slice(0, 3), [0, 0, 0]);
  bench.send(...read(0, 0, 1));
  bench.a.complete();
  bench.clock.advance(300 * NS_PER_MS);
  assert.equal(bench.results().slice(0, 3), [0x40, 0x10, 0]);
});

test("the disk change line: set by a change, cleared by a step with a disk in", () => {
  const bench = new Bench().start();
  assert.is(bench.in(DIR), 0x80, "after power-on");
  bench.command(0x07, 0);
  assert.is(bench.in(DIR), 0x80, "no step: the heads were there");
  bench.seek(1);
  assert.is(bench.in(DIR), 0);
  bench.a.change(undefined);
  bench.seek(0);
  assert.is(bench.in(DIR), 0x80);
  bench.a.change(new Uint8Array(737_280));
  bench.seek(1);
  assert.is(bench.in(DIR), 0);
  bench.out(DIR, 2);
  bench.channel.program(new Uint8Array(512));
  assert.equal(bench.command(...read(1, 0, 9, 9, 0x46)).slice(0, 3), [0, 0, 0], "now 720K");
  bench.out(DOR, 0x1d);
  assert.is(bench.in(DIR), 0, "no drive B");
});

test("geometries by size", () => {
  const shape = (kib: number): unknown[] => {
    const { tracks, heads, sectors, drive } = geometryOf(kib * 1024);
    return [tracks, heads, sectors, drive];
  };
  assert.equal(shape(160), [40, 1, 8, "120"]);
  assert.equal(shape(180), [40, 1, 9, "120"]);
  assert.equal(shape(320), [40, 2, 8, "120"]);
  assert.equal(shape(360), [40, 2, 9, "120"]);
  assert.equal(shape(720), [80, 2, 9, "144"]);
  assert.equal(shape(1200), [80, 2, 15, "120"]);
  assert.equal(shape(1440), [80, 2, 18, "144"]);
  assert.equal(shape(1680), [80, 2, 21, "144"]);
  assert.equal(shape(2880), [80, 2, 36, "288"]);
  assert.equal(shape(100), [80, 2, 18, "144"], "a short image");
  const bench = new Bench(100 * 512).start();
  bench.channel.program(new Uint8Array(512));
  assert.equal(bench.command(...read(0, 0, 18, 18, 0x46)).slice(0, 3), [0, 0, 0]);
  bench.seek(3);
  bench.channel.program(new Uint8Array(512));
  assert.equal(bench.command(...read(3, 0, 1)).slice(0, 3), [0x40, 0x04, 0], "behind its end");
});

test("CONFIGURE, LOCK, PERPENDICULAR, DUMPREG, SAVE and RESTORE", () => {
  const bench = new Bench().start();
  bench.seek(9);
  bench.command(0x13, 0, 0x4a, 0x20);
  bench.command(0x12, 0x80 | 0x04 | 0x03);
  assert.equal(bench.command(0x94), [0x10]);
  const dump = [9, 0, 0, 0, 0xaf, 0x02, 0, 0x87, 0x4a, 0x20];
  assert.equal(bench.command(0x0e), dump);
  const saved = bench.command(0x2e);
  assert.is(saved.length, 16);
  bench.out(MSR, 0x80);
  bench.command(0x08);
  assert.equal(bench.command(0x0e), dump, "locked through a software reset");
  assert.equal(bench.command(0x14), [0]);
  bench.out(MSR, 0x80);
  assert.equal(bench.command(0x0e).slice(7), [0x07, 0x20, 0]);
  bench.command(0x4e, ...saved);
  assert.equal(bench.command(0x0e), dump);
  assert.equal(bench.command(0x17, 0x02), [0x02]);
  assert.equal(bench.command(0x33, 0), []);
  assert.equal(bench.command(0x8e, 0x00, 0x80), [0, 0, 0, 0]);
  assert.equal(bench.command(0x8e, 0x00, 0xc0), []);
});

test("reset during a backend request: no late DMA, the interrupt comes afterwards", () => {
  const bench = new Bench().start();
  const memory = new Uint8Array(512).fill(0xee);
  bench.channel.program(memory);
  bench.send(...read(0, 0, 2));
  bench.out(DOR, 0x18);
  bench.out(DOR, 0x1c);
  assert.is(bench.in(MSR), 0);
  assert.not.ok(bench.irq);
  bench.a.complete();
  assert.ok(bench.irq);
  assert.is(bench.in(MSR), 0x80);
  assert.ok(memory.every((byte) => byte === 0xee));
});

test("state saved in the middle of a transfer", () => {
  const bench = new Bench().start();
  const reload = (): void => {
    const saved = JSON.parse(JSON.stringify(bench.arena.save())) as Record<string, SavedState>;
    bench.fdc.reset();
    bench.arena.load(saved);
    assert.equal(bench.arena.save(), saved);
    bench.fdc.loaded();
  };
  const memory = new Uint8Array(512);
  bench.channel.program(memory);
  bench.send(...read(0, 0, 6));
  reload();
  assert.equal(bench.results().slice(0, 3), [0, 0, 0]);
  assert.is(memory[0], 5);
  bench.send(...read(0, 0, 7));
  bench.a.complete();
  reload();
  bench.channel.program(memory);
  bench.clock.advance(NS_PER_MS);
  assert.equal(bench.results().slice(0, 3), [0, 0, 0]);
  assert.is(memory[0], 6);
});

test("hostile accesses never throw and never hang", () => {
  const bench = new Bench().start();
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const codes = [0xe6, 0x46, 0xc5, 0x4d, 0x4a, 0x16, 0x42, 0x0c, 0x0f, 0x07, 0x13, 0x03, 0x4e, 0x8e];
  for (let i = 0; i < 60_000; i++) {
    const port = random(3) ? FIFO : 0x3f0 + random(8);
    if (random(3) === 0) bench.in(port);
    else bench.out(port, random(2) ? random(256) : random(3) ? random(20) : codes[random(codes.length)]);
    if (random(20) === 0) bench.channel.program(new Uint8Array(random(3000)));
    if (random(20) === 0) bench.a.nextError = "eio";
    if (random(100) === 0) bench.a.change([undefined, new Uint8Array(random(2_000_000)), bench.a.bytes][random(3)]);
    if (random(4) === 0) bench.a.complete();
    if (random(4) === 0) bench.clock.advance(NS_PER_MS);
    if (random(10) === 0) bench.out(DOR, 0x0c);
  }
  bench.a.complete();
  bench.start();
});

test("device types", async () => {
  const host = new PluginHost();
  await host.use(plugin);
  const ports = new PortSpace();
  const context = (name: string): DeviceContext =>
    ({
      name,
      arena: StateArena.create(),
      clock: new ManualClock(),
      ports,
      isaIrq: () => NO_IRQ,
      isaDma: () => new Channel(),
      drive: (id: string) => new MemoryBlockPort(new Uint8Array(id === "dd" ? 737_280 : SIZE_144)),
    }) as unknown as DeviceContext;
  const floppy = await host.require("device", "floppy");
  assert.throws(() => floppy.create(context("x"), { drive: "a" }), /No 'floppy-bus' bus found/);
  const type = await host.require("device", "isa-fdc");
  const fdc = type.create(context("fdc"), { driveA: "hd", fdtypeA: "auto" }) as Fdc;
  assert.equal([fdc.driveType(0), fdc.driveType(1)], ["144", "none"]);
  floppy.create(context("b"), { drive: "dd", "drive-type": "288" });
  assert.is(fdc.driveType(1), "288");
  assert.throws(() => floppy.create(context("c"), { drive: "dd" }), /bus supports only 2 units/);
  assert.throws(() => floppy.create(context("c"), { drive: "dd", unit: 1 }), /unit 1 is in use/);
  ports.write(DOR, 0x0c, 1);
  assert.is(ports.read(MSR, 1), 0x80);
  assert.is(ports.read(DIR, 1), 0x80);
});

test.run();
