import { test } from "uvu";
import * as assert from "uvu/assert";
import { pulse } from "../../../../core/irq.ts";
import { StateArena } from "../../../../core/state/state.ts";
import { I8259 } from "../../../../plugins/devices/i8259/i8259.ts";
import { checkHostileAccess, checkRoundTrip, TestLine } from "../checks.ts";

function setup() {
  const arena = StateArena.create();
  const intr = new TestLine();
  const pic = new I8259({ name: "pic", arena, intr });
  pic.reset();
  const master = pic.masterIo.handler;
  const slave = pic.slaveIo.handler;
  return { arena, intr, pic, master, slave };
}

/** Programs both chips as a PC BIOS does: vectors 8 and 0x70, ICW4 as given, nothing masked. */
function programmed(icw4 = 0x01) {
  const t = setup();
  for (const [chip, base, icw3] of [
    [t.master, 0x08, 4],
    [t.slave, 0x70, 2],
  ] as const) {
    chip.write(0, 0x11, 1);
    chip.write(1, base, 1);
    chip.write(1, icw3, 1);
    chip.write(1, icw4, 1);
  }
  return t;
}

test("an edge raises INTR, INTA gives the vector and moves IRR to ISR, EOI ends it", () => {
  const { pic, intr, master } = programmed();
  pic.irq(1).set(true);
  assert.ok(intr.level);
  assert.is(master.read(0, 1), 0b10, "IRR");
  assert.is(pic.acknowledge(), 0x09);
  assert.not(intr.level);
  master.write(0, 0x0b, 1);
  assert.is(master.read(0, 1), 0b10, "ISR after OCW3 RIS");
  master.write(0, 0x0a, 1);
  assert.is(master.read(0, 1), 0, "IRR after OCW3");
  master.write(0, 0x20, 1);
  master.write(0, 0x0b, 1);
  assert.is(master.read(0, 1), 0);
  assert.not(intr.level, "a level held high makes no second edge");
  pic.irq(1).set(false);
  pic.irq(1).set(true);
  assert.ok(intr.level);
});

test("fully nested mode: the higher priority interrupts the lower", () => {
  const { pic, intr, master } = programmed();
  pic.irq(5).set(true);
  assert.is(pic.acknowledge(), 0x0d);
  pic.irq(6).set(true);
  assert.not(intr.level);
  pic.irq(3).set(true);
  assert.ok(intr.level);
  assert.is(pic.acknowledge(), 0x0b);
  master.write(0, 0x20, 1);
  assert.not(intr.level, "5 is still in service");
  master.write(0, 0x20, 1);
  assert.is(pic.acknowledge(), 0x0e);
});

test("the slave comes through IR2 and needs an EOI on both chips", () => {
  const { pic, intr, master, slave } = programmed();
  pic.irq(12).set(true);
  pic.irq(14).set(true);
  assert.is(pic.acknowledge(), 0x74);
  assert.not(intr.level);
  slave.write(0, 0x20, 1);
  assert.not(intr.level, "IR2 of the master is in service");
  master.write(0, 0x20, 1);
  assert.is(pic.acknowledge(), 0x76);
});

test("OCW1 masks, and a latched request appears when it is unmasked", () => {
  const { pic, intr, master } = programmed();
  master.write(1, 0xff, 1);
  pulse(pic.irq(4));
  assert.not(intr.level);
  assert.is(master.read(1, 1), 0xff);
  master.write(1, 0xef, 1);
  assert.ok(intr.level);
  assert.is(pic.acknowledge(), 0x0c);
});

test("a level-triggered input requests as long as it is high", () => {
  const { pic, intr, master, slave } = programmed();
  pic.elcrIo.handler.write(1, 0xff, 1);
  pic.elcrIo.handler.write(0, 0xff, 1);
  assert.is(pic.elcrIo.handler.read(0, 1), 0xf8, "IRQ 0 to 2 are always edge triggered");
  assert.is(pic.elcrIo.handler.read(1, 1), 0xde, "IRQ 8 and 13, too");
  pic.irq(11).set(true);
  assert.is(pic.acknowledge(), 0x73);
  slave.write(0, 0x20, 1);
  master.write(0, 0x20, 1);
  assert.ok(intr.level, "still high: again");
  pic.irq(11).set(false);
  assert.not(intr.level);
  assert.is(slave.read(0, 1), 0);
});

test("an acknowledge without a request gives the default IR7, not in service", () => {
  const { pic, master, slave } = programmed();
  assert.is(pic.acknowledge(), 0x0f);
  master.write(0, 0x0b, 1);
  assert.is(master.read(0, 1), 0);
  slave.write(0, 0x0b, 1);
  assert.is(slave.read(0, 1), 0);
});

