/**
 * The program of the machine's thread and of the threads of its further vCPUs. It is one for both, because they assemble
 * the same machine: what V8 has compiled for one (bin/bundle/code-cache.ts) spares the other most of its start.
 */

import { workerData } from "node:worker_threads";
import { PluginHost } from "../core/plugin/host.ts";
import { FIRST_PARTY } from "../plugins/first-party.ts";

async function run(): Promise<void> {
  const host = new PluginHost();
  for (const plugin of FIRST_PARTY) host.offer(plugin);
  // Only a vCPU's thread has its plan from the beginning.
  if (workerData) await (await import("../core/vm/vcpu-thread.ts")).runVcpuThread(host);
  else await (await import("../core/vm/machine-thread.ts")).runMachineThread(host);
}

void run();
