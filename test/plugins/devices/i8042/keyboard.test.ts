import { test } from "uvu";
import * as assert from "uvu/assert";
import { ManualClock, NS_PER_MS } from "../../../../core/clock.ts";
import { StateArena } from "../../../../core/state/state.ts";
import { Ps2Keyboard } from "../../../../plugins/devices/i8042/keyboard.ts";
import { KEYS } from "../../../../plugins/devices/i8042/keys.ts";
import { checkRoundTrip, randomNumbers } from "../checks.ts";

function setup() {
  const arena = StateArena.create();
  const clock = new ManualClock();
  const leds: number[] = [];
  const keyboard = new Ps2Keyboard({ name: "kbd", arena, clock, changed: () => {}, onLeds: (l) => leds.push(l) });
  keyboard.reset();
  /** All bytes there are, in hexadecimal. */
  const out = (): string => {
    const bytes: string[] = [];
    while (keyboard.available) bytes.push(keyboard.take().toString(16).padStart(2, "0"));
    return bytes.join(" ");
  };
  const send = (...values: number[]): string => {
    for (const value of values) keyboard.send(value);
    return out();
  };
  const tap = (...names: string[]): string => {
    for (const name of names) keyboard.key(name, true);
    for (const name of names.toReversed()) keyboard.key(name, false);
    return out();
  };
  return { arena, clock, leds, keyboard, out, send, tap };
}

test("set 2: make, and break with F0", () => {
  const { tap } = setup();
  assert.is(tap("a"), "1c f0 1c");
  assert.is(tap("up"), "e0 75 e0 f0 75");
  assert.is(tap("shift", "b"), "12 32 f0 32 f0 12");
  assert.is(tap("power"), "e0 37 e0 f0 37");
});

test("set 1 and set 3", () => {
  const { tap, send } = setup();
  assert.is(send(0xf0, 1), "fa fa");
  assert.is(tap("a"), "1e 9e");
  assert.is(tap("delete"), "e0 53 e0 d3");
  assert.is(tap("pause"), "e1 1d 45 e1 9d c5");
  assert.is(send(0xf0, 3), "fa fa");
  assert.is(send(0xf0, 0), "fa fa 03");
  assert.is(tap("a"), "1c", "typematic keys send no break code");
  assert.is(tap("shift"), "12 f0 12", "make and break");
  assert.is(tap("f1"), "07", "make only");
  assert.is(tap("pause"), "62");
  assert.is(send(0xf0, 4), "fa fe");
});

test("Print Screen and Pause change with the modifiers", () => {
  const { tap } = setup();
  assert.is(tap("print"), "e0 12 e0 7c e0 f0 7c e0 f0 12");
  assert.is(tap("ctrl", "print"), "14 e0 7c e0 f0 7c f0 14");
  assert.is(tap("alt", "print"), "11 84 f0 84 f0 11");
  assert.is(tap("alt", "sysrq"), "11 84 f0 84 f0 11");
  assert.is(tap("pause"), "e1 14 77 e1 f0 14 f0 77");
  assert.is(tap("ctrl", "pause"), "14 e0 7e e0 f0 7e f0 14");
  assert.is(tap("lang1"), "f2");
});

test("commands: echo, identify, reset, indicators, unknown", () => {
  const { send, leds } = setup();
  assert.is(send(0xee), "ee");
  assert.is(send(0xf2), "fa ab 83");
  assert.is(send(0xff), "fa aa");
  assert.is(send(0xed, 5), "fa fa");
  assert.is(leds.at(-1), 5);
  assert.is(send(0xff), "fa aa");
  assert.is(leds.at(-1), 0);
  assert.is(send(0x12), "fe");
  assert.is(send(0xef), "fe");
  assert.is(send(0xed, 0xf2), "fa fa ab 83", "a command in place of the parameter");
});

test("resend repeats the last byte", () => {
  const { send, tap } = setup();
  tap("a");
  assert.is(send(0xfe), "1c");
  assert.is(send(0xfe), "1c");
});

test("disable, enable, defaults", () => {
  const { send, tap } = setup();
  assert.is(send(0xf5), "fa");
  assert.is(tap("a"), "");
  assert.is(send(0xf4), "fa");
  assert.is(tap("a"), "1c f0 1c");
  send(0xf0, 1);
  assert.is(send(0xf6), "fa");
  assert.is(tap("a"), "1c f0 1c");
});

