import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { NS_PER_MS } from "../../core/clock.ts";
import { SharedClock } from "../../core/shared-clock.ts";
import { StateArena } from "../../core/state/state.ts";
import { withTimeout } from "../tools/with-timeout.ts";
import { type ArmTask, FIRED, shareClock } from "./shared-clock.worker.ts";

/** The clocks of two threads, with the same timers, and a host whose time stands still until told. */
function setup() {
  const buffer = new SharedArrayBuffer(65536);
  const host = { seconds: 1_000_000, ns: 999_999_000 };
  const woken: number[] = [];
  const fired: string[] = [];
  const [machine, cpu] = [0, 1].map((home) => {
    const clock = new SharedClock({
      arena: new StateArena(buffer),
      home,
      wake: (other) => void woken.push(other),
      hostTime: () => [host.seconds, host.ns],
    });
    const note = (name: string) => () => void fired.push(`${name} in ${home}`);
    const a = clock.timer("a", note("a"));
    const b = clock.timer("b", note("b"));
    const local = clock.at(1).timer("local", note("local"));
    return { clock, a, b, local };
  });
  const pass = (ns: number): void => {
    host.ns += ns;
    host.seconds += Math.floor(host.ns / 1e9);
    host.ns %= 1e9;
  };
  return { machine, cpu, woken, fired, pass };
}

test("all threads see one time, which stands still while the machine does", () => {
  const { machine, cpu, pass } = setup();
  pass(5000);
  assert.is(cpu.clock.now(), 0);
  machine.clock.start();
  pass(3_000_000_007);
  assert.is(machine.clock.now(), 3_000_000_007);
  assert.is(cpu.clock.now(), 3_000_000_007);
  assert.is(cpu.clock.at(1).now(), 3_000_000_007);
  machine.clock.stop();
  machine.clock.stop();
  pass(1000);
  assert.is(cpu.clock.running, false);
  assert.is(cpu.clock.now(), 3_000_000_007);
  machine.clock.set(50);
  assert.is(cpu.clock.now(), 50);
  machine.clock.start();
  pass(1);
  machine.clock.set(100);
  pass(1);
  assert.is(cpu.clock.now(), 101);
});

test("a timer fires in its home thread, whoever armed it", () => {
  const { machine, cpu, fired, pass } = setup();
  machine.clock.start();
  cpu.a.arm(100);
  cpu.local.arm(50);
  machine.b.arm(60);
  assert.is(machine.a.deadline, 100);
  assert.is(machine.clock.nextDeadline(), 60);
  assert.is(cpu.clock.nextDeadline(), 50);
  pass(200);
  cpu.clock.poll();
  assert.equal(fired, ["local in 1"]);
  machine.clock.poll();
  assert.equal(fired, ["local in 1", "b in 0", "a in 0"]);
  assert.is(cpu.a.deadline, undefined);
  assert.is(machine.clock.nextDeadline(), undefined);
});

test("a thread is woken for a deadline that is earlier than what it knows", () => {
  const { machine, cpu, woken } = setup();
  assert.is(machine.clock.nextDeadline(), undefined);
  assert.is(cpu.clock.nextDeadline(), undefined);
  cpu.a.arm(1000);
  assert.equal(woken, [0]);
  cpu.b.arm(2000);
  cpu.a.arm(1500);
  assert.equal(woken, [0]);
  assert.is(machine.clock.nextDeadline(), 1500);
  cpu.b.arm(1400);
  assert.equal(woken, [0, 0]);
  machine.a.arm(3);
  cpu.local.arm(3);
  assert.equal(woken, [0, 0], "nobody needs to be told what it does itself");
  machine.local.arm(2);
  assert.equal(woken, [0, 0, 1]);
});

test("a timer that another one cancels or puts off does not fire", () => {
  const { machine, cpu, fired, pass } = setup();
  machine.clock.start();
  const first = machine.clock.timer("first", () => {
    cpu.a.cancel();
    cpu.b.arm(500);
  });
  first.arm(1);
  machine.a.arm(2);
  machine.b.arm(3);
  pass(100);
  machine.clock.poll();
  assert.equal(fired, []);
  assert.equal(machine.clock.pending(), [{ name: "b", deadline: 500 }]);
});

test("one that keeps asking for the past fires once per call", () => {
  const { machine } = setup();
  let count = 0;
  const timer = machine.clock.timer("late", () => {
    count++;
    timer.arm(-5);
  });
  timer.arm(0);
  machine.clock.poll();
  assert.is(count, 1);
  machine.clock.poll();
  assert.is(count, 2);
});

test("nothing is left over when a thread arms, cancels and arms again what another one fires", async () => {
  const buffer = new SharedArrayBuffer(65536);
  const words = new Int32Array(buffer);
  const rounds = 1000;
  const { bell, clock } = shareClock(buffer, 0, () => {
    Atomics.add(words, FIRED / 4, 1);
    Atomics.notify(words, FIRED / 4);
  });
  clock.start();
  const task: ArmTask = { buffer, rounds };
  const worker = new Worker(new URL("./shared-clock.worker.ts", import.meta.url), { workerData: task });
  const ended = once(worker, "exit");
  const limit = clock.now() + 20_000 * NS_PER_MS;
  while (Atomics.load(words, FIRED / 4) < rounds && clock.now() < limit) {
    const deadline = clock.nextDeadline();
    const ms = deadline === undefined ? 1000 : (deadline - clock.now()) / NS_PER_MS;
    if (ms > 0) bell.wait(ms);
    clock.poll();
  }
  await withTimeout("the end of the thread", 5000, ended);
  assert.is(Atomics.load(words, FIRED / 4), rounds);
});

test.run();
