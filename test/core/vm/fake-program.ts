/** The whole program around the fake machine, as a process of its own. */

import { PluginHost } from "../../../core/plugin/host.ts";
import { runProgram } from "../../../core/vm/program.ts";
import { FIRST_PARTY } from "../../../plugins/first-party.ts";
import { fakeMachine } from "./fake-machine.ts";

const host = new PluginHost();
for (const plugin of FIRST_PARTY) host.offer(plugin);
await host.use(fakeMachine);
const thread = { name: "fake-thread", source: "test/core/vm/fake-thread.ts" };
const threads = { machine: thread, vcpu: thread };
const args = ["-M", "fake", "-accel", "fake", "-m", "16", ...process.argv.slice(2)];
process.exit(await runProgram(args, { name: "qemu-next", version: "1.2.3", host, threads }));
