/** Reads lines from a terminal in raw mode: echo, backspace, line kill, history with the arrow keys, completion. */

const KEY_INTERRUPT = 0x03;
const KEY_BACKSPACE = 0x08;
const KEY_TAB = 0x09;
const KEY_NEWLINE = 0x0a;
const KEY_RETURN = 0x0d;
const KEY_KILL = 0x15;
const KEY_ESCAPE = 0x1b;
const KEY_DELETE = 0x7f;

const ARROW_UP = ["\x1b[A", "\x1bOA"];
const ARROW_DOWN = ["\x1b[B", "\x1bOB"];

const MAX_LINE = 4096;
const MAX_HISTORY = 64;

export interface LineEditorPorts {
  /** Prints raw text. */
  write(text: string): void;
  /** A whole line was entered. */
  line(text: string): void;
  /** Words that continue `text`. */
  complete(text: string): string[];
}

export class LineEditor {
  readonly #ports: LineEditorPorts;
  readonly #history: string[] = [];
  #text = "";
  /** Position in the history; its length while editing a new line. */
  #at = 0;
  #escape = "";
  #last = 0;

  constructor(ports: LineEditorPorts) {
    this.#ports = ports;
  }

  /** What was typed so far, to show it again after a prompt. */
  get pending(): string {
    return this.#text;
  }

  /** One byte of input; bytes from 0x80 up pass as they are. */
  key(byte: number): void {
    const last = this.#last;
    this.#last = byte;
    if (this.#escape !== "" || byte === KEY_ESCAPE) this.#escapeKey(byte);
    else if (byte === KEY_RETURN || (byte === KEY_NEWLINE && last !== KEY_RETURN)) this.#enter();
    else if (byte === KEY_BACKSPACE || byte === KEY_DELETE) this.#replace(this.#text.slice(0, -1));
    else if (byte === KEY_KILL || byte === KEY_INTERRUPT) this.#replace("");
    else if (byte === KEY_TAB) this.#complete();
    else if (byte >= 0x20 && this.#text.length < MAX_LINE) {
      const letter = String.fromCharCode(byte);
      this.#text += letter;
      this.#ports.write(letter);
    }
  }

  #enter(): void {
    const text = this.#text;
    this.#text = "";
    this.#ports.write("\n");
    if (text.trim() !== "" && this.#history.at(-1) !== text) this.#history.push(text);
    if (this.#history.length > MAX_HISTORY) this.#history.shift();
    this.#at = this.#history.length;
    this.#ports.line(text);
  }

  /** ESC [ A and ESC [ B walk through the history; other sequences are swallowed. */
  #escapeKey(byte: number): void {
    this.#escape += String.fromCharCode(byte);
    if (this.#escape.length < 3 && !(this.#escape.length === 2 && byte !== 0x5b && byte !== 0x4f)) return;
    if (this.#escape.length >= 3 && byte < 0x40 && this.#escape.length < 16) return;
    const up = ARROW_UP.includes(this.#escape);
    const down = ARROW_DOWN.includes(this.#escape);
    this.#escape = "";
    if (!up && !down) return;
    this.#at = Math.min(Math.max(this.#at + (up ? -1 : 1), 0), this.#history.length);
    this.#replace(this.#history[this.#at] ?? "");
  }

  #complete(): void {
    const candidates = this.#ports.complete(this.#text);
    if (candidates.length === 1) this.#replace(`${candidates[0]} `);
    else if (candidates.length > 1) this.#ports.write(`\n${candidates.join(" ")}\n(qemu) ${this.#text}`);
  }

  #replace(text: string): void {
    const common =
      text.startsWith(this.#text) || this.#text.startsWith(text) ? Math.min(text.length, this.#text.length) : 0;
    this.#ports.write("\b \b".repeat(this.#text.length - common) + text.slice(common));
    this.#text = text;
  }
}
