/**
 * One character device shared by several front ends, as `mon:stdio` or `-chardev ...,mux=on` make it: everybody's output
 * goes out, input goes to the front end that has the focus. An escape character (Ctrl-a unless -echr says otherwise)
 * and one key more speak to the multiplexer itself.
 */

import type { Chardev } from "./chardev.ts";
import type { CharEvent, CharPort, CharReceiver } from "./port.ts";
import { InputQueue } from "./queue.ts";

export const DEFAULT_ESCAPE = 0x01;

export interface MuxOptions {
  /** Code of the escape character, 0 for none. */
  readonly escapeCode: number;
  /** The user asked for the end of the program. */
  quit(): void;
  /** The user asked to write back what -snapshot keeps; the answer is shown. */
  commit(): string;
}

interface FrontEnd {
  readonly queue: InputQueue;
  readonly focus: (focused: boolean) => void;
  ready: () => void;
}

export class Mux implements CharReceiver {
  readonly #chardev: Chardev;
  readonly #options: MuxOptions;
  readonly #fronts: FrontEnd[] = [];
  #focused = 0;
  #escaped = false;
  #timestamps = false;
  #startedAt = 0;
  #lineStart = true;

  constructor(chardev: Chardev, options: MuxOptions) {
    this.#chardev = chardev;
    this.#options = options;
    chardev.onWritable(() => {
      for (const front of this.#fronts) front.ready();
    });
    chardev.connect(this);
  }

  /** A front end's end. The first one has the focus; `focus` is told when that changes. */
  port(focus: (focused: boolean) => void = () => {}): CharPort {
    const front: FrontEnd = { queue: new InputQueue(), focus, ready: () => {} };
    this.#fronts.push(front);
    if (this.#fronts.length === 1) focus(true);
    return {
      write: (data) => (this.#timestamps ? this.#writeStamped(data) : this.#chardev.write(data)),
      onWritable: (ready) => {
        front.ready = ready;
      },
      connect: (receiver) => front.queue.connect(receiver),
      acceptInput: () => {
        front.queue.pump();
        this.#chardev.acceptInput();
      },
    };
  }

  canReceive(): number {
    return this.#fronts[this.#focused]?.queue.room ?? 1;
  }

  receive(data: Uint8Array): void {
    const { escapeCode } = this.#options;
    let start = 0;
    for (let i = 0; i < data.length; i++) {
      if (this.#escaped) {
        this.#escaped = false;
        start = data[i] === escapeCode ? i : i + 1;
        if (data[i] !== escapeCode) this.#command(data[i]);
      } else if (escapeCode !== 0 && data[i] === escapeCode) {
        this.#escaped = true;
        this.#deliver(data.slice(start, i));
        start = i + 1;
      }
    }
    if (!this.#escaped) this.#deliver(data.slice(start));
  }

  event(event: CharEvent): void {
    if (event === "break") this.#fronts[this.#focused]?.queue.event(event);
    else for (const front of this.#fronts) front.queue.event(event);
  }

  #deliver(data: Uint8Array): void {
    this.#fronts[this.#focused]?.queue.push(data);
  }

  #command(key: number): void {
    switch (String.fromCharCode(key)) {
      case "h":
      case "?":
        this.#print(this.#help());
        break;
      case "x":
        this.#print("\nqemu-next: Terminated\n");
        this.#options.quit();
        break;
      case "s":
        this.#print(`\n${this.#options.commit()}\n`);
        break;
      case "t":
        this.#timestamps = !this.#timestamps;
        this.#startedAt = performance.now();
        this.#lineStart = true;
        break;
      case "b":
        this.event("break");
        break;
      case "c":
        this.#switchFocus();
        break;
    }
  }

  #switchFocus(): void {
    const next = (this.#focused + 1) % Math.max(1, this.#fronts.length);
    if (next === this.#focused) return;
    this.#fronts[this.#focused].focus(false);
    this.#focused = next;
    this.#fronts[next].focus(true);
  }

  #help(): string {
    const { escapeCode } = this.#options;
    const name = escapeCode < 0x20 ? `C-${String.fromCharCode(escapeCode + 0x60)}` : String.fromCharCode(escapeCode);
    const rows: [string, string][] = [
      ["h", "shows this help"],
      ["x", "ends the emulator"],
      ["s", "writes disk changes back (with -snapshot)"],
      ["t", "turns timestamps on the console on and off"],
      ["b", "sends a break"],
      ["c", "switches between console and monitor"],
      [name, `sends ${name}`],
    ];
    return `\n${rows.map(([key, what]) => `${name} ${key.padEnd(4)} ${what}\n`).join("")}`;
  }

  #print(text: string): void {
    this.#chardev.write(new TextEncoder().encode(text.replaceAll("\n", "\r\n")));
  }

  /** Puts the seconds since `t` was pressed before each line; a stamp and its byte go out together or not at all. */
  #writeStamped(data: Uint8Array): number {
    for (let i = 0; i < data.length; i++) {
      const byte = data.subarray(i, i + 1);
      const stamp = this.#lineStart ? `[${((performance.now() - this.#startedAt) / 1000).toFixed(3)}] ` : "";
      const out = Buffer.concat([Buffer.from(stamp), byte]);
      if (this.#chardev.write(out) < out.length) return i;
      this.#lineStart = data[i] === 0x0a;
    }
    return data.length;
  }
}
