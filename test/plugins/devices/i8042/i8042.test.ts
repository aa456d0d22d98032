import { test } from "uvu";
import * as assert from "uvu/assert";
import { ManualClock, NS_PER_MS } from "../../../../core/clock.ts";
import { StateArena } from "../../../../core/state/state.ts";
import { I8042 } from "../../../../plugins/devices/i8042/i8042.ts";
import { checkHostileAccess, checkRoundTrip, TestLine } from "../checks.ts";

const OBF = 0x01;
const AUX_OBF = 0x20;

function setup() {
  const arena = StateArena.create();
  const clock = new ManualClock();
  const irq1 = new TestLine();
  const irq12 = new TestLine();
  const a20 = new TestLine();
  const count = { resets: 0 };
  const controller = new I8042({
    name: "i8042",
    arena,
    clock,
    keyboardIrq: irq1,
    mouseIrq: irq12,
    a20,
    resetMachine: () => count.resets++,
  });
  controller.reset();
  const command = (...values: number[]): void => {
    for (const value of values) controller.commandIo.handler.write(0, value, 1);
  };
  const data = (...values: number[]): void => {
    for (const value of values) controller.dataIo.handler.write(0, value, 1);
  };
  const status = (): number => controller.commandIo.handler.read(0, 1);
  const read = (): number => controller.dataIo.handler.read(0, 1);
  /** All bytes that come within a while, with the auxiliary ones marked. */
  const drain = (): string => {
    const bytes: string[] = [];
    for (let i = 0; i < 100; i++) {
      clock.advance(NS_PER_MS);
      const seen = status();
      if (!(seen & OBF)) break;
      bytes.push((seen & AUX_OBF ? "aux:" : "") + read().toString(16).padStart(2, "0"));
    }
    return bytes.join(" ");
  };
  const ask = (value: number): number => {
    command(value);
    assert.is(status() & OBF, OBF);
    return read();
  };
  return { arena, clock, irq1, irq12, a20, count, controller, command, data, status, read, drain, ask };
}

test("self test, interface tests, password", () => {
  const { ask, status } = setup();
  assert.is(status() & 0x04, 0);
  assert.is(ask(0xaa), 0x55);
  assert.is(status() & 0x04, 0x04, "system flag");
  assert.is(ask(0xab), 0);
  assert.is(ask(0xa9), 0);
  assert.is(ask(0xa4), 0xf1);
  assert.is(ask(0xc0), 0x80);
});

test("command byte and internal memory", () => {
  const { ask, command, data } = setup();
  assert.is(ask(0x20), 0x03);
  command(0x60);
  data(0x65);
  assert.is(ask(0x20), 0x65);
  command(0x7f);
  data(0x99);
  assert.is(ask(0x3f), 0x99);
  command(0xa7);
  assert.is(ask(0x20), 0x65);
  command(0xa8, 0xad);
  assert.is(ask(0x20), 0x55);
  command(0xae);
  assert.is(ask(0x20), 0x45);
});

test("status tells which port was written last", () => {
  const { command, data, status } = setup();
  command(0xd1);
  assert.is(status() & 0x08, 0x08);
  data(0xdf);
  assert.is(status() & 0x08, 0);
});

test("a key interrupts; set 2 untranslated, set 1 translated", () => {
  const { controller, irq1, read, command, data, drain, status } = setup();
  controller.keyboard.key("a", true);
  assert.ok(irq1.level);
  assert.is(status() & (OBF | AUX_OBF), OBF);
  assert.is(read(), 0x1c);
  assert.not(irq1.level);
  controller.keyboard.key("a", false);
  assert.is(drain(), "f0 1c");
  command(0x60);
  data(0x47);
  controller.keyboard.key("a", true);
  controller.keyboard.key("a", false);
  controller.keyboard.key("up", true);
  controller.keyboard.key("up", false);
  assert.is(drain(), "1e 9e e0 48 e0 c8");
});

