/** The monitor's commands about one of several CPUs. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { InfoRegistry } from "../../../core/monitor/info.ts";
import { type MachineCommandContext, runMachineCommand } from "../../../core/monitor/machine-commands.ts";

const vcpus = [0, 1, 2].map((index) => ({
  dumpRegisters: () => `EAX=0000000${index}\n`,
  dumpTlb: () => `TLB ${index}\n`,
  instructionPointer: BigInt(index),
}));
const info = new InfoRegistry();
info.add("lapic", ({ cpu, argument }) => `APIC ${argument ?? `of CPU ${cpu}`}\n`);
const context = { machine: { vcpus }, info } as unknown as MachineCommandContext;
const ask = (subject: string, cpu: number, flag?: string) =>
  runMachineCommand(context, "info", { subject, cpu: String(cpu), ...(flag === undefined ? {} : { flag }) }).json;

test("info cpus marks the one that the monitor looks at", () => {
  const line = (mark: string, index: number): string => `${mark} CPU #${index}: thread_id=${process.pid}\n`;
  assert.is(ask("cpus", 1), line(" ", 0) + line("*", 1) + line(" ", 2));
});

test("info registers: of that CPU, of all, of a given one", () => {
  assert.is(ask("registers", 2), "\nCPU#2\nEAX=00000002\n");
  assert.is(ask("registers", 2, "1"), "\nCPU#1\nEAX=00000001\n");
  assert.is(ask("registers", 2, "-a"), [0, 1, 2].map((i) => `\nCPU#${i}\nEAX=0000000${i}\n`).join(""));
  assert.is(ask("registers", 0, "3"), "CPU#3 not available\n");
  assert.throws(() => ask("registers", 0, "-b"), /registers: unsupported option -b/);
  assert.throws(() => ask("registers", 0, "x"), /invalid char 'x' in expression/);
});

test("other commands look at that CPU", () => {
  assert.is(ask("tlb", 1), "TLB 1\n");
  assert.is(ask("lapic", 1), "APIC of CPU 1\n");
  assert.is(ask("lapic", 1, "2"), "APIC 2\n");
  const print = (cpu: number) =>
    runMachineCommand(context, "print", { format: "", address: "$pc + $eax", cpu: `${cpu}` });
  assert.is(print(2).json, "0x4\n");
});

test("cpu N: only those that are there", () => {
  assert.is(runMachineCommand(context, "cpu", { cpu: "2" }).json, "");
  assert.throws(() => runMachineCommand(context, "cpu", { cpu: "3" }), /invalid CPU index/);
});

test.run();
