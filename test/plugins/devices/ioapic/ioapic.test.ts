import { test } from "uvu";
import * as assert from "uvu/assert";
import type { InterruptMessage } from "../../../../core/bus/apic-bus.ts";
import { readRegion, writeRegion } from "../../../../core/bus/io.ts";
import { StateArena } from "../../../../core/state/state.ts";
import { Ioapic } from "../../../../plugins/devices/ioapic/ioapic.ts";
import { randomAccesses } from "../random-accesses.ts";

function setUp() {
  const arena = StateArena.create();
  const sent: InterruptMessage[] = [];
  const ioapic = new Ioapic({ name: "ioapic", arena, deliver: (message) => sent.push(message) });
  ioapic.reset();
  const read = (index: number): number => {
    writeRegion(ioapic.io, 0, index, 4);
    return readRegion(ioapic.io, 0x10, 4);
  };
  const write = (index: number, value: number): void => {
    writeRegion(ioapic.io, 0, index, 4);
    writeRegion(ioapic.io, 0x10, value, 4);
  };
  return { arena, sent, ioapic, read, write, vectors: () => sent.splice(0).map(({ vector }) => vector) };
}

test("version 20h with 24 masked entries", () => {
  const { read, write } = setUp();
  assert.is(read(1), 0x170020);
  for (let pin = 0; pin < 24; pin++) assert.is(read(0x10 + pin * 2), 0x10000);
  write(0, 0x0f000000);
  assert.is(read(0), 0x0f000000);
});

test("an edge is delivered once, as the entry says", () => {
  const { ioapic, sent, write, vectors } = setUp();
  write(0x13, 0x03000000);
  write(0x12, 0x0931); // lowest priority, logical
  ioapic.pin(1).set(true);
  ioapic.pin(1).set(true);
  assert.equal(sent, [{ destination: 3, logical: true, deliveryMode: 1, vector: 0x31, level: false }]);
  vectors();
  ioapic.pin(1).set(false);
  ioapic.pin(1).set(true);
  assert.equal(vectors(), [0x31]);
});

test("an edge on a masked pin is lost, a level is found when unmasked", () => {
  const { ioapic, write, vectors } = setUp();
  ioapic.pin(4).set(true);
  write(0x18, 0x40);
  assert.equal(vectors(), []);
  write(0x18, 0x18040);
  write(0x18, 0x8040);
  assert.equal(vectors(), [0x40]);
});

test("a level is delivered again after EOI while the pin stays asserted", () => {
  const { ioapic, read, write, vectors } = setUp();
  write(0x24, 0x8055);
  ioapic.pin(10).set(true);
  assert.equal(vectors(), [0x55]);
  assert.is(read(0x24), 0xc055, "remote IRR");
  ioapic.pin(10).set(false);
  ioapic.pin(10).set(true);
  assert.equal(vectors(), []);
  ioapic.eoi(0x54);
  assert.equal(vectors(), []);
  ioapic.eoi(0x55);
  assert.equal(vectors(), [0x55]);
  ioapic.pin(10).set(false);
  writeRegion(ioapic.io, 0x40, 0x55, 4);
  assert.equal(vectors(), []);
  assert.is(read(0x24), 0x8055);
});

test("remote IRR cannot be written, and goes with a change to edge", () => {
  const { ioapic, read, write } = setUp();
  write(0x10, 0xd020);
  assert.is(read(0x10), 0x8020);
  ioapic.pin(0).set(true);
  write(0x10, 0x10020);
  assert.is(read(0x10), 0x10020);
});

test("physical destination FFh is everybody", () => {
  const { ioapic, sent, write } = setUp();
  write(0x11, 0xff000000);
  write(0x10, 0x20);
  ioapic.pin(0).set(true);
  assert.is(sent[0].destination, 0xffffffff);
});

test("state round trip", () => {
  const { arena, ioapic, write, vectors } = setUp();
  write(0x24, 0x8055);
  ioapic.pin(10).set(true);
  const saved = arena.save();
  ioapic.reset();
  arena.load(saved);
  assert.equal(arena.save(), saved);
  vectors();
  ioapic.eoi(0x55);
  assert.equal(vectors(), [0x55]);
});

test("any accesses are harmless", () => {
  const { ioapic } = setUp();
  randomAccesses(5000, (random, size) => {
    writeRegion(ioapic.io, random() % 4 === 0 ? random() & 0xfff : [0, 0x10, 0x40][random() % 3], random(), size);
    readRegion(ioapic.io, random() & 0xfff, size);
    ioapic.pin(random() % 24).set((random() & 1) !== 0);
    ioapic.eoi(random() & 0xff);
  });
  assert.type(ioapic.describe(), "string");
});

test.run();
