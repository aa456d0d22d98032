import { test } from "uvu";
import * as assert from "uvu/assert";
import { ManualClock } from "../../../core/clock.ts";
import { wallClock } from "../../../core/vm/wall-clock.ts";

const START = Date.UTC(2026, 0, 2, 3, 4, 5);

test("utc follows the host's clock", () => {
  let now = START;
  const clock = wallClock({ base: "utc", clock: "host" }, new ManualClock(), () => now);
  assert.is(clock.nowMs(), START);
  now += 5000;
  assert.is(clock.nowMs(), START + 5000);
});

test("a date is the time at the start", () => {
  let now = START;
  const clock = wallClock({ base: 1000, clock: "host" }, new ManualClock(), () => now);
  now += 250;
  assert.is(clock.nowMs(), 1250);
});

test("clock=vm stands still with the machine", () => {
  const virtual = new ManualClock();
  const clock = wallClock({ base: 0, clock: "vm" }, virtual, () => START);
  assert.is(clock.nowMs(), 0);
  virtual.advance(2_000_000_000);
  assert.is(clock.nowMs(), 2000);
});

test.run();
