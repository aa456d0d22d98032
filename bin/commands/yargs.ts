/**
 * The sub-commands' command lines, by yargs: their mistakes become errors like all others. Only sub-commands load this
 * file; the machine's command line has a reader of its own.
 */

import yargs, { type Arguments, type Parser } from "yargs";
import { QemuError } from "../../core/errors.ts";
import type { CommandContext } from "../commands.ts";

export type { Arguments, Parser };

const WIDEST = 120;

/**
 * Reads a sub-command's words and runs the handler of the yargs command that they select. `describe` declares commands
 * and options; handlers may be asynchronous, and what they throw is thrown here.
 */
export async function runYargs(context: CommandContext, describe: (parser: Parser) => Parser): Promise<void> {
  const parser = yargs([])
    .locale("en")
    .scriptName(context.name)
    .version(context.version)
    .help()
    .alias("help", "h")
    .option("trace", { type: "boolean", default: false, describe: "show where in the program an error came from" })
    .strict()
    .recommendCommands()
    // A word is what the user wrote: "012" stays "012", and "a.b" is no object.
    .parserConfiguration({ "parse-numbers": false, "parse-positional-numbers": false, "dot-notation": false })
    .exitProcess(false)
    .showHelpOnFail(false)
    .wrap(Math.min(WIDEST, process.stdout.columns ?? WIDEST))
    .fail((message, error) => {
      // yargs's own errors are about the words, too.
      if (error && error.name !== "YError") throw error;
      throw new QemuError("usage", message ?? "wrong usage", { hint: `see '${context.name} --help'` });
    });
  await describe(parser).parseAsync(context.args);
}
