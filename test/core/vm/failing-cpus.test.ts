// @timeout 200
/** Threads of a machine that fail while the others compute, wait for an answer, or wait for a lock of the one that failed. */

import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Conversation, endConversations } from "../../tools/conversation.ts";
import { ended } from "../../tools/guest.ts";

const PROGRAM = join(import.meta.dirname, "failing-program.ts");
/**
 * A small heap for every thread, so that one is soon full. V8 cannot end the thread in an optimized loop that calls only
 * its own functions.
 */
const NODE_OPTIONS = ["--max-old-space-size=32", "--no-opt", "--no-maglev"];
const LIMIT = 40;

const start = (act: string, ...args: string[]): Conversation =>
  new Conversation(process.execPath, [...NODE_OPTIONS, PROGRAM, act, "-display", "none", ...args]);

const FAILURES: Readonly<Record<string, RegExp>> = {
  "cpu-throws": /^qemu-next: the thread of CPU 1 failed: bug in a device\nError: bug/,
  "cpu-leaves": /^qemu-next: the thread of CPU 1 failed: it has ended\n/,
  "cpu-exhausts-locked": /^qemu-next: the thread of CPU 1 failed: .*out of memory\n/,
  "cannot-start": /^qemu-next: cannot start the thread of CPU 2: bug in a device\n$/,
  differs: /^qemu-next: cannot start the thread of CPU 2: it has assembled another machine\ndo all devices .*\n$/,
  leaves: /^qemu-next: the machine's thread has ended\n/,
  exhausts: /^qemu-next: the machine's thread failed: .*out of memory\n/,
};
for (const [act, message] of Object.entries(FAILURES)) {
  test(`${act}: says so and ends`, async () => {
    const { status, stderr } = await ended(start(act), LIMIT);
    assert.match(stderr, message);
    assert.is(status, 1);
  });
}

for (const command of ["stop", "quit"]) {
  test(`a CPU's thread runs out of memory while it is waited for: ${command}`, async () => {
    const program = start("cpu-exhausts", "-monitor", "stdio");
    await program.expect("allocating\n", LIMIT * 1000);
    program.type(`${command}\n`);
    const { status, stderr } = await ended(program, LIMIT);
    if (command === "quit") assert.is(status, 0);
    else {
      assert.match(stderr, /^qemu-next: the thread of CPU 1 failed: .*out of memory\n/);
      assert.is(status, 1);
    }
  });
}

test("a CPU's thread that nothing ends does not keep the program", async () => {
  const program = new Conversation(process.execPath, [PROGRAM, "cpu-spins", "-display", "none", "-monitor", "stdio"]);
  await program.expect("spinning\n", LIMIT * 1000);
  program.type("quit\n");
  assert.is((await ended(program, LIMIT)).status, 0);
});

test.after(endConversations);
test.run();
