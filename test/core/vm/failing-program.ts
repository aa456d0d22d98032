/** The whole program around the machine whose CPUs fail, as a process of its own. */

import { PluginHost } from "../../../core/plugin/host.ts";
import { runProgram } from "../../../core/vm/program.ts";
import { FIRST_PARTY } from "../../../plugins/first-party.ts";
import { failingCpus } from "./failing-cpus.ts";

const host = new PluginHost();
for (const plugin of FIRST_PARTY) host.offer(plugin);
await host.use(failingCpus);
const thread = { name: "failing-thread", source: "test/core/vm/failing-thread.ts" };
const args = ["-M", `failing,act=${process.argv[2]}`, "-accel", "failing", "-smp", "3", "-m", "16", "-nodefaults"];
const environment = { name: "qemu-next", version: "1.2.3", host, threads: { machine: thread, vcpu: thread } };
process.exit(await runProgram([...args, ...process.argv.slice(3)], environment));
