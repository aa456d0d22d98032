import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CharPort } from "../../../../core/char/port.ts";
import { StateArena } from "../../../../core/state/state.ts";
import { Debugcon } from "../../../../plugins/devices/debugcon/debugcon.ts";
import { checkHostileAccess, TestChar } from "../checks.ts";

const debugcon = (chardev: CharPort, readback = 0xe9) =>
  new Debugcon({ name: "debugcon", arena: StateArena.create(1 << 17), chardev, readback });

test("writes go to the channel, reads tell that the port is there", () => {
  const channel = new TestChar();
  const { io } = debugcon(channel);
  for (const c of "SeaBIOS") io.handler.write(0, c.charCodeAt(0), 1);
  assert.is(channel.text, "SeaBIOS");
  assert.is(io.handler.read(0, 1), 0xe9);
});

test("bytes wait for a slow channel in their order", () => {
  const channel = new TestChar();
  const { io } = debugcon(channel);
  channel.room = 2;
  for (const c of "abcdef") io.handler.write(0, c.charCodeAt(0), 1);
  assert.is(channel.text, "ab");
  channel.drain(1);
  io.handler.write(0, 0x67, 1);
  channel.drain(100);
  assert.is(channel.text, "abcdefg");
});

test("a channel that never takes anything costs bounded memory", () => {
  const channel = new TestChar();
  const { io } = debugcon(channel, 0);
  channel.room = 0;
  for (let i = 0; i < 100_000; i++) io.handler.write(0, i & 0xff, 1);
  channel.drain(Number.POSITIVE_INFINITY);
  assert.is(channel.sent.length, 65_536);
});

test("hostile accesses", () => {
  const { io } = debugcon(new TestChar());
  checkHostileAccess([io]);
});

test.run();
