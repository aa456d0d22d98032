/**
 * Splits a command line into options, driven by the table in table.ts: `-x` and `--x` are the same, an option that
 * takes an argument takes the next word whatever it looks like, and a word without dash is a disk image.
 */

import { QemuError } from "../errors.ts";
import { didYouMean } from "./near.ts";

export interface OptionSpec {
  /** Names without dash; the first one is the canonical one. */
  readonly names: readonly [string, ...string[]];
  /** What the argument looks like, for -help; undefined when the option takes none. */
  readonly argument?: string;
  /** For -help, one string per line. */
  readonly help: readonly string[];
}

export interface ParsedOption {
  /** Canonical name; "" for a bare disk image. */
  readonly name: string;
  /** The argument, "" for options without. */
  readonly value: string;
  /** As the user wrote it, for messages: "-m 512". */
  readonly text: string;
}

export function lex(args: readonly string[], specs: readonly OptionSpec[]): ParsedOption[] {
  const byName = new Map(specs.flatMap((spec) => spec.names.map((name) => [name, spec] as const)));
  const options: ParsedOption[] = [];
  for (let i = 0; i < args.length; i++) {
    const word = args[i];
    if (!word.startsWith("-") || word === "-") {
      options.push({ name: "", value: word, text: word });
      continue;
    }
    const name = word.replace(/^--?/, "");
    const spec = byName.get(name);
    if (!spec) {
      throw new QemuError("unknown-option", "invalid option", {
        context: { option: word },
        hint: didYouMean(name, byName.keys(), "-"),
      });
    }
    if (spec.argument === undefined) {
      options.push({ name: spec.names[0], value: "", text: word });
      continue;
    }
    if (i + 1 >= args.length) throw new QemuError("bad-option", "requires an argument", { context: { option: word } });
    options.push({ name: spec.names[0], value: args[i + 1], text: `${word} ${args[i + 1]}` });
    i++;
  }
  return options;
}
