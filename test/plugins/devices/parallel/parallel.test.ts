import { test } from "uvu";
import * as assert from "uvu/assert";
import { StateArena } from "../../../../core/state/state.ts";
import * as p from "../../../../plugins/devices/parallel/parallel.ts";
import { checkHostileAccess, checkRoundTrip, TestChar, TestLine } from "../checks.ts";

const IDLE = p.CONTROL_NINIT | p.CONTROL_SELECT_IN;

function setup() {
  const arena = StateArena.create();
  const irq = new TestLine();
  const channel = new TestChar();
  const port = new p.Parallel({ name: "parallel0", arena, irq, chardev: channel });
  port.reset();
  const write = (offset: number, value: number): void => port.io.handler.write(offset, value, 1);
  const read = (offset: number): number => port.io.handler.read(offset, 1);
  const print = (character: string, control = IDLE): void => {
    write(0, character.charCodeAt(0));
    write(2, control | p.CONTROL_STROBE);
    write(2, control);
  };
  return { arena, irq, channel, port, write, read, print };
}

test("a printer is online and ready", () => {
  const { read } = setup();
  assert.is(read(1), 0xdf);
  assert.is(read(2), 0xc0 | IDLE);
});

test("each strobe prints the data byte once", () => {
  const { print, channel, write, read } = setup();
  for (const character of "hello") print(character);
  assert.is(channel.text, "hello");
  assert.is(read(0), "o".charCodeAt(0));
  write(2, IDLE | p.CONTROL_STROBE);
  write(2, IDLE | p.CONTROL_STROBE);
  assert.is(channel.text, "helloo");
});

test("a slow channel keeps the printer busy, and no byte is lost", () => {
  const { print, channel, read } = setup();
  channel.room = 1;
  for (const character of "slow") {
    while (!(read(1) & p.STATUS_READY)) channel.drain(1);
    print(character);
  }
  channel.drain(9);
  assert.is(channel.text, "slow");
  assert.is(read(1) & p.STATUS_READY, p.STATUS_READY);
});

test("nACK interrupts when enabled; reading the status ends it", () => {
  const { print, irq, read } = setup();
  print("a");
  assert.not(irq.level);
  print("b", IDLE | p.CONTROL_INTEN);
  assert.ok(irq.level);
  read(1);
  assert.not(irq.level);
});

test("a printer that is deselected or held in reset takes nothing", () => {
  const { print, channel } = setup();
  print("a", p.CONTROL_NINIT);
  print("b", p.CONTROL_SELECT_IN);
  assert.is(channel.text, "");
});

test("with the direction bit set the data pins float", () => {
  const { read, write } = setup();
  write(0, 0x55);
  assert.is(read(0), 0x55);
  write(2, IDLE | p.CONTROL_DIRECTION);
  assert.is(read(0), 0xff);
});

test("state and hostile accesses", () => {
  const { arena, port, print, channel } = setup();
  channel.room = 0;
  print("x", IDLE | p.CONTROL_INTEN);
  checkRoundTrip(arena, () => port.loaded());
  checkHostileAccess([port.io], (random) => channel.drain(random(3)));
});

test.run();