test("typematic: half a second, then 10.9 a second; the newest key repeats", () => {
  const { clock, keyboard, out } = setup();
  keyboard.key("a", true);
  assert.is(out(), "1c");
  clock.advance(499 * NS_PER_MS);
  assert.is(out(), "");
  clock.advance(NS_PER_MS);
  assert.is(out(), "1c");
  clock.advance(92 * NS_PER_MS);
  assert.is(out(), "1c");
  keyboard.key("b", true);
  assert.is(out(), "32");
  clock.advance(500 * NS_PER_MS);
  assert.is(out(), "32");
  keyboard.key("a", false);
  out();
  clock.advance(100 * NS_PER_MS);
  assert.is(out(), "32", "the release of another key does not end it");
  keyboard.key("b", false);
  out();
  clock.advance(5000 * NS_PER_MS);
  assert.is(out(), "");
});

test("typematic rate and delay by command", () => {
  const { clock, keyboard, out, send } = setup();
  assert.is(send(0xf3, 0x00), "fa fa");
  keyboard.key("a", true);
  out();
  clock.advance(250 * NS_PER_MS);
  assert.is(out(), "1c");
  clock.advance(34 * NS_PER_MS);
  assert.is(out(), "1c");
});

test("repeats of the host are ignored, and repeats do not pile up", () => {
  const { clock, keyboard, out } = setup();
  keyboard.key("a", true);
  keyboard.key("a", true);
  assert.is(out(), "1c");
  clock.advance(60_000 * NS_PER_MS);
  assert.is(out(), "1c", "one waits for the host, no more");
});

test("set 3 key types", () => {
  const { send, tap, clock, keyboard, out } = setup();
  send(0xf0, 3);
  assert.is(send(0xf8), "fa");
  assert.is(tap("a"), "1c f0 1c");
  assert.is(send(0xfd, 0x1c, 0x1b), "fa fa fa");
  assert.is(send(0xf4), "fa", "a command ends the list");
  assert.is(tap("a", "s", "d"), "1c 1b 23 f0 23");
  assert.is(send(0xfb, 0x1c), "fa fa");
  keyboard.key("a", true);
  clock.advance(500 * NS_PER_MS);
  assert.is(out(), "1c");
  assert.is(send(0xfa), "fa");
  keyboard.key("a", false);
  assert.is(out(), "f0 1c");
});

test("overrun: whole keys are dropped, one overrun code tells", () => {
  const { keyboard, out } = setup();
  for (let i = 0; i < 100; i++) {
    keyboard.key("a", true);
    keyboard.key("a", false);
  }
  const bytes = out().split(" ");
  assert.is(bytes.length, 64);
  assert.is(bytes[63], "00");
  assert.is(bytes[0], "1c");
});

test("a reply never splits a scan code", () => {
  const { keyboard, out } = setup();
  keyboard.key("up", true);
  assert.is(keyboard.take(), 0xe0);
  keyboard.send(0xee);
  assert.is(out(), "75 ee");
});

test("every key makes and breaks in every set", () => {
  for (const set of [1, 2, 3]) {
    const { send, tap } = setup();
    send(0xf0, set, 0xfa);
    for (const { name, set3 } of KEYS) assert.is(tap(name) === "", set === 3 && set3 === 0, `${name} in set ${set}`);
  }
});

test("state", () => {
  const { arena, keyboard, clock, out } = setup();
  keyboard.key("a", true);
  keyboard.key("up", true);
  keyboard.take();
  keyboard.send(0xed);
  checkRoundTrip(arena, () => keyboard.loaded());
  keyboard.send(2);
  assert.is(out(), "fa fa e0 75");
  clock.advance(500 * NS_PER_MS);
  assert.is(out(), "e0 75");
});

test("hostile hosts", () => {
  const { keyboard, clock } = setup();
  const random = randomNumbers(99);
  for (let i = 0; i < 50_000; i++) {
    if (random(2)) keyboard.send(random(256));
    if (random(3) === 0) keyboard.key(KEYS[random(KEYS.length)].name, random(2) === 0);
    if (random(3) === 0) assert.ok(keyboard.take() <= 0xff);
    clock.advance(random(50 * NS_PER_MS));
  }
});

test.run();