test("the next byte takes its time: the same byte is read twice", () => {
  const { controller, irq1, read, clock, status } = setup();
  controller.keyboard.key("up", true);
  assert.is(read(), 0xe0);
  assert.is(read(), 0xe0);
  assert.is(status() & OBF, 0);
  clock.advance(NS_PER_MS);
  assert.ok(irq1.level);
  assert.is(irq1.edges, 2);
  assert.is(read(), 0x75);
});

test("keyboard commands and their answers, translated like all", () => {
  const { data, drain, command } = setup();
  data(0xff);
  assert.is(drain(), "fa aa");
  data(0xf2);
  assert.is(drain(), "fa ab 83");
  command(0x60);
  data(0x43);
  data(0xf2);
  assert.is(drain(), "fa ab 41");
});

test("a disabled keyboard keeps its bytes; writing to it enables it", () => {
  const { controller, command, data, drain, irq1 } = setup();
  command(0xad);
  controller.keyboard.key("a", true);
  assert.is(drain(), "");
  assert.not(irq1.level);
  command(0xae);
  assert.is(drain(), "1c");
  command(0xad);
  data(0xee);
  assert.is(drain(), "ee");
});

test("D4 talks to the mouse, its bytes come with AUX and IRQ 12", () => {
  const { command, data, drain, irq1, irq12, controller } = setup();
  command(0xa7);
  for (const byte of [0xff, 0xf4]) {
    command(0xd4);
    data(byte);
  }
  assert.is(drain(), "aux:fa aux:aa aux:00 aux:fa");
  assert.is(irq12.edges, 4);
  assert.is(irq1.edges, 0);
  controller.mouse.button("left", true);
  assert.is(drain(), "aux:09 aux:00 aux:00");
});

test("D2 and D3 put a byte into the output buffer", () => {
  const { command, data, read, irq1, irq12, status } = setup();
  command(0xd2);
  data(0x42);
  assert.ok(irq1.level);
  assert.is(read(), 0x42);
  command(0xd3);
  data(0x43);
  assert.ok(irq12.level);
  assert.is(status() & AUX_OBF, AUX_OBF);
  assert.is(read(), 0x43);
});

test("interrupts only when the command byte enables them", () => {
  const { command, data, controller, irq1, status } = setup();
  command(0x60);
  data(0x00);
  controller.keyboard.key("a", true);
  assert.is(status() & OBF, OBF);
  assert.not(irq1.level);
  command(0x60);
  data(0x01);
  assert.ok(irq1.level);
});

test("output port: A20, buffer bits and reset", () => {
  const { command, data, a20, count, ask, controller, read, clock } = setup();
  assert.ok(a20.level, "through after reset");
  command(0xd1);
  data(0xdd);
  assert.not(a20.level);
  command(0xdf);
  assert.ok(a20.level);
  command(0xdd);
  assert.not(a20.level);
  assert.is(ask(0xd0) & 0x03, 0x01);
  clock.advance(NS_PER_MS);
  controller.keyboard.key("a", true);
  command(0xd0);
  assert.is(read(), 0x1c, "the answer waits for the buffer");
  assert.is(read() & 0x13, 0x11);
  assert.is(count.resets, 0);
  command(0xd1);
  data(0x02);
  assert.is(count.resets, 1);
  command(0xfe);
  assert.is(count.resets, 2);
  command(0xff);
  assert.is(count.resets, 2, "no bit is pulsed");
});

test("state", () => {
  const { arena, controller, irq1, command, data, drain } = setup();
  command(0x60);
  data(0x47);
  controller.keyboard.key("up", true);
  controller.keyboard.key("up", false);
  command(0xd4);
  data(0xf2);
  irq1.level = false;
  checkRoundTrip(arena, () => controller.loaded());
  assert.ok(irq1.level);
  assert.is(drain(), "e0 48 e0 c8 aux:fa aux:00");
});

test("hostile accesses", () => {
  const { controller, clock } = setup();
  checkHostileAccess([controller.dataIo, controller.commandIo], (random) => {
    clock.advance(random(2 * NS_PER_MS));
    if (random(10) === 0) controller.keyboard.key(["a", "print", "pause", "up"][random(4)], random(2) === 0);
    if (random(10) === 0) {
      controller.mouse.move(random(100), random(100));
      controller.mouse.sync();
    }
  });
});

test.run();
