/**
 * Messages between two threads: JSON and optional bytes, in order, over a pair of rings and the two threads' doorbells.
 * Requests get one reply each; notes get none. A message may be larger than a ring: it passes in pieces. Neither side
 * ever blocks: what does not fit waits in this thread until the other side has read.
 *
 * A frame: u32 length of the JSON, u32 length of the bytes, the JSON in UTF-8, the bytes. Both threads are ours, so
 * frames are trusted.
 */

import { messageOf, QemuError } from "../errors.ts";
import { Doorbell } from "./doorbell.ts";
import { ByteRing } from "./ring.ts";

const FRAME_HEADER = 8;

/** What a thread hands to the other one to make its end of the mailbox: plain data, fit for another thread. */
export interface MailboxPlan {
  readonly toMain: SharedArrayBuffer;
  readonly toWorker: SharedArrayBuffer;
  readonly mainBell: SharedArrayBuffer;
  readonly workerBell: { readonly buffer: SharedArrayBuffer; readonly address: number };
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

export interface Message {
  readonly json: Json;
  readonly bytes?: Uint8Array;
}

/** Answers a request; may take its time. What it throws is thrown at the requester. */
export type RequestHandler = (name: string, message: Message) => Message | Promise<Message>;
export type NoteHandler = (name: string, message: Message) => void;

interface Envelope {
  readonly kind: "request" | "reply" | "error" | "note";
  readonly id: number;
  readonly name: string;
  readonly json: Json;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function createMailboxPlan(mainBell: Doorbell, workerBell: Doorbell, capacity = 1 << 16): MailboxPlan {
  return {
    toMain: ByteRing.create(capacity).buffer,
    toWorker: ByteRing.create(capacity).buffer,
    mainBell: mainBell.buffer,
    workerBell: { buffer: workerBell.buffer, address: workerBell.address },
  };
}

export class Mailbox {
  onRequest: RequestHandler = (name) => {
    throw new QemuError("mailbox-request", `nobody answers '${name}'`);
  };
  onNote: NoteHandler = () => {};
  readonly #out: ByteRing;
  readonly #in: ByteRing;
  readonly #bell: Doorbell;
  readonly #queue: Uint8Array[] = [];
  readonly #waiting = new Map<number, { resolve: (message: Message) => void; reject: (error: Error) => void }>();
  #nextId = 1;
  #frame: { bytes: Uint8Array; filled: number; jsonLength: number } | undefined;

  constructor(plan: MailboxPlan, side: "main" | "worker") {
    this.#out = new ByteRing(side === "main" ? plan.toWorker : plan.toMain);
    this.#in = new ByteRing(side === "main" ? plan.toMain : plan.toWorker);
    this.#bell =
      side === "main" ? new Doorbell(plan.workerBell.buffer, plan.workerBell.address) : new Doorbell(plan.mainBell);
  }

  /** Whether everything sent so far has left this thread. */
  get flushed(): boolean {
    return this.#queue.length === 0;
  }

  /** Asks the other thread; rejects with what its handler threw. */
  request(name: string, json: Json = null, bytes?: Uint8Array): Promise<Message> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#send({ kind: "request", id, name, json }, bytes);
    });
  }

  /** Tells the other thread something. */
  note(name: string, json: Json = null, bytes?: Uint8Array): void {
    this.#send({ kind: "note", id: 0, name, json }, bytes);
  }

  /** Sends what waits and handles what came; called by each thread after its doorbell rang. */
  poll(): void {
    this.#flush();
    for (let message = this.#receive(); message; message = this.#receive()) {
      this.#handle(message.envelope, message.bytes);
    }
  }

  /** Rejects all requests under way: the other thread has gone. */
  abandon(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  #send(envelope: Envelope, bytes: Uint8Array = new Uint8Array(0)): void {
    const json = encoder.encode(JSON.stringify(envelope));
    const frame = new Uint8Array(FRAME_HEADER + json.length + bytes.length);
    const view = new DataView(frame.buffer);
    view.setUint32(0, json.length, true);
    view.setUint32(4, bytes.length, true);
    frame.set(json, FRAME_HEADER);
    frame.set(bytes, FRAME_HEADER + json.length);
    this.#queue.push(frame);
    this.#flush();
  }

  #flush(): void {
    let wrote = false;
    while (this.#queue.length > 0) {
      const frame = this.#queue[0];
      let count = this.#out.write(frame);
      if (count < frame.length) {
        this.#out.requestRoom();
        count += this.#out.write(frame.subarray(count));
      }
      wrote ||= count > 0;
      if (count < frame.length) {
        this.#queue[0] = frame.subarray(count);
        break;
      }
      this.#queue.shift();
    }
    if (wrote) this.#bell.ring();
  }

  #receive(): { envelope: Envelope; bytes: Uint8Array } | undefined {
    if (!this.#frame) {
      if (this.#in.readable < FRAME_HEADER) return undefined;
      const header = new Uint8Array(FRAME_HEADER);
      this.#in.read(header);
      const view = new DataView(header.buffer);
      const jsonLength = view.getUint32(0, true);
      this.#frame = { bytes: new Uint8Array(jsonLength + view.getUint32(4, true)), filled: 0, jsonLength };
    }
    const frame = this.#frame;
    frame.filled += this.#in.read(frame.bytes.subarray(frame.filled));
    if (this.#in.takeRoomRequest()) this.#bell.ring();
    if (frame.filled < frame.bytes.length) return undefined;
    this.#frame = undefined;
    const envelope = JSON.parse(decoder.decode(frame.bytes.subarray(0, frame.jsonLength))) as Envelope;
    return { envelope, bytes: frame.bytes.subarray(frame.jsonLength) };
  }

  #handle(envelope: Envelope, bytes: Uint8Array): void {
    const { kind, id, name, json } = envelope;
    const message = bytes.length ? { json, bytes } : { json };
    if (kind === "note") this.onNote(name, message);
    else if (kind === "request") this.#answer(id, name, message);
    else {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (kind === "reply") waiting?.resolve(message);
      else waiting?.reject(new QemuError("remote", String(json)));
    }
  }

  #answer(id: number, name: string, message: Message): void {
    const reply = (answer: Message): void => this.#send({ kind: "reply", id, name, json: answer.json }, answer.bytes);
    const refuse = (error: unknown): void => this.#send({ kind: "error", id, name, json: messageOf(error) });
    try {
      const answer = this.onRequest(name, message);
      if (answer instanceof Promise) answer.then(reply, refuse);
      else reply(answer);
    } catch (error) {
      refuse(error);
    }
  }
}
