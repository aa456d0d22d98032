/** Chardevs and receivers that tests can look into. */

import type { Chardev } from "../../../core/char/chardev.ts";
import type { CharEvent, CharReceiver } from "../../../core/char/port.ts";

export class FakeReceiver implements CharReceiver {
  text = "";
  events: CharEvent[] = [];
  /** Bytes it takes before it answers 0. */
  room = Number.POSITIVE_INFINITY;

  canReceive(): number {
    return this.room;
  }

  receive(data: Uint8Array): void {
    if (data.length > this.room) throw new Error("more than canReceive() said");
    this.room -= data.length;
    this.text += Buffer.from(data).toString("latin1");
  }

  event(event: CharEvent): void {
    this.events.push(event);
  }
}

export class FakeChardev implements Chardev {
  readonly description = "fake";
  text = "";
  /** Bytes it takes before it is full. */
  room = Number.POSITIVE_INFINITY;
  receiver: CharReceiver | undefined;
  accepts = 0;
  #ready: () => void = () => {};

  write(data: Uint8Array): number {
    const count = Math.min(data.length, this.room);
    this.room -= count;
    this.text += Buffer.from(data.subarray(0, count)).toString("latin1");
    return count;
  }

  /** Makes room again. */
  drain(room = Number.POSITIVE_INFINITY): void {
    this.room = room;
    this.#ready();
  }

  onWritable(ready: () => void): void {
    this.#ready = ready;
  }

  connect(receiver: CharReceiver): void {
    this.receiver = receiver;
  }

  acceptInput(): void {
    this.accepts++;
  }

  async close(): Promise<void> {}

  type(text: string): void {
    this.receiver!.receive(Buffer.from(text, "latin1"));
  }
}
