// @timeout 180
/** Shared devices, driven from two threads at once: no interrupt is lost, no register torn, no byte lost or doubled. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { SCENARIOS } from "./scenarios.ts";
import { TwoThreads } from "./two-threads.ts";

const threads = new TwoThreads(new URL("./scenarios.ts", import.meta.url));
const run = (name: keyof typeof SCENARIOS) => threads.run(name, SCENARIOS[name]);

test("serial port: what two threads send arrives, each one's in order", async () => {
  const [complete] = await run("serialOutput");
  assert.is(complete, true);
});

test("serial port: input is announced, and read once", async () => {
  const [, wrong] = await run("serialInput");
  assert.is(wrong, 0);
});

test("debug console: what two threads write arrives, each one's in order", async () => {
  const [complete] = await run("debugcon");
  assert.is(complete, true);
});

test("pvpanic and isa-debug-exit: every event is told", async () => {
  assert.equal(await run("events"), [
    [10_000, 10_000],
    [10_000, 10_000],
  ]);
});

test("HPET: halves of 64-bit registers, written at once, stay whole", async () => {
  assert.equal(await run("hpetRegisters"), [0, 0]);
});

test("HPET: each start of a timer makes one interrupt", async () => {
  const [, lost] = await run("hpetInterrupts");
  assert.is(lost, 0);
});

test("interval timer and speaker: each one-shot makes one interrupt, and counters do not mix", async () => {
  assert.equal(await run("intervalTimer"), [0, 0]);
});

test("real-time clock: each interrupt is found in register C once, and memory stays whole", async () => {
  assert.equal(await run("realTimeClock"), [{ torn: 0 }, { torn: 0, lost: 0, few: false }]);
});

test("8259 pair and wires: every edge is served once", async () => {
  assert.equal(await run("interruptController"), [
    { torn: 0, statistics: "IRQ statistics for isa-i8259:\n 4: 4000\n10: 4000\n" },
    { others: [], waiting: 0 },
  ]);
});

test("local APICs and I/O APIC: every interrupt is served once, and none stays in service", async () => {
  assert.equal(await run("apics"), [
    { seen: [[0x50, 2000]], inService: 0 },
    {
      seen: [
        [0x40, 2000],
        [0x60, 2000],
      ],
      inService: 0,
    },
  ]);
});

test("devices that reach for each other: every access ends, and most are answered", async () => {
  for (const outcome of await run("deadlock")) {
    const { calls, settled, answered } = outcome as Record<string, number>;
    assert.is(calls, 10_000);
    assert.is(settled, 10_000);
    assert.ok(answered > 0);
  }
});

test("random accesses from two threads", async () => {
  const [machine, cpu] = (await run("hostile")) as { wrong: number; saved: string }[];
  assert.is(machine.wrong, 0);
  assert.equal(cpu, machine, "both see the same registers");
});

test.after(async () => {
  await threads.end();
});

test.run();