test("automatic EOI ends at the acknowledge, and may rotate", () => {
  const { pic, intr, master } = programmed(0x03);
  pulse(pic.irq(3));
  pulse(pic.irq(4));
  assert.is(pic.acknowledge(), 0x0b);
  assert.ok(intr.level);
  assert.is(pic.acknowledge(), 0x0c);
  master.write(0, 0x80, 1);
  pulse(pic.irq(3));
  assert.is(pic.acknowledge(), 0x0b);
  pulse(pic.irq(3));
  pulse(pic.irq(4));
  assert.is(pic.acknowledge(), 0x0c, "3 went to the end of the line");
  assert.is(pic.acknowledge(), 0x0b);
});

test("rotate on EOI and set priority", () => {
  const { pic, master } = programmed();
  pulse(pic.irq(4));
  assert.is(pic.acknowledge(), 0x0c);
  master.write(0, 0xa0, 1);
  pulse(pic.irq(4));
  pulse(pic.irq(6));
  assert.is(pic.acknowledge(), 0x0e, "4 has the lowest priority now");
  master.write(0, 0x66, 1);
  assert.is(pic.acknowledge(), 0x0c);
  master.write(0, 0x64, 1);
  master.write(0, 0xc2, 1);
  pulse(pic.irq(0));
  pulse(pic.irq(3));
  assert.is(pic.acknowledge(), 0x0b, "IR2 is the lowest, IR3 the highest");
});

test("special mask mode lets lower levels in while a masked one is in service", () => {
  const { pic, intr, master } = programmed();
  pulse(pic.irq(1));
  pic.acknowledge();
  pulse(pic.irq(5));
  assert.not(intr.level);
  master.write(1, 0x02, 1);
  assert.not(intr.level);
  master.write(0, 0x68, 1);
  assert.ok(intr.level);
  assert.is(pic.acknowledge(), 0x0d);
  master.write(0, 0x20, 1);
  master.write(0, 0x0b, 1);
  assert.is(master.read(0, 1), 0b10, "a non-specific EOI passes over the masked level");
});

test("special fully nested mode lets a second slave interrupt through", () => {
  const { pic, intr } = programmed(0x11);
  pulse(pic.irq(12));
  assert.is(pic.acknowledge(), 0x74);
  pulse(pic.irq(8));
  assert.ok(intr.level);
  assert.is(pic.acknowledge(), 0x70);
});

test("poll command: the next read acknowledges", () => {
  const { pic, intr, master } = programmed();
  master.write(0, 0x0c, 1);
  assert.is(master.read(0, 1), 0);
  pulse(pic.irq(6));
  master.write(0, 0x0c, 1);
  assert.is(master.read(0, 1), 0x86);
  assert.not(intr.level);
  master.write(0, 0x0b, 1);
  assert.is(master.read(0, 1), 0x40);
});

test("ICW1 clears mask, service and edges; single mode skips ICW3", () => {
  const { pic, intr, master } = programmed();
  pic.irq(3).set(true);
  pic.acknowledge();
  pulse(pic.irq(1));
  master.write(1, 0xff, 1);
  master.write(0, 0x12, 1);
  assert.is(master.read(1, 1), 0);
  assert.is(master.read(0, 1), 0);
  assert.not(intr.level, "an input must rise again");
  master.write(1, 0x40, 1);
  master.write(1, 0xf0, 1);
  assert.is(master.read(1, 1), 0xf0, "OCW1 follows ICW2 without IC4");
});

test("a masked slave takes its request off the master", () => {
  const { pic, intr, slave } = programmed();
  pulse(pic.irq(10));
  assert.ok(intr.level);
  slave.write(1, 0xff, 1);
  assert.not(intr.level);
});

test("info pic", () => {
  const { pic, master } = programmed();
  master.write(1, 0xb8, 1);
  pic.irq(0).set(true);
  assert.is(
    pic.describe(),
    "pic0: irr=01 imr=b8 isr=00 hprio=0 irq_base=08 rr_sel=0 elcr=00 fnm=0\n" +
      "pic1: irr=00 imr=00 isr=00 hprio=0 irq_base=70 rr_sel=0 elcr=00 fnm=0\n",
  );
});

test("state", () => {
  const { arena, pic, intr } = programmed();
  pulse(pic.irq(4));
  pic.acknowledge();
  pic.irq(9).set(true);
  intr.level = false;
  checkRoundTrip(arena, () => pic.loaded());
  assert.ok(intr.level);
});

test("hostile accesses", () => {
  const { pic } = setup();
  checkHostileAccess([pic.masterIo, pic.slaveIo, pic.elcrIo], (random) => {
    if (random(4) === 0) pic.irq(random(16)).set(random(2) === 0);
    if (random(8) === 0) assert.ok(pic.acknowledge() <= 0xff);
  });
});

test.run();
