/** Getting a vCPU out of the kernel, at every moment at which it may be about to enter it. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { KvmLibrary } from "../../../accel/kvm/libc.ts";
import { INIT, STARTUP, VcpuWords, WORDS_SIZE } from "../../../accel/kvm/words.ts";
import { Doorbell } from "../../../core/thread/doorbell.ts";

const BELL = WORDS_SIZE;

/** One vCPU as its own thread has it, and as another thread does. */
class Bench {
  readonly buffer = new SharedArrayBuffer(WORDS_SIZE + 64);
  readonly signals: number[] = [];
  readonly own = this.#words(new Doorbell(this.buffer, BELL));
  /** What happens right before and right after the other thread rings. */
  before = (): void => {};
  after = (): void => {};
  readonly other = this.#words(
    new HookedDoorbell(
      this.buffer,
      () => this.before(),
      () => this.after(),
    ),
  );

  #words(bell: Doorbell): VcpuWords {
    const library = { threadId: () => 42, signaller: (id: number) => () => void this.signals.push(id) };
    return new VcpuWords(library as unknown as KvmLibrary, this.buffer, 0, bell);
  }

  /** Enters the kernel, and says whether it stays there. */
  enter(): boolean {
    return this.own.entering() && this.signals.length === 0;
  }
}

class HookedDoorbell extends Doorbell {
  readonly #before: () => void;
  readonly #after: () => void;

  constructor(buffer: SharedArrayBuffer, before: () => void, after: () => void) {
    super(buffer, BELL);
    this.#before = before;
    this.#after = after;
  }

  override ring(): void {
    this.set();
  }

  override set(): boolean {
    this.#before();
    const first = super.set();
    this.#after();
    return first;
  }
}

test("a vCPU that enters the kernel while somebody rings does not stay there", () => {
  for (const moment of ["before", "after"] as const) {
    const bench = new Bench();
    bench.own.claim();
    let entered = false;
    bench[moment] = () => {
      entered = bench.own.entering();
    };
    bench.other.nmi();
    assert.is(entered, moment === "before");
    assert.equal(bench.signals, entered ? [42] : [], `it enters ${moment} the ring`);
  }
});

test("who rings first tells a vCPU in the kernel; before and afterwards the ring is enough", () => {
  const bench = new Bench();
  bench.own.claim();
  assert.ok(bench.enter());
  bench.other.wake();
  bench.other.wake();
  assert.equal(bench.signals, [42]);
  bench.own.left();
  bench.own.bell.take();
  bench.other.wake();
  assert.is(bench.signals.length, 1);
  assert.not(bench.own.entering());
});

test("a startup IPI from before an INIT does not end the wait after it", () => {
  const { own, other } = new Bench();
  other.sipi(0x12);
  other.init();
  assert.is(own.pending, INIT);
  other.sipi(0x34);
  assert.is(own.pending, INIT | STARTUP);
  assert.is(own.startupVector, 0x34);
});

test.run();
