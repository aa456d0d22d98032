/** The program: command line in, machine up (or a sub-command done), exit status out. */

import { versionText } from "../core/vm/version.ts";
import manifest from "../package.json" with { type: "json" };
import { COMMANDS, findCommand } from "./commands.ts";

const NAME = "qemu-next";
const { version } = manifest;

/** Runs the machine that the command line describes. */
async function runMachine(args: readonly string[]): Promise<number> {
  const [{ PluginHost }, { runProgram }, { FIRST_PARTY }, { MACHINE_THREAD }] = await Promise.all([
    import("../core/plugin/host.ts"),
    import("../core/vm/program.ts"),
    import("../plugins/first-party.ts"),
    import("./threads.ts"),
  ]);
  const host = new PluginHost();
  for (const plugin of FIRST_PARTY) host.offer(plugin);
  const threads = { machine: MACHINE_THREAD, vcpu: MACHINE_THREAD };
  return runProgram(args, { name: NAME, version, commands: COMMANDS, host, threads });
}

/** Whoever reads what is printed may stop reading. */
function toleratePipes(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
}

async function runCommand({ command, args }: NonNullable<ReturnType<typeof findCommand>>): Promise<number> {
  const name = `${NAME} ${command.name}`;
  toleratePipes();
  try {
    const { run } = await command.load();
    return await run({ name, version, args });
  } catch (error) {
    const { formatError } = await import("../core/vm/program.ts");
    process.stderr.write(formatError(name, error, args.includes("--trace")));
    return 1;
  }
}

/** The one thing that scripts ask for often: without the reader of command lines. */
async function printVersion(): Promise<number> {
  toleratePipes();
  await new Promise((resolve) => process.stdout.write(versionText(NAME, version), resolve));
  return 0;
}

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  if (args.length === 1 && /^--?version$/.test(args[0])) return printVersion();
  const command = findCommand(process.argv[1] ?? "", args);
  return command ? runCommand(command) : runMachine(args);
}

main().then((status) => process.exit(status));
