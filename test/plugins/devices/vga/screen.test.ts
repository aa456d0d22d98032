/** Pictures that are drawn in parts against pictures that are drawn whole. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Surface } from "../../../../core/display/surface.ts";
import { Board, differs, pixel } from "./board.ts";
import { MODES } from "./modes.ts";

const STEPS = 400;
const PAGE = 4096;

class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * limit);
  }
}

/** Two boards that get the same, one of which draws in parts. */
class Pair {
  readonly parts = new Board(true);
  readonly whole = new Board();

  do(change: (board: Board) => void): void {
    change(this.parts);
    change(this.whole);
  }

  /** What a guest writes through the frame buffer. */
  store(offset: number, bytes: Uint8Array): void {
    this.do((board) => board.vram.bytes.set(bytes, offset));
    this.parts.log?.written(offset, bytes.length);
  }

  compare(what: string): void {
    const [is, want] = [this.parts.vga.render(), this.whole.vga.render()];
    assert.equal([is.width, is.height], [want.width, want.height], what);
    if (Buffer.compare(is.data, want.data) === 0) return;
    assert.unreachable(`${what}: ${differs(is, (x, y) => pixel(want, x, y))}`);
  }
}

const CHANGES: readonly ((pair: Pair, random: Random) => void)[] = [
  (pair, random) => {
    const bytes = Uint8Array.from({ length: 1 + random.below(random.below(4) ? 16 : 3 * PAGE) }, () =>
      random.below(256),
    );
    const near = random.below(3) ? 0x90000 : pair.parts.vram.size - bytes.length;
    pair.store(random.below(near), bytes);
  },
  (pair, random) => {
    const [at, value] = [0xa0000 + random.below(0x20000), random.below(256)];
    pair.do((board) => board.poke(at, value));
  },
  (pair, random) => {
    const [index, value] = [random.below(0x19), random.below(256)];
    pair.do((board) => board.set(0x3d4, index, value));
  },
  (pair, random) => {
    const [index, value] = [random.below(256), random.below(64)];
    pair.do((board) => board.color(index, value, value, 63 - value));
  },
  (pair, random) => {
    const [index, value] = [5 + random.below(5), random.below(random.below(2) ? 8 : 2000)];
    pair.do((board) => board.vbe(index, value));
  },
  (pair, random) => {
    const ns = random.below(3) * 60_000_000;
    pair.do((board) => board.clock.advance(ns));
  },
];

for (const [seed, bpp] of [8, 15, 16, 24, 32, 4].entries()) {
  test(`a Bochs mode of ${bpp} bits per pixel`, () => {
    const random = new Random(seed + 1);
    const pair = new Pair();
    pair.do((board) => board.mode(MODES["3"]));
    pair.do((board) => board.vbeMode(256, 160, bpp));
    for (let step = 0; step < STEPS; step++) {
      CHANGES[random.below(3) ? 0 : random.below(CHANGES.length)](pair, random);
      if (random.below(3) === 0) pair.compare(`step ${step}`);
    }
  });
}

for (const name of Object.keys(MODES)) {
  test(`mode ${name}`, () => {
    const random = new Random(99);
    const pair = new Pair();
    pair.do((board) => board.mode(MODES[name]));
    for (let step = 0; step < STEPS / 10; step++) {
      CHANGES[random.below(CHANGES.length)](pair, random);
      pair.compare(`step ${step}`);
    }
  });
}

test("rows are drawn anew when their pages were written to, and no others", () => {
  const board = new Board(true);
  board.vbeMode(256, 64, 32);
  const shows = (y: number): number => pixel(board.vga.render(), 0, y);
  assert.is(shows(0), 0);
  // Four rows in a page; nobody is told.
  for (let y = 0; y < 64; y++) board.vram.bytes[y * 1024] = 0x55;
  assert.is(shows(8), 0);
  board.log?.written(9 * 1024, 1);
  assert.equal([7, 8, 9, 11, 12].map(shows), [0, 0x55, 0x55, 0x55, 0]);
});

test("a picture is the same object as long as nothing changes", () => {
  const board = new Board(true);
  board.mode(MODES["3"]);
  const before: Surface = board.vga.render();
  assert.is(board.vga.render(), before);
  board.poke(0xb8000, 0x41);
  assert.is.not(board.vga.render(), before);
});

test("a loaded machine is drawn whole", () => {
  const board = new Board(true);
  board.vbeMode(256, 64, 32);
  board.vga.render();
  board.vram.bytes.fill(0x77, 0, 256 * 64 * 4);
  board.vga.loaded();
  assert.is(
    differs(board.vga.render(), () => 0x777777),
    undefined,
  );
});

test.run();
