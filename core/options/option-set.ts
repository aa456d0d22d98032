/** The options of a command line, asked for by name. */

import { parseKeyValues, toRecord, withOption } from "./keyval.ts";
import type { ParsedOption } from "./lexer.ts";

export class OptionSet {
  readonly #options: readonly ParsedOption[];

  constructor(options: readonly ParsedOption[]) {
    this.#options = options;
  }

  /** All of them, in order. */
  [Symbol.iterator](): Iterator<ParsedOption> {
    return this.#options[Symbol.iterator]();
  }

  /** The last argument of an option, or undefined. */
  last(name: string): ParsedOption | undefined {
    return this.#options.findLast((option) => option.name === name);
  }

  all(name: string): ParsedOption[] {
    return this.#options.filter((option) => option.name === name);
  }

  has(name: string): boolean {
    return this.last(name) !== undefined;
  }

  /** The last argument of an option as a record; later options of the same name add to earlier ones. */
  record(name: string, implied: string | undefined, allowed?: readonly string[]): Record<string, string> {
    const parts = this.all(name).map(({ value, text }) =>
      withOption(text, () => toRecord(parseKeyValues(value, implied), allowed)),
    );
    return Object.assign(Object.create(null), ...parts);
  }
}
