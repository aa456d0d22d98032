/**
 * A character channel between the I/O thread, where its backend lives, and the machine's thread, where its device
 * lives. One ring carries output bytes; the other one input, as frames: u8 kind (data or an event), u16 length, bytes.
 *
 * Output is never dropped: a device that finds the ring full is told when there is room. Input waits in the backend
 * while the ring is full, and in the ring until the device takes it.
 *
 * In a machine with several threads, each of them may send for a device that they share. A multiplexed channel may have
 * several such devices, so it has a lock of its own, the last one that anybody takes. What comes from outside, input and the news that there is room again, is the machine's thread's: its instance of the device
 * is the one that is told.
 */

import type { Doorbell } from "../thread/doorbell.ts";
import { Lock } from "../thread/lock.ts";
import { ByteRing } from "../thread/ring.ts";
import type { CharEvent, CharPort, CharReceiver } from "./port.ts";

const OUTPUT_RING = 1 << 16;
const INPUT_RING = 1 << 12;
const FRAME_HEADER = 3;
const FRAMES: readonly (CharEvent | "data")[] = ["data", "break", "opened", "closed"];

/** Both rings of a channel: plain data for the machine's threads. */
export interface RemoteCharPlan {
  readonly id: string;
  readonly output: SharedArrayBuffer;
  readonly input: SharedArrayBuffer;
  /** One word: 1 while the device waits for room in `output`. */
  readonly starved: SharedArrayBuffer;
  /** Where several threads may write: a lock. */
  readonly lock: SharedArrayBuffer | undefined;
}

/** `shared`: several threads may write. */
export function createRemoteCharPlan(id: string, shared = false): RemoteCharPlan {
  return {
    id,
    output: ByteRing.create(OUTPUT_RING).buffer,
    input: ByteRing.create(INPUT_RING).buffer,
    starved: new SharedArrayBuffer(4),
    lock: shared ? new SharedArrayBuffer(Lock.LOCK_SIZE) : undefined,
  };
}

/** The I/O thread's end: the front end of a backend. */
export class RemoteCharHost implements CharReceiver {
  readonly #port: CharPort;
  readonly #output: ByteRing;
  readonly #input: ByteRing;
  readonly #workerBell: Doorbell;
  readonly #events: CharEvent[] = [];
  readonly #chunk = new Uint8Array(OUTPUT_RING);

  constructor(port: CharPort, plan: RemoteCharPlan, workerBell: Doorbell) {
    this.#port = port;
    this.#output = new ByteRing(plan.output);
    this.#input = new ByteRing(plan.input);
    this.#workerBell = workerBell;
    port.onWritable(() => this.poll());
    port.connect(this);
  }

  /** Whether all output has reached the backend. */
  get drained(): boolean {
    return this.#output.readable === 0;
  }

