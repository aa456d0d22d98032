/**
 * The programs that one executable holds beside the emulator. Each is reached by its name as the first word
 * (`qemu-next bundle ...`), or by calling the executable by one of the names in `alsoCalled`, through a link. A disk
 * image that has the name of a command is written with its folder (`./bundle`). Nothing is loaded before it is asked for.
 */

import { basename } from "node:path";

/** What a command gets to know of the program it belongs to. */
export interface CommandContext {
  /** How the user calls it, for messages: "qemu-next bundle". */
  readonly name: string;
  /** The version of qemu-next. */
  readonly version: string;
  /** The words behind its name. */
  readonly args: readonly string[];
}

export interface Command {
  readonly name: string;
  readonly description: string;
  /** File names of the executable that mean this command. */
  readonly alsoCalled: readonly string[];
  /** The command; it resolves with the exit status, and what it throws is shown as an error. */
  load(): Promise<{ run(context: CommandContext): Promise<number> }>;
}

export const COMMANDS: readonly Command[] = [
  {
    name: "plugin",
    description: "list and install plugins",
    alsoCalled: [],
    load: () => import("./commands/plugin.ts"),
  },
  {
    name: "bundle",
    description: "make an executable with chosen parts",
    alsoCalled: [],
    load: () => import("./commands/bundle.ts"),
  },
  {
    name: "licenses",
    description: "show the licences of what is in this program",
    alsoCalled: [],
    load: () => import("./commands/licenses.ts"),
  },
];

/** The command that a command line means, and the words that are its own; undefined when it describes a machine. */
export function findCommand(
  calledAs: string,
  args: readonly string[],
  commands: readonly Command[] = COMMANDS,
): { readonly command: Command; readonly args: readonly string[] } | undefined {
  const file = basename(calledAs).replace(/\.(c?js|ts|exe)$/, "");
  const byFile = commands.find(({ alsoCalled }) => alsoCalled.includes(file));
  if (byFile) return { command: byFile, args };
  const byWord = commands.find(({ name }) => name === args[0]);
  return byWord && { command: byWord, args: args.slice(1) };
}
