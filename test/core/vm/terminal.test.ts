/** The program on a real terminal, which util-linux's `script` makes: raw while it runs, put back on every way out. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Conversation, endConversations } from "../../tools/conversation.ts";
import { withTimeout } from "../../tools/with-timeout.ts";

const SCRIPT = "/usr/bin/script";
const PROGRAM = `${process.execPath} ${join(import.meta.dirname, "fake-program.ts")}`;
const terminalTest = existsSync(SCRIPT) ? test : test.skip;

/** Runs the program between two looks at the terminal's settings. */
function onTerminal(args: string): Conversation {
  return new Conversation(SCRIPT, ["-qec", `stty -g; ${PROGRAM} ${args}; echo status $?; stty -g`, "/dev/null"]);
}

async function restored(terminal: Conversation, status: number): Promise<void> {
  const { stdout } = await withTimeout("the terminal's end", 15_000, terminal.ended);
  const settings = [...stdout.matchAll(/^[0-9a-f]+(:[0-9a-f]+){10,}/gm)].map(([match]) => match);
  assert.is(settings.length, 2, stdout);
  assert.is(settings[0], settings[1]);
  assert.match(stdout, new RegExp(`status ${status}\\r`));
}

terminalTest("ctrl-c goes to the guest on a shared terminal; ctrl-a x ends", async () => {
  const terminal = onTerminal("-nographic");
  await terminal.expect("up");
  terminal.type("a\x03b");
  await terminal.expect("A\x03B");
  terminal.type("\x01x");
  await terminal.expect("Terminated");
  await restored(terminal, 0);
});

terminalTest("ctrl-c ends the program when the terminal is only a serial port", async () => {
  const terminal = onTerminal("-serial stdio");
  await terminal.expect("up");
  terminal.type("\x03");
  await terminal.expect("terminating on signal 2");
  await restored(terminal, 0);
});

terminalTest("nothing said: the guest's console, and a line about it", async () => {
  const terminal = onTerminal("");
  await terminal.expect("no display: the guest's serial port and the monitor are on this terminal");
  await terminal.expect("up");
  terminal.type("q");
  await restored(terminal, 0);
});

terminalTest("a bug in the machine's thread leaves the terminal as it was", async () => {
  const terminal = onTerminal("-nographic -M fake,act=crash");
  await terminal.expect("bug in the accelerator");
  await restored(terminal, 1);
});

test.after(endConversations);
test.run();
