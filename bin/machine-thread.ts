/** The program of the machine's thread. */

import { workerData } from "node:worker_threads";
import { PluginHost } from "../core/plugin/host.ts";
import { runMachineThread } from "../core/vm/machine-thread.ts";
import type { MachinePlan } from "../core/vm/protocol.ts";
import { FIRST_PARTY } from "../plugins/first-party.ts";

const host = new PluginHost();
for (const plugin of FIRST_PARTY) host.offer(plugin);
await runMachineThread(workerData as MachinePlan, host);
