/**
 * Standard input and output. A terminal is switched to raw mode while the program runs and put back on every way out:
 * `close`, the process's exit event (which also follows an uncaught error), and suspension with Ctrl-Z.
 *
 * Raw mode takes the signal keys from the terminal's driver. With signal=on they are turned back into signals here;
 * with signal=off they go to the guest.
 */

import type { ReadStream } from "node:tty";
import type { Chardev, ChardevContext, ChardevType } from "../../../core/char/chardev.ts";
import type { CharReceiver } from "../../../core/char/port.ts";
import { InputQueue, StreamOutput } from "../../../core/char/queue.ts";
import { messageOf, QemuError } from "../../../core/errors.ts";

const SIGNAL_KEYS: Readonly<Record<number, "SIGINT" | "SIGQUIT" | "SIGTSTP">> = {
  3: "SIGINT",
  28: "SIGQUIT",
  26: "SIGTSTP",
};

let inUse = false;

class Stdio implements Chardev {
  readonly description = "stdio";
  readonly #stdin: ReadStream = process.stdin;
  readonly #output = new StreamOutput(process.stdout);
  readonly #input: InputQueue;
  readonly #context: ChardevContext;
  readonly #signals: boolean;
  #closed = false;
  readonly #cooked = (): void => this.#setRaw(false);
  readonly #raw = (): void => this.#setRaw(true);

  constructor(context: ChardevContext, signals: boolean) {
    this.#context = context;
    this.#signals = signals;
    this.#input = new InputQueue((flowing) => void (flowing ? this.#stdin.resume() : this.#stdin.pause()));
    process.on("exit", this.#cooked);
    process.on("SIGCONT", this.#raw);
    process.stdout.on("error", (error) => this.#lost(error));
    this.#stdin.on("error", (error) => this.#lost(error));
    this.#stdin.on("data", (data: Buffer) => this.#receive(data));
    this.#stdin.on("end", () => this.#input.event("closed"));
    this.#raw();
    this.#input.event("opened");
  }

  write(data: Uint8Array): number {
    return this.#closed ? data.length : this.#output.write(data);
  }

  onWritable(ready: () => void): void {
    this.#output.onWritable(ready);
  }

  connect(receiver: CharReceiver): void {
    this.#input.connect(receiver);
  }

  acceptInput(): void {
    this.#input.pump();
  }

  async close(): Promise<void> {
    await this.#output.flushed();
    this.#closed = true;
    this.#cooked();
    process.off("exit", this.#cooked);
    process.off("SIGCONT", this.#raw);
    this.#stdin.pause();
    inUse = false;
  }

  #receive(data: Buffer): void {
    if (!this.#signals || !this.#stdin.isTTY) {
      this.#input.push(new Uint8Array(data));
      return;
    }
    let start = 0;
    data.forEach((byte, i) => {
      const signal = SIGNAL_KEYS[byte];
      if (!signal) return;
      this.#input.push(new Uint8Array(data.subarray(start, i)));
      start = i + 1;
      if (signal === "SIGTSTP") this.#cooked();
      this.#context.interrupt(signal);
    });
    this.#input.push(new Uint8Array(data.subarray(start)));
  }

  #lost(error: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#context.fail(
      new QemuError("chardev-stdio", `standard input or output is gone: ${messageOf(error)}`, { cause: error }),
    );
  }

  #setRaw(raw: boolean): void {
    if (!this.#stdin.isTTY) return;
    try {
      this.#stdin.setRawMode(raw);
    } catch {
      // The terminal has gone; there is nothing to put back.
    }
  }
}

export const STDIO: ChardevType = {
  name: "stdio",
  description: "standard input and output",
  options: { signal: { type: "bool", default: true, description: "Ctrl-C ends the program" } },
  async open(options, context) {
    if (inUse) throw new QemuError("chardev-stdio", "cannot use stdio by multiple character devices");
    inUse = true;
    return new Stdio(context, options.signal !== "off");
  },
};
