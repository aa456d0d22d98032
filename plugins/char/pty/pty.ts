/**
 * A pseudo-terminal: other programs open its path as a terminal. While none has, output vanishes, as on an unplugged
 * line. The system does not say when somebody opens it, so that is looked at once a second, as in QEMU; that the last one
 * has closed it shows as a failing read.
 */

import { ReadStream } from "node:tty";
import type { Chardev, ChardevType } from "../../../core/char/chardev.ts";
import type { CharReceiver } from "../../../core/char/port.ts";
import { InputQueue, StreamOutput } from "../../../core/char/queue.ts";
import { openPseudoTerminal, type PseudoTerminal } from "./libc.ts";

const POLL_MS = 1000;

export class PtyChardev implements Chardev {
  readonly #terminal: PseudoTerminal;
  readonly #input = new InputQueue((flowing) => void (flowing ? this.#stream?.resume() : this.#stream?.pause()));
  readonly #timer: NodeJS.Timeout;
  #stream: ReadStream | undefined;
  #output: StreamOutput | undefined;
  #ready: () => void = () => {};

  constructor(terminal: PseudoTerminal) {
    this.#terminal = terminal;
    this.#timer = setInterval(() => this.look(), POLL_MS);
  }

  get description(): string {
    return `pty:${this.#terminal.path}`;
  }

  write(data: Uint8Array): number {
    if (!this.#output) this.look();
    return this.#output ? this.#output.write(data) : data.length;
  }

  onWritable(ready: () => void): void {
    this.#ready = ready;
    this.#output?.onWritable(ready);
  }

  connect(receiver: CharReceiver): void {
    this.#input.connect(receiver);
  }

  acceptInput(): void {
    this.#input.pump();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#output?.flushed();
    this.#stream?.removeAllListeners("close").destroy();
    this.#terminal.close();
  }

  /** Whether somebody has opened the terminal. */
  look(): void {
    if (this.#stream || !this.#terminal.isOpen()) return;
    // A stream both ways; a WriteStream would write synchronously, and hang where nobody reads.
    const stream = new ReadStream(this.#terminal.duplicate());
    this.#stream = stream;
    this.#output = new StreamOutput(stream);
    this.#output.onWritable(this.#ready);
    stream.on("error", () => stream.destroy());
    stream.on("data", (data) => this.#input.push(new Uint8Array(data as Buffer)));
    stream.on("end", () => stream.destroy());
    stream.on("close", () => this.#lost());
    this.#input.event("opened");
  }

  #lost(): void {
    this.#stream = undefined;
    this.#output = undefined;
    this.#input.event("closed");
    this.#ready();
  }
}

export const PTY: ChardevType = {
  name: "pty",
  description: "a pseudo-terminal",
  options: {},
  async open(_options, { id, announce }) {
    const terminal = await openPseudoTerminal();
    announce(`char device redirected to ${terminal.path} (label ${id})`);
    return new PtyChardev(terminal);
  },
};
