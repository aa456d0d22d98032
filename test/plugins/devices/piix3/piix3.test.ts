import { test } from "uvu";
import * as assert from "uvu/assert";
import { PciBus, PciDevice } from "../../../../core/bus/pci.ts";
import { irqLine } from "../../../../core/irq.ts";
import { StateArena } from "../../../../core/state/state.ts";
import { Piix3, pirqOfPin } from "../../../../plugins/devices/piix3/piix3.ts";
import { randomAccesses } from "../random-accesses.ts";

function setUp() {
  const arena = StateArena.create();
  const lines = new Array<boolean>(16).fill(false);
  const touched = new Set<number>();
  let resets = 0;
  const bridge = new Piix3({
    name: "piix3",
    arena,
    isaIrq: (line) =>
      irqLine((level) => {
        lines[line] = level;
        touched.add(line);
      }),
    reset: () => resets++,
  });
  const bus = new PciBus({ map: () => () => {} }, bridge.routing);
  bus.plug(bridge, 8);
  const nic = (name: string, slot: number, pin = 1): PciDevice => {
    const device = new PciDevice({ name, arena }, { vendorId: 1, deviceId: 2, classCode: 0x0200, interruptPin: pin });
    bus.plug(device, slot << 3);
    return device;
  };
  return { arena, lines, touched, bridge, bus, nic, resets: () => resets };
}

test("identifies itself as the 82371SB, multifunction ISA bridge", () => {
  const { bus } = setUp();
  assert.is(bus.configRead(8, 0, 4), 0x70008086);
  assert.is(bus.configRead(8, 0xa, 2), 0x0601);
  assert.is(bus.configRead(8, 0xe, 1), 0x80);
  for (let i = 0; i < 4; i++) assert.is(bus.configRead(8, 0x60 + i, 1), 0x80, "routing is off after reset");
});

test("slots are swizzled: INTA# of slot 1 is PIRQA#, of slot 3 PIRQC#", () => {
  assert.is(pirqOfPin(1 << 3, 1), 0);
  assert.is(pirqOfPin(3 << 3, 1), 2);
  assert.is(pirqOfPin(3 << 3, 2), 3);
  assert.is(pirqOfPin(4 << 3, 1), 3);
  assert.is(pirqOfPin(5 << 3, 1), 0);
});

test("a PIRQ drives the ISA interrupt that its register names, and follows when it changes", () => {
  const m = setUp();
  const nic = m.nic("nic", 3);
  nic.setIrq(true);
  assert.is(m.touched.size, 0, "not routed");
  m.bus.configWrite(8, 0x62, 0x0b, 1);
  assert.is(m.lines[11], true);
  m.bus.configWrite(8, 0x62, 0x0a, 1);
  assert.is(m.lines[11], false);
  assert.is(m.lines[10], true);
  nic.setIrq(false);
  assert.is(m.lines[10], false);
  nic.setIrq(true);
  m.bus.configWrite(8, 0x62, 0x8a, 1);
  assert.is(m.lines[10], false);
});

test("PIRQs that share an interrupt are ORed", () => {
  const m = setUp();
  const a = m.nic("a", 3);
  const b = m.nic("b", 4);
  const c = m.nic("c", 7);
  m.bus.configWrite(8, 0x60, 0x0b0b0b0b, 4);
  a.setIrq(true);
  b.setIrq(true);
  c.setIrq(true); // shares PIRQC# with a
  a.setIrq(false);
  assert.is(m.lines[11], true);
  c.setIrq(false);
  assert.is(m.lines[11], true);
  b.setIrq(false);
  assert.is(m.lines[11], false);
});

test("reserved interrupts cannot be routed to", () => {
  const m = setUp();
  m.nic("nic", 3).setIrq(true);
  for (const line of [0, 1, 2, 8, 13]) m.bus.configWrite(8, 0x62, line, 1);
  assert.is(m.touched.size, 0);
});

test("port CF9h resets on RCPU and keeps SRST", () => {
  const m = setUp();
  const { handler } = m.bridge.resetControl;
  handler.write(0, 0x02, 1);
  assert.is(m.resets(), 0);
  assert.is(handler.read(0, 1), 2);
  handler.write(0, 0x06, 1);
  assert.is(m.resets(), 1);
  assert.is(handler.read(0, 1), 2);
});

test("reset releases the lines it drove; state round trip", () => {
  const m = setUp();
  const nic = m.nic("nic", 3);
  m.bus.configWrite(8, 0x62, 0x05, 1);
  nic.setIrq(true);
  const saved = m.arena.save();
  m.bridge.reset();
  assert.is(m.lines[5], false);
  m.arena.load(saved);
  m.bridge.loaded();
  assert.equal(m.arena.save(), saved);
  nic.setIrq(false);
  nic.setIrq(true);
  assert.is(m.lines[5], true);
});

test("any register values are harmless", () => {
  const m = setUp();
  const nic = m.nic("nic", 3);
  randomAccesses(5000, (random, size) => {
    m.bus.configWrite(8, random() & 0xfc, random(), size);
    nic.setIrq((random() & 1) !== 0);
    m.bridge.resetControl.handler.write(0, random() & 0xff, 1);
  });
  assert.is(m.bus.configRead(8, 0, 4), 0x70008086);
  for (const line of [0, 1, 2, 8, 13]) assert.not(m.touched.has(line));
});

test.run();
