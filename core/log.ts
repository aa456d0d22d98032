/**
 * The log of -d and -D: what the program does, by item. Lines are written synchronously, so that those of the machine's
 * thread and of the I/O thread keep their order and the last ones survive a crash.
 */

import { closeSync, openSync, writeSync } from "node:fs";
import { messageOf, QemuError } from "./errors.ts";
import { didYouMean } from "./options/near.ts";

export const LOG_ITEMS = {
  in_asm: "show the guest code of each translated block",
  op: "show the intermediate code of each translated block",
  op_opt: "show the intermediate code after optimisation",
  jit: "show what is compiled, and why not",
  out_wasm: "show each compiled WebAssembly module (base64)",
  out_js: "show each function compiled to JavaScript",
  int: "show interrupts and exceptions",
  exec: "show each block before it runs (nothing is compiled then)",
  cpu: "show the CPU's registers before each block (nothing is compiled then)",
  cpu_reset: "show the CPU's registers before it is reset",
  guest_errors: "log when the guest does something invalid",
  unimp: "log what the guest uses and this program does not have",
  stats: "print counters at the end",
} as const;

export type LogItem = keyof typeof LOG_ITEMS;

/** Where the log goes; plain data, fit for another thread (a file descriptor belongs to the process). */
export interface LogPlan {
  readonly items: readonly LogItem[];
  readonly fd: number;
}

const isItem = (name: string): name is LogItem => Object.hasOwn(LOG_ITEMS, name);

/** Reads the argument of -d; "all" means all. */
export function parseLogItems(text: string): LogItem[] {
  return text.split(",").flatMap((name) => {
    if (name === "all") return Object.keys(LOG_ITEMS).filter(isItem);
    if (isItem(name)) return [name];
    throw new QemuError("bad-log-item", `Invalid log item '${name}'`, {
      hint: didYouMean(name, Object.keys(LOG_ITEMS)) ?? "'-d help' lists the log items",
    });
  });
}

export function logHelp(): string {
  const rows = Object.entries({ ...LOG_ITEMS, all: "all of these" });
  return `Log items (comma separated):\n${rows.map(([name, text]) => `${name.padEnd(15)} ${text}\n`).join("")}`;
}

/** Opens the file of -D, or standard error. */
export function openLog(items: readonly LogItem[], file: string | undefined): LogPlan {
  if (file === undefined) return { items, fd: 2 };
  try {
    return { items, fd: openSync(file, "w", 0o666) };
  } catch (cause) {
    throw new QemuError("log-file", `Could not open '${file}': ${messageOf(cause)}`, { cause });
  }
}

export class Log {
  readonly #items: ReadonlySet<LogItem>;
  readonly #fd: number;

  constructor(plan: LogPlan = { items: [], fd: 2 }) {
    this.#items = new Set(plan.items);
    this.#fd = plan.fd;
  }

  /** Whether an item is logged; ask before building an expensive line. */
  has(item: LogItem): boolean {
    return this.#items.has(item);
  }

  /** Writes a line (or several) when its item is logged. */
  line(item: LogItem, text: string): void {
    if (this.#items.has(item)) this.print(text);
  }

  /** Writes a line whatever the items are. A log that cannot be written is given up. */
  print(text: string): void {
    try {
      writeSync(this.#fd, text.endsWith("\n") ? text : `${text}\n`);
    } catch {
      // A full disk or a closed terminal must not stop the machine.
    }
  }

  close(): void {
    if (this.#fd > 2) closeSync(this.#fd);
  }
}