  /** Moves what can be moved; called after the main thread's doorbell rang. */
  poll(): void {
    for (let count = this.#output.peek(this.#chunk); count > 0; count = this.#output.peek(this.#chunk)) {
      const taken = this.#port.write(this.#chunk.subarray(0, count));
      this.#output.skip(taken);
      if (taken > 0 && this.#output.takeRoomRequest()) this.#workerBell.ring();
      if (taken < count) break;
    }
    while (this.#events.length > 0 && this.#frame(this.#events[0], new Uint8Array(0))) this.#events.shift();
    if (this.canReceive() > 0) this.#port.acceptInput();
  }

  canReceive(): number {
    if (this.#events.length > 0) return 0;
    let room = this.#input.writable - FRAME_HEADER;
    if (room <= 0) {
      this.#input.requestRoom();
      room = this.#input.writable - FRAME_HEADER;
    }
    return Math.max(0, room);
  }

  receive(data: Uint8Array): void {
    this.#frame("data", data);
  }

  event(event: CharEvent): void {
    if (this.#events.length > 0 || !this.#frame(event, new Uint8Array(0))) {
      this.#events.push(event);
      this.#input.requestRoom();
    }
  }

  #frame(kind: CharEvent | "data", data: Uint8Array): boolean {
    const frame = new Uint8Array(FRAME_HEADER + data.length);
    if (this.#input.writable < frame.length) return false;
    frame[0] = FRAMES.indexOf(kind);
    frame[1] = data.length & 0xff;
    frame[2] = data.length >> 8;
    frame.set(data, FRAME_HEADER);
    this.#input.write(frame);
    this.#workerBell.ring();
    return true;
  }
}

/** The way out. */
class RemoteOutput {
  readonly #ring: ByteRing;
  readonly #starved: Int32Array;
  readonly #mainBell: Doorbell;
  readonly #lock: Lock | undefined;

  constructor(plan: RemoteCharPlan, mainBell: Doorbell) {
    this.#lock = plan.lock && new Lock(plan.lock, 0);
    this.#ring = new ByteRing(plan.output);
    this.#starved = new Int32Array(plan.starved);
    this.#mainBell = mainBell;
  }

  write(data: Uint8Array): number {
    return this.#lock ? this.#lock.run(() => this.#write(data)) : this.#write(data);
  }

  #write(data: Uint8Array): number {
    let taken = this.#ring.write(data);
    if (taken < data.length) {
      // Before room is asked for: the machine's thread may hear of it at once.
      Atomics.store(this.#starved, 0, 1);
      this.#ring.requestRoom();
      taken += this.#ring.write(data.subarray(taken));
    }
    this.#mainBell.ring();
    return taken;
  }

  /** Whether there is room that the device waits for; answers true once. */
  takeReady(): boolean {
    return (
      Atomics.load(this.#starved, 0) !== 0 && this.#ring.writable > 0 && Atomics.exchange(this.#starved, 0, 0) !== 0
    );
  }
}

/** The machine's thread's end: what a device is given. */
export class RemoteCharPort implements CharPort {
  readonly #output: RemoteOutput;
  readonly #input: ByteRing;
  readonly #mainBell: Doorbell;
  readonly #header = new Uint8Array(FRAME_HEADER);
  #receiver: CharReceiver | undefined;
  #lock: Lock | undefined;
  #ready: () => void = () => {};
  /** Bytes of the data frame under way that the device has not taken yet. */
  #left = 0;
  #pumping = false;

  constructor(plan: RemoteCharPlan, mainBell: Doorbell) {
    this.#output = new RemoteOutput(plan, mainBell);
    this.#input = new ByteRing(plan.input);
    this.#mainBell = mainBell;
  }

  write(data: Uint8Array): number {
    return this.#output.write(data);
  }

  onWritable(ready: () => void): void {
    this.#ready = ready;
  }

  connect(receiver: CharReceiver, lock?: Lock): void {
    this.#receiver = receiver;
    this.#lock = lock;
    this.acceptInput();
  }

  acceptInput(): void {
    const receiver = this.#receiver;
    if (!receiver || this.#pumping) return;
    this.#pumping = true;
    if (this.#lock) this.#lock.run(() => this.#deliverAll(receiver));
    else this.#deliverAll(receiver);
    this.#pumping = false;
    if (this.#input.takeRoomRequest()) this.#mainBell.ring();
  }

  /** Called by the machine's thread after its doorbell rang. */
  poll(): void {
    if (this.#output.takeReady()) this.#ready();
    this.acceptInput();
  }

  #deliverAll(receiver: CharReceiver): void {
    while (this.#deliver(receiver));
  }

  #deliver(receiver: CharReceiver): boolean {
    if (this.#left === 0) {
      if (this.#input.readable < FRAME_HEADER) return false;
      this.#input.read(this.#header);
      const kind = FRAMES[this.#header[0]];
      if (kind === "data") this.#left = this.#header[1] | (this.#header[2] << 8);
      else receiver.event?.(kind);
      return true;
    }
    const count = Math.min(this.#left, receiver.canReceive());
    if (count <= 0) return false;
    const data = new Uint8Array(count);
    this.#input.read(data);
    this.#left -= count;
    receiver.receive(data);
    return true;
  }
}

/** The end in the thread of another CPU: sends, and passes on to the machine's thread that the device takes input again. */
export class RemoteCharSender implements CharPort {
  readonly #output: RemoteOutput;
  readonly #input: ByteRing;
  readonly #machineBell: Doorbell;

  constructor(plan: RemoteCharPlan, mainBell: Doorbell, machineBell: Doorbell) {
    this.#output = new RemoteOutput(plan, mainBell);
    this.#input = new ByteRing(plan.input);
    this.#machineBell = machineBell;
  }

  write(data: Uint8Array): number {
    return this.#output.write(data);
  }

  /** The machine's thread has been given the same device's `ready`. */
  onWritable(): void {}

  connect(): void {}

  acceptInput(): void {
    if (this.#input.readable > 0) this.#machineBell.ring();
  }
}
