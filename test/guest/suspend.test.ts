// @timeout 400
/** Linux suspends to RAM (ACPI S3) and resumes: through the firmware, and without any. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Conversation, endConversations } from "../tools/conversation.ts";
import { ended, linuxOptions, scratch, startGuest } from "../tools/guest.ts";

const files = scratch();
const LIMIT = 120;
const RTC_WAKES = `clock=/sys/class/rtc/rtc0
echo $(($(cat $clock/since_epoch) + 2)) > $clock/wakealarm
echo mem > /sys/power/state
echo ALARM WOKE IT
`;
const SLEEPS = `echo mem > /sys/power/state
echo AWAKE AGAIN
`;

/** Boots into `script`, with the kernel's messages up to the moment it sleeps. */
async function start(name: string, script: string, ...more: string[]): Promise<Conversation> {
  const options = await linuxOptions("amd64", files.path(name), script);
  const append = `${options.pop()} no_console_suspend`;
  return startGuest(...options, append, ...more);
}

/** Waits until the monitor says that the machine sleeps, and gives it a command that wakes it. */
async function wake(guest: Conversation, command: string): Promise<void> {
  await guest.expect("PM: suspend entry", LIMIT * 1000);
  guest.type("\x01c");
  for (;;) {
    guest.type("info status\n");
    await guest.expect("VM status: ");
    await guest.expect("(qemu) ");
    if (guest.stdout.endsWith("paused (suspended)\r\n(qemu) ")) break;
  }
  guest.type(`${command}\n\x01c`);
  await guest.expect("AWAKE AGAIN", 60_000);
}

async function off(guest: Conversation): Promise<void> {
  const { status, stdout, stderr } = await ended(guest, 60);
  assert.is(status, 0, stderr);
  assert.match(stdout, /Waking up from system sleep state S3/);
  assert.not.match(stdout, /Oops|BUG:|Kernel panic|Call Trace/);
}

test("the RTC's alarm and a key wake it, through the firmware", async () => {
  const guest = await start("firmware.cpio", RTC_WAKES + SLEEPS);
  await guest.expect("ALARM WOKE IT", LIMIT * 1000);
  await wake(guest, "sendkey shift");
  await off(guest);
});

test("system_wakeup and the power button wake it, without firmware", async () => {
  const guest = await start("direct.cpio", SLEEPS + SLEEPS, "-bios", "none");
  await wake(guest, "system_wakeup");
  await wake(guest, "system_powerdown");
  await off(guest);
});

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
