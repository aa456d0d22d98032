/**
 * Character devices of the host side: what `-chardev` names. A chardev is a `CharPort` towards its front end (the
 * monitor, a multiplexer, or the bridge to a device in the machine's thread) that can also be closed.
 */

import type { PropertySpecs } from "../device.ts";
import type { CharPort } from "./port.ts";

export interface Chardev extends CharPort {
  /** Where it leads, as `info chardev` shows it: "stdio", "file:serial.log". */
  readonly description: string;
  /** Writes out what it has taken and lets go of the host. Resolves when the last byte has left. */
  close(): Promise<void>;
  /** The output a ring buffer holds, taken out; only ring buffers have it. */
  takeOutput?(maximum: number): Uint8Array;
  /** Puts bytes in as if the other end had sent them; only ring buffers have it. */
  inject?(data: Uint8Array): void;
}

/** What the program gives to a chardev. */
export interface ChardevContext {
  readonly id: string;
  /** Ends the program: the other end failed in a way that would lose output. */
  fail(error: Error): void;
  /** A line for the user on standard error. */
  inform(message: string): void;
  /** A line that scripts look for, on standard output. */
  announce(line: string): void;
  /** The user pressed a key that ends or suspends a terminal program. */
  interrupt(signal: "SIGINT" | "SIGQUIT" | "SIGTSTP"): void;
}

export interface ChardevType {
  readonly name: string;
  readonly description: string;
  /** The options of `-chardev name,...` besides id, mux, logfile and logappend. */
  readonly options: PropertySpecs;
  /** Resolves when the machine may start (a listening socket with wait=on: when somebody has connected). */
  open(options: Readonly<Record<string, string>>, context: ChardevContext): Promise<Chardev>;
}
