/** The program of the thread of a further vCPU. */

import { PluginHost } from "../core/plugin/host.ts";
import { runVcpuThread } from "../core/vm/vcpu-thread.ts";
import { FIRST_PARTY } from "../plugins/first-party.ts";

const host = new PluginHost();
for (const plugin of FIRST_PARTY) host.offer(plugin);
void runVcpuThread(host);
