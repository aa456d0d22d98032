import { test } from "uvu";
import * as assert from "uvu/assert";
import { DebugExit } from "../../../../plugins/devices/debugexit/debugexit.ts";
import { checkHostileAccess } from "../checks.ts";

test("the exit status is (v << 1) | 1", () => {
  const seen: number[] = [];
  const { io } = new DebugExit({ size: 2, exit: (status) => seen.push(status) });
  io.handler.write(0, 0, 1);
  io.handler.write(0, 0x31, 2);
  io.handler.write(1, 0xffff_ffff, 4);
  assert.equal(seen, [1, 0x63, 0xff]);
  assert.is(io.handler.read(0, 1), 0);
});

test("hostile accesses", () => {
  const { io } = new DebugExit({ size: 2, exit: (status) => assert.ok(status >= 1 && status <= 255) });
  checkHostileAccess([io]);
});

test.run();
