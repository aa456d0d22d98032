import { test } from "uvu";
import * as assert from "uvu/assert";
import { HostClock, ManualClock } from "../../core/clock.ts";

test("timers fire in the order of their deadlines, at their deadlines", () => {
  const clock = new ManualClock();
  const fired: string[] = [];
  const note = (name: string) => () => void fired.push(`${name}@${clock.now()}`);
  clock.timer("b", note("b")).arm(20);
  clock.timer("a", note("a")).arm(10);
  clock.timer("c", note("c")).arm(1000);
  clock.advance(100);
  assert.equal(fired, ["a@10", "b@20"]);
  assert.is(clock.nextDeadline(), 1000);
});

test("a timer may arm itself again, and be cancelled", () => {
  const clock = new ManualClock();
  let count = 0;
  const timer = clock.timer("tick", () => {
    if (++count < 5) timer.arm(clock.now() + 10);
  });
  timer.arm(10);
  clock.advance(1000);
  assert.is(count, 5);
  timer.arm(clock.now() + 1);
  timer.cancel();
  clock.advance(10);
  assert.is(count, 5);
  assert.is(clock.nextDeadline(), undefined);
});

test("a timer that keeps asking for the past fires once per call", () => {
  const clock = new ManualClock();
  let count = 0;
  const timer = clock.timer("late", () => {
    count++;
    timer.arm(0);
  });
  timer.arm(0);
  clock.fireDue(5);
  assert.is(count, 1);
});

test("poll fires what is due and nothing else", () => {
  const clock = new HostClock();
  const fired: string[] = [];
  clock.timer("due", () => void fired.push("due")).arm(0);
  clock.timer("later", () => void fired.push("later")).arm(1e15);
  clock.poll();
  clock.poll();
  assert.equal(fired, ["due"]);
});

test("the host clock stands still while stopped", () => {
  const clock = new HostClock();
  assert.is(clock.now(), 0);
  clock.start();
  assert.ok(clock.running);
  clock.stop();
  const stopped = clock.now();
  assert.is(clock.now(), stopped);
  clock.set(5000);
  assert.is(clock.now(), 5000);
});

test.run();
