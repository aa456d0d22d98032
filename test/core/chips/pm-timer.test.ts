import { test } from "uvu";
import * as assert from "uvu/assert";
import { readPmTimer, withPmTimer } from "../../../core/chips/pm-timer.ts";
import { ManualClock, NS_PER_SECOND } from "../../../core/clock.ts";

test("the timer is read here, wherever the guest has put it, and everything else from the other thread", () => {
  const clock = new ManualClock();
  const calls: string[] = [];
  const other = {
    read: (at: number, size: number) => {
      calls.push(`read ${at} ${size}`);
      return 7;
    },
    write: (at: number, value: number, size: number) => void calls.push(`write ${at} ${value} ${size}`),
  };
  let port = 0;
  const bus = withPmTimer(other, clock, () => port);
  assert.is(bus.read(0, 4), 7);
  assert.is(bus.read(0x608, 4), 7);
  port = 0x608;
  clock.advance(NS_PER_SECOND);
  assert.is(bus.read(0x608, 4), 3_579_545);
  assert.is(bus.read(0x608, 2), 7);
  bus.write(0x608, 1, 4);
  assert.is(bus.read(0x604, 4), 7);
  assert.equal(calls, ["read 0 4", "read 1544 4", "read 1544 2", "write 1544 1 4", "read 1540 4"]);
});

test("24 bits", () => {
  const clock = new ManualClock();
  clock.advance(5 * NS_PER_SECOND);
  assert.is(readPmTimer(clock), 5 * 3_579_545 - 2 ** 24);
});

test.run();
