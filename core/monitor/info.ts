/**
 * Texts of the monitor's `info` commands that only the machine's thread can give: the machine and its devices register
 * a function per subject ("pic", "irq"), the monitor asks by name.
 */

/** What the user asked with. */
export interface InfoQuery {
  /** Index of the CPU that the monitor looks at. */
  readonly cpu: number;
  /** The first word after the subject. */
  readonly argument?: string;
}

/** Lines as the monitor prints them, each ended by a newline. */
export type InfoProvider = (query: InfoQuery) => string;

export class InfoRegistry {
  readonly #providers = new Map<string, InfoProvider>();

  /** Registers a subject; several providers of one subject are printed in the order they came. */
  add(subject: string, provider: InfoProvider): void {
    const before = this.#providers.get(subject);
    this.#providers.set(subject, before ? (query) => before(query) + provider(query) : provider);
  }

  /** The text, its last line ended, or undefined when nobody provides the subject. */
  text(subject: string, query: InfoQuery = { cpu: 0 }): string | undefined {
    const text = this.#providers.get(subject)?.(query);
    return text === undefined || text === "" || text.endsWith("\n") ? text : `${text}\n`;
  }
}
