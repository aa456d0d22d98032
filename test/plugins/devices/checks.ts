/** Checks that every device has to pass: saved state round trips, and hostile register accesses. */

import * as assert from "uvu/assert";
import { type AccessSize, type IoRegion, PortSpace } from "../../../core/bus/io.ts";
import type { CharEvent, CharPort, CharReceiver } from "../../../core/char/port.ts";
import type { IrqLine } from "../../../core/irq.ts";
import { clearState, type StateArena } from "../../../core/state/state.ts";

/** A line that remembers its level and counts rising edges. */
export class TestLine implements IrqLine {
  level = false;
  edges = 0;

  set(level: boolean): void {
    if (level && !this.level) this.edges++;
    this.level = level;
  }
}

/** A channel that records what it is sent; `room` bytes are taken before it refuses. */
export class TestChar implements CharPort {
  readonly sent: number[] = [];
  room = Number.POSITIVE_INFINITY;
  receiver: CharReceiver | undefined;
  breaks: boolean[] = [];
  accepts = 0;
  #ready: (() => void) | undefined;

  write(data: Uint8Array): number {
    const count = Math.min(this.room, data.length);
    for (const byte of data.subarray(0, count)) this.sent.push(byte);
    this.room -= count;
    return count;
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

  setBreak(on: boolean): void {
    this.breaks.push(on);
  }

  /** Makes room and tells the device. */
  drain(room: number): void {
    this.room = room;
    this.#ready?.();
  }

  get text(): string {
    return String.fromCharCode(...this.sent);
  }

  receive(...bytes: number[]): void {
    this.receiver!.receive(Uint8Array.from(bytes));
  }

  event(event: CharEvent): void {
    this.receiver!.event?.(event);
  }
}

/** Save, clear, load: the second save is the same as the first. */
export function checkRoundTrip(arena: StateArena, loaded: () => void): void {
  const saved = JSON.stringify(arena.save());
  for (const name of arena.names()) {
    const { schema, view } = arena.entry(name)!;
    clearState(schema, view);
  }
  arena.load(JSON.parse(saved));
  loaded();
  assert.is(JSON.stringify(arena.save()), saved);
}

/** A small deterministic generator (xorshift32). */
export function randomNumbers(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

/** Random reads and writes of all sizes in random order; `between` may let time pass. */
export function checkHostileAccess(
  regions: readonly IoRegion[],
  between: (random: (below: number) => number) => void = () => {},
  rounds = 20_000,
): void {
  const ports = new PortSpace();
  const bases = regions.map((region, i) => {
    ports.map(0x100 * (i + 1), region);
    return 0x100 * (i + 1);
  });
  const random = randomNumbers(0x1234_5678);
  for (let i = 0; i < rounds; i++) {
    const which = random(regions.length);
    const port = bases[which] + random(regions[which].length);
    const size = [1, 1, 1, 2, 4][random(5)] as AccessSize;
    if (random(3) === 0) {
      const value = ports.read(port, size);
      assert.ok(Number.isInteger(value) && value >= 0 && value < 2 ** (8 * size), "a read fits its size");
    } else {
      ports.write(port, random(2 ** 31) >>> (size === 4 ? 0 : 31 - 8 * size), size);
    }
    between(random);
  }
}
