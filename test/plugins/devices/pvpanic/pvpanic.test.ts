import { test } from "uvu";
import * as assert from "uvu/assert";
import { Pvpanic } from "../../../../plugins/devices/pvpanic/pvpanic.ts";
import { checkHostileAccess } from "../checks.ts";

function setup(events: number) {
  const seen: string[] = [];
  const { io } = new Pvpanic({
    events,
    machine: { panic: () => seen.push("panic"), shutdown: (cause) => seen.push(cause) },
  });
  return { seen, io };
}

test("reading gives the events, writing reports them", () => {
  const { seen, io } = setup(0b101);
  assert.is(io.handler.read(0, 1), 0b101);
  io.handler.write(0, 1, 1);
  io.handler.write(0, 4, 1);
  assert.equal(seen, ["panic", "guest-shutdown"]);
});

test("what was not offered is not acted on", () => {
  const { seen, io } = setup(0b010);
  for (const event of [1, 2, 4, 0xf8]) io.handler.write(0, event, 1);
  assert.equal(seen, []);
});

test("hostile accesses", () => checkHostileAccess([setup(0xff).io]));

test.run();
