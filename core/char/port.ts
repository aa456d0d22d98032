/**
 * A character channel as a device sees it: bytes out, bytes in, and line events. Backends (stdio, file, socket, pty,
 * null, mux) live on the I/O thread; rings carry the bytes between them and the device's thread.
 */

import type { Lock } from "../thread/lock.ts";

/** Break condition received, or the other end came and went. */
export type CharEvent = "break" | "opened" | "closed";

/** What a device offers to its channel. */
export interface CharReceiver {
  /** How many bytes the device can take now. */
  canReceive(): number;
  /** At most `canReceive()` bytes. */
  receive(data: Uint8Array): void;
  event?(event: CharEvent): void;
}

/** What a channel offers to its device. */
export interface CharPort {
  /** Sends bytes; returns how many were taken (fewer when the other end is slow). */
  write(data: Uint8Array): number;
  /** Calls `ready` once there is room again after a short write. */
  onWritable(ready: () => void): void;
  /** With `lock`, that is held from the question how much the device can take until it has taken it. */
  connect(receiver: CharReceiver, lock?: Lock): void;
  /** The device can take more: it had answered 0 to `canReceive()`. */
  acceptInput(): void;
  /** Asserts a break condition towards the other end. */
  setBreak?(on: boolean): void;
}

/** A channel without another end: output vanishes. */
export const NULL_CHAR: CharPort = {
  write: (data) => data.length,
  onWritable() {},
  connect() {},
  acceptInput() {},
};
