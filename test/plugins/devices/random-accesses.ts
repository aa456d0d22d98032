/** Random values for tests that write whatever they like: reproducible, and a few sizes. */

import type { AccessSize } from "../../../core/bus/io.ts";

/** Calls `access` with a generator of 32-bit values and an access size, `count` times. */
export function randomAccesses(
  count: number,
  access: (random: () => number, size: AccessSize) => void,
  seed = 1,
): void {
  let state = seed;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    let x = state;
    x ^= x >>> 16;
    x = Math.imul(x, 0x7feb352d);
    x ^= x >>> 15;
    return x >>> 0;
  };
  for (let i = 0; i < count; i++) access(random, ([1, 2, 4] as const)[random() % 3]);
}
