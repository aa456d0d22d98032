/** A human monitor on a character device: banner, prompt, lines in, answers out, one command after the other. */

import type { CharEvent, CharReceiver } from "../char/port.ts";
import { CharWriter } from "../char/queue.ts";
import type { Vm } from "../vm/vm.ts";
import { COMMANDS, INFO_SUBJECTS, type MonitorView, runMonitorLine } from "./commands.ts";
import { LineEditor } from "./line-editor.ts";

const PROMPT = "(qemu) ";
const MAX_QUEUED_LINES = 1024;

export class Monitor implements CharReceiver {
  readonly #vm: Vm;
  readonly #view: MonitorView = { cpu: 0 };
  readonly #writer: CharWriter;
  readonly #lines: string[] = [];
  readonly #editor: LineEditor;
  /** Whether a shared character device gives its input to this monitor. */
  #focused: boolean;
  #connected = false;
  #started = false;
  #running = false;
  #greeted = false;

  /** On the character device `id` of `vm`. On a shared one it greets when it gets the input. */
  constructor(vm: Vm, id: string) {
    this.#vm = vm;
    this.#focused = !vm.isShared(id);
    const port = vm.frontEnd(id, (focused) => {
      this.#focused = focused;
      if (focused && this.#connected) this.#greet();
    });
    this.#writer = new CharWriter(port);
    this.#editor = new LineEditor({
      write: (text) => this.#print(text),
      line: (text) => {
        this.#lines.push(text);
        void this.#work();
      },
      complete: (text) => complete(text),
    });
    port.connect(this);
    this.#connected = true;
    if (this.#focused && vm.isShared(id)) this.#greet();
  }

  /** Runs commands from now on; what was typed before waits. */
  start(): void {
    this.#started = true;
    void this.#work();
  }

  canReceive(): number {
    return this.#lines.length < MAX_QUEUED_LINES ? 1024 : 0;
  }

  receive(data: Uint8Array): void {
    for (const byte of data) this.#editor.key(byte);
  }

  event(event: CharEvent): void {
    if (event !== "opened") return;
    this.#greeted = false;
    if (this.#focused) this.#greet();
  }

  #greet(): void {
    const { version } = this.#vm.environment;
    if (!this.#greeted) this.#print(`qemu-next ${version} monitor - type 'help' for more information\n`);
    this.#greeted = true;
    if (!this.#running) this.#print(PROMPT + this.#editor.pending);
  }

  async #work(): Promise<void> {
    if (this.#running || !this.#started) return;
    this.#running = true;
    for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
      this.#print(await runMonitorLine(this.#vm, line, this.#view));
      this.#print(PROMPT);
    }
    this.#running = false;
  }

  #print(text: string): void {
    this.#writer.write(text.replaceAll("\n", "\r\n"));
  }
}

/** Command names, and the subjects of `info`, that begin with what was typed. */
function complete(text: string): string[] {
  const info = /^info (\S*)$/.exec(text);
  if (info) return INFO_SUBJECTS.map(({ name }) => `info ${name}`).filter((word) => word.startsWith(text));
  return COMMANDS.flatMap(({ names }) => names).filter((name) => name.length > 1 && name.startsWith(text));
}
