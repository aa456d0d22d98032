/**
 * Two instances of every shared device over the same registers behave as one: whatever one of them is told, the other one
 * knows. Random accesses go to either of the two, and to a board with one of each; both answer the same.
 */

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CharPort, CharReceiver } from "../../../../core/char/port.ts";
import { NS_PER_MS } from "../../../../core/clock.ts";
import { randomNumbers } from "../checks.ts";
import { BOARD_COUNTS, createBoard } from "./board.ts";
import { createPlan, type Plan, Thread } from "./two-threads.ts";

/** Words of the counts: what the picky channel was asked, what it has taken, how often the device took input again. */
const ASKED = 60;
const TAKEN = 61;
const ACCEPTS = 62;

/** A machine's time, that of both boards. */
interface Host {
  ns: number;
}

/** A channel that takes none to two bytes at a time. */
class PickyChar implements CharPort {
  readonly #counts: Int32Array;
  ready = (): void => {};
  receiver: CharReceiver | undefined;

  constructor(counts: Int32Array) {
    this.#counts = counts;
  }

  write(data: Uint8Array): number {
    const taken = Math.min(data.length, this.#counts[ASKED]++ % 3);
    for (const byte of data.subarray(0, taken)) this.#counts[TAKEN] = Math.imul(this.#counts[TAKEN], 31) + byte;
    return taken;
  }

  onWritable(ready: () => void): void {
    this.ready = ready;
  }

  connect(receiver: CharReceiver): void {
    this.receiver = receiver;
  }

  acceptInput(): void {
    this.#counts[ACCEPTS]++;
  }
}

function instance(plan: Plan, role: 0 | 1, host: Host) {
  const thread = new Thread(plan, role, () => [Math.floor(host.ns / 1e9), host.ns % 1e9]);
  const serial = new PickyChar(thread.counts);
  return { thread, serial, board: createBoard(thread, serial) };
}

for (const seed of [1, 2, 3]) {
  test(`random accesses to one instance and to two, seed ${seed}`, () => {
    const host: Host = { ns: 0 };
    const shared = createPlan();
    const pair = [instance(shared, 0, host), instance(shared, 1, host)];
    const single = instance(createPlan(), 0, host);
    const random = randomNumbers(seed * 0x9e37_79b1);
    for (const [{ board, thread }] of [[pair[0]], [single]]) {
      for (const device of board.devices) device.reset();
      thread.clock.start();
    }
    const both = <T>(what: string, act: (one: typeof single) => T, which = pair[random(2)]): void => {
      assert.equal(act(which), act(single), what);
    };
    for (let i = 0; i < 10_000; i++) {
      const access = single.board.randomAccess(random);
      both(`access ${i}: ${JSON.stringify(access)}`, ({ board }) => board.access(access));
      const event = random(20);
      const input = Uint8Array.of(random(256));
      if (event === 0) both(`acknowledge ${i}`, ({ board }) => board.acknowledge());
      // Timers and what comes from outside are the machine's thread's.
      if (event === 1) both(`ready ${i}`, ({ serial }) => serial.ready(), pair[0]);
      if (event === 2) {
        both(
          `input ${i}`,
          ({ serial: { receiver } }) => receiver!.canReceive() > 0 && receiver!.receive(input),
          pair[0],
        );
      }
      host.ns += random(event === 3 ? 2 * NS_PER_MS : 2000);
      both(`deadline ${i}`, ({ thread }) => thread.clock.nextDeadline(), pair[0]);
      both(`timers ${i}`, ({ thread }) => thread.clock.poll(), pair[0]);
    }
    both("registers", ({ thread }) => thread.arena.save());
    both("interrupts", ({ board }) => board.wires.describe());
    both("what the machine and the channel were told", ({ thread }) => [...thread.counts]);
    assert.ok(pair[0].thread.get(BOARD_COUNTS.panic) > 0);
    assert.ok(pair[0].thread.get(TAKEN) !== 0);
  });
}

test.run();
