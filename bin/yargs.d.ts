/** The part of yargs that the sub-commands use: the package itself comes without types. */
declare module "yargs" {
  export interface Arguments {
    /** Words that are neither options nor declared by the command. */
    readonly _: readonly (string | number)[];
    readonly [name: string]: unknown;
  }

  export interface Option {
    readonly alias?: string | readonly string[];
    readonly type?: "string" | "boolean" | "number" | "array";
    readonly describe?: string;
    readonly default?: unknown;
    readonly demandOption?: boolean | string;
    readonly choices?: readonly string[];
    readonly requiresArg?: boolean;
    /** The option takes several words, and may be repeated. */
    readonly array?: boolean;
  }

  export interface Parser {
    locale(name: string): Parser;
    scriptName(name: string): Parser;
    usage(text: string): Parser;
    version(version: string): Parser;
    help(): Parser;
    alias(name: string, other: string): Parser;
    option(name: string, option: Option): Parser;
    positional(name: string, option: Option): Parser;
    example(command: string, description: string): Parser;
    epilogue(text: string): Parser;
    /** `command` has yargs's form: "add <name...>"; "$0" is what runs without a name. */
    command(
      command: string | readonly string[],
      description: string,
      describe: (parser: Parser) => Parser,
      handler: (values: Arguments) => void | Promise<void>,
    ): Parser;
    demandCommand(least: number, message: string): Parser;
    strict(): Parser;
    recommendCommands(): Parser;
    exitProcess(exit: boolean): Parser;
    showHelpOnFail(show: boolean): Parser;
    wrap(columns: number): Parser;
    fail(failed: (message: string | undefined, error: Error | undefined) => void): Parser;
    parserConfiguration(configuration: Readonly<Record<string, boolean>>): Parser;
    parseAsync(args: readonly string[]): Promise<Arguments>;
  }

  export default function yargs(args: readonly string[]): Parser;
}
