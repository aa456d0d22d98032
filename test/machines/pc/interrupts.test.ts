import { test } from "uvu";
import * as assert from "uvu/assert";
import { pulse } from "../../../core/irq.ts";
import { StateArena } from "../../../core/state/state.ts";
import { IsaInterrupts } from "../../../machines/pc/interrupts.ts";
import { TestLine } from "../../plugins/devices/checks.ts";

/** The wires as one thread of a machine has them. */
function thread(buffer: SharedArrayBuffer) {
  const interrupts = new IsaInterrupts(new StateArena(buffer));
  const pic = Array.from({ length: 16 }, () => new TestLine());
  const pins = Array.from({ length: 24 }, () => new TestLine());
  interrupts.connect({ irq: (line) => pic[line] }, { pin: (pin) => pins[pin] });
  return { interrupts, pic, pins };
}

const setup = () => thread(new SharedArrayBuffer(65536));

test("a line is asserted while any of its sources is, at both controllers", () => {
  const { interrupts, pic, pins } = setup();
  const [one, two] = [interrupts.source(4), interrupts.source(4)];
  one.set(true);
  one.set(true);
  two.set(true);
  one.set(false);
  assert.is(pic[4].level, true);
  two.set(false);
  assert.is(pic[4].level, false);
  assert.is(pic[4].edges, 1);
  assert.is(pins[4].edges, 1);
  pulse(interrupts.source(0));
  assert.is(pins[2].edges, 1);
  assert.is(pins[0].edges, 0);
  assert.is(interrupts.describe(), "IRQ statistics for isa-i8259:\n 0: 1\n 4: 1\n");
});

test("legacy replacement cuts the interval timer off, and finds its level again", () => {
  const { interrupts, pic } = setup();
  const pit = interrupts.legacySource(0);
  const hpet = interrupts.source(0);
  pit.set(true);
  interrupts.hpetLegacy.set(true);
  assert.is(pic[0].level, false);
  hpet.set(true);
  pit.set(false);
  assert.is(pic[0].level, true);
  hpet.set(false);
  pit.set(true);
  assert.is(pic[0].level, false);
  interrupts.hpetLegacy.set(false);
  assert.is(pic[0].level, true);
});

test("what one thread drives, another one finds driven", () => {
  const buffer = new SharedArrayBuffer(65536);
  const [a, b] = [thread(buffer), thread(buffer)];
  const [serialA, serialB] = [a, b].map(({ interrupts }) => interrupts.source(4));
  const [pitA, pitB] = [a, b].map(({ interrupts }) => interrupts.legacySource(0));
  serialA.set(true);
  serialB.set(true);
  assert.is(b.pic[4].edges, 0, "asserted already");
  serialB.set(false);
  assert.is(b.pic[4].level, false);
  serialA.set(true);
  assert.is(a.pic[4].edges, 1);
  a.interrupts.hpetLegacy.set(true);
  pitB.set(true);
  assert.is(b.pic[0].edges, 0, "cut off");
  pitA.set(true);
  b.interrupts.hpetLegacy.set(false);
  assert.is(b.pic[0].level, true);
  assert.is(a.interrupts.describe(), b.interrupts.describe());
});

test("devices that ask for too many lines are refused", () => {
  const { interrupts } = setup();
  for (let i = 0; i < 512; i++) interrupts.source(5);
  assert.throws(() => interrupts.source(5), /more than 512 interrupt lines/);
});

test.run();
