// @timeout 400
// @backends wasm js interp
/** Debian's kernels with busybox, booted by the firmware with -kernel. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { endConversations } from "../tools/conversation.ts";
import { ended, linuxOptions, scratch, startGuest } from "../tools/guest.ts";

const files = scratch();
const LIMIT = 120;

for (const [architecture, cpus] of [
  ["amd64", 2],
  ["i386", 1],
] as const) {
  test(`${architecture}, -smp ${cpus}: a script runs, and the guest powers off`, async () => {
    const script = "echo $(nproc) CPUs, $(uname -m); i=0; while [ $i -lt 100 ]; do i=$((i + 1)); done; echo COUNTED $i";
    const options = await linuxOptions(architecture, files.path("script.cpio"), script);
    const guest = await startGuest(...options, "-smp", String(cpus));
    const { status, stdout, stderr } = await ended(guest, LIMIT);
    assert.is(status, 0, stderr);
    assert.match(stdout, architecture === "amd64" ? /2 CPUs, x86_64/ : /1 CPUs, i686/);
    assert.match(stdout, /COUNTED 100/);
    assert.match(stdout, /reboot: Power down/);
    assert.not.match(stdout, /Oops|BUG:|Kernel panic|Call Trace/);
  });
}

test("a shell on the serial port; -no-reboot ends at a reboot", async () => {
  const guest = await startGuest(...(await linuxOptions("amd64", files.path("shell.cpio"))), "-no-reboot");
  await guest.expect("# ", LIMIT * 1000);
  guest.type("echo $((6 * 7)) answers\n");
  await guest.expect("42 answers");
  guest.type("\x01c");
  await guest.expect("(qemu) ");
  guest.type("info status\n");
  await guest.expect("VM status: running");
  guest.type("\x01creboot -f\n");
  const { status } = await ended(guest, 30);
  assert.is(status, 0);
});

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
