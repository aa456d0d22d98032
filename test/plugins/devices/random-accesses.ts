/** Random values for tests that write whatever they like to registers that are not reached through a port space. */

import type { AccessSize } from "../../../core/bus/io.ts";
import { randomNumbers } from "./checks.ts";

/** Calls `access` with a generator of 32-bit values and an access size, `count` times; reproducible by seed. */
export function randomAccesses(
  count: number,
  access: (random: () => number, size: AccessSize) => void,
  seed = 0x1234_5678,
): void {
  const below = randomNumbers(seed);
  const random = (): number => below(2 ** 32);
  for (let i = 0; i < count; i++) access(random, ([1, 2, 4] as const)[below(3)]);
}
