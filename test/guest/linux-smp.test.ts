// @timeout 400
// @backends wasm
/** Debian's kernels on several CPUs: all at work, taken away and brought back, stopped and reset. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { endConversations } from "../tools/conversation.ts";
import { ended, linuxOptions, scratch, startGuest } from "../tools/guest.ts";

const files = scratch();
const LIMIT = 120;
const CPUS = "/sys/devices/system/cpu";
const TROUBLE = /Oops|BUG:|Kernel panic|Call Trace|soft lockup|rcu.*stall/;

/** What the kernel makes of the CPUs; each of them in turn; loops at the same time; one goes and comes back. */
const script = (cpus: number): string => `
  echo CPUS $(nproc) $(grep -c ^processor /proc/cpuinfo)
  for i in $(seq 0 ${cpus - 1}); do
    echo PLACE $i: $(cd ${CPUS}/cpu$i/topology; cat physical_package_id core_id thread_siblings_list)
    taskset -c $i cut -d" " -f39 /proc/self/stat | sed 's/^/ON CPU /'
  done
  for i in $(seq 0 ${cpus - 1}); do (j=0; while [ $j -lt 300 ]; do j=$((j + 1)); done; echo COUNTED $i) & done
  wait
  echo 0 > ${CPUS}/cpu1/online
  echo WITHOUT ONE $(nproc)
  echo 1 > ${CPUS}/cpu1/online
  echo AGAIN $(nproc)`;

function check(stdout: string, cpus: number): void {
  assert.match(stdout, `CPUS ${cpus} ${cpus}\r`);
  for (let i = 0; i < cpus; i++) {
    assert.match(stdout, `ON CPU ${i}\r`);
    assert.match(stdout, `COUNTED ${i}\r`);
  }
  assert.match(stdout, `WITHOUT ONE ${cpus - 1}\r`);
  assert.match(stdout, `AGAIN ${cpus}\r`);
  assert.match(stdout, /reboot: Power down/);
  assert.not.match(stdout, TROUBLE);
}

test("amd64 on two sockets of two cores, with firmware", async () => {
  const options = await linuxOptions("amd64", files.path("amd64.cpio"), script(4));
  const guest = await startGuest(...options, "-smp", "4,sockets=2");
  const { status, stdout, stderr } = await ended(guest, LIMIT);
  assert.is(status, 0, stderr);
  check(stdout, 4);
  ["0 0 0", "0 1 1", "1 0 2", "1 1 3"].forEach((place, i) => {
    assert.match(stdout, `PLACE ${i}: ${place}\r`);
  });
});

test("i386 on two CPUs, without firmware", async () => {
  const options = await linuxOptions("i386", files.path("i386.cpio"), script(2));
  const guest = await startGuest(...options, "-bios", "none", "-smp", "2");
  const { status, stdout, stderr } = await ended(guest, LIMIT);
  assert.is(status, 0, stderr);
  check(stdout, 2);
});

test("stop, cont and system_reset while two CPUs work; -no-reboot ends at a reboot", async () => {
  const options = await linuxOptions("amd64", files.path("shell.cpio"));
  const guest = await startGuest(...options, "-smp", "2", "-no-reboot");
  const monitor = async (line: string): Promise<void> => {
    guest.type(`${line}\n`);
    await guest.expect(line);
    await guest.expect("(qemu) ");
  };
  await guest.expect("smp: Brought up 1 node, 2 CPUs", LIMIT * 1000);
  guest.type("\x01c");
  await guest.expect("(qemu) ");
  await monitor("system_reset");
  guest.type("\x01c");
  await guest.expect("smp: Brought up 1 node, 2 CPUs", LIMIT * 1000);
  await guest.expect("# ", LIMIT * 1000);
  guest.type("for i in 0 1; do (while :; do :; done) & done; echo BUSY $((6 * 7))\n");
  await guest.expect("BUSY 42");
  guest.type("\x01c");
  await guest.expect("(qemu) ");
  for (let i = 0; i < 3; i++) {
    await monitor("stop");
    await monitor("info registers -a");
    await monitor("cont");
  }
  guest.type("\x01c");
  guest.type("echo AFTER $(nproc)\n");
  await guest.expect("AFTER 2");
  guest.type("reboot -f\n");
  const { status, stdout } = await ended(guest, 30);
  assert.is(status, 0);
  assert.not.match(stdout, TROUBLE);
});

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
