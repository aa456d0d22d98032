import { test } from "uvu";
import * as assert from "uvu/assert";
import { ManualClock } from "../../../core/clock.ts";
import { startTime, wallClock } from "../../../core/vm/wall-clock.ts";

const START = Date.UTC(2026, 0, 2, 3, 4, 5);
const AT_START = { wall: START, monotonic: 0 };

test("utc follows the host's clock", () => {
  let now = START;
  const clock = wallClock({ base: "utc", clock: "host" }, new ManualClock(), AT_START, () => now);
  assert.is(clock.nowMs(), START);
  now += 5000;
  assert.is(clock.nowMs(), START + 5000);
});

test("a date is the time at the start", () => {
  let now = START;
  const clock = wallClock({ base: 1000, clock: "host" }, new ManualClock(), AT_START, () => now);
  now += 250;
  assert.is(clock.nowMs(), 1250);
});

test("clock=vm stands still with the machine", () => {
  const virtual = new ManualClock();
  const clock = wallClock({ base: 0, clock: "vm" }, virtual, AT_START);
  assert.is(clock.nowMs(), 0);
  virtual.advance(2_000_000_000);
  assert.is(clock.nowMs(), 2000);
});

test("clock=rt follows the host's monotonic clock, and threads of a machine agree on it", () => {
  const started = startTime();
  const [one, two] = [0, 1].map(() => wallClock({ base: 5000, clock: "rt" }, new ManualClock(), started));
  const first = one.nowMs();
  const second = two.nowMs();
  assert.ok(first >= 5000 && second >= first && second < first + 10_000, `${first} ${second}`);
});

test.run();
