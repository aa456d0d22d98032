/** The program of each of the threads, with the machine whose CPUs fail. */

import { threadName } from "node:worker_threads";
import { PluginHost } from "../../../core/plugin/host.ts";
import { runMachineThread } from "../../../core/vm/machine-thread.ts";
import { runVcpuThread } from "../../../core/vm/vcpu-thread.ts";
import { failingCpus } from "./failing-cpus.ts";

const host = new PluginHost();
await host.use(failingCpus);
await (threadName === "machine" ? runMachineThread(host) : runVcpuThread(host));
