/** The program: command line in, machine up, exit status out. */

import { readFileSync } from "node:fs";
import { PluginHost } from "../core/plugin/host.ts";
import { runProgram } from "../core/vm/program.ts";
import { FIRST_PARTY } from "../plugins/first-party.ts";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};
const host = new PluginHost();
for (const plugin of FIRST_PARTY) host.offer(plugin);

process.exit(
  await runProgram(process.argv.slice(2), {
    name: "qemu-next",
    version,
    host,
    threadProgram: new URL("./machine-thread.ts", import.meta.url),
  }),
);
