/** The machine thread's program, with the fake machine. */

import { workerData } from "node:worker_threads";
import { PluginHost } from "../../../core/plugin/host.ts";
import { runMachineThread } from "../../../core/vm/machine-thread.ts";
import type { MachinePlan } from "../../../core/vm/protocol.ts";
import { fakeMachine } from "./fake-machine.ts";

const host = new PluginHost();
await host.use(fakeMachine);
await runMachineThread(workerData as MachinePlan, host);
