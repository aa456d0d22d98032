/** The program of the machine's thread. */

import { PluginHost } from "../core/plugin/host.ts";
import { runMachineThread } from "../core/vm/machine-thread.ts";
import { FIRST_PARTY } from "../plugins/first-party.ts";

const host = new PluginHost();
for (const plugin of FIRST_PARTY) host.offer(plugin);
void runMachineThread(host);
