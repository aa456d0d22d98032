const core = require("qemu-next");
const { test } = require("uvu");
const assert = require("uvu/assert");
const plugin = require("../index.js");

const { ManualClock, NS_PER_MS, PortSpace, PluginHost, StateArena } = core;
const BASE = 0x2a0;
const [RUN, IE, DONE] = [0x01, 0x02, 0x80];

/** A card in its slot: no machine, and a clock that only the test moves. */
async function plugIn(arena = StateArena.create(), clock = new ManualClock()) {
  const host = new PluginHost();
  await host.use(plugin, { tick: "1000" });
  const type = await host.require("device", "isa-egg-timer");
  const ports = new PortSpace();
  const irq = { level: false, set: (level) => void (irq.level = level) };
  const context = { name: "egg0", arena, clock, ports, isaIrq: () => irq };
  const device = type.create(context, core.parseProperties(type.name, type.properties, {}));
  device.reset();
  return { arena, clock, ports, irq, device };
}

test("it counts down, and interrupts when it gets to zero", async () => {
  const { clock, ports, irq } = await plugIn();
  assert.is(ports.read(BASE + 1, 1), 0xe6);
  ports.write(BASE + 2, 300, 2);
  ports.write(BASE, RUN | IE, 1);
  clock.advance(100 * NS_PER_MS);
  assert.is(ports.read(BASE + 2, 2), 200);
  assert.not(irq.level);
  clock.advance(200 * NS_PER_MS);
  assert.is(ports.read(BASE, 1), IE | DONE);
  assert.ok(irq.level);
  ports.write(BASE, IE | DONE, 1);
  assert.not(irq.level);
});

test("without IE there is no interrupt", async () => {
  const { clock, ports, irq } = await plugIn();
  ports.write(BASE + 2, 1, 2);
  ports.write(BASE, RUN, 1);
  clock.advance(NS_PER_MS);
  assert.is(ports.read(BASE, 1), DONE);
  assert.not(irq.level);
  ports.write(BASE, IE, 1);
  assert.ok(irq.level, "DONE was still set");
});

test("it stops and goes on", async () => {
  const { clock, ports } = await plugIn();
  ports.write(BASE + 2, 50, 2);
  ports.write(BASE, RUN, 1);
  clock.advance(20 * NS_PER_MS);
  ports.write(BASE, 0, 1);
  clock.advance(100 * NS_PER_MS);
  assert.is(ports.read(BASE + 2, 2), 30);
  ports.write(BASE, RUN, 1);
  clock.advance(30 * NS_PER_MS);
  assert.is(ports.read(BASE, 1), DONE);
});

test("saved while it runs, it ends at the same time in another machine", async () => {
  const here = await plugIn();
  here.ports.write(BASE + 2, 10, 2);
  here.ports.write(BASE, RUN | IE, 1);
  here.clock.advance(4 * NS_PER_MS);
  const there = await plugIn();
  there.clock.advance(4 * NS_PER_MS);
  there.arena.load(here.arena.save());
  there.device.loaded();
  assert.is(there.ports.read(BASE + 2, 2), 6);
  there.clock.advance(6 * NS_PER_MS);
  assert.ok(there.irq.level);
});

test("a state of version 1 is understood", async () => {
  const { arena, clock, device, irq } = await plugIn();
  arena.load({ egg0: { name: "egg-timer", version: 1, fields: { control: RUN | IE, count: 5 } } });
  device.loaded();
  clock.advance(5 * NS_PER_MS);
  assert.ok(irq.level);
});

test("any write leaves it sound", async () => {
  const { clock, ports } = await plugIn();
  for (let seed = 1, i = 0; i < 2000; i++) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    const size = [1, 2, 4][(seed >>> 8) % 3];
    ports.write(BASE + ((seed >>> 12) & 3), seed, size);
    if (seed & 0x40000) clock.advance(seed & 0xfffff);
    assert.ok(ports.read(BASE + 2, 2) <= 0xffff);
  }
});

test.run();
