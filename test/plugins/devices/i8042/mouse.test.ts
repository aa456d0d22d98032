import { test } from "uvu";
import * as assert from "uvu/assert";
import { ManualClock, NS_PER_MS } from "../../../../core/clock.ts";
import { StateArena } from "../../../../core/state/state.ts";
import { Ps2Mouse } from "../../../../plugins/devices/i8042/mouse.ts";
import { checkRoundTrip, randomNumbers } from "../checks.ts";

function setup(...commands: number[]) {
  const arena = StateArena.create();
  const clock = new ManualClock();
  const mouse = new Ps2Mouse({ name: "mouse", arena, clock, changed: () => {} });
  mouse.reset();
  const out = (): string => {
    const bytes: string[] = [];
    while (mouse.available) bytes.push(mouse.take().toString(16).padStart(2, "0"));
    return bytes.join(" ");
  };
  const send = (...values: number[]): string => {
    for (const value of values) mouse.send(value);
    return out();
  };
  send(...commands);
  const move = (dx: number, dy: number): string => {
    mouse.move(dx, dy);
    mouse.sync();
    return out();
  };
  return { arena, clock, mouse, out, send, move };
}

const WHEEL = [0xf3, 200, 0xf3, 100, 0xf3, 80];
const EXPLORER = [0xf3, 200, 0xf3, 200, 0xf3, 80];

test("reset: acknowledge, self test passed, ID 0; reporting is off", () => {
  const { send, move } = setup();
  assert.is(send(0xff), "fa aa 00");
  assert.is(send(0xf2), "fa 00");
  assert.is(move(5, 5), "");
});

test("motion: right and up are positive, nine bits with signs", () => {
  const { move, clock } = setup(0xf4);
  assert.is(move(5, -3), "08 05 03");
  clock.advance(10 * NS_PER_MS);
  assert.is(move(-1, 2), "38 ff fe");
  clock.advance(10 * NS_PER_MS);
  assert.is(move(0, 0), "");
});

test("large motion is spread over packets, one a sample", () => {
  const { move, clock, out } = setup(0xf4);
  assert.is(move(300, 0), "08 ff 00");
  clock.advance(10 * NS_PER_MS - 1);
  assert.is(out(), "");
  clock.advance(1);
  assert.is(out(), "08 2d 00");
});

test("motion is sampled at the sample rate; buttons go at once", () => {
  const { move, clock, mouse, out } = setup(0xf3, 10, 0xf4);
  assert.is(move(1, 0), "08 01 00");
  assert.is(move(1, 0), "");
  assert.is(move(1, 0), "");
  mouse.button("left", true);
  assert.is(out(), "09 02 00");
  mouse.button("left", false);
  mouse.sync();
  assert.is(out(), "08 00 00");
  move(4, 0);
  clock.advance(100 * NS_PER_MS);
  assert.is(out(), "08 04 00");
});

test("buttons left, right and middle", () => {
  const { mouse, out } = setup(0xf4);
  mouse.button("right", true);
  assert.is(out(), "0a 00 00");
  mouse.button("middle", true);
  assert.is(out(), "0e 00 00");
  mouse.button("side", true);
  mouse.button("wheel-up", true);
  mouse.sync();
  out();
});

test("IntelliMouse: ID 3 and the wheel", () => {
  const { send, mouse, out } = setup(...WHEEL);
  assert.is(send(0xf2), "fa 03");
  send(0xf4);
  mouse.button("wheel-up", true);
  mouse.button("wheel-up", false);
  mouse.sync();
  assert.is(out(), "08 00 00 ff");
  assert.is(send(0xff, 0xf2), "fa aa 00 fa 00", "reset goes back");
});

test("Explorer: ID 4 and buttons four and five", () => {
  const { send, mouse, out, clock } = setup(...EXPLORER);
  assert.is(send(0xf2), "fa 04");
  send(0xf4);
  mouse.button("side", true);
  assert.is(out(), "08 00 00 10");
  mouse.button("extra", true);
  mouse.button("side", false);
  out();
  clock.advance(20 * NS_PER_MS);
  mouse.button("wheel-down", true);
  mouse.sync();
  assert.is(out(), "08 00 00 21");
});

test("status request", () => {
  const { send, mouse } = setup();
  assert.is(send(0xe9), "fa 00 02 64");
  send(0xe8, 3, 0xf3, 40, 0xe7, 0xf4);
  mouse.button("left", true);
  mouse.button("right", true);
  send(0xf5, 0xf4);
  assert.is(send(0xe9), "fa 35 03 28");
});

test("remote mode sends on request only", () => {
  const { send, mouse, move } = setup(0xf0, 0xf4);
  assert.is(move(7, 0), "");
  mouse.button("left", true);
  assert.is(send(0xeb), "fa 09 07 00");
  assert.is(send(0xeb), "fa 09 00 00");
  assert.is(send(0xea), "fa");
  assert.is(move(7, 0), "09 07 00");
});

test("wrap mode echoes all but its end and reset", () => {
  const { send } = setup(0xee);
  assert.is(send(0x55, 0xf2, 0xe9), "55 f2 e9");
  assert.is(send(0xec), "fa");
  assert.is(send(0xf2), "fa 00");
});

test("scaling 2:1 in stream mode", () => {
  const { move, clock } = setup(0xe7, 0xf4);
  for (const [dx, seen] of [
    [1, 1],
    [2, 1],
    [3, 3],
    [4, 6],
    [5, 9],
    [6, 12],
  ]) {
    assert.is(move(dx, 0), `08 ${seen.toString(16).padStart(2, "0")} 00`);
    clock.advance(10 * NS_PER_MS);
  }
});

test("invalid bytes: resend, then error; resend repeats a packet", () => {
  const { send, move } = setup(0xf4);
  assert.is(send(0x10), "fe");
  assert.is(send(0x10), "fc");
  assert.is(send(0xf3, 33), "fa fe");
  assert.is(send(0xe8, 9), "fa fe");
  assert.is(move(9, 0), "08 09 00");
  assert.is(send(0xfe), "08 09 00");
});

test("a mouse nobody reads holds back its packets", () => {
  const { mouse, clock, out } = setup(0xf4);
  for (let i = 0; i < 1000; i++) {
    mouse.move(1, 0);
    mouse.button("left", i % 2 === 0);
    mouse.sync();
    clock.advance(10 * NS_PER_MS);
  }
  assert.ok(out().split(" ").length <= 40);
  clock.advance(10 * NS_PER_MS);
  assert.ok(out().length > 0, "the accumulated motion follows");
});

test("state", () => {
  const { arena, mouse, clock, out } = setup(...WHEEL, 0xf4);
  mouse.move(700, 0);
  mouse.sync();
  checkRoundTrip(arena, () => mouse.loaded());
  assert.is(out(), "08 ff 00 00");
  clock.advance(13 * NS_PER_MS);
  assert.is(out(), "08 ff 00 00");
});

test("hostile hosts", () => {
  const { mouse, clock } = setup();
  const random = randomNumbers(7);
  for (let i = 0; i < 50_000; i++) {
    mouse.send(random(4) ? 0xe6 + random(26) : random(256));
    mouse.move(random(100_000) - 50_000, random(100_000) - 50_000);
    mouse.button((["left", "extra", "wheel-up"] as const)[random(3)], random(2) === 0);
    if (random(2)) mouse.sync();
    if (random(2)) assert.ok(mouse.take() <= 0xff);
    clock.advance(random(20 * NS_PER_MS));
  }
});

test.run();
