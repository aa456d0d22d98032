// @timeout 150
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Conversation, type Ended, endConversations } from "../../tools/conversation.ts";
import { withTimeout } from "../../tools/with-timeout.ts";

const PROGRAM = join(import.meta.dirname, "fake-program.ts");
const directory = mkdtempSync(join(tmpdir(), "qemu-next-vm-"));
const start = (...args: string[]): Conversation => new Conversation(process.execPath, [PROGRAM, ...args]);
const end = (vm: Conversation): Promise<Ended> => withTimeout("the program's end", 10_000, vm.ended);

/** Asks the monitor until the machine is in `state`: what the guest does takes its time. */
async function reach(vm: Conversation, state: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    vm.type("info status\n");
    await vm.expect("VM status: ");
    await vm.expect("(qemu) ");
    if (vm.stdout.endsWith(`VM status: ${state}\r\n(qemu) `)) return;
  }
  throw new Error(`not ${state}: ${vm.stdout}`);
}

test("a serial port on the terminal, both ways, until the guest powers off", async () => {
  const vm = start("-nographic");
  await vm.expect("up\n");
  vm.type("abc");
  await vm.expect("ABC");
  vm.type("q");
  const { status, stderr } = await end(vm);
  assert.is(status, 0);
  assert.is(stderr, "");
});

test("a timer wakes the sleeping CPU", async () => {
  const vm = start("-nographic");
  await vm.expect("up\n");
  vm.type("t");
  await vm.expect("tick\n");
  vm.type("\x01x");
  assert.is((await end(vm)).status, 0);
});

test("requests are heard while the guest spins, and end it", async () => {
  const vm = start("-nographic", "-M", "fake,act=spin", "-monitor", "stdio", "-serial", "null");
  await vm.expect("(qemu) ");
  vm.type("info status\n");
  await vm.expect("VM status: running");
  vm.type("info kvm\n");
  await vm.expect("kvm support: disabled");
  vm.type("quit\n");
  assert.is((await end(vm)).status, 0);
});

test("the exit status of isa-debug-exit", async () => {
  const vm = start("-nographic");
  await vm.expect("up\n");
  vm.type("e");
  assert.is((await end(vm)).status, 33);
});

test("-no-reboot ends at a reset; a triple fault is one", async () => {
  const vm = start("-nographic", "-no-reboot", "-M", "fake,act=triple");
  assert.is((await end(vm)).status, 0);
});

test("a guest's reset resets", async () => {
  const vm = start("-nographic");
  await vm.expect("up\n");
  vm.type("r");
  await vm.expect("reset\n");
  vm.type("q");
  assert.is((await end(vm)).status, 0);
});

test("-no-shutdown stays, and wants a reset before it goes on", async () => {
  const vm = start("-nographic", "-no-shutdown");
  await vm.expect("up\n");
  vm.type("q\x01c");
  await vm.expect("(qemu) ");
  await reach(vm, "paused (shutdown)");
  vm.type("cont\n");
  await vm.expect("Error: Resetting the Virtual Machine is required");
  vm.type("system_reset\ninfo status\n");
  await vm.expect("VM status: paused\r\n");
  vm.type("c\ninfo status\nq\n");
  await vm.expect("VM status: running");
  assert.is((await end(vm)).status, 0);
});

test("S3: suspended until a timer, the monitor or a reset ends it; stop and cont keep it", async () => {
  const vm = start("-nographic");
  await vm.expect("up\n");
  vm.type("w");
  await vm.expect("awake: rtc\n");
  vm.type("s\x01c");
  await vm.expect("(qemu) ");
  await reach(vm, "paused (suspended)");
  vm.type("stop\n");
  await reach(vm, "paused");
  vm.type("system_wakeup\n");
  await vm.expect("Error: Unable to wake up: guest is not in suspended state");
  vm.type("cont\n");
  await reach(vm, "paused (suspended)");
  vm.type("system_wakeup\n");
  await reach(vm, "running");
  vm.type("\x01cs\x01c");
  await reach(vm, "paused (suspended)");
  vm.type("system_reset\n");
  await reach(vm, "running");
  vm.type("q\n");
  const { status, stdout } = await end(vm);
  assert.is(status, 0);
  assert.match(stdout, /awake: other\n/);
});

test("-S waits for cont; the clock stands still meanwhile", async () => {
  const vm = start("-nographic", "-S");
  await vm.expect("up\n");
  vm.type("\x01c");
  await vm.expect("monitor - type 'help'");
  vm.type("info status\n");
  await vm.expect("paused (prelaunch)");
  vm.type("cont\nstop\ninfo status\n");
  await vm.expect("VM status: paused\r\n");
  vm.type("quit\n");
  assert.is((await end(vm)).status, 0);
});

