/**
 * The Telnet protocol as far as a serial line needs it (RFC 854, RFC 856 binary transmission, RFC 857 echo, RFC 858
 * suppress go ahead): commands are taken out of what comes in, a break among them is passed on, and bytes that look like
 * a command are doubled on the way out. Options are offered once; answers to the offer are believed, and anything else
 * the other end asks for stays unanswered.
 */

const SE = 240;
const BREAK = 243;
const SB = 250;
const WILL = 251;
const DO = 253;
const DONT = 254;
const IAC = 255;

const BINARY = 0;
const ECHO = 1;
const SUPPRESS_GO_AHEAD = 3;

const NUL = 0x00;
const CR = 0x0d;

/** What a server says first: a character-at-a-time terminal whose echo comes from the other end, eight bits wide. */
export const OFFER: Uint8Array = Uint8Array.of(
  ...[IAC, WILL, ECHO],
  ...[IAC, WILL, SUPPRESS_GO_AHEAD],
  ...[IAC, WILL, BINARY],
  ...[IAC, DO, BINARY],
);

/** Doubles IAC, so that it counts as data. Always a copy. */
export function escapeCommands(data: Uint8Array): Uint8Array {
  return Uint8Array.from([...data].flatMap((byte) => (byte === IAC ? [IAC, IAC] : [byte])));
}

export interface TelnetSink {
  data(bytes: Uint8Array): void;
  break(): void;
}

/** Where in a command the last byte left off. */
type Phase = "data" | "command" | "option" | "parameters" | "parameters-command";

export class TelnetInput {
  readonly #sink: TelnetSink;
  #phase: Phase = "data";
  #command = 0;
  /** The other end sends eight-bit data; else it sends a NUL or LF after CR. */
  #binary = false;
  #afterCr = false;

  constructor(sink: TelnetSink) {
    this.#sink = sink;
  }

  push(bytes: Uint8Array): void {
    const data = new Uint8Array(bytes.length);
    let count = 0;
    for (const byte of bytes) {
      if (this.#isData(byte)) data[count++] = byte;
      else if (this.#phase === "data" && this.#command === BREAK) {
        this.#command = 0;
        this.#sink.data(data.slice(0, count));
        count = 0;
        this.#sink.break();
      }
    }
    this.#sink.data(data.subarray(0, count));
  }

  #isData(byte: number): boolean {
    switch (this.#phase) {
      case "data": {
        const padding = byte === NUL && this.#afterCr && !this.#binary;
        this.#afterCr = byte === CR;
        if (byte !== IAC) return !padding;
        this.#phase = "command";
        return false;
      }
      case "command":
        this.#command = byte;
        this.#phase = byte >= WILL && byte <= DONT ? "option" : byte === SB ? "parameters" : "data";
        return byte === IAC;
      case "option":
        if (byte === BINARY && this.#command < DO) this.#binary = this.#command === WILL;
        this.#phase = "data";
        return false;
      case "parameters":
        if (byte === IAC) this.#phase = "parameters-command";
        return false;
      case "parameters-command":
        this.#phase = byte === SE ? "data" : "parameters";
        return false;
    }
  }
}
