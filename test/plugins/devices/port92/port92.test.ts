import { test } from "uvu";
import * as assert from "uvu/assert";
import { StateArena } from "../../../../core/state/state.ts";
import { Port92 } from "../../../../plugins/devices/port92/port92.ts";
import { checkHostileAccess, checkRoundTrip, TestLine } from "../checks.ts";

function setup() {
  const arena = StateArena.create();
  const a20 = new TestLine();
  const count = { resets: 0 };
  const port = new Port92({ name: "port92", arena, a20, resetMachine: () => count.resets++ });
  port.reset();
  return { arena, a20, count, port, handler: port.io.handler };
}

test("bit 1 is the A20 gate and reads back", () => {
  const { a20, handler } = setup();
  handler.write(0, 2, 1);
  assert.ok(a20.level);
  assert.is(handler.read(0, 1), 2);
  handler.write(0, 0, 1);
  assert.not(a20.level);
});

test("bit 0 resets once, when it rises", () => {
  const { count, handler, port } = setup();
  handler.write(0, 1, 1);
  handler.write(0, 3, 1);
  assert.is(count.resets, 1);
  port.reset();
  assert.is(handler.read(0, 1), 0);
  handler.write(0, 1, 1);
  assert.is(count.resets, 2);
});

test("state and hostile accesses", () => {
  const { arena, port } = setup();
  port.io.handler.write(0, 2, 1);
  checkRoundTrip(arena, () => {});
  checkHostileAccess([port.io]);
});

test.run();