test("a panic ends, or stops, or fails", async () => {
  const ends = start("-nographic");
  await ends.expect("up\n");
  ends.type("p");
  assert.is((await end(ends)).status, 0);
  const fails = start("-nographic", "-action", "panic=exit-failure");
  await fails.expect("up\n");
  fails.type("p");
  assert.is((await end(fails)).status, 1);
  const stops = start("-nographic", "-action", "panic=pause");
  await stops.expect("up\n");
  stops.type("p\x01c");
  await stops.expect("(qemu) ");
  await reach(stops, "paused (guest-panicked)");
  stops.type("q\n");
  assert.is((await end(stops)).status, 0);
});

test("the monitor's commands about the machine", async () => {
  const dump = join(directory, "screen");
  const vm = start("-nographic", "-serial", "null", "-name", "box");
  await vm.expect("(qemu) ");
  const ask = async (line: string, answer: string): Promise<void> => {
    vm.type(`${line}\n`);
    await vm.expect(`${line}\r\n${answer}`);
  };
  await ask("xp /5cb 0x100", "0000000000000100: 'H' 'e' 'l' 'l' 'o'\r\n(qemu) ");
  await ask("xp /2i 0x100", "0x00000100:  48                       dec      ax\r\n0x00000101:  65 6c ");
  await ask("xp/2xw 0x100+4*0", "0000000000000100: 0x6c6c6548 0x0000006f\r\n(qemu) ");
  await ask("x 0x100000", "0000000000100000: Cannot access memory\r\n");
  await ask("p $rax + 1", "0x2b\r\n");
  await ask("print /d -1", "-1\r\n");
  await ask("info registers", "\r\nCPU#0\r\nRAX=000000000000002a");
  await ask("info cpus", "* CPU #0: thread_id=");
  await ask("info pic", "pic0: irr=00\r\n");
  await ask("info mtree", "address-space: memory\r\n");
  await ask("info name", "box\r\n");
  await ask("info version", "1.2.3\r\n");
  await ask("info uuid", "00000000-0000-0000-0000-000000000000\r\n");
  await ask(
    "info chardev",
    "compat_monitor0: filename=stdio\r\nparallel0: filename=null\r\nserial0: filename=null\r\n",
  );
  await ask("info block ide1-cd0", "ide1-cd0: [not inserted]\r\n    Removable device: not locked, tray closed\r\n");
  await ask("eject ide1-cd0", "(qemu) ");
  await ask("eject hd9", "Error: Device 'hd9' not found\r\n");
  await ask("sendkey ctrl-bogus", "Error: invalid parameter: bogus\r\n");
  await ask("sendkey a 1", "(qemu) ");
  await ask("foo", "unknown command: 'foo'\r\n");
  await ask("info foo", "unknown command: 'info foo'\r\n");
  await ask("help stop", "stop|s -- stop emulation\r\n");
  await ask(`screendump ${dump}.ppm`, "(qemu) ");
  await ask(`screendump ${dump}.png -f png`, "(qemu) ");
  await ask("screendump /no/such/folder", "Error: failed to open file '/no/such/folder'");
  vm.type("quit\n");
  assert.is((await end(vm)).status, 0);
  assert.equal([...readFileSync(`${dump}.ppm`)], [...Buffer.from("P6\n2 1\n255\n"), 1, 2, 3, 4, 5, 6]);
  assert.is(readFileSync(`${dump}.png`).toString("latin1", 1, 4), "PNG");
});

test("disks are written out before the end; -snapshot leaves them alone", async () => {
  const image = join(directory, "disk.img");
  for (const snapshot of [true, false]) {
    writeFileSync(image, Buffer.from("original".padEnd(512)));
    const vm = start("-nographic", "-M", "fake,act=disk", "-hda", image, ...(snapshot ? ["-snapshot"] : []));
    await vm.expect("disk original\n");
    assert.is((await end(vm)).status, 0);
    assert.is(readFileSync(image, "latin1").slice(0, 8), snapshot ? "original" : "written!");
  }
});

test("-pidfile is there while the program runs; -d stats go to -D", async () => {
  const pidFile = join(directory, "pid");
  const log = join(directory, "log");
  const vm = start("-nographic", "-pidfile", pidFile, "-d", "stats", "-D", log);
  await vm.expect("up\n");
  vm.type("a");
  await vm.expect("A");
  assert.is(Number(readFileSync(pidFile, "utf8")), vm.child.pid);
  vm.type("q");
  assert.is((await end(vm)).status, 0);
  assert.throws(() => readFileSync(pidFile), /ENOENT/);
  assert.match(readFileSync(log, "utf8"), /^cpu0 runs +\d+\n$/);
});

