// @timeout 240
// @backends wasm,jit-threshold=20,jit-thread=off js,jit-threshold=20 interp
/** Guest programs that check, from inside, what only privileged code can see. */

import { writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Ended, endConversations } from "../tools/conversation.ts";
import { ended, scratch, startGuest } from "../tools/guest.ts";
import { breakpoints } from "./programs/breakpoints.ts";
import { GuestProgram } from "./programs/builder.ts";
import { debug } from "./programs/debug.ts";
import { exceptions } from "./programs/exceptions.ts";
import { gates } from "./programs/gates.ts";
import { interrupts } from "./programs/interrupts.ts";
import { longMode } from "./programs/long-mode.ts";
import { memory } from "./programs/memory.ts";
import { modifiedCode } from "./programs/modified-code.ts";
import { pae } from "./programs/pae.ts";
import { paging } from "./programs/paging.ts";
import { protection } from "./programs/protection.ts";
import { smm } from "./programs/smm.ts";
import { strings } from "./programs/strings.ts";
import { systemCalls } from "./programs/system-calls.ts";
import { tasks } from "./programs/tasks.ts";
import { timers } from "./programs/timers.ts";
import { virtual8086 } from "./programs/virtual-8086.ts";

const files = scratch();
const EXIT_PORT = 0xf4;

/** Runs a program to the end of its machine. */
async function run(program: GuestProgram): Promise<Ended> {
  const image = files.path(`${program.name}.bin`);
  writeFileSync(image, program.image());
  const guest = await startGuest(
    ...["-nodefaults", "-display", "none", "-cpu", program.cpu, "-m", "16", "-bios", image, "-no-reboot"],
    ...["-debugcon", "stdio", "-device", `isa-debug-exit,iobase=${EXIT_PORT},iosize=4`],
  );
  return ended(guest, 60);
}

for (const program of [
  protection,
  paging,
  pae,
  longMode,
  virtual8086,
  exceptions,
  gates,
  memory,
  interrupts,
  debug,
  breakpoints,
  modifiedCode,
  strings,
  smm(32),
  smm(64),
  timers,
  tasks,
  systemCalls("amd"),
  systemCalls("intel"),
]) {
  test(program.name, async () => {
    const { status, stdout } = await run(program);
    const lines = stdout.trimEnd().split("\n");
    assert.equal(
      lines.filter((line) => !line.startsWith("ok ")),
      ["done"],
    );
    assert.equal(status, 1);
  });
}

test("a triple fault resets, which -no-reboot makes the end", async () => {
  const program = new GuestProgram("triple-fault").data("no_idt: dw 0\ndd 0, 0");
  const { status, stdout } = await run(program.code("lidt [no_idt]\nud2"));
  assert.equal([status, stdout], [0, ""]);
});

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
