/** The machine thread's program, with the fake machine. */

import { PluginHost } from "../../../core/plugin/host.ts";
import { runMachineThread } from "../../../core/vm/machine-thread.ts";
import { fakeMachine } from "./fake-machine.ts";

const host = new PluginHost();
await host.use(fakeMachine);
await runMachineThread(host);