test("signals end it in order", async () => {
  for (const [signal, number, expected] of [
    ["SIGINT", 2, 0],
    ["SIGTERM", 15, 0],
    ["SIGHUP", 1, 1],
  ] as const) {
    const vm = start("-nographic");
    await vm.expect("up\n");
    vm.child.kill(signal);
    const { status, stderr } = await end(vm);
    assert.is(status, expected);
    assert.is(stderr, `qemu-next: terminating on signal ${number}\n`);
  }
});

test("what goes wrong is one message and status 1", async () => {
  const failing = async (...args: string[]): Promise<string> => {
    const { status, stderr, stdout } = await end(start("-nographic", ...args));
    assert.is(status, 1, stderr);
    assert.is(stdout.replace("up\n", ""), "");
    return stderr;
  };
  assert.is(await failing("-M", "fake,act=refuse"), "qemu-next: this machine refuses\ntry another one\n");
  assert.match(
    await failing("-hda", "/no/such.img"),
    /^qemu-next: -hda \/no\/such.img: Could not open '\/no\/such.img': /,
  );
  assert.match(await failing("-serial", "file:/no/such"), /^qemu-next: -serial file:\/no\/such: Could not open/);
  assert.match(
    await failing("-chardev", "tty9,id=x"),
    /^qemu-next: -chardev tty9,id=x: 'tty9' is not a valid char driver name/,
  );
  assert.match(await failing("-D", "/no/such", "-d", "int"), /Could not open '\/no\/such'/);
  assert.match(await failing("-m", "100G"), /cannot set up guest memory/);
  assert.match(
    await failing("-M", "fake,act=crash"),
    /^qemu-next: the machine's thread failed: bug in the accelerator\n/,
  );
});

test("plugins hear of the moments; one that fails in them is named", async () => {
  const plugin = join(directory, "moments.cjs");
  writeFileSync(
    plugin,
    `const MOMENTS = ["cmdline", "machineInit", "vmStateChange", "reset", "shutdown"];
    module.exports = { name: "moments", api: 1, options: { fail: { type: "str" } }, apply({ hooks, options }) {
      for (const moment of MOMENTS) hooks[moment].tap("moments", (what) => {
        if (moment === options.fail) throw new Error("no luck");
        process.stderr.write(moment + " " + (typeof what === "string" ? what : typeof what) + "\\n");
      });
    } };`,
  );
  const vm = start("-nographic", "-plugin", plugin, "-no-shutdown", "-monitor", "stdio", "-serial", "null");
  await vm.expect("(qemu) ");
  await reach(vm, "running");
  vm.type("system_reset\n");
  await vm.expect("(qemu) ");
  vm.type("quit\n");
  const { status, stderr } = await end(vm);
  assert.is(status, 0);
  const [cmdline, init, running, reset, ...rest] = stderr.trimEnd().split("\n");
  assert.equal([cmdline, init, running], ["cmdline object", "machineInit object", "vmStateChange running"]);
  assert.is(reset, "reset host-qmp-system-reset");
  assert.is(rest.at(-1), "shutdown undefined");
  for (const moment of ["cmdline", "machineInit", "vmStateChange", "shutdown"]) {
    const failing = start("-nographic", "-no-reboot", "-plugin", `${plugin},fail=${moment}`, "-M", "fake,act=triple");
    const { status, stderr } = await end(failing);
    assert.is(status, 1, moment);
    assert.match(stderr, new RegExp(`plugin 'moments' failed in its hook ${moment}: no luck\n'-trace' shows`));
  }
});

test("a reader that goes away is an error", async () => {
  const vm = start("-nographic");
  await vm.expect("up\n");
  vm.child.stdout.destroy();
  vm.type("abc");
  const { status, stderr } = await end(vm);
  assert.is(status, 1);
  assert.match(stderr, /^qemu-next: standard input or output is gone: write EPIPE\n/);
});

test("output that nobody reads is waited for; nothing is lost", async () => {
  const out = join(directory, "serial.log");
  const vm = start("-nographic", "-serial", `file:${out}`, "-monitor", "stdio");
  await vm.expect("(qemu) ");
  vm.type("system_powerdown\nsystem_reset\nquit\n");
  assert.is((await end(vm)).status, 0);
  assert.is(readFileSync(out, "utf8"), "up\npower button\nreset\n");
});

test.after(() => {
  endConversations();
  rmSync(directory, { recursive: true, force: true });
});
test.run();
